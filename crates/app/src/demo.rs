//! `galen demo`: an installation of its own on loopback, filled with real data, for trying Galen out.
//!
//! INVARIANT: a demonstration's folder carries a marker and is never served by `galen serve`; both edges are on loopback.

pub(crate) mod data;
mod story;
pub(crate) mod world;

use anyhow::{Context, Result};
use base::{Effects, Secret};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    bootstrap::{self, Administrator},
    cli::{self, Part, loopback},
    compose::System,
    config::Config,
    edges::{self, Bound, Signals},
    installation::{block_on, close},
    output, profile,
};
use data::Source;
use world::{Admin, Builder, World};

/// In every demonstration's folder; `galen serve` refuses a folder that has it.
pub(crate) const MARKER: &str = "DEMONSTRATION";
/// The account of the demonstration: never one of a real installation's.
const ACCOUNT: &str = "999999999999";
const REGION: &str = "eu-north-1";

/// What a second start needs to know.
#[derive(Serialize, Deserialize)]
struct Kept {
    web_port: u16,
    aws_port: u16,
    admin: Admin,
    /// Absent while the world is being built; a folder that was left like this is emptied and built anew.
    world: Option<World>,
}

/// Where the demonstration's files are.
struct Folder(PathBuf);

impl Folder {
    #[expect(clippy::disallowed_methods, reason = "app is where the environment is read")]
    fn of(named: Option<&Path>) -> Result<Self> {
        if let Some(folder) = named {
            return Ok(Self(std::path::absolute(folder)?));
        }
        let data = std::env::var_os("XDG_DATA_HOME").filter(|v| !v.is_empty()).map(PathBuf::from);
        let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share"));
        Ok(Self(data.or_else(home).context("HOME is not set; name a folder with --data-dir")?.join("galen-demo")))
    }
    fn marker(&self) -> PathBuf {
        self.0.join(MARKER)
    }
    fn kept(&self) -> PathBuf {
        self.0.join("demo.json")
    }
    fn installation(&self) -> PathBuf {
        self.0.join("installation")
    }
    fn config(&self) -> PathBuf {
        self.0.join("galen.toml")
    }
    fn downloads(&self) -> PathBuf {
        self.0.join("downloads")
    }

    /// What an earlier run kept, if it got to its end; what it left half made is removed.
    fn open(&self) -> Result<Option<Kept>> {
        let fresh = crate::compose::is_empty(&self.0);
        anyhow::ensure!(
            fresh || self.marker().exists(),
            "{} is not empty and is no demonstration; name a new folder with --data-dir",
            self.0.display()
        );
        profile::make_private(&self.0)?;
        fs::write(
            self.marker(),
            "This folder belongs to `galen demo`. Its data is for trying Galen out and never for use.\n",
        )?;
        let kept: Option<Kept> = match fs::read(self.kept()) {
            Ok(bytes) => serde_json::from_slice(&bytes).ok(),
            Err(_) => None,
        };
        let whole = kept.filter(|kept| kept.world.is_some());
        if whole.is_none() && self.installation().exists() {
            fs::remove_dir_all(self.installation()).context("could not remove what an earlier start left half made")?;
        }
        Ok(whole)
    }

    /// The configuration, for the commands of an operator: `galen ledger`, `state`, `doctor`. `galen serve` refuses it.
    fn describe(&self, config: &Config) -> Result<()> {
        let text = format!("# Written by `galen demo` at every start.\n\n{}", toml::to_string_pretty(config)?);
        profile::write_private(&self.config(), text.as_bytes())
    }

    fn keep(&self, kept: &Kept) -> Result<()> {
        profile::write_private(&self.kept(), &serde_json::to_vec_pretty(kept)?)
    }
}

/// `galen demo`.
///
/// # Errors
/// When a port is taken, the data cannot be read, or a part refuses.
pub(crate) fn run(effects: &Effects, command: &cli::Demo) -> Result<()> {
    edges::log_to_stderr();
    block_on(serve(effects, command))
}

async fn serve(effects: &Effects, command: &cli::Demo) -> Result<()> {
    let folder = Folder::of(command.data_dir.as_deref())?;
    let kept = folder.open()?;
    let port = |asked: u16, kept: Option<u16>| if asked == 0 { kept.unwrap_or(0) } else { asked };
    let web_port = port(command.web_port, kept.as_ref().map(|kept| kept.web_port));
    let aws_port = port(command.aws_port, kept.as_ref().map(|kept| kept.aws_port));
    if let Some(kept) = &kept {
        anyhow::ensure!(
            web_port == kept.web_port,
            "this demonstration's issuer has port {}; it stays the same for the life of its folder",
            kept.web_port
        );
    }
    let bound = Bound::bind(&config(&folder, web_port, aws_port)?, &[Part::Web, Part::Aws]).await?;
    // The ports are known now.
    let mut config = config(&folder, bound.web_port(), bound.aws_port())?;
    config.issuer = bound.web_url().to_owned();
    config.check()?;
    folder.describe(&config)?;

    let signals = Signals::catch()?;
    let system = Arc::new(System::open(&config, effects).await?);
    let stop = signals.stop(&system);
    let admin = match &kept {
        Some(kept) => kept.admin.clone(),
        None => {
            let admin = Admin { username: "admin".to_owned(), password: world::password(effects) };
            let administrator = Administrator {
                username: admin.username.clone(),
                email: "admin@demo.example".to_owned(),
                password: Secret::new(admin.password.clone()),
            };
            bootstrap::run(&system, vec![administrator]).await.context("the first start")?;
            admin
        }
    };
    let place = Place {
        web: bound.web_url().to_owned(),
        aws: bound.aws_url().to_owned(),
        web_port: bound.web_port(),
        aws_port: bound.aws_port(),
    };
    let serving = edges::serve(bound, &config, Arc::clone(&system), stop.clone());
    let telling = async {
        let told = tell(effects, command, &folder, kept, admin, &place).await;
        if told.is_err() || command.story {
            stop.cancel();
        }
        told
    };
    let (served, told) = tokio::join!(serving, telling);
    close(system).await?;
    told.and(served)
}

