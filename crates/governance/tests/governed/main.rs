//! Governed data through the real gate: registered, granted, read, recorded, taken away.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod world;

use access::{
    Bucket, DenyReason, DomainTarget, Ended, Installation, Object, api,
    facts::{Classification, Level, Scope},
    s3,
};
use futures::StreamExt;
use governance::{
    ChangeDataset, Error, GrantState, GrantsOf, NewDataset, NewGrant,
    objects::{Get, List},
};
use world::{Who, World, dataset, drain, put};

// verifies: IAM-03
#[tokio::test]
async fn a_grant_opens_and_its_end_closes_streams() {
    let world = World::new().await;
    let data = world.trial("trial/").await;
    world.seed("trial/dm.parquet", vec![7; 3 << 20]).await;
    let reader = world.op(Who::Reader).await;
    let object = || Object::new("clinical", "trial/dm.parquet");
    let denied = world.access.authorize(&reader, s3::GetObject, object()).await.unwrap_err();
    assert_eq!(denied.reason, DenyReason::NoGrant { dataset: data.id });

    let grant = world.grant(&data, Who::Owner, Scope::default(), Level::Read).await.unwrap();
    assert!(grant.expiry > grant.start && matches!(grant.approver, access::facts::Approver::Person(_)));
    let permit = world.access.authorize(&reader, s3::GetObject, object()).await.unwrap();
    let open = world.objects.open(permit, Get::default()).await.unwrap();
    assert_eq!(drain(open.bytes).await.unwrap().len(), 3 << 20);

    let permit = world.access.authorize(&reader, s3::GetObject, object()).await.unwrap();
    let mut open = world.objects.open(permit, Get::default()).await.unwrap();
    assert!(open.bytes.next().await.unwrap().is_ok());
    world.end_grant(grant.id).await;
    let ended = open.bytes.next().await.unwrap().unwrap_err();
    assert!(matches!(ended, Error::Ended { why } if why == Ended::Withdrawn.word()), "{ended}");
    let denied = world.access.authorize(&reader, s3::GetObject, object()).await.unwrap_err();
    assert_eq!(denied.reason, DenyReason::NoGrant { dataset: data.id });
    assert_eq!(world.governance.grant(grant.id).await.unwrap().state, GrantState::Ended);
}

#[tokio::test]
async fn a_rotated_key_seals_what_comes_and_opens_what_was() {
    let world = World::new().await;
    let data = world.trial("trial/").await;
    world.seed("trial/before", vec![7; 1000]).await;
    let key = || world.access.location(data.id).unwrap().key.clone();
    let old = key();
    let permit = world.access.authorize(&world.system(), api::RotateDatasetKey, data.id).await.unwrap();
    world.governance.rotate_dataset_key(permit, "yearly".to_owned()).await.unwrap();
    assert_ne!(key(), old);
    assert!(world.reasons(data.id.uuid()).await.contains(&"yearly".to_owned()));
    world.seed("trial/after", vec![9; 1000]).await;
    world.grant(&data, Who::Owner, Scope::default(), Level::Read).await.unwrap();
    let reader = world.op(Who::Reader).await;
    for (name, byte) in [("trial/before", 7), ("trial/after", 9)] {
        let permit = world.access.authorize(&reader, s3::GetObject, Object::new("clinical", name)).await.unwrap();
        let open = world.objects.open(permit, Get::default()).await.unwrap();
        assert_eq!(drain(open.bytes).await.unwrap(), vec![byte; 1000], "{name}");
    }
}

#[tokio::test]
async fn a_dataset_policy_narrows_and_is_removed() {
    let world = World::new().await;
    let data = world.trial("trial/").await;
    let put = async |text: Option<&str>| {
        let permit = world.access.authorize(&world.system(), api::PutDatasetPolicy, data.id).await.unwrap();
        world.governance.put_dataset_policy(permit, text.map(str::to_owned), Some("a test")).await
    };
    let shown = async || {
        let permit = world.access.authorize(&world.system(), api::ShowDatasetPolicy, data.id).await.unwrap();
        world.governance.dataset_policy(permit).await.unwrap()
    };
    let statement = |effect: &str| {
        let what = r#""Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::clinical/trial/x/*""#;
        format!(r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "{effect}", {what}}}]}}"#)
    };
    assert!(matches!(put(Some(&statement("Allow"))).await, Err(Error::BadPolicy { .. })));
    assert_eq!(shown().await, None);
    put(Some(&statement("Deny"))).await.unwrap();
    assert!(shown().await.unwrap().contains("Deny"));
    put(None).await.unwrap();
    assert_eq!(shown().await, None);
}

