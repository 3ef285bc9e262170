//! `galen state`: verify, export, import.

use anyhow::{Context, Result};
use base::{Actor, DecisionId, Effects, Ids};
use ledger::{Entry, Phase, UserIdentity};
use std::{
    fs::File,
    io::{BufReader, BufWriter, Cursor, Write},
    os::unix::fs::OpenOptionsExt as _,
    sync::Arc,
};
use store::{ExportHeader, PendingEntry, Scope};

use crate::{
    cli::{self, Output},
    compose::{self, Layout},
    config::Config,
    installation::block_on,
    output,
};

/// `galen state`.
///
/// # Errors
/// When the store cannot be opened, does not verify, or the export is damaged.
pub(crate) fn run(output: Output, effects: &Effects, command: &cli::State) -> Result<()> {
    match command {
        cli::State::Verify(file) => {
            let store = compose::read_store(&Config::read(&file.config)?, effects)?;
            let report = block_on(async { Ok(store.verify().await?) })?;
            output::result(output, &serde_json::to_value(&report)?)?;
            anyhow::ensure!(report.sound(), "the store does not verify; see above");
            Ok(())
        }
        cli::State::Export { config, file, whole } => export(output, effects, &config.config, file, *whole),
        cli::State::Import { config, file } => {
            let config = Config::read(&config.config)?;
            let (store, seal) = (compose::open_store(&config, effects)?, seal(&config, effects)?);
            let leave = |header: &ExportHeader| entry(&config, effects, header).map(Some);
            let header = if file == "-" {
                let input = Cursor::new(std::io::read_to_string(std::io::stdin())?);
                block_on(async { Ok(store.import(input, seal, leave).await?) })?
            } else {
                let input = File::open(file).with_context(|| format!("could not read `{file}`"))?;
                block_on(async { Ok(store.import(BufReader::new(input), seal, leave).await?) })?
            };
            Ok(output::result(output, &serde_json::to_value(&header)?)?)
        }
    }
}

fn export(output: Output, effects: &Effects, config: &std::path::Path, file: &str, whole: bool) -> Result<()> {
    let config = Config::read(config)?;
    compose::made(&config)?;
    let (store, scope) = if whole {
        // To write, so that on SQLite a server that would go on changing what was exported is found.
        (compose::open_store(&config, effects)?, Scope::Whole { seal: seal(&config, effects)? })
    } else {
        (compose::read_store(&config, effects)?, Scope::Facts)
    };
    if file == "-" {
        let out = BufWriter::new(std::io::stdout());
        let (mut out, _header) = block_on(async { Ok(store.export(scope, out).await?) })?;
        return Ok(out.flush()?);
    }
    let made = File::options().write(true).create_new(true).mode(0o600).open(file);
    let out = BufWriter::new(made.with_context(|| format!("could not make `{file}`, which must not be there yet"))?);
    let (out, header) = block_on(async { Ok(store.export(scope, out).await?) })?;
    out.into_inner()?.sync_all()?;
    Ok(output::result(output, &serde_json::to_value(&header)?)?)
}

/// What an import leaves in the ledger: an act of Galen itself, because whoever is at the machine has not signed in, with what the
/// export says of itself: how many facts, and the ends of its chains, to which every line was checked.
fn entry(config: &Config, effects: &Effects, header: &ExportHeader) -> Result<PendingEntry, store::Error> {
    let (id, who) = (DecisionId::from_uuid(effects.uuid()), UserIdentity::new(Actor::System));
    let mut entry = Entry::new(Phase::Note, id, effects.now(), "galen.state", "ImportState", who);
    entry.aws_region = Some(config.region.clone());
    entry.request_parameters = serde_json::to_value(header).ok();
    let bytes = entry.encode().map_err(|_| store::Error::Corrupt { what: "export header" })?;
    Ok(PendingEntry { id: id.uuid(), bytes })
}

/// The id of the key that wraps people's keys; empty where there is none, as in a folder without keys.
fn seal(config: &Config, effects: &Effects) -> Result<String> {
    if compose::is_empty(&Layout::new(&config.data_dir).keys()) {
        return Ok(String::new());
    }
    let token = compose::open_token(config, effects, &crypto::Crypto::new(Arc::clone(&effects.entropy)))?;
    Ok(custody::people_key(&*token)?.map_or_else(String::new, |key| key.id.to_string()))
}
