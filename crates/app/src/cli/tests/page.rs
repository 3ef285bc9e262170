//! The reference page of commands and options is what can be typed.

use clap::{Arg, Command, CommandFactory};
use std::fmt::Write as _;

use crate::cli::Cli;

const HEAD: &str = "# Commands and options

Made from the program; a test compares them. [Command line](cli.md) says what the commands are for. `--output table|json` goes with every
command, `--help` too; `--endpoint URL` (or `GALEN_ENDPOINT`) goes with every command that talks to a running Galen, and is by default the one of the
last `galen login`.
";

/// Arguments that the head of the page tells of.
fn is_common(argument: &Arg) -> bool {
    ["help", "version", "output"].contains(&argument.get_id().as_str())
        || (argument.get_id() == "endpoint" && !argument.is_required_set())
}

fn row(argument: &Arg) -> String {
    let value = argument.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str());
    let takes = argument.get_action().takes_values() && !value.is_empty();
    let name = match argument.get_long() {
        Some(long) if takes => format!("--{long} {value}"),
        Some(long) => format!("--{long}"),
        None => value.to_owned(),
    };
    let mut what = argument.get_help().unwrap().to_string();
    let possible: Vec<String> =
        argument.get_possible_values().iter().map(|it| format!("`{}`", it.get_name())).collect();
    if takes && !possible.is_empty() {
        write!(what, "; one of {}", possible.join(", ")).unwrap();
    }
    let default: Vec<_> = argument.get_default_values().iter().map(|it| it.to_string_lossy()).collect();
    if takes && default.iter().any(|it| !it.is_empty()) {
        write!(what, "; by default `{}`", default.join(",")).unwrap();
    }
    let needed = if argument.is_required_set() { "needed" } else { "" };
    format!("| `{name}` | {needed} | {} |\n", what.replace('|', "\\|"))
}

fn tell(page: &mut String, command: &Command, path: &str) {
    let mut below = command.get_subcommands().filter(|it| it.get_name() != "help").peekable();
    if below.peek().is_some() {
        return below.for_each(|it| tell(page, it, &format!("{path} {}", it.get_name())));
    }
    write!(page, "\n## `{path}`\n\n{}\n", command.get_about().unwrap()).unwrap();
    let rows: String = command.get_arguments().filter(|it| !is_common(it)).map(row).collect();
    if !rows.is_empty() {
        write!(page, "\n| argument | | |\n|---|---|---|\n{rows}").unwrap();
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "whoever changes the commands asks this test to write the page")]
fn the_reference_page_is_what_can_be_typed() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/reference/commands.md");
    let mut page = HEAD.to_owned();
    tell(&mut page, &Cli::command(), "galen");
    if std::env::var_os("GALEN_GOLDEN").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == page, "run the test once with GALEN_GOLDEN=1 and read the difference");
}

#[test]
fn the_map_of_the_command_line_names_every_command() {
    let map = include_str!("../../../../../docs/src/reference/cli.md");
    for command in Cli::command().get_subcommands().filter(|it| it.get_name() != "help") {
        let name = command.get_name();
        let named = [format!("`galen {name}"), format!("`{name}")].iter().any(|it| map.contains(it));
        assert!(named, "docs/src/reference/cli.md does not name galen {name}");
    }
}