#[tokio::test]
async fn the_ledger_holds_the_bytes_that_were_sent() {
    let world = World::new().await;
    let data = world.trial("trial/").await;
    world.seed("trial/k", vec![7; 1000]).await;
    world.grant(&data, Who::Owner, Scope::default(), Level::Read).await.unwrap();
    let reader = world.op(Who::Reader).await;
    let permit = world.access.authorize(&reader, s3::GetObject, Object::new("clinical", "trial/k")).await.unwrap();
    let decision = permit.decision();
    let open = world.objects.open(permit, Get::default()).await.unwrap();
    drop(drain(open.bytes).await.unwrap());
    world.maintenance.once().await;
    let entries = world.entries();
    let outcome = entries.iter().find(|entry| entry.contains("\"outcome\"") && entry.contains(&decision.to_string()));
    assert!(outcome.unwrap().contains("1000"), "{outcome:?}");
}

// verifies: IAM-02
#[tokio::test]
async fn only_the_owner_or_a_steward_grants() {
    let world = World::new().await;
    let data = world.trial("trial/").await;
    for who in [Who::Administrator, Who::Reader] {
        let denied = world.access.authorize(&world.op(who).await, api::CreateGrant, data.id).await;
        assert!(denied.is_err(), "{who:?}");
    }
    world.grant(&data, Who::Steward, Scope::default(), Level::Read).await.unwrap();
    for (days, purpose) in [(0, "x"), (367, "x"), (1, " ")] {
        let permit = world.access.authorize(&world.op(Who::Owner).await, api::CreateGrant, data.id).await.unwrap();
        let new = NewGrant {
            group: world.readers,
            level: Level::Read,
            scope: Scope::default(),
            purpose: purpose.to_owned(),
            start: None,
            days,
            reason: None,
        };
        assert!(world.governance.create_grant(permit, new).await.is_err(), "{days} {purpose:?}");
    }
}

#[tokio::test]
async fn a_grant_may_begin_later_and_not_earlier() {
    let world = World::new().await;
    let data = world.trial("trial/").await;
    let at = |days: i64| base::Timestamp::from_second(world::NOW_SECS + days * 86_400).unwrap();
    for (days, fine) in [(-1, false), (2, true), (360, false)] {
        let permit = world.access.authorize(&world.op(Who::Owner).await, api::CreateGrant, data.id).await.unwrap();
        let new = NewGrant {
            group: world.readers,
            level: Level::Read,
            scope: Scope::default(),
            purpose: "x".to_owned(),
            start: Some(at(days)),
            days: 30,
            reason: None,
        };
        assert_eq!(world.governance.create_grant(permit, new).await.is_ok(), fine, "{days}");
    }
    let denied =
        world.access.authorize(&world.op(Who::Reader).await, s3::GetObject, Object::new("clinical", "trial/x")).await;
    assert!(matches!(denied.unwrap_err().reason, DenyReason::GrantNotBegun { .. }));
    let listed = async |state| grants(&world, GrantsOf { state, ..GrantsOf::default() }).await;
    let all = listed(None).await;
    let [(id, GrantState::Upcoming)] = all[..] else { panic!("{all:?}") };
    assert_eq!(listed(Some(GrantState::Upcoming)).await, all);
    for state in [GrantState::Live, GrantState::Ended] {
        assert_eq!(listed(Some(state)).await, [], "one that has not begun opens nothing, and has not ended either");
    }
    world.clock.advance(std::time::Duration::from_secs(2 * 86_400));
    assert_eq!(listed(Some(GrantState::Live)).await, [(id, GrantState::Live)]);
    world.clock.advance(std::time::Duration::from_secs(30 * 86_400));
    assert_eq!(listed(Some(GrantState::Ended)).await, [(id, GrantState::Ended)]);
    assert_eq!(listed(None).await, [(id, GrantState::Ended)], "the list has them all");
}

