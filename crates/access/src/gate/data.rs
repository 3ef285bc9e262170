//! Governed data: no Deny, the role side, a live grant (authorisation.md section 2).

use policy::{Request, narrow};
use std::sync::Arc;

use super::{Ask, Ownership, Scene, Side, Subject, Verdict, context, documents, membership, refused, statement};
use crate::action::{Class, Need};
use crate::facts::{DatasetKind, Level};
use crate::index::{GrantRow, LocationState, World};
use crate::permit::{DenyReason, Reason};

/// One object, or an attribute of a bucket.
pub(super) fn decide(
    world: &World,
    scene: &Scene<'_>,
    ask: &Ask<'_>,
    subject: &Subject<'_>,
    mut verdict: Verdict,
) -> Verdict {
    let Some((bucket, key)) = ask.resource.place() else { return verdict.no(DenyReason::NoDataset) };
    let Some((state, prefix)) = find(world, ask.need, bucket, key, subject) else {
        return nowhere(world, scene, ask, subject, verdict);
    };
    if ask.need == Need::Retention && state.location.kind != DatasetKind::Workspace {
        return verdict.no(DenyReason::Retention);
    }
    verdict.location = Some(Arc::clone(&state.location));
    verdict.obligations.audit = state.location.audit;
    let ownership = subject.ownership(world, &state.location);
    match granted(world, scene, ask, subject, state, ownership, key, prefix) {
        Ok(reasons) => verdict.reasons.extend(reasons),
        Err(reason) => {
            // The context is recorded with denials too, so that they can be replayed.
            let ruling = ruling(ask, Some(state));
            verdict.documents = documents(scene, subject, ruling);
            let side = Side::of(scene, subject, ruling);
            verdict.context = Some(context::build(world, scene, ask, subject, Some(state), ownership, &side));
            return verdict.no(reason);
        }
    }
    role_side(world, scene, ask, subject, Some(state), ownership, verdict)
}

/// The place belongs to nobody. That is said only to a caller whose role allows the action at all.
fn nowhere(world: &World, scene: &Scene<'_>, ask: &Ask<'_>, subject: &Subject<'_>, verdict: Verdict) -> Verdict {
    let verdict = role_side(world, scene, ask, subject, None, Ownership::default(), verdict);
    if verdict.allowed() { verdict.no(DenyReason::NoDataset) } else { verdict }
}

/// The dataset of the key; for a bucket's own attributes the one at its root, else the first that the caller has a part in.
fn find<'w>(
    world: &'w World,
    need: Need,
    bucket: &str,
    key: &str,
    subject: &Subject<'_>,
) -> Option<(&'w Arc<LocationState>, &'w str)> {
    let found = world.locate(bucket, key);
    if need != Need::Discover || found.is_some() {
        return found;
    }
    let mut any = None;
    for (prefix, dataset) in world.places(bucket) {
        let Some(state) = world.location(dataset) else { continue };
        let own = subject.ownership(world, &state.location);
        let mut part = own.owner.or(own.steward).is_some();
        world.candidates(dataset, &subject.groups, |_| part = true);
        if part {
            return Some((state, prefix));
        }
        any = any.or(Some((state, prefix)));
    }
    any
}

/// The dataset whose policy is asked: none for the questions about that policy itself, which an owner could else shut for good.
fn ruling<'a>(ask: &Ask<'_>, state: Option<&'a LocationState>) -> Option<&'a LocationState> {
    state.filter(|_| ask.need != Need::Policy)
}

/// Steps 1, 2: every Deny, and role ∩ boundary ∩ session ∩ guardrails.
fn role_side(
    world: &World,
    scene: &Scene<'_>,
    ask: &Ask<'_>,
    subject: &Subject<'_>,
    state: Option<&LocationState>,
    ownership: Ownership,
    mut verdict: Verdict,
) -> Verdict {
    let ruling = ruling(ask, state);
    let side = Side::of(scene, subject, ruling);
    let context = context::build(world, scene, ask, subject, state, ownership, &side);
    verdict.documents = documents(scene, subject, ruling);
    if let Some(what) = ruling.and_then(|state| state.fault) {
        verdict.context = Some(context);
        return verdict.no(DenyReason::Evaluation { what });
    }
    let resource = ask.resource.arn(scene.region, scene.account);
    let account = state.map_or(subject.role.role.account, |state| state.location.account).to_string();
    let request = Request::new(subject.principal(), ask.action, resource, account, context);
    let side = narrow(&side.inputs(), &request);
    verdict.context = Some(request.context);
    match refused(&side, subject, &verdict.documents) {
        Some(reason) => verdict.no(reason),
        None => {
            let allowed = side.allowed_by.iter().filter_map(|at| statement(at, subject, &verdict.documents));
            let allowed: Vec<Reason> = allowed.map(Reason::Statement).collect();
            verdict.reasons.extend(allowed);
            verdict
        }
    }
}

