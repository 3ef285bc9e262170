//! Requests parse whole or are refused with OAuth's own code.

use super::*;

const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

fn authorize(extra: &str) -> Result<AuthorizeRequest, OAuthError> {
    let query = format!("client_id=c&redirect_uri=https%3A%2F%2Fc.example%2F&{extra}");
    AuthorizeParams::parse(query.as_bytes())?.request()
}

fn code_of<T>(result: Result<T, OAuthError>) -> &'static str {
    result.err().unwrap().code.as_str()
}

fn sound() -> String {
    format!("response_type=code&code_challenge={CHALLENGE}&code_challenge_method=S256")
}

#[test]
fn pkce_follows_rfc_7636() {
    let challenge = Challenge::parse(CHALLENGE).unwrap();
    assert!(challenge.is_met_by(VERIFIER));
    assert!(!challenge.is_met_by(&VERIFIER.replace('d', "e")));
    assert!(!challenge.is_met_by(CHALLENGE));
    assert!(!challenge.is_met_by("short"));
    assert!(Challenge::parse("short").is_none());
}

#[test]
fn an_authorization_request_needs_code_flow_pkce_and_openid() {
    let request = authorize(&format!("{}&scope=openid+groups+x&nonce=n&prompt=login&max_age=5", sound())).unwrap();
    assert_eq!(request.scopes.text(), "openid groups");
    assert_eq!((request.prompt, request.max_age_secs), (Prompt::Login, Some(5)));
    assert!(!request.consent);
    let request = authorize(&format!("{}&prompt=login+consent", sound())).unwrap();
    assert_eq!((request.prompt, request.consent), (Prompt::Login, true));
    assert_eq!(code_of(authorize("response_type=token")), "unsupported_response_type");
    assert_eq!(code_of(authorize("")), "invalid_request");
    assert_eq!(code_of(authorize("response_type=code")), "invalid_request");
    assert_eq!(code_of(authorize(&sound().replace("S256", "plain"))), "invalid_request");
    assert_eq!(code_of(authorize(&format!("{}&scope=profile", sound()))), "invalid_scope");
    assert_eq!(code_of(authorize(&format!("{}&request=x", sound()))), "request_not_supported");
    assert_eq!(code_of(authorize(&format!("{}&prompt=none+login", sound()))), "invalid_request");
    assert_eq!(code_of(authorize(&format!("{}&max_age=-1", sound()))), "invalid_request");
    assert_eq!(code_of(authorize(&format!("{}&max_age=99999999999", sound()))), "invalid_request");
}

#[test]
fn a_repeated_parameter_is_refused() {
    assert_eq!(code_of(authorize(&format!("{}&state=a&state=b", sound()))), "invalid_request");
    assert!(matches!(Form::parse(b"a=1&%61=2"), Err(FormError::Repeated { .. })));
    assert!(matches!(Form::parse(b"a=%00"), Err(FormError::NotText { index: 1 })));
    assert!(matches!(Form::parse(b"a=1&b=%ff"), Err(FormError::NotText { index: 2 })));
    assert!(matches!(Form::parse(&[b'a'; FORM_BYTES_MAX + 1]), Err(FormError::TooLarge { .. })));
    let many: String = (0..100).map(|n| format!("p{n}=1&")).collect();
    assert!(matches!(Form::parse(many.as_bytes()), Err(FormError::TooMany { .. })));
}

#[test]
fn the_client_names_itself_once() {
    let body = "grant_type=refresh_token&refresh_token=r";
    let parse = |body: &str, header: Option<&str>| TokenRequest::parse(body.as_bytes(), header);
    assert_eq!(code_of(parse(body, None)), "invalid_request");
    let request = parse(body, Some("Basic YSUyMGI6cw==")).unwrap();
    assert_eq!((request.client.client_id.as_str(), request.client.basic), ("a b", true));
    assert_eq!(code_of(parse(&format!("{body}&client_secret=x"), Some("Basic YTpz"))), "invalid_request");
    assert_eq!(code_of(parse(body, Some("Bearer x"))), "invalid_client");
    assert_eq!(code_of(parse("grant_type=password&client_id=a", None)), "unsupported_grant_type");
    assert_eq!(
        code_of(parse("grant_type=authorization_code&client_id=a&code=x&redirect_uri=y", None)),
        "invalid_request"
    );
}

#[test]
fn a_machine_asks_for_itself_and_for_no_scope() {
    let parse = |more: &str| {
        let body = format!("grant_type=client_credentials&client_id=etl&client_secret=s{more}");
        TokenRequest::parse(body.as_bytes(), None)
    };
    for (more, expected) in [("", None), ("&audience=galen-aws", Some("galen-aws")), ("&scope=&audience=", None)] {
        let Grant::Machine { audience } = parse(more).unwrap().grant else { panic!("{more}") };
        assert_eq!(audience.as_deref(), expected, "{more}");
    }
    assert_eq!(code_of(parse("&scope=openid")), "invalid_scope");
    assert_eq!(code_of(parse(&format!("&audience={}", "a".repeat(257)))), "invalid_request");
    assert_eq!(code_of(parse("&client_id=other")), "invalid_request");
}