async fn grants(world: &World, of: GrantsOf) -> Vec<(base::GrantId, GrantState)> {
    let permit = world.access.authorize(&world.system(), api::ListGrants, Installation).await.unwrap();
    let found = world.governance.grants(permit, of, None, 10).await.unwrap();
    found.into_iter().map(|view| (view.grant.id, view.state)).collect()
}

/// It opened nothing, and everybody can still see what became of it.
#[tokio::test]
async fn a_grant_that_is_ended_before_it_begins_has_ended() {
    let world = World::new().await;
    let data = world.trial("trial/").await;
    let permit = world.access.authorize(&world.op(Who::Owner).await, api::CreateGrant, data.id).await.unwrap();
    let new = NewGrant {
        group: world.readers,
        level: Level::Read,
        scope: Scope::default(),
        purpose: "x".to_owned(),
        start: Some(base::Timestamp::from_second(world::NOW_SECS + 86_400).unwrap()),
        days: 30,
        reason: None,
    };
    let grant = world.governance.create_grant(permit, new).await.unwrap();
    world.end_grant(grant.id).await;
    for _ in 0..2 {
        assert_eq!(world.governance.grant(grant.id).await.unwrap().state, GrantState::Ended);
        for state in [None, Some(GrantState::Upcoming), Some(GrantState::Live), Some(GrantState::Ended)] {
            let ended = state.is_none_or(|state| state == GrantState::Ended);
            let listed: Vec<_> = ended.then_some((grant.id, GrantState::Ended)).into_iter().collect();
            for (dataset, group) in [(None, None), (Some(data.id), None), (None, Some(world.readers))] {
                assert_eq!(grants(&world, GrantsOf { dataset, group, state }).await, listed, "{state:?}");
            }
        }
        world.clock.advance(std::time::Duration::from_secs(2 * 86_400));
    }
}

/// Both were told that there is no such bucket, and one of them finds it made when its turn comes: it learns whether it is its own.
#[tokio::test]
async fn who_loses_the_race_for_a_bucket_learns_whose_it_is() {
    let world = World::new().await;
    for (second, own) in [(Who::Reader, true), (Who::Steward, false)] {
        let name = format!("race-{own}");
        let permit = async || {
            let bucket = Bucket { name: name.clone() };
            world.access.authorize(&world.system(), s3::CreateBucket, bucket).await.unwrap()
        };
        let (first_permit, second_permit) = (permit().await, permit().await);
        let (first_op, second_op) = (world.op_via(Who::Reader).await, world.op_via(second).await);
        // While this is the store's change, no bucket is made; it ends when both have looked.
        let (release, held) = std::sync::mpsc::channel::<()>();
        let held = std::sync::Mutex::new(held);
        let hold = move |_: &mut store::WriteTxn<'_>| {
            let _released = held.lock().unwrap().recv();
            Ok(())
        };
        let (holding, made, lost, ()) = tokio::join!(
            world.store.write::<_, access::Error, _>(base::Actor::System, hold),
            world.buckets.create(&first_op, first_permit),
            world.buckets.create(&second_op, second_permit),
            async { drop(release) },
        );
        holding.unwrap();
        made.unwrap();
        let lost = lost.unwrap_err();
        assert!(matches!(lost, Error::BucketExists { own: told } if told == own), "{lost:?}");
        assert_eq!(lost.to_string(), "the bucket exists already");
        assert_eq!(world.access.locations_in(&name).len(), 1);
    }
}