/// Step 3: the live grant, or the ownership that a bucket's attributes ask for.
#[expect(clippy::too_many_arguments, reason = "one step of the formula reads all of its inputs")]
fn granted(
    world: &World,
    scene: &Scene<'_>,
    ask: &Ask<'_>,
    subject: &Subject<'_>,
    state: &LocationState,
    ownership: Ownership,
    key: &str,
    prefix: &str,
) -> Result<Vec<Reason>, DenyReason> {
    let dataset = state.location.dataset;
    let owned = |group| vec![membership(subject, group), Reason::Owner { dataset, group }];
    if matches!(ask.need, Need::Owner | Need::Policy) {
        let group = if ask.class == Class::Change { ownership.owner } else { ownership.owner.or(ownership.steward) };
        return group.map(owned).ok_or(DenyReason::NotOwner { dataset });
    }
    if ask.need == Need::Discover
        && let Some(group) = ownership.owner.or(ownership.steward)
    {
        return Ok(owned(group));
    }
    let mut best = Best::default();
    let now = scene.now.as_microsecond();
    let inside = key.get(prefix.len()..).unwrap_or_default();
    world.candidates(dataset, &subject.groups, |row| best.see(row, judge(world, ask.need, row, now, inside)));
    match best.into_result(dataset) {
        Ok(row) => {
            let group = world.group(row.group).ok_or(DenyReason::NoGrant { dataset })?;
            Ok(vec![membership(subject, group), Reason::Grant { grant: row.id, group, dataset }])
        }
        Err(reason) => Err(reason),
    }
}

/// How near a grant comes; the order is that of the explanation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Scope,
    Level,
    Tables,
    NotBegun,
    Expired,
    Fits,
}

fn judge(world: &World, need: Need, row: &GrantRow, now: i64, inside: &str) -> Fit {
    let Some(scope) = world.scope(row.scope) else { return Fit::Scope };
    let covers = scope.prefixes.is_empty() || scope.prefixes.iter().any(|prefix| inside.starts_with(prefix.as_str()));
    if need != Need::Discover && !covers {
        return Fit::Scope;
    }
    let level = match need {
        Need::Write | Need::Retention => Level::Write,
        Need::Discover => Level::Discover,
        _ => Level::Read,
    };
    if row.level < level {
        return Fit::Level;
    }
    if need != Need::Discover && scope.needs_tables() {
        return Fit::Tables;
    }
    if now < row.start {
        return Fit::NotBegun;
    }
    if row.expiry <= now {
        return Fit::Expired;
    }
    Fit::Fits
}

/// The nearest grant so far.
#[derive(Default)]
struct Best<'w>(Option<(Fit, &'w GrantRow)>);

impl<'w> Best<'w> {
    fn see(&mut self, row: &'w GrantRow, fit: Fit) {
        if self.0.is_none_or(|(best, _)| best < fit) {
            self.0 = Some((fit, row));
        }
    }

    fn into_result(self, dataset: base::DatasetId) -> Result<&'w GrantRow, DenyReason> {
        let at = |micros| base::Timestamp::from_microsecond(micros).unwrap_or(base::Timestamp::MIN);
        let Some((fit, row)) = self.0 else { return Err(DenyReason::NoGrant { dataset }) };
        let grant = row.id;
        Err(match fit {
            Fit::Fits => return Ok(row),
            Fit::Scope => DenyReason::OutOfScope { grant },
            Fit::Level => DenyReason::LevelTooLow { grant },
            Fit::Tables => DenyReason::Undischargeable { grant },
            Fit::NotBegun => DenyReason::GrantNotBegun { grant, start: at(row.start) },
            Fit::Expired => DenyReason::GrantExpired { grant, expiry: at(row.expiry) },
        })
    }
}

