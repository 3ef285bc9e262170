//! People, groups, memberships, passwords, lockout and erasure.

use super::*;
use crate::{ApprovalState, History};
use access::{Member, MembershipEdge, Session};

async fn shown(world: &World, id: PersonId) -> Person {
    world.directory.show_person(world.permit(api::ShowPerson, id)).await.unwrap()
}

// verifies: SIG-05
#[tokio::test]
async fn source_identities_are_given_once() {
    let world = World::new().await;
    let first = world.person("ann").await;
    assert_eq!(shown(&world, first).await.personal.unwrap().handle.as_str(), "ann@example.com");
    let again = world
        .directory
        .create_person(world.permit(api::CreatePerson, access::Installation), new_person("ANN", "other@example.com"))
        .await;
    assert!(matches!(again, Err(Error::UsernameTaken)));
    // Another person with the address that was hers gets another handle.
    let change = PersonChange { email: Some("new@example.com".parse().unwrap()), ..PersonChange::default() };
    world.directory.change_person(world.permit(api::ChangePerson, first), change, None).await.unwrap();
    let permit = world.permit(api::CreatePerson, access::Installation);
    let second = world.directory.create_person(permit, new_person("ann2", "ANN@example.com")).await.unwrap();
    let handle = shown(&world, second).await.personal.unwrap().handle;
    assert_eq!(handle.as_str(), "ann2");
    let mut new = new_person("bob", "bob@example.com");
    new.handle = Some("ann2".parse().unwrap());
    let permit = world.permit(api::CreatePerson, access::Installation);
    assert!(matches!(world.directory.create_person(permit, new).await, Err(Error::HandleTaken)));
    assert!(world.directory.person_by_username(&"bob".parse().unwrap()).await.unwrap().is_none());
}

// verifies: SIG-05
#[tokio::test]
async fn no_two_people_have_one_mail_address() {
    let world = World::new().await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let create = async |email: &str| {
        let permit = world.permit(api::CreatePerson, access::Installation);
        world.directory.create_person(permit, new_person("eve", email)).await
    };
    let change = async |id: PersonId, email: &str| {
        let change = PersonChange { email: Some(email.parse().unwrap()), ..PersonChange::default() };
        world.directory.change_person(world.permit(api::ChangePerson, id), change, None).await
    };
    for taken in ["ann@example.com", "Ann@EXAMPLE.com"] {
        assert!(matches!(create(taken).await, Err(Error::EmailTaken)), "{taken}");
        assert!(matches!(change(bob, taken).await, Err(Error::EmailTaken)), "{taken}");
    }
    assert!(world.directory.person_by_username(&"eve".parse().unwrap()).await.unwrap().is_none());
    // Who may not sign in now may tomorrow.
    let permit = world.permit(api::DeactivatePerson, ann);
    world.directory.deactivate(permit, None).await.unwrap();
    assert!(matches!(change(bob, "ann@example.com").await, Err(Error::EmailTaken)));
    // One's own in other letters is no other address; one that was given up is free.
    change(bob, "BOB@example.com").await.unwrap();
    change(ann, "ann@example.org").await.unwrap();
    create("ann@example.com").await.unwrap();
}

#[tokio::test]
async fn a_rename_keeps_the_source_identity() {
    let world = World::new().await;
    let ann = world.person("ann").await;
    let change = PersonChange { username: Some("anne".parse().unwrap()), ..PersonChange::default() };
    world.directory.change_person(world.permit(api::ChangePerson, ann), change, None).await.unwrap();
    let personal = shown(&world, ann).await.personal.unwrap();
    assert_eq!((personal.username.as_str(), personal.handle.as_str()), ("anne", "ann@example.com"));
    assert_eq!(world.directory.resolve_person("ANNE").await.unwrap(), ann);
    assert!(world.directory.resolve_person("ann").await.is_err());
    // The name is free again; the handle is not.
    let permit = world.permit(api::CreatePerson, access::Installation);
    world.directory.create_person(permit, new_person("ann", "other@example.com")).await.unwrap();
}

