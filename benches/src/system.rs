//! A whole Galen in a process of its own: the demonstration with generated data, and somebody who may write in it.

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs::default_provider},
};

use crate::{
    report,
    s3::{Connection, Payload, Signer, form},
};

/// Building the demonstration's world takes seconds; on a busy machine, more.
const READY: Duration = Duration::from_secs(240);

/// The built program.
pub(crate) fn program() -> Result<PathBuf> {
    let path = std::env::var_os("GALEN_BENCH_PROGRAM").context("run this through `cargo xtask bench`")?;
    Ok(PathBuf::from(path))
}

/// A running demonstration.
pub(crate) struct System {
    child: Child,
    home: tempfile::TempDir,
    pub(crate) ready: Value,
    pub(crate) started_in: Duration,
}

/// Somebody with a session.
pub(crate) struct Somebody {
    pub(crate) username: String,
    pub(crate) role: String,
    pub(crate) token: String,
    pub(crate) signer: Arc<Signer>,
}

impl System {
    /// Starts one in a new folder on this disk.
    pub(crate) async fn start() -> Result<Self> {
        std::fs::create_dir_all(report::folder())?;
        let home = tempfile::tempdir_in(std::path::absolute(report::folder())?)?;
        Self::start_in(home).await
    }

    async fn start_in(home: tempfile::TempDir) -> Result<Self> {
        let begun = Instant::now();
        let mut child = Command::new(program()?)
            .args(["demo", "--headless", "--json", "--generated", "--data-dir"])
            .arg(home.path().join("demo"))
            .env("HOME", home.path())
            .env_remove("XDG_DATA_HOME")
            .env("GALEN_LOG", "error")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("could not start Galen")?;
        let out = child.stdout.take().context("no standard output")?;
        let mut lines = BufReader::new(out).lines();
        let line = tokio::time::timeout(READY, lines.next_line()).await.context("Galen did not become ready")??;
        let ready: Value = serde_json::from_str(&line.context("Galen ended before it was ready")?)?;
        Ok(Self { child, home, ready, started_in: begun.elapsed() })
    }

    /// Stops it and starts it again on the same folder.
    pub(crate) async fn again(mut self) -> Result<Self> {
        let pid = self.pid().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().await?;
        self.child.wait().await?;
        let Self { home, .. } = self;
        Self::start_in(home).await
    }

