//! Which side of the line a position is on.

use super::*;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(secs).unwrap()
}

fn position(secs: i64, seq: Option<u64>) -> AuthPosition {
    AuthPosition { auth_time: at(secs), seq, amr: vec![], acr: None }
}

fn person() -> PersonId {
    PersonId::from_uuid(uuid::Uuid::from_bytes([1; 16]))
}

#[test]
fn numbers_decide_for_our_own_credentials() {
    let epochs = Epochs::default();
    epochs.raise([(EpochKey::Person { person: person() }, Epoch { seq: 7, at: at(100) })]);
    epochs.advance(7);
    assert!(
        epochs.cut_of(EpochKey::Person { person: person() }, &position(500, Some(6))).is_some(),
        "a later clock does not save an older sign-in"
    );
    assert!(epochs.cut_of(EpochKey::Person { person: person() }, &position(50, Some(epochs.position()))).is_none());
}

#[test]
fn an_outside_sign_in_in_the_same_second_is_cut() {
    let epoch = Epoch { seq: 7, at: at(100) };
    assert!(epoch.cuts(&position(99, None)));
    assert!(epoch.cuts(&position(100, None)));
    assert!(!epoch.cuts(&position(101, None)));
}

#[test]
fn a_line_never_goes_back() {
    let epochs = Epochs::default();
    let key = EpochKey::Person { person: person() };
    epochs.raise([(key, Epoch { seq: 9, at: at(9) })]);
    epochs.raise([(key, Epoch { seq: 3, at: at(3) })]);
    assert_eq!(epochs.of(key), Some(Epoch { seq: 9, at: at(9) }));
    epochs.advance(9);
    epochs.advance(4);
    assert_eq!(epochs.position(), 9);
}

#[test]
fn a_key_has_one_aggregate() {
    let group = GroupId::from_uuid(uuid::Uuid::from_bytes([2; 16]));
    let key = EpochKey::Membership { person: person(), group };
    assert_eq!(key.aggregate(), format!("membership/{}/{group}", person()));
    let json = serde_json::to_value(key).unwrap();
    assert_eq!(serde_json::from_value::<EpochKey>(json).unwrap(), key);
}