#[tokio::test]
async fn nothing_personal_is_in_a_fact() {
    let world = World::new().await;
    let ann = world.person("ann").await;
    let change = PersonChange { email: Some("new@example.org".parse().unwrap()), ..PersonChange::default() };
    world.directory.change_person(world.permit(api::ChangePerson, ann), change, None).await.unwrap();
    let facts = world.store.read(move |txn| txn.facts_of(ann.uuid())).await.unwrap();
    assert_eq!(facts.len(), 2);
    for fact in facts {
        let text = fact.body.to_string();
        for word in ["ann", "Ann", "example", "battery"] {
            assert!(!text.contains(word), "{text}");
        }
    }
}

// verifies: SIG-07
#[tokio::test]
async fn five_failures_lock_a_name_whether_it_exists_or_not() {
    let world = World::new().await;
    let ann = world.person("ann").await;
    for name in ["ann", "nobody"] {
        for _ in 0..FAILURES_MAX {
            let wrong = world.directory.authenticate(&world.op(), name, &password("not the password")).await;
            assert!(matches!(wrong, Err(Error::WrongCredentials)), "{name}");
        }
        let locked = world.directory.authenticate(&world.op(), name, &password(PASSWORD)).await;
        assert!(matches!(locked, Err(Error::Locked { .. })), "{name}");
    }
    let feed = world.store.feed(Position::START, 1000).await.unwrap();
    let events = feed
        .items
        .iter()
        .filter(|item| matches!(&item.what, store::FeedWhat::Event { kind, .. } if kind == "sign_in.locked"));
    assert_eq!(events.count(), 2);
    world.pass(LOCKED_FOR);
    assert_eq!(world.directory.authenticate(&world.op(), "Ann", &password(PASSWORD)).await.unwrap(), ann);
    // A success forgives what came before it.
    for _ in 0..FAILURES_MAX - 1 {
        world.directory.authenticate(&world.op(), "ann", &password("not the password")).await.unwrap_err();
    }
    world.directory.authenticate(&world.op(), "ann", &password(PASSWORD)).await.unwrap();
    world.directory.authenticate(&world.op(), "ann", &password("not the password")).await.unwrap_err();
    world.directory.authenticate(&world.op(), "ann", &password(PASSWORD)).await.unwrap();
}

#[tokio::test]
async fn a_new_password_cuts_what_is_open_and_ends_the_lockout() {
    let world = World::new().await;
    let ann = world.person("ann").await;
    let (_, cookie) = world.provider.sign_in(&world.op(), "ann", &password(PASSWORD)).await.unwrap();
    for _ in 0..=FAILURES_MAX {
        world.directory.authenticate(&world.op(), "ann", &password("not the password")).await.unwrap_err();
    }
    let permit = world.permit(api::SetPassword, ann);
    let short = world.directory.set_password(permit, &password("short"), None).await;
    assert!(matches!(short, Err(Error::BadPassword { chars: 5, .. })));
    let permit = world.permit(api::SetPassword, ann);
    world.directory.set_password(permit, &password("another long phrase"), None).await.unwrap();
    assert!(world.provider.signed_in(&cookie).await.unwrap().is_none());
    assert!(matches!(
        world.directory.authenticate(&world.op(), "ann", &password(PASSWORD)).await,
        Err(Error::WrongCredentials)
    ));
    world.directory.authenticate(&world.op(), "ann", &password("another long phrase")).await.unwrap();
}

#[tokio::test]
async fn who_knows_only_a_name_does_not_lock_its_owner_out() {
    let world = World::new().await;
    world.person("ann").await;
    let from = |address: &str| {
        OpContext::anonymous(&world.effects, access::Edge::Api).with_transport(Some(address.parse().unwrap()), true)
    };
    let wrong = async |address: &str| {
        world.directory.authenticate(&from(address), "ann", &password("not the password")).await.unwrap_err()
    };
    for _ in 0..FAILURES_MAX {
        assert!(matches!(wrong("203.0.113.9").await, Error::WrongCredentials));
    }
    assert!(matches!(wrong("203.0.113.200").await, Error::Locked { .. }), "the same network");
    world.directory.authenticate(&from("192.0.2.7"), "ann", &password(PASSWORD)).await.unwrap();
    world.directory.authenticate(&from("2001:db8::1"), "ann", &password(PASSWORD)).await.unwrap();
    // Many networks together reach the cap of the name; a success of the owner does not give them more guesses.
    let mut tried = FAILURES_MAX;
    for network in 0..=255_u8 {
        for _ in 0..FAILURES_MAX {
            if matches!(wrong(&format!("10.0.{network}.1")).await, Error::Locked { .. }) {
                assert_eq!(tried, FAILURES_EVERYWHERE_MAX);
                let locked = world.directory.authenticate(&from("192.0.2.7"), "ann", &password(PASSWORD)).await;
                assert!(matches!(locked, Err(Error::Locked { .. })));
                world.pass(LOCKED_FOR);
                world.directory.authenticate(&from("192.0.2.7"), "ann", &password(PASSWORD)).await.unwrap();
                return;
            }
            tried += 1;
        }
        if network == 7 {
            world.directory.authenticate(&from("192.0.2.7"), "ann", &password(PASSWORD)).await.unwrap();
        }
    }
    panic!("the cap by name alone never closed");
}

