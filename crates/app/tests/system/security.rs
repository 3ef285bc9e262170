//! What the hostile reviews found, made again against the whole program: each must fail.

use serde_json::{Value, json};

use super::api::{Api, admin};
use super::s3::S3;
use super::support::{Demo, Galen};

/// A signed-in person of the demonstration, and their view of the API.
fn signed_in(demo: &Demo, name: &str) -> (Galen, Api) {
    let galen = Galen::new();
    galen.login(demo, demo.person(name));
    let api = Api::of(&galen, demo);
    (galen, api)
}

fn patch(api: &Api, path: &str, body: &Value) -> (u16, Value) {
    api.given("PATCH", path, ("accept", "application/json"), body)
}

fn signs_in(demo: &Demo, user: &str, password: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, password).unwrap();
    let words = ["login", "--endpoint", demo.web(), "--user", user, "--password-file", file.to_str().unwrap()];
    Galen::new().run(&[&words[..], &["--no-browser"]].concat()).status.success()
}

// verifies: IAM-02
#[test]
fn one_administrator_alone_does_not_reach_data() {
    let demo = Demo::start();
    let chief = admin(&demo);
    let api = Api::of(&chief, &demo);
    // By the password of an owner.
    let (status, waits) = patch(&api, "persons/olivia", &json!({"password": "known to the administrator"}));
    assert_eq!(
        (status, &waits["state"], &waits["change"]),
        (202, &"waiting".into(), &"set_password".into()),
        "{waits}"
    );
    assert!(!signs_in(&demo, "olivia", "known to the administrator"));
    let reset = format!("approvals/{}/approve", waits["id"].as_str().unwrap());
    assert_eq!(api.post(&reset, None, &json!({"reason": "urgent"})).0, 403, "nobody approves what they asked for");
    // By a person of their own making in a group that has a grant, that owns, or that runs the installation.
    chief.ok(&["group", "create", "fresh"]);
    let puppet =
        json!({"username": "puppet", "name": "Puppet", "email": "p@example.com", "password": "puppet on a string"});
    assert_eq!(api.post("persons", None, &puppet).0, 201);
    for group in ["oncology-readers", "oncology-owners", "administrators"] {
        let (status, waits) = api.post("memberships", None, &json!({"group": group, "person": "puppet"}));
        assert_eq!((status, &waits["change"]), (202, &"add_member".into()), "{group}: {waits}");
    }
    for group in ["fresh", "members"] {
        let (status, made) = api.post("memberships", None, &json!({"group": group, "person": "puppet"}));
        assert_eq!(status, 201, "{group} reaches nothing: {made}");
    }
    // By making an administrator of every member.
    let (status, refused) = patch(&api, "roles/member", &json!({"policies": ["GalenAdministrator"]}));
    assert_eq!(status, 403, "{refused}");
    let puppet = Galen::new();
    assert!(!signs_in(&demo, "puppet", "puppet on a string"), "a password that another chose opens no session");
    puppet.first_login_at(demo.web(), "puppet", ("puppet on a string", "a string of my own"));
    for waiting in api.get("approvals").1["items"].as_array().unwrap() {
        let path = format!("approvals/{}/approve", waiting["id"].as_str().unwrap());
        assert_eq!(Api::of(&puppet, &demo).post(&path, None, &json!({"reason": "please"})).0, 403);
    }
    demo.stop();
}