/// A group that everybody is in entitles to a management role, and a role may carry all of a person's groups.
#[tokio::test]
async fn a_workspace_is_not_opened_to_everybody() {
    let world = World::new().await;
    for (n, group) in [(1, Who::Steward.group()), (2, base::GroupId::from_uuid(uuid::Uuid::from_u128(300)))] {
        let id = base::MembershipId::from_uuid(uuid::Uuid::from_u128(n));
        let member = access::Member::Person(Who::Reader.person());
        let join = move |txn: &mut store::WriteTxn<'_>| access::facts::add_membership(txn, id, member, group, None);
        world.store.write::<_, access::Error, _>(base::Actor::System, join).await.unwrap();
    }
    let bucket = Bucket { name: "scratch".to_owned() };
    let permit = world.access.authorize(&world.system(), s3::CreateBucket, bucket).await.unwrap();
    let dataset = world.buckets.create(&world.op_via(Who::Reader).await, permit).await.unwrap();
    let grants = world.store.read(move |txn| access::facts::grants_of(txn, dataset)).await.unwrap();
    let mut groups: Vec<_> = grants.into_iter().map(|grant| grant.group).collect();
    groups.sort_unstable();
    assert_eq!(groups, [Who::Reader.group(), base::GroupId::from_uuid(uuid::Uuid::from_u128(300))]);
}

#[tokio::test]
async fn a_narrow_grant_shows_its_prefix_and_nothing_beside_it() {
    let world = World::new().await;
    let data = world.trial("trial/").await;
    for key in ["trial/sdtm/dm", "trial/sdtm_other/dm", "trial/adam/adsl", "trial/readme"] {
        world.seed(key, b"x".to_vec()).await;
    }
    let scope = Scope { prefixes: vec!["sdtm/".to_owned()], ..Scope::default() };
    world.grant(&data, Who::Owner, scope, Level::Read).await.unwrap();
    let reader = world.op(Who::Reader).await;
    let permit = world.access.authorize(&reader, s3::ListBucket, Bucket::new("clinical")).await.unwrap();
    let seen = permit.visible().clone();
    let page = world.objects.list(permit, &seen, List { limit: 10, ..List::default() }).await.unwrap();
    assert_eq!(page.objects.iter().map(|o| o.key.as_str()).collect::<Vec<_>>(), ["trial/sdtm/dm"]);
    let permit = world.access.authorize(&reader, s3::ListBucket, Bucket::new("clinical")).await.unwrap();
    let folded = List { limit: 10, delimiter: Some("/".to_owned()), prefix: "trial/".to_owned(), ..List::default() };
    let page = world.objects.list(permit, &seen, folded).await.unwrap();
    assert_eq!(page.prefixes, ["trial/sdtm/"]);
    let denied = world.access.authorize(&reader, s3::GetObject, Object::new("clinical", "trial/sdtm_other/dm")).await;
    assert!(denied.is_err());
}

#[tokio::test]
async fn a_refused_registration_leaves_no_key_in_custody() {
    let world = World::new().await;
    let data = world.trial("trial/").await;
    let before = world.bytes_of_keys();
    let create = async |prefix: &str, name: &str| {
        let domain = world.domain.clone();
        let target = DomainTarget { domain: domain.id, owner: domain.owner, stewards: Vec::new() };
        let permit = world.access.authorize(&world.system(), api::CreateDataset, target).await.unwrap();
        world.governance.create_dataset(permit, dataset(&world, prefix, name)).await
    };
    assert!(create("trial/", "same").await.is_err(), "the place is taken");
    assert!(create("other/", &data.name).await.is_err(), "the name is taken");
    assert_eq!(world.bytes_of_keys(), before);
    create("other/", "other").await.unwrap();
    assert!(world.bytes_of_keys() > before);
}

#[tokio::test]
async fn a_bucket_stays_with_the_domains_that_are_in_it() {
    let world = World::new().await;
    world.trial("trial/").await;
    let permit = world.access.authorize(&world.system(), api::CreateDomain, Installation).await.unwrap();
    let new = governance::NewDomain { name: "neurology".to_owned(), owner: world.readers, stewards: Vec::new() };
    let stranger = world.governance.create_domain(permit, new).await.unwrap();
    let create = async |place: &str, name: &str| {
        let target = DomainTarget { domain: stranger.id, owner: stranger.owner, stewards: Vec::new() };
        let permit = world.access.authorize(&world.system(), api::CreateDataset, target).await.unwrap();
        let mut new = dataset(&world, place, name);
        (new.owner, new.stewards) = (world.readers, Vec::new());
        world.governance.create_dataset(permit, new).await
    };
    assert!(matches!(create("beside/", "beside").await, Err(Error::ForeignBucket { .. })));
    assert!(create("trial/inside/", "inside").await.is_err());
}