#[tokio::test]
async fn a_deactivated_person_cannot_sign_in() {
    let world = World::new().await;
    let ann = world.person("ann").await;
    let (_, cookie) = world.provider.sign_in(&world.op(), "ann", &password(PASSWORD)).await.unwrap();
    assert!(world.provider.signed_in(&cookie).await.unwrap().is_some());
    let permit = || world.permit(api::DeactivatePerson, ann);
    world.directory.deactivate(permit(), Some("left".to_owned())).await.unwrap();
    assert!(world.provider.signed_in(&cookie).await.unwrap().is_none());
    assert!(matches!(
        world.directory.authenticate(&world.op(), "ann", &password(PASSWORD)).await,
        Err(Error::WrongCredentials)
    ));
    let twice = world.directory.deactivate(permit(), None).await;
    assert!(matches!(twice, Err(Error::NotActive { status: "deactivated", .. })));
    world.directory.reactivate(world.permit(api::ReactivatePerson, ann), None).await.unwrap();
    // The old sign-in stays cut; a new one works.
    assert!(world.provider.signed_in(&cookie).await.unwrap().is_none());
    world.provider.sign_in(&world.op(), "ann", &password(PASSWORD)).await.unwrap();
}

// verifies: IAM-06
#[tokio::test]
async fn a_sign_in_ends_when_idle_and_at_the_end_of_the_day() {
    let world = World::new().await;
    world.person("ann").await;
    let (_, cookie) = world.provider.sign_in(&world.op(), "ann", &password(PASSWORD)).await.unwrap();
    for _ in 0..12 {
        world.pass(SIGN_IN_IDLE - Duration::from_secs(90));
        assert!(world.provider.signed_in(&cookie).await.unwrap().is_some());
    }
    world.pass(SIGN_IN_IDLE);
    assert!(world.provider.signed_in(&cookie).await.unwrap().is_none());
    let (_, cookie) = world.provider.sign_in(&world.op(), "ann", &password(PASSWORD)).await.unwrap();
    for _ in 0..13 {
        world.pass(SIGN_IN_IDLE - Duration::from_secs(90));
        world.provider.signed_in(&cookie).await.unwrap();
    }
    assert!(world.provider.signed_in(&cookie).await.unwrap().is_none());
}

#[tokio::test]
async fn group_names_are_unique_while_they_live() {
    let world = World::new().await;
    let one = world.group("Oncology").await;
    let permit = || world.permit(api::CreateGroup, access::Installation);
    let again = world.directory.create_group(permit(), "ONCOLOGY".parse().unwrap(), None).await;
    assert!(matches!(again, Err(Error::GroupNameTaken { .. })));
    let two = world.group("Cardiology").await;
    let taken = world.directory.rename_group(world.permit(api::ChangeGroup, two), "oncology".parse().unwrap(), None);
    assert!(matches!(taken.await, Err(Error::GroupNameTaken { .. })));
    let renamed = world.directory.rename_group(world.permit(api::ChangeGroup, one), "oncology".parse().unwrap(), None);
    renamed.await.unwrap();
    world.directory.end_group(world.permit(api::EndGroup, one), None).await.unwrap();
    assert!(world.directory.resolve_group("oncology").await.is_err());
    let three = world.group("Oncology").await;
    assert_eq!(world.directory.resolve_group("oncology").await.unwrap(), three);
    let listed = world.directory.list_groups(world.permit(api::ListGroups, access::Installation), Some(one), 10);
    assert_eq!(listed.await.unwrap().iter().map(|group| group.id).collect::<Vec<_>>(), [two, three]);
}

