//! The provider over HTTP, on a real store: whole flows, and what is refused.

mod agree;

use super::*;
use access::{AuthPosition, Permit, api};
use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use base::{AccountId, ClientId, Clock, GroupId, Ids, NodeId, PersonId, Secret, SignInId, Timestamp};
use crypto::{Crypto, SystemEntropy};
use custody::{Custody, Seal, SoftwareToken, SoftwareTokenOptions};
use directory::{ClientKind, Directory, Entitlements, FAILURES_MAX, GroupClaim, NewClient, NewPerson};
use protocols::peer::Peer;
use std::{
    sync::atomic::{AtomicI64, AtomicU32, Ordering},
    time::Duration,
};
use store::{Options, Store};
use tower::ServiceExt;
use url::Url;

const ISSUER: &str = "http://127.0.0.1:8080";
const PASSWORD: &str = "correct horse battery";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const REDIRECT: &str = "http://127.0.0.1:5000/callback";
/// An application that proves itself with a secret, to which the people of these tests agree.
const HUB: (&str, &str) = ("client_id", "study-hub");

struct Hand(AtomicI64);
impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.fetch_add(1, Ordering::Relaxed)).unwrap()
    }
    fn monotonic(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.load(Ordering::Relaxed)).unwrap())
    }
}

struct Nobody;
#[async_trait::async_trait]
impl Entitlements for Nobody {
    async fn fresh(&self) -> bool {
        true
    }
    fn groups_of(&self, _: PersonId) -> Vec<GroupId> {
        Vec::new()
    }
    fn roles_of(&self, _: access::Member, _: ClientId) -> Vec<String> {
        Vec::new()
    }
    fn position(&self) -> u64 {
        0
    }
    fn cut(&self, _: PersonId, _: SignInId, _: &AuthPosition) -> Option<String> {
        None
    }
}

#[derive(Default)]
struct Counted(AtomicU32);
impl SignInFailures for Counted {
    fn failed(&self, _: &OpContext) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct World {
    router: Router,
    hand: Arc<Hand>,
    failures: Arc<Counted>,
    /// The secret of the service `etl`.
    etl: Secret<String>,
    _maintenance: access::Maintenance,
    _dir: tempfile::TempDir,
}

/// An answer, read whole.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap()
    }
    fn location(&self) -> Url {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.text);
        Url::parse(self.headers[header::LOCATION].to_str().unwrap()).unwrap()
    }
    fn param(&self, name: &str) -> Option<String> {
        self.location().query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
    fn hidden(&self, name: &str) -> String {
        let tag = format!("<input type=\"hidden\" name=\"{name}\" value=\"");
        let value = self.text.split_once(&tag).unwrap_or_else(|| panic!("{}", self.text)).1.split('"').next().unwrap();
        value.replace("&#38;", "&")
    }
    fn cookies(&self) -> String {
        let set = self.headers.get_all(header::SET_COOKIE).iter();
        set.map(|value| value.to_str().unwrap().split(';').next().unwrap()).collect::<Vec<_>>().join("; ")
    }
    fn alert(&self) -> String {
        let inner = self.text.split_once("role=\"alert\">").unwrap_or_else(|| panic!("{}", self.text)).1;
        inner.split("</").next().unwrap().to_owned()
    }
}