#[tokio::test]
async fn the_list_of_datasets_shows_what_the_caller_may_know_of() {
    let world = World::new().await;
    let data = world.trial("trial/").await;
    let listed = async |op: access::OpContext| {
        let permit = world.access.authorize(&world.system(), api::ListDatasets, Installation).await.unwrap();
        world.governance.datasets(&op, permit, None, 10).await.unwrap().len()
    };
    let classify = async |classification: Classification| {
        let permit = world.access.authorize(&world.op(Who::Owner).await, api::ChangeDataset, data.id).await.unwrap();
        let change = ChangeDataset {
            classification: Some(classification),
            reason: Some("reviewed".to_owned()),
            ..ChangeDataset::default()
        };
        world.governance.change_dataset(permit, change).await.unwrap();
    };
    classify(Classification::Internal).await;
    assert_eq!(listed(world.op(Who::Reader).await).await, 1, "internal data is known to everybody");
    classify(Classification::Restricted).await;
    assert_eq!(listed(world.op(Who::Reader).await).await, 0);
    for who in [Who::Owner, Who::Steward, Who::Administrator] {
        assert_eq!(listed(world.op(who).await).await, 1, "{who:?}");
    }
    world.grant(&data, Who::Owner, Scope::default(), Level::Discover).await.unwrap();
    assert_eq!(listed(world.op(Who::Reader).await).await, 1, "a grant of level discover shows it");
}

#[tokio::test]
async fn no_registration_takes_objects_over() {
    let world = World::new().await;
    let data = world.trial("trial/").await;
    world.seed("trial/sdtm/dm", b"x".to_vec()).await;
    let create = async |prefix: &str, name: &str| {
        let domain = world.domain.clone();
        let target = DomainTarget { domain: domain.id, owner: domain.owner, stewards: Vec::new() };
        let permit = world.access.authorize(&world.system(), api::CreateDataset, target).await.unwrap();
        world.governance.create_dataset(permit, dataset(&world, prefix, name)).await
    };
    assert!(create("trial/sdtm/", "nested").await.is_err(), "it holds objects");
    assert!(create("trial/", "same").await.is_err(), "it is taken");
    assert!(create("trial/adam/", &data.name).await.is_err(), "the name is taken");
    for bad in ["trial/adam", "/trial/", "a//", "../"] {
        assert!(create(bad, "bad").await.is_err(), "{bad}");
    }
    let nested = create("trial/adam/", "nested").await.unwrap();
    assert_eq!(world.access.locate("clinical", "trial/adam/x").unwrap().location.dataset, nested.id);
    assert_eq!(world.access.locate("clinical", "trial/x").unwrap().location.dataset, data.id);
    let owner = world.grant(&nested, Who::Owner, Scope::default(), Level::Write).await.unwrap();
    let writer = world.op(Who::Reader).await;
    let permit = world.access.authorize(&writer, s3::PutObject, Object::new("clinical", "trial/adam/x")).await.unwrap();
    world.objects.put(permit, put(vec![1])).await.unwrap();
    assert_eq!(owner.dataset, nested.id);

    let permit = world.access.authorize(&world.system(), api::ListDatasets, Installation).await.unwrap();
    let first = world.governance.datasets(&world.system(), permit, None, 1).await.unwrap();
    let permit = world.access.authorize(&world.system(), api::ListDatasets, Installation).await.unwrap();
    let rest = world.governance.datasets(&world.system(), permit, Some(first[0].0.id), 10).await.unwrap();
    // The test's clock stands, so ids of one moment are in any order; pages go by id.
    let mut wanted = [data.id, nested.id];
    wanted.sort();
    assert_eq!([first, rest].concat().into_iter().map(|(it, _)| it.id).collect::<Vec<_>>(), wanted);
}

