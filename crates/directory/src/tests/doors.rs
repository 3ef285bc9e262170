//! What people do at the doors, by a password or a cookie, is recorded as whole as what they do by a permit.

use super::flows::{code, exchange, refresh};
use super::*;
use ledger::{Entry, EventType, IdentityKind, Phase};
use protocols::oidc::DeviceRequest;
use serde_json::{Value, json};

/// An act's name, who did it, and the type in the ARN of what it was done to.
type Act<'a> = (&'a str, IdentityKind, &'a str);

async fn entries(world: &World, name: &str) -> Vec<Entry> {
    let pending = world.store.pending_page(1000).await.unwrap();
    let entries = pending.iter().map(|row| Entry::decode(&row.bytes).unwrap());
    entries.filter(|entry| entry.event_name == name).collect()
}

/// Every field that an auditor asks for, in the only entry of an act.
/// `values` are the old and the new value of each thing that it changed.
async fn whole(world: &World, person: PersonId, (name, by, object): Act<'_>, expected: &[(Value, Value)]) {
    let found = entries(world, name).await;
    let [entry] = found.as_slice() else { panic!("{name} left {} entries", found.len()) };
    let what = format!("{entry:#?}");
    assert_eq!((entry.phase, entry.event_type), (Phase::Change, EventType::GalenSignIn), "{what}");
    assert_eq!(entry.user_identity.kind, by, "{what}");
    assert_eq!(entry.user_identity.person, (by == IdentityKind::Person).then_some(person), "{what}");
    assert!(entry.request_id.is_some() && entry.aws_region.is_some() && entry.change.is_some(), "{what}");
    let arn = entry.resources[0].arn.to_string();
    assert!(arn.contains(&format!(":{}/", object)), "{what}");
    assert_eq!(entry.sealed[0].subject, person.to_string(), "{what}");
    let custody = &world.directory.0.custody;
    let opened = custody.open_blob(person, &entry.sealed[0].blob).await.unwrap().unwrap();
    let opened: Value = serde_json::from_slice(opened.expose()).unwrap();
    assert_eq!(opened["source_identity"], "ann@example.com", "{opened}");
    assert_eq!((&opened["source_ip"], &opened["user_agent"]), (&json!("192.0.2.7"), &json!("a browser")), "{opened}");
    for personal in ["192.0.2.7", "ann@example.com", "a browser"] {
        assert!(!String::from_utf8(entry.encode().unwrap()).unwrap().contains(personal), "{what}");
    }
    let data: Value = entry.additional_event_data.as_ref().unwrap().read().unwrap();
    let values = data["values"].as_array().unwrap();
    assert_eq!(values.len(), expected.len(), "{values:#?}");
    for (value, (old, new)) in values.iter().zip(expected) {
        let part = |whole: &Value, of: &Value| match of {
            Value::Object(of) => of.iter().all(|(name, value)| whole.get(name) == Some(value)),
            of => whole == of,
        };
        assert!(part(&value["old"], old) && part(&value["new"], new), "{value} is not {old} -> {new}");
        assert!(value["kind"].is_string() && value["subject"].is_string(), "{value}");
    }
}

async fn ann() -> (World, PersonId) {
    let world = World::new().await;
    world.client(cli()).await;
    let ann = world.person("ann").await;
    (world, ann)
}

// verifies: AUD-02
#[tokio::test]
async fn a_password_of_ones_own_is_recorded_whole() {
    let world = World::new().await;
    let ann = world.person("ann").await;
    let (old, own) = (password(PASSWORD), password("an own and longer one"));
    world.provider.choose_password(&world.op(), "ann", &old, &own).await.unwrap();
    let changed = (json!({}), json!({"attributes": [["password", ""]]}));
    // The password, and the cut of everything that was open.
    let values = [changed, (Value::Null, json!({}))];
    whole(&world, ann, ("PasswordChosen", IdentityKind::Person, "person"), &values).await;
    let entry = entries(&world, "PasswordChosen").await.remove(0);
    assert_eq!(entry.change.unwrap().reason.as_deref(), Some("chosen by the person"));
}

