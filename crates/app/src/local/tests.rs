//! Files that cannot be read are named.

use super::*;

/// It can be opened, and fails when it is read.
#[test]
fn a_folder_in_place_of_a_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let lint = Policy::Lint { file: path.to_owned(), kind: None };
    let simulate = Policy::Simulate { file: path.to_owned() };
    let refused = [read(path).map(drop), policy(Output::Table, &lint), policy(Output::Json, &simulate)];
    for refused in refused {
        let said = format!("{:#}", refused.unwrap_err());
        assert!(said.starts_with(&format!("could not read `{path}`: ")), "{said}");
    }
}