    /// Stops it and serves what it made with TLS on the AWS edge, as an installation; and how to reach that.
    pub(crate) async fn over_tls(mut self) -> Result<(Self, TlsConnector)> {
        let pid = self.pid().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().await?;
        self.child.wait().await?;
        let folder = self.home.path().join("tls");
        std::fs::create_dir_all(&folder)?;
        std::fs::rename(self.home.path().join("demo/installation"), folder.join("installation"))?;
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        std::fs::write(folder.join("cert.pem"), certified.cert.pem())?;
        private(&folder.join("key.pem"), &certified.signing_key.serialize_pem())?;
        let arn =
            self.ready.pointer("/roles/0/arn").and_then(Value::as_str).context("the demonstration has no role")?;
        let account = arn.split(':').nth(4).unwrap_or_default();
        let files = ["installation", "cert.pem", "key.pem"].map(|name| folder.join(name).display().to_string());
        let config = format!(
            "data_dir = {:?}\naccount = {account:?}\nregion = {:?}\nissuer = {:?}\n[web]\nlisten = {:?}\n[aws]\nlisten = {:?}\n\
             tls_cert_file = {:?}\ntls_key_file = {:?}\n",
            files[0],
            self.text("region"),
            self.text("web"),
            self.web(),
            self.aws(),
            files[1],
            files[2],
        );
        std::fs::write(folder.join("galen.toml"), config)?;
        let mut serve = Command::new(program()?);
        serve.args(["serve", "--config"]).arg(folder.join("galen.toml")).env("GALEN_LOG", "error").kill_on_drop(true);
        self.child = serve.spawn().context("could not serve with TLS")?;
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(self.aws()).await.is_err() {
            ensure!(begun.elapsed() < READY, "the edge with TLS did not become ready");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let mut roots = RootCertStore::empty();
        roots.add(certified.cert.der().clone())?;
        let client = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok((self, TlsConnector::from(Arc::new(client))))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap_or(0)
    }

    pub(crate) fn text(&self, key: &str) -> String {
        self.ready.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// `host:port` of the AWS edge.
    pub(crate) fn aws(&self) -> String {
        self.text("aws").trim_start_matches("http://").trim_end_matches('/').to_owned()
    }

    pub(crate) fn web(&self) -> String {
        self.text("web").trim_start_matches("http://").trim_end_matches('/').to_owned()
    }

    fn people(&self) -> impl Iterator<Item = &Value> {
        self.ready.get("people").and_then(Value::as_array).into_iter().flatten()
    }

    /// The home of `username` for the command line.
    pub(crate) fn home(&self, username: &str) -> PathBuf {
        self.home.path().join(username)
    }

    /// Runs the command line as `username`, in a home of their own.
    pub(crate) async fn command(&self, username: &str, words: &[&str]) -> Result<Output> {
        let home = self.home(username);
        std::fs::create_dir_all(&home)?;
        let mut command = Command::new(program()?);
        command.args(words).env("HOME", &home).env_remove("XDG_CONFIG_HOME").env_remove("XDG_STATE_HOME");
        Ok(command.env_remove("XDG_DATA_HOME").env_remove("XDG_CACHE_HOME").output().await?)
    }

    /// The same, with its standard output; an error when it failed.
    pub(crate) async fn told(&self, username: &str, words: &[&str]) -> Result<String> {
        let out = self.command(username, words).await?;
        ensure!(out.status.success(), "galen {}: {}", words.join(" "), String::from_utf8_lossy(&out.stderr));
        Ok(String::from_utf8(out.stdout)?.trim().to_owned())
    }

    /// Signs `username` in on the command line.
    pub(crate) async fn login(&self, username: &str) -> Result<()> {
        let admin = self.ready.get("admin").into_iter();
        let named = |person: &&Value| person.get("username").and_then(Value::as_str) == Some(username);
        let person = self.people().chain(admin).find(named).with_context(|| format!("there is no `{username}`"))?;
        let password = person.get("password").and_then(Value::as_str).unwrap_or_default();
        let file = self.home.path().join(format!("{username}.password"));
        private(&file, password)?;
        let file = file.display().to_string();
        let words =
            ["login", "--endpoint", &self.text("web"), "--user", username, "--password-file", &file, "--no-browser"];
        self.told(username, &words).await.map(drop)
    }

    /// Somebody whose role may make a bucket, with that bucket.
    pub(crate) async fn writer(&self, bucket: &str) -> Result<Somebody> {
        let roles = self.ready.get("roles").and_then(Value::as_array).cloned().unwrap_or_default();
        for person in self.people() {
            let username = person.get("username").and_then(Value::as_str).unwrap_or_default();
            let own: Vec<&str> = texts(person.get("groups"));
            for role in roles.iter().filter(|role| texts(role.get("groups")).iter().any(|group| own.contains(group))) {
                let role = role.get("arn").and_then(Value::as_str).unwrap_or_default();
                self.login(username).await?;
                let Ok(somebody) = self.assume(username, role).await else { continue };
                let mut connection = Connection::open(&self.aws()).await?;
                let request =
                    somebody.signer.request("PUT", &format!("/{bucket}"), "", Bytes::new(), Payload::Signed)?;
                if connection.send(request).await?.status.is_success() {
                    return Ok(somebody);
                }
            }
        }
        bail!("nobody in the demonstration may make a bucket")
    }

    /// A session of somebody who is signed in.
    pub(crate) async fn assume(&self, username: &str, role: &str) -> Result<Somebody> {
        let token = self.told(username, &["token"]).await?;
        let mut connection = Connection::open(&self.aws()).await?;
        let answer =
            connection.send(assume_request(&self.aws(), role, &token)?).await?.done("AssumeRoleWithWebIdentity")?;
        let text = answer.text();
        let signer = Signer {
            access_key: between(&text, "AccessKeyId")?,
            secret: between(&text, "SecretAccessKey")?,
            token: Some(between(&text, "SessionToken")?),
            region: self.text("region"),
            host: self.aws(),
        };
        Ok(Somebody { username: username.to_owned(), role: role.to_owned(), token, signer: Arc::new(signer) })
    }
}

pub(crate) fn assume_request(
    host: &str,
    role: &str,
    token: &str,
) -> Result<http::Request<http_body_util::Full<Bytes>>> {
    form(
        host,
        &[
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", role),
            ("RoleSessionName", "bench"),
            ("WebIdentityToken", token),
        ],
    )
}

fn texts(value: Option<&Value>) -> Vec<&str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The text of the first element of this name.
pub(crate) fn between(xml: &str, name: &str) -> Result<String> {
    let (_, after) = xml.split_once(&format!("<{name}>")).with_context(|| format!("no {name} in the answer"))?;
    let (value, _) = after.split_once("</").with_context(|| format!("{name} has no end"))?;
    Ok(value.replace("&quot;", "\"").replace("&amp;", "&"))
}

/// A file that only its owner can read.
pub(crate) fn private(file: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    Ok(options.open(file)?.write_all(text.as_bytes())?)
}
