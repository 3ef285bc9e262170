//! Files that cannot be read are named.

use super::*;

/// It can be opened, and fails when it is read.
#[test]
fn a_folder_in_place_of_a_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let lint = Policy::Lint { file: path.to_owned(), kind: None, group_codes: None, retired_codes: None };
    let simulate = Policy::Simulate { file: path.to_owned() };
    let refused = [read(path).map(drop), policy(Output::Table, &lint), policy(Output::Json, &simulate)];
    for refused in refused {
        let said = format!("{:#}", refused.unwrap_err());
        assert!(said.starts_with(&format!("could not read `{path}`: ")), "{said}");
    }
}

#[test]
fn group_codes_are_looked_up_where_files_name_them() {
    let folder = tempfile::tempdir().unwrap();
    let written = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let policy_with = |code: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"s3:GetObject","Resource":"*",
            "Condition":{{"StringLike":{{"aws:PrincipalTag/GroupHash":"*:{code}:*"}}}}}}]}}"#
        )
    };
    let (live, ended) = (written("live", "# in use\nk7q2\n\n"), written("ended", "x1y2\n"));
    let judged = |code: &str| {
        let file = written("policy.json", &policy_with(code));
        let (group_codes, retired_codes) = (Some(live.clone()), Some(ended.clone()));
        policy(Output::Json, &Policy::Lint { file, kind: None, group_codes, retired_codes })
    };
    judged("k7q2").unwrap();
    for code in ["x1y2", "never"] {
        assert!(judged(code).unwrap_err().to_string().starts_with("1 finding"), "{code}");
    }
}
