//! Services: registration, secrets, the client-credentials grant, and what is never confused with a person or a client.

use super::people::{approve, signed_in};
use super::*;
use access::assume::{IdentityTokens, TokenFault, VerifiedToken};
use access::{Member, MembershipEdge};
use base::ServiceId;
use protocols::oidc::TokenRequest;
use serde_json::json;

use crate::provider::SERVICE_REFUSED_AFTER;

async fn world() -> (World, PersonId) {
    let world = World::new().await;
    world.client(cli()).await;
    world.client(aws()).await;
    let ann = world.person("ann").await;
    (world, ann)
}

async fn service(world: &World, name: &str, owner: PersonId) -> (ServiceId, Secret<String>) {
    let permit = world.permit(api::CreateService, access::Installation);
    world.directory.create_service(permit, name.parse().unwrap(), owner).await.unwrap()
}

async fn ask(world: &World, body: &str) -> Result<Secret<String>, String> {
    let body = format!("grant_type=client_credentials&{body}");
    let request = TokenRequest::parse(body.as_bytes(), None).map_err(|error| error.to_string())?;
    let tokens = world.provider.token(&world.op(), request).await.map_err(|error| error.to_string())?;
    assert!(tokens.id_token.is_none() && tokens.refresh_token.is_none(), "a machine gets one token");
    Ok(tokens.access_token)
}

async fn token(world: &World, service: impl ToString, secret: &Secret<String>) -> Result<Secret<String>, String> {
    ask(world, &format!("client_id={}&client_secret={}", service.to_string(), secret.expose())).await
}

async fn verify(world: &World, token: &Secret<String>) -> Result<VerifiedToken, TokenFault> {
    world.provider.verify(token.expose(), world.effects.now()).await
}

// verifies: IAM-01
#[tokio::test]
async fn a_service_has_a_living_owner_and_a_name_of_its_own() {
    let (world, ann) = world().await;
    let (id, secret) = service(&world, "etl", ann).await;
    assert!(secret.expose().starts_with("gss_"));
    let shown = world.directory.resolve_service("etl").await.unwrap();
    assert_eq!((shown.id, shown.owner, shown.owner_active), (id, ann, true));
    assert_eq!(world.directory.resolve_service(&id.to_string()).await.unwrap(), shown);
    let create = async |name: &str, owner: PersonId| {
        let permit = world.permit(api::CreateService, access::Installation);
        world.directory.create_service(permit, name.parse().unwrap(), owner).await
    };
    assert!(matches!(create("etl", ann).await, Err(Error::Access { .. })));
    let nobody = PersonId::from_uuid(world.effects.uuid());
    assert!(matches!(create("crawler", nobody).await, Err(Error::NotFound { .. })));
    for bad in ["", "e", "Etl", "1etl", "e tl", "e*", "0190f1f0-0000-7000-8000-000000000001", &"e".repeat(65)] {
        assert!(bad.parse::<ServiceName>().is_err(), "{bad}");
    }
    // Who leaves is not held by it; that nobody answers for it is told, and such a person answers for no other.
    let permit = world.permit(api::DeactivatePerson, ann);
    world.directory.deactivate(permit, None).await.unwrap();
    assert!(!world.directory.resolve_service("etl").await.unwrap().owner_active);
    let told = world.store.read(ownerless_services).await.unwrap();
    assert_eq!(told.iter().map(|it| it.id).collect::<Vec<_>>(), [id]);
    assert!(matches!(create("crawler", ann).await, Err(Error::NotActive { .. })));
    token(&world, "etl", &secret).await.unwrap();
    let bob = world.person("bob").await;
    let permit = world.permit(api::ChangeService, id);
    let change = ServiceChange { name: Some("loader".parse().unwrap()), owner: Some(bob) };
    world.directory.change_service(permit, change).await.unwrap();
    let shown = world.directory.resolve_service("loader").await.unwrap();
    assert_eq!((shown.id, shown.owner, shown.owner_active), (id, bob, true));
    assert!(world.store.read(ownerless_services).await.unwrap().is_empty());
    create("etl", bob).await.unwrap();
}