/// Where the demonstration is reached.
struct Place {
    web: String,
    aws: String,
    web_port: u16,
    aws_port: u16,
}

/// Builds the world if need be, then says that it is ready, or plays the story.
async fn tell(
    effects: &Effects,
    command: &cli::Demo,
    folder: &Folder,
    kept: Option<Kept>,
    admin: Admin,
    place: &Place,
) -> Result<()> {
    let world = match kept.and_then(|kept| kept.world) {
        Some(world) => world,
        None => {
            let effects = effects.clone();
            let (source, downloads) = (Source::of(command), folder.downloads());
            let (web, aws) = (place.web.clone(), place.aws.clone());
            let quiet = command.headless;
            let built =
                tokio::task::spawn_blocking(move || build(&effects, &source, &downloads, &web, &aws, admin, quiet));
            let world = built.await??;
            folder.keep(&Kept {
                web_port: place.web_port,
                aws_port: place.aws_port,
                admin: world.admin.clone(),
                world: Some(world.clone()),
            })?;
            world
        }
    };
    if command.story {
        let (effects, web, aws) = (effects.clone(), place.web.clone(), place.aws.clone());
        return tokio::task::spawn_blocking(move || story::play(&effects, &world, &web, &aws, REGION)).await?;
    }
    if command.json {
        return Ok(output::text(&ready(&world, place).to_string())?);
    }
    people(&world, place)?;
    if command.headless { Ok(()) } else { hints(folder, &world, place) }
}

fn build(
    effects: &Effects,
    source: &Source,
    downloads: &Path,
    web: &str,
    aws: &str,
    admin: Admin,
    quiet: bool,
) -> Result<World> {
    // A hidden bar draws nothing; indicatif draws on a terminal only.
    let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(100) };
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos:>3}% {msg}")?);
    let data = data::load(effects, source, downloads)?;
    let mut progress = |what: &str, percent: u64| {
        bar.set_position(percent);
        bar.set_message(what.to_owned());
    };
    let builder = Builder { effects, web, aws, region: REGION, admin, progress: &mut progress };
    let world = builder.build(&data);
    bar.finish_and_clear();
    world
}

fn config(folder: &Folder, web_port: u16, aws_port: u16) -> Result<Config> {
    let (web, aws) = (loopback(web_port), loopback(aws_port));
    let place = (ACCOUNT.parse()?, REGION.parse()?);
    Ok(Config { demo: true, ..Config::at(folder.installation(), place, format!("http://{web}"), web, aws) })
}

/// The ready line of the contract for scripts.
fn ready(world: &World, place: &Place) -> serde_json::Value {
    json!({
        "ready": true, "web": place.web, "aws": place.aws, "region": REGION, "issuer": place.web,
        "admin": world.admin, "people": world.people, "roles": world.roles, "datasets": world.datasets,
    })
}

fn people(world: &World, place: &Place) -> Result<()> {
    let source = if world.real { data::ATTRIBUTION } else { "GENERATED DATA: the tables are made up." };
    output::text(&format!("Galen is ready. Sign-in and API: {}   S3 and STS: {}\n{source}\n", place.web, place.aws))?;
    output::text("Who                password               groups")?;
    output::text(&format!("{:<18} {:<22} administrators", world.admin.username, world.admin.password))?;
    for person in &world.people {
        output::text(&format!("{:<18} {:<22} {}", person.username, person.password, person.groups.join(", ")))?;
    }
    Ok(())
}

fn hints(folder: &Folder, world: &World, place: &Place) -> Result<()> {
    let anna = world.people.iter().find(|person| person.username == "anna").context("the demonstration has no anna")?;
    let role = world.roles.first().context("the demonstration has no role")?;
    let program = std::env::current_exe().map_or_else(|_| "galen".to_owned(), |path| path.display().to_string());
    output::text(&format!(
        r#"
Try:
  (umask 077; echo '{}' > anna.txt)
  {program} login --endpoint {} --user anna --password-file anna.txt --no-browser
  eval "$({program} creds --role {} --format env)"
  aws s3 ls s3://oncology/sdtm/                     # anna's group may read this
  aws s3 ls s3://ophthalmology/sdtm/                # and nobody granted her this
  {program} why --person anna --resource arn:aws:s3:::oncology/sdtm/{}
  {program} ledger verify --config {}
  {program} demo --story --data-dir /tmp/story      # the whole way, step by step, in a run of its own

Ctrl-C stops it. It starts again with the same people and data."#,
        anna.password,
        place.web,
        role.arn,
        if world.real { "tu_onco.parquet" } else { "ae.csv" },
        folder.config().display()
    ))?;
    Ok(())
}
