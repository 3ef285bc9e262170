//! The token service over a real listener.

use crate::wire::{Keys, call};
use crate::world::World;

const WHO: &str = "Action=GetCallerIdentity&Version=2011-06-15";

#[tokio::test]
async fn web_identity_gives_a_session_that_says_who_it_is() {
    let world = World::new().await;
    let reply = world.web_identity(&world.roles.reader, "token-ann", "&DurationSeconds=900").await.ok();
    assert_eq!(reply.header("content-type"), "text/xml");
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_eq!(reply.header("x-amzn-requestid"), reply.element("RequestId").unwrap());
    assert_eq!(reply.element("Provider").as_deref(), Some("http://issuer.test"));
    assert_eq!(reply.element("SubjectFromWebIdentityToken").as_deref(), Some("ann"));
    let who = world.sts(&crate::world::keys(&reply), WHO).await.ok();
    let arn = format!("arn:aws:sts::{}:assumed-role/reader/check", world.account);
    assert_eq!((who.element("Arn"), who.element("Account")), (Some(arn), Some(world.account.to_string())));
    assert!(who.element("UserId").unwrap().starts_with("AROA"));
}

#[tokio::test]
async fn get_is_accepted_as_well_as_post() {
    let world = World::new().await;
    let target = format!(
        "/?Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn={}&RoleSessionName=check&WebIdentityToken=token-ann",
        crate::wire::encode(&world.roles.reader, "")
    );
    let keys = crate::world::keys(&world.raw("GET", &target, &[], "").await.ok());
    let mut who = call("GET", "/");
    who = who.query("Action", "GetCallerIdentity").query("Version", "2011-06-15");
    let signed = crate::wire::signed(&who, &keys, "sts", &world.host(), world.effects.now());
    assert!(crate::wire::send(world.address, signed).await.ok().element("Arn").is_some());
    // Presigned, as SDKs do it: a GET, or a POST with everything in the query.
    for method in ["GET", "POST"] {
        let mut who = call(method, "/");
        who = who.query("Action", "GetCallerIdentity").query("Version", "2011-06-15");
        let url = crate::wire::presigned_for(&who, &keys, &world.host(), world.effects.now(), (60, "sts"));
        assert!(world.raw(method, &url, &[], "").await.ok().element("Arn").is_some(), "{method}");
        let other = if method == "GET" { "POST" } else { "GET" };
        world.raw(other, &url, &[], "").await.expect(403, "SignatureDoesNotMatch");
    }
}

#[tokio::test]
async fn refusals_have_the_codes_of_aws() {
    let world = World::new().await;
    let reader = &world.roles.reader;
    world.web_identity(reader, "token-eve", "").await.expect(400, "InvalidIdentityToken");
    world.web_identity(reader, "nonsense", "").await.expect(400, "InvalidIdentityToken");
    world.web_identity(reader, "expired", "").await.expect(400, "ExpiredTokenException");
    world.web_identity(reader, "token-bob", "").await.expect(403, "AccessDenied");
    world.web_identity(reader, "token-carl", "").await.expect(403, "AccessDenied");
    world.web_identity(&format!("{reader}-none"), "token-ann", "").await.expect(403, "AccessDenied");
    world.web_identity(reader, "token-ann", "&DurationSeconds=899").await.expect(400, "ValidationError");
    world.web_identity(reader, "token-ann", "&DurationSeconds=3601").await.expect(400, "ValidationError");
    world.web_identity(reader, "token-ann", "&Policy=x").await.expect(400, "MalformedPolicyDocument");
    world.web_identity(reader, "token-ann", "&Unheard=1").await.expect(400, "ValidationError");
    world.form("Action=GetSessionToken&Version=2011-06-15").await.expect(400, "InvalidAction");
    world.form("Action=AssumeRoleWithSAML&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fx&PrincipalArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Asaml-provider%2Fx&SAMLAssertion=PGEv").await.expect(403, "AccessDenied");
    world.form(WHO).await.expect(403, "MissingAuthenticationToken");
    world.form("Action=%zz").await.expect(400, "MalformedQueryString");
    let large = format!("Action=AssumeRoleWithWebIdentity&x={}", "x".repeat(300_000));
    world.form(&large).await.expect(413, "RequestEntityTooLarge");
}

