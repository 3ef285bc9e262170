//! The configuration of an installation: one TOML file, then `GALEN__SECTION__KEY` variables, read once and checked whole.
//!
//! Secrets are never values here; each is a path to a file (`*_file`). Every key is documented in the file that `galen init` writes.

use anyhow::{Context, Result};
use base::{AccountId, Region};
use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use crate::{http, serve::Certificate};

/// Everything that can be set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The folder that holds the store, the ledger, the objects and the keys.
    pub(crate) data_dir: PathBuf,
    /// The installation's account.
    pub(crate) account: AccountId,
    /// The installation's region.
    pub(crate) region: Region,
    /// The OpenID issuer: the URL of the web edge.
    pub(crate) issuer: String,
    #[serde(default)]
    pub(crate) store: Store,
    #[serde(default)]
    pub(crate) custody: Custody,
    pub(crate) web: Edge,
    pub(crate) aws: Edge,
    #[serde(default)]
    pub(crate) approvals: Approvals,
    #[serde(default)]
    pub(crate) limits: Limits,
    /// Set by `galen demo` alone: such a data folder can never be served as production.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) demo: bool,
}

/// Where facts, views and records live.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, tag = "kind", rename_all = "lowercase")]
pub(crate) enum Store {
    /// A file in the data folder.
    #[default]
    Sqlite,
    /// PostgreSQL 18; the connection string stands in a file because it holds a password.
    Postgres {
        url_file: PathBuf,
        #[serde(default = "connections")]
        connections: u16,
    },
}

/// How variables begin that stand for keys.
const VARIABLES: &str = "GALEN__";
/// What a key expects where its type's own words do not say.
const HINTS: &[(&str, &str)] = &[
    ("listen", "an address and a port, such as 127.0.0.1:8080"),
    ("trusted_proxies", "a list of networks, such as [\"10.0.0.0/8\"]"),
];

const fn connections() -> u16 {
    8
}

/// What seals the software token.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, tag = "seal", rename_all = "lowercase")]
pub(crate) enum Custody {
    /// A secret file that `galen init` makes; who has it and the key file has the keys.
    #[default]
    Machine,
    /// A passphrase, read from a file when Galen starts.
    Passphrase { passphrase_file: PathBuf },
}

/// One edge: where it listens and how it is reached.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Edge {
    pub(crate) listen: SocketAddr,
    /// The URL that clients use; by default `http(s)://` and the listening address.
    #[serde(default)]
    pub(crate) url: Option<String>,
    /// PEM files; with both, the edge speaks TLS.
    #[serde(default)]
    pub(crate) tls_cert_file: Option<PathBuf>,
    #[serde(default)]
    pub(crate) tls_key_file: Option<PathBuf>,
    /// Domains under which the first label is a bucket (`BUCKET.s3.example.com`); empty means path style. AWS edge only.
    #[serde(default)]
    pub(crate) domains: Vec<String>,
    /// Proxies whose `X-Forwarded-For` is believed; from anyone else the header is ignored.
    #[serde(default)]
    pub(crate) trusted_proxies: Vec<IpNet>,
}

/// Who must agree to a change that gives somebody access which no owner chose for them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Approvals {
    /// Whether such a change waits for a second person.
    pub(crate) second: bool,
}

impl Default for Approvals {
    fn default() -> Self {
        Self { second: true }
    }
}

/// Rates and sizes that an operator may want to change.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    /// Requests a second from one source address, on each edge.
    pub(crate) requests_per_source: u32,
    /// Requests a second of one principal, on each edge.
    pub(crate) requests_per_principal: u32,
    /// Longest step back of the wall clock, since the last change, with which Galen starts; in seconds.
    pub(crate) clock_back_secs_max: u64,
    /// Connections that one edge serves at once.
    pub(crate) connections_max: usize,
    /// How long open requests may take after a stop was asked for, in seconds.
    pub(crate) stop_secs_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Against floods, not quotas: one job of many readers stays below, as under the 5,500 reads a second of an S3 prefix.
            requests_per_source: 10_000,
            requests_per_principal: 10_000,
            clock_back_secs_max: 5,
            connections_max: 4_096,
            stop_secs_max: 20,
        }
    }
}

