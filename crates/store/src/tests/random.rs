//! Random changes against a model that fits on a page.

use base::Actor;
use proptest::prelude::*;
use std::collections::BTreeSet;
use uuid::Uuid;

use super::{grant, open};
use crate::{Error, NewFact, Store, WriteTxn};

/// One change of a random history.
#[derive(Clone, Debug)]
struct Step {
    acts: Vec<(Act, u8)>,
    refused: bool,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Grant,
    End,
    Claim,
    Put,
    Delete,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let act = prop_oneof![Just(Act::Grant), Just(Act::End), Just(Act::Claim), Just(Act::Put), Just(Act::Delete)];
    let step = (prop::collection::vec((act, 0..6_u8), 1..5), prop::bool::weighted(0.2));
    prop::collection::vec(step.prop_map(|(acts, refused)| Step { acts, refused }), 1..25)
}

fn fact(txn: &WriteTxn<'_>, kind: &'static str, subject: u8, body: serde_json::Value) -> NewFact {
    let (subject, valid_from) = (Uuid::from_u128(u128::from(subject) + 1), txn.now());
    NewFact { kind, subject, body, reason: None, valid_from, valid_to: None }
}

fn act(txn: &mut WriteTxn<'_>, act: Act, n: u8) -> Result<(), Error> {
    match act {
        Act::Grant => grant(txn, u128::from(n) + 1).map(drop),
        Act::End => txn.fact_add(fact(txn, "grant.ended", n, serde_json::json!({}))).map(drop),
        Act::Claim => txn.fact_add(fact(txn, "name.claimed", n, serde_json::json!({ "name": n % 2 }))).map(drop),
        Act::Put => txn.record_put("t", &[n], &[n], None).map(drop),
        Act::Delete => txn.record_delete("t", &[n]).map(drop),
    }
}

/// What the history must leave behind: subjects that ever had a grant, record keys, the number of facts.
#[derive(Debug, Default, PartialEq)]
struct Model {
    granted: BTreeSet<u8>,
    keys: BTreeSet<u8>,
    facts: u64,
}

impl Model {
    fn after(history: &[Step]) -> Self {
        let mut model = Self::default();
        for (act, n) in history.iter().filter(|step| !step.refused).flat_map(|step| &step.acts) {
            match act {
                Act::Grant => drop(model.granted.insert(*n)),
                Act::End | Act::Claim => {}
                Act::Put => drop(model.keys.insert(*n)),
                Act::Delete => drop(model.keys.remove(n)),
            }
            model.facts += u64::from(matches!(act, Act::Grant | Act::End | Act::Claim));
        }
        model
    }
}

async fn left(store: &Store) -> Model {
    store
        .read::<_, Error, _>(|txn| {
            let mut model = Model { facts: txn.newest_seq()?, ..Model::default() };
            for n in 0..6_u8 {
                let key = Uuid::from_u128(u128::from(n) + 1).to_string();
                model.granted.extend((!txn.view_history("grant", &key)?.is_empty()).then_some(n));
                model.keys.extend(txn.record_get("t", &[n])?.map(|_| n));
            }
            Ok(model)
        })
        .await
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_leaves_what_the_model_says(history in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), 1).unwrap();
        let expected = Model::after(&history);
        runtime.block_on(async {
            for step in history {
                let refused = step.refused;
                let closure = move |txn: &mut WriteTxn<'_>| {
                    step.acts.iter().try_for_each(|(kind, n)| act(txn, *kind, *n))?;
                    if step.refused { Err(Error::NotEmpty) } else { Ok(()) }
                };
                assert_eq!(store.write::<_, Error, _>(Actor::System, closure).await.is_err(), refused);
            }
            assert_eq!(left(&store).await, expected);
            let report = store.verify().await.unwrap();
            assert!(report.sound(), "{:?}", report.problems);
        });
    }
}
