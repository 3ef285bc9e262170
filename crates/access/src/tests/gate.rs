//! Allow, deny, and what takes an allow away.

use super::*;

pub(super) async fn reader() -> World {
    let world = World::new().await;
    for person in ["ann", "olga"] {
        world.born(person).await;
    }
    world.client("jupyter").await;
    world.join("olga", "owners").await;
    world.join("ann", "readers").await;
    world.role("analyst", &[documents::DATA_ACCESS], "readers", Some("jupyter"), Carry::All).await;
    world.place("trial", "clinical", "trial/", "owners").await;
    world
}

#[tokio::test]
async fn a_grant_opens_a_prefix_and_its_end_closes_it() {
    let world = reader().await;
    let op = world.op(world.session("ann", "analyst", Some("jupyter")));
    let object = || Object::new("clinical", "trial/dm.parquet");
    let denied = world.access.authorize(&op, s3::GetObject, object()).await.unwrap_err();
    assert_eq!(denied.reason, DenyReason::NoGrant { dataset: world.dataset("trial") });

    world.grant(world.grant_of("g", "trial", "readers", Level::Read, "olga")).await.unwrap();
    let permit = world.access.authorize(&op, s3::GetObject, object()).await.unwrap();
    assert_eq!(permit.dataset(), Some(world.dataset("trial")));
    let newest = world.access.store().read(|txn| txn.newest_seq()).await.unwrap();
    assert_eq!(permit.newest_fact(), Some(newest));
    assert!(permit.reasons().iter().any(|reason| matches!(reason, Reason::Grant { .. })), "{:?}", permit.reasons());
    let lease = permit.lease().unwrap();
    lease.check(world.now()).unwrap();

    let denied = world.access.authorize(&op, s3::PutObject, object()).await.unwrap_err();
    assert!(matches!(denied.reason, DenyReason::LevelTooLow { .. }), "{denied:?}");

    world.end_grant("g").await;
    assert_eq!(lease.check(world.now()), Err(Ended::Withdrawn));
    permit.finish(Outcome { status: 200, bytes: 5 });
    let denied = world.access.authorize(&op, s3::GetObject, object()).await.unwrap_err();
    assert_eq!(denied.reason, DenyReason::NoGrant { dataset: world.dataset("trial") });
}

#[tokio::test]
async fn listing_needs_something_readable() {
    let world = reader().await;
    let op = world.op(world.session("ann", "analyst", Some("jupyter")));
    let denied = world.access.authorize(&op, s3::ListBucket, Bucket::new("clinical")).await.unwrap_err();
    assert_eq!(denied.reason, DenyReason::NothingVisible);
    let mut grant = world.grant_of("g", "trial", "readers", Level::Read, "olga");
    grant.scope.prefixes = vec!["sdtm/".to_owned()];
    world.grant(grant).await.unwrap();
    let permit = world.access.authorize(&op, s3::ListBucket, Bucket::new("clinical")).await.unwrap();
    assert_eq!(permit.visible().ranges(), ["trial/sdtm/"]);
    assert_eq!(world.access.visible_buckets(&op), ["clinical"]);
}

#[tokio::test]
async fn a_nested_dataset_is_not_listed_through_the_one_around_it() {
    let world = reader().await;
    world.place("vault", "clinical", "trial/vault/", "owners").await;
    let mut grant = world.grant_of("g", "trial", "readers", Level::Read, "olga");
    grant.scope.prefixes = vec!["ae/".to_owned(), "vault/x/".to_owned()];
    world.grant(grant).await.unwrap();
    let op = world.op(world.session("ann", "analyst", Some("jupyter")));
    let visible = world.access.visible(&op, "clinical");
    assert_eq!(visible.ranges(), ["trial/ae/"], "a scope opens nothing in a place of another dataset");
    world.grant(world.grant_of("all", "trial", "readers", Level::Read, "olga")).await.unwrap();
    let visible = world.access.visible(&op, "clinical");
    assert!(visible.contains("trial/a") && !visible.contains("trial/vault/a"));
    assert_eq!(visible.skip("trial/vault/a"), Some(Jump::Past("trial/vault/".to_owned())));
}

#[tokio::test]
async fn a_listing_inside_a_nested_dataset_is_refused_and_not_empty() {
    let world = reader().await;
    world.place("vault", "clinical", "trial/vault/", "owners").await;
    world.grant(world.grant_of("all", "trial", "readers", Level::Read, "olga")).await.unwrap();
    let op = world.op(world.session("ann", "analyst", Some("jupyter")));
    for (prefix, allowed) in
        [("trial/", true), ("trial/vault", true), ("trial/vault/", false), ("trial/vault/x/", false)]
    {
        let keys = crate::RequestKeys { prefix: Some(prefix.to_owned()), ..crate::RequestKeys::default() };
        let op = OpContext { keys, ..op.clone() };
        let answer = world.access.authorize(&op, s3::ListBucket, Bucket::new("clinical")).await;
        assert_eq!(
            answer.err().map(|denied| denied.reason),
            (!allowed).then_some(DenyReason::NothingVisible),
            "{prefix}"
        );
    }
}