#[test]
fn redirect_uris_match_exactly_but_for_a_loopback_port() {
    for good in [
        "https://a.example/cb",
        "http://127.0.0.1/cb",
        "http://[::1]:9/cb",
        "http://localhost:1/",
        "com.example.app:/cb",
    ] {
        RedirectUri::parse(good).unwrap();
    }
    for bad in [
        "",
        "a",
        "http://a.example/",
        "https://a.example/#x",
        "https://*.example/",
        "https://u@a.example/",
        "javascript:alert(1)",
        "https://a b/",
    ] {
        assert!(RedirectUri::parse(bad).is_err(), "{bad}");
    }
    let web = RedirectUri::parse("https://a.example/cb").unwrap();
    for other in [
        "https://a.example/cb/",
        "https://a.example:443/cb",
        "https://a.example/cb?x",
        "https://a.example/CB",
        "https://a.example.evil/cb",
    ] {
        assert!(!web.matches(other, true), "{other}");
    }
    let native = RedirectUri::parse("http://127.0.0.1/callback").unwrap();
    assert!(native.matches("http://127.0.0.1:53123/callback", true));
    assert!(!native.matches("http://127.0.0.1:53123/callback", false));
    for other in [
        "http://127.0.0.1:1/other",
        "http://localhost:1/callback",
        "https://127.0.0.1:1/callback",
        "http://127.0.0.1@evil.example/callback",
        "http://127.0.0.1:1/callback?x=1",
        "http://127.0.0.1:1/x/../callback",
        "http://0x7f.1:1/callback",
        "http://127.0.0.1:1/callback#x",
    ] {
        assert!(!native.matches(other, true), "{other}");
    }
}

#[test]
fn aws_claims_come_in_both_forms() {
    let mut claims = serde_json::Map::new();
    let aws = AwsClaims {
        source_identity: "ann@example.com".to_owned(),
        principal_tags: vec![("Team".to_owned(), "a*".to_owned())],
        transitive_tag_keys: vec!["Team".to_owned()],
        roles: Some(vec!["arn:aws:iam::000000000001:role/r".to_owned()]),
    };
    aws.write(&mut claims);
    let expected = serde_json::json!({
        "https://aws.amazon.com/tags": {"principal_tags": {"Team": ["a*"]}, "transitive_tag_keys": ["Team"]},
        "https://aws.amazon.com/tags/principal_tags/Team": "a*",
        "https://aws.amazon.com/tags/transitive_tag_keys": ["Team"],
        "https://aws.amazon.com/source_identity": "ann@example.com",
        "https://aws.amazon.com/roles": ["arn:aws:iam::000000000001:role/r"],
    });
    assert_eq!(serde_json::Value::Object(claims), expected);
}

#[test]
fn descriptions_are_plain_ascii() {
    let error = OAuthError::new(ErrorCode::InvalidRequest, "a \"b\" \\ é\n");
    assert_eq!(error.description(), "a 'b' ' ''");
}

proptest::proptest! {
    #[test]
    fn a_form_reads_what_a_form_writer_wrote(pairs in proptest::collection::btree_map("[a-z_é&=+% ]{1,12}", "[^\\p{Cc}]{1,40}", 0..20)) {
        let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
        let form = Form::parse(text.as_bytes()).unwrap();
        for (name, value) in &pairs {
            proptest::prop_assert_eq!(form.value(name), Some(value.as_str()));
        }
        proptest::prop_assert_eq!(form.pairs().count(), pairs.len());
    }

    #[test]
    fn only_the_verifier_meets_its_challenge(verifier in "[A-Za-z0-9._~-]{43,128}", other in "[A-Za-z0-9._~-]{43,128}") {
        use base64::Engine as _;
        let digest = crypto::sha256(verifier.as_bytes()).0;
        let challenge = Challenge::parse(&base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(digest)).unwrap();
        proptest::prop_assert!(challenge.is_met_by(&verifier));
        proptest::prop_assert_eq!(challenge.is_met_by(&other), verifier == other);
    }

    #[test]
    fn a_loopback_redirect_differs_in_its_port_only(port in 1_u16.., path in "[a-z]{1,8}", other in "[a-z]{1,8}") {
        let uri = RedirectUri::parse(&format!("http://127.0.0.1/{path}")).unwrap();
        let given = format!("http://127.0.0.1:{port}/{other}");
        proptest::prop_assert_eq!(uri.matches(&given, true), path == other);
        proptest::prop_assert!(!uri.matches(&given, false));
    }
}
