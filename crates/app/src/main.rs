//! `galen`: the program. It reads the command line and the configuration, joins the parts, and prints results.

mod aws_client;
mod bootstrap;
mod cli;
mod compose;
mod config;
mod creds;
mod demo;
mod edges;
mod effects;
mod http;
mod installation;
mod local;
mod manage;
mod names;
mod nouns;
mod output;
mod profile;
mod remote;
mod serve;
mod signin;
mod state;

use anyhow::Result;
use base::Effects;
use clap::{CommandFactory, Parser};
use cli::{Aws, Cli, Command, Dataset, DatasetPolicy, Noun, Output, Revoke, Verb};
use serde_json::Value;
use std::process::ExitCode;

/// A request makes some hundreds of small values; with the system's allocator that was a sixth of its processor time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exit codes: 0 done, 1 refused or failed, 2 bad usage (clap's own).
fn main() -> ExitCode {
    // Whatever Galen writes is for who runs it alone: the store, the ledger, objects, keys, tokens of the command line.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misused(&error),
    };
    let output = cli.output;
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads our output has had enough of it (`galen grant list | head`).
        Err(error) if output::reader_is_gone(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::failure(output, &error);
            ExitCode::FAILURE
        }
    }
}

/// Bad usage, or a wish for help. A script that asked for JSON gets a problem object for the former.
fn misused(error: &clap::Error) -> ExitCode {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    let json = words.iter().any(|word| word == "--output=json")
        || words.windows(2).any(|pair| matches!(pair, [name, value] if name == "--output" && value == "json"));
    if json && error.use_stderr() {
        output::bad_usage(&error.render().to_string());
        return ExitCode::from(BAD_USAGE);
    }
    // A closed standard error is no reason to do anything else.
    let _printed = error.print();
    if error.use_stderr() { ExitCode::from(BAD_USAGE) } else { ExitCode::SUCCESS }
}

/// The exit code of bad usage, which is clap's own.
const BAD_USAGE: u8 = 2;

fn run(cli: Cli) -> Result<()> {
    let effects = effects::machine();
    match cli.command {
        Command::Demo(command) => demo::run(&effects, &command),
        Command::Init(command) => installation::init(&effects, cli.output, &command),
        Command::Serve(command) => installation::serve(&effects, &command),
        Command::Policy(command) => local::policy(cli.output, &command),
        Command::Ledger(command) => installation::ledger(cli.output, &effects, &command),
        Command::State(command) => state::run(cli.output, &effects, &command),
        Command::Doctor(command) => installation::doctor(cli.output, &effects, &command),
        Command::Config(command) => installation::config(cli.output, &command),
        Command::Completions { shell } => {
            // The generator panics where it cannot write.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "galen", &mut script);
            Ok(output::text(String::from_utf8_lossy(&script).trim_end())?)
        }
        Command::Token(command) => remote::token(cli.output, &command),
        Command::Creds(command) => creds::print(&effects, &command),
        Command::Why(command) => {
            let story = remote::why(&effects, &command)?;
            if cli.output == Output::Json { Ok(output::result(cli.output, &story)?) } else { remote::told(&story) }
        }
        Command::Receipt(command) => remote::receipt(cli.output, &effects, &command),
        Command::Revoke(command) => {
            // A receipt is a document: it is printed as what `galen receipt verify` reads, in every mode.
            Ok(output::result(Output::Json, &revoke(&effects, &command)?)?)
        }
        Command::Dataset(command) if cli.output == Output::Table && shows_policy(&command) => {
            output::policy(&nouns::run(&effects, &command)?)
        }
        command => Ok(output::result(cli.output, &remote(&effects, &command)?)?),
    }
}

const fn shows_policy(command: &Noun<Verb<Dataset>>) -> bool {
    matches!(command.verb, Verb::Own(Dataset::Policy(DatasetPolicy::Show(_))))
}

/// Commands whose result is one value from a running Galen.
fn remote(effects: &Effects, command: &Command) -> Result<Value> {
    match command {
        Command::Login(command) => remote::login(effects, command),
        Command::Aws(Aws::Configure { endpoint, profile, role, file }) => {
            creds::configure(effects, endpoint.endpoint.as_deref(), profile, role.as_deref(), file.clone())
        }
        Command::Person(command) => nouns::run(effects, command),
        Command::Group(command) => nouns::run(effects, command),
        Command::Membership(command) => nouns::run(effects, command),
        Command::Approval(command) => nouns::run(effects, command),
        Command::Role(command) => nouns::run(effects, command),
        Command::Client(command) => nouns::run(effects, command),
        Command::Service(command) => nouns::run(effects, command),
        Command::Domain(command) => nouns::run(effects, command),
        Command::Dataset(command) => nouns::run(effects, command),
        Command::Grant(command) => nouns::run(effects, command),
        Command::Session(command) => nouns::run(effects, command),
        Command::Key(command) => nouns::key(effects, command),
        _ => anyhow::bail!("this command is not one for a running Galen"),
    }
}

fn revoke(effects: &Effects, command: &Revoke) -> Result<Value> {
    let (what, target) = match command {
        Revoke::Grant(target) => ("grant", target),
        Revoke::Membership(target) => ("membership", target),
        Revoke::Person(target) => ("person", target),
        Revoke::Service(target) => ("service", target),
        Revoke::Session(target) => ("session", target),
    };
    nouns::revoke(effects, what, target)
}