// verifies: IAM-02
#[test]
fn an_owner_of_all_that_a_group_reaches_is_the_second_person() {
    let demo = Demo::start();
    let chief = admin(&demo);
    let add = ["--output", "json", "membership", "create", "--group", "oncology-readers", "--person", "dora"];
    let waits: Value = serde_json::from_str(&chief.ok(&add)).unwrap();
    let id = waits["id"].as_str().unwrap();
    let (other, _) = signed_in(&demo, "niels");
    let approve = ["approval", "approve", id, "--reason", "in the study team"];
    assert_eq!(other.run(&approve).status.code(), Some(1), "the owner of other data");
    assert_eq!(chief.run(&approve).status.code(), Some(1), "who asked for it");
    let (owner, api) = signed_in(&demo, "olivia");
    let listed: Value = serde_json::from_str(&owner.ok(&["--output", "json", "approval", "list"])).unwrap();
    assert_eq!(listed[0]["id"], waits["id"]);
    owner.ok(&approve);
    assert_eq!(owner.run(&approve).status.code(), Some(1), "once");
    let decided = api.get(&format!("approvals/{id}")).1;
    assert_eq!((&decided["state"], &decided["decision_reason"]), (&json!("approved"), &json!("in the study team")));
    let place = demo.ready["datasets"].as_array().unwrap().iter().find(|it| it["bucket"] == "oncology").unwrap();
    let arn = format!("arn:aws:s3:::oncology/{}x", place["prefix"].as_str().unwrap());
    let why: Value =
        serde_json::from_str(&chief.ok(&["--output", "json", "why", "--person", "dora", "--resource", &arn])).unwrap();
    let chain = why["chain"].as_array().unwrap_or_else(|| panic!("{why}"));
    let both = |link: &Value| link["by"].is_object() && link["requested_by"].is_object();
    assert!(chain.iter().any(|link| both(link) && link["reason"] == "in the study team"), "{why}");
    let dora = demo.person("dora");
    let member = Galen::new();
    member.login(&demo, dora);
    let roles: Value = Api::of(&member, &demo).get("roles/mine").1;
    assert_eq!(roles["items"][0]["name"], "oncology-reader");
    demo.stop();
}

#[test]
fn an_own_password_is_changed_and_answered() {
    let demo = Demo::start();
    let (_, api) = signed_in(&demo, "anna");
    let (status, row) = patch(&api, "persons/anna", &json!({"password": "a new phrase of mine"}));
    assert_eq!((status, &row["username"]), (200, &"anna".into()), "{row}");
    assert_eq!(api.get("persons/anna").0, 401, "what was open is cut");
    assert!(signs_in(&demo, "anna", "a new phrase of mine"));
    demo.stop();
}

#[test]
fn no_key_keeps_personal_attributes_in_the_clear() {
    let demo = Demo::start();
    let api = Api::of(&admin(&demo), &demo);
    let body =
        json!({"username": "keyed", "name": "Key Ed", "email": "keyed@example.com", "password": "long enough for all"});
    let (status, problem) = api.post("persons", Some("one-key"), &body);
    assert_eq!(status, 400, "{problem}");
    assert_eq!(api.get("persons/keyed").0, 404, "nothing was made");
    demo.stop();
}

#[test]
fn names_are_not_probed_by_who_may_not_list() {
    let demo = Demo::start();
    let (_, api) = signed_in(&demo, "anna");
    let probe = |there: &str, absent: &str| {
        let (known, unknown) = (api.get(there), api.get(absent));
        assert_eq!((known.0, unknown.0), (403, 403), "{there}: {} / {}", known.1, unknown.1);
        assert_eq!((&known.1["title"], &known.1["detail"]), (&unknown.1["title"], &unknown.1["detail"]), "{there}");
    };
    probe("persons/olivia", "persons/nobody-here");
    probe("groups/oncology-owners", "groups/no-such-group");
    probe("clients/galen-aws", "clients/no-such-client");
    let revoke = |id: &str| {
        let (status, problem) =
            api.post("revocations", None, &json!({"what": "person", "id": id, "reason": "probing"}));
        (status, problem["title"].clone())
    };
    assert_eq!(revoke("olivia"), revoke("nobody-here"));
    demo.stop();
}

