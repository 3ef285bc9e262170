//! A folder is read as a log; what is missing or altered is found.

use super::*;
use base::DecisionId;

#[test]
fn an_empty_folder_has_no_key() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(verify(dir.path(), &Trust::Folder, None), Err(Error::NoLogKey { .. })));
    fs::write(dir.path().join(layout::LOG_KEY), "not a key").unwrap();
    assert!(matches!(prove(dir.path(), &Trust::Folder, 0), Err(Error::NoLogKey { .. })));
}

#[test]
fn the_ledger_is_found_in_a_copy_of_more() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(folder_in(dir.path()), dir.path(), "what is no ledger is named as it was given");
    for inside in ["installation/ledger", "ledger", "."] {
        let ledger = dir.path().join(inside);
        fs::create_dir_all(&ledger).unwrap();
        fs::write(ledger.join(layout::LOG_KEY), "key").unwrap();
        assert_eq!(folder_in(dir.path()), ledger.components().collect::<PathBuf>(), "{inside}");
    }
}

#[tokio::test]
async fn a_log_verifies_is_proven_and_an_altered_byte_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (dir, journal) = (folder.path().join("ledger"), store::conformance::journal(folder.path()));
    for n in 0..3_u8 {
        let id = DecisionId::from_uuid(uuid::Uuid::from_bytes([n; 16]));
        let who = ::ledger::UserIdentity::new(base::Actor::System);
        let entry = ::ledger::Entry::new(::ledger::Phase::Note, id, base::Timestamp::UNIX_EPOCH, "galen", "Start", who);
        journal.append(entry.encode().unwrap()).await.unwrap();
    }
    journal.publish().await.unwrap();
    journal.close().unwrap();
    let report = verify(&dir, &Trust::Folder, None).unwrap();
    assert_eq!((report.size, report.complete_to, report.findings.len()), (3, 3, 0), "{report:?}");
    let proof = TlogProof::decode(&prove(&dir, &Trust::Folder, 1).unwrap()).unwrap();
    assert_eq!(proof.index, 1);
    assert!(prove(&dir, &Trust::Folder, 3).is_err());

    let other = LogKey::new("galen.example/test".parse().unwrap(), [1; 32]);
    let foreign = verify(&dir, &Trust::Keys(vec![other]), None).unwrap();
    assert!(!foreign.findings.is_empty(), "a key from elsewhere does not verify it");

    let bundle = dir.join("tile/entries/000.p/3");
    let mut bytes = fs::read(&bundle).unwrap();
    bytes[20] ^= 1;
    fs::write(&bundle, bytes).unwrap();
    assert!(!verify(&dir, &Trust::Folder, None).unwrap().findings.is_empty());
}