impl Edge {
    /// A plain edge on this address.
    pub(crate) const fn plain(listen: SocketAddr) -> Self {
        Self {
            listen,
            url: None,
            tls_cert_file: None,
            tls_key_file: None,
            domains: Vec::new(),
            trusted_proxies: Vec::new(),
        }
    }
    /// Whether the edge speaks TLS itself.
    pub(crate) const fn tls(&self) -> bool {
        self.tls_cert_file.is_some()
    }
    /// The files of its TLS, if it speaks TLS itself.
    pub(crate) fn tls_files(&self) -> Option<(&Path, &Path)> {
        self.tls_cert_file.as_deref().zip(self.tls_key_file.as_deref())
    }
    /// The URL that clients use.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls() { "https" } else { "http" };
        self.url.clone().unwrap_or_else(|| format!("{scheme}://{}", self.listen))
    }
}

impl Config {
    /// One with the defaults of everything else.
    pub(crate) fn at(
        data_dir: PathBuf,
        (account, region): (AccountId, Region),
        issuer: String,
        web: SocketAddr,
        aws: SocketAddr,
    ) -> Self {
        Self {
            data_dir,
            account,
            region,
            issuer,
            store: Store::default(),
            custody: Custody::default(),
            web: Edge::plain(web),
            aws: Edge::plain(aws),
            approvals: Approvals::default(),
            limits: Limits::default(),
            demo: false,
        }
    }

    /// Reads and checks the file.
    ///
    /// # Errors
    /// When it cannot be read, a key is unknown or malformed, or values do not fit together; the error names the key.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        anyhow::ensure!(path.exists(), "{} does not exist; make one with `galen init`", path.display());
        Self::with_variables(path, Figment::from(Toml::file_exact(path)))
    }

    /// The configuration of a new installation as it takes effect: what `galen init` was told, with the variables over it.
    ///
    /// # Errors
    /// As [`Config::read`], which reads it again when it was written to `path`.
    pub(crate) fn new(path: &Path, told: &Self) -> Result<Self> {
        Self::with_variables(path, Figment::from(Serialized::defaults(told)))
    }

    fn with_variables(path: &Path, figment: Figment) -> Result<Self> {
        let figment = figment.merge(Env::prefixed(VARIABLES).split("__"));
        let mut config: Self = figment.extract().map_err(|error| unsound(path, error))?;
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        config.data_dir = folder.join(&config.data_dir);
        for (_, file) in config.files_mut() {
            *file = folder.join(&*file);
        }
        config.check().with_context(|| format!("{} is not a sound configuration", path.display()))?;
        Ok(config)
    }

    /// The files that the configuration names, each with its key.
    fn files_mut(&mut self) -> Vec<(&'static str, &mut PathBuf)> {
        let mut files = Vec::new();
        if let Store::Postgres { url_file, .. } = &mut self.store {
            files.push(("store.url_file", url_file));
        }
        if let Custody::Passphrase { passphrase_file } = &mut self.custody {
            files.push(("custody.passphrase_file", passphrase_file));
        }
        let (web, aws) = (&mut self.web, &mut self.aws);
        files.extend(web.tls_cert_file.as_mut().map(|file| ("web.tls_cert_file", file)));
        files.extend(web.tls_key_file.as_mut().map(|file| ("web.tls_key_file", file)));
        files.extend(aws.tls_cert_file.as_mut().map(|file| ("aws.tls_cert_file", file)));
        files.extend(aws.tls_key_file.as_mut().map(|file| ("aws.tls_key_file", file)));
        files
    }

    /// Whether the files that it names can be read, and each key belongs to its certificate.
    ///
    /// # Errors
    /// Names the first key whose file cannot be used.
    pub(crate) fn check_files(&self) -> Result<()> {
        for (key, file) in self.clone().files_mut() {
            std::fs::File::open(&*file).with_context(|| format!("`{key}`: could not read `{}`", file.display()))?;
        }
        for (name, edge) in [("web", &self.web), ("aws", &self.aws)] {
            if let Some((cert, key)) = edge.tls_files() {
                Certificate::read(cert, key).with_context(|| format!("[{name}]"))?;
            }
        }
        Ok(())
    }

    /// Whether the values fit together.
    ///
    /// # Errors
    /// Names the first key that does not.
    pub(crate) fn check(&self) -> Result<()> {
        for (name, edge) in [("web", &self.web), ("aws", &self.aws)] {
            anyhow::ensure!(
                edge.tls_cert_file.is_some() == edge.tls_key_file.is_some(),
                "[{name}] needs both tls_cert_file and tls_key_file, or neither"
            );
            let behind =
                edge.url.as_deref().is_some_and(|url| url.starts_with("https://")) && !edge.trusted_proxies.is_empty();
            anyhow::ensure!(
                edge.tls() || edge.listen.ip().is_loopback() || behind,
                "[{name}] listens on {} without TLS; set tls_cert_file and tls_key_file, or listen on loopback, \
                 or set url (https) and trusted_proxies of the proxy that ends TLS",
                edge.listen
            );
        }
        anyhow::ensure!(
            self.web.listen != self.aws.listen || self.web.listen.port() == 0,
            "[web] and [aws] both listen on {}; give each a port of its own",
            self.web.listen
        );
        issuer(&self.issuer)?;
        let Limits { requests_per_source, requests_per_principal, connections_max, .. } = self.limits;
        anyhow::ensure!(
            requests_per_source > 0 && requests_per_principal > 0 && connections_max > 0,
            "[limits] a limit of 0 lets nobody in; leave the line out for the default"
        );
        anyhow::ensure!(
            !self.demo || (self.web.listen.ip().is_loopback() && self.aws.listen.ip().is_loopback()),
            "demonstration data is served on loopback only"
        );
        Ok(())
    }
}

