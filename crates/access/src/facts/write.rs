//! Writing facts: each helper checks its invariants inside the caller's transaction and adds one fact.
//!
//! A pillar calls these in the same transaction as its own facts. They must not ask who may: the caller holds a permit.

use base::{
    ClientId, DatasetId, EntitlementId, GrantId, GroupId, MembershipId, PersonId, RoleId, ServiceId, Timestamp,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::{Fact, NewFact, ReadTxn, ViewedRow, WriteTxn};
use uuid::Uuid;

use super::types::{
    Approver, Client, DatasetKind, DatasetLocation, Entitlement, Grant, GrantEnded, Guardrail, Membership,
    MembershipRemoved, Place, Role, Service,
};
use super::{Remains, edge, keep_administrator, kind, view};
use crate::Error;
use crate::resource::Member;

/// Longest grant: recertification is once a year at the latest (gxp.md IAM-04).
pub const GRANT_DAYS_MAX: i64 = 366;
/// Longest purpose of a grant: one or two sentences.
pub const PURPOSE_CHARS_MAX: usize = 500;
/// Most scope prefixes of one grant: each is compared at each access.
pub const SCOPE_PREFIXES_MAX: usize = 64;
/// Most places of one dataset.
pub const PLACES_MAX: usize = 64;
/// Most steward groups of one dataset.
pub const STEWARDS_MAX: usize = 32;
/// Most policies of one role (AWS: 10 managed policies by default, 20 on request).
pub const ROLE_POLICIES_MAX: usize = 20;

/// Whether a place holds objects now, as its pillar knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occupied {
    /// No object lies under it.
    No,
    /// Some object does.
    Yes,
}

fn add(
    txn: &mut WriteTxn<'_>,
    kind: &'static str,
    subject: Uuid,
    body: &impl Serialize,
    reason: Option<&str>,
    valid: (Timestamp, Option<Timestamp>),
) -> Result<Fact, Error> {
    let body = serde_json::to_value(body)
        .map_err(|_| Error::Value { what: "a fact", expected: "values that JSON can carry" })?;
    let reason = reason.map(str::to_owned);
    Ok(txn.fact_add(NewFact { kind, subject, body, reason, valid_from: valid.0, valid_to: valid.1 })?)
}

fn one<T: DeserializeOwned>(rows: Vec<ViewedRow>, what: &'static str) -> Result<Option<T>, Error> {
    let parse = |row: ViewedRow| serde_json::from_value(row.body).map_err(|_| store::Error::Corrupt { what });
    Ok(rows.into_iter().next().map(parse).transpose()?)
}

pub(super) fn many<T: DeserializeOwned>(rows: Vec<ViewedRow>, what: &'static str) -> Result<Vec<T>, Error> {
    let parse = |row: ViewedRow| serde_json::from_value(row.body).map_err(|_| store::Error::Corrupt { what });
    Ok(rows.into_iter().map(parse).collect::<Result<_, _>>()?)
}

/// The live memberships of the edge between `member` and `group`.
///
/// # Errors
/// Those of the store.
pub fn memberships(txn: &ReadTxn<'_>, member: Member, group: GroupId) -> Result<Vec<Membership>, Error> {
    many(txn.view_current(view::MEMBERSHIP, &edge(member.uuid(), group))?, "membership")
}

/// The live groups of a member, sorted.
///
/// # Errors
/// Those of the store.
pub fn groups(txn: &ReadTxn<'_>, member: Member) -> Result<Vec<GroupId>, Error> {
    let rows = txn.view_lookup(view::MEMBERSHIP, view::BY_MEMBER, &member.uuid().hyphenated().to_string())?;
    let mut groups: Vec<GroupId> = many::<Membership>(rows, "membership")?.into_iter().map(|it| it.group).collect();
    groups.sort_unstable();
    groups.dedup();
    Ok(groups)
}

/// The live members of a group, each once.
///
/// # Errors
/// Those of the store.
pub fn members(txn: &ReadTxn<'_>, group: GroupId) -> Result<Vec<Membership>, Error> {
    many(txn.view_lookup(view::MEMBERSHIP, view::BY_GROUP, &group.to_string())?, "membership")
}

