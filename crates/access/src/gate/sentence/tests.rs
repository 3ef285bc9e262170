//! What somebody reads who is refused for the sake of a grant.

use super::*;
use base::{DatasetId, GrantId, RoleId, Timestamp};
use uuid::Uuid;

const ID: &str = "00000000-0000-7000-8000-000000000001";

fn uuid() -> Uuid {
    Uuid::try_parse(ID).unwrap()
}

#[test]
fn a_refusal_says_what_is_missing_and_what_helps() {
    let (grant, dataset, role) = (GrantId::from_uuid(uuid()), DatasetId::from_uuid(uuid()), RoleId::from_uuid(uuid()));
    let at: Timestamp = "2026-03-01T08:00:00Z".parse().unwrap();
    for (reason, expected) in [
        (
            DenyReason::NoGrant { dataset },
            format!("no grant of dataset {ID} goes to a group of this session: ask its owner"),
        ),
        (DenyReason::OutOfScope { grant }, format!("grant {ID} does not cover this place")),
        (DenyReason::LevelTooLow { grant }, format!("grant {ID} does not go so far")),
        (DenyReason::GrantNotBegun { grant, start: at }, format!("grant {ID} begins at 2026-03-01T08:00:00Z")),
        (
            DenyReason::GrantExpired { grant, expiry: at },
            format!("grant {ID} ended at 2026-03-01T08:00:00Z: ask the owner to renew it"),
        ),
        (
            DenyReason::Undischargeable { grant },
            format!("grant {ID} is for filtered rows or columns: read the table through SQL"),
        ),
        (DenyReason::NothingVisible, "nothing under this prefix is readable".to_owned()),
        (DenyReason::NotOwner { dataset }, format!("only the owner or a steward of dataset {ID} may")),
        (DenyReason::RoleSilent { role }, format!("the policies of role {ID} do not allow it")),
        (
            DenyReason::AuthTooOld { age_secs: 901, max_secs: 900 },
            "the sign-in is 901 s old, and this needs one of at most 900 s: sign in again".to_owned(),
        ),
    ] {
        assert_eq!(sentence(&reason), expected, "{reason:?}");
    }
}
