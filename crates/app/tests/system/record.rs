//! What the ledger holds of requests that the edges of the whole program refused: read from its files after a clean stop.

use ledger::Entry;
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::api::{Api, admin};
use super::support::{Demo, Galen, entries};

/// How often a reason was counted, by strangers or by sessions of people.
fn counted(entries: &[Entry], reason: &str, known: bool) -> u64 {
    let of = |entry: &&Entry| {
        let who = &entry.user_identity;
        who.person.is_some() == known && who.session.is_some() == known
    };
    let counts = entries.iter().filter(of).filter_map(|entry| entry.denials.as_ref());
    counts.filter(|count| count.reason == reason).map(|count| count.count).sum()
}

/// The answer to a request with these headers and no more.
fn raw(url: &str, lines: &str) -> String {
    let host = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let request = format!("GET /api/v1/groups HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{lines}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

// verifies: AUD-11
#[test]
fn finding_d_and_f_too_many_headers_are_answered_by_the_edge_and_counted() {
    let demo = Demo::start();
    let many: String = (0..150).map(|n| format!("x-{n}: a\r\n")).collect();
    let wide = format!("x-wide: {}\r\n", "a".repeat(70_000));
    for lines in [&many, &wide] {
        let answer = raw(demo.web(), lines);
        assert!(answer.starts_with("HTTP/1.1 431") && answer.contains("urn:galen:problem:too-large"), "{answer}");
        let answer = raw(demo.ready["aws"].as_str().unwrap(), lines);
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("RequestHeaderSectionTooLarge"), "{answer}");
    }
    let folder = demo.stop();
    let all = entries(&folder.path().join("installation/ledger"));
    assert_eq!((counted(&all, "api:oversized", false), counted(&all, "s3:oversized", false)), (2, 2));
}

// verifies: AUD-11
#[test]
fn finding_c_and_e_what_somebody_known_sends_malformed_is_counted_with_who() {
    let demo = Demo::start();
    let galen = admin(&demo);
    let api = Api::of(&galen, &demo);
    for body in [json!({"name": 1}), json!({"nmae": "a"}), json!({"name": "../x"}), json!({"name": "a\0b"})] {
        assert_eq!(api.post("groups", None, &body).0, 400, "{body}");
    }
    assert_eq!(api.get("../x").0, 404, "no handler looked who it is");
    let anna = Galen::new();
    anna.login(&demo, demo.person("anna"));
    let her = Api::of(&anna, &demo);
    galen.ok(&["revoke", "person", "anna", "--reason", "check"]);
    assert_eq!(her.get("groups").0, 401);
    let folder = demo.stop();
    let all = entries(&folder.path().join("installation/ledger"));
    let known =
        ["api:malformed", "api:absent", "web:absent", "api:session-ended"].map(|reason| counted(&all, reason, true));
    assert_eq!((known[0], known[1] + known[2], known[3]), (4, 1, 1));
    assert_eq!(counted(&all, "api:unauthenticated", false), 0, "a session that was ended is not a stranger");
}