#[tokio::test]
async fn a_member_can_be_removed_and_added_again() {
    let world = World::new().await;
    let (ann, group) = (world.person("ann").await, world.group("g").await);
    let edge = MembershipEdge { member: Member::Person(ann), group };
    for _ in 0..2 {
        world.directory.add_member(world.permit(api::AddMember, edge), None).await.unwrap();
        let twice = world.directory.add_member(world.permit(api::AddMember, edge), None).await;
        assert!(matches!(twice, Err(Error::Access { source: access::Error::AlreadyMember })));
        assert_eq!(world.directory.members_of(group).await.unwrap().len(), 1);
        world.directory.remove_member(world.permit(api::RemoveMember, edge), None).await.unwrap();
        assert!(world.directory.memberships_of(edge.member).await.unwrap().is_empty());
    }
    world.directory.add_member(world.permit(api::AddMember, edge), None).await.unwrap();
    world.directory.end_group(world.permit(api::EndGroup, group), None).await.unwrap();
    assert!(world.directory.memberships_of(edge.member).await.unwrap().is_empty());
    let late = world.directory.add_member(world.permit(api::AddMember, edge), None).await;
    assert!(matches!(late, Err(Error::GroupEnded { .. })));
}

// verifies: DAT-08
#[tokio::test]
async fn erasing_needs_two_people_and_leaves_only_the_id() {
    let world = World::new().await;
    let (ann, bob, eve) = (world.person("ann").await, world.person("bob").await, world.person("eve").await);
    let group = world.group("g").await;
    let edge = MembershipEdge { member: Member::Person(ann), group };
    world.directory.add_member(world.permit(api::AddMember, edge), None).await.unwrap();
    let (_, cookie) = world.provider.sign_in(&world.op(), "ann", &password(PASSWORD)).await.unwrap();
    let (first, second) = (signed_in(&world, bob), signed_in(&world, eve));
    let own = request_erasure(&world, ann, &signed_in(&world, ann)).await;
    assert!(matches!(own, Err(Error::OwnCase)));
    let asked = request_erasure(&world, ann, &first).await.unwrap();
    assert!(matches!(approve(&world, &asked, &signed_in(&world, bob)).await, Err(Error::SameApprover)));
    let mut same = Session::clone(&second);
    same.id = first.id;
    assert!(matches!(approve(&world, &asked, &Arc::new(same)).await, Err(Error::SameApprover)));
    assert!(matches!(approve(&world, &asked, &signed_in(&world, ann)).await, Err(Error::OwnCase)));
    assert!(shown(&world, ann).await.personal.is_some());
    approve(&world, &asked, &second).await.unwrap();
    let left = shown(&world, ann).await;
    assert_eq!((left.status, left.personal), (PersonStatus::Erased, None));
    assert!(world.directory.memberships_of(edge.member).await.unwrap().is_empty());
    assert!(world.provider.signed_in(&cookie).await.unwrap().is_none());
    assert!(matches!(
        world.directory.authenticate(&world.op(), "ann", &password(PASSWORD)).await,
        Err(Error::WrongCredentials)
    ));
    let again = request_erasure(&world, ann, &first).await;
    assert!(matches!(again, Err(Error::NotActive { status: "erased", .. })));
    assert!(matches!(approve(&world, &asked, &second).await, Err(Error::NoApproval { .. })));
    // The source identity stays reserved for ever.
    let mut new = new_person("ann3", "ann@example.com");
    new.handle = Some("ann@example.com".parse().unwrap());
    let permit = world.permit(api::CreatePerson, access::Installation);
    assert!(matches!(world.directory.create_person(permit, new).await, Err(Error::HandleTaken)));
}

pub(super) fn signed_in(world: &World, person: PersonId) -> Arc<Session> {
    let role = (AccountId::new(42).unwrap(), base::RoleId::from_uuid(world.effects.uuid()), "administrator");
    Arc::new(Session { expires: Timestamp::MAX, ..Session::for_test(&world.effects, (person, "admin"), role) })
}

async fn request_erasure(world: &World, person: PersonId, by: &Arc<Session>) -> Result<Waiting, Error> {
    let permit = world.permit(api::RequestErasure, person).given_to(Arc::clone(by), false);
    world.directory.request_erasure(permit, "asked".to_owned()).await
}