#[tokio::test]
async fn a_signature_must_be_of_a_live_session() {
    let world = World::new().await;
    let with = |change: fn(&mut Keys)| {
        let mut keys = world.ann.clone();
        change(&mut keys);
        keys
    };
    world.sts(&with(|keys| keys.secret.push('x')), WHO).await.expect(403, "SignatureDoesNotMatch");
    world.sts(&with(|keys| keys.token = String::new()), WHO).await.expect(403, "InvalidClientTokenId");
    world
        .sts(&with(|keys| keys.token = keys.token.chars().rev().collect()), WHO)
        .await
        .expect(403, "InvalidClientTokenId");
    world.sts(&with(|keys| keys.id = "AKIAIOSFODNN7EXAMPLE".into()), WHO).await.expect(403, "InvalidClientTokenId");
    // Another session's token under this session's key.
    let mut mixed = world.ann.clone();
    mixed.token.clone_from(&world.bob.token);
    world.sts(&mixed, WHO).await.expect(403, "InvalidClientTokenId");
    let form = call("POST", "/").header("content-type", "application/x-www-form-urlencoded").body(WHO);
    let old = world.effects.now().checked_sub(std::time::Duration::from_secs(901)).unwrap();
    let stale = crate::wire::signed(&form, &world.ann, "sts", &world.host(), old);
    crate::wire::send(world.address, stale).await.expect(400, "RequestExpired");
}

#[tokio::test]
async fn roles_are_chained_and_wishes_are_kept() {
    let world = World::new().await;
    let chain = |role: &str, extra: &str| {
        format!(
            "Action=AssumeRole&Version=2011-06-15&RoleArn={}&RoleSessionName=next{extra}",
            crate::wire::encode(role, "")
        )
    };
    let next = world.sts(&world.ann, &chain(&world.roles.reader, "&SourceIdentity=ann%40example.test")).await.ok();
    assert_eq!(next.element("SourceIdentity").as_deref(), Some("ann@example.test"));
    let keys = crate::world::keys(&next);
    world.s3(&keys, &call("GET", "/trial").query("list-type", "2")).await.ok();
    world
        .sts(&world.ann, &chain(&world.roles.reader, "&SourceIdentity=bob%40example.test"))
        .await
        .expect(403, "AccessDenied");
    world.sts(&world.ann, &chain(&world.roles.owner, "")).await.expect(403, "AccessDenied");
    world
        .sts(&world.ann, &chain(&world.roles.reader, "&SerialNumber=x&TokenCode=123456"))
        .await
        .expect(400, "ValidationError");
    // A session policy narrows, also in S3.
    let policy = crate::wire::encode(
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::trial/one"}]}"#,
        "",
    );
    let narrow = crate::world::keys(
        &world.web_identity(&world.roles.reader, "token-ann", &format!("&Policy={policy}")).await.ok(),
    );
    world.s3(&world.ann, &call("PUT", "/trial/one").body("1")).await.ok();
    world.s3(&world.ann, &call("PUT", "/trial/two").body("2")).await.ok();
    world.s3(&narrow, &call("GET", "/trial/one")).await.ok();
    world.s3(&narrow, &call("GET", "/trial/two")).await.expect(403, "AccessDenied");
    world.s3(&narrow, &call("PUT", "/trial/one").body("3")).await.expect(403, "AccessDenied");
}

/// HTTP/2 carries the host in `:authority`; both signatures must hold there too.
#[tokio::test]
async fn http2_is_spoken_by_both_services() {
    let world = World::new().await;
    let host = world.host();
    for (service, call) in [
        ("sts", call("POST", "/").header("content-type", "application/x-www-form-urlencoded").body(WHO)),
        ("s3", call("GET", "/trial").query("list-type", "2")),
    ] {
        let request = crate::wire::signed(&call, &world.ann, service, &host, world.effects.now());
        let (status, text) = crate::wire::send_http2(world.address, request).await;
        assert_eq!(status, 200, "{service}: {text}");
    }
}

/// rclone over TLS complained of a body in each answer to a HEAD of what was not there.
#[tokio::test]
async fn finding_a_refused_head_has_no_body_over_http2() {
    let world = World::new().await;
    for (path, status) in [("/trial/none", 404), ("/secret/x", 403)] {
        let request = crate::wire::signed(&call("HEAD", path), &world.ann, "s3", &world.host(), world.effects.now());
        assert_eq!(crate::wire::send_http2(world.address, request).await, (status, String::new()), "{path}");
    }
}
