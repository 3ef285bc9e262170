//! The management API over real HTTP against the whole program: who is let in, pages, idempotency, problems, the verbs of the
//! command line.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use ureq::Agent;

use super::support::{Demo, Galen};

pub(crate) struct Api {
    agent: Agent,
    web: String,
    token: String,
}

impl Api {
    pub(crate) fn of(galen: &Galen, demo: &Demo) -> Self {
        let agent = Agent::config_builder().http_status_as_error(false).build().new_agent();
        Self { agent, web: demo.web().to_owned(), token: galen.session_token() }
    }
    fn url(&self, path: &str) -> String {
        format!("{}/api/v1/{path}", self.web)
    }
    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        let call = self.agent.get(self.url(path)).header("authorization", format!("Bearer {}", self.token));
        read(call.call().unwrap())
    }
    /// The status, and the id under which the request was recorded.
    pub(crate) fn recorded(&self, path: &str) -> (u16, String) {
        let call = self.agent.get(self.url(path)).header("authorization", format!("Bearer {}", self.token));
        let response = call.call().unwrap();
        (response.status().as_u16(), response.headers()["x-request-id"].to_str().unwrap().to_owned())
    }
    /// The row, and its ETag.
    fn tagged(&self, path: &str) -> (Value, String) {
        let call = self.agent.get(self.url(path)).header("authorization", format!("Bearer {}", self.token));
        let response = call.call().unwrap();
        let tag = response.headers().get("etag").unwrap_or_else(|| panic!("{path} has no ETag")).clone();
        (read(response).1, tag.to_str().unwrap().to_owned())
    }
    /// A request with one conditional header.
    pub(crate) fn given(&self, method: &str, path: &str, (name, tag): (&str, &str), body: &Value) -> (u16, Value) {
        let request = ureq::http::Request::builder().method(method).uri(self.url(path)).header(name, tag);
        let request = request.header("authorization", format!("Bearer {}", self.token));
        let body = if method == "GET" { String::new() } else { body.to_string() };
        read(self.agent.run(request.header("content-type", "application/json").body(body).unwrap()).unwrap())
    }
    pub(crate) fn post(&self, path: &str, key: Option<&str>, body: &Value) -> (u16, Value) {
        let mut call = self.agent.post(self.url(path)).header("authorization", format!("Bearer {}", self.token));
        if let Some(key) = key {
            call = call.header("idempotency-key", key);
        }
        read(call.send_json(body).unwrap())
    }
}

fn read(mut response: ureq::http::Response<ureq::Body>) -> (u16, Value) {
    let status = response.status().as_u16();
    assert!(response.headers().contains_key("x-request-id"), "every answer names its request");
    let text = response.body_mut().read_to_string().unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

pub(crate) fn admin(demo: &Demo) -> Galen {
    let galen = Galen::new();
    galen.login(demo, &demo.ready["admin"]);
    galen
}

// verifies: IAM-02
#[test]
fn no_route_answers_a_stranger() {
    let demo = Demo::start();
    let agent = Agent::config_builder().http_status_as_error(false).build().new_agent();
    let (_, document) = read(agent.get(format!("{}/api/v1/openapi.json", demo.web())).call().unwrap());
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    let open = ["/api/v1/about", "/api/v1/session", "/api/v1/receipt-key"];
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let url = format!("{}{}", demo.web(), path.replace("{id}", "01a20000-0000-7000-8000-000000000000"));
            let request = ureq::http::Request::builder().method(method.to_uppercase().as_str()).uri(url);
            let request = request.header("content-type", "application/json").body("{}").unwrap();
            let (status, problem) = read(agent.run(request).unwrap());
            if !open.contains(&path.as_str()) {
                assert_eq!(status, 401, "{method} {path} answered {status}: {problem}");
                asked += 1;
            }
        }
    }
    assert!(asked > 30, "the document lists only {asked} routes");
    demo.stop();
}