pub(super) async fn approve(world: &World, asked: &Waiting, by: &Arc<Session>) -> Result<(), Error> {
    let permit = world.permit(api::ApproveChange, asked.proposal()).given_to(Arc::clone(by), false);
    world.directory.approve(permit, Some("agreed".to_owned())).await
}

// verifies: IAM-02
#[tokio::test]
async fn the_second_approval_performs_the_erasure_and_the_name_is_free() {
    let world = World::new().await;
    let (ann, bob, eve) = (world.person("ann").await, world.person("bob").await, world.person("eve").await);
    let (first, second) = (signed_in(&world, bob), signed_in(&world, eve));
    let nobody = world.permit(api::RequestErasure, ann);
    assert!(matches!(world.directory.request_erasure(nobody, String::new()).await, Err(Error::ApproverNotAPerson)));
    let asked = request_erasure(&world, ann, &first).await.unwrap();
    assert_eq!(world.directory.erasure_request(ann).await.unwrap().unwrap(), asked);
    assert!(matches!(approve(&world, &asked, &first).await, Err(Error::SameApprover)));
    approve(&world, &asked, &second).await.unwrap();
    assert!(world.directory.personal_of(ann).await.unwrap().is_none());
    assert!(world.directory.erasure_request(ann).await.unwrap().is_none());
    assert!(world.directory.resolve_person("ann").await.is_err());
    let again = world.person("ann").await;
    let handle = shown(&world, again).await.personal.unwrap().handle;
    assert_eq!(handle.as_str(), "ann", "the mail address was the erased person's source identity");
    // Both approvals, with their sessions, are in the fact; nothing personal is.
    let facts = world.store.read(move |txn| txn.facts_of(ann.uuid())).await.unwrap();
    let erased = facts.iter().find(|fact| fact.kind == crate::facts::PERSON_ERASED).unwrap();
    assert_eq!(erased.body["requested"]["by"], serde_json::json!(bob));
    assert_eq!(erased.body["approved"]["session"], serde_json::json!(second.id));
}

// verifies: IAM-02
#[tokio::test]
async fn finding_one_administrator_alone_does_not_bring_a_leaver_back_to_data() {
    let world = World::new().await;
    let (ann, bob, eve) = (world.person("ann").await, world.person("bob").await, world.person("eve").await);
    let (first, second) = (signed_in(&world, bob), signed_in(&world, eve));
    world.directory.deactivate(world.permit(api::DeactivatePerson, ann), Some("left".to_owned())).await.unwrap();
    let back = async || {
        let permit = world.permit(api::ReactivatePerson, ann).given_to(Arc::clone(&first), true);
        world.directory.reactivate(permit, Some("is back".to_owned())).await
    };
    let Made::Waits(asked) = back().await.unwrap() else { panic!("it must wait") };
    assert_eq!(shown(&world, ann).await.status, PersonStatus::Deactivated);
    assert!(matches!(approve(&world, &asked, &first).await, Err(Error::SameApprover)));
    approve(&world, &asked, &second).await.unwrap();
    assert_eq!(shown(&world, ann).await.status, PersonStatus::Active);
    assert!(matches!(back().await, Err(Error::NotActive { status: "active", .. })));
}

