//! From facts to interval rows: what held when (valid), as known when (known).
//!
//! One rule serves every aggregate: each fact gives the new set of pieces of valid time; the pieces that it replaces
//! stop being known at that moment. It must not know the store's engine.

use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;
use store::{Fact, Fold, FoldError, Interval, Lookup, ViewRow};

use super::types::{
    Client, DatasetLocation, Entitlement, Grant, Guardrail, Membership, MembershipRemoved, Role, Service,
};
use super::{kind, view};
use base::Timestamp;

/// Every fold of this crate's own facts, for `store::Options`. Epochs add theirs.
pub fn folds() -> Vec<Arc<dyn Fold>> {
    vec![
        Arc::new(Memberships),
        Arc::new(GRANT),
        Arc::new(ENTITLEMENT),
        Arc::new(ROLE),
        Arc::new(LOCATION),
        Arc::new(GUARDRAIL),
        Arc::new(CLIENT),
        Arc::new(SERVICE),
    ]
}

/// A span of valid time with its content.
#[derive(Clone, Debug, PartialEq)]
struct Piece {
    row: String,
    valid: Interval,
    body: Value,
}

/// Cuts what is left of `piece` from `at` on; an empty rest goes.
fn cut(pieces: &mut Vec<Piece>, at: Timestamp, which: impl Fn(&Piece) -> bool) {
    for piece in pieces.iter_mut().filter(|piece| which(piece)) {
        let earlier = piece.valid.to.is_none_or(|to| at < to);
        if earlier {
            piece.valid = Interval::new(piece.valid.from, Some(at));
        }
    }
    pieces.retain(|piece| !piece.valid.is_empty());
}

/// Applies the facts in order and keeps every state that was ever known.
fn timeline(
    facts: &[Fact],
    mut step: impl FnMut(&mut Vec<Piece>, &Fact) -> Result<(), FoldError>,
    lookups: impl Fn(&Value) -> Vec<Lookup>,
) -> Result<Vec<ViewRow>, FoldError> {
    let mut rows: Vec<ViewRow> = Vec::new();
    let mut pieces = Vec::new();
    for fact in facts {
        step(&mut pieces, fact)?;
        let known = fact.recorded.timestamp();
        let same = |row: &ViewRow, piece: &Piece| {
            row.known.to.is_none() && row.row == piece.row && row.valid == piece.valid && row.body == piece.body
        };
        for row in rows.iter_mut().filter(|row| row.known.to.is_none()) {
            if !pieces.iter().any(|piece| same(row, piece)) {
                row.known = Interval::new(row.known.from, Some(known));
            }
        }
        for piece in &pieces {
            if !rows.iter().any(|row| same(row, piece)) {
                let Piece { row, valid, body } = piece.clone();
                rows.push(ViewRow { row, valid, known: Interval::from(known), lookups: lookups(&body), body });
            }
        }
    }
    rows.retain(|row| !row.known.is_empty());
    Ok(rows)
}

/// A secondary key of a view row.
pub fn lookup(name: &'static str, value: impl ToString) -> Lookup {
    Lookup { name, value: value.to_string() }
}

fn body<T: DeserializeOwned>(fact: &Fact, expected: &'static str) -> Result<T, FoldError> {
    serde_json::from_value(fact.body.clone()).map_err(|_| FoldError { fact: fact.id, expected })
}

/// The fold of a thing that is put (created, changed) with its whole state and ended once; the fact's subject is its
/// id, and a kind that ends in `.ended` ends it. Other crates fold their own whole-state aggregates with it.
pub struct Lived {
    /// The view's name.
    pub view: &'static str,
    /// The kinds of facts that it reads.
    pub kinds: &'static [&'static str],
    /// What a body should be, for the message that refuses one.
    pub expected: &'static str,
    /// The lookups of a body; `None` when it is not what its kind promises.
    pub lookups: fn(&Value) -> Option<Vec<Lookup>>,
}

impl Fold for Lived {
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
        let mut ended = false;
        timeline(
            facts,
            |pieces, fact| {
                cut(pieces, fact.valid_from, |_| true);
                if fact.kind.ends_with(".ended") {
                    ended = true;
                } else if !ended {
                    // INVARIANT: an end wins over any state put after it; a new life has a new id.
                    (self.lookups)(&fact.body).ok_or(FoldError { fact: fact.id, expected: self.expected })?;
                    pieces.push(Piece { row: "state".to_owned(), valid: fact.valid(), body: fact.body.clone() });
                }
                Ok(())
            },
            |body| (self.lookups)(body).unwrap_or_default(),
        )
    }
}

fn read<T: DeserializeOwned>(body: &Value) -> Option<T> {
    serde_json::from_value(body.clone()).ok()
}

const GRANT: Lived = Lived {
    view: view::GRANT,
    kinds: &[kind::GRANT_CREATED, kind::GRANT_ENDED],
    expected: "a grant",
    lookups: |body| {
        let grant: Grant = read(body)?;
        Some(vec![lookup(view::BY_DATASET, grant.dataset), lookup(view::BY_GROUP, grant.group)])
    },
};