#[tokio::test]
async fn no_registration_takes_another_owners_place() {
    let world = World::new().await;
    world.trial("trial/").await;
    let create = async |prefix: &str, owner: Who, steward: Who| {
        let domain = world.domain.clone();
        let target = DomainTarget { domain: domain.id, owner: domain.owner, stewards: Vec::new() };
        let permit = world.access.authorize(&world.system(), api::CreateDataset, target).await.unwrap();
        let new = NewDataset {
            owner: owner.group(),
            stewards: vec![steward.group()],
            ..dataset(&world, prefix, &format!("{} {owner:?} {steward:?}", prefix.len()))
        };
        world.governance.create_dataset(permit, new).await
    };
    for prefix in ["trial/new/", ""] {
        assert!(create(prefix, Who::Administrator, Who::Steward).await.is_err(), "another owner at `{prefix}`");
        assert!(create(prefix, Who::Owner, Who::Administrator).await.is_err(), "another steward at `{prefix}`");
    }
    create("other/", Who::Administrator, Who::Administrator).await.unwrap();
    create("trial/new/", Who::Owner, Who::Steward).await.unwrap();
}

// verifies: AUD-06
#[tokio::test]
async fn gxp_data_changes_with_a_reason_or_not_at_all() {
    let world = World::new().await;
    let data = world.trial("trial/").await;
    let change = async |reason: Option<&str>| {
        let permit = world.access.authorize(&world.op(Who::Owner).await, api::ChangeDataset, data.id).await.unwrap();
        let change = ChangeDataset {
            description: Some("SDTM, locked".to_owned()),
            classification: Some(Classification::Restricted),
            reason: reason.map(str::to_owned),
            ..ChangeDataset::default()
        };
        world.governance.change_dataset(permit, change).await
    };
    for empty in [None, Some(""), Some("  ")] {
        assert!(matches!(change(empty).await, Err(Error::ReasonMissing)), "{empty:?}");
    }
    assert_eq!(world.governance.dataset(data.id).await.unwrap().0, data);
    change(Some("database lock")).await.unwrap();
    let (changed, location) = world.governance.dataset(data.id).await.unwrap();
    assert_eq!((changed.description.as_str(), location.classification), ("SDTM, locked", Classification::Restricted));
    let permit = world.access.authorize(&world.op(Who::Owner).await, api::EndDataset, data.id).await.unwrap();
    assert!(matches!(world.governance.end_dataset(permit, " ".to_owned()).await, Err(Error::ReasonMissing)));
    let deny = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::clinical/*"}]}"#;
    let policy = async |text: Option<&str>, reason: Option<&str>| {
        let permit = world.access.authorize(&world.op(Who::Owner).await, api::PutDatasetPolicy, data.id).await.unwrap();
        world.governance.put_dataset_policy(permit, text.map(str::to_owned), reason).await
    };
    for text in [Some(deny), None] {
        for empty in [None, Some(""), Some("  ")] {
            assert!(matches!(policy(text, empty).await, Err(Error::ReasonMissing)), "{text:?} {empty:?}");
        }
    }
    policy(Some(deny), Some("frozen")).await.unwrap();
    policy(None, Some("thawed")).await.unwrap();
    let facts = world.reasons(data.id.uuid()).await;
    assert_eq!(facts, ["database lock", "database lock", "frozen", "thawed"]);
}

#[tokio::test]
async fn an_ended_dataset_is_nowhere_and_its_objects_stay() {
    let world = World::new().await;
    let data = world.trial("trial/").await;
    world.seed("trial/k", vec![1; 3 << 20]).await;
    world.grant(&data, Who::Owner, Scope::default(), Level::Read).await.unwrap();
    let reader = world.op(Who::Reader).await;
    let permit = world.access.authorize(&reader, s3::GetObject, Object::new("clinical", "trial/k")).await.unwrap();
    let mut open = world.objects.open(permit, Get::default()).await.unwrap();
    assert!(open.bytes.next().await.unwrap().is_ok());
    let permit = world.access.authorize(&world.op(Who::Owner).await, api::EndDataset, data.id).await.unwrap();
    world.governance.end_dataset(permit, "study closed".to_owned()).await.unwrap();
    assert!(matches!(open.bytes.next().await.unwrap(), Err(Error::Ended { .. })));
    assert!(world.access.locate("clinical", "trial/k").is_none());
    assert!(world.access.authorize(&reader, s3::GetObject, Object::new("clinical", "trial/k")).await.is_err());
    assert!(world.objects.sweep(&std::collections::HashSet::new()).await.unwrap().found.is_empty());
}
