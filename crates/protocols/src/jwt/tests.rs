//! Tokens verify when everything fits and are refused, with a reason, when anything does not.

use super::*;
use crypto::{Crypto, KeyAlgorithm, PrivateKey};
use std::sync::LazyLock;

const NOW: i64 = 1_790_000_000;
const ISSUER: &str = "https://galen.example";

struct Pair {
    private: PrivateKey,
    jwk: Jwk,
}

impl Pair {
    fn new(algorithm: KeyAlgorithm) -> Self {
        let private = Crypto::default().generate(algorithm).unwrap();
        let jwk = Jwk::new(private.public_key().unwrap());
        Self { private, jwk }
    }
    fn raw(&self, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", b64(header), b64(payload));
        let signature = self.private.sign(self.private.default_scheme(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
    fn es256(&self, payload: &str) -> String {
        self.raw(&format!(r#"{{"alg":"ES256","kid":"{}"}}"#, self.jwk.key_id()), payload)
    }
}

static EC: LazyLock<Pair> = LazyLock::new(|| Pair::new(KeyAlgorithm::P256));
static RSA: LazyLock<Pair> = LazyLock::new(|| Pair::new(KeyAlgorithm::Rsa2048));

fn b64(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(text)
}

fn expected() -> Expected<'static> {
    Expected {
        issuer: ISSUER,
        audience: Audience::OneOf(&["me"]),
        kind: Kind::Id,
        now: Timestamp::from_second(NOW).unwrap(),
    }
}

fn keys() -> KeySet {
    KeySet::new(vec![EC.jwk.clone(), RSA.jwk.clone()])
}

fn check(token: &str) -> Result<Verified<Claims>, Error> {
    Unverified::parse(token)?.verify(&keys(), &expected())
}

fn payload(extra: &str) -> String {
    format!(r#"{{"iss":"{ISSUER}","sub":"ann","aud":"me"{extra}}}"#)
}

fn refused(token: &str) -> String {
    check(token).unwrap_err().to_string()
}

#[test]
fn what_is_signed_here_verifies_here() {
    for (pair, scheme) in [(&*EC, SignatureScheme::Es256), (&*RSA, SignatureScheme::Rs256)] {
        let claims = json!({"iss": ISSUER, "sub": "ann", "aud": ["x", "me"], "exp": NOW + 60, "auth_time": 5});
        let signing = Signing { key_id: pair.jwk.key_id(), scheme, kind: Kind::Id };
        let token = sign(&signing, claims.as_object().unwrap(), |input| pair.private.sign(scheme, input)).unwrap();
        let claims = check(&token).unwrap();
        assert_eq!((claims.subject(), claims.auth_time()), ("ann", Some(5)));
        // Each kind of token stays what it is.
        let access = Expected { kind: Kind::Access, ..expected() };
        let other = Unverified::parse(&token).unwrap().verify(&keys(), &access);
        assert_eq!(other.unwrap_err(), Error::WrongKind { expected: "at+jwt" });
    }
}

#[test]
fn alg_none_and_shared_keys_are_refused() {
    let exp = payload(&format!(r#","exp":{}"#, NOW + 60));
    for alg in ["none", "None", "NONE", "HS256", "HS512", "PS256", "EdDSA", "ES512", "", "rs256"] {
        let token = format!("{}.{}.", b64(&format!(r#"{{"alg":"{alg}"}}"#)), b64(&exp));
        assert!(refused(&token).contains("is refused"), "{alg}");
    }
}

#[test]
fn the_header_never_chooses_how_a_key_is_used() {
    let header = format!(r#"{{"alg":"RS256","kid":"{}"}}"#, EC.jwk.key_id());
    let token = EC.raw(&header, &payload(&format!(r#","exp":{}"#, NOW + 60)));
    assert!(refused(&token).contains("its key is for ECDSA P-256"));
}

#[test]
fn times_are_integers_and_exp_is_required() {
    let with = |extra: &str| EC.es256(&payload(extra));
    assert!(refused(&with("")).contains("no `exp`"));
    for exp in
        [format!("\"{}\"", NOW + 60), format!("{}.5", NOW + 60), "1e12".to_owned(), "-1".to_owned(), "null".to_owned()]
    {
        assert!(refused(&with(&format!(r#","exp":{exp}"#))).contains("must be an integer"), "{exp}");
    }
    let expired = with(&format!(r#","exp":{NOW}"#));
    assert!(refused(&expired).contains("expired 0 s ago"));
    let hint = Unverified::parse(&expired).unwrap().verify(&keys(), &Expected { kind: Kind::Hint, ..expected() });
    assert_eq!(hint.unwrap().subject(), "ann", "a hint may have expired");
    let valid = format!(r#","exp":{}"#, NOW + 1);
    check(&with(&valid)).unwrap();
    for name in ["nbf", "iat"] {
        check(&with(&format!(r#"{valid},"{name}":{}"#, NOW + SKEW_SECS_MAX))).unwrap();
        assert!(refused(&with(&format!(r#"{valid},"{name}":{}"#, NOW + SKEW_SECS_MAX + 1))).contains("not valid yet"));
        assert!(refused(&with(&format!(r#"{valid},"{name}":"{NOW}""#))).contains("must be an integer"));
    }
}

#[test]
fn a_repeated_key_is_refused_at_any_depth() {
    let exp = format!(r#","exp":{}"#, NOW + 60);
    for extra in [r#","sub":"eve""#, r#","x":{"a":1,"a":2}"#, r#","x":[{"a":1,"\u0061":2}]"#] {
        assert!(refused(&EC.es256(&payload(&format!("{exp}{extra}")))).contains("repeated"), "{extra}");
    }
    let twice = format!(r#"{{"alg":"ES256","alg":"ES256","kid":"{}"}}"#, EC.jwk.key_id());
    assert!(refused(&EC.raw(&twice, &payload(&exp))).contains("repeated"));
}

#[test]
fn issuer_audience_key_and_signature_must_fit() {
    let exp = format!(r#","exp":{}"#, NOW + 60);
    let sound = EC.es256(&payload(&exp));
    check(&sound).unwrap();
    let replace = |from: &str, to: &str| refused(&EC.es256(&payload(&exp).replace(from, to)));
    assert!(replace("galen.example", "evil.example").contains("another issuer"));
    assert!(replace(r#""aud":"me""#, r#""aud":["you"]"#).contains("another audience"));
    assert!(replace(r#""aud":"me""#, r#""aud":[]"#).contains("another audience"));
    assert!(replace(r#""aud":"me""#, r#""aud":7"#).contains("must be a string"));
    assert!(replace(r#""sub":"ann""#, r#""sub":"""#).contains("non-empty"));
    assert!(refused(&EC.raw(r#"{"alg":"ES256","kid":"other"}"#, &payload(&exp))).contains("`other` is not among"));
    assert!(refused(&EC.raw(r#"{"alg":"ES256"}"#, &payload(&exp))).contains("names no key"));
    assert!(refused(&EC.raw(r#"{"alg":"ES256","crit":["b64"],"b64":false}"#, "x")).contains("crit"));
    let (head, signature) = sound.rsplit_once('.').unwrap();
    let forged =
        format!("{}.{}.{signature}", head.split_once('.').unwrap().0, b64(&payload(&exp).replace("ann", "eve")));
    assert_eq!(refused(&forged), Error::BadSignature.to_string());
}

#[test]
fn an_rsa_key_checks_each_of_its_schemes() {
    let payload = payload(&format!(r#","exp":{}"#, NOW + 60));
    for scheme in [SignatureScheme::Rs256, SignatureScheme::Rs384, SignatureScheme::Rs512] {
        let header = format!(r#"{{"alg":"{}","kid":"{}"}}"#, scheme.name(), RSA.jwk.key_id());
        let signed = format!("{}.{}", b64(&header), b64(&payload));
        let token = |by: SignatureScheme| {
            let signature = RSA.private.sign(by, signed.as_bytes()).unwrap();
            format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
        };
        check(&token(scheme)).unwrap();
        let other = if scheme == SignatureScheme::Rs256 { SignatureScheme::Rs512 } else { SignatureScheme::Rs256 };
        assert_eq!(refused(&token(other)), Error::BadSignature.to_string(), "signed with {}", other.name());
    }
}

#[test]
fn malformed_tokens_are_refused() {
    let sound = EC.es256(&payload(&format!(r#","exp":{}"#, NOW + 60)));
    for bad in ["", ".", "..", "a.b", "a.b.c.d", &format!("{sound}="), &format!(" {sound}"), &format!("{sound}\n")] {
        assert!(check(bad).is_err(), "{bad}");
    }
    assert!(refused(&"a".repeat(TOKEN_CHARS_MAX + 1)).contains("at most 20000"));
}

#[test]
fn a_key_set_survives_publication() {
    let set = keys();
    assert_eq!(KeySet::parse(set.to_json().to_string().as_bytes()).unwrap(), set);
    // RFC 7638, section 3.1.
    let jwks = br#"{"keys":[{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB"}]}"#;
    assert_eq!(KeySet::parse(jwks).unwrap().keys()[0].key_id(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    for (bad, why) in [
        (r#"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}"#, "2,048"),
        (r#"{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}"#, "wrong length"),
        (r#"{"keys":7}"#, "not a list"),
        (r#"{"keys":[7]}"#, "not an object"),
    ] {
        assert!(KeySet::parse(bad.as_bytes()).unwrap_err().to_string().contains(why), "{bad}");
    }
}
