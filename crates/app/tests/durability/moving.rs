//! An installation moves to the other engine with everything that it holds.

use ledger::{IdentityKind, Phase};
use serde_json::Value;

use crate::{
    rig::{BUCKET, Database, Rig},
    support::{Galen, entries},
};

const KEY: &str = "moved/object";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn read(rig: &Rig) -> Vec<u8> {
    let answer = rig.s3().get(BUCKET, KEY, None).unwrap();
    assert_eq!(answer.status, 200);
    answer.body.unwrap()
}

// verifies: DAT-01
#[test]
fn an_installation_moves_to_the_other_engine_whole() {
    let Some(database) = Database::new("move") else { return };
    let mut rig = Rig::new(tempfile::tempdir().unwrap(), &[]);
    let server = rig.start();
    rig.furnish();
    assert_eq!(rig.s3().put(BUCKET, KEY, b"before the move").unwrap().status, 200);
    assert_eq!(read(&rig), b"before the move");
    let resource = format!("arn:aws:s3:::{BUCKET}/{KEY}");
    let why = |rig: &Rig, words: &[&str]| json(&rig.olivia.ok(&[&["--output", "json", "why"], words].concat()));
    let asked = why(&rig, &["--person", "olivia", "--resource", &resource]);
    let decision = asked["decision"].as_str().unwrap().to_owned();
    let before = why(&rig, &["--decision", &decision]);
    let export = rig.folder.path().join("whole.jsonl");
    let export = export.to_str().unwrap();
    let words = ["state", "export", "--whole", "--config", &rig.config, "--file", export];
    let refused = rig.operator.run(&words);
    assert_eq!(refused.status.code(), Some(1), "a store that is served is not moved");
    std::fs::remove_file(export).ok();
    server.stop();
    let verified =
        |rig: &Rig| json(&rig.operator.ok(&["--output", "json", "state", "verify", "--config", &rig.config]));
    let state = verified(&rig);
    rig.operator.ok(&words);

    let mut rig = rig.with_settings(&database.settings);
    let import = |galen: &Galen, config: &str| galen.run(&["state", "import", "--config", config, "--file", export]);
    assert_eq!(import(&rig.operator, &rig.config).status.code(), Some(0));
    assert_eq!(import(&rig.operator, &rig.config).status.code(), Some(1), "a store that holds facts takes no import");
    let moved = verified(&rig);
    assert_eq!((&moved["chain"], &moved["views"]), (&state["chain"], &state["views"]));

    let server = rig.start();
    rig.sign_in_operator();
    rig.sign_in_olivia();
    assert_eq!(read(&rig), b"before the move");
    let after = why(&rig, &["--decision", &decision]);
    assert_eq!((&after["verdict"], &after["replay"]["agrees"]), (&before["verdict"], &Value::Bool(true)));
    assert_eq!(rig.s3().put(BUCKET, KEY, b"after the move").unwrap().status, 200);
    rig.operator.ok(&["group", "create", "made-after-the-move"]);
    server.stop();
    rig.verify();
    database.remove();
    let entries = entries(&rig.data().join("ledger"));
    let imports: Vec<_> = entries.iter().filter(|entry| entry.event_name == "ImportState").collect();
    assert_eq!(imports.len(), 1, "the import that was refused left none");
    assert_eq!((imports[0].phase, imports[0].user_identity.kind), (Phase::Note, IdentityKind::System));
    let imported = imports[0].request_parameters.as_ref().unwrap();
    assert_eq!((&imported["facts"], &imported["chain"]), (&state["facts"], &state["chain"]));
    assert!(imported["seal"].is_string() && imported["rows_chain"].is_string(), "{imported}");
}

#[test]
fn an_export_of_a_whole_store_is_taken_only_where_its_keys_are() {
    let rig = Rig::new(tempfile::tempdir().unwrap(), &[]);
    let export = rig.folder.path().join("whole.jsonl");
    let export = export.to_str().unwrap();
    rig.operator.ok(&["state", "export", "--whole", "--config", &rig.config, "--file", export]);
    let other = Rig::new(tempfile::tempdir().unwrap(), &[]);
    std::fs::remove_dir_all(other.data().join("store")).unwrap();
    let refused = other.operator.run(&["state", "import", "--config", &other.config, "--file", export]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("copy the keys"), "{refused:?}");
    let facts = rig.folder.path().join("facts.jsonl");
    let facts = facts.to_str().unwrap();
    rig.operator.ok(&["state", "export", "--config", &rig.config, "--file", facts]);
    let text = std::fs::read_to_string(facts).unwrap();
    assert!(text.contains("\"table\":\"documents\""), "the documents that facts name are in every export");
    assert!(!text.contains("\"table\":\"sealed\"") && !text.contains("\"table\":\"records\""));
    other.operator.ok(&["state", "import", "--config", &other.config, "--file", facts]);
    other.operator.ok(&["state", "verify", "--config", &other.config]);
}
