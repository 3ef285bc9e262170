//! The command line holds together.

mod page;

use clap::{CommandFactory, Parser};

use super::*;

/// Names that collide are found by clap only when the subcommand is used, and only in debug builds.
#[test]
fn no_name_is_used_twice() {
    Cli::command().debug_assert();
}

#[test]
fn a_question_names_somebody_or_a_decision() {
    let parsed = |words: &str| Cli::try_parse_from(words.split(' '));
    let alone = parsed("galen why").err().unwrap().to_string();
    for way in ["--person <PERSON>", "--resource <RESOURCE>", "galen why --decision ID"] {
        assert!(alone.contains(way), "{alone}");
    }
    assert!(parsed("galen why --person anna").is_err());
    assert!(parsed("galen why --person anna --resource arn:aws:s3:::b/k").is_ok());
    assert!(parsed("galen why --service etl").is_err());
    assert!(parsed("galen why --resource arn:aws:s3:::b/k").is_err());
    assert!(parsed("galen why --service etl --resource arn:aws:s3:::b/k").is_ok());
    assert!(parsed("galen why --service etl --person anna --resource arn:aws:s3:::b/k").is_err());
    assert!(parsed("galen membership create --group g").is_err());
    assert!(parsed("galen membership create --group g --person a --service s").is_err());
    assert!(parsed("galen membership create --group g --service s").is_ok());
    assert!(parsed("galen why --decision 0192f0c1-7a5e-7cc0-8000-0123456789ab").is_ok());
    let listed = parsed("galen grant list --dataset d --limit 3").unwrap();
    let Command::Grant(Noun { verb: Verb::List(GrantList { dataset, list, .. }), .. }) = listed.command else {
        panic!("it is a list of grants");
    };
    assert_eq!((dataset.as_deref(), list.limit), (Some("d"), Some(3)));
}

/// Verbs that every noun has in both places, and the cells of that table that are empty, each with its reason.
const EMPTY: &[(&str, &str, &str)] = &[
    ("membership", "change", "a membership is ended and another is made, so that each has its own reason"),
    ("grant", "change", "a grant is never widened: it is ended and another is approved"),
    ("session", "create", "a session is made by signing in or assuming a role"),
    ("session", "change", "what a session may do comes from its role and groups"),
];

#[test]
fn every_noun_has_every_verb_on_the_command_line_and_in_the_api() {
    let document = serde_json::to_value(web::api::openapi()).unwrap();
    let command = Cli::command();
    for noun in ["person", "group", "membership", "role", "client", "service", "domain", "dataset", "grant", "session"]
    {
        let verbs = command.find_subcommand(noun).unwrap();
        let (all, one) = (format!("/api/v1/{noun}s"), format!("/api/v1/{noun}s/{{id}}"));
        let routes = [
            ("create", "post", all.clone()),
            ("list", "get", all),
            ("show", "get", one.clone()),
            ("change", "patch", one.clone()),
            ("end", "post", format!("{one}/end")),
        ];
        for (verb, method, path) in routes {
            let empty = EMPTY.iter().any(|(n, v, _)| (*n, *v) == (noun, verb));
            assert_eq!(verbs.find_subcommand(verb).is_none(), empty, "galen {noun} {verb}");
            assert_eq!(document["paths"][&path][method].is_null(), empty, "{method} {path}");
        }
    }
}

/// What changes one thing takes `--if-match`, and every such change of the API honours it (a test of durability makes them all).
#[test]
fn if_match_goes_with_every_change_of_one_thing_and_with_nothing_else() {
    let document = serde_json::to_value(web::api::openapi()).unwrap();
    let command = Cli::command();
    let mut offered = Vec::new();
    for noun in command.get_subcommands() {
        let parts = noun.get_subcommands().flat_map(|verb| verb.get_subcommands().map(move |it| (Some(verb), it)));
        for (part, verb) in noun.get_subcommands().map(|verb| (None, verb)).chain(parts) {
            if verb.get_arguments().any(|argument| argument.get_id() == "if_match") {
                let (method, last) = match verb.get_name() {
                    "change" => ("patch", None),
                    method @ ("put" | "delete") => (method, part.map(clap::Command::get_name)),
                    action => ("post", Some(action)),
                };
                let last = last.map_or_else(String::new, |last| format!("/{last}"));
                offered.push(format!("{method} /api/v1/{}s/{{id}}{last}", noun.get_name()));
            }
        }
    }
    let mut honoured = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let headers = operation["parameters"].as_array().into_iter().flatten();
            honoured.extend(headers.filter(|it| it["name"] == "If-Match").map(|_| format!("{method} {path}")));
        }
    }
    offered.sort();
    honoured.sort();
    assert_eq!(offered, honoured);
}

/// Whoever reads the help sees whether a second `--group` adds to the first.
#[test]
fn what_repeats_says_so() {
    fn check(command: &clap::Command, path: &str) {
        for argument in command.get_arguments() {
            let repeats =
                matches!(argument.get_action(), clap::ArgAction::Append) && argument.get_value_delimiter().is_none();
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!repeats || help.contains("once "), "{path} {}: {help}", argument.get_id());
        }
        command.get_subcommands().for_each(|below| check(below, &format!("{path} {}", below.get_name())));
    }
    check(&Cli::command(), "galen");
}

#[test]
fn a_policy_is_put_as_it_was_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy");
    let document = serde_json::json!({"Version": "2012-10-17", "Statement": []});
    for text in [document.clone(), serde_json::json!({"policy": document, "etag": "1"})] {
        std::fs::write(&file, text.to_string()).unwrap();
        let words = ["galen", "dataset", "policy", "put", "trial", file.to_str().unwrap()];
        let Command::Dataset(Noun { verb: Verb::Own(Dataset::Policy(DatasetPolicy::Put { policy, .. })), .. }) =
            Cli::try_parse_from(words).unwrap().command
        else {
            panic!("it sets a policy");
        };
        assert_eq!(policy, document);
    }
}

#[test]
fn every_verb_says_what_it_does() {
    fn check(command: &clap::Command, path: &str) {
        for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
            let path = format!("{path} {}", below.get_name());
            assert!(below.get_about().is_some(), "{path} has no help");
            for argument in below.get_arguments().filter(|it| !["help", "version"].contains(&it.get_id().as_str())) {
                assert!(argument.get_help().is_some(), "{path} {} has no help", argument.get_id());
            }
            check(below, &path);
        }
    }
    check(&Cli::command(), "galen");
}
