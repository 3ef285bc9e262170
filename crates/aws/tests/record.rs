//! What the ledger holds of requests that were refused: an entry for each refusal of somebody known, a count for everything else,
//! and no word of a request that was not allowed as if it had been.

use serde_json::Value;

use crate::wire::{self, Keys, Reply, call};
use crate::world::World;

/// The counts of one reason: how many, by strangers and by each person.
fn counted(entries: &[Value], reason: &str, person: Option<base::PersonId>) -> u64 {
    let person = person.map(|person| person.to_string());
    let of = |entry: &&Value| {
        entry["denials"]["reason"] == reason && entry["userIdentity"]["person"].as_str() == person.as_deref()
    };
    let named = |entry: &Value| person.is_none() || entry["userIdentity"]["session"].is_string();
    let counts: Vec<&Value> = entries.iter().filter(of).collect();
    assert!(counts.iter().all(|entry| named(entry)), "{counts:?}");
    counts.iter().filter_map(|entry| entry["denials"]["count"].as_u64()).sum()
}

fn reasons(entries: &[Value]) -> Vec<String> {
    entries.iter().filter_map(|entry| Some(entry["denials"].as_object()?["reason"].to_string())).collect()
}

/// The entries of the request that was answered so.
fn of<'e>(entries: &'e [Value], reply: &Reply) -> Vec<&'e Value> {
    let id = reply.header("x-amz-request-id");
    entries.iter().filter(|entry| entry["requestID"] == id).collect()
}

// A session that expected another owner was refused, and the ledger did not know of it.
// verifies: AUD-11
#[tokio::test]
async fn finding_a_refusal_for_another_owner_is_an_entry() {
    let world = World::new().await;
    let mut replies = Vec::new();
    for (method, path, query) in [
        ("PUT", "/trial/key", None),
        ("GET", "/trial/key", None),
        ("GET", "/trial", Some("list-type")),
        ("POST", "/trial", Some("delete")),
        ("PUT", "/trial", Some("publicAccessBlock")),
    ] {
        let mut call = call(method, path).header("x-amz-expected-bucket-owner", "111111111111");
        call = match query {
            Some("list-type") => call.query("list-type", "2"),
            Some("delete") => call.query("delete", "").body("<Delete><Object><Key>a</Key></Object></Delete>"),
            Some(name) => call.query(name, "").body(BLOCK.replace("false", "true")),
            None => call,
        };
        let reply = world.s3(&world.ann, &call).await;
        reply.expect(403, "AccessDenied");
        replies.push((method, reply));
    }
    let copy = call("PUT", "/trial/copy")
        .header("x-amz-copy-source", "trial/key")
        .header("x-amz-source-expected-bucket-owner", "111111111111");
    let reply = world.s3(&world.ann, &copy).await;
    reply.expect(403, "AccessDenied");
    replies.push(("copy", reply));
    let ann = world.people.ann.to_string();
    let entries = world.recorded().await;
    for (what, reply) in &replies {
        let [entry] = of(&entries, reply)[..] else { panic!("{what}: {:?}", of(&entries, reply)) };
        assert_eq!((&entry["phase"], &entry["decision"]["effect"]), (&"denial".into(), &"deny".into()), "{what}");
        assert_eq!(entry["decision"]["reasons"][0], "other_account");
        assert_eq!(entry["userIdentity"]["person"], ann.as_str());
        assert!(entry["resources"][0]["ARN"].as_str().is_some_and(|arn| arn.contains("trial")), "{entry}");
    }
    assert_eq!(reasons(&entries), [""; 0], "what has an entry is not counted");
}

const BLOCK: &str = "<PublicAccessBlockConfiguration><BlockPublicAcls>false</BlockPublicAcls><IgnorePublicAcls>false</IgnorePublicAcls><BlockPublicPolicy>false</BlockPublicPolicy><RestrictPublicBuckets>false</RestrictPublicBuckets></PublicAccessBlockConfiguration>";

// A setting that was refused stood in the ledger as an allowed one.
// verifies: AUD-11
#[tokio::test]
async fn finding_b_a_refused_setting_is_told_as_refused() {
    let world = World::new().await;
    let public = world.s3(&world.olga, &call("PUT", "/trial").query("publicAccessBlock", "").body(BLOCK)).await;
    public.expect(403, "AccessDenied");
    let suspend = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
    let suspended = world.s3(&world.olga, &call("PUT", "/trial").query("versioning", "").body(suspend)).await;
    suspended.expect(409, "InvalidBucketState");
    let entries = world.recorded().await;
    let told = of(&entries, &public);
    let denial = told.iter().find(|entry| entry["phase"] == "denial").unwrap();
    assert_eq!(denial["decision"]["effect"], "deny");
    assert_eq!(denial["decision"]["reasons"][0], "public_access");
    assert_eq!(denial["eventName"], "PutBucketPublicAccessBlock");
    for (reply, status) in [(&public, 403), (&suspended, 409)] {
        let told = of(&entries, reply);
        let allowed = told.iter().find(|entry| entry["decision"]["effect"] == "allow").unwrap();
        let ended = told.iter().find(|entry| entry["of"] == allowed["eventID"]).unwrap();
        assert_eq!((&ended["outcome"]["status"], &ended["outcome"]["code"]), (&"failed".into(), &status.into()));
    }
}

