//! The provider's flows: codes, refresh, device, and what the tokens say.

use super::*;
use crate::provider::{Answer, CODE_LASTS, ID_TOKEN_LASTS, Refused, Tokens};
use access::assume::{IdentityTokens, TokenFault};
use protocols::oidc::{DeviceRequest, TokenRequest};
use url::Url;

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn query(extra: &str) -> String {
    format!(
        "response_type=code&client_id=galen-cli&redirect_uri=http%3A%2F%2F127.0.0.1%3A5000%2Fcallback&state=st&nonce=no\
         &scope=openid+profile+email+groups+offline_access&code_challenge={CHALLENGE}&code_challenge_method=S256{extra}"
    )
}

async fn world() -> World {
    let world = World::new().await;
    world.client(cli()).await;
    world.client(aws()).await;
    world.person("ann").await;
    world
}

fn param(url: &str, name: &str) -> Option<String> {
    Url::parse(url).unwrap().query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

pub(super) async fn code(world: &World) -> String {
    let (sign_in, _) = world.provider.sign_in(&world.op(), "ann", &password(PASSWORD)).await.unwrap();
    let asked = world.provider.ask(query("").as_bytes()).await.unwrap();
    let Answer::Redirect(url) = world.provider.grant(&asked, &sign_in).await.unwrap() else { panic!() };
    assert!(url.starts_with("http://127.0.0.1:5000/callback?"));
    assert_eq!((param(&url, "state").as_deref(), param(&url, "iss").as_deref()), (Some("st"), Some(ISSUER)));
    param(&url, "code").unwrap()
}

async fn token(world: &World, body: &str) -> Result<Tokens, String> {
    let request = TokenRequest::parse(body.as_bytes(), None).map_err(|error| error.to_string())?;
    world.provider.token(&world.op(), request).await.map_err(|error| error.to_string())
}

pub(super) async fn exchange(world: &World, code: &str) -> Result<Tokens, String> {
    let body =
        "grant_type=authorization_code&client_id=galen-cli&redirect_uri=http%3A%2F%2F127.0.0.1%3A5000%2Fcallback";
    token(world, &format!("{body}&code={code}&code_verifier={VERIFIER}")).await
}

pub(super) async fn refresh(world: &World, tokens: &Tokens, extra: &str) -> Result<Tokens, String> {
    let refresh = tokens.refresh_token.as_ref().unwrap().expose().clone();
    token(world, &format!("grant_type=refresh_token&client_id=galen-cli&refresh_token={refresh}{extra}")).await
}

fn id_token(tokens: &Tokens) -> &str {
    tokens.id_token.as_ref().unwrap().expose()
}

#[tokio::test]
async fn a_code_gives_tokens_that_say_who() {
    let world = world().await;
    let ann = world.directory.resolve_person("ann").await.unwrap();
    let group = world.group("g").await;
    world.given.groups.lock().unwrap().insert(ann, vec![group]);
    let tokens = exchange(&world, &code(&world).await).await.unwrap();
    let verified = world.provider.verify(id_token(&tokens), world.effects.now()).await.unwrap();
    assert_eq!((verified.person, verified.audience.as_str()), (Some(ann), "galen-cli"));
    assert_eq!(verified.handle.as_str(), "ann@example.com");
    assert_eq!(verified.auth.amr, ["pwd"]);
    let claim = |name: &str| verified.claims.get(name).cloned().unwrap();
    assert_eq!((claim("nonce"), claim("email")), ("no".into(), "ann@example.com".into()));
    assert_eq!(claim("groups"), serde_json::json!([group]));
    assert!(!verified.claims.contains_key("https://aws.amazon.com/source_identity"));
    let info = world.provider.userinfo(tokens.access_token.expose()).await.unwrap();
    assert_eq!((&info["sub"], &info["name"]), (&serde_json::json!(ann), &serde_json::json!("Ann Onym")));
    // One kind of token is never taken for another.
    assert!(world.provider.userinfo(id_token(&tokens)).await.is_err());
    assert!(world.provider.verify(tokens.access_token.expose(), world.effects.now()).await.is_err());
    world.pass(ID_TOKEN_LASTS);
    let expired = world.provider.verify(id_token(&tokens), world.effects.now()).await;
    assert!(matches!(expired, Err(TokenFault::Expired { .. })));
}

#[tokio::test]
async fn a_token_that_was_taken_is_refused_from_the_change_on() {
    let world = world().await;
    let ann = world.directory.resolve_person("ann").await.unwrap();
    let tokens = exchange(&world, &code(&world).await).await.unwrap();
    let verify = async || world.provider.verify(id_token(&tokens), world.effects.now()).await;
    for _ in 0..2 {
        assert_eq!(verify().await.unwrap().person, Some(ann));
    }
    let permit = world.permit(access::api::DeactivatePerson, ann);
    world.directory.deactivate(permit, None).await.unwrap();
    assert!(matches!(verify().await, Err(TokenFault::Rejected { .. })));
}

#[tokio::test]
async fn a_replayed_code_is_refused_and_cuts_its_tokens() {
    let world = world().await;
    let code = code(&world).await;
    let tokens = exchange(&world, &code).await.unwrap();
    assert!(exchange(&world, &code).await.err().unwrap().starts_with("invalid_grant: the code was used before"));
    let rejected = world.provider.verify(id_token(&tokens), world.effects.now()).await;
    assert!(matches!(rejected, Err(TokenFault::Rejected { .. })));
    assert!(world.provider.userinfo(tokens.access_token.expose()).await.is_err());
    assert!(refresh(&world, &tokens, "").await.err().unwrap().contains("was cut"));
}

#[tokio::test]
async fn a_wrong_verifier_client_or_redirect_burns_the_code() {
    let world = world().await;
    let sound = |code: &str| {
        format!(
            "grant_type=authorization_code&client_id=galen-cli&redirect_uri=http%3A%2F%2F127.0.0.1%3A5000%2Fcallback&code={code}&code_verifier={VERIFIER}"
        )
    };
    for (from, to, why) in [
        ("dBjft", "eBjft", "code_verifier"),
        ("5000", "5001", "redirect_uri"),
        ("galen-cli", "galen-aws", "another client"),
    ] {
        let code = code(&world).await;
        assert!(token(&world, &sound(&code).replace(from, to)).await.err().unwrap().contains(why), "{why}");
        assert!(token(&world, &sound(&code)).await.err().unwrap().contains("used before"), "{why}");
    }
    let late = code(&world).await;
    world.pass(CODE_LASTS);
    assert!(exchange(&world, &late).await.err().unwrap().contains("expired"));
}

#[tokio::test]
async fn a_reused_refresh_token_cuts_the_family() {
    let world = world().await;
    let first = exchange(&world, &code(&world).await).await.unwrap();
    let second = refresh(&world, &first, "").await.unwrap();
    assert!(refresh(&world, &first, "").await.err().unwrap().contains("used before"));
    assert!(refresh(&world, &second, "").await.err().unwrap().contains("was cut"));
    let rejected = world.provider.verify(id_token(&second), world.effects.now()).await;
    assert!(matches!(rejected, Err(TokenFault::Rejected { .. })));
}

/// An ID token names its family: whoever reads one must not be able to end the sign-in that it came from.
#[tokio::test]
async fn a_refresh_token_that_was_never_given_out_cuts_nothing() {
    let world = world().await;
    let tokens = exchange(&world, &code(&world).await).await.unwrap();
    let real = tokens.refresh_token.as_ref().unwrap().expose();
    let parts: Vec<&str> = real.split('.').collect();
    for forged in [
        format!("{}.{}", parts[0], parts[2]),
        format!("{}.{}.{}", parts[0], parts[2], parts[2]),
        format!("{}..{}", parts[0], parts[2]),
        format!("{}.x.x", parts[0]),
    ] {
        let body = format!("grant_type=refresh_token&client_id=galen-cli&refresh_token={forged}");
        assert!(token(&world, &body).await.err().unwrap().contains("not known"), "{forged}");
    }
    let next = refresh(&world, &tokens, "").await.unwrap();
    world.provider.verify(id_token(&next), world.effects.now()).await.unwrap();
}

#[tokio::test]
async fn an_audience_is_limited_by_the_clients_list() {
    let world = world().await;
    world.given.roles.lock().unwrap().push("arn:aws:iam::000000000042:role/analyst".to_owned());
    let first = exchange(&world, &code(&world).await).await.unwrap();
    assert!(refresh(&world, &first, "&audience=other").await.err().unwrap().starts_with("invalid_target"));
    let second = refresh(&world, &first, "&audience=galen-aws").await.unwrap();
    let verified = world.provider.verify(id_token(&second), world.effects.now()).await.unwrap();
    assert_eq!(verified.audience, "galen-aws");
    assert_eq!(verified.client, Some(world.directory.resolve_client("galen-aws").await.unwrap().id));
    let claim = |name: &str| verified.claims.get(name).cloned().unwrap();
    assert_eq!(claim("azp"), "galen-cli");
    assert_eq!(claim("https://aws.amazon.com/source_identity"), "ann@example.com");
    assert_eq!(claim("https://aws.amazon.com/roles"), serde_json::json!(["arn:aws:iam::000000000042:role/analyst"]));
    assert_eq!(claim("https://aws.amazon.com/tags/principal_tags/PersonId"), claim("sub"));
    assert_eq!(claim("https://aws.amazon.com/tags")["principal_tags"]["PersonId"], serde_json::json!([claim("sub")]));
    assert!(!verified.claims.contains_key("nonce"));
}

// verifies: SIG-02
#[tokio::test]
async fn prompt_and_max_age_are_kept() {
    let world = world().await;
    let (sign_in, _) = world.provider.sign_in(&world.op(), "ann", &password(PASSWORD)).await.unwrap();
    let ask = async |extra: &str| world.provider.ask(query(extra).as_bytes()).await.unwrap();
    let none = world.provider.answer(&ask("&prompt=none").await, None).await;
    let Err(Refused::Redirect(url)) = none else { panic!() };
    assert_eq!(param(&url, "error").unwrap(), "login_required");
    let hub = NewClient {
        client_id: "hub".to_owned(),
        kind: ClientKind::Confidential,
        redirect_uris: vec!["http://127.0.0.1:5000/callback".to_owned()],
        ..cli()
    };
    world.client(hub).await;
    let ask =
        async |extra: &str| world.provider.ask(query(extra).replace("galen-cli", "hub").as_bytes()).await.unwrap();
    world.provider.agree(&world.op(), &ask("").await.client, &sign_in).await.unwrap();
    let answer = async |extra: &str| world.provider.answer(&ask(extra).await, Some(&sign_in)).await.unwrap();
    assert!(matches!(answer("&prompt=none").await, Answer::Redirect(_)));
    assert!(matches!(answer("&prompt=login&login_hint=ann").await, Answer::SignIn { username: Some(_) }));
    assert!(matches!(answer("&max_age=60").await, Answer::Redirect(_)));
    world.pass(Duration::from_secs(61));
    assert!(matches!(answer("&max_age=60").await, Answer::SignIn { .. }));
    assert!(matches!(answer("").await, Answer::Redirect(_)));
}

/// RFC 8252, section 8.6: whoever listens on a loopback port is not known to be the client.
#[tokio::test]
async fn a_live_sign_in_alone_gives_no_code_to_a_loopback_port() {
    let world = world().await;
    let (sign_in, _) = world.provider.sign_in(&world.op(), "ann", &password(PASSWORD)).await.unwrap();
    let ask = async |extra: &str| world.provider.ask(query(extra).as_bytes()).await.unwrap();
    assert_eq!(world.provider.answer(&ask("").await, Some(&sign_in)).await.unwrap(), Answer::Agree);
    let none = world.provider.answer(&ask("&prompt=none").await, Some(&sign_in)).await;
    let Err(Refused::Redirect(url)) = none else { panic!("{none:?}") };
    assert_eq!(param(&url, "error").unwrap(), "consent_required");
    // A question that was answered is no answer to the next one.
    let asked = ask("").await;
    assert!(matches!(world.provider.grant_agreed(&asked, &sign_in).await, Ok(Answer::Redirect(_))));
    assert_eq!(world.provider.answer(&asked, Some(&sign_in)).await.unwrap(), Answer::Agree);
    // Where the address proves the client, and where a secret does, the sign-in is enough.
    assert!(!asked.client.asks_each_time("https://hub.example/callback"));
    assert!(asked.client.asks_each_time("com.example.app:/callback"));
}

#[tokio::test]
async fn unknown_clients_and_redirects_are_never_redirected_to() {
    let world = world().await;
    let refused = async |query: String| world.provider.ask(query.as_bytes()).await.unwrap_err();
    assert!(matches!(refused(query("").replace("galen-cli", "nobody")).await, Refused::Page(_)));
    assert!(matches!(refused(query("").replace("callback", "evil")).await, Refused::Page(_)));
    assert!(matches!(refused(query("").replace("S256", "plain")).await, Refused::Redirect(_)));
}

#[tokio::test]
async fn keys_rotate_and_old_tokens_verify_until_they_expire() {
    let world = world().await;
    let tokens = exchange(&world, &code(&world).await).await.unwrap();
    let before = world.provider.jwks().await.unwrap();
    world
        .provider
        .rotate_keys(world.permit(api::RotateSigningKeys, access::Installation), "yearly".to_owned())
        .await
        .unwrap();
    let after = world.provider.jwks().await.unwrap();
    assert_eq!((before.keys().len(), after.keys().len()), (2, 4));
    world.provider.verify(id_token(&tokens), world.effects.now()).await.unwrap();
    world.pass(2 * ID_TOKEN_LASTS);
    let later = world.provider.jwks().await.unwrap();
    assert_eq!(later.keys().len(), 2);
    assert!(later.keys().iter().all(|key| !before.keys().contains(key)));
}

#[tokio::test]
async fn a_device_signs_in_after_the_person_agreed() {
    let world = world().await;
    let begin = async || {
        let request = DeviceRequest::parse(b"client_id=galen-cli&scope=openid+offline_access", None).unwrap();
        let codes = world.provider.device(request).await.unwrap().to_json();
        (codes["device_code"].as_str().unwrap().to_owned(), codes["user_code"].as_str().unwrap().to_owned())
    };
    let (device, user) = begin().await;
    let poll = async |device: &str| {
        let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&client_id=galen-cli";
        token(&world, &format!("{grant}&device_code={device}")).await
    };
    assert!(poll(&device).await.err().unwrap().starts_with("authorization_pending"));
    assert!(poll(&device).await.err().unwrap().starts_with("slow_down"));
    let (sign_in, _) = world.provider.sign_in(&world.op(), "ann", &password(PASSWORD)).await.unwrap();
    assert!(world.provider.device_asked(&sign_in, "BBBB-BBBB").await.is_err());
    let asked = world.provider.device_asked(&sign_in, &user.to_lowercase()).await.unwrap();
    assert_eq!(asked.client, "Galen command line");
    world.provider.device_decide(&world.op(), &sign_in, &user, true).await.unwrap();
    let tokens = poll(&device).await.unwrap();
    world.provider.verify(id_token(&tokens), world.effects.now()).await.unwrap();
    assert!(refresh(&world, &tokens, "").await.is_ok());
    assert!(poll(&device).await.err().unwrap().starts_with("expired_token"));
    let (device, user) = begin().await;
    world.provider.device_decide(&world.op(), &sign_in, &user, false).await.unwrap();
    assert!(poll(&device).await.err().unwrap().starts_with("access_denied"));
    for _ in 0..20 {
        world.provider.device_asked(&sign_in, "BBBB-BBBB").await.unwrap_err();
    }
    let (_, user) = begin().await;
    assert!(matches!(world.provider.device_asked(&sign_in, &user).await, Err(Error::Busy)));
}

#[tokio::test]
async fn a_cut_person_gets_no_tokens_from_an_older_sign_in() {
    let world = world().await;
    let ann = world.directory.resolve_person("ann").await.unwrap();
    let (code, other) = (code(&world).await, code(&world).await);
    let tokens = exchange(&world, &other).await.unwrap();
    let cut = EpochKey::Person { person: ann };
    world.store.write(base::Actor::System, move |txn| access::epoch::raise(txn, cut, None)).await.unwrap();
    assert!(exchange(&world, &code).await.err().unwrap().contains("cut meanwhile"));
    assert!(refresh(&world, &tokens, "").await.err().unwrap().contains("cut"));
}

#[tokio::test]
async fn a_confidential_client_proves_itself() {
    let world = world().await;
    let hub = NewClient {
        client_id: "hub".to_owned(),
        kind: ClientKind::Confidential,
        redirect_uris: vec!["https://hub.example/cb".to_owned()],
        groups: GroupClaim::Names,
        ..cli()
    };
    let secret = world.client(hub).await.unwrap();
    let refused = async |extra: &str| {
        let body = format!("grant_type=refresh_token&refresh_token=x&client_id=hub{extra}");
        token(&world, &body).await.err().unwrap()
    };
    assert!(refused("").await.starts_with("invalid_client"));
    assert!(refused("&client_secret=wrong").await.starts_with("invalid_client"));
    assert!(refused(&format!("&client_secret={}", secret.expose())).await.starts_with("invalid_grant"));
    let id = world.directory.resolve_client("hub").await.unwrap().id;
    let renewed = world.directory.renew_client_secret(world.permit(api::ChangeClient, id)).await.unwrap();
    assert!(refused(&format!("&client_secret={}", secret.expose())).await.starts_with("invalid_client"));
    assert!(refused(&format!("&client_secret={}", renewed.expose())).await.starts_with("invalid_grant"));
    world.directory.end_client(world.permit(api::EndClient, id), None).await.unwrap();
    assert!(refused("").await.starts_with("invalid_client"));
}

async fn sign_in_of(world: &World, tokens: &Tokens) -> EpochKey {
    let verified = world.provider.verify(id_token(tokens), world.effects.now()).await.unwrap();
    EpochKey::SignIn { sign_in: verified.sign_in.unwrap() }
}

#[tokio::test]
async fn a_reused_refresh_token_cuts_the_sign_in_and_its_role_sessions() {
    let world = world().await;
    let stolen = exchange(&world, &code(&world).await).await.unwrap();
    let other = exchange(&world, &code(&world).await).await.unwrap();
    let aws = refresh(&world, &stolen, "&audience=galen-aws").await.unwrap();
    let (cut, spared) = (sign_in_of(&world, &aws).await, sign_in_of(&world, &other).await);
    refresh(&world, &stolen, "").await.err().unwrap();
    let epochs = &world.given.epochs;
    assert!(epochs.of(cut).is_some(), "every session carries its sign-in: what was made from the token is cut");
    assert!(epochs.of(spared).is_none(), "another sign-in of the person goes on");
    refresh(&world, &other, "").await.unwrap();
}

#[tokio::test]
async fn a_replayed_code_cuts_the_sign_in() {
    let world = world().await;
    let code = code(&world).await;
    let tokens = exchange(&world, &code).await.unwrap();
    let sign_in = sign_in_of(&world, &tokens).await;
    assert_eq!(world.given.epochs.of(sign_in), None);
    exchange(&world, &code).await.err().unwrap();
    assert!(world.given.epochs.of(sign_in).is_some());
}

#[tokio::test]
async fn signing_out_cuts_what_came_of_the_sign_in() {
    let world = world().await;
    let (sign_in, cookie) = world.provider.sign_in(&world.op(), "ann", &password(PASSWORD)).await.unwrap();
    let asked = world.provider.ask(query("").as_bytes()).await.unwrap();
    let Answer::Redirect(url) = world.provider.grant(&asked, &sign_in).await.unwrap() else { panic!() };
    let tokens = exchange(&world, &param(&url, "code").unwrap()).await.unwrap();
    world.directory.sign_out(&world.op(), &cookie).await.unwrap();
    assert!(world.given.epochs.of(EpochKey::SignIn { sign_in: sign_in.id }).is_some());
    assert!(refresh(&world, &tokens, "").await.err().unwrap().contains("cut"));
    assert!(world.provider.userinfo(tokens.access_token.expose()).await.is_err());
}

#[tokio::test]
async fn no_request_follows_what_a_token_names() {
    let world = world().await;
    let trap = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let url = format!("http://{}", trap.local_addr().unwrap());
    let part =
        |text: &serde_json::Value| base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, text.to_string());
    let claims =
        serde_json::json!({"iss": url, "sub": "ann", "aud": "galen-aws", "exp": 4_000_000_000_u64, "auth_time": 1});
    for name in ["jku", "x5u", "jwk", "kid"] {
        let header = serde_json::json!({"alg": "RS256", "typ": "JWT", "kid": "k", name: url});
        let token = format!("{}.{}.{}", part(&header), part(&claims), part(&url.clone().into()));
        assert!(world.provider.verify(&token, world.effects.now()).await.is_err(), "{name}");
    }
    let seen = trap.accept();
    assert_eq!(seen.unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "somebody asked what the token named");
}