#[test]
fn a_post_with_a_key_is_done_once() {
    let demo = Demo::start();
    let galen = admin(&demo);
    let api = Api::of(&galen, &demo);
    let body = json!({"name": "once"});
    let (status, first) = api.post("groups", Some("k-1"), &body);
    assert_eq!(status, 201, "{first}");
    assert_eq!(api.post("groups", Some("k-1"), &body), (201, first.clone()));
    let (status, other) = api.post("groups", Some("k-1"), &json!({"name": "other"}));
    assert_eq!(status, 409, "{other}");
    let (status, again) = api.post("groups", None, &body);
    assert_eq!(status, 409, "without the key it is a second group of that name: {again}");
    let (status, refused) = api.post("clients", Some("k-2"), &json!({"name": "tool"}));
    assert_eq!(status, 400, "{refused}");
    demo.stop();
}

#[test]
fn pages_show_every_row_once() {
    let demo = Demo::start();
    let galen = admin(&demo);
    let api = Api::of(&galen, &demo);
    for list in ["groups", "persons", "roles", "memberships", "datasets", "grants"] {
        let (_, all) = api.get(&format!("{list}?page_size=200"));
        let ids = |page: &Value| -> Vec<String> {
            page["items"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
        };
        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let after = if token.is_empty() { String::new() } else { format!("&page_token={token}") };
            let (status, page) = api.get(&format!("{list}?page_size=3{after}"));
            assert_eq!(status, 200, "{list}: {page}");
            seen.extend(ids(&page));
            match page["next_page_token"].as_str() {
                Some(next) => next.clone_into(&mut token),
                None => break,
            }
        }
        assert_eq!(seen.len(), seen.iter().collect::<BTreeSet<_>>().len(), "{list}: a row came twice");
        assert_eq!(seen, ids(&all), "{list}");
    }
    // A filter gives the rows that it names, and all of them.
    let filters = [
        ("memberships", "person", "anna"),
        ("memberships", "group", "oncology-readers"),
        ("grants", "dataset", "oncology-sdtm"),
        ("grants", "group", "oncology-readers"),
        ("sessions", "person", "anna"),
    ];
    Galen::new().login(&demo, demo.person("anna"));
    for (list, filter, name) in filters {
        let rows = |path: &str| api.get(path).1["items"].as_array().unwrap().clone();
        let all = rows(&format!("{list}?page_size=200"));
        let of = |row: &&Value| row[format!("{filter}_name")] == name;
        let expected = all.iter().filter(of).cloned().collect::<Vec<_>>();
        assert!(!expected.is_empty() && expected.len() < all.len(), "{list} {filter}: {all:?}");
        assert_eq!(rows(&format!("{list}?{filter}={name}&page_size=200")), expected, "{list} {filter}");
    }
    let (status, problem) = api.get("persons?group=oncology-readers");
    assert!(status == 400 && problem["detail"].as_str().unwrap().contains("page_token"), "{problem}");
    let (status, problem) = api.get("groups?page_size=0");
    assert_eq!(status, 400, "{problem}");
    demo.stop();
}

