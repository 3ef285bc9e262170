//! What being in a group gives: the data that it opens or owns, and whether it runs the installation.
//!
//! It must not decide what follows from that. It is asked at changes of people and groups, not at accesses, so it walks.

use base::{GroupId, Timestamp};
use std::sync::Arc;

use super::{LocationState, RoleState, World};
use crate::documents;
use crate::facts::Duty;

/// Managed policies that change nothing, or only what the member's own groups own.
const HARMLESS: &[&str] = &[documents::MEMBER, documents::DATA_OWNER, documents::AUDITOR];

/// What a group reaches.
pub(crate) struct Reach<'w> {
    /// Datasets that it owns, looks after, or has a grant of that is not over.
    pub(crate) datasets: Vec<&'w LocationState>,
    /// Whether it entitles to a management role that changes people, groups or roles.
    pub(crate) manages: bool,
}

impl Reach<'_> {
    pub(crate) fn is_nothing(&self) -> bool {
        self.datasets.is_empty() && !self.manages
    }
}

impl World {
    /// What the members of `group` reach by it. A grant that begins later counts: who is in the group then has it.
    pub(crate) fn reach(&self, group: GroupId, now: Timestamp) -> Reach<'_> {
        // A group without a member, a grant or a role has no number yet, and may own data all the same.
        let number = self.group_number(group);
        let now = now.as_microsecond();
        let granted = |state: &LocationState| {
            let Some(number) = number else { return false };
            let rows = self.grants(state.location.dataset);
            let from = rows.partition_point(|row| row.group < number);
            rows.iter().skip(from).take_while(|row| row.group == number).any(|row| now < row.expiry)
        };
        let reached = |state: &&LocationState| {
            state.location.owner == group || state.location.stewards.contains(&group) || granted(state)
        };
        let datasets = self.locations().map(|state| &**state).filter(reached).collect();
        let entitles =
            |state: &&Arc<RoleState>| self.entitlements(state.role.id).iter().any(|row| Some(row.group) == number);
        Reach { datasets, manages: self.roles().filter(entitles).any(|state| manages(state)) }
    }
}

fn manages(state: &RoleState) -> bool {
    let role = &state.role;
    let harmless = role.policies.iter().all(|policy| HARMLESS.contains(&policy.name.as_str()));
    role.management && (role.duty == Some(Duty::Administrator) || !harmless)
}