const ENTITLEMENT: Lived = Lived {
    view: view::ENTITLEMENT,
    kinds: &[kind::ENTITLEMENT_CREATED, kind::ENTITLEMENT_ENDED],
    expected: "an entitlement",
    lookups: |body| {
        let it: Entitlement = read(body)?;
        let client = it.client.map(|client| lookup(view::BY_CLIENT, client));
        Some([lookup(view::BY_ROLE, it.role), lookup(view::BY_GROUP, it.group)].into_iter().chain(client).collect())
    },
};

const ROLE: Lived = Lived {
    view: view::ROLE,
    kinds: &[kind::ROLE_CREATED, kind::ROLE_CHANGED, kind::ROLE_ENDED],
    expected: "a role",
    lookups: |body| {
        let role: Role = read(body)?;
        Some(vec![lookup(view::BY_NAME, role.arn())])
    },
};

const LOCATION: Lived = Lived {
    view: view::LOCATION,
    kinds: &[kind::LOCATION_PUT, kind::LOCATION_ENDED],
    expected: "a dataset location",
    lookups: |body| {
        let location: DatasetLocation = read(body)?;
        let mut buckets: Vec<&str> = location.places.iter().map(|place| place.bucket.as_str()).collect();
        buckets.sort_unstable();
        buckets.dedup();
        let mut groups: Vec<_> = location.stewards.iter().chain([&location.owner]).collect();
        groups.sort_unstable();
        groups.dedup();
        let buckets = buckets.into_iter().map(|bucket| lookup(view::BY_BUCKET, bucket));
        Some(buckets.chain(groups.into_iter().map(|group| lookup(view::BY_GROUP, group))).collect())
    },
};

const GUARDRAIL: Lived = Lived {
    view: view::GUARDRAIL,
    kinds: &[kind::GUARDRAIL_PUT],
    expected: "a guardrail",
    lookups: |body| read::<Guardrail>(body).map(|_| Vec::new()),
};

const CLIENT: Lived = Lived {
    view: view::CLIENT,
    kinds: &[kind::CLIENT_PUT, kind::CLIENT_ENDED],
    expected: "an OIDC client",
    lookups: |body| read::<Client>(body).map(|client| vec![lookup(view::BY_NAME, client.audience)]),
};

const SERVICE: Lived = Lived {
    view: view::SERVICE,
    kinds: &[kind::SERVICE_PUT, kind::SERVICE_ENDED],
    expected: "a service",
    lookups: |body| {
        let service: Service = read(body)?;
        let client = service.client.map(|client| lookup(view::BY_CLIENT, client));
        Some([lookup(view::BY_NAME, service.name)].into_iter().chain(client).collect())
    },
};

/// One edge between a member and a group: several adds may live at once; a remove takes back those that it names.
struct Memberships;

/// The aggregate of the edge between `member` and `group`.
pub(crate) fn edge(member: uuid::Uuid, group: base::GroupId) -> String {
    format!("{}/{group}", member.hyphenated())
}

impl Fold for Memberships {
    fn view(&self) -> &'static str {
        view::MEMBERSHIP
    }
    fn version(&self) -> u32 {
        1
    }
    fn kinds(&self) -> &'static [&'static str] {
        &[kind::MEMBERSHIP_ADDED, kind::MEMBERSHIP_REMOVED]
    }
    fn aggregate(&self, fact: &Fact) -> String {
        // Both bodies carry the edge; a body without it is refused by `fold`.
        let member = fact.body.get("member").and_then(read::<crate::resource::Member>);
        let group = fact.body.get("group").and_then(read::<base::GroupId>);
        match (member, group) {
            (Some(member), Some(group)) => edge(member.uuid(), group),
            _ => fact.subject.to_string(),
        }
    }
    fn fold(&self, _aggregate: &str, facts: &[Fact]) -> Result<Vec<ViewRow>, FoldError> {
        let mut removed: Vec<String> = Vec::new();
        timeline(
            facts,
            |pieces, fact| {
                if fact.kind == kind::MEMBERSHIP_ADDED {
                    let add: Membership = body(fact, "a membership")?;
                    let row = add.id.to_string();
                    if !removed.contains(&row) {
                        pieces.push(Piece { row, valid: fact.valid(), body: fact.body.clone() });
                    }
                } else {
                    let remove: MembershipRemoved = body(fact, "a removal of a membership")?;
                    let names: Vec<String> = remove.removes.iter().map(ToString::to_string).collect();
                    cut(pieces, fact.valid_from, |piece| names.contains(&piece.row));
                    removed.extend(names);
                }
                Ok(())
            },
            |body| {
                let Some(it) = read::<Membership>(body) else { return Vec::new() };
                let member = lookup(view::BY_MEMBER, it.member.uuid().hyphenated());
                vec![member, lookup(view::BY_GROUP, it.group), lookup(view::BY_ID, it.id)]
            },
        )
    }
}