fn encode(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn client(client_id: &str) -> NewClient {
    NewClient {
        client_id: client_id.to_owned(),
        name: "Galen <command> line".to_owned(),
        kind: ClientKind::Public,
        redirect_uris: vec!["http://127.0.0.1/callback".to_owned()],
        post_logout_uris: vec!["http://127.0.0.1:9/bye".to_owned()],
        audiences: Vec::new(),
        es256: false,
        groups: GroupClaim::Ids,
        aws: false,
        device: true,
    }
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let hand = Arc::new(Hand(AtomicI64::new(1_790_000_000_000_000)));
        let effects = Effects { clock: hand.clone(), entropy: Arc::new(SystemEntropy) };
        let node = NodeId::from_uuid(effects.uuid());
        let mut options = Options::sqlite(dir.path().join("store"), "eu-1".parse().unwrap(), node, effects.clone());
        options.folds = [directory::folds(), access::folds()].concat();
        let store = Store::open(options).unwrap();
        let crypto = Crypto::default();
        let seal = Seal::MachineSecret { file: dir.path().join("machine") };
        let (keys, e, c) = (dir.path().join("keys"), effects.clone(), crypto.clone());
        let token = SoftwareToken::init(SoftwareTokenOptions { dir: keys, seal, effects: e, crypto: c }).unwrap();
        let custody = Custody::new(Arc::new(token), store.clone(), effects.clone(), crypto.clone());
        let (account, issuer) = (AccountId::new(42).unwrap(), ISSUER.to_owned());
        let journal = Arc::new(store::conformance::journal(dir.path()));
        let (s, c, e, k) = (store.clone(), custody.clone(), effects.clone(), crypto.clone());
        let region = "eu-1".parse().unwrap();
        let deps = access::Deps { store: s, custody: c, journal, crypto: k, effects: e, region, account };
        let (access, maintenance) = Access::start(deps).await.unwrap();
        let e = effects.clone();
        let directory = Directory::new(directory::Deps {
            store,
            access,
            custody,
            effects: e,
            crypto,
            account,
            issuer,
            second_approval: true,
        });
        let ann = NewPerson {
            username: "ann".parse().unwrap(),
            display_name: "Ann".parse().unwrap(),
            email: "ann@example.com".parse().unwrap(),
            handle: None,
            password: Some(Secret::new(PASSWORD.to_owned())),
            one_time: false,
        };
        let permit = Permit::for_test(api::CreatePerson, access::Installation, None, None, effects.now());
        let ann = directory.create_person(permit, ann).await.unwrap();
        let permit = Permit::for_test(api::CreateService, access::Installation, None, None, effects.now());
        let (_, etl) = directory.create_service(permit, "etl".parse().unwrap(), ann).await.unwrap();
        let permit = Permit::for_test(api::CreateClient, access::Installation, None, None, effects.now());
        directory.register_client(permit, client("galen-cli")).await.unwrap();
        let permit = Permit::for_test(api::CreateClient, access::Installation, None, None, effects.now());
        let aws = NewClient { client_id: "galen-aws".to_owned(), aws: true, ..client("galen-aws") };
        directory.register_client(permit, aws).await.unwrap();
        let permit = Permit::for_test(api::CreateClient, access::Installation, None, None, effects.now());
        let hub = NewClient {
            client_id: HUB.1.to_owned(),
            kind: ClientKind::Confidential,
            redirect_uris: vec![REDIRECT.to_owned()],
            ..client(HUB.1)
        };
        directory.register_client(permit, hub).await.unwrap();
        let failures = Arc::new(Counted::default());
        let provider = Provider::new(directory, Arc::new(Nobody));
        let proxies = TrustedProxies::default();
        let router = router(Deps { provider, failures: failures.clone(), effects, proxies });
        Self { router, hand, failures, etl, _maintenance: maintenance, _dir: dir }
    }

    fn pass(&self, time: Duration) {
        self.hand.0.fetch_add(i64::try_from(time.as_micros()).unwrap(), Ordering::Relaxed);
    }

    async fn send(&self, mut request: Request<Body>) -> Answer {
        request.extensions_mut().insert(Peer { address: "127.0.0.1:7".parse().unwrap(), tls: false });
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
        // Every answer of every route: strict policy, nothing sniffed.
        let policy = parts.headers.get(header::CONTENT_SECURITY_POLICY).map(|value| value.to_str().unwrap());
        if parts.status != StatusCode::METHOD_NOT_ALLOWED && parts.status != StatusCode::PAYLOAD_TOO_LARGE {
            let policy = policy.unwrap();
            assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
        }
        let handlers =
            text.split(" on").skip(1).filter(|rest| rest.trim_start_matches(char::is_alphabetic).starts_with('='));
        assert!(!text.contains("<script") && !text.contains("style=") && handlers.count() == 0, "{text}");
        Answer { status: parts.status, headers: parts.headers, text }
    }

    async fn get(&self, path: &str, cookies: &str) -> Answer {
        self.send(Request::get(path).header(header::COOKIE, cookies).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, cookies: &str, pairs: &[(&str, &str)]) -> Answer {
        let request = Request::post(path)
            .header(header::COOKIE, cookies)
            .header(header::ORIGIN, ISSUER)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(encode(pairs)))
            .unwrap();
        self.send(request).await
    }

    async fn sign_in_page(&self, extra: &[(&str, &str)]) -> Answer {
        self.get(&format!("/oidc/authorize?{}", query(extra)), "").await
    }

    /// Fetches the form and posts it, as a program without a browser does.
    async fn sign_in(&self, password: &str) -> Answer {
        let page = self.sign_in_page(&[]).await;
        assert_eq!(page.status, StatusCode::OK);
        self.fill(&page, password).await
    }

    async fn fill(&self, page: &Answer, password: &str) -> Answer {
        let (csrf, request, code) = (page.hidden("csrf"), page.hidden("request"), page.hidden("user_code"));
        let pairs = [
            ("csrf", csrf.as_str()),
            ("request", request.as_str()),
            ("user_code", code.as_str()),
            ("username", "ann"),
            ("password", password),
        ];
        self.post("/signin", &page.cookies(), &pairs).await
    }

    async fn exchange(&self, code: &str, verifier: &str) -> Answer {
        let pairs = [
            ("grant_type", "authorization_code"),
            ("client_id", "galen-cli"),
            ("redirect_uri", REDIRECT),
            ("code", code),
            ("code_verifier", verifier),
        ];
        self.post("/oidc/token", "", &pairs).await
    }

    async fn refresh(&self, token: &str) -> Answer {
        let pairs = [("grant_type", "refresh_token"), ("client_id", "galen-cli"), ("refresh_token", token)];
        self.post("/oidc/token", "", &pairs).await
    }
}

