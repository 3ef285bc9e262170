//! Whatever facts come in whatever order of kinds: one state at a time, the last one current, every belief kept.

use crate::{facts, folds};
use base::{Actor, ChangeId, FactId, Timestamp};
use proptest::prelude::*;
use serde_json::json;
use store::{Fact, Fold, Hlc};
use uuid::Uuid;

const START: i64 = 1_790_000_000_000_000;

fn fact(n: usize, kind: &str, name: u8) -> Fact {
    let at = Hlc::from_micros(START + i64::try_from(n).unwrap());
    let body = json!({"name": format!("G{name}")});
    Fact {
        id: FactId::from_uuid(Uuid::from_u128(n as u128)),
        origin: "eu-1".parse().unwrap(),
        seq: n as u64 + 1,
        kind: kind.to_owned(),
        subject: Uuid::from_u128(9),
        digest: crypto::sha256(body.to_string().as_bytes()),
        body,
        actor: Actor::System,
        reason: None,
        valid_from: at.timestamp(),
        valid_to: None,
        recorded: at,
        change: ChangeId::from_uuid(Uuid::from_u128(n as u128)),
    }
}

fn fold(view: &str) -> std::sync::Arc<dyn Fold> {
    folds().into_iter().find(|fold| fold.view() == view).unwrap()
}

fn at(n: usize) -> Timestamp {
    Hlc::from_micros(START + i64::try_from(n).unwrap()).timestamp()
}

proptest! {
    #[test]
    fn a_group_has_one_state_at_a_time(steps in proptest::collection::vec((0..3_u8, 0..4_u8), 0..12)) {
        let mut history = vec![fact(0, facts::GROUP_CREATED, 0)];
        for (n, (kind, name)) in steps.iter().enumerate() {
            let kind = if *kind == 0 { facts::GROUP_ENDED } else { facts::GROUP_RENAMED };
            history.push(fact(n + 1, kind, *name));
        }
        let fold = fold(facts::VIEW_GROUP);
        let rows = fold.fold("g", &history).unwrap();
        let first_end = history.iter().position(|fact| fact.kind == facts::GROUP_ENDED);
        for known in 0..history.len() {
            for valid in 0..=known {
                let hits: Vec<_> =
                    rows.iter().filter(|row| row.valid.contains(at(valid)) && row.known.contains(at(known))).collect();
                prop_assert_eq!(hits.len(), 1);
                let ended = first_end.is_some_and(|end| end <= valid);
                prop_assert_eq!(hits[0].body["status"] == "ended", ended);
                // A name is found while the group lives and not after.
                prop_assert_eq!(hits[0].lookups.is_empty(), ended);
            }
        }
        // What is believed later never changes what was believed before.
        let earlier = fold.fold("g", &history[..1]).unwrap();
        prop_assert_eq!(&earlier[0].body, &rows[0].body);
    }

    #[test]
    fn an_erasure_is_final(steps in proptest::collection::vec(0..4_usize, 0..10)) {
        let kinds = [facts::PERSON_DEACTIVATED, facts::PERSON_REACTIVATED, facts::PERSON_ERASED, facts::PERSON_CREATED];
        let mut history = vec![fact(0, facts::PERSON_CREATED, 0)];
        history.extend(steps.iter().enumerate().map(|(n, kind)| fact(n + 1, kinds[*kind], 0)));
        let rows = fold(facts::VIEW_PERSON).fold("p", &history).unwrap();
        let last = at(history.len());
        let now: Vec<_> = rows.iter().filter(|row| row.valid.contains(last) && row.known.contains(last)).collect();
        prop_assert_eq!(now.len(), 1);
        let erased = steps.contains(&2);
        prop_assert_eq!(now[0].body["status"] == "erased", erased);
    }
}