#[tokio::test]
async fn a_client_that_changed_is_agreed_to_anew() {
    let world = world().await;
    let hub = NewClient { client_id: "hub".to_owned(), audiences: Vec::new(), ..cli() };
    world.client(hub).await;
    let (sign_in, _) = world.provider.sign_in(&world.op(), "ann", &password(PASSWORD)).await.unwrap();
    let ask = async || {
        let asked = world.provider.ask(query("").replace("galen-cli", "hub").as_bytes()).await.unwrap();
        let answer = world.provider.grant(&asked, &sign_in).await.unwrap();
        (asked, answer)
    };
    let (asked, answer) = ask().await;
    assert_eq!(answer, Answer::Agree);
    world.provider.agree(&world.op(), &asked.client, &sign_in).await.unwrap();
    let Answer::Redirect(url) = ask().await.1 else { panic!("agreed") };
    let body = "grant_type=authorization_code&client_id=hub&redirect_uri=http%3A%2F%2F127.0.0.1%3A5000%2Fcallback";
    let code = param(&url, "code").unwrap();
    let tokens = token(&world, &format!("{body}&code={code}&code_verifier={VERIFIER}")).await.unwrap();
    // More audiences: neither a new code nor the old refresh token gets them before the person agreed again.
    let more = ClientChange { audiences: Some(vec!["galen-aws".to_owned()]), ..ClientChange::default() };
    world.directory.change_client(world.permit(api::ChangeClient, asked.client.id), more).await.unwrap();
    let refresh = tokens.refresh_token.as_ref().unwrap().expose().clone();
    let body = format!("grant_type=refresh_token&client_id=hub&refresh_token={refresh}&audience=galen-aws");
    assert!(token(&world, &body).await.err().unwrap().starts_with("invalid_target"));
    let (asked, answer) = ask().await;
    assert_eq!(answer, Answer::Agree);
    world.provider.agree(&world.op(), &asked.client, &sign_in).await.unwrap();
    let tokens = token(&world, &body).await.unwrap();
    // Taken back: nothing of it counts any more.
    assert_eq!(world.provider.agreements(sign_in.person).await.unwrap(), std::slice::from_ref(&asked.client));
    world.provider.take_back(&world.op(), asked.client.id, &sign_in).await.unwrap();
    assert!(
        world
            .provider
            .verify(id_token(&tokens), world.effects.now())
            .await
            .is_ok_and(|read| { world.given.cut(sign_in.person, sign_in.id, &read.auth).is_some() })
    );
    assert!(world.provider.agreements(sign_in.person).await.unwrap().is_empty());
}