/// An OpenID issuer: `https`, or `http` on this machine.
///
/// # Errors
/// When it is none.
pub(crate) fn issuer(text: &str) -> Result<url::Url> {
    let url = url::Url::parse(text)
        .with_context(|| format!("issuer `{text}` is not a URL such as https://galen.example.com"))?;
    anyhow::ensure!(
        url.scheme() == "https" || (url.scheme() == "http" && http::is_loopback(&url)),
        "issuer `{text}` must be https, or http on loopback (http://127.0.0.1:8080)"
    );
    anyhow::ensure!(!text.ends_with('/') && url.query().is_none(), "issuer `{text}` must end without a slash");
    Ok(url)
}

/// What is wrong with a configuration, by key or by variable.
fn unsound(path: &Path, error: figment::Error) -> anyhow::Error {
    let wrong: Vec<String> = error
        .into_iter()
        .map(|error| {
            let variable = error.metadata.as_ref().is_some_and(|it| it.source.is_none());
            let key = if variable {
                format!("the variable {VARIABLES}{}", error.path.join("__").to_uppercase())
            } else {
                format!("`{}`", error.path.join("."))
            };
            let expected = HINTS.iter().find(|(name, _)| error.path.iter().any(|part| part.eq_ignore_ascii_case(name)));
            let expected = expected.map_or_else(String::new, |(_, expected)| format!(": expected {expected}"));
            let said =
                error.kind.to_string().replace("`one of `", "one of `").replace("``", "`").replace(", `demo`", "");
            if error.path.is_empty() { said } else { format!("{key}: {said}{expected}") }
        })
        .collect();
    anyhow::anyhow!("{} is not a sound configuration: {}", path.display(), wrong.join("; "))
}

/// A line of the file that `galen init` writes: what is set, or the example in a comment.
fn line<T: Serialize>(key: &str, set: Option<T>, example: &str) -> Result<String> {
    Ok(match set {
        Some(value) => format!("{key} = {}", toml::Value::try_from(value)?),
        None => format!("# {key} = {example}"),
    })
}

