//! The directory's views: one row a person, a group, an OIDC client, over time.

use serde_json::{Value, json};
use std::sync::Arc;
use store::{Fact, Fold, FoldError, Interval, Lookup, ViewRow};

use crate::facts::{
    BY_NAME, GROUP_CREATED, GROUP_ENDED, GROUP_RENAMED, OIDC_CLIENT_ENDED, OIDC_CLIENT_PUT, PERSON_CREATED,
    PERSON_DEACTIVATED, PERSON_ERASED, PERSON_REACTIVATED, VIEW_GROUP, VIEW_OIDC_CLIENT, VIEW_PERSON,
};

/// The folds of this crate, for `store::Options`.
pub fn folds() -> Vec<Arc<dyn Fold>> {
    vec![Arc::new(PERSON), Arc::new(GROUP), Arc::new(OIDC_CLIENT)]
}

/// A thing with one state at a time; each fact gives the next state.
struct States {
    view: &'static str,
    kinds: &'static [&'static str],
    /// The state after a fact, from the state before it; `None` for a fact that does not fit.
    next: fn(Option<&Value>, &Fact) -> Option<Value>,
    /// The name under which a state is found.
    name: fn(&Value) -> Option<String>,
}

impl Fold for States {
    fn view(&self) -> &'static str {
        self.view
    }
    fn version(&self) -> u32 {
        1
    }
    fn kinds(&self) -> &'static [&'static str] {
        self.kinds
    }
    fn fold(&self, _aggregate: &str, facts: &[Fact]) -> Result<Vec<ViewRow>, FoldError> {
        let mut rows: Vec<ViewRow> = Vec::new();
        let mut state: Option<Value> = None;
        for fact in facts {
            let next = (self.next)(state.as_ref(), fact);
            let next =
                next.ok_or(FoldError { fact: fact.id, expected: "a body of its kind, after the facts before it" })?;
            let known = fact.recorded.timestamp();
            self.close(&mut rows, fact, known);
            rows.push(self.row(next.clone(), Interval::from(fact.valid_from), Interval::from(known)));
            state = Some(next);
        }
        rows.retain(|row| !row.known.is_empty() && !row.valid.is_empty());
        Ok(rows)
    }
}

impl States {
    /// What held until now is known to have ended; what was believed before stays readable as it was believed.
    fn close(&self, rows: &mut Vec<ViewRow>, fact: &Fact, known: base::Timestamp) {
        let Some(open) = rows.last_mut() else { return };
        let (body, from) = (open.body.clone(), open.valid.from);
        open.known = Interval::new(open.known.from, Some(known));
        rows.push(self.row(body, Interval::new(from, Some(fact.valid_from)), Interval::from(known)));
    }

    fn row(&self, body: Value, valid: Interval, known: Interval) -> ViewRow {
        let lookups = (self.name)(&body).map(|value| Lookup { name: BY_NAME, value }).into_iter().collect();
        ViewRow { row: "state".to_owned(), valid, known, body, lookups }
    }
}

const PERSON: States = States {
    view: VIEW_PERSON,
    kinds: &[PERSON_CREATED, PERSON_DEACTIVATED, PERSON_REACTIVATED, PERSON_ERASED],
    next: |before, fact| {
        let created = match before {
            Some(state) => state.get("created")?.clone(),
            None => json!(fact.recorded.timestamp()),
        };
        let erased = before.is_some_and(|state| state.get("status") == Some(&json!("erased")));
        let status = match fact.kind.as_str() {
            // INVARIANT: an erasure is final, whatever comes after it in time.
            _ if erased => "erased",
            PERSON_ERASED => "erased",
            PERSON_DEACTIVATED => "deactivated",
            _ => "active",
        };
        Some(json!({"status": status, "created": created, "since": fact.recorded.timestamp()}))
    },
    name: |_| None,
};

const GROUP: States = States {
    view: VIEW_GROUP,
    kinds: &[GROUP_CREATED, GROUP_RENAMED, GROUP_ENDED],
    next: |before, fact| {
        let created = match before {
            Some(state) => state.get("created")?.clone(),
            None => json!(fact.recorded.timestamp()),
        };
        let ended = before.is_some_and(|state| state.get("status") == Some(&json!("ended")));
        let status = if ended || fact.kind == GROUP_ENDED { "ended" } else { "active" };
        let name = match fact.kind.as_str() {
            GROUP_ENDED => before?.get("name")?.clone(),
            _ => json!(fact.body.get("name")?.as_str()?),
        };
        // The claim to a name is as old as the fact that made it: the winner of two is the same on every node.
        let claim = match before {
            Some(state) if state.get("name") == Some(&name) => state.get("claim")?.clone(),
            _ => json!([fact.recorded.micros(), fact.origin.as_str(), fact.id]),
        };
        Some(json!({"status": status, "name": name, "claim": claim, "created": created}))
    },
    name: |state| {
        let active = state.get("status") == Some(&json!("active"));
        state.get("name").and_then(Value::as_str).filter(|_| active).map(str::to_lowercase)
    },
};

const OIDC_CLIENT: States = States {
    view: VIEW_OIDC_CLIENT,
    kinds: &[OIDC_CLIENT_PUT, OIDC_CLIENT_ENDED],
    next: |before, fact| {
        let ended = fact.kind == OIDC_CLIENT_ENDED || before.is_some_and(|state| state.get("ended").is_some());
        let mut state = if fact.kind == OIDC_CLIENT_ENDED { before?.clone() } else { fact.body.clone() };
        let map = state.as_object_mut()?;
        if ended {
            map.insert("ended".to_owned(), json!(true));
        }
        Some(state)
    },
    name: |state| {
        let live = state.get("ended").is_none();
        state.get("client_id").and_then(Value::as_str).filter(|_| live).map(str::to_owned)
    },
};
