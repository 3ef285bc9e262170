//! Commands on an installation of this machine: init, serve, doctor, state, ledger, config.

use anyhow::{Context, Result};
use base::{Effects, Secret};
use serde_json::{Value, json};
use std::{
    fs,
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crate::{
    bootstrap::{self, Administrator},
    cli::{self, ConfigFile, Output},
    compose::{self, Layout, System},
    config::{self, Config},
    demo::{self, world::password},
    edges::{self, Bound, Signals},
    local, nouns, output, profile,
};
use operate::ledger::Trust;

/// Runs `work` on a runtime of its own.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

/// `galen init`.
///
/// # Errors
/// When the data folder is not empty, the configuration exists, or a part refuses.
pub(crate) fn init(effects: &Effects, output: Output, command: &cli::Init) -> Result<()> {
    anyhow::ensure!(
        !command.config.exists(),
        "{} exists already; name another with --config",
        command.config.display()
    );
    // Everything that can be refused is refused before anything is made, so that the same command can be given again.
    let first = administrators(effects, command)?;
    let issuer = command.issuer.trim_end_matches('/');
    let web = listen_of(issuer)?;
    let (place, aws) = ((command.account, command.region.clone()), cli::loopback(web.port().saturating_add(1)));
    let told = Config::at(std::path::absolute(&command.data_dir)?, place, issuer.to_owned(), web, aws);
    let config = Config::new(&command.config, &told)?;
    config.check_files()?;
    let data_dir = &config.data_dir;
    anyhow::ensure!(compose::is_empty(data_dir), "{} is not empty; name a new folder", data_dir.display());
    profile::write_private(&command.config, config::template(&config)?.as_bytes())?;
    for (administrator, file) in &first {
        if let Some(file) = file {
            profile::write_private(file, format!("{}\n", administrator.password.expose()).as_bytes())?;
        }
    }
    let named = |(one, file): &(Administrator, Option<PathBuf>)| json!({"username": one.username, "password_file": file.as_ref().map(|file| file.display().to_string())});
    let told: Vec<Value> = first.iter().map(named).collect();
    let (first, written): (Vec<_>, Vec<_>) = first.into_iter().unzip();
    let made = block_on(async {
        let system = System::open(&config, effects).await?;
        let made = bootstrap::run(&system, first).await;
        system.close().await?;
        made
    });
    if made.is_err() {
        // Half an installation is none: the folder was empty and the files are ours. What cannot be removed is refused next time.
        let _removed = fs::remove_dir_all(data_dir);
        for file in written.iter().flatten().chain([&command.config]) {
            let _removed = fs::remove_file(file);
        }
    }
    made?;
    let result = json!({
        "config": command.config.display().to_string(),
        "data_dir": data_dir.display().to_string(),
        "administrators": told,
        "next": format!("galen serve --config {}", command.config.display()),
    });
    Ok(output::result(output, &result)?)
}

/// The first administrators of `galen init`, each with the file that their password is to be written to, if it was made here.
fn administrators(effects: &Effects, command: &cli::Init) -> Result<Vec<(Administrator, Option<PathBuf>)>> {
    let (names, files) = (&command.admin, &command.admin_password_file);
    anyhow::ensure!(names.len() == command.admin_email.len(), "give --admin-email once for each --admin");
    anyhow::ensure!(
        files.is_empty() || files.len() == names.len(),
        "give --admin-password-file once for each --admin, or not at all"
    );
    let files = files.iter().map(Some).chain(std::iter::repeat(None));
    let mut first = Vec::new();
    for ((username, email), given) in names.iter().zip(&command.admin_email).zip(files) {
        let _username: directory::Username = username.parse()?;
        let _email: directory::Email = email.parse()?;
        let file = command.config.with_file_name(format!("{username}-password"));
        anyhow::ensure!(
            given.is_some() || !file.exists(),
            "{} exists already and would be overwritten; move it away or give --admin-password-file",
            file.display()
        );
        let (secret, written) = match given {
            Some(given) => (nouns::secret(given)?, None),
            None => (password(effects), Some(file)),
        };
        let password = Secret::new(secret);
        first.push((Administrator { username: username.clone(), email: email.clone(), password }, written));
    }
    Ok(first)
}

/// Where an installation with this issuer listens at first: the issuer's own port on loopback.
fn listen_of(issuer: &str) -> Result<SocketAddr> {
    let url = config::issuer(issuer)?;
    let port = if url.scheme() == "https" { 8080 } else { url.port().unwrap_or(8080) };
    Ok(cli::loopback(port))
}

/// `galen serve`.
///
/// # Errors
/// When the configuration is not sound, the folder is a demonstration's, or a part refuses.
pub(crate) fn serve(effects: &Effects, command: &cli::Serve) -> Result<()> {
    edges::log_to_stderr();
    let config = Config::read(&command.config.config)?;
    let marked = config.data_dir.ancestors().take(2).any(|folder| folder.join(demo::MARKER).exists());
    anyhow::ensure!(
        !config.demo && !marked,
        "{} is a demonstration's and cannot be served as an installation; make one with `galen init`",
        config.data_dir.display()
    );
    compose::made(&config)?;
    compose::named(&config)?;
    block_on(async {
        let bound = Bound::bind(&config, &command.parts).await?;
        let signals = Signals::catch()?;
        let system = Arc::new(System::open(&config, effects).await?);
        let stop = signals.stop(&system);
        tracing::info!(web = bound.web_url(), aws = bound.aws_url(), "ready");
        edges::serve(bound, &config, Arc::clone(&system), stop).await?;
        close(system).await
    })
}

/// Closes a system that nothing else uses any more.
pub(crate) async fn close(system: Arc<System>) -> Result<()> {
    let system = Arc::into_inner(system).context("a connection still holds a part")?;
    system.close().await
}

/// `galen doctor`.
///
/// # Errors
/// When there is no installation; what is wrong with it is in the result, and the exit code is 1 on a failure.
pub(crate) fn doctor(output: Output, effects: &Effects, command: &ConfigFile) -> Result<()> {
    let config = Config::read(&command.config)?;
    // Without an installation there is nothing to look at; anything else that is wrong is a check that failed, beside the others.
    compose::made(&config)?;
    let crypto = crypto::Crypto::new(Arc::clone(&effects.entropy));
    let store = compose::read_store(&config, effects);
    let state = store.and_then(|store| block_on(state_of(store)));
    let token = compose::open_token(&config, effects, &crypto).map(|token| token.describe());
    let edges = [("TLS of the web edge", &config.web), ("TLS of the AWS edge", &config.aws)];
    let tls = edges.into_iter().filter_map(|(name, edge)| {
        let (cert, key) = edge.tls_files()?;
        Some(operate::doctor::EdgeTls { name, cert, key })
    });
    let tls: Vec<_> = tls.collect();
    let patient = operate::doctor::Patient {
        name: compose::named(&config).map_err(told),
        state: state.map_err(told),
        token: token.map_err(told),
        data_dir: &config.data_dir,
        ledger: &Layout::new(&config.data_dir).ledger(),
        tls: &tls,
        second_approval: config.approvals.second,
        effects,
    };
    let examination = block_on(async { Ok(operate::doctor::examine(patient).await) })?;
    let value = serde_json::to_value(&examination)?;
    match output {
        Output::Json => output::result(output, &value)?,
        Output::Table => findings(&value)?,
    }
    anyhow::ensure!(examination.verdict != operate::doctor::Verdict::Failure, "something needs a hand; see above");
    Ok(())
}

/// What the doctor asks of the store.
async fn state_of(store: store::Store) -> Result<operate::doctor::State> {
    let ownerless = store.read(directory::ownerless_services).await?.into_iter().map(|service| service.name).collect();
    let administrators = store.read(|txn| access::facts::administrators(txn, directory::may_sign_in)).await?;
    Ok(operate::doctor::State { store, ownerless, administrators })
}

/// A failure with all its causes.
fn told(error: anyhow::Error) -> String {
    format!("{error:#}")
}

/// What the doctor saw, one check after the other, each with what to do.
fn findings(examination: &Value) -> Result<()> {
    for check in examination.get("checks").and_then(Value::as_array).into_iter().flatten() {
        let field = |key: &str| check.get(key).and_then(Value::as_str).unwrap_or_default();
        output::text(&format!("{:<8} {}: {}", field("verdict"), field("name"), field("seen")))?;
        if !field("advice").is_empty() {
            output::text(&format!("         {}", field("advice")))?;
        }
    }
    Ok(())
}

/// `galen ledger`.
///
/// # Errors
/// When the files cannot be read or the ledger does not verify.
pub(crate) fn ledger(output: Output, effects: &Effects, command: &cli::Ledger) -> Result<()> {
    match command {
        cli::Ledger::Verify { config, offline, witness, key_file } => {
            let (folder, mut trust) = ledger_place(effects, config, offline.as_deref())?;
            if let Some(file) = key_file {
                let keys = local::read(&file.to_string_lossy())?;
                trust = Trust::Keys(keys.lines().map(str::parse).collect::<Result<_, _>>()?);
            }
            let witness = witness
                .as_ref()
                .map(|file| fs::read(file).with_context(|| format!("could not read {}", file.display())));
            let report = operate::ledger::verify(&folder, &trust, witness.transpose()?.as_deref())?;
            output::result(output, &serde_json::to_value(&report)?)?;
            anyhow::ensure!(report.is_sound(), "the ledger does not verify; see above");
            Ok(())
        }
        cli::Ledger::Prove { config, index, offline } => {
            let (folder, trust) = ledger_place(effects, config, offline.as_deref())?;
            let proof = operate::ledger::prove(&folder, &trust, *index)?;
            Ok(std::io::stdout().lock().write_all(&proof)?)
        }
    }
}

/// The folder of a ledger, and whose signature is believed there: in a copy the folder's own key, in an installation the
/// one that its key token holds.
fn ledger_place(effects: &Effects, file: &ConfigFile, offline: Option<&Path>) -> Result<(PathBuf, Trust)> {
    if let Some(folder) = offline {
        return Ok((operate::ledger::folder_in(folder), Trust::Folder));
    }
    let config = Config::read(&file.config)?;
    compose::made(&config)?;
    compose::named(&config)?;
    let keys = compose::ledger_keys(&config, effects)
        .context("the key token does not say who signs the ledger; name a copy of `log.key` with --key-file and the folder with --offline")?;
    Ok((Layout::new(&config.data_dir).ledger(), Trust::Keys(keys)))
}

/// `galen config`.
///
/// # Errors
/// When the configuration is not sound.
pub(crate) fn config(output: Output, command: &cli::Config) -> Result<()> {
    match command {
        cli::Config::Check(file) => {
            let config = Config::read(&file.config)?;
            config.check_files()?;
            compose::named(&config)?;
            if !config.data_dir.is_dir() {
                output::note(&format!(
                    "there is no folder {}: `galen serve` refuses to start until `galen init` has made it, or its disk is there",
                    config.data_dir.display()
                ));
            }
            output::result(
                output,
                &json!({"config": file.config.display().to_string(), "data_dir": config.data_dir, "sound": true}),
            )?;
        }
        cli::Config::Show(file) => match output {
            Output::Json => output::result(output, &serde_json::to_value(Config::read(&file.config)?)?)?,
            Output::Table => output::text(&toml::to_string_pretty(&Config::read(&file.config)?)?)?,
        },
    }
    Ok(())
}

/// The times of a graceful stop.
pub(crate) fn grace(config: &Config) -> Duration {
    Duration::from_secs(config.limits.stop_secs_max)
}
