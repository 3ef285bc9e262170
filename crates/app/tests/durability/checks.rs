//! What an operator's checks say of an installation.

use serde_json::Value;
use std::{fs, path::Path};

use crate::{rig::Rig, support::entries};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(file.file_name());
        if file.file_type().unwrap().is_dir() {
            copy(&file.path(), &to);
        } else {
            fs::copy(file.path(), to).unwrap();
        }
    }
}

// verifies: AUD-04
#[test]
fn a_ledger_that_another_key_signed_is_not_believed() {
    let (rig, other) = (Rig::new(tempfile::tempdir().unwrap(), &[]), Rig::new(tempfile::tempdir().unwrap(), &[]));
    let verify = ["ledger", "verify", "--config", &rig.config];
    rig.operator.ok(&verify);
    let ledger = rig.data().join("ledger");
    fs::remove_dir_all(&ledger).unwrap();
    copy(&other.data().join("ledger"), &ledger);
    rig.operator.ok(&["ledger", "verify", "--offline", ledger.to_str().unwrap()]);
    assert_eq!(rig.operator.run(&verify).status.code(), Some(1), "the folder's own key proves nothing about its owner");
}

// verifies: AUD-04
#[test]
fn a_ledger_that_was_rolled_back_is_not_served() {
    let mut rig = Rig::new(tempfile::tempdir().unwrap(), &[]);
    let (ledger, older, newest) =
        (rig.data().join("ledger"), rig.folder.path().join("older"), rig.folder.path().join("newest"));
    let server = rig.start();
    rig.sign_in_operator();
    server.stop();
    copy(&ledger, &older);
    let server = rig.start();
    rig.operator.ok(&["group", "create", "made-later"]);
    server.stop();
    fs::rename(&ledger, &newest).unwrap();
    copy(&older, &ledger);
    let refused = rig.operator.run(&["serve", "--config", &rig.config]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("an older copy lies in its folder"), "{refused:?}");
    fs::remove_dir_all(&ledger).unwrap();
    fs::rename(&newest, &ledger).unwrap();
    let server = rig.start();
    rig.sign_in_operator();
    server.stop();
    rig.verify();
}

// verifies: AUD-04
#[test]
fn a_store_older_than_its_ledger_is_not_served() {
    let mut rig = Rig::new(tempfile::tempdir().unwrap(), &[]);
    let (store, older, export) =
        (rig.data().join("store"), rig.folder.path().join("older"), rig.folder.path().join("export"));
    let server = rig.start();
    rig.sign_in_operator();
    server.stop();
    copy(&store, &older);
    let server = rig.start();
    rig.operator.ok(&["group", "create", "made-later"]);
    server.stop();
    fs::remove_dir_all(&store).unwrap();
    copy(&older, &store);
    let refused = rig.operator.run(&["serve", "--config", &rig.config]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("the store is older than the ledger"), "{refused:?}");
    // Going on with it is an act of its own, which the ledger tells.
    let export = export.to_str().unwrap();
    rig.operator.ok(&["state", "export", "--whole", "--config", &rig.config, "--file", export]);
    fs::remove_dir_all(&store).unwrap();
    rig.operator.ok(&["state", "import", "--config", &rig.config, "--file", export]);
    for _ in 0..2 {
        let server = rig.start();
        rig.sign_in_operator();
        server.stop();
    }
    rig.verify();
}

/// Records leave no fact: what is lost is told by the place in the ledger up to which the store knows its changes.
// verifies: AUD-04
#[test]
fn a_store_that_lacks_only_records_which_its_ledger_tells_is_not_served() {
    let mut rig = Rig::new(tempfile::tempdir().unwrap(), &[]);
    let (store, older, newest) =
        (rig.data().join("store"), rig.folder.path().join("older"), rig.folder.path().join("newest"));
    let server = rig.start();
    rig.sign_in_operator();
    server.stop();
    copy(&store, &older);
    let before = entries(&rig.data().join("ledger")).len();
    let server = rig.start();
    rig.sign_in_operator();
    server.stop();
    let since = entries(&rig.data().join("ledger")).split_off(before);
    let changes: Vec<_> = since.iter().filter_map(|entry| entry.change.as_ref()).collect();
    assert!(!changes.is_empty() && changes.iter().all(|change| change.facts.is_empty()), "{changes:?}");
    fs::rename(&store, &newest).unwrap();
    copy(&older, &store);
    let refused = rig.operator.run(&["serve", "--config", &rig.config]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("the store is older than the ledger"), "{refused:?}");
    fs::remove_dir_all(&store).unwrap();
    fs::rename(&newest, &store).unwrap();
    let server = rig.start();
    rig.sign_in_operator();
    server.stop();
    rig.verify();
}

#[test]
fn an_empty_store_beside_a_ledger_is_not_served() {
    let rig = Rig::new(tempfile::tempdir().unwrap(), &[]);
    let server = rig.start();
    rig.sign_in_operator();
    server.stop();
    let (store, away) = (rig.data().join("store"), rig.folder.path().join("away"));
    fs::rename(&store, &away).unwrap();
    let refused = rig.operator.run(&["serve", "--config", &rig.config]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("galen state import"), "{refused:?}");
    fs::remove_dir_all(&store).unwrap();
    fs::rename(&away, &store).unwrap();
    let server = rig.start();
    rig.sign_in_operator();
    server.stop();
}

// verifies: SEC-01
#[test]
fn the_doctor_looks_at_the_room_of_the_ledger() {
    let rig = Rig::new(tempfile::tempdir().unwrap(), &[]);
    let doctor = || {
        let done = rig.operator.run(&["--output", "json", "doctor", "--config", &rig.config]);
        let seen: Value = serde_json::from_slice(&done.stdout).unwrap();
        let checks = seen["checks"].as_array().unwrap();
        let ledger = checks.iter().find(|check| check["name"] == "ledger").unwrap();
        (ledger["verdict"].as_str().unwrap().to_owned(), done.status.code())
    };
    assert_eq!(doctor().0, "ok");
    fs::remove_dir_all(rig.data().join("ledger")).unwrap();
    assert_eq!(doctor(), ("failure".to_owned(), Some(1)));
}
