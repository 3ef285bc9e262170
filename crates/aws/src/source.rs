//! Where a request comes from: the peer of the connection, or what a trusted proxy says of it.
//!
//! INVARIANT: a forwarding header counts only when the peer itself is a trusted proxy; anyone else who sends one is
//! ignored, so that `aws:SourceIp` and rate limits cannot be talked around.

use http::HeaderMap;
use ipnet::IpNet;
use std::net::IpAddr;

/// The other end of a connection, as the listener saw it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// Its address; none on a socket that has none.
    pub address: Option<IpAddr>,
    /// Whether the connection is TLS.
    pub tls: bool,
}

/// Where a request comes from, as far as it is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) address: Option<IpAddr>,
    pub(crate) secure: bool,
}

/// Longest chain of forwarders that is followed.
const HOPS_MAX: usize = 32;

/// The rightmost address that is not itself a trusted proxy: everything left of it is the client's own claim.
pub(crate) fn source(peer: Peer, headers: &HeaderMap, trusted: &[IpNet]) -> Source {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(&address.to_canonical()));
    let Some(address) = peer.address.map(|address| address.to_canonical()) else {
        return Source { address: None, secure: peer.tls };
    };
    if !is_trusted(&address) {
        return Source { address: Some(address), secure: peer.tls };
    }
    let hops: Vec<Option<IpAddr>> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|hop| hop.trim().parse::<IpAddr>().ok().map(|address| address.to_canonical()))
        .collect();
    let mut believed = Some(address);
    for hop in hops.iter().rev().take(HOPS_MAX) {
        believed = *hop;
        // A hop that does not parse ends the chain: nothing behind it can be believed.
        if !hop.as_ref().is_some_and(is_trusted) {
            break;
        }
    }
    let forwarded_secure = headers
        .get_all("x-forwarded-proto")
        .iter()
        .next_back()
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.trim().eq_ignore_ascii_case("https"));
    Source { address: believed, secure: peer.tls || forwarded_secure }
}

#[cfg(test)]
mod tests;
