//! `galen state`: verify, export, import.

use anyhow::{Context, Result};
use base::Effects;
use std::{
    fs::File,
    io::{BufRead, BufReader, BufWriter, Cursor, Seek, Write},
    os::unix::fs::OpenOptionsExt as _,
    sync::Arc,
};
use store::{ExportHeader, Scope, Store};

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
            let header = if file == "-" {
                import(&store, Cursor::new(std::io::read_to_string(std::io::stdin())?), seal)?
            } else {
                let input = File::open(file).with_context(|| format!("could not read `{file}`"))?;
                import(&store, BufReader::new(input), seal)?
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

fn import(store: &Store, input: impl BufRead + Seek + Send + 'static, seal: String) -> Result<ExportHeader> {
    block_on(async { Ok(store.import(input, seal).await?) })
}

/// The id of the key that wraps people's keys; empty where there is none, as in a folder without keys.
fn seal(config: &Config, effects: &Effects) -> Result<String> {
    if compose::is_empty(&Layout::new(&config.data_dir).keys()) {
        return Ok(String::new());
    }
    let token = compose::open_token(config, effects, &crypto::Crypto::new(Arc::clone(&effects.entropy)))?;
    Ok(custody::people_key(&*token)?.map_or_else(String::new, |key| key.id.to_string()))
}