/// LIST: the areas of the bucket that are readable under the asked prefix; none is a deny.
pub(super) fn list(
    world: &World,
    scene: &Scene<'_>,
    ask: &Ask<'_>,
    subject: &Subject<'_>,
    mut verdict: Verdict,
) -> Verdict {
    let Some((bucket, _)) = ask.resource.place() else { return verdict.no(DenyReason::NoDataset) };
    let prefix = scene.op.keys.prefix.as_deref().unwrap_or_default();
    let mut nearest = None;
    let mut last_dataset = None;
    let mut open: Vec<(String, base::DatasetId)> = Vec::new();
    for (place, dataset) in world.places_meeting(bucket, prefix) {
        let Some(state) = world.location(dataset) else { continue };
        let areas = readable(world, scene, subject, state, (bucket, place), prefix);
        if areas.is_empty() {
            nearest = nearest.or(Some(Arc::clone(state)));
            continue;
        }
        let ownership = subject.ownership(world, &state.location);
        let one = role_side(world, scene, ask, subject, Some(state), ownership, Verdict::default());
        if let Some(reason) = one.deny {
            // A Deny of one dataset hides that dataset; the role's own silence will meet every dataset.
            verdict.deny.get_or_insert(reason);
            verdict.documents = one.documents;
            read_too(&mut verdict, one.context);
            continue;
        }
        open.extend(areas.iter().map(|(area, _)| (area.clone(), dataset)));
        if last_dataset.replace(dataset) != Some(dataset)
            && let Some((_, row)) = areas.first()
            && let Some(group) = world.group(row.group)
        {
            verdict.reasons.extend([membership(subject, group), Reason::Grant { grant: row.id, group, dataset }]);
        }
        verdict.documents = one.documents;
        read_too(&mut verdict, one.context);
        verdict.location.get_or_insert_with(|| Arc::clone(&state.location));
        for reason in one.reasons {
            if !verdict.reasons.contains(&reason) {
                verdict.reasons.push(reason);
            }
        }
    }
    if !open.is_empty() {
        verdict.deny = None;
        verdict.visible = with_holes(world, (bucket, prefix), open);
        return verdict;
    }
    if verdict.deny.is_some() {
        return verdict;
    }
    let any = || world.places(bucket).find_map(|(_, dataset)| world.location(dataset)).map(Arc::clone);
    if let Some(state) = nearest.or_else(any) {
        verdict.documents = documents(scene, subject, Some(&state));
        let side = Side::of(scene, subject, Some(&state));
        verdict.context = Some(context::build(world, scene, ask, subject, Some(&state), Ownership::default(), &side));
        return verdict.no(DenyReason::NothingVisible);
    }
    nowhere(world, scene, ask, subject, verdict)
}

/// Adds what the documents of one dataset read to the context of a listing.
fn read_too(verdict: &mut Verdict, context: Option<policy::Context>) {
    if let Some(context) = context {
        verdict.context.get_or_insert_default().extend(context);
    }
}

/// The areas of one place that live grants of level `read` open, as far as they meet `prefix`.
fn readable<'w>(
    world: &'w World,
    scene: &Scene<'_>,
    subject: &Subject<'_>,
    state: &LocationState,
    place: (&str, &str),
    prefix: &str,
) -> Vec<(String, &'w GrantRow)> {
    let (bucket, place) = place;
    let meets = |area: &str| area.starts_with(prefix) || prefix.starts_with(area);
    let now = scene.now.as_microsecond();
    let mut areas = Vec::new();
    let dataset = state.location.dataset;
    world.candidates(state.location.dataset, &subject.groups, |row| {
        let Some(scope) = world.scope(row.scope) else { return };
        let live = row.start <= now && now < row.expiry && row.level >= Level::Read && !scope.needs_tables();
        if !live {
            return;
        }
        if scope.prefixes.is_empty() {
            areas.push((place.to_owned(), row));
        }
        let scoped = scope.prefixes.iter().map(|inside| format!("{place}{inside}")).filter(|area| meets(area));
        areas.extend(scoped.map(|area| (area, row)));
    });
    // What lies in a place of another dataset is that one's: a scope that reaches into it opens nothing there, nor does a
    // scope around it for a listing of what is inside.
    let own = |at: &str| world.locate(bucket, at).is_some_and(|(at, _)| at.location.dataset == dataset);
    areas.retain(|(area, _)| own(if prefix.starts_with(area.as_str()) { prefix } else { area }));
    areas
}

/// The areas without the places of other datasets that lie inside them, as far as they meet `prefix`.
fn with_holes(world: &World, (bucket, prefix): (&str, &str), open: Vec<(String, base::DatasetId)>) -> crate::Visible {
    let inside = |place: &str, dataset: base::DatasetId| {
        open.iter().any(|(area, of)| *of != dataset && place.starts_with(area.as_str()))
    };
    let holes = world.places_meeting(bucket, prefix).filter(|(place, dataset)| inside(place, *dataset));
    let holes = holes.map(|(place, _)| place.to_owned()).collect();
    crate::Visible::with_holes(open.into_iter().map(|(area, _)| area).collect(), holes)
}
