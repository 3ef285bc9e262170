//! What somebody reads who is refused for the sake of a grant, with names and whom to ask.

use super::*;
use crate::{Granted, Name};
use async_trait::async_trait;
use base::{GroupId, Timestamp};
use uuid::Uuid;

const ID: &str = "00000000-0000-7000-8000-000000000001";

fn uuid() -> Uuid {
    Uuid::try_parse(ID).unwrap()
}

/// Knows a dataset, its owner and a grant of it; without `grants` it knows no grant.
struct Book {
    grants: bool,
}

#[async_trait]
impl Names for Book {
    async fn group(&self, _: GroupId) -> Name {
        Name::Known("readers".into())
    }
    async fn role(&self, _: RoleId) -> Name {
        Name::Known("analyst".into())
    }
    async fn dataset(&self, _: DatasetId) -> Name {
        Name::Known("trial-17".into())
    }
    async fn domain_of(&self, _: DatasetId) -> Option<Named> {
        Some(Named::new("domain", Name::Known("oncology".into())))
    }
    async fn owner_of(&self, _: DatasetId) -> Option<Named> {
        Some(Named::new("owner", Name::Known("owners".into())))
    }
    async fn grant(&self, _: GrantId) -> Option<Granted> {
        let (dataset, group) = (DatasetId::from_uuid(uuid()), GroupId::from_uuid(uuid()));
        self.grants.then_some(Granted { dataset, group, level: "read" })
    }
}

#[tokio::test]
async fn a_refusal_names_the_data_and_whom_to_ask() {
    let (grant, dataset, role) = (GrantId::from_uuid(uuid()), DatasetId::from_uuid(uuid()), RoleId::from_uuid(uuid()));
    let at: Timestamp = "2026-03-01T08:00:00Z".parse().unwrap();
    let data = format!("dataset trial-17 in domain oncology ({ID})");
    let the_grant = format!("the read grant of {data} to group readers");
    for (reason, expected) in [
        (
            DenyReason::NoGrant { dataset },
            format!("no grant of {data} goes to a group of this session: ask group owners"),
        ),
        (DenyReason::NotOwner { dataset }, format!("only the owner or a steward of {data} may: ask group owners")),
        (DenyReason::OutOfScope { grant }, format!("{the_grant} does not cover this place: ask group owners")),
        (DenyReason::LevelTooLow { grant }, format!("{the_grant} does not go so far: ask group owners")),
        (DenyReason::GrantNotBegun { grant, start: at }, format!("{the_grant} begins only at 2026-03-01 08:00:00 UTC")),
        (
            DenyReason::GrantExpired { grant, expiry: at },
            format!("{the_grant} ended at 2026-03-01 08:00:00 UTC: ask group owners for another"),
        ),
        (
            DenyReason::Undischargeable { grant },
            format!("{the_grant} is for filtered rows or columns: read the table through SQL"),
        ),
        (DenyReason::RoleSilent { role }, format!("the policies of role analyst ({ID}) do not allow it")),
    ] {
        assert_eq!(told(&Book { grants: true }, &reason).await, Some(expected), "{reason:?}");
    }
    let unknown = told(&Book { grants: false }, &DenyReason::OutOfScope { grant }).await;
    assert_eq!(unknown, None, "the gate's own sentence stands where the grant is not known");
}
