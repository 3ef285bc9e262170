//! Other S3 servers, from the virtual environment that `cargo xtask bench` makes: SeaweedFS and rclone.

use anyhow::{Context, Result, bail, ensure};
use std::{
    path::PathBuf,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::process::{Child, Command};

use crate::{
    report,
    s3::{Connection, Payload, Signer},
    system::private,
};

/// Another process may have taken a port meanwhile.
const TRIES: usize = 3;
const STARTS: Duration = Duration::from_secs(60);
const KEY: &str = "benchbenchbench";
const SECRET: &str = "secretsecretsecret";

/// A running server.
pub(crate) struct Other {
    pub(crate) name: &'static str,
    /// Whether and when it makes a PUT durable.
    pub(crate) durability: &'static str,
    pub(crate) child: Child,
    pub(crate) signer: Arc<Signer>,
    _folder: tempfile::TempDir,
}

impl Other {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap_or(0)
    }
}

/// A program of the virtual environment.
pub(crate) fn tool(name: &str) -> Result<PathBuf> {
    let path = std::path::absolute(report::folder())?.join("venv/bin").join(name);
    ensure!(path.exists(), "`{}` is missing: run this through `cargo xtask bench`", path.display());
    Ok(path)
}

fn port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

pub(crate) async fn seaweed() -> Result<Other> {
    for _ in 1..TRIES {
        if let Ok(other) = seaweed_once().await {
            return Ok(other);
        }
    }
    seaweed_once().await
}

async fn seaweed_once() -> Result<Other> {
    let folder = tempfile::tempdir_in(std::path::absolute(report::folder())?)?;
    let identities = format!(
        r#"{{"identities":[{{"name":"bench","credentials":[{{"accessKey":"{KEY}","secretKey":"{SECRET}"}}],"actions":["Admin","Read","Write","List","Tagging"]}}]}}"#
    );
    let config = folder.path().join("s3.json");
    private(&config, &identities)?;
    // gRPC ports are these plus 10,000: keep all of them low and apart.
    let base = 11_000 + port()? % 8_000;
    let mut command = Command::new(tool("weed")?);
    command.arg("server").arg(format!("-dir={}", folder.path().display())).args([
        "-ip=127.0.0.1",
        "-s3",
        "-volume.max=8",
    ]);
    command.arg(format!("-master.port={base}")).arg(format!("-volume.port={}", base + 1));
    command.arg(format!("-filer.port={}", base + 2)).arg(format!("-s3.port={}", base + 3));
    command.arg(format!("-s3.config={}", config.display()));
    start("SeaweedFS 4.48, all in one", "its defaults: no fsync", command, base + 3, folder).await
}

pub(crate) async fn rclone() -> Result<Other> {
    let folder = tempfile::tempdir_in(std::path::absolute(report::folder())?)?;
    let data = folder.path().join("data");
    std::fs::create_dir_all(&data)?;
    let port = port()?;
    let mut command = Command::new(tool("rclone")?);
    command.args(["serve", "s3", "--addr", &format!("127.0.0.1:{port}"), "--auth-key", &format!("{KEY},{SECRET}")]);
    command.args(["--vfs-cache-mode", "off"]).arg(data).env("RCLONE_CONFIG", folder.path().join("none"));
    start("rclone serve s3", "no fsync", command, port, folder).await
}

async fn start(
    name: &'static str,
    durability: &'static str,
    mut command: Command,
    port: u16,
    folder: tempfile::TempDir,
) -> Result<Other> {
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn();
    let child = child.with_context(|| format!("{name} does not start"))?;
    let signer = Arc::new(Signer {
        access_key: KEY.to_owned(),
        secret: SECRET.to_owned(),
        token: None,
        region: "us-east-1".to_owned(),
        host: format!("127.0.0.1:{port}"),
    });
    let mut other = Other { name, durability, child, signer, _folder: folder };
    let begun = Instant::now();
    loop {
        match ready(&other.signer).await {
            Ok(()) => return Ok(other),
            Err(error) if begun.elapsed() > STARTS => return Err(error.context(format!("{name} is not ready"))),
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
        if let Some(status) = other.child.try_wait()? {
            bail!("{name} ended before it was ready: {status}");
        }
    }
}

/// Ready means: it makes the bucket and takes an object.
async fn ready(signer: &Signer) -> Result<()> {
    let mut connection = Connection::open(&signer.host).await?;
    let made = connection.send(signer.request("PUT", "/bench", "", bytes::Bytes::new(), Payload::Signed)?).await?;
    ensure!(made.status.is_success() || made.status == http::StatusCode::CONFLICT, "{}", made.text());
    let put = signer.request("PUT", "/bench/ready", "", bytes::Bytes::from_static(b"ready"), Payload::Signed)?;
    connection.send(put).await?.done("first PUT").map(drop)
}
