//! Every change route of the management API leaves one entry in the ledger, with all that an auditor asks for; and an erasure
//! by two people, after which the ledger still verifies.

use base::Timestamp;
use ledger::{Entry, EventType, IdentityKind, Phase};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};
use tempfile::TempDir;
use ureq::Agent;

use crate::{
    rig::{FIRST_PASSWORD, PASSWORD, Rig},
    s3::now,
    support::{Galen, entries},
};

/// Routes that change nothing: signing in makes a session, which its own decision records.
const NO_CHANGE: [&str; 1] = ["POST /session"];

/// An ETag of a version that nothing has.
const STALE: &str = "\"000000000000000000000000-0000000000000000\"";

/// A signed-in person.
struct Caller {
    agent: Agent,
    web: String,
    token: String,
    person: String,
}

/// One change that was answered.
struct Made {
    route: String,
    person: String,
    reason: Option<String>,
    request: String,
    begun: Timestamp,
    ended: Timestamp,
}

impl Caller {
    fn new(rig: &Rig, galen: &Galen, username: &str) -> Self {
        let agent = Agent::config_builder().http_status_as_error(false).proxy(None).build().new_agent();
        let mut caller = Self { agent, web: rig.web(), token: galen.session_token(), person: String::new() };
        caller.person = caller.id(&format!("persons/{username}"));
        caller
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> (u16, String, Value) {
        self.call_if("*", method, path, body)
    }

    /// A request about a thing in the version that `tag` names.
    fn call_if(&self, tag: &str, method: &str, path: &str, body: &Value) -> (u16, String, Value) {
        let request = ureq::http::Request::builder().method(method).uri(format!("{}/api/v1/{path}", self.web));
        let request = request.header("authorization", format!("Bearer {}", self.token));
        let request = request.header("content-type", "application/json").header("if-match", tag);
        let mut answer = self.agent.run(request.body(body.to_string()).unwrap()).unwrap();
        let request = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        let text = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), request, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    fn id(&self, path: &str) -> String {
        let agent = &self.agent;
        let call =
            agent.get(format!("{}/api/v1/{path}", self.web)).header("authorization", format!("Bearer {}", self.token));
        let text = call.call().unwrap().body_mut().read_to_string().unwrap();
        let row: Value = serde_json::from_str(&text).unwrap();
        row["id"].as_str().unwrap_or_else(|| panic!("{path}: {row}")).to_owned()
    }

    /// Makes a change by the route `METHOD /path/{id}`, and makes it not of a version that the thing does not have.
    fn change(&self, made: &mut Vec<Made>, route: &str, id: &str, body: &Value) -> Value {
        let (method, path) = route.split_once(" /").unwrap();
        let begun = now();
        // The body of a policy is the policy, so its reason stands in the query.
        let policy = route.ends_with("/policy").then_some("the study is frozen");
        let query = policy.map_or_else(String::new, |why| format!("?reason={}", why.replace(' ', "+")));
        let target = path.replace("{id}", id) + &query;
        let (status, _, answer) = self.call_if(STALE, method, &target, body);
        let (expected, why) = if path.contains("{id}") { (412, "has changed") } else { (400, "send no If-Match") };
        let said = answer["detail"].as_str().unwrap_or_default();
        assert!(status == expected && said.contains(why), "{route} of another version: {status} {answer}");
        let (status, request, answer) = self.call(method, &target, body);
        assert!((200..300).contains(&status), "{route}: {status} {answer}");
        made.push(Made {
            route: route.to_owned(),
            person: self.person.clone(),
            reason: body["reason"].as_str().or(policy).map(str::to_owned),
            request,
            begun,
            ended: now(),
        });
        answer
    }
}

fn id(row: &Value) -> &str {
    row["id"].as_str().unwrap_or_else(|| panic!("{row}"))
}

/// An installation with two administrators: the second was enrolled while one could do it alone.
fn with_two_administrators(folder: TempDir) -> (Rig, crate::support::Server, Galen) {
    let mut rig = Rig::new(folder, &[]).with_settings(&[("GALEN__APPROVALS__SECOND".to_owned(), "false".to_owned())]);
    let server = rig.start();
    rig.furnish();
    let password = rig.folder.path().join("bert-password");
    fs::write(&password, FIRST_PASSWORD).unwrap();
    let person = ["person", "create", "--username", "bert", "--name", "Bert", "--email", "bert@example.com"];
    rig.operator.ok(&[&person[..], &["--password-file", password.to_str().unwrap()]].concat());
    rig.operator.ok(&["membership", "create", "--person", "bert", "--group", "administrators"]);
    server.stop();
    let rig = rig.with_settings(&[]);
    let server = rig.start();
    rig.sign_in_operator();
    rig.sign_in_olivia();
    let bert = Galen::new();
    bert.first_login_at(&rig.web(), "bert", (FIRST_PASSWORD, PASSWORD));
    (rig, server, bert)
}

/// Uses every change route once, each as somebody who may.
fn change_everything(rig: &Rig, admin: &Caller, second: &Caller, owner: &Caller) -> Vec<Made> {
    let mut made = Vec::new();
    let all = &mut made;
    let over = &json!({"reason": "the audit test is over"});
    let zoe = json!({"username": "zoe", "name": "Zoe", "email": "zoe@example.com", "password": PASSWORD});
    let zoe = admin.change(all, "POST /persons", "", &zoe);
    admin.change(all, "PATCH /persons/{id}", id(&zoe), &json!({"name": "Zoe Ek"}));
    let group = admin.change(all, "POST /groups", "", &json!({"name": "audited"}));
    admin.change(all, "PATCH /groups/{id}", id(&group), &json!({"name": "audited-too"}));
    let member = admin.change(all, "POST /memberships", "", &json!({"group": id(&group), "person": id(&zoe)}));
    admin.change(all, "POST /memberships/{id}/end", id(&member), over);
    let role = admin.change(all, "POST /roles", "", &json!({"name": "audited", "groups": [id(&group)]}));
    admin.change(all, "PATCH /roles/{id}", id(&role), &json!({"max_session_secs": 7200}));
    admin.change(all, "POST /roles/{id}/entitle", id(&role), &json!({"group": "crash-readers"}));
    admin.change(
        all,
        "POST /roles/{id}/unentitle",
        id(&role),
        &json!({"group": "crash-readers", "reason": "the audit is over"}),
    );
    admin.change(all, "POST /roles/{id}/end", id(&role), over);
    let client = json!({"name": "audited", "redirect_uris": ["http://127.0.0.1/cb"], "confidential": true});
    let client = admin.change(all, "POST /clients", "", &client);
    admin.change(all, "PATCH /clients/{id}", id(&client), &json!({"name": "audited-too"}));
    admin.change(all, "POST /clients/{id}/renew-secret", id(&client), &Value::Null);
    admin.change(all, "POST /clients/{id}/end", id(&client), over);
    let service = admin.change(all, "POST /services", "", &json!({"name": "audited", "owner": id(&zoe)}));
    admin.change(all, "PATCH /services/{id}", id(&service), &json!({"name": "audited-too"}));
    admin.change(all, "POST /services/{id}/renew-secret", id(&service), &json!({"reason": "yearly"}));
    admin.change(all, "POST /services/{id}/end", id(&service), over);
    let domain = admin.change(all, "POST /domains", "", &json!({"name": "audited", "owner": "crash-owners"}));
    owner.change(all, "PATCH /domains/{id}", id(&domain), &json!({"name": "audited-too"}));
    let dataset =
        json!({"name": "audited", "domain": id(&domain), "bucket": "audited", "owner": "crash-owners", "gxp": true});
    let dataset = owner.change(all, "POST /datasets", "", &dataset);
    let described = json!({"description": "what the test changes", "reason": "the description was missing"});
    owner.change(all, "PATCH /datasets/{id}", id(&dataset), &described);
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::audited/*"}]});
    owner.change(all, "PUT /datasets/{id}/policy", id(&dataset), &policy);
    owner.change(all, "DELETE /datasets/{id}/policy", id(&dataset), &Value::Null);
    owner.change(all, "POST /datasets/{id}/rotate-key", id(&dataset), &json!({"reason": "yearly"}));
    let grant =
        json!({"dataset": id(&dataset), "group": "crash-readers", "purpose": "the audit", "reason": "asked for"});
    let one = owner.change(all, "POST /grants", "", &grant);
    owner.change(all, "POST /grants/{id}/end", id(&one), over);
    let other = owner.change(all, "POST /grants", "", &grant);
    let revoked = json!({"what": "grant", "id": id(&other), "reason": "the audit revokes it"});
    owner.change(all, "POST /revocations", "", &revoked);
    owner.change(all, "POST /datasets/{id}/end", id(&dataset), over);
    admin.change(all, "POST /domains/{id}/end", id(&domain), over);
    admin.change(all, "POST /groups/{id}/end", id(&group), over);
    let waits = |all: &mut Vec<Made>| {
        let asked = json!({"group": "crash-writers", "person": id(&zoe), "reason": "joins the study"});
        let waiting = admin.change(all, "POST /memberships", "", &asked);
        assert_eq!(waiting["state"], "waiting", "{waiting}");
        id(&waiting).to_owned()
    };
    let (refused, approved) = (waits(all), waits(all));
    second.change(all, "POST /approvals/{id}/refuse", &refused, &json!({"reason": "not in the study"}));
    second.change(all, "POST /approvals/{id}/approve", &approved, &json!({"reason": "in the study"}));
    drop(rig.s3());
    let (_, _, sessions) = admin.call("GET", "sessions?page_size=200", &Value::Null);
    let role = admin.id("roles/crash-writer");
    let for_tools = |row: &&Value| row["role"] == role.as_str();
    let session = sessions["items"].as_array().unwrap().iter().find(for_tools).unwrap().clone();
    admin.change(all, "POST /sessions/{id}/end", id(&session), over);
    admin.change(all, "POST /persons/{id}/end", id(&zoe), over);
    admin.change(all, "POST /persons/{id}/reactivate", id(&zoe), &json!({"reason": "ended by mistake"}));
    admin.change(all, "POST /signing-keys/rotate", "", &json!({"reason": "yearly"}));
    admin.change(all, "POST /persons/{id}/erase", id(&zoe), &json!({"reason": "asked to be forgotten"}));
    made
}

/// Changes what S3 can change of governance, with a role that may make workspaces.
fn change_through_s3(rig: &Rig, admin: &Caller, owner: &Caller) -> Vec<Made> {
    let role = json!({"policies": ["GalenDataAccess", "GalenWorkspace"]});
    let (status, _, answer) = admin.call("PATCH", &format!("roles/{}", admin.id("roles/crash-writer")), &role);
    assert_eq!(status, 200, "{answer}");
    let s3 = rig.s3();
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::audited-workspace/*"}]});
    let cors = "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>https://a.example</AllowedOrigin>\
                </CORSRule></CORSConfiguration>";
    let policy = policy.to_string();
    let calls = [
        ("PUT", None, ""),
        ("PUT", Some("policy"), policy.as_str()),
        ("DELETE", Some("policy"), ""),
        ("PUT", Some("cors"), cors),
        ("DELETE", Some("cors"), ""),
        ("DELETE", None, ""),
    ];
    let call = |(method, sub, body): (&str, Option<&str>, &str)| {
        let begun = now();
        let query: Vec<(&str, &str)> = sub.map(|sub| (sub, "")).into_iter().collect();
        let answer = s3.bucket(method, "audited-workspace", &query, body);
        let text = String::from_utf8(answer.body.unwrap()).unwrap();
        assert!((200..300).contains(&answer.status), "{method} {sub:?}: {} {text}", answer.status);
        let route = format!("S3 {method} {}", sub.unwrap_or("bucket"));
        Made { route, person: owner.person.clone(), reason: None, request: answer.request, begun, ended: now() }
    };
    calls.into_iter().map(call).collect()
}

fn changes(ledger: &Path) -> BTreeMap<String, Vec<Entry>> {
    let mut found: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    for entry in entries(ledger).into_iter().filter(|entry| entry.phase == Phase::Change) {
        found.entry(entry.request_id.map_or_else(String::new, |id| id.to_string())).or_default().push(entry);
    }
    found
}

/// Every field that an auditor asks for.
fn whole(made: &Made, entry: &Entry) {
    let what = format!("{}: {entry:#?}", made.route);
    let who = &entry.user_identity;
    assert_eq!(who.kind, IdentityKind::Person, "{what}");
    assert_eq!(who.person.map(|id| id.to_string()).as_ref(), Some(&made.person), "{what}");
    assert!(who.session.is_some() && who.role.is_some(), "{what}");
    // Source identity and origin, readable while the person is not erased.
    assert!(entry.sealed.iter().any(|part| part.subject == made.person && !part.blob.is_empty()), "{what}");
    assert!(made.begun <= entry.event_time && entry.event_time <= made.ended, "{what}");
    let through_s3 = made.route.starts_with("S3");
    assert_eq!(entry.event_type, if through_s3 { EventType::AwsApiCall } else { EventType::GalenApiCall }, "{what}");
    assert!(!entry.event_name.is_empty() && !entry.resources.is_empty(), "{what}");
    let decision = entry.decision.as_ref().unwrap_or_else(|| panic!("{what}"));
    assert_eq!(decision.effect, ledger::Effect::Allow, "{what}");
    assert!(decision.why.session == who.session && !decision.why.documents.is_empty(), "{what}");
    let change = entry.change.as_ref().unwrap_or_else(|| panic!("{what}"));
    assert!((through_s3 || !change.facts.is_empty()) && change.digest.is_some(), "{what}");
    assert_eq!(change.reason, made.reason, "{what}");
    let data: serde_json::Value = entry.additional_event_data.as_ref().unwrap().read().unwrap();
    let values = data["values"].as_array().unwrap();
    // The rules of a bucket for browsers are no fact.
    assert_eq!(values.len(), change.facts.len() + usize::from(made.route.ends_with("cors")), "{what}");
    for value in values {
        assert!(!(value["old"].is_null() && value["new"].is_null()), "{what}");
        let changes = made.route.starts_with("PATCH");
        assert!(!changes || value["old"].is_object(), "the old value of what changed: {what}");
    }
}

// verifies: AUD-01, AUD-02
#[test]
fn every_change_route_leaves_one_entry_with_every_field() {
    let (rig, server, bert) = with_two_administrators(tempfile::tempdir().unwrap());
    let admin = Caller::new(&rig, &rig.operator, "root-admin");
    let (second, owner) = (Caller::new(&rig, &bert, "bert"), Caller::new(&rig, &rig.olivia, "olivia"));
    let (_, _, document) = admin.call("GET", "openapi.json", &Value::Null);
    let through_s3 = change_through_s3(&rig, &admin, &owner);
    let made = change_everything(&rig, &admin, &second, &owner);
    let mut routes: BTreeSet<String> = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path.strip_prefix("/api/v1").unwrap();
        let methods = methods.as_object().unwrap().keys().filter(|method| *method != "get");
        routes.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
    }
    let used: BTreeSet<String> = made.iter().map(|made| made.route.clone()).collect();
    let expected: BTreeSet<String> = routes.into_iter().filter(|route| !NO_CHANGE.contains(&route.as_str())).collect();
    assert_eq!(used, expected, "the routes of the test, and those of the document");
    server.stop();
    let entries = changes(&rig.data().join("ledger"));
    for made in made.iter().chain(&through_s3) {
        let entries = entries.get(&made.request).map_or(&[][..], Vec::as_slice);
        assert_eq!(entries.len(), 1, "{} left {} entries", made.route, entries.len());
        whole(made, &entries[0]);
    }
}

/// Whether the bytes stand in any file of a folder.
fn holds(folder: &Path, bytes: &[u8]) -> bool {
    fs::read_dir(folder).unwrap().map(Result::unwrap).any(|file| {
        if file.file_type().unwrap().is_dir() {
            return holds(&file.path(), bytes);
        }
        fs::read(file.path()).unwrap().windows(bytes.len()).any(|window| window == bytes)
    })
}

// verifies: DAT-08
#[test]
fn an_erasure_by_two_people_leaves_nothing_but_the_ledger_that_verifies() {
    let (mut rig, server, bert) = with_two_administrators(tempfile::tempdir().unwrap());
    let person = ["person", "create", "--username", "forgotten-one", "--name", "Forgotten", "--email"];
    rig.operator.ok(&[&person[..], &["forgotten@example.com"]].concat());
    let admin = Caller::new(&rig, &rig.operator, "root-admin");
    let forgotten = admin.id("persons/forgotten-one");
    server.stop();
    let key = |rig: &Rig| {
        let file = rig.folder.path().join(format!("whole-{}", now().as_microsecond()));
        rig.operator.ok(&["state", "export", "--whole", "--config", &rig.config, "--file", file.to_str().unwrap()]);
        let rows = fs::read_to_string(file).unwrap();
        let subject = uuid(&forgotten);
        let rows = rows.lines().skip(1).filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let wrapped = rows.filter(|row| row["table"] == "subject_keys" || row["table"] == "sealed");
        wrapped.filter(|row| row["row"][0] == subject.as_str()).collect::<Vec<_>>()
    };
    let before = key(&rig);
    assert!(before.len() > 1, "a key and what it seals: {before:?}");
    let server = rig.start();
    rig.sign_in_operator();
    bert.login_at(&rig.web(), "bert", PASSWORD);
    let (admin, second) = (Caller::new(&rig, &rig.operator, "root-admin"), Caller::new(&rig, &bert, "bert"));
    let erase = |caller: &Caller| {
        caller.call("POST", &format!("persons/{forgotten}/erase"), &json!({"reason": "asked to be forgotten"}))
    };
    let (status, _, waiting) = erase(&admin);
    assert_eq!((status, &waiting["change"]), (202, &"erase_person".into()), "{waiting}");
    assert_eq!(erase(&admin).0, 403, "two approvals are two people");
    let path = format!("persons/{forgotten}/erase");
    let (status, _, stale) = second.call_if(STALE, "POST", &path, &json!({"reason": "of another version"}));
    assert_eq!(status, 412, "the second approval is of the version that was read, as the first is: {stale}");
    let (status, _, done) = erase(&second);
    assert_eq!(status, 204, "{done}");
    assert_eq!(admin.call("GET", "persons/forgotten-one", &Value::Null).0, 404);
    server.stop();
    assert_eq!(key(&rig), Vec::<Value>::new());
    for row in before {
        let cells = row["row"].as_array().unwrap();
        let bytes = decoded(cells.last().unwrap().as_str().unwrap());
        assert!(!holds(&rig.data().join("store"), &bytes), "a trace of {} is in the store's files", row["table"]);
    }
    rig.verify();
}

fn decoded(base64: &str) -> Vec<u8> {
    use base64::{Engine, prelude::BASE64_STANDARD};
    BASE64_STANDARD.decode(base64).unwrap()
}

/// A UUID as an export writes its bytes.
fn uuid(text: &str) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'-').collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    BASE64_STANDARD.encode(digits.chunks(2).map(byte).collect::<Vec<_>>())
}