// verifies: IAM-02
#[tokio::test]
async fn a_tools_session_manages_nothing_whatever_its_policy_allows() {
    let world = reader().await;
    let all = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    world.role("developer", &[all], "readers", Some("jupyter"), Carry::All).await;
    let op = world.op(world.session("ann", "developer", Some("jupyter")));
    let denied = world.access.authorize(&op, api::CreateGroup, Installation).await.unwrap_err();
    assert_eq!(denied.reason, DenyReason::NotManagement { role: world.role_id("developer") });
    let edge = MembershipEdge { member: Member::Person(world.person("olga")), group: world.group("readers") };
    let denied = world.access.authorize(&op, api::AddMember, edge).await.unwrap_err();
    assert_eq!(denied.reason, DenyReason::NotManagement { role: world.role_id("developer") });
}

// verifies: IAM-02
#[tokio::test]
async fn an_administrator_does_not_become_owner_by_changing_the_dataset() {
    let world = reader().await;
    world.born("adam").await;
    world.join("adam", "admins").await;
    world.role_with("admin-desk", &[documents::ADMINISTRATOR], "admins", None, |role| role.management = true).await;
    let op = world.op(world.session("adam", "admin-desk", None));
    let dataset = world.dataset("trial");
    let denied = world.access.authorize(&op, api::ChangeDataset, dataset).await.unwrap_err();
    assert_eq!(denied.reason, DenyReason::NotOwner { dataset });
}

#[tokio::test]
async fn an_own_password_needs_a_fresh_sign_in() {
    let world = reader().await;
    world.join("ann", "members").await;
    world.role_with("member-desk", &[documents::MEMBER], "members", None, |role| role.management = true).await;
    let fresh = world.session("ann", "member-desk", None);
    let ann = world.person("ann");
    world.access.authorize(&world.op(fresh.clone()), api::SetPassword, ann).await.unwrap().finish(Outcome::DONE);
    let mut stale = fresh;
    stale.auth.auth_time = stale.auth.auth_time.checked_sub(std::time::Duration::from_secs(3600)).unwrap();
    let denied = world.access.authorize(&world.op(stale), api::SetPassword, ann).await.unwrap_err();
    assert!(matches!(denied.reason, DenyReason::AuthTooOld { .. }), "{denied:?}");
}

// verifies: IAM-02
#[tokio::test]
async fn nobody_makes_administrators_of_a_group_by_an_entitlement_or_a_policy() {
    let world = reader().await;
    world.born("adam").await;
    world.join("adam", "admins").await;
    world.role_with("admin-desk", &[documents::ADMINISTRATOR], "admins", None, |role| role.management = true).await;
    let op = world.op(world.session("adam", "admin-desk", None));
    let role = world.role_id("admin-desk");
    let permit = world.access.authorize(&op, api::CreateEntitlement, role).await.unwrap();
    let refused = world.access.create_entitlement(permit, world.group("readers"), None).await;
    assert!(matches!(refused, Err(crate::Error::ManagementRole { .. })), "{refused:?}");
    let permit = world.access.authorize(&op, api::ChangeRole, role).await.unwrap();
    let all = vec![crate::roles::RolePolicy::Managed(documents::ADMINISTRATOR.to_owned())];
    let refused = world.access.change_role(permit, Some(all), None).await;
    assert!(matches!(refused, Err(crate::Error::ManagementRole { .. })), "{refused:?}");
}

// verifies: IAM-02
#[tokio::test]
async fn the_first_member_of_a_group_that_owns_data_needs_a_second_person() {
    let world = reader().await;
    world.born("adam").await;
    world.join("adam", "admins").await;
    world.role_with("admin-desk", &[documents::ADMINISTRATOR], "admins", None, |role| role.management = true).await;
    world.place("vault", "safe", "vault/", "keepers").await;
    let op = world.op(world.session("adam", "admin-desk", None));
    for (group, needed) in [("keepers", true), ("owners", true), ("readers", false), ("new", false)] {
        let edge = MembershipEdge { member: Member::Person(world.person("ann")), group: world.group(group) };
        let permit = world.access.authorize(&op, api::AddMember, edge).await.unwrap();
        assert_eq!(permit.obligations().approval, needed, "{group}");
        permit.finish(Outcome::DONE);
    }
}