fn query(extra: &[(&str, &str)]) -> String {
    let mut pairs = vec![
        ("response_type", "code"),
        ("client_id", "galen-cli"),
        ("redirect_uri", REDIRECT),
        ("scope", "openid profile email groups offline_access"),
        ("state", "a&b"),
        ("nonce", "n"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in extra {
        pairs.retain(|(other, _)| other != name);
        pairs.push((name, value));
    }
    encode(&pairs)
}

#[tokio::test]
async fn discovery_and_keys_are_public() {
    let world = World::new().await;
    let document = world.get("/.well-known/openid-configuration", "").await;
    assert_eq!(document.json()["issuer"], ISSUER);
    assert_eq!(document.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    let keys = world.get("/oidc/jwks", "").await.json();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 2);
    assert!(!keys.to_string().contains("\"d\""));
    assert_eq!(world.get("/oidc/style.css", "").await.headers[header::CONTENT_TYPE], "text/css; charset=utf-8");
}

#[tokio::test]
async fn the_whole_code_flow() {
    let world = World::new().await;
    let page = world.sign_in_page(&[("login_hint", "a\"><i>")]).await;
    assert!(page.text.contains("Galen &#60;command&#62; line") && !page.text.contains("<i>"));
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains("form-action 'self' http://127.0.0.1:5000;"), "{policy}");
    let signed_in = world.fill(&page, PASSWORD).await;
    assert!(signed_in.headers[header::SET_COOKIE].to_str().unwrap().contains("HttpOnly; SameSite=Lax"));
    assert_eq!((signed_in.param("state").unwrap(), signed_in.param("iss").unwrap()), ("a&b".into(), ISSUER.into()));
    let tokens = world.exchange(&signed_in.param("code").unwrap(), VERIFIER).await;
    assert_eq!(tokens.status, StatusCode::OK);
    assert_eq!(tokens.headers[header::CACHE_CONTROL], "no-store");
    let tokens = tokens.json();
    let access = tokens["access_token"].as_str().unwrap();
    let info = Request::get("/oidc/userinfo").header(header::AUTHORIZATION, format!("Bearer {access}"));
    let info = world.send(info.body(Body::empty()).unwrap()).await.json();
    assert_eq!((&info["email"], &info["preferred_username"]), (&"ann@example.com".into(), &"ann".into()));
    // The cookie signs in from now on: only the question is left.
    let again = world.get(&format!("/oidc/authorize?{}", query(&[("prompt", "none")])), &signed_in.cookies()).await;
    assert_eq!(again.param("error").unwrap(), "consent_required");
    let signed_out = world.get("/oidc/end-session", &signed_in.cookies()).await;
    let csrf = signed_out.hidden("csrf");
    let both = format!("{}; {}", signed_in.cookies(), signed_out.cookies());
    assert_eq!(world.post("/signout", &both, &[("csrf", &csrf)]).await.status, StatusCode::OK);
    let none = world.get(&format!("/oidc/authorize?{}", query(&[("prompt", "none")])), &signed_in.cookies()).await;
    assert_eq!(none.param("error").unwrap(), "login_required");
}

#[tokio::test]
async fn a_service_proves_itself_in_the_header_or_the_body_and_failures_are_counted() {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    let world = World::new().await;
    let grant = ("grant_type", "client_credentials");
    let types = world.get("/.well-known/openid-configuration", "").await.json()["grant_types_supported"].clone();
    assert!(types.as_array().unwrap().contains(&grant.1.into()), "{types}");
    let secret = world.etl.expose().clone();
    let body = world.post("/oidc/token", "", &[grant, ("client_id", "etl"), ("client_secret", &secret)]).await;
    assert_eq!((body.status, body.headers[header::CACHE_CONTROL].as_bytes()), (StatusCode::OK, b"no-store".as_slice()));
    let json = body.json();
    assert_eq!((&json["token_type"], &json["expires_in"]), (&"Bearer".into(), &3600.into()));
    assert_eq!(json.as_object().unwrap().len(), 3, "an access token, its type and its time: {json}");
    assert_eq!(json["access_token"].as_str().unwrap().split('.').count(), 3);
    let basic = async |secret: &str| {
        let header = format!("Basic {}", BASE64_STANDARD.encode(format!("etl:{secret}")));
        let request = Request::post("/oidc/token")
            .header(header::AUTHORIZATION, header)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(encode(&[grant])))
            .unwrap();
        world.send(request).await
    };
    assert_eq!(basic(&secret).await.status, StatusCode::OK);
    assert_eq!(world.failures.0.load(Ordering::Relaxed), 0);
    let refused = basic("gss_wrong").await;
    assert_eq!((refused.status, &refused.json()["error"]), (StatusCode::UNAUTHORIZED, &"invalid_client".into()));
    assert!(refused.headers[header::WWW_AUTHENTICATE].to_str().unwrap().starts_with("Basic"));
    assert!(!refused.text.contains("gss_wrong"));
    assert_eq!(world.failures.0.load(Ordering::Relaxed), 1);
    // The form of people opens nothing for a service.
    let page = world.sign_in_page(&[]).await;
    let (csrf, request) = (page.hidden("csrf"), page.hidden("request"));
    let pairs = [("csrf", csrf.as_str()), ("request", &request), ("username", "etl"), ("password", &secret)];
    assert_eq!(world.post("/signin", &page.cookies(), &pairs).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn pkce_mismatch_code_replay_and_refresh_reuse_are_refused() {
    let world = World::new().await;
    let code = world.sign_in(PASSWORD).await.param("code").unwrap();
    let wrong = world.exchange(&code, &VERIFIER.replace('d', "e")).await;
    assert_eq!((wrong.status, &wrong.json()["error"]), (StatusCode::BAD_REQUEST, &"invalid_grant".into()));
    let code = world.sign_in(PASSWORD).await.param("code").unwrap();
    let first = world.exchange(&code, VERIFIER).await.json();
    let replayed = world.exchange(&code, VERIFIER).await;
    assert_eq!(replayed.json()["error"], "invalid_grant");
    assert_eq!(world.refresh(first["refresh_token"].as_str().unwrap()).await.json()["error"], "invalid_grant");
    let code = world.sign_in(PASSWORD).await.param("code").unwrap();
    let first = world.exchange(&code, VERIFIER).await.json();
    let second = world.refresh(first["refresh_token"].as_str().unwrap()).await.json();
    assert!(second["id_token"].is_string());
    assert_eq!(world.refresh(first["refresh_token"].as_str().unwrap()).await.json()["error"], "invalid_grant");
    assert_eq!(world.refresh(second["refresh_token"].as_str().unwrap()).await.json()["error"], "invalid_grant");
}

// verifies: AUD-11
#[tokio::test]
async fn wrong_passwords_are_counted_and_lock() {
    let world = World::new().await;
    for _ in 0..FAILURES_MAX {
        let wrong = world.sign_in("not the password").await;
        assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
        assert_eq!(wrong.alert(), "The user name or password is wrong. Check both and try again.");
        assert!(wrong.text.contains("value=\"ann\"") && !wrong.text.contains("not the password"));
    }
    let locked = world.sign_in(PASSWORD).await;
    assert_eq!(locked.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(locked.alert().contains("UTC"));
    assert_eq!(world.failures.0.load(Ordering::Relaxed), FAILURES_MAX + 1);
}

#[tokio::test]
async fn a_form_from_elsewhere_is_refused() {
    let world = World::new().await;
    let page = world.sign_in_page(&[]).await;
    let (csrf, request) = (page.hidden("csrf"), page.hidden("request"));
    let fields = [("csrf", csrf.as_str()), ("request", &request), ("username", "ann"), ("password", PASSWORD)];
    let from = async |origin: Option<&str>, cookies: &str, fields: &[(&str, &str)]| {
        let mut request = Request::post("/signin").header(header::COOKIE, cookies);
        if let Some(origin) = origin {
            request = request.header(header::ORIGIN, origin);
        }
        world.send(request.body(Body::from(encode(fields))).unwrap()).await.status
    };
    let cookies = page.cookies();
    for origin in [None, Some("null"), Some("http://evil.example"), Some("http://127.0.0.1:8081")] {
        assert_eq!(from(origin, &cookies, &fields).await, StatusCode::FORBIDDEN, "{origin:?}");
    }
    assert_eq!(from(Some(ISSUER), "", &fields).await, StatusCode::FORBIDDEN);
    assert_eq!(from(Some(ISSUER), &cookies, &fields[1..]).await, StatusCode::FORBIDDEN);
    let other = [&[("csrf", "x")], &fields[1..]].concat();
    assert_eq!(from(Some(ISSUER), &cookies, &other).await, StatusCode::FORBIDDEN);
    let twice = format!("{cookies}; {cookies}");
    assert_eq!(from(Some(ISSUER), &twice, &fields).await, StatusCode::FORBIDDEN);
    assert_eq!(from(Some(ISSUER), &cookies, &fields).await, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn max_age_and_prompt_ask_again() {
    let world = World::new().await;
    let cookies = world.sign_in(PASSWORD).await.cookies();
    let ask = async |extra: &[(&str, &str)]| world.get(&format!("/oidc/authorize?{}", query(extra)), &cookies).await;
    assert!(ask(&[]).await.text.contains("Continue as ann?"));
    assert!(ask(&[("prompt", "login")]).await.text.contains("name=\"password\""));
    assert!(ask(&[("max_age", "60")]).await.text.contains("Continue as ann?"));
    assert!(ask(&[("max_age", "0")]).await.text.contains("name=\"password\""));
    world.pass(Duration::from_secs(61));
    let page = ask(&[("max_age", "60")]).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(world.fill(&page, PASSWORD).await.param("code").is_some());
    assert_eq!(ask(&[("max_age", "60"), ("prompt", "none")]).await.param("error").unwrap(), "login_required");
}

#[tokio::test]
async fn bad_requests_say_what_is_wrong() {
    let world = World::new().await;
    for (extra, why) in
        [(("client_id", "nobody"), "no client"), (("redirect_uri", "http://evil.example/"), "redirect URI")]
    {
        let page = world.sign_in_page(&[extra]).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST);
        assert!(page.alert().contains(why), "{}", page.text);
    }
    assert_eq!(world.get("/signin", "").await.alert(), "No application asked you to sign in.");
    let redirected = world.sign_in_page(&[("code_challenge_method", "plain")]).await;
    assert_eq!(redirected.param("error").unwrap(), "invalid_request");
    let twice = world.get(&format!("/oidc/authorize?{}&client_id=x", query(&[])), "").await;
    assert_eq!(twice.status, StatusCode::BAD_REQUEST);
    let json = Request::post("/oidc/token").header(header::CONTENT_TYPE, "application/json").body(Body::from("{}"));
    assert_eq!(world.send(json.unwrap()).await.json()["error"], "invalid_request");
    let unknown =
        world.post("/oidc/token", "", &[("grant_type", "refresh_token"), ("client_id", "x"), ("refresh_token", "x")]);
    let unknown = unknown.await;
    assert_eq!((unknown.status, &unknown.json()["error"]), (StatusCode::UNAUTHORIZED, &"invalid_client".into()));
    let none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.";
    let info = Request::get("/oidc/userinfo").header(header::AUTHORIZATION, format!("Bearer {none}"));
    let info = world.send(info.body(Body::empty()).unwrap()).await;
    assert_eq!(info.status, StatusCode::UNAUTHORIZED);
    assert!(info.headers[header::WWW_AUTHENTICATE].to_str().unwrap().contains("`none` is refused"));
    let large = world.post("/oidc/token", "", &[("x", &"a".repeat(FORM_BYTES_MAX))]).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_device_is_let_in_on_its_page() {
    let world = World::new().await;
    let codes = world.post("/oidc/device", "", &[("client_id", "galen-cli"), ("scope", "openid")]).await.json();
    let user_code = codes["user_code"].as_str().unwrap();
    assert_eq!(codes["verification_uri"], format!("{ISSUER}/device"));
    let page = world.get(&format!("/device?user_code={user_code}"), "").await;
    let signed_in = world.fill(&page, PASSWORD).await;
    assert_eq!(signed_in.headers[header::LOCATION], format!("/device?user_code={user_code}"));
    let cookies = signed_in.cookies();
    let page = world.get(&format!("/device?user_code={user_code}"), &cookies).await;
    let both = format!("{cookies}; {}", page.cookies());
    let csrf = page.hidden("csrf");
    let wrong = world.post("/device", &both, &[("csrf", &csrf), ("user_code", "BBBB-BBBB")]).await;
    assert_eq!(wrong.status, StatusCode::NOT_FOUND);
    let confirm = world.post("/device", &both, &[("csrf", &csrf), ("user_code", user_code)]).await;
    assert!(confirm.text.contains("<strong>ann</strong>") && confirm.text.contains(user_code));
    let fields = [("csrf", csrf.as_str()), ("user_code", user_code), ("answer", "yes")];
    assert_eq!(world.post("/device/decide", &both, &fields).await.status, StatusCode::OK);
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    let device = codes["device_code"].as_str().unwrap();
    let pairs = [("grant_type", grant), ("client_id", "galen-cli"), ("device_code", device)];
    let tokens = world.post("/oidc/token", "", &pairs).await.json();
    assert!(tokens["id_token"].is_string() && tokens.get("refresh_token").is_none());
}

#[tokio::test]
async fn signing_out_for_a_client_goes_only_where_it_registered() {
    let world = World::new().await;
    let signed_in = world.sign_in(PASSWORD).await;
    let tokens = world.exchange(&signed_in.param("code").unwrap(), VERIFIER).await.json();
    let hint = tokens["id_token"].as_str().unwrap();
    let ask = async |uri: &str| {
        let query = encode(&[("id_token_hint", hint), ("post_logout_redirect_uri", uri), ("state", "s")]);
        world.get(&format!("/oidc/end-session?{query}"), &signed_in.cookies()).await
    };
    assert_eq!(ask("http://evil.example/").await.status, StatusCode::OK);
    let gone = ask("http://127.0.0.1:9/bye").await;
    assert_eq!(gone.location().as_str(), "http://127.0.0.1:9/bye?state=s");
    assert!(gone.headers[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(world.sign_in_page(&[("prompt", "none")]).await.param("error").unwrap(), "login_required");
    let pairs = [("client_id", "galen-cli"), ("token", tokens["refresh_token"].as_str().unwrap())];
    let revoked = world.post("/oidc/revoke", "", &pairs);
    assert_eq!(revoked.await.status, StatusCode::OK);
    assert_eq!(world.refresh(tokens["refresh_token"].as_str().unwrap()).await.json()["error"], "invalid_grant");
}

/// RP-Initiated Logout 1.0, section 2: both methods, and a client that is named must be the one of the hint.
#[tokio::test]
async fn signing_out_for_a_client_may_be_posted_and_names_the_hints_client() {
    let world = World::new().await;
    let signed_in = world.sign_in(PASSWORD).await;
    let tokens = world.exchange(&signed_in.param("code").unwrap(), VERIFIER).await.json();
    let hint = tokens["id_token"].as_str().unwrap();
    let pairs = |client| {
        [("id_token_hint", hint), ("post_logout_redirect_uri", "http://127.0.0.1:9/bye"), ("client_id", client)]
    };
    let follow = async |client| {
        // As from another site: the cookie comes with the GET alone.
        let posted = world.post("/oidc/end-session", "", &pairs(client)).await;
        assert_eq!(posted.status, StatusCode::SEE_OTHER);
        world.get(posted.headers[header::LOCATION].to_str().unwrap(), &signed_in.cookies()).await
    };
    assert_eq!(follow("galen-aws").await.status, StatusCode::OK, "it asks");
    assert_eq!(follow("galen-cli").await.location().as_str(), "http://127.0.0.1:9/bye");
}

/// RP-Initiated Logout 1.0, section 2: an ID token stays a hint at its sign-in after its `exp`.
#[tokio::test]
async fn an_expired_hint_signs_its_own_sign_in_out() {
    let world = World::new().await;
    let signed_in = world.sign_in(PASSWORD).await;
    let tokens = world.exchange(&signed_in.param("code").unwrap(), VERIFIER).await.json();
    let silent = format!("/oidc/authorize?{}", query(&[("prompt", "none")]));
    world.pass(Duration::from_secs(50 * 60));
    let still = world.get(&silent, &signed_in.cookies()).await;
    assert_eq!(still.param("error").unwrap(), "consent_required", "the person is still there");
    world.pass(Duration::from_secs(20 * 60));
    let hint = tokens["id_token"].as_str().unwrap();
    let pairs = encode(&[("id_token_hint", hint), ("post_logout_redirect_uri", "http://127.0.0.1:9/bye")]);
    let gone = world.get(&format!("/oidc/end-session?{pairs}"), &signed_in.cookies()).await;
    assert_eq!(gone.location().as_str(), "http://127.0.0.1:9/bye");
    let again = world.get(&silent, &signed_in.cookies()).await;
    assert_eq!(again.param("error").unwrap(), "login_required");
}

#[tokio::test]
async fn a_hint_of_another_sign_in_signs_nobody_out() {
    let world = World::new().await;
    let others = world.sign_in(PASSWORD).await;
    let tokens = world.exchange(&others.param("code").unwrap(), VERIFIER).await.json();
    let hint = tokens["id_token"].as_str().unwrap();
    let victim = world.sign_in(PASSWORD).await;
    let query = encode(&[("id_token_hint", hint), ("post_logout_redirect_uri", "http://127.0.0.1:9/bye")]);
    let asked = world.get(&format!("/oidc/end-session?{query}"), &victim.cookies()).await;
    assert_eq!(asked.status, StatusCode::OK, "it asks");
    let again = world.get(&format!("/oidc/authorize?{}", self::query(&[("prompt", "none")])), &victim.cookies()).await;
    assert_eq!(again.param("error").unwrap(), "consent_required", "still signed in");
}

#[tokio::test]
async fn a_flood_from_one_address_is_told_to_wait() {
    let world = World::new().await;
    let mut last = StatusCode::OK;
    for _ in 0..1000 {
        last = world.get("/oidc/end-session", "").await.status;
        if last == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    let program = world.post("/oidc/token", "", &[("grant_type", "client_credentials")]).await;
    assert_eq!((program.status, &program.json()["error"]), (last, &serde_json::json!("temporarily_unavailable")));
}