#[test]
fn restricted_datasets_are_not_listed_to_who_may_not_know_of_them() {
    let demo = Demo::start();
    let names = |api: &Api| -> Vec<String> {
        let items = api.get("datasets").1["items"].clone();
        items.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    let (anna, reader) = signed_in(&demo, "anna");
    let seen = names(&reader);
    assert!(seen.contains(&"oncology-sdtm".to_owned()) && !seen.contains(&"neurology-sdtm".to_owned()), "{seen:?}");
    assert!(names(&Api::of(&admin(&demo), &demo)).contains(&"neurology-sdtm".to_owned()));
    let (_, owner) = signed_in(&demo, "olivia");
    let told = |name: &str| {
        let (status, told) = owner.get(&format!("datasets/{name}"));
        (status, told["detail"].as_str().unwrap().replace(name, "NAME"))
    };
    assert_eq!(told("neurology-sdtm"), told("no-such-dataset"), "nor can its name be probed");
    // Nor does who guesses its place hear what it is called, whose it is, or in which domain: not in the refusal, not by asking why.
    let (there, role) = (demo.dataset("neurology-sdtm"), demo.role_of(demo.person("anna"))["arn"].as_str().unwrap());
    let credentials = anna.ok(&["creds", "--role", role, "--format", "json"]);
    let s3 = S3::new(serde_json::from_str(&credentials).unwrap());
    let refused = s3.get(there["bucket"].as_str().unwrap(), &format!("{}x", there["prefix"].as_str().unwrap()), None);
    let refused = refused.unwrap();
    let text = String::from_utf8(refused.body.unwrap()).unwrap();
    assert!(refused.status == 403 && text.contains(there["id"].as_str().unwrap()), "{text}");
    let decision = text.split_once("(decision ").unwrap().1.split_once(')').unwrap().0;
    // The entry of a refusal is on its way when the refusal is told; until it is there, the decision is nobody's.
    let mut asked = (0..500).map(|_| reader.get(&format!("why?decision={decision}")));
    let (_, story) = asked.find(|(status, _)| *status == 200).unwrap();
    for told in [text, story.to_string()] {
        assert!(!["neurology-sdtm", "neurology-owners", "in domain"].iter().any(|name| told.contains(name)), "{told}");
    }
    demo.stop();
}

#[test]
fn nobody_locks_everybody_out_of_an_installation() {
    let demo = Demo::start();
    let galen = admin(&demo);
    let listed: Value = serde_json::from_str(&galen.ok(&["--output", "json", "membership", "list"])).unwrap();
    let own = listed.as_array().unwrap().iter().find(|row| row["group_name"] == "administrators").unwrap();
    let own = own["id"].as_str().unwrap();
    for words in [
        &["group", "end", "administrators"][..],
        &["role", "end", "administrator"],
        &["role", "unentitle", "administrator", "--group", "administrators"],
        &["client", "end", "galen-cli"],
    ] {
        let refused = galen.run(&[words, &["--reason", "by mistake"]].concat());
        assert!(String::from_utf8_lossy(&refused.stderr).contains("part of Galen"), "{words:?}: {refused:?}");
    }
    for words in [&["membership", "end", own][..], &["revoke", "membership", own], &["person", "end", "admin"]] {
        let refused = galen.run(&[words, &["--reason", "by mistake"]].concat());
        assert!(String::from_utf8_lossy(&refused.stderr).contains("last administrator"), "{words:?}: {refused:?}");
    }
    galen.ok(&["person", "list"]);
    demo.stop();
}

// verifies: IAM-02
#[test]
fn one_administrator_alone_neither_moves_a_domain_nor_ends_a_dataset() {
    let demo = Demo::start();
    let api = Api::of(&admin(&demo), &demo);
    let (_, owner) = signed_in(&demo, "olivia");
    let mine = json!({"owner": "administrators"});
    assert_eq!(patch(&api, "domains/oncology", &mine).0, 403);
    assert_eq!(patch(&owner, "domains/oncology", &json!({"stewards": ["oncology-readers"]})).0, 200);
    let end = json!({"reason": "mine now"});
    assert_eq!(api.post("datasets/oncology-sdtm/end", None, &end).0, 403);
    let (status, problem) = api.post("groups/oncology-owners/end", None, &end);
    assert_eq!(status, 409, "its datasets would have no owner: {problem}");
    assert_eq!(patch(&api, "clients/galen-cli", &json!({"redirect_uris": ["https://elsewhere.example/"]})).0, 403);
    assert_eq!(api.post("clients/galen-aws/end", None, &end).0, 403);
    assert_eq!(owner.post("datasets/ophthalmology-sdtm/end", None, &json!({"reason": "study closed"})).0, 204);
    demo.stop();
}

#[test]
fn what_galen_writes_is_for_who_runs_it_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Demo::start().stop();
    let mut folders = vec![folder.path().join("installation")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", entry.path().display());
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                files += 1;
            }
        }
    }
    assert!(files > 10, "{files}");
}
