//! The peer of a connection and the trusted-proxy rule: whose address a request has. It knows headers and nothing of sockets.
//!
//! Invariant: an `X-Forwarded-For` from a peer that is not a trusted proxy changes nothing.

use http::HeaderMap;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// The other end of a connection. The listener puts it into the extensions of each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its socket address.
    pub address: SocketAddr,
    /// Whether the connection is TLS.
    pub tls: bool,
}

/// Ends the connection of a request at once, with what was sent and not yet received. The listener puts it into the extensions
/// of a request that has its connection to itself.
#[derive(Clone)]
pub struct Hangup(Arc<dyn Fn() + Send + Sync>);

impl Hangup {
    /// Ends a connection by this act.
    pub fn new(act: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(act))
    }

    /// Ends it.
    pub fn now(&self) {
        (self.0)();
    }
}

/// Where a request really comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The caller's address, after the trusted-proxy rule.
    pub address: IpAddr,
    /// Whether the caller's own connection is TLS: to us, or to a trusted proxy that says so.
    pub secure: bool,
}

/// What a source is counted by. One customer has at least a /64 of IPv6, so a single address of it is no unit of fairness.
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

/// Proxies whose forwarding headers are believed.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Most forwarding hops that are read; a longer chain is taken as coming from the hop where reading stopped.
    const HOPS_MAX: usize = 16;

    /// Believes the proxies in these networks and no others.
    pub const fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// The source of a request: the peer, unless the peer is a trusted proxy; then the last address of `X-Forwarded-For`
    /// that no trusted proxy vouches for. A malformed entry stops the walk at the hop before it.
    pub fn source(&self, peer: Peer, headers: &HeaderMap) -> Source {
        let mut address = peer.address.ip().to_canonical();
        if !self.trusts(address) {
            return Source { address, secure: peer.tls };
        }
        let values = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
        let hops: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
        for hop in hops.iter().rev().take(Self::HOPS_MAX) {
            let Ok(next) = hop.parse::<IpAddr>() else { break };
            address = next.to_canonical();
            if !self.trusts(address) {
                break;
            }
        }
        // The proxy's own word comes last; what stands before it came from the caller.
        let protos = headers.get_all("x-forwarded-proto").iter().next_back().and_then(|value| value.to_str().ok());
        let forwarded_tls = protos.is_some_and(|all| all.rsplit(',').next().is_some_and(|own| own.trim() == "https"));
        Source { address, secure: peer.tls || forwarded_tls }
    }

    /// Whether this address is a trusted proxy.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    //! Only a trusted proxy is believed, and only as far as trust reaches.

    use super::*;
    use http::HeaderValue;

    fn source(peer: &str, trusted: &[&str], forwarded: &str) -> String {
        let proxies = TrustedProxies::new(trusted.iter().map(|n| n.parse().unwrap()).collect());
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", HeaderValue::from_str(forwarded).unwrap());
        let peer = Peer { address: SocketAddr::new(peer.parse().unwrap(), 1), tls: false };
        proxies.source(peer, &headers).address.to_string()
    }

    #[test]
    fn x_forwarded_for_is_ignored_from_strangers() {
        assert_eq!(source("203.0.113.9", &["10.0.0.0/8"], "192.0.2.1"), "203.0.113.9");
    }

    #[test]
    fn the_last_untrusted_hop_is_the_source() {
        assert_eq!(source("10.0.0.1", &["10.0.0.0/8"], "6.6.6.6, 192.0.2.1, 10.0.0.2"), "192.0.2.1");
        assert_eq!(source("::ffff:10.0.0.1", &["10.0.0.0/8"], "192.0.2.1"), "192.0.2.1");
        assert_eq!(source("10.0.0.1", &["10.0.0.0/8"], "not an address"), "10.0.0.1");
        assert_eq!(source("10.0.0.1", &["10.0.0.0/8"], ""), "10.0.0.1");
    }

    #[test]
    fn what_a_caller_says_of_its_own_tls_is_not_believed() {
        let proxies = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
        let peer = Peer { address: SocketAddr::new("10.0.0.1".parse().unwrap(), 1), tls: false };
        for (said, secure) in [
            (&["https"][..], true),
            (&["http"], false),
            (&["https", "http"], false),
            (&["https, http"], false),
            (&["http, https"], true),
        ] {
            let mut headers = HeaderMap::new();
            for proto in said {
                headers.append("x-forwarded-proto", HeaderValue::from_static(proto));
            }
            assert_eq!(proxies.source(peer, &headers).secure, secure, "{said:?}");
        }
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_source() {
        let same = |a: &str, b: &str| network(a.parse().unwrap()) == network(b.parse().unwrap());
        assert!(same("2001:db8::1", "2001:db8::ffff"));
        assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
    }
}
