//! AWS's published vectors, signatures made by botocore, and what must be refused.

use base::{Secret, Timestamp};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const FORM: &str = "Action=GetCallerIdentity&Version=2011-06-15";
const FORM_TYPE: (&str, &str) = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");

fn secret() -> Secret<String> {
    Secret::new(SECRET.to_owned())
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    map
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

const SIGNED: &str = "2015-08-30T12:36:00Z";

fn published(method: &str, path: &str, query: &str, extra: &[(&str, &str)], body: &str, want: &str) {
    let mut map = headers(&[("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")]);
    map.extend(headers(extra));
    let parts = Parts { method, path, query, headers: &map, authority: None };
    let mut names: Vec<&str> = map.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    let payload = hex::encode(crypto::sha256(body.as_bytes()).0);
    let canonical = canonical_request(&parts, &names, &payload).unwrap();
    let key = signing_key(&secret(), "20150830", "us-east-1", "service");
    let scope = "20150830/us-east-1/service/aws4_request";
    assert_eq!(hex::encode(signature(&key, "20150830T123600Z", scope, &canonical)), want, "{canonical}");
}

#[test]
fn the_published_vectors_hold() {
    let vanilla = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
    let published_get = |path, query, want| published("GET", path, query, &[], "", want);
    published_get("/", "", vanilla);
    published_get("/example/..", "", vanilla);
    published_get("/./", "", vanilla);
    published_get("//", "", vanilla);
    published_get("/\u{1234}", "", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85");
    let ordered = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500";
    published_get("/", "Param2=value2&Param1=value1", ordered);
    published("POST", "/", "", &[], "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
    let form = &[("content-type", "application/x-www-form-urlencoded")];
    let want = "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a";
    published("POST", "/", "", form, "Param1=value1", want);
    let spaced = &[("my-header1", " value1"), ("my-header2", " \"a   b   c\"")];
    published("GET", "/", "", spaced, "", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
}

fn authorization(signed: &str, signature: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE0000000/20150830/us-east-1/sts/aws4_request, SignedHeaders={signed}, Signature={signature}"
    )
}

struct Sent {
    method: &'static str,
    path: &'static str,
    query: String,
    headers: HeaderMap,
    body: &'static str,
}

impl Sent {
    fn post() -> Self {
        let signature = "26d6b406e615a7a106250191c17c5baa5c461b4ef7ff5ead9f222a5c6eaaaa4e";
        let authorization = authorization("content-type;host;x-amz-date", signature);
        let pairs = [
            FORM_TYPE,
            ("host", "127.0.0.1:9000"),
            ("x-amz-date", "20150830T123600Z"),
            ("authorization", authorization.as_str()),
        ];
        Self { method: "POST", path: "/", query: String::new(), headers: headers(&pairs), body: FORM }
    }

    fn presigned() -> Self {
        let query = format!(
            "{FORM}&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE0000000%2F20150830%2Fus-east-1%2Fsts%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Security-Token=tok%2Fen%2B%3D%3D&X-Amz-Signature=71f488befefda5ca9a30045f299cb41321f594dce1392c36850387423c94333c"
        );
        Self { method: "GET", path: "/", query, headers: headers(&[("host", "127.0.0.1:9000")]), body: "" }
    }

    fn parts(&self) -> Parts<'_> {
        Parts { method: self.method, path: self.path, query: &self.query, headers: &self.headers, authority: None }
    }

    fn judge(&self, now: &str) -> Result<Presented, Error> {
        let presented = Presented::parse(&self.parts())?;
        presented.verify(&self.parts(), self.body.as_bytes(), ("sts", &["us-east-1"]), &secret(), at(now))?;
        Ok(presented)
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        self
    }
}

#[test]
fn a_signature_by_botocore_is_believed() {
    let presented = Sent::post().judge(SIGNED).unwrap();
    assert_eq!(presented.access_key_id, "AKIDEXAMPLE0000000");
    assert!(presented.session_token.is_none() && !presented.presigned);

    let mut odd = Sent::post();
    odd.headers.remove("authorization");
    odd.headers.remove("content-type");
    (odd.method, odd.body, odd.query) = ("GET", "", "Param2=value2&Param1=value1&a%20b=%2B".into());
    let signature = "243d9d70d833295d309028e4bcf6e133805e97c52531a7cdf3295b5abed75bb5";
    odd.headers.insert("host", HeaderValue::from_static("example.amazonaws.com"));
    let odd = odd
        .header("my-header1", "a   b  c")
        .header("authorization", &authorization("host;my-header1;x-amz-date", signature));
    odd.judge(SIGNED).map(|_| ()).unwrap();

    let mut path = Sent::post();
    path.headers.remove("authorization");
    path.headers.remove("content-type");
    path.headers.insert("host", HeaderValue::from_static("example.amazonaws.com"));
    (path.method, path.body, path.path) = ("GET", "", "/a%20b/../c//d/%E1%88%B4/");
    let signature = "88a3be0dfda5bac4236b88c5bd87c42e7c89fada1822dbee1cf43fe5b5047890";
    path.header("authorization", &authorization("host;x-amz-date", signature)).judge(SIGNED).map(|_| ()).unwrap();
}

#[test]
fn a_presigned_request_by_botocore_is_believed_until_its_end() {
    let presented = Sent::presigned().judge(SIGNED).unwrap();
    assert!(presented.presigned);
    assert_eq!(presented.session_token.as_ref().unwrap().expose(), "tok/en+==");
    assert!(Sent::presigned().judge("2015-08-30T13:36:00Z").is_ok());
    assert!(matches!(Sent::presigned().judge("2015-08-30T13:36:01Z"), Err(Error::Expired { .. })));
    assert!(matches!(Sent::presigned().judge("2015-08-30T12:20:59Z"), Err(Error::Skewed { .. })));
    assert!(Sent::presigned().judge("2015-08-30T12:21:00Z").is_ok());
}

#[test]
fn the_clock_may_be_fifteen_minutes_off() {
    for now in ["2015-08-30T12:51:00Z", "2015-08-30T12:21:00Z"] {
        assert!(Sent::post().judge(now).is_ok(), "{now}");
    }
    for now in ["2015-08-30T12:51:01Z", "2015-08-30T12:20:59Z", "2026-11-21T00:00:00Z"] {
        let error = Sent::post().judge(now).err().unwrap();
        assert!(matches!(error, Error::Skewed { .. }), "{now}");
        assert_eq!(error.code().as_str(), "RequestExpired");
    }
}

#[test]
fn any_change_of_what_was_signed_is_refused() {
    let changed = |change: fn(&mut Sent)| {
        let mut sent = Sent::post();
        change(&mut sent);
        sent.judge(SIGNED).err().unwrap()
    };
    assert_eq!(changed(|sent| sent.body = "Action=AssumeRole&Version=2011-06-15"), Error::Mismatch);
    assert_eq!(changed(|sent| sent.path = "/x"), Error::Mismatch);
    assert_eq!(changed(|sent| sent.method = "GET"), Error::Mismatch);
    assert_eq!(changed(|sent| sent.query = "Action=AssumeRole".into()), Error::Mismatch);
    let host = |sent: &mut Sent| drop(sent.headers.insert("host", HeaderValue::from_static("other")));
    assert_eq!(changed(host), Error::Mismatch);
    let mut longer = Sent::presigned();
    longer.query = longer.query.replace("Expires=3600", "Expires=7200");
    assert_eq!(longer.judge(SIGNED).err().unwrap(), Error::Mismatch);
}

// The class of RustFS GHSA-g8w9-qw9q-fghr: a header added to a signed request must not be obeyed.
#[test]
fn an_unsigned_amz_header_is_refused() {
    let error = Sent::post().header("x-amz-security-token", "stolen").judge(SIGNED).err().unwrap();
    assert_eq!(error, Error::NotSigned { name: "x-amz-security-token".into() });
    let error = Sent::presigned().header("x-amz-target", "X.Y").judge(SIGNED).err().unwrap();
    assert_eq!(error, Error::NotSigned { name: "x-amz-target".into() });
}

#[test]
fn the_host_must_be_signed() {
    let mut sent = Sent::post();
    sent.headers.insert("authorization", authorization("x-amz-date", &"0".repeat(64)).parse().unwrap());
    assert_eq!(sent.judge(SIGNED).err().unwrap(), Error::NotSigned { name: "host".into() });
}

#[test]
fn two_signatures_are_refused() {
    let mut both = Sent::post();
    both.query = Sent::presigned().query;
    assert!(matches!(both.judge(SIGNED), Err(Error::Incomplete { .. })));
    let twice = Sent::post().header("x-amz-date", "20150830T123600Z");
    assert!(matches!(twice.judge(SIGNED), Err(Error::Incomplete { .. })));
    let mut query = Sent::presigned();
    query.query.push_str("&X-Amz-Expires=1");
    assert!(matches!(query.judge(SIGNED), Err(Error::Incomplete { .. })));
    let mut query = Sent::presigned();
    query.query.push_str("&x-amz-security%2Dtoken=other");
    assert!(matches!(query.judge(SIGNED), Err(Error::Incomplete { .. })));
}

#[test]
fn what_is_missing_or_of_another_kind_is_named() {
    let parse = |sent: &Sent| Presented::parse(&sent.parts()).err().unwrap();
    let mut bare = Sent::post();
    bare.headers.remove("authorization");
    assert_eq!(parse(&bare), Error::Missing);
    let mut old = Sent::post();
    old.headers.insert("authorization", HeaderValue::from_static("AWS AKIDEXAMPLE:abc="));
    assert_eq!(parse(&old), Error::Algorithm);
    for (bad, from, to) in [
        ("no date", "x-amz-date", "x-amz-dat"),
        ("scope", "/aws4_request", "/aws4"),
        ("key", "AKIDEXAMPLE0000000", "AK ID"),
        ("digits", "26d6b406", "26D6B406"),
        ("order", "content-type;host", "host;content-type"),
    ] {
        let mut sent = Sent::post();
        let header = sent.headers.get("authorization").unwrap().to_str().unwrap().replace(from, to);
        sent.headers.insert("authorization", header.parse().unwrap());
        assert!(matches!(parse(&sent), Error::Incomplete { .. } | Error::NotSigned { .. }), "{bad}");
    }
    for expires in ["0", "604801", "-1", "+9", "", "1e3", "99999999999"] {
        let mut sent = Sent::presigned();
        sent.query = sent.query.replace("Expires=3600", &format!("Expires={expires}"));
        let error = parse(&sent);
        // A plus is a space in a query; either way it is not a number.
        assert_eq!(error, Error::Expires, "{expires}");
    }
}

#[test]
fn another_service_region_or_day_is_refused() {
    let sent = Sent::post();
    let presented = Presented::parse(&sent.parts()).unwrap();
    let judge = |expected| presented.verify(&sent.parts(), FORM.as_bytes(), expected, &secret(), at(SIGNED));
    assert!(matches!(judge(("s3", &["us-east-1"])), Err(Error::Scope { .. })));
    assert!(matches!(judge(("sts", &["eu-north-1"])), Err(Error::Scope { .. })));
    let mut day = Sent::post();
    day.headers.insert("x-amz-date", HeaderValue::from_static("20150831T000000Z"));
    assert!(matches!(Presented::parse(&day.parts()), Err(Error::Scope { .. })));
}

#[test]
fn http2_takes_the_host_from_the_authority() {
    let mut sent = Sent::post();
    sent.headers.remove("host");
    let parts = Parts { authority: Some("127.0.0.1:9000"), ..sent.parts() };
    let presented = Presented::parse(&parts).unwrap();
    presented.verify(&parts, FORM.as_bytes(), ("sts", &["us-east-1"]), &secret(), at(SIGNED)).unwrap();
}

#[test]
fn the_router_sees_the_scope_in_both_forms() {
    let scope = "AKIDEXAMPLE0000000/20150830/us-east-1/sts/aws4_request";
    assert_eq!(credential_scope(&Sent::post().parts()).as_deref(), Some(scope));
    assert_eq!(credential_scope(&Sent::presigned().parts()).as_deref(), Some(scope));
}

#[test]
fn an_empty_body_has_the_known_digest() {
    assert_eq!(hex::encode(crypto::sha256(b"").0), EMPTY);
}

/// Fuzz replay: mutations of good requests never panic and are never believed.
#[test]
fn mutations_are_never_believed() {
    let good = Sent::presigned();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..20_000 {
        let mut bytes = good.query.clone().into_bytes();
        for _ in 0..3 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let place = usize::try_from(state >> 32).unwrap() % bytes.len();
            match state % 3 {
                0 => drop(bytes.remove(place)),
                1 => bytes.insert(place, b' ' + u8::try_from(state >> 8 & 0x5f).unwrap() % 95),
                _ => bytes[place] = b' ' + u8::try_from(state >> 8 & 0x5f).unwrap() % 95,
            }
        }
        let query = String::from_utf8(bytes).unwrap();
        if query == good.query {
            continue;
        }
        let sent = Sent { query, ..Sent::presigned() };
        if sent.judge(SIGNED).is_ok() {
            // The only believable mutations spell the same parameters in another way.
            let same = |query: &str| {
                let mut pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
                pairs.retain(|(name, value)| !(name.is_empty() && value.is_empty()));
                pairs.sort();
                pairs
            };
            assert_eq!(same(&sent.query), same(&good.query), "{}", sent.query);
        }
    }
}