#[tokio::test]
async fn a_secret_gives_a_token_that_says_which_machine() {
    let (world, ann) = world().await;
    *world.given.roles.lock().unwrap() = vec!["arn:aws:iam::000000000042:role/reader".to_owned()];
    let (id, secret) = service(&world, "etl", ann).await;
    for named in [id.to_string(), "etl".to_owned()] {
        let token = token(&world, named, &secret).await.unwrap();
        let verified = verify(&world, &token).await.unwrap();
        assert_eq!((verified.person, verified.service), (None, Some(id)));
        assert_eq!((verified.subject.as_str(), verified.handle.as_str()), (&*id.to_string(), &*id.to_string()));
        assert_eq!((verified.audience.as_str(), verified.sign_in), ("galen-aws", None));
        assert_eq!(
            (verified.auth.amr.as_slice(), verified.auth.seq),
            (["client_secret".to_owned()].as_slice(), Some(0))
        );
        let claim = |name: &str| verified.claims.get(name).cloned().unwrap();
        assert_eq!(claim("https://aws.amazon.com/source_identity"), json!(id));
        assert_eq!(claim("https://aws.amazon.com/tags")["principal_tags"], json!({"ServiceId": [id]}));
        assert_eq!(claim("https://aws.amazon.com/roles"), json!(["arn:aws:iam::000000000042:role/reader"]));
        assert!(!verified.claims.contains_key("sid") && !verified.claims.contains_key("email"));
        assert!(world.provider.userinfo(token.expose()).await.is_err(), "there is no user");
    }
}

/// Finding: an unknown service was refused sooner than a known one with a wrong secret, so names could be found by asking.
#[tokio::test]
async fn the_time_of_a_refusal_says_nothing_of_which_services_there_are() {
    let (world, ann) = world().await;
    let (id, secret) = service(&world, "etl", ann).await;
    let wrong = Secret::new(format!("{}x", secret.expose()));
    for named in ["etl".to_owned(), id.to_string(), "nobody".to_owned(), world.effects.uuid().to_string()] {
        let begun = tokio::time::Instant::now();
        let refused = token(&world, &named, &wrong).await.map(drop).unwrap_err();
        assert!(refused.contains("there is no such service, or its secret is wrong"), "{refused}");
        assert!(begun.elapsed() >= SERVICE_REFUSED_AFTER, "{named}");
    }
}

#[tokio::test]
async fn a_service_gets_tokens_for_what_roles_trust_and_never_to_manage() {
    let (world, ann) = world().await;
    world.client(NewClient { client_id: "hub".to_owned(), ..aws() }).await;
    world.client(NewClient { client_id: "shop".to_owned(), ..cli() }).await;
    let (_, secret) = service(&world, "etl", ann).await;
    let with = |more: &str| format!("client_id=etl&client_secret={}&{more}", secret.expose());
    let hub = ask(&world, &with("audience=hub")).await.unwrap();
    assert_eq!(verify(&world, &hub).await.unwrap().audience, "hub");
    for (more, refusal) in [
        ("audience=galen-cli", "invalid_target"),
        ("audience=shop", "invalid_target"),
        ("audience=nobody", "invalid_target"),
        ("audience=http%3A%2F%2F127.0.0.1%3A8080%2Foidc%2Fuserinfo", "invalid_target"),
        ("scope=openid", "invalid_scope"),
        ("scope=offline_access", "invalid_scope"),
    ] {
        assert!(ask(&world, &with(more)).await.err().unwrap().starts_with(refusal), "{more}");
    }
    world.given.stale.store(true, Ordering::Relaxed);
    assert!(ask(&world, &with("")).await.err().unwrap().starts_with("temporarily_unavailable"));
}

