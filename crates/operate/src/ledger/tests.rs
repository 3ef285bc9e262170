//! A folder is read as a log; what is missing or altered is found.

use super::*;

#[test]
fn an_empty_folder_has_no_key() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(verify(dir.path(), &Trust::Folder, None), Err(Error::NoLogKey { .. })));
    fs::write(dir.path().join(layout::LOG_KEY), "not a key").unwrap();
    assert!(matches!(prove(dir.path(), &Trust::Folder, 0), Err(Error::NoLogKey { .. })));
}

#[test]
fn a_folder_lists_its_files_by_relative_name() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("tile/entries")).unwrap();
    fs::write(dir.path().join("tile/entries/000"), b"x").unwrap();
    fs::write(dir.path().join("checkpoint"), b"y").unwrap();
    let folder = Folder::new(dir.path());
    assert_eq!(folder.list().unwrap(), ["checkpoint", "tile/entries/000"]);
    assert_eq!(folder.read("tile/entries/000").unwrap().unwrap(), b"x");
    assert_eq!(folder.read("absent").unwrap(), None);
}
