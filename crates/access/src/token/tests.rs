//! A token round-trips, is bound to its bytes, and no mutation of it opens.

use super::*;
use crate::session::tests::sample;
use crate::{SessionPolicy, Tag};
use proptest::prelude::*;
use std::sync::Arc;

fn keys(versions: &[u32]) -> SealKeys {
    let key = |version: &u32| (*version, Secret::new([u8::try_from(*version).unwrap(); 32]));
    SealKeys::new(versions.iter().map(key), versions.iter().map(key)).unwrap()
}

fn opened(keys: &SealKeys, token: &str) -> Session {
    match open(keys, token).unwrap_or_else(|bad| panic!("{bad}")) {
        Opened::Session(session) => *session,
        Opened::Pointer(_) => panic!("a pointer"),
    }
}

#[test]
fn a_session_comes_back_whole() {
    let keys = keys(&[1]);
    let session = sample();
    let sealed = seal(&keys, &Crypto::default(), &session).unwrap();
    assert!(sealed.record.is_none());
    let back = opened(&keys, sealed.token.expose());
    assert_eq!(format!("{back:?}"), format!("{session:?}"));
    assert_eq!(back.tag("cost"), session.tag("Cost"));
    assert_eq!(back.auth, session.auth);
}

#[test]
fn a_rotated_key_still_opens_until_it_is_gone() {
    let old = keys(&[1]);
    let token = seal(&old, &Crypto::default(), &sample()).unwrap().token;
    opened(&keys(&[2, 1]), token.expose());
    assert_eq!(open(&keys(&[2]), token.expose()).err(), Some(BadToken::UnknownKey { version: 1 }));
}

#[test]
fn a_large_session_becomes_a_pointer_and_a_record() {
    let keys = keys(&[1]);
    let mut session = sample();
    session.policies = vec![SessionPolicy { origin: "inline".into(), text: Arc::from(" ".repeat(2048)) }];
    session.tags = (0..50).map(|n| Tag { key: format!("k{n}"), value: "v".repeat(60) }).collect();
    let sealed = seal(&keys, &Crypto::default(), &session).unwrap();
    assert!(sealed.token.expose().len() <= TOKEN_LEN_MAX);
    let record = sealed.record.unwrap();
    let Opened::Pointer(pointer) = open(&keys, sealed.token.expose()).unwrap() else { panic!("whole") };
    assert_eq!(open_record(&keys, &pointer, &record).unwrap().tags, session.tags);
    let other = seal(&keys, &Crypto::default(), &session).unwrap().record.unwrap();
    assert!(open_record(&keys, &pointer, &other).is_err(), "a record of the same session that was sealed again");
    assert!(open(&keys, &URL_SAFE_NO_PAD.encode(&record)).is_err(), "a record is not a token");
}

#[test]
fn the_secret_follows_from_the_id_and_the_key_alone() {
    let keys = keys(&[2, 1]);
    let id = keys.access_key(&Crypto::default()).unwrap();
    let secret = keys.secret_of(&id).unwrap();
    assert_eq!(secret.expose().len(), 40);
    let expected = STANDARD.encode(crypto::hmac_sha256(&[2; 32], id.as_str().as_bytes()));
    assert!(expected.starts_with(secret.expose()));
    assert!(self::keys(&[3]).secret_of(&id).is_none());
}

#[test]
fn tampering_is_noticed_at_every_byte() {
    let keys = keys(&[1]);
    let token = seal(&keys, &Crypto::default(), &sample()).unwrap().token;
    let bytes = URL_SAFE_NO_PAD.decode(token.expose()).unwrap();
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        assert!(open(&keys, &URL_SAFE_NO_PAD.encode(&altered)).is_err(), "byte {at}");
    }
    for cut in 0..bytes.len() {
        assert!(open(&keys, &URL_SAFE_NO_PAD.encode(&bytes[..cut])).is_err(), "cut at {cut}");
    }
    assert!(open(&keys, &"A".repeat(TOKEN_LEN_MAX + 1)).is_err());
    for bad in ["", "=", "é", "AQ", "AQ==", &format!("{} ", token.expose()), &format!("{}=", token.expose())] {
        assert!(open(&keys, bad).is_err(), "{bad}");
    }
}

#[test]
fn a_sealed_body_with_surplus_is_refused() {
    let keys = keys(&[1]);
    let mut body: serde_json::Value = serde_json::from_slice(&body::write(&sample())).unwrap();
    body["admin"] = true.into();
    assert!(matches!(body::read(&serde_json::to_vec(&body).unwrap()), Err(BadToken::Malformed)));
    let sealed = keys.seal(&Crypto::default(), Kind::Whole, b"{}".to_vec()).unwrap();
    assert!(matches!(open(&keys, &URL_SAFE_NO_PAD.encode(sealed)), Err(BadToken::Malformed)));
}

#[test]
fn the_packed_size_counts_policies_and_tags() {
    let mut session = sample();
    session.tags.clear();
    session.transitive.clear();
    assert_eq!(packed_percent(&session), 0);
    session.policies = vec![SessionPolicy { origin: String::new(), text: Arc::from("{ \"a\" : 1 }") }];
    assert_eq!(packed_percent(&session), 1, "rounded up");
    session.tags = (0..50).map(|n| Tag { key: format!("k{n}"), value: "v".repeat(256) }).collect();
    assert!(packed_percent(&session) > 100);
}

proptest! {
    // Bytes from outside never open and never panic.
    #[test]
    fn arbitrary_text_never_opens(text in "\\PC{0,200}", raw in proptest::collection::vec(any::<u8>(), 0..200)) {
        let keys = keys(&[1]);
        prop_assert!(open(&keys, &text).is_err());
        prop_assert!(open(&keys, &URL_SAFE_NO_PAD.encode(&raw)).is_err());
        let _ = body::read(&raw);
        let _ = body::read(text.as_bytes());
    }

    #[test]
    fn mutated_bodies_are_read_or_refused(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = body::write(&sample());
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = body::read(&bytes);
    }
}