#[tokio::test]
async fn finding_a_client_is_no_service_and_a_service_no_client() {
    let (world, ann) = world().await;
    let hub = NewClient { client_id: "hub".to_owned(), kind: ClientKind::Confidential, ..cli() };
    let of_client = world.client(hub).await.unwrap();
    let (id, secret) = service(&world, "etl", ann).await;
    let (_, other) = service(&world, "crawler", ann).await;
    for (client, secret) in [
        ("hub", of_client.expose().as_str()),
        ("galen-cli", "x"),
        ("galen-aws", secret.expose()),
        ("etl", other.expose()),
        ("etl", "x"),
        ("nobody", secret.expose()),
        (&ann.to_string(), secret.expose()),
    ] {
        let refused = ask(&world, &format!("client_id={client}&client_secret={secret}")).await;
        assert!(refused.err().unwrap().starts_with("invalid_client"), "{client}");
    }
    assert!(ask(&world, "client_id=etl").await.err().unwrap().starts_with("invalid_client"), "no secret");
    for named in [id.to_string(), "etl".to_owned()] {
        let code = "&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcallback&code=x&code_verifier=x";
        for grant in [
            format!("authorization_code{code}"),
            "refresh_token&refresh_token=x".to_owned(),
            "urn:ietf:params:oauth:grant-type:device_code&device_code=x".to_owned(),
        ] {
            let body = format!("client_id={named}&client_secret={}&grant_type={grant}", secret.expose());
            let request = TokenRequest::parse(body.as_bytes(), None).unwrap();
            let refused = world.provider.token(&world.op(), request).await.err().unwrap().to_string();
            assert!(refused.starts_with("invalid_client"), "{refused}");
        }
        let query = format!("response_type=code&client_id={named}&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcallback");
        assert!(world.provider.ask(query.as_bytes()).await.is_err());
    }
}

#[tokio::test]
async fn an_ended_service_is_refused_and_a_namesake_has_nothing_of_it() {
    let (world, ann) = world().await;
    let (old, secret) = service(&world, "etl", ann).await;
    let group = world.group("loaders").await;
    let member = Member::Service(old);
    let permit = world.permit(api::AddMember, MembershipEdge { member, group });
    let Made::Now(_) = world.directory.add_member(permit, None).await.unwrap() else { panic!("nothing obliges") };
    assert_eq!(world.directory.members_of(group).await.unwrap()[0].member, member);
    let token = token(&world, "etl", &secret).await.unwrap();
    verify(&world, &token).await.unwrap();
    let permit = world.permit(api::EndService, old);
    world.directory.end_service(permit, Some("switched off".to_owned())).await.unwrap();
    assert!(matches!(verify(&world, &token).await, Err(TokenFault::Rejected { .. })));
    assert!(world.directory.0.access.epochs().of(EpochKey::Service { service: old }).is_some(), "its sessions are cut");
    assert!(self::token(&world, "etl", &secret).await.err().unwrap().starts_with("invalid_client"));
    assert!(self::token(&world, old, &secret).await.err().unwrap().starts_with("invalid_client"));
    let (new, _) = service(&world, "etl", ann).await;
    assert_ne!(new, old);
    assert!(self::token(&world, "etl", &secret).await.is_err(), "the secret was the other's");
    assert!(world.directory.members_of(group).await.unwrap().is_empty());
    assert!(world.directory.memberships_of(Member::Service(new)).await.unwrap().is_empty());
    let permit = world.permit(api::AddMember, MembershipEdge { member, group });
    assert!(matches!(world.directory.add_member(permit, None).await, Err(Error::NotFound { .. })));
    for refused in [
        world.directory.end_service(world.permit(api::EndService, old), None).await,
        world.directory.change_service(world.permit(api::ChangeService, old), ServiceChange::default()).await,
        world.directory.renew_service_secret(world.permit(api::RenewServiceSecret, old), None).await.map(drop),
    ] {
        assert!(matches!(refused, Err(Error::NotFound { .. })), "{refused:?}");
    }
    // What it was called stays known, for what is told of it.
    assert_eq!(world.directory.service_name(old).await.unwrap().as_deref(), Some("etl"));
}

#[tokio::test]
async fn a_new_secret_stops_the_old_one_and_cuts_what_came_of_it() {
    let (world, ann) = world().await;
    let (id, old) = service(&world, "etl", ann).await;
    let before = verify(&world, &token(&world, "etl", &old).await.unwrap()).await.unwrap();
    let permit = world.permit(api::RenewServiceSecret, id);
    let (new, made) = world.directory.renew_service_secret(permit, Some("leaked".to_owned())).await.unwrap();
    assert!(matches!(made, Made::Now(())));
    assert!(token(&world, "etl", &old).await.err().unwrap().starts_with("invalid_client"));
    let after = verify(&world, &token(&world, "etl", &new).await.unwrap()).await.unwrap();
    let epochs = world.directory.0.access.epochs();
    let cut = |token: &VerifiedToken| epochs.cut_of(EpochKey::Service { service: id }, &token.auth).is_some();
    assert!(cut(&before) && !cut(&after));
}