// verifies: AUD-02
#[tokio::test]
async fn signing_in_and_out_and_a_lockout_are_recorded_whole() {
    let (world, ann) = ann().await;
    let (_, cookie) = world.provider.sign_in(&world.op(), "ann", &password(PASSWORD)).await.unwrap();
    let by_person = |name| (name, IdentityKind::Person, "person");
    let values = [(Value::Null, json!({"amr": ["pwd"], "acr": ACR_PASSWORD}))];
    whole(&world, ann, by_person("SignIn"), &values).await;
    world.directory.sign_out(&world.op(), &cookie).await.unwrap();
    let cut = (Value::Null, json!({}));
    whole(&world, ann, by_person("SignOut"), &[(json!({}), Value::Null), cut]).await;
    for _ in 0..=FAILURES_MAX {
        world.directory.authenticate(&world.op(), "ann", &password("not the password")).await.unwrap_err();
    }
    let values = [(json!({"lockedUntil": null}), json!({}))];
    whole(&world, ann, ("SignInLocked", IdentityKind::System, "person"), &values).await;
}

// verifies: AUD-02
#[tokio::test]
async fn a_sign_in_in_place_of_another_is_recorded_whole() {
    let (world, ann) = ann().await;
    let (_, cookie) = world.provider.sign_in(&world.op(), "ann", &password(PASSWORD)).await.unwrap();
    world.directory.end_sign_in(&world.op(), &cookie).await.unwrap();
    let values = [(json!({}), Value::Null)];
    whole(&world, ann, ("SignInReplaced", IdentityKind::Person, "person"), &values).await;
}

// verifies: AUD-02
#[tokio::test]
async fn an_agreement_and_its_end_are_recorded_whole() {
    let (world, ann) = ann().await;
    let other = NewClient { client_id: "notebook".to_owned(), name: "Notebook".to_owned(), ..cli() };
    world.client(other).await;
    let client = world.directory.resolve_client("notebook").await.unwrap();
    let (sign_in, _) = world.provider.sign_in(&world.op(), "ann", &password(PASSWORD)).await.unwrap();
    world.provider.agree(&world.op(), &client, &sign_in).await.unwrap();
    let by_person = |name| (name, IdentityKind::Person, "client");
    whole(&world, ann, by_person("ClientAgreed"), &[(Value::Null, json!({}))]).await;
    world.provider.take_back(&world.op(), client.id, &sign_in).await.unwrap();
    let cut = (Value::Null, json!({}));
    whole(&world, ann, by_person("ClientAgreementTakenBack"), &[(json!({}), Value::Null), cut]).await;
}

// verifies: AUD-02
#[tokio::test]
async fn the_answer_to_a_device_is_recorded_whole() {
    let (world, ann) = ann().await;
    let (sign_in, _) = world.provider.sign_in(&world.op(), "ann", &password(PASSWORD)).await.unwrap();
    for (yes, name, answer) in [(true, "DeviceApproved", "approved"), (false, "DeviceRefused", "refused")] {
        let asked = DeviceRequest::parse(b"client_id=galen-cli&scope=openid", None).unwrap();
        let codes = world.provider.device(asked).await.unwrap().to_json();
        let user = codes["user_code"].as_str().unwrap();
        world.provider.device_decide(&world.op(), &sign_in, user, yes).await.unwrap();
        let values = [(json!({"state": "waiting"}), json!({"state": answer}))];
        whole(&world, ann, (name, IdentityKind::Person, "client"), &values).await;
    }
}

// verifies: AUD-01, AUD-02
#[tokio::test]
async fn the_cut_after_a_code_or_token_was_used_twice_is_recorded_whole() {
    for refreshed in [false, true] {
        let (world, ann) = ann().await;
        let code = code(&world).await;
        let tokens = exchange(&world, &code).await.unwrap();
        if refreshed {
            refresh(&world, &tokens, "").await.unwrap();
            refresh(&world, &tokens, "").await.err().unwrap();
        } else {
            exchange(&world, &code).await.err().unwrap();
        }
        let values = [(Value::Null, json!({}))];
        whole(&world, ann, ("SignInCut", IdentityKind::System, "person"), &values).await;
    }
}

// verifies: AUD-02
#[tokio::test]
async fn tokens_that_a_client_revokes_are_recorded_whole() {
    let (world, ann) = ann().await;
    let tokens = exchange(&world, &code(&world).await).await.unwrap();
    let client = protocols::oidc::ClientAuth { client_id: "galen-cli".to_owned(), secret: None, basic: false };
    world.provider.revoke(&world.op(), &client, tokens.refresh_token.as_ref().unwrap()).await.unwrap();
    let values = [(json!({"cut": null}), json!({"cut": "the client revoked it"}))];
    whole(&world, ann, ("TokensRevoked", IdentityKind::System, "person"), &values).await;
}