// verifies: IAM-02
#[tokio::test]
async fn one_administrator_alone_does_not_reach_data_by_a_password() {
    let world = World::new().await;
    let (ann, bob, eve) = (world.person("ann").await, world.person("bob").await, world.person("eve").await);
    let (first, second) = (signed_in(&world, bob), signed_in(&world, eve));
    let set = async |person: PersonId, by: &Arc<Session>, obliged: bool| {
        let permit = world.permit(api::SetPassword, person).given_to(Arc::clone(by), obliged);
        world
            .directory
            .set_password(permit, &password("known to the administrator"), Some("forgotten".to_owned()))
            .await
    };
    // Ann has a password: nothing changes before somebody else agreed.
    let Made::Waits(asked) = set(ann, &first, false).await.unwrap() else { panic!("it must wait") };
    let known = world.directory.authenticate(&world.op(), "ann", &password("known to the administrator")).await;
    assert!(matches!(known, Err(Error::WrongCredentials)));
    assert!(matches!(approve(&world, &asked, &first).await, Err(Error::SameApprover)));
    assert!(matches!(approve(&world, &asked, &signed_in(&world, ann)).await, Err(Error::OwnCase)));
    approve(&world, &asked, &second).await.unwrap();
    let known = world.directory.authenticate(&world.op(), "ann", &password("known to the administrator")).await;
    assert!(matches!(known, Err(Error::FirstPassword)));
    // One's own password needs nobody.
    assert!(matches!(set(eve, &second, false).await.unwrap(), Made::Now(())));
    // A person who never had one gets the first by one administrator, unless they reach data already.
    let mut new = new_person("new", "new@example.com");
    new.password = None;
    let new = world.directory.create_person(world.permit(api::CreatePerson, access::Installation), new).await.unwrap();
    assert!(matches!(set(new, &first, true).await.unwrap(), Made::Waits(_)));
    assert!(matches!(set(new, &first, false).await.unwrap(), Made::Now(())));
    // What waits holds the password sealed, and the facts hold nothing of it.
    let facts = world.store.read(move |txn| txn.facts_of(asked.id.uuid())).await.unwrap();
    assert_eq!(
        facts.iter().map(|fact| fact.kind.as_str()).collect::<Vec<_>>(),
        ["approval.requested", "approval.given"]
    );
    for fact in &facts {
        assert!(!fact.body.to_string().contains("known") && !fact.body.to_string().contains("sealed"), "{}", fact.body);
    }
    assert_eq!(facts[1].body["requested"]["session"], serde_json::json!(first.id));
    assert_eq!(facts[1].body["approved"]["by"], serde_json::json!(eve));
}

// verifies: IAM-02
#[tokio::test]
async fn one_administrator_alone_does_not_reach_data_by_a_membership() {
    let world = World::new().await;
    let (ann, bob, eve) = (world.person("ann").await, world.person("bob").await, world.person("eve").await);
    let (first, second) = (signed_in(&world, bob), signed_in(&world, eve));
    let edge = MembershipEdge { member: Member::Person(ann), group: world.group("readers").await };
    let add = async |obliged: bool| {
        let permit = world.permit(api::AddMember, edge).given_to(Arc::clone(&first), obliged);
        world.directory.add_member(permit, Some("new in the team".to_owned())).await.unwrap()
    };
    let members = async || world.directory.members_of(edge.group).await.unwrap().len();
    let Made::Waits(asked) = add(true).await else { panic!("it must wait") };
    assert_eq!((members().await, asked.proposal().group), (0, Some(edge.group)));
    let list = async || {
        let permit = world.permit(api::ListApprovals, access::Installation);
        world.directory.list_approvals(permit, None, 10).await.unwrap()
    };
    assert_eq!(list().await, [Waiting::clone(&asked)]);
    // Refused: it is gone, and cannot be approved any more.
    let permit = world.permit(api::RefuseChange, asked.proposal()).given_to(Arc::clone(&second), false);
    world.directory.refuse(permit, Some("not in the team".to_owned())).await.unwrap();
    assert!(matches!(approve(&world, &asked, &second).await, Err(Error::NoApproval { .. })));
    // What became of it stays readable: who asked, who decided, and both reasons.
    let state = async |asked: &Waiting| world.directory.approval_history(asked.id).await.unwrap().unwrap();
    let refused = state(&asked).await;
    assert_eq!((refused.state, refused.reason.as_deref()), (ApprovalState::Refused, Some("new in the team")));
    let decision = refused.decision.unwrap();
    assert_eq!((decision.by, decision.reason.as_deref()), (Some(eve), Some("not in the team")));
    // Too late: it is gone as well.
    let Made::Waits(asked) = add(true).await else { panic!("it must wait") };
    assert_eq!(state(&asked).await, History::from(Waiting::clone(&asked)));
    world.pass(APPROVAL_WAITS);
    assert_eq!(state(&asked).await.state, ApprovalState::Expired);
    assert!(list().await.is_empty());
    assert!(matches!(approve(&world, &asked, &second).await, Err(Error::NoApproval { .. })));
    // Who asked may not sign in any more: the request counts no more.
    let Made::Waits(asked) = add(true).await else { panic!("it must wait") };
    world.directory.deactivate(world.permit(api::DeactivatePerson, bob), None).await.unwrap();
    assert!(matches!(approve(&world, &asked, &second).await, Err(Error::NotActive { .. })));
    world.directory.reactivate(world.permit(api::ReactivatePerson, bob), None).await.unwrap();
    assert!(matches!(approve(&world, &asked, &second).await, Err(Error::RequesterCut { .. })));
    let Made::Waits(asked) = add(true).await else { panic!("it must wait") };
    approve(&world, &asked, &second).await.unwrap();
    assert_eq!(state(&asked).await.state, ApprovalState::Approved);
    let made = world.directory.members_of(edge.group).await.unwrap();
    assert_eq!((made.len(), made[0].id.uuid()), (1, asked.id.uuid()), "it has the id of its approval");
    // A group that reaches nothing gets its members by one administrator.
    world.directory.remove_member(world.permit(api::RemoveMember, edge), None).await.unwrap();
    assert!(matches!(add(false).await, Made::Now(_)));
}