/// Puts a member into a group. `id` names this add, so that a removal can.
///
/// # Errors
/// [`Error::AlreadyMember`].
pub fn add_membership(
    txn: &mut WriteTxn<'_>,
    id: MembershipId,
    member: Member,
    group: GroupId,
    reason: Option<&str>,
) -> Result<Fact, Error> {
    if !memberships(txn, member, group)?.is_empty() {
        return Err(Error::AlreadyMember);
    }
    let now = txn.now();
    add(txn, kind::MEMBERSHIP_ADDED, id.uuid(), &Membership { id, member, group }, reason, (now, None))
}

/// Takes a member out of a group: every add that is seen now is taken back.
///
/// # Errors
/// [`Error::NotMember`]; [`Error::LastAdministrator`].
pub fn end_membership(
    txn: &mut WriteTxn<'_>,
    member: Member,
    group: GroupId,
    remains: Remains,
    reason: Option<&str>,
) -> Result<Fact, Error> {
    let removes: Vec<MembershipId> = memberships(txn, member, group)?.into_iter().map(|it| it.id).collect();
    let Some(first) = removes.first() else { return Err(Error::NotMember) };
    keep_administrator(txn, member, group, remains)?;
    let subject = first.uuid();
    let now = txn.now();
    let body = MembershipRemoved { member, group, removes };
    add(txn, kind::MEMBERSHIP_REMOVED, subject, &body, reason, (now, None))
}

/// A live dataset location.
///
/// # Errors
/// Those of the store.
pub fn location(txn: &ReadTxn<'_>, dataset: DatasetId) -> Result<Option<DatasetLocation>, Error> {
    one(txn.view_current(view::LOCATION, &dataset.to_string())?, "location")
}

/// A grant that is not over; `None` for one that has not begun, too.
///
/// # Errors
/// Those of the store.
pub fn grant(txn: &ReadTxn<'_>, grant: GrantId) -> Result<Option<Grant>, Error> {
    one(txn.view_current(view::GRANT, &grant.to_string())?, "grant")
}

/// The live grants of a dataset.
///
/// # Errors
/// Those of the store.
pub fn grants_of(txn: &ReadTxn<'_>, dataset: DatasetId) -> Result<Vec<Grant>, Error> {
    many(txn.view_lookup(view::GRANT, view::BY_DATASET, &dataset.to_string())?, "grant")
}

/// Grants a dataset to a group. The type has no place for a person: no user-based grant can be written.
///
/// # Errors
/// What breaks an invariant: span, purpose, scope, an approver who neither owns the dataset nor looks after it.
pub fn add_grant(txn: &mut WriteTxn<'_>, grant: &Grant, reason: Option<&str>) -> Result<Fact, Error> {
    check_grant(grant, txn.now())?;
    let location = location(txn, grant.dataset)?.ok_or(Error::NoDataset { dataset: grant.dataset })?;
    match grant.approver {
        Approver::Person(person) => check_approver(txn, &location, person)?,
        Approver::AccountPolicy(account) => {
            if location.kind == DatasetKind::Dataset || location.account != account {
                return Err(Error::NotWorkspace { dataset: grant.dataset });
            }
        }
    }
    let valid = (grant.start, Some(grant.expiry));
    add(txn, kind::GRANT_CREATED, grant.id.uuid(), grant, reason, valid)
}

fn check_grant(grant: &Grant, now: Timestamp) -> Result<(), Error> {
    let span = grant.expiry.as_second() - grant.start.as_second().min(now.as_second());
    if grant.expiry <= grant.start || grant.expiry <= now || span > GRANT_DAYS_MAX * 86_400 {
        return Err(Error::GrantSpan);
    }
    let purpose = grant.purpose.trim().chars().count();
    if purpose == 0 || purpose > PURPOSE_CHARS_MAX {
        return Err(Error::GrantPurpose);
    }
    if grant.scope.prefixes.len() > SCOPE_PREFIXES_MAX {
        return Err(Error::Value { what: "a scope", expected: "at most 64 prefixes" });
    }
    let bad = grant.scope.prefixes.iter().find(|prefix| prefix.is_empty() || !is_prefix(prefix));
    bad.map_or(Ok(()), |prefix| Err(Error::ScopePrefix { prefix: prefix.chars().take(80).collect() }))
}

/// Whoever approves is in the owner group or in a steward group now; to be an administrator is not enough (IAM-02).
fn check_approver(txn: &ReadTxn<'_>, location: &DatasetLocation, person: PersonId) -> Result<(), Error> {
    let groups = groups(txn, Member::Person(person))?;
    let may = |group: &GroupId| *group == location.owner || location.stewards.contains(group);
    if groups.iter().any(may) { Ok(()) } else { Err(Error::NotOwner { dataset: location.dataset }) }
}

