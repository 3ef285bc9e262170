//! Nobody but a trusted proxy is believed about where a request comes from.

use super::*;
use http::HeaderValue;

fn judge(peer: &str, trusted: &[&str], forwarded: &[&'static str]) -> String {
    let mut headers = HeaderMap::new();
    for value in forwarded {
        headers.append("x-forwarded-for", HeaderValue::from_static(value));
    }
    let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
    let peer = Peer { address: Some(peer.parse().unwrap()), tls: false };
    source(peer, &headers, &trusted).address.map_or("none".into(), |address| address.to_string())
}

#[test]
fn a_stranger_cannot_name_its_own_address() {
    assert_eq!(judge("203.0.113.9", &[], &["10.0.0.1"]), "203.0.113.9");
    assert_eq!(judge("203.0.113.9", &["10.0.0.0/8"], &["10.0.0.1"]), "203.0.113.9");
}

#[test]
fn a_trusted_proxy_names_the_last_hop_that_is_not_a_proxy() {
    let proxy = ["10.0.0.0/8"];
    assert_eq!(judge("10.0.0.2", &proxy, &["198.51.100.7"]), "198.51.100.7");
    assert_eq!(judge("10.0.0.2", &proxy, &["1.1.1.1, 198.51.100.7, 10.0.0.9"]), "198.51.100.7");
    assert_eq!(judge("10.0.0.2", &proxy, &["1.1.1.1", "198.51.100.7"]), "198.51.100.7");
    assert_eq!(judge("10.0.0.2", &proxy, &[]), "10.0.0.2");
    assert_eq!(judge("::ffff:10.0.0.2", &proxy, &["198.51.100.7"]), "198.51.100.7");
}

#[test]
fn nonsense_in_the_chain_ends_it() {
    assert_eq!(judge("10.0.0.2", &["10.0.0.0/8"], &["198.51.100.7, nonsense"]), "none");
}

#[test]
fn only_a_trusted_proxy_makes_a_connection_secure() {
    let mut headers = HeaderMap::new();
    headers.insert("x-forwarded-proto", HeaderValue::from_static("https"));
    let peer = Peer { address: Some("10.0.0.2".parse().unwrap()), tls: false };
    assert!(!source(peer, &headers, &[]).secure);
    assert!(source(peer, &headers, &["10.0.0.0/8".parse().unwrap()]).secure);
}