#[tokio::test]
async fn a_password_that_somebody_else_chose_only_sets_an_own_one() {
    let world = World::new().await;
    let bob = world.person("bob").await;
    let permit = world.permit(api::CreatePerson, access::Installation).given_to(signed_in(&world, bob), false);
    let zoe = world.directory.create_person(permit, new_person("zoe", "zoe@example.com")).await.unwrap();
    let own = "an own phrase of Zoe";
    let sign_in = async |text: &str| world.provider.sign_in(&world.op(), "zoe", &password(text)).await.map(drop);
    assert!(matches!(sign_in(PASSWORD).await, Err(Error::FirstPassword)), "no session comes of it");
    let choose = async |old: &str, new: &str| {
        world
            .provider
            .choose_password(&world.op(), "zoe", &password(old), &password(new))
            .await
            .map(|(it, _)| it.person)
    };
    assert!(matches!(choose("not the password", own).await, Err(Error::WrongCredentials)));
    assert!(matches!(choose(PASSWORD, PASSWORD).await, Err(Error::SamePassword)));
    assert!(matches!(choose(PASSWORD, "short").await, Err(Error::BadPassword { .. })));
    assert_eq!(choose(PASSWORD, own).await.unwrap(), zoe);
    sign_in(own).await.unwrap();
    assert!(matches!(sign_in(PASSWORD).await, Err(Error::WrongCredentials)));
    // An own password is set without anybody, and a guess at it still counts.
    for _ in 1..FAILURES_MAX {
        assert!(matches!(choose("not the password", "another own phrase").await, Err(Error::WrongCredentials)));
    }
    assert!(matches!(choose(own, "another own phrase").await, Err(Error::Locked { .. })));
}

// verifies: IAM-02
#[tokio::test]
async fn a_request_counts_no_more_once_its_requester_lost_what_they_asked_with() {
    let world = World::new().await;
    let (ann, bob, eve) = (world.person("ann").await, world.person("bob").await, world.person("eve").await);
    let (admins, readers) = (world.group("admins").await, world.group("readers").await);
    let join = async |person: PersonId| {
        let edge = MembershipEdge { member: Member::Person(person), group: admins };
        world.directory.add_member(world.permit(api::AddMember, edge), None).await.unwrap();
    };
    join(bob).await;
    let mut first = Session::clone(&signed_in(&world, bob));
    first.via = vec![admins];
    let (first, second) = (Arc::new(first), signed_in(&world, eve));
    let ask = async || {
        let edge = MembershipEdge { member: Member::Person(ann), group: readers };
        let permit = world.permit(api::AddMember, edge).given_to(Arc::clone(&first), true);
        let Made::Waits(asked) = world.directory.add_member(permit, None).await.unwrap() else {
            panic!("it must wait")
        };
        asked
    };
    let asked = ask().await;
    let edge = MembershipEdge { member: Member::Person(bob), group: admins };
    world.directory.remove_member(world.permit(api::RemoveMember, edge), None).await.unwrap();
    assert!(matches!(approve(&world, &asked, &second).await, Err(Error::RequesterCut { .. })), "no administrator now");
    join(bob).await;
    let asked = ask().await;
    let session = EpochKey::Session { session: first.id };
    let cut = world.store.write(base::Actor::System, move |txn| access::epoch::raise(txn, session, None));
    cut.await.unwrap();
    assert!(matches!(approve(&world, &asked, &second).await, Err(Error::RequesterCut { .. })), "a stolen session");
}