// verifies: AUD-11
#[test]
fn bad_input_is_named_and_changes_nothing() {
    let demo = Demo::start();
    let galen = admin(&demo);
    let api = Api::of(&galen, &demo);
    let before = api.get("groups?page_size=200");
    for name in ["..", "a/../b", "a//b", "*", "team?", "a\0b", "", " edge"] {
        let (status, problem) = api.post("groups", None, &json!({"name": name}));
        assert_eq!(status, 400, "{name:?}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains("is not a group name"), "{problem}");
        assert_eq!(problem["type"], "urn:galen:problem:invalid");
    }
    let (status, problem) = api.post("groups", None, &json!({"name": "a", "nmae": "b"}));
    assert_eq!((status, problem["detail"].as_str().unwrap().contains("`nmae`")), (400, true), "{problem}");
    let person = json!({"username": "a*", "name": "A", "email": "a@example.com"});
    assert_eq!(api.post("persons", None, &person).0, 400);
    assert_eq!(api.post("domains", None, &json!({"name": "..", "owner": "data-owners"})).0, 400);
    for query in ["groups?foo=bar", "groups?page_size=none", "groups?page_size=0", "why?person=anna&resorce=x"] {
        let (status, problem) = api.get(query);
        assert_eq!(status, 400, "{query}: {problem}");
    }
    assert_eq!(api.given("PUT", "groups", ("x-a", "b"), &json!({})).0, 405);
    assert_eq!(api.get("groups?page_size=200"), before);
}

#[test]
fn a_refusal_names_its_decision() {
    let demo = Demo::start();
    let anna = Galen::new();
    anna.login(&demo, demo.person("anna"));
    let (status, problem) = Api::of(&anna, &demo).post("groups", None, &json!({"name": "mine"}));
    assert_eq!(status, 403, "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("the policies of role member (") && detail.contains("galen login --as"), "{detail}");
    let decision = problem["decision"].as_str().unwrap();
    let auditor = Galen::new();
    auditor.login(&demo, demo.person("emil"));
    let told = auditor.ok(&["--output", "json", "why", "--decision", decision]);
    let story: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(story["verdict"]["effect"], "refused", "{story}");
    assert_eq!(story["replay"]["agrees"], true, "{story}");
    demo.stop();
}

#[test]
fn rows_name_what_their_ids_stand_for() {
    let demo = Demo::start();
    let owner = Galen::new();
    owner.login(&demo, demo.person("olivia"));
    let list =
        |noun: &str| -> Vec<Value> { serde_json::from_str(&owner.ok(&["--output", "json", noun, "list"])).unwrap() };
    let grants = list("grant");
    let grant = grants.iter().find(|row| row["dataset_name"] == "oncology-sdtm" && row["state"] == "live").unwrap();
    assert_eq!(grant["approver_name"], "olivia", "{grant}");
    assert!(grant["group_name"].is_string(), "{grant}");
    let shown = owner.ok(&["--output", "json", "grant", "show", grant["id"].as_str().unwrap()]);
    assert_eq!(serde_json::from_str::<Value>(&shown).unwrap()["group_name"], grant["group_name"]);
    let dataset = list("dataset").into_iter().find(|row| row["name"] == "oncology-sdtm").unwrap();
    assert!(dataset["domain_name"].is_string() && dataset["owner_name"].is_string(), "{dataset}");
    let resource = format!("arn:aws:s3:::{}/", demo.dataset("ophthalmology-sdtm")["bucket"].as_str().unwrap());
    let resource = format!("{resource}{}ae.csv", demo.dataset("ophthalmology-sdtm")["prefix"].as_str().unwrap());
    // What became of a grant is told with it.
    let id = grant["id"].as_str().unwrap();
    owner.ok(&["grant", "end", id, "--reason", "the study is over"]);
    let over: Value = serde_json::from_str(&owner.ok(&["--output", "json", "grant", "show", id])).unwrap();
    assert_eq!((&over["state"], &over["end_reason"]), (&json!("ended"), &json!("the study is over")), "{over}");
    assert_eq!(over["ended_by_name"], "olivia");
    assert!(over["ended"].is_string(), "{over}");
    let told = owner.ok(&["why", "--person", "anna", "--resource", &resource]);
    assert!(told.contains("no grant of dataset ophthalmology-sdtm in domain"), "{told}");
    demo.stop();
}

#[test]
fn who_may_not_see_people_gets_no_names_of_them() {
    let demo = Demo::start();
    let galen = Galen::new();
    galen.login(&demo, demo.person("anna"));
    let api = Api::of(&galen, &demo);
    let (_, document) = api.get("openapi.json");
    let mut shown = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        if path.contains('{') || methods["get"].is_null() {
            continue;
        }
        let (status, answer) = api.get(path.trim_start_matches("/api/v1/"));
        shown += usize::from(status == 200);
        for other in ["admin", "olivia", "niels", "petra", "bo"] {
            let named = format!("\"{other}\"");
            assert!(!answer.to_string().contains(&named), "GET {path} names {other}: {answer}");
        }
    }
    assert!(shown >= 3, "{shown} lists were shown");
    let (_, grants) = Api::of(&admin(&demo), &demo).get("grants");
    for grant in grants["items"].as_array().unwrap() {
        let (status, row) = api.get(&format!("grants/{}", grant["id"].as_str().unwrap()));
        assert!(status == 403 || row["approver_name"].is_null(), "{row}");
    }
    demo.stop();
}

// verifies: IAM-02
#[test]
fn an_administrator_is_not_thereby_a_data_owner() {
    let demo = Demo::start();
    let galen = admin(&demo);
    let dataset = demo.dataset("ophthalmology-sdtm")["id"].as_str().unwrap();
    let words = ["grant", "create", "--dataset", dataset, "--group", "oncology-readers", "--purpose", "curiosity"];
    let refused = galen.run(&words);
    assert_eq!(refused.status.code(), Some(1), "an administrator must not grant data");
    demo.stop();
}

/// Reads, changes, and repeats the change and the end with the ETag that was read first.
fn changed_once((api, ender): (&Api, &Api), noun: &str, id: &str, change: &Value) {
    let path = format!("{noun}/{id}");
    let (before, tag) = api.tagged(&path);
    assert_eq!(api.given("GET", &path, ("if-none-match", &tag), &Value::Null).0, 304, "{path}");
    let (status, problem) = api.given("PATCH", &path, ("if-match", "\"0\""), change);
    assert_eq!(status, 412, "{path}: {problem}");
    assert_eq!(api.tagged(&path), (before, tag.clone()), "{path}: a refused change changes nothing");
    let (status, changed) = api.given("PATCH", &path, ("if-match", &tag), change);
    assert_eq!(status, 200, "{path}: {changed}");
    for (by, method, path, body) in [
        (api, "PATCH", path.clone(), change.clone()),
        (ender, "POST", format!("{path}/end"), json!({"reason": "late"})),
    ] {
        let (status, problem) = by.given(method, &path, ("if-match", &tag), &body);
        assert_eq!(status, 412, "{method} {path}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains("read it again"), "{problem}");
    }
    assert_eq!(api.tagged(&path).0, changed, "{path}");
    assert_eq!(api.given("GET", &path, ("if-none-match", &tag), &Value::Null).0, 200, "{path}");
}

#[test]
fn a_change_of_what_has_changed_since_it_was_read_is_refused() {
    let demo = Demo::start();
    let galen = admin(&demo);
    let api = Api::of(&galen, &demo);
    let made = |noun: &str, body: &Value| -> String {
        let (status, row) = api.post(noun, None, body);
        assert_eq!(status, 201, "{noun}: {row}");
        row["id"].as_str().unwrap().to_owned()
    };
    let group = made("groups", &json!({"name": "tagged"}));
    changed_once((&api, &api), "groups", &group, &json!({"name": "tagged-too"}));
    let person = made("persons", &json!({"username": "tag", "name": "Tag", "email": "tag@example.com"}));
    changed_once((&api, &api), "persons", &person, &json!({"name": "Tage"}));
    let role = made("roles", &json!({"name": "tagged", "groups": [group]}));
    changed_once((&api, &api), "roles", &role, &json!({"max_session_secs": 7200}));
    let owner = Galen::new();
    owner.login(&demo, demo.person("olivia"));
    let owner = Api::of(&owner, &demo);
    let domain = made("domains", &json!({"name": "tagged", "owner": "oncology-owners"}));
    changed_once((&owner, &api), "domains", &domain, &json!({"name": "tagged-too"}));
    let membership = made("memberships", &json!({"group": group, "person": person}));
    let (_, tag) = api.tagged(&format!("memberships/{membership}"));
    let end = format!("memberships/{membership}/end");
    assert_eq!(api.given("POST", &end, ("if-match", "\"0\""), &json!({"reason": "stale"})).0, 412);
    assert_eq!(api.given("POST", &end, ("if-match", &tag), &json!({"reason": "over"})).0, 200);
    let (status, problem) = api.given("POST", "groups", ("if-match", &tag), &json!({"name": "new"}));
    assert_eq!(status, 400, "what is new has no version: {problem}");

    let dataset = demo.dataset("oncology-sdtm")["id"].as_str().unwrap();
    changed_once((&owner, &owner), "datasets", dataset, &json!({"description": "changed once", "reason": "a test"}));
    demo.stop();
}

#[test]
fn an_owner_sets_the_policy_audit_class_and_key_of_a_dataset() {
    let demo = Demo::start();
    let owner = Galen::new();
    owner.login(&demo, demo.person("olivia"));
    let json = |words: &[&str]| -> Value {
        serde_json::from_str(&owner.ok(&[&["--output", "json", "dataset"], words].concat())).unwrap_or(Value::Null)
    };
    let name = "oncology-sdtm";
    let before = json(&["show", name]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.json");
    let bucket = before["bucket"].as_str().unwrap();
    let statement = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": format!("arn:aws:s3:::{bucket}/*")});
    std::fs::write(&file, json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()).unwrap();
    assert_eq!(
        json(&["policy", "put", name, file.to_str().unwrap(), "--reason", "the study is frozen"])["policy"]["Statement"]
            [0]["Effect"],
        "Deny"
    );
    let shown = json(&["policy", "show", name]);
    assert_eq!(shown["policy"]["Version"], "2012-10-17");
    // What a person sees, and what a program gets, can be put again.
    let document: Value = serde_json::from_str(&owner.ok(&["dataset", "policy", "show", name])).unwrap();
    assert_eq!(document, shown["policy"]);
    std::fs::write(&file, shown.to_string()).unwrap();
    json(&["policy", "put", name, file.to_str().unwrap(), "--reason", "the same again"]);
    assert_eq!(json(&["policy", "show", name])["policy"], document);
    let refused = owner.run(&["dataset", "change", name, "--description", "frozen"]);
    let told = String::from_utf8_lossy(&refused.stderr).contains("--reason");
    assert_eq!(told, before["gxp"] == true, "{refused:?}");
    let refused = owner.run(&["dataset", "policy", "delete", name]);
    assert_eq!(refused.status.code(), Some(if before["gxp"] == true { 1 } else { 0 }), "{refused:?}");
    json(&["policy", "delete", name, "--reason", "the study goes on"]);
    assert_eq!(json(&["policy", "show", name])["policy"], Value::Null);
    let rotated = json(&["rotate-key", name, "--reason", "yearly"]);
    assert_ne!(rotated["key"], before["key"]);
    let refused = owner.run(&["dataset", "policy", "put", name, "/no/such/file"]);
    assert_eq!(refused.status.code(), Some(2), "a file that cannot be read is bad usage");
    let words = ["dataset", "change", name, "--audit", "batched", "--reason", "a test"];
    let done = owner.run(&words);
    assert_eq!(done.status.success(), before["gxp"] == false, "GxP data is recorded strictly: {done:?}");
    demo.stop();
}

#[test]
fn every_noun_is_made_shown_changed_listed_and_ended() {
    let demo = Demo::start();
    let galen = admin(&demo);
    let by = |galen: &Galen, words: &[&str]| -> Value {
        let told = galen.ok(&[&["--output", "json"], words].concat());
        serde_json::from_str(&told).unwrap_or(Value::Null)
    };
    let json = |words: &[&str]| by(&galen, words);
    let owner = Galen::new();
    owner.login(&demo, demo.person("olivia"));
    let id = |value: &Value| value["id"].as_str().unwrap().to_owned();

    let group = id(&json(&["group", "create", "pilot-team"]));
    assert_eq!(json(&["group", "change", &group, "--name", "pilot"])["name"], "pilot");
    let person = id(&json(&["person", "create", "--username", "zoe", "--name", "Zoe", "--email", "zoe@example.com"]));
    assert_eq!(json(&["person", "change", &person, "--name", "Zoe Ek"])["name"], "Zoe Ek");
    let membership = id(&json(&["membership", "create", "--group", "pilot", "--person", "zoe"]));
    assert_eq!(json(&["membership", "show", &membership])["person"], person);
    let role = id(&json(&["role", "create", "pilot-reader", "--group", "pilot"]));
    assert_eq!(json(&["role", "change", &role, "--max-session-secs", "7200"])["max_session_secs"], 7200);
    let shown = json(&["role", "show", &role]);
    assert_eq!(shown["policies"], json!(["GalenDataAccess"]));
    assert_eq!(shown["documents"][0]["Version"], "2012-10-17", "the policy can be read: {shown}");
    let client =
        id(&json(&["client", "create", "notebook", "--redirect-uri", "http://127.0.0.1/cb", "--confidential"]));
    let changed = json(&["client", "change", "notebook", "--redirect-uri", "http://127.0.0.1/new", "--device", "true"]);
    assert_eq!(changed["redirect_uris"][0], "http://127.0.0.1/new");
    assert_eq!((&changed["device"], &changed["client_id"]), (&true.into(), &"notebook".into()));
    assert!(json(&["client", "renew-secret", "notebook"])["secret"].is_string());
    let service = json(&["service", "create", "pilot-etl", "--owner", "zoe"]);
    assert!(service["secret"].as_str().unwrap().starts_with("gss_"), "{service}");
    let service = id(&service);
    let changed = json(&["service", "change", "pilot-etl", "--name", "pilot-loader"]);
    assert_eq!(
        (&changed["name"], &changed["owner"], &changed["secret"]),
        (&"pilot-loader".into(), &person.clone().into(), &Value::Null)
    );
    let member = json(&["membership", "create", "--group", "pilot", "--service", "pilot-loader"]);
    assert_eq!((&member["service"], &member["service_name"]), (&service.clone().into(), &"pilot-loader".into()));
    assert_eq!(json(&["membership", "list", "--service", "pilot-loader"])[0]["id"], member["id"]);
    let renewed = json(&["service", "renew-secret", "pilot-loader", "--reason", "yearly"]);
    assert!(renewed["secret"].is_string() && json(&["service", "show", &service])["secret"].is_null(), "{renewed}");
    let domain = id(&json(&["domain", "create", "pilot-domain", "--owner", "oncology-owners"]));
    let changed = by(&owner, &["domain", "change", &domain, "--name", "pilots", "--add-steward", "pilot"]);
    assert_eq!((&changed["name"], &changed["steward_names"][0]), (&"pilots".into(), &"pilot".into()));
    let changed = by(&owner, &["domain", "change", "pilots", "--remove-steward", "pilot"]);
    assert_eq!(changed["stewards"], serde_json::json!([]));
    json(&["group", "create", "pilot-guests"]);
    let entitled = json(&["role", "entitle", "pilot-reader", "--group", "pilot-guests"]);
    assert_eq!(entitled["groups"].as_array().unwrap().len(), 2, "{entitled}");
    let left = json(&["role", "unentitle", "pilot-reader", "--group", "pilot-guests", "--reason", "no guests"]);
    assert_eq!(left["group_names"], serde_json::json!(["pilot"]));
    let keys = json(&["key", "rotate", "--reason", "yearly"]);
    assert_eq!(keys["key_ids"].as_array().unwrap().len(), 4, "the old ones are published still: {keys}");
    galen.ok(&["token"]);

    let ended =
        [("role", &role), ("client", &client), ("service", &service), ("domain", &domain), ("membership", &membership)];
    for (noun, id) in ended {
        json(&[noun, "end", id, "--reason", "the pilot is over"]);
        let left = json(&[noun, "list"]);
        assert!(!left.as_array().unwrap().iter().any(|row| row["id"] == id.as_str()), "{noun} is still listed");
    }
    json(&["person", "end", &person, "--reason", "left"]);
    assert_eq!(json(&["person", "show", &person])["status"], "deactivated");
    json(&["person", "reactivate", "zoe", "--reason", "came back"]);
    assert_eq!(json(&["person", "show", "zoe"])["status"], "active");
    json(&["group", "end", &group, "--reason", "the pilot is over"]);
    demo.stop();
}