async fn end_the_readers(world: &World) {
    let reader = world.access.role_by_arn(&world.roles.reader).unwrap().id;
    let op = access::OpContext::system(&world.effects);
    let permit = world.access.authorize(&op, access::api::EndRole, reader).await.unwrap();
    world.access.end_role(permit, "replaced".to_owned()).await.unwrap();
}

// Credentials that had been cut were used, and the ledger counted a stranger's malformed request.
// verifies: AUD-11
#[tokio::test]
async fn finding_c_the_use_of_a_cut_session_is_counted_by_its_session() {
    let world = World::new().await;
    end_the_readers(&world).await;
    for _ in 0..3 {
        world.s3(&world.ann, &call("GET", "/trial/key")).await.expect(400, "ExpiredToken");
    }
    world.s3(&world.ann, &call("PUT", "/trial").query("lifecycle", "")).await.expect(400, "ExpiredToken");
    world.sts(&world.ann, "Action=GetCallerIdentity&Version=2011-06-15").await.expect(403, "ExpiredToken");
    // Who has the token and not the key is not the session: nobody is named.
    let stolen = Keys { secret: "x".repeat(40), ..world.ann.clone() };
    world.s3(&stolen, &call("GET", "/trial/key")).await.expect(403, "SignatureDoesNotMatch");
    let ann = world.people.ann;
    let entries = world.recorded().await;
    assert_eq!(counted(&entries, "s3:session-ended", Some(ann)), 4, "{:?}", reasons(&entries));
    assert_eq!(counted(&entries, "sts:session-ended", Some(ann)), 1);
    assert_eq!(counted(&entries, "s3:unauthenticated", None), 1);
    assert_eq!(reasons(&entries).len(), 3, "{:?}", reasons(&entries));
}

// What was refused before any service looked at it left no trace.
// verifies: AUD-11
#[tokio::test]
async fn finding_d_what_is_refused_at_the_door_is_counted() {
    let world = World::new().await;
    let wide = "x".repeat(40_000);
    world.s3(&world.ann, &call("GET", "/trial").header("x-wide", &wide)).await;
    world.raw("GET", &format!("/{}", "a".repeat(17_000)), &[], "").await.expect(400, "InvalidURI");
    world.form(&format!("Action=x&a={}", "a".repeat(200_000))).await.expect(413, "RequestEntityTooLarge");
    world.raw("POST", "/", &[("x-amz-target", "AWSGlue.GetTables")], "").await;
    let preflight = [("origin", "https://evil.example"), ("access-control-request-method", "PUT")];
    world.raw("OPTIONS", "/trial/key", &preflight, "").await.expect(403, "AccessDenied");
    let form = call("POST", "/trial").header("content-type", "multipart/form-data; boundary=b").body("--b--");
    world.bare(&form).await.expect(501, "NotImplemented");
    let entries = world.recorded().await;
    for (reason, times) in
        [("s3:oversized", 2), ("sts:oversized", 1), ("aws:not-offered", 1), ("cors:refused", 1), ("s3:not-offered", 1)]
    {
        assert_eq!(counted(&entries, reason, None), times, "{reason}: {:?}", reasons(&entries));
    }
}

// Somebody known sent what cannot be read or is not offered, as often as they liked, and nothing told of it.
// verifies: AUD-11
#[tokio::test]
async fn finding_e_what_somebody_known_sends_malformed_is_counted_with_who() {
    let world = World::new().await;
    for (method, query) in [("POST", "delete"), ("PUT", "tagging"), ("PUT", "cors")] {
        let path = if query == "tagging" { "/trial/key" } else { "/trial" };
        let reply = world.s3(&world.ann, &call(method, path).query(query, "").body("<Wrong")).await;
        reply.expect(400, "MalformedXML");
    }
    let key = world.s3(&world.ann, &call("PUT", "/trial/a//b").body("x")).await;
    assert_eq!(key.status, 400, "{}", key.text());
    world.s3(&world.olga, &call("DELETE", "/trial").query("publicAccessBlock", "")).await.expect(501, "NotImplemented");
    world
        .s3(&world.olga, &call("GET", "/trial").query("inventory", "").query("id", "a"))
        .await
        .expect(501, "NotImplemented");
    let role = wire::encode(&world.roles.owner, "");
    let assume = format!("Action=AssumeRole&Version=2011-06-15&RoleArn={role}&RoleSessionName=check");
    for form in [
        format!("{assume}&Tags.member.1.Key=team&Tags.member.1.Value=*"),
        format!("{assume}&DurationSeconds=1"),
        "Action=Nothing&Version=2011-06-15".to_owned(),
    ] {
        let reply = world.sts(&world.ann, &form).await;
        assert!((400..500).contains(&reply.status), "{form}: {}", reply.text());
    }
    let (ann, olga) = (world.people.ann, world.people.olga);
    let entries = world.recorded().await;
    assert_eq!(counted(&entries, "s3:malformed", Some(ann)), 4, "{:?}", reasons(&entries));
    assert_eq!(counted(&entries, "s3:not-offered", Some(olga)), 2, "{:?}", reasons(&entries));
    assert_eq!(counted(&entries, "sts:malformed", Some(ann)), 3, "{:?}", reasons(&entries));
    assert_eq!(reasons(&entries).len(), 3, "{:?}", reasons(&entries));
}

