//! "Why" over many decisions, through the management API.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::Value;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

use crate::{
    progress,
    report::Report,
    s3::{Connection, Payload},
    stats::{Samples, process_cpu, resident, shown},
    system::System,
};

const BUCKET: &str = "bench-why";
const KEYS: usize = 64;
const CLIENTS: usize = 16;
/// How long decisions are made before questions are asked.
const FEED: Duration = Duration::from_secs(20);
const ASKED: usize = 400;

pub(crate) async fn run() -> Result<Report> {
    let mut report = Report::new(
        "why",
        "Why",
        "In process: people read objects through the gate, each read with its durable intent and its outcome, until the ledger and \
         its index hold that many decisions; then it is asked why one of the people may read one of the objects, and why a decision \
         was made: sentence, session, sign-in, membership, grant, approver, outcome, proof, and for a decision the replay. Over HTTP: \
         the same over the demonstration and its management API, which records each question too, after some seconds of reads.",
        &["decisions", "question", "asked", "p50", "p99", "CPU each"],
    );
    crate::why_kernel::run(&mut report).await?;
    if let Err(error) = over_http(&mut report).await {
        report.lack(format!("over HTTP: {error:#}."));
    }
    Ok(report)
}

async fn over_http(report: &mut Report) -> Result<()> {
    let system = System::start().await?;
    let somebody = system.writer(BUCKET).await?;
    let mut connection = Connection::open(&system.aws()).await?;
    for key in 0..KEYS {
        let path = format!("/{BUCKET}/{key}");
        let request = somebody.signer.request("PUT", &path, "", Bytes::from_static(b"bench"), Payload::Signed)?;
        connection.send(request).await?.done("PUT")?;
    }
    system.login("admin").await?;
    ask(report, &system, &somebody.username, u64::try_from(KEYS)?).await?;
    progress::step("decisions over HTTP");
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for lane in 0..CLIENTS {
        let signer = Arc::clone(&somebody.signer);
        tasks.spawn(async move {
            let mut connection = Connection::open(&signer.host).await?;
            let mut done = 0_u64;
            while begun.elapsed() < FEED {
                // A deny is a decision too, and is never covered by the window of an earlier read.
                let path = if done.is_multiple_of(2) {
                    format!("/{BUCKET}/{}", (usize::try_from(done)? + lane) % KEYS)
                } else {
                    format!("/ophthalmology/sdtm/{lane}-{done}")
                };
                let request = signer.request("HEAD", &path, "", Bytes::new(), Payload::Signed)?;
                let answer = connection.send(request).await?;
                done += u64::from(answer.status != http::StatusCode::SERVICE_UNAVAILABLE);
            }
            Ok::<_, anyhow::Error>(done)
        });
    }
    let mut decisions = 0;
    while let Some(done) = tasks.join_next().await {
        decisions += done??;
    }
    // The index follows the log once a second.
    tokio::time::sleep(Duration::from_secs(3)).await;
    ask(report, &system, &somebody.username, decisions).await?;
    report.note(format!("Over HTTP {decisions} decisions were made in {}.", shown(FEED)));
    report.note(format!("Resident at the end: {} MiB.", resident(system.pid()) >> 20));
    Ok(())
}

async fn ask(report: &mut Report, system: &System, person: &str, decisions: u64) -> Result<()> {
    progress::step("questions over HTTP");
    let token = session_token(system, "admin")?;
    let mut connection = Connection::open(&system.web()).await?;
    let mut samples = Samples::default();
    let before = process_cpu(system.pid());
    for n in 0..ASKED {
        let resource = crate::s3::encoded(&format!("arn:aws:s3:::{BUCKET}/{}", n % KEYS));
        let uri = format!("/api/v1/why?person={person}&resource={resource}&action=s3:GetObject");
        let request = Request::get(uri).header("host", system.web()).header("authorization", format!("Bearer {token}"));
        let one = Instant::now();
        let answer = connection.send(request.body(Full::new(Bytes::new()))?).await?.done("why")?;
        samples.push(one.elapsed());
        let story: Value = serde_json::from_slice(&answer.body)?;
        ensure!(story.is_object(), "why answers {}", answer.text());
    }
    let cpu = process_cpu(system.pid()).saturating_sub(before) / u32::try_from(ASKED)?;
    report.row([
        decisions.to_string(),
        "person and resource, over HTTP".to_owned(),
        ASKED.to_string(),
        shown(samples.p50()),
        shown(samples.p99()),
        shown(cpu),
    ]);
    Ok(())
}

fn session_token(system: &System, username: &str) -> Result<String> {
    let value = crate::revoke::kept(system, username)?;
    value.get("session_token").and_then(Value::as_str).map(str::to_owned).context("no session")
}