/// The commented file that `galen init` writes: `config` as it takes effect, whatever variables said at that time, so that it is
/// served as it was made without them.
///
/// # Errors
/// When a path is not UTF-8.
pub(crate) fn template(config: &Config) -> Result<String> {
    let Config { data_dir, account, region, issuer, web, aws, .. } = config;
    let store = match &config.store {
        Store::Sqlite => r#"kind = "sqlite""#.to_owned(),
        Store::Postgres { url_file, connections } => {
            let url_file = line("url_file", Some(std::path::absolute(url_file)?), "")?;
            format!("kind = \"postgres\"\n{url_file}\nconnections = {connections}")
        }
    };
    let seal = match &config.custody {
        Custody::Machine => r#"seal = "machine""#.to_owned(),
        Custody::Passphrase { passphrase_file } => {
            let file = line("passphrase_file", Some(std::path::absolute(passphrase_file)?), "")?;
            format!("seal = \"passphrase\"\n{file}")
        }
    };
    let tls = |edge: &Edge, name: &str| {
        let file = |file: &Option<PathBuf>| file.as_ref().map(std::path::absolute).transpose();
        let cert = line("tls_cert_file", file(&edge.tls_cert_file)?, &format!("\"/etc/galen/{name}.pem\""))?;
        anyhow::Ok(format!(
            "{cert}\n{}",
            line("tls_key_file", file(&edge.tls_key_file)?, &format!("\"/etc/galen/{name}.key\""))?
        ))
    };
    let some = |list: &Vec<_>| Some(list.clone()).filter(|list: &Vec<String>| !list.is_empty());
    let proxies = |edge: &Edge| {
        let proxies = some(&edge.trusted_proxies.iter().map(ToString::to_string).collect());
        line("trusted_proxies", proxies, "[\"10.0.0.0/8\"]")
    };
    Ok(format!(
        r#"# Configuration of one Galen installation. Every key can also be set as a variable: GALEN__WEB__LISTEN, ...
# `galen config check --config FILE` reads it and says what is wrong.

# The folder that holds the store, the ledger, the objects and the keys. Back it up whole.
{data_dir}

# The account (12 digits) and region that appear in every ARN. They never change.
account = "{account}"
region = "{region}"

# The OpenID issuer: the URL by which browsers reach the web edge, without a slash at its end. It never changes.
issuer = "{issuer}"

[store]
# `sqlite` keeps one file in the data folder. `galen init` chooses it; for PostgreSQL 18 it is
#   kind = "postgres"
#   url_file = "/etc/galen/postgres-url"   # a file, because the connection string holds a password
#   connections = 8
{store}

[custody]
# What seals the keys: `machine` (a secret file that `galen init` made) or
#   seal = "passphrase"
#   passphrase_file = "/run/secrets/galen-passphrase"
{seal}

[web]
# Sign-in, OpenID Connect and the management API. Anything but loopback needs TLS.
listen = "{web_listen}"
{web_url}
{web_tls}
{web_proxies}

[aws]
# STS and S3 on one endpoint.
listen = "{aws_listen}"
{aws_url}
{aws_tls}
{aws_proxies}
# Bucket names before these (BUCKET.s3.galen.example.com); without them, path style.
{domains}

[approvals]
# A member of a group that reaches data or runs the installation, and another person's password, wait for a second person.
# With one administrator nobody can be the second: set it to false, enrol the second administrator, and set it back.
# Each change that was made alone is a fact of its own (`approval.waived`), and `galen doctor` warns.
{second}

[limits]
# requests_per_source = 10000     # a second, on each edge
# requests_per_principal = 10000  # a second, on each edge
# clock_back_secs_max = 5         # start is refused when the clock went back further
# connections_max = 4096          # on each edge
# stop_secs_max = 20              # how long open requests may take after a stop
"#,
        data_dir = line("data_dir", Some(data_dir), "")?,
        web_listen = web.listen,
        web_url = line("url", web.url.as_ref(), "\"https://galen.example.com\"")?,
        web_tls = tls(web, "web")?,
        web_proxies = proxies(web)?,
        aws_listen = aws.listen,
        aws_url = line("url", aws.url.as_ref(), "\"https://aws.galen.example.com\"")?,
        aws_tls = tls(aws, "aws")?,
        aws_proxies = proxies(aws)?,
        domains = line("domains", some(&aws.domains), "[\"s3.galen.example.com\"]")?,
        second = line("second", Some(false).filter(|_| !config.approvals.second), "true")?,
    ))
}

#[cfg(test)]
mod tests;