// The bounds that hold at every door were told in S3's words to clients of the token service.
#[tokio::test]
async fn finding_f_a_refusal_at_the_door_has_the_form_of_its_service() {
    let few = std::num::NonZeroU32::MIN;
    let world = World::with(|options| options.rates.source_per_second = few.saturating_add(9)).await;
    let wide = "x".repeat(40_000);
    let sts = |header: &'static str| {
        wire::call("POST", "/")
            .header("content-type", "application/x-www-form-urlencoded")
            .header(header, &wide)
            .body("Action=GetCallerIdentity&Version=2011-06-15")
    };
    let reply = world.bare(&sts("x-wide")).await;
    assert!(reply.text().contains("<ErrorResponse"), "{}", reply.text());
    reply.expect(413, "RequestEntityTooLarge");
    let glue = [("x-amz-target", "AWSGlue.GetTables"), ("x-wide", wide.as_str())];
    let reply = world.raw("POST", "/", &glue, "").await;
    assert!(reply.status == 400 && reply.text().contains("__type"), "{}", reply.text());
    let mut slowed = None;
    for _ in 0..300 {
        let reply = world.form("Action=GetCallerIdentity&Version=2011-06-15").await;
        if reply.code() == "Throttling" {
            slowed = Some(reply);
            break;
        }
    }
    let slowed = slowed.unwrap();
    assert!(
        slowed.text().contains("<ErrorResponse") && slowed.headers.contains_key("retry-after"),
        "{}",
        slowed.text()
    );
}

// A signature of version 4A has no region in its scope: its last word was taken for a service.
#[tokio::test]
async fn finding_f_signature_version_4a_is_refused_in_the_words_of_s3() {
    let world = World::new().await;
    let line = "AWS4-ECDSA-P256-SHA256 Credential=ASIAAAAAAAAAAAAAAAAA/20261123/s3/aws4_request, \
                SignedHeaders=host;x-amz-date;x-amz-region-set, Signature=30";
    let headers = [("authorization", line), ("x-amz-date", "20261123T000000Z"), ("x-amz-region-set", "*")];
    let reply = world.raw("GET", "/trial/key", &headers, "").await;
    reply.expect(501, "NotImplemented");
    assert!(reply.element("Message").unwrap().contains("SigV4"), "{}", reply.text());
    let query = "/trial/key?X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256&X-Amz-Credential=A%2F20261123%2Fs3%2Faws4_request&X-Amz-Signature=30";
    world.raw("GET", query, &[], "").await.expect(501, "NotImplemented");
}

// A list was recorded without how much of the bucket it showed (authorisation.md, section 6).
#[tokio::test]
async fn finding_g_a_list_is_recorded_with_its_counts() {
    let world = World::new().await;
    for key in ["a/1", "a/2", "b/1"] {
        world.s3(&world.bob, &call("PUT", &format!("/shared/{key}")).body("x")).await.ok();
    }
    let list = |query: &'static [(&'static str, &'static str)]| {
        query.iter().fold(call("GET", "/shared"), |call, (name, value)| call.query(name, value))
    };
    let (plain, folded) = (&[("list-type", "2")][..], &[("list-type", "2"), ("delimiter", "/")][..]);
    let versions = &[("versions", "")][..];
    let mut replies = Vec::new();
    for (query, shown) in [
        (plain, (2, 1)),
        (folded, (1, 1)),
        (versions, (2, 1)),
        (&[("list-type", "2"), ("prefix", "a/")][..], (2, 0)),
        (&[("list-type", "2"), ("max-keys", "1")][..], (1, 0)),
    ] {
        replies.push((world.s3(&world.ann, &list(query)).await.ok(), shown));
    }
    replies.push((world.s3(&world.bob, &list(plain)).await.ok(), (3, 0)));
    let entries = world.recorded().await;
    for (reply, (listed, hidden)) in &replies {
        let told = of(&entries, reply);
        let [asked, ended] = told[..] else { panic!("{told:?}") };
        assert_eq!((&asked["phase"], &ended["of"]), (&"note".into(), &asked["eventID"]));
        assert_eq!(
            ended["outcome"]["shown"],
            serde_json::json!({"listed": listed, "hidden": hidden}),
            "{}",
            reply.text()
        );
    }
}