/// Ends a grant now.
///
/// # Errors
/// [`Error::NoGrant`] for one that does not exist or is over. A grant that has not begun can be ended too.
pub fn end_grant(txn: &mut WriteTxn<'_>, id: GrantId, reason: Option<&str>) -> Result<Fact, Error> {
    let rows = txn.view_history(view::GRANT, &id.to_string())?;
    let now = txn.now();
    let live = |row: &ViewedRow| row.known.to.is_none() && row.valid.to.is_none_or(|to| now < to);
    let grant: Grant = one(rows.into_iter().filter(live).collect(), "grant")?.ok_or(Error::NoGrant { grant: id })?;
    let body = GrantEnded { id, dataset: grant.dataset, group: grant.group };
    add(txn, kind::GRANT_ENDED, id.uuid(), &body, reason, (now, None))
}

/// Empty, or ending in `/`, without empty, `.` or `..` parts and without control characters.
fn is_prefix(prefix: &str) -> bool {
    let Some(inner) = prefix.strip_suffix('/') else { return prefix.is_empty() };
    prefix.len() <= 1024
        && !prefix.chars().any(char::is_control)
        && inner.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

fn check_place(place: &Place) -> Result<(), Error> {
    if (3..=63).contains(&place.bucket.len()) && is_prefix(&place.prefix) {
        return Ok(());
    }
    let shown = |text: &str| text.chars().take(80).collect();
    Err(Error::Place { bucket: shown(&place.bucket), prefix: shown(&place.prefix) })
}

/// The live locations with a place in `bucket`.
///
/// # Errors
/// Those of the store.
pub fn locations_in(txn: &ReadTxn<'_>, bucket: &str) -> Result<Vec<DatasetLocation>, Error> {
    many(txn.view_lookup(view::LOCATION, view::BY_BUCKET, bucket)?, "location")
}

/// Sets a dataset's location: a new one, or a new state of one that lives.
///
/// `occupied` says for each new place whether objects lie under it: registering such a prefix would take them from
/// another dataset or from nobody, and is refused.
///
/// # Errors
/// What breaks an invariant of places, owner or stewards.
pub fn put_location(
    txn: &mut WriteTxn<'_>,
    location: &DatasetLocation,
    occupied: impl FnMut(&ReadTxn<'_>, &Place) -> Result<Occupied, Error>,
    reason: Option<&str>,
) -> Result<Fact, Error> {
    check_location(txn, location, occupied)?;
    let now = txn.now();
    add(txn, kind::LOCATION_PUT, location.dataset.uuid(), location, reason, (now, None))
}

/// Whether a location may be put, so that what costs something (a key of its own) is made only for one that may.
///
/// # Errors
/// As [`put_location`].
pub fn check_location(
    txn: &ReadTxn<'_>,
    location: &DatasetLocation,
    mut occupied: impl FnMut(&ReadTxn<'_>, &Place) -> Result<Occupied, Error>,
) -> Result<(), Error> {
    if location.places.is_empty() || location.places.len() > PLACES_MAX {
        return Err(Error::Value { what: "a dataset's places", expected: "1 to 64 places" });
    }
    if location.stewards.len() > STEWARDS_MAX {
        return Err(Error::Value { what: "a dataset's stewards", expected: "at most 32 groups" });
    }
    let before = self::location(txn, location.dataset)?;
    let had = |place: &Place| before.as_ref().is_some_and(|before| before.places.contains(place));
    for place in &location.places {
        check_place(place)?;
        for other in locations_in(txn, &place.bucket)?.iter().filter(|other| other.dataset != location.dataset) {
            if other.account != location.account {
                return Err(Error::ForeignBucket { bucket: place.bucket.clone() });
            }
            if other.places.contains(place) {
                let Place { bucket, prefix } = place.clone();
                return Err(Error::PlaceTaken { bucket, prefix, dataset: other.dataset });
            }
        }
        if !had(place) && occupied(txn, place)? == Occupied::Yes {
            let Place { bucket, prefix } = place.clone();
            return Err(Error::PlaceOccupied { bucket, prefix });
        }
    }
    Ok(())
}

/// Ends a dataset's location: its keys belong to nobody.
///
/// # Errors
/// [`Error::NoDataset`].
pub fn end_location(txn: &mut WriteTxn<'_>, dataset: DatasetId, reason: Option<&str>) -> Result<Fact, Error> {
    location(txn, dataset)?.ok_or(Error::NoDataset { dataset })?;
    end(txn, kind::LOCATION_ENDED, dataset.uuid(), reason)
}

fn end(txn: &mut WriteTxn<'_>, kind: &'static str, subject: Uuid, reason: Option<&str>) -> Result<Fact, Error> {
    let now = txn.now();
    add(txn, kind, subject, &serde_json::json!({}), reason, (now, None))
}

/// A live role.
///
/// # Errors
/// Those of the store.
pub fn role(txn: &ReadTxn<'_>, role: RoleId) -> Result<Option<Role>, Error> {
    one(txn.view_current(view::ROLE, &role.to_string())?, "role")
}

fn check_role(txn: &ReadTxn<'_>, role: &Role) -> Result<(), Error> {
    let named = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
    if role.name.is_empty() || role.name.len() > 64 || !role.name.bytes().all(named) {
        return Err(Error::Value { what: "a role's name", expected: "1 to 64 letters, digits and _+=,.@-" });
    }
    if !(3600..=43_200).contains(&role.session_secs_max) {
        return Err(Error::Value { what: "a role's longest session", expected: "3,600 to 43,200 seconds" });
    }
    if role.policies.len() > ROLE_POLICIES_MAX {
        return Err(Error::Value { what: "a role's policies", expected: "at most 20 documents" });
    }
    for document in role.policies.iter().chain(&role.boundary) {
        if txn.document_get(document.digest)?.is_none() {
            return Err(Error::Missing { what: "policy document" });
        }
    }
    let same = many::<Role>(txn.view_lookup(view::ROLE, view::BY_NAME, &role.arn())?, "role")?;
    if same.iter().any(|other| other.id != role.id) {
        return Err(Error::Taken { what: "role", name: role.name.clone() });
    }
    Ok(())
}

/// Makes a role, or sets a new state of one that lives. Its documents are stored first ([`crate::documents::put`]).
///
/// # Errors
/// What breaks an invariant; [`Error::Taken`] for a name that another live role has.
pub fn put_role(txn: &mut WriteTxn<'_>, role: &Role, reason: Option<&str>) -> Result<Fact, Error> {
    check_role(txn, role)?;
    let kind = if self::role(txn, role.id)?.is_some() { kind::ROLE_CHANGED } else { kind::ROLE_CREATED };
    let now = txn.now();
    add(txn, kind, role.id.uuid(), role, reason, (now, None))
}

/// Ends a role.
///
/// # Errors
/// [`Error::NoRole`].
pub fn end_role(txn: &mut WriteTxn<'_>, id: RoleId, reason: Option<&str>) -> Result<Fact, Error> {
    role(txn, id)?.ok_or(Error::NoRole { role: id })?;
    end(txn, kind::ROLE_ENDED, id.uuid(), reason)
}

/// The live entitlements of a role.
///
/// # Errors
/// Those of the store.
pub fn entitlements_of(txn: &ReadTxn<'_>, role: RoleId) -> Result<Vec<Entitlement>, Error> {
    many(txn.view_lookup(view::ENTITLEMENT, view::BY_ROLE, &role.to_string())?, "entitlement")
}

/// Entitles a group to a role.
///
/// # Errors
/// [`Error::NoRole`]; [`Error::Missing`] for a client that does not live; [`Error::Taken`] when it exists already.
pub fn add_entitlement(txn: &mut WriteTxn<'_>, it: &Entitlement, reason: Option<&str>) -> Result<Fact, Error> {
    role(txn, it.role)?.ok_or(Error::NoRole { role: it.role })?;
    if let Some(id) = it.client {
        client(txn, id)?.ok_or(Error::Missing { what: "client" })?;
    }
    let same = |other: &Entitlement| other.group == it.group && other.client == it.client;
    if entitlements_of(txn, it.role)?.iter().any(same) {
        return Err(Error::Taken { what: "entitlement of group", name: it.group.to_string() });
    }
    let now = txn.now();
    add(txn, kind::ENTITLEMENT_CREATED, it.id.uuid(), it, reason, (now, None))
}

/// Ends an entitlement.
///
/// # Errors
/// [`Error::Missing`].
pub fn end_entitlement(txn: &mut WriteTxn<'_>, id: EntitlementId, reason: Option<&str>) -> Result<Fact, Error> {
    let rows = txn.view_current(view::ENTITLEMENT, &id.to_string())?;
    let it: Entitlement = one(rows, "entitlement")?.ok_or(Error::Missing { what: "entitlement" })?;
    let now = txn.now();
    add(txn, kind::ENTITLEMENT_ENDED, id.uuid(), &it, reason, (now, None))
}

/// Sets the guardrails of an account; no levels lifts them.
///
/// # Errors
/// [`Error::Missing`] for a document that is not stored; [`Error::Value`] for more than 5 documents at a level.
pub fn put_guardrail(txn: &mut WriteTxn<'_>, guardrail: &Guardrail, reason: Option<&str>) -> Result<Fact, Error> {
    for document in guardrail.levels.iter().flatten() {
        if txn.document_get(document.digest)?.is_none() {
            return Err(Error::Missing { what: "policy document" });
        }
    }
    if guardrail.levels.len() > 8 || guardrail.levels.iter().any(|level| level.is_empty() || level.len() > 5) {
        return Err(Error::Value { what: "a guardrail", expected: "at most 8 levels of 1 to 5 documents" });
    }
    // An account has no UUID of its own: its number is one.
    let number: u64 = guardrail.account.to_string().parse().unwrap_or_default();
    let now = txn.now();
    add(txn, kind::GUARDRAIL_PUT, Uuid::from_u128(u128::from(number)), guardrail, reason, (now, None))
}

/// A live OIDC client.
///
/// # Errors
/// Those of the store.
pub fn client(txn: &ReadTxn<'_>, client: ClientId) -> Result<Option<Client>, Error> {
    one(txn.view_current(view::CLIENT, &client.to_string())?, "client")
}

/// Makes an OIDC client a trust anchor, or sets a new state of it.
///
/// # Errors
/// [`Error::Taken`] for an audience that another live client has.
pub fn put_client(txn: &mut WriteTxn<'_>, client: &Client, reason: Option<&str>) -> Result<Fact, Error> {
    let printable = |text: &str, max: usize| {
        !text.is_empty() && text.len() <= max && !text.chars().any(|c| c.is_control() || c.is_whitespace())
    };
    if !printable(&client.audience, 255) || !printable(&client.provider, 255) {
        return Err(Error::Value {
            what: "a client's audience or provider",
            expected: "1 to 255 printable characters",
        });
    }
    let same = many::<Client>(txn.view_lookup(view::CLIENT, view::BY_NAME, &client.audience)?, "client")?;
    if same.iter().any(|other| other.id != client.id) {
        return Err(Error::Taken { what: "client of audience", name: client.audience.clone() });
    }
    let now = txn.now();
    add(txn, kind::CLIENT_PUT, client.id.uuid(), client, reason, (now, None))
}

/// Ends an OIDC client: nothing trusts it, and sessions that began with it are refused.
///
/// # Errors
/// [`Error::Missing`].
pub fn end_client(txn: &mut WriteTxn<'_>, id: ClientId, reason: Option<&str>) -> Result<Fact, Error> {
    client(txn, id)?.ok_or(Error::Missing { what: "client" })?;
    end(txn, kind::CLIENT_ENDED, id.uuid(), reason)
}

/// A live service.
///
/// # Errors
/// Those of the store.
pub fn service(txn: &ReadTxn<'_>, service: ServiceId) -> Result<Option<Service>, Error> {
    one(txn.view_current(view::SERVICE, &service.to_string())?, "service")
}

/// Registers a service with the person who answers for it, or sets a new state of it.
///
/// # Errors
/// [`Error::Taken`] for a name that another live service has.
pub fn put_service(txn: &mut WriteTxn<'_>, service: &Service, reason: Option<&str>) -> Result<Fact, Error> {
    if service.name.is_empty() || service.name.len() > 64 {
        return Err(Error::Value { what: "a service's name", expected: "1 to 64 characters" });
    }
    let same = many::<Service>(txn.view_lookup(view::SERVICE, view::BY_NAME, &service.name)?, "service")?;
    if same.iter().any(|other| other.id != service.id) {
        return Err(Error::Taken { what: "service", name: service.name.clone() });
    }
    let now = txn.now();
    add(txn, kind::SERVICE_PUT, service.id.uuid(), service, reason, (now, None))
}

/// Ends a service: its sessions are refused.
///
/// # Errors
/// [`Error::Missing`].
pub fn end_service(txn: &mut WriteTxn<'_>, id: ServiceId, reason: Option<&str>) -> Result<Fact, Error> {
    service(txn, id)?.ok_or(Error::Missing { what: "service" })?;
    end(txn, kind::SERVICE_ENDED, id.uuid(), reason)
}