// verifies: IAM-02
#[tokio::test]
async fn a_change_that_waits_is_not_approved_under_another_name() {
    let world = World::new().await;
    let (ann, bob, eve) = (world.person("ann").await, world.person("bob").await, world.person("eve").await);
    let (first, second) = (signed_in(&world, bob), signed_in(&world, eve));
    let edge = MembershipEdge { member: Member::Person(ann), group: world.group("harmless").await };
    let ask = async || {
        let permit = world.permit(api::AddMember, edge).given_to(Arc::clone(&first), true);
        let Made::Waits(asked) = world.directory.add_member(permit, None).await.unwrap() else {
            panic!("it must wait")
        };
        asked
    };
    let asked = ask().await;
    let change = PersonChange { username: Some("trusted".parse().unwrap()), ..PersonChange::default() };
    world.directory.change_person(world.permit(api::ChangePerson, ann), change, None).await.unwrap();
    assert!(matches!(approve(&world, &asked, &second).await, Err(Error::RenamedMeanwhile)));
    let asked = ask().await;
    let renamed =
        world.directory.rename_group(world.permit(api::ChangeGroup, edge.group), "other".parse().unwrap(), None);
    renamed.await.unwrap();
    assert!(matches!(approve(&world, &asked, &second).await, Err(Error::RenamedMeanwhile)));
    approve(&world, &*ask().await, &second).await.unwrap();
}

#[tokio::test]
async fn an_installation_of_one_administrator_says_so_in_a_fact_each_time() {
    let world = World::of_one_administrator().await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let edge = MembershipEdge { member: Member::Person(ann), group: world.group("readers").await };
    let permit = world.permit(api::AddMember, edge).given_to(signed_in(&world, bob), true);
    assert!(matches!(world.directory.add_member(permit, None).await.unwrap(), Made::Now(_)));
    let facts = world.store.read(move |txn| txn.facts_of(bob.uuid())).await.unwrap();
    let waived = facts.iter().find(|fact| fact.kind == "approval.waived").unwrap();
    assert_eq!((&waived.body["change"], &waived.body["group"]), (&"add_member".into(), &serde_json::json!(edge.group)));
}

// verifies: IAM-02
#[tokio::test]
async fn the_last_administrator_who_may_sign_in_stays_one() {
    let world = World::new().await;
    let (ada, bob) = (world.person("ada").await, world.person("bob").await);
    let admins = world.group("administrators").await;
    let role = base::RoleId::from_uuid(world.effects.uuid());
    let made = serde_json::json!({
        "id": role, "account": AccountId::new(42).unwrap(), "name": "administrator", "unique_id": "AROAGALEN00000000001",
        "session_secs_max": 3600, "policies": [], "management": true, "duty": "administrator",
    });
    let made: access::facts::Role = serde_json::from_value(made).unwrap();
    let id = base::EntitlementId::from_uuid(world.effects.uuid());
    let entitled = access::facts::Entitlement { id, group: admins, role, client: None };
    let change = move |txn: &mut store::WriteTxn<'_>| {
        access::facts::put_role(txn, &made, None)?;
        access::facts::add_entitlement(txn, &entitled, None)
    };
    world.store.write(base::Actor::System, change).await.unwrap();
    for person in [ada, bob] {
        let edge = MembershipEdge { member: Member::Person(person), group: admins };
        world.directory.add_member(world.permit(api::AddMember, edge), None).await.unwrap();
    }
    let deactivate = |person| world.directory.deactivate(world.permit(api::DeactivatePerson, person), None);
    let leave = |person| {
        let edge = MembershipEdge { member: Member::Person(person), group: admins };
        world.directory.remove_member(world.permit(api::RemoveMember, edge), None)
    };
    deactivate(bob).await.unwrap();
    let kept =
        |done: Result<(), Error>| matches!(done, Err(Error::Access { source: access::Error::LastAdministrator }));
    assert!(kept(leave(ada).await), "whom nobody can sign in as is no administrator");
    assert!(kept(deactivate(ada).await));
    leave(bob).await.unwrap();
}
