//! A receipt verifies with the public key alone, and no alteration of it does.

use super::*;
use crate::session::tests::uuid;
use crate::sessions::tests::Bench;
use proptest::prelude::*;

fn statement() -> Statement {
    let at = Timestamp::from_second(1_790_000_000).unwrap();
    Statement {
        version: VERSION,
        id: ReceiptId::from_uuid(uuid(1)),
        what: What::Person { person: PersonId::from_uuid(uuid(2)) },
        actor: Actor::Person(PersonId::from_uuid(uuid(3))),
        reason: Some("left the company".into()),
        change: ChangeId::from_uuid(uuid(4)),
        facts: vec![FactId::from_uuid(uuid(5))],
        region: "eu-north-1".parse().unwrap(),
        position: 12,
        epoch: Some(EpochKey::Person { person: PersonId::from_uuid(uuid(2)) }),
        requested: at,
        effective: at,
        micros: 1234,
        nodes: vec![NodeAck {
            node: NodeId::from_uuid(uuid(6)),
            region: "eu-north-1".parse().unwrap(),
            acknowledged: Some(at),
            micros: 1234,
            streams: 2,
            still_open: 0,
        }],
    }
}

#[tokio::test]
async fn a_receipt_verifies_offline_and_alterations_do_not() {
    let bench = Bench::new().await;
    let (_, public) = key(&bench.custody).unwrap();
    let receipt = sign(&bench.custody, statement()).unwrap();
    let bytes = serde_json::to_vec_pretty(&receipt).unwrap();
    assert_eq!(verify(&bytes, &public).unwrap(), statement());

    let document: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let altered = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut document = document.clone();
        change(&mut document);
        verify(&serde_json::to_vec(&document).unwrap(), &public).map_err(|error| error.to_string())
    };
    let wrong = "the signature does not match: the receipt was altered, or signed by another key than the one given";
    assert_eq!(altered(&|d| d["statement"]["micros"] = 1.into()), Err(wrong.into()));
    assert_eq!(altered(&|d| d["statement"]["extra"] = 1.into()), Err(wrong.into()));
    assert_eq!(altered(&|d| d["statement"]["reason"] = serde_json::Value::Null), Err(wrong.into()));
    assert!(altered(&|d| d["statement"]["version"] = 2.into()).unwrap_err().contains("form 2"));
    assert!(altered(&|d| d["signature"] = "".into()).is_err());
    assert!(altered(&|d| d["note"] = "unsigned".into()).is_err(), "nothing unsigned travels with it");
    assert!(verify(b"{}", &public).is_err());
    assert!(verify(&vec![b' '; RECEIPT_LEN_MAX + 1], &public).is_err());

    let other = Bench::new().await;
    assert!(verify(&bytes, &key(&other.custody).unwrap().1).is_err());
}

proptest! {
    // No bytes verify but those that were signed.
    #[test]
    fn arbitrary_bytes_are_no_receipt(bytes in proptest::collection::vec(any::<u8>(), 0..400), at in 0..1000_usize) {
        let key = PublicKey::ed25519(&[0x58; 32]).or_else(|_| PublicKey::ed25519(&[0x66; 32]));
        if let Ok(key) = key {
            prop_assert!(verify(&bytes, &key).is_err());
            let mut text = serde_json::to_vec(&json_receipt()).unwrap();
            let at = at % text.len();
            text[at] = bytes.first().copied().unwrap_or(0);
            prop_assert!(verify(&text, &key).is_err());
        }
    }
}

fn json_receipt() -> serde_json::Value {
    let key = format!("{}.1", uuid(7));
    serde_json::json!({ "statement": statement(), "key": key, "signature": STANDARD.encode([1; 64]) })
}