// Who renews a secret could act as the machine: where it reaches data, that is a second person's to approve, as for a password.
// verifies: IAM-02
#[tokio::test]
async fn finding_one_administrator_alone_does_not_reach_data_by_a_service() {
    let (world, ann) = world().await;
    let (bob, eve) = (world.person("bob").await, world.person("eve").await);
    let (first, second) = (signed_in(&world, bob), signed_in(&world, eve));
    let (id, old) = service(&world, "etl", ann).await;
    let renew = async || {
        let permit = world.permit(api::RenewServiceSecret, id).given_to(Arc::clone(&first), true);
        world.directory.renew_service_secret(permit, Some("lost".to_owned())).await
    };
    let (new, Made::Waits(asked)) = renew().await.unwrap() else { panic!("it must wait") };
    assert_eq!((asked.proposed.service(), asked.proposed.person()), (Some(id), None));
    token(&world, "etl", &old).await.unwrap();
    assert!(token(&world, "etl", &new).await.is_err(), "not before somebody else agreed");
    assert!(matches!(approve(&world, &asked, &first).await, Err(Error::SameApprover)));
    approve(&world, &asked, &second).await.unwrap();
    assert!(token(&world, "etl", &old).await.is_err());
    token(&world, "etl", &new).await.unwrap();
    let facts = world.store.read(move |txn| txn.facts_of(asked.id.uuid())).await.unwrap();
    assert!(facts.iter().all(|fact| fact.body["service"] == json!(id)));
    // A membership, too; and what the second person was shown must still hold.
    let group = world.group("readers").await;
    let edge = MembershipEdge { member: Member::Service(id), group };
    let permit = world.permit(api::AddMember, edge).given_to(Arc::clone(&first), true);
    let Made::Waits(asked) = world.directory.add_member(permit, None).await.unwrap() else { panic!("it must wait") };
    assert_eq!(asked.proposed.service(), Some(id));
    let change = ServiceChange { name: None, owner: Some(bob) };
    world.directory.change_service(world.permit(api::ChangeService, id), change).await.unwrap();
    assert!(matches!(approve(&world, &asked, &second).await, Err(Error::RenamedMeanwhile)));
    assert!(world.directory.members_of(group).await.unwrap().is_empty());
}

// verifies: AUD-02
#[tokio::test]
async fn a_sign_in_of_a_service_is_in_the_ledger_under_the_id_of_its_token() {
    let (world, ann) = world().await;
    let (id, secret) = service(&world, "etl", ann).await;
    let token = token(&world, "etl", &secret).await.unwrap();
    let verified = verify(&world, &token).await.unwrap();
    let pending = world.store.pending_page(1000).await.unwrap();
    let entries = pending.iter().map(|row| ledger::Entry::decode(&row.bytes).unwrap());
    let found: Vec<_> = entries.filter(|entry| entry.event_name == "ServiceSignIn").collect();
    let [entry] = found.as_slice() else { panic!("{} entries", found.len()) };
    assert_eq!(json!(entry.event_id), verified.claims["jti"]);
    assert_eq!((entry.user_identity.kind, entry.user_identity.service), (ledger::IdentityKind::Service, Some(id)));
    assert!(entry.resources[0].arn.to_string().ends_with(&format!(":service/{id}")));
    let custody = &world.directory.0.custody;
    let opened = custody.open_blob(id, &entry.sealed[0].blob).await.unwrap().unwrap();
    let opened: serde_json::Value = serde_json::from_slice(opened.expose()).unwrap();
    assert_eq!((&opened["source_identity"], &opened["source_ip"]), (&json!(id), &json!("192.0.2.7")));
    let text = String::from_utf8(entry.encode().unwrap()).unwrap();
    assert!(!text.contains("192.0.2.7") && !text.contains(secret.expose().as_str()));
}