#[tokio::test]
async fn galens_own_clients_are_not_turned_to_another_address() {
    let world = world().await;
    let cli = world.directory.resolve_client("galen-cli").await.unwrap().id;
    let elsewhere = ClientChange {
        redirect_uris: Some(vec!["https://elsewhere.example/callback".to_owned()]),
        ..ClientChange::default()
    };
    let changed = world.directory.change_client(world.permit(api::ChangeClient, cli), elsewhere).await;
    assert!(matches!(changed, Err(Error::OwnClient { .. })), "{changed:?}");
    let ended = world.directory.end_client(world.permit(api::EndClient, cli), None).await;
    assert!(matches!(ended, Err(Error::OwnClient { .. })), "{ended:?}");
    // Nor does another client ask for tokens that manage the installation, at its making or later.
    let greedy =
        || NewClient { client_id: "greedy".to_owned(), audiences: vec!["galen-cli".to_owned()], ..super::cli() };
    let permit = world.permit(api::CreateClient, access::Installation);
    assert!(matches!(world.directory.register_client(permit, greedy()).await, Err(Error::BadClient { .. })));
    world.client(NewClient { audiences: Vec::new(), ..greedy() }).await;
    let id = world.directory.resolve_client("greedy").await.unwrap().id;
    let more = ClientChange { audiences: Some(greedy().audiences), ..ClientChange::default() };
    let changed = world.directory.change_client(world.permit(api::ChangeClient, id), more).await;
    assert!(matches!(changed, Err(Error::BadClient { .. })), "{changed:?}");
}

#[tokio::test]
async fn no_token_names_groups_from_a_state_older_than_the_bound() {
    let world = world().await;
    let tokens = exchange(&world, &code(&world).await).await.unwrap();
    let unused = code(&world).await;
    world.given.stale.store(true, Ordering::Relaxed);
    for refused in [exchange(&world, &unused).await, refresh(&world, &tokens, "").await] {
        assert!(refused.err().unwrap().contains("too old"));
    }
    assert!(world.provider.userinfo(tokens.access_token.expose()).await.is_err());
    // Nothing was used up by the refusal.
    world.given.stale.store(false, Ordering::Relaxed);
    exchange(&world, &unused).await.unwrap();
    refresh(&world, &tokens, "").await.unwrap();
}
