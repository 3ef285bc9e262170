//! The command line holds together.

use clap::{CommandFactory, Parser};

use super::*;

/// Names that collide are found by clap only when the subcommand is used, and only in debug builds.
#[test]
fn no_name_is_used_twice() {
    Cli::command().debug_assert();
}

#[test]
fn a_question_names_a_person_or_a_decision() {
    let parsed = |words: &str| Cli::try_parse_from(words.split(' '));
    assert!(parsed("galen why").is_err());
    assert!(parsed("galen why --person anna").is_err());
    assert!(parsed("galen why --person anna --resource arn:aws:s3:::b/k").is_ok());
    assert!(parsed("galen why --decision 0192f0c1-7a5e-7cc0-8000-0123456789ab").is_ok());
    let listed = parsed("galen grant list --dataset d --limit 3").unwrap();
    assert!(matches!(listed.command, Command::Grant(Grant::List(GrantList { dataset: Some(d), .. })) if d == "d"));
}
