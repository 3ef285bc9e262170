//! `galen why` through the whole program: each link of a chain with its proof, and what came nearest where access was taken away.

use serde_json::Value;

use super::api::admin;
use super::s3::S3;
use super::support::{Demo, Galen};

fn json(galen: &Galen, words: &[&str]) -> Value {
    serde_json::from_str(&galen.ok(&[&["--output", "json"], words].concat())).unwrap()
}

fn place(demo: &Demo, name: &str) -> (String, String) {
    let dataset = demo.dataset(name);
    let text = |field: &str| dataset[field].as_str().unwrap().to_owned();
    (text("bucket"), format!("{}ae.csv", text("prefix")))
}

/// The link of a kind.
fn link<'a>(story: &'a Value, kind: &str) -> &'a Value {
    let chain = story["chain"].as_array().unwrap();
    chain.iter().find(|link| link["link"] == kind).unwrap_or_else(|| panic!("no {kind}: {story}"))
}

/// The story of anna and a resource, once a checkpoint covers all that it stands on: one is signed every second.
fn covered(galen: &Galen, resource: &str) -> Value {
    let ask = || json(galen, &["why", "--person", "anna", "--resource", resource]);
    let mut asked = (0..300).map(|_| ask());
    let covered = asked.find(|story| !story.to_string().contains(r#""checkpoint":null"#));
    covered.unwrap_or_else(|| panic!("no checkpoint covers all that {resource} stands on"))
}

/// The place of an entry whose proof is there.
fn proven(proof: &Value) -> u64 {
    assert!(proof["inclusion"].as_str().is_some_and(|text| text.starts_with("c2sp.org/tlog-proof")), "{proof}");
    assert!(proof["checkpoint"].as_u64() > proof["index"].as_u64(), "{proof}");
    proof["index"].as_u64().unwrap()
}

// verifies: AUD-07
#[test]
fn each_link_of_an_allow_has_its_proof() {
    let demo = Demo::start();
    let (anna, chief) = (Galen::new(), admin(&demo));
    anna.login(&demo, demo.person("anna"));
    let role = demo.role_of(demo.person("anna"));
    let s3 = S3::new(json(&anna, &["creds", "--role", role["arn"].as_str().unwrap(), "--format", "json"]));
    let (bucket, key) = place(&demo, "oncology-sdtm");
    let resource = format!("arn:aws:s3:::{bucket}/{key}");
    // Nobody has acted: there is no decision to prove, and what it would stand on is proven.
    let before = covered(&chief, &resource);
    assert!(before["decision"].is_null() && before["proof"].is_null(), "{before}");
    proven(&link(&before, "grant")["proof"]);
    proven(&link(&before, "membership")["proof"]);

    assert_eq!(s3.get(&bucket, &key, None).unwrap().status, 200);
    let story = covered(&chief, &resource);
    let mut places = vec![proven(&story["proof"])];
    for kind in ["session", "sign_in", "membership", "grant"] {
        places.push(proven(&link(&story, kind)["proof"]));
    }
    let [decision, session, sign_in, ..] = places[..] else { panic!("{places:?}") };
    assert!(sign_in < session && session < decision, "each after the one that it goes back to: {places:?}");
    let told = chief.ok(&["why", "--person", "anna", "--resource", &resource]);
    assert!(told.contains(&format!("proof entry {session}")) && !told.contains("inclusion"), "{told}");
    demo.stop();
}

// verifies: AUD-07, IAM-04
#[test]
fn a_refusal_names_who_took_the_access_away() {
    let demo = Demo::start();
    let (owner, chief) = (Galen::new(), admin(&demo));
    owner.login(&demo, demo.person("olivia"));
    let (bucket, key) = place(&demo, "oncology-sdtm");
    let resource = format!("arn:aws:s3:::{bucket}/{key}");
    let grants = json(&owner, &["grant", "list"]);
    let live = |row: &&Value| row["dataset_name"] == "oncology-sdtm" && row["state"] == "live";
    let reads = |row: &&Value| live(row) && row["group_name"] == "oncology-readers";
    let grant = grants.as_array().unwrap().iter().find(reads).unwrap()["id"].as_str().unwrap().to_owned();
    let members = json(&chief, &["membership", "list", "--person", "anna"]);
    let in_group = |row: &&Value| row["group_name"] == "oncology-readers";
    let membership = members.as_array().unwrap().iter().find(in_group).unwrap()["id"].as_str().unwrap().to_owned();

    chief.ok(&["membership", "end", &membership, "--reason", "moved to another study"]);
    let left = covered(&owner, &resource);
    assert_eq!(left["verdict"]["effect"], "refused", "{left}");
    let missed = link(&left, "membership");
    assert_eq!(
        (&missed["missed"], &missed["end_reason"]),
        (&"ended".into(), &"moved to another study".into()),
        "{left}"
    );
    assert_eq!(missed["ended_by"]["name"]["known"], "admin", "{left}");
    assert!(proven(&missed["proof"]) < proven(&missed["end_proof"]), "{left}");
    assert!(link(&left, "grant")["missed"].is_null(), "{left}");
    let sentence = left["sentence"].as_str().unwrap();
    assert!(sentence.contains("the membership of anna in the group was ended at"), "{sentence}");

    owner.ok(&["revoke", "grant", &grant, "--reason", "the study is over"]);
    let both = covered(&owner, &resource);
    let ended = link(&both, "grant");
    assert_eq!((&ended["missed"], &ended["end_reason"]), (&"ended".into(), &"the study is over".into()), "{both}");
    assert_eq!(ended["ended_by"]["name"]["known"], "olivia", "{both}");
    proven(&ended["end_proof"]);
    demo.stop();
}
