//! From the order to revoke to the first refusal, at everything that somebody has open at that moment.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;

use crate::{
    progress,
    report::Report,
    s3::{Connection, Payload, Shared, form},
    stats::{Samples, shown},
    system::{Somebody, System},
};

const ROUNDS: usize = 30;
const OPEN: usize = 1 << 30;
const BUCKET: &str = "bench-revoke";
/// After this a round is a failure and is counted as one.
const PATIENCE: Duration = Duration::from_secs(5);
/// The reader of the open GET takes its time, so that the object lasts longer than a round.
const READER_PAUSE: Duration = Duration::from_millis(2);

/// When a client was first refused, and whether anything that began after the acknowledgement still succeeded.
struct Refused {
    at: Instant,
    last_begun: Option<Instant>,
}

pub(crate) async fn run() -> Result<Report> {
    let mut report = Report::new(
        "revoke",
        "From revoke to refused, over HTTP",
        "One node. A person holds an open GET of 1 GiB, a keep-alive client that reads 4 KiB in a loop, a presigned URL used in a \
         loop, and a refresh token. Another person posts the revocation of the first. Each row counts from sending the order \
         to the first refused answer (or the closed stream); the refresh token is tried once the order is acknowledged. \
         The reader of the open GET is slow and first drains what the sockets have buffered. Rounds are whole: a new sign-in and a \
         new session each.",
        &["what", "rounds", "p50", "p99", "succeeded though begun after the acknowledgement"],
    );
    let system = System::start().await?;
    let somebody = system.writer(BUCKET).await?;
    let mut connection = Connection::open(&system.aws()).await?;
    for (key, body) in [("small", vec![7_u8; 4 << 10]), ("large", vec![7_u8; OPEN])] {
        let request =
            somebody.signer.request("PUT", &format!("/{BUCKET}/{key}"), "", Bytes::from(body), Payload::Unsigned)?;
        connection.send(request).await?.done("PUT")?;
    }
    let admin = "admin";
    system.login(admin).await?;
    let mut figures: [(&str, Samples, usize); 5] = [
        ("acknowledged", Samples::default(), 0),
        ("open GET of 1 GiB closed", Samples::default(), 0),
        ("keep-alive client refused", Samples::default(), 0),
        ("presigned URL refused", Samples::default(), 0),
        ("refresh token refused", Samples::default(), 0),
    ];
    let mut lost = 0;
    for n in 0..ROUNDS {
        progress::step(format!("{n} of {ROUNDS} rounds"));
        match round(&system, admin, &somebody).await {
            Ok(took) => {
                for (figure, (took, late)) in figures.iter_mut().zip(took) {
                    figure.1.push(took);
                    figure.2 += usize::from(late);
                }
            }
            Err(error) => {
                lost += 1;
                report.note(format!("A round did not end as it should: {error:#}."));
            }
        }
    }
    let mut worst = Duration::ZERO;
    let mut late = 0;
    for (name, samples, after) in &mut figures {
        worst = worst.max(samples.p99());
        late += *after;
        let cells = [shown(samples.p50()), shown(samples.p99()), after.to_string()];
        report.row([(*name).to_owned(), samples.len().to_string()].into_iter().chain(cells));
    }
    let kept = worst < Duration::from_millis(50) && late == 0 && lost == 0;
    let measured = format!("{} (of {ROUNDS} rounds; the p99 of so few is their worst)", shown(worst));
    report.target("revoke to refused, slowest of the above, p99", "under 50 ms", measured, kept);
    Ok(report)
}

/// Where the command line keeps what it got at sign-in.
pub(crate) fn kept(system: &System, username: &str) -> Result<Value> {
    let mut files: Vec<_> = std::fs::read_dir(system.home(username).join(".config/galen"))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    for file in files {
        let value: Value = serde_json::from_slice(&std::fs::read(file)?).unwrap_or_default();
        if value.get("refresh_token").is_some() {
            return Ok(value);
        }
    }
    anyhow::bail!("the command line kept no tokens of `{username}`")
}

fn text(value: &Value, key: &str) -> Result<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned).with_context(|| format!("no `{key}`"))
}

async fn round(system: &System, admin: &str, somebody: &Somebody) -> Result<Vec<(Duration, bool)>> {
    system.login(&somebody.username).await?;
    let session = system.assume(&somebody.username, &somebody.role).await?;
    let refresh = text(&kept(system, &somebody.username)?, "refresh_token")?;
    let bearer = text(&kept(system, admin)?, "session_token")?;
    let (started, begin) = watch::channel(0_usize);
    let started = Arc::new(started);
    let open = tokio::spawn(hold(Arc::clone(&session.signer), Arc::clone(&started)));
    let signer = Arc::clone(&session.signer);
    let signed = tokio::spawn(poll(Arc::clone(&signer), Arc::clone(&started), move || {
        signer.request("GET", &format!("/{BUCKET}/small"), "", Bytes::new(), Payload::Signed)
    }));
    let (url, host) = (session.signer.presigned(&format!("/{BUCKET}/small"))?, session.signer.host.clone());
    let presigned = tokio::spawn(poll(Arc::clone(&session.signer), Arc::clone(&started), move || {
        Ok(Request::get(url.as_str()).header("host", host.as_str()).body(Full::new(Bytes::new()))?)
    }));
    let mut ready = begin.clone();
    tokio::time::timeout(PATIENCE, ready.wait_for(|count| *count == 3))
        .await
        .context("the clients did not all begin")??;

    let mut web = Connection::open(&system.web()).await?;
    let order = json!({ "what": "person", "id": somebody.username, "reason": "bench" }).to_string();
    let order = Request::post("/api/v1/revocations")
        .header("host", system.web())
        .header("authorization", format!("Bearer {bearer}"))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(order)))?;
    let sent = Instant::now();
    web.send(order).await?.done("revocation")?;
    let acknowledged = Instant::now();
    let mut request = form(
        &system.web(),
        &[("grant_type", "refresh_token"), ("refresh_token", &refresh), ("client_id", "galen-cli")],
    )?;
    *request.uri_mut() = "/oidc/token".parse()?;
    let answer = web.send(request).await?;
    let refreshed = Instant::now();
    ensure!(answer.status != StatusCode::NOT_FOUND, "the token endpoint is elsewhere");
    let mut out = vec![(acknowledged - sent, false)];
    for task in [open, signed, presigned] {
        let refused = tokio::time::timeout(PATIENCE, task).await.context("a client was not refused")???;
        let late = refused.last_begun.is_some_and(|begun| begun > acknowledged);
        out.push((refused.at.saturating_duration_since(sent), late));
    }
    out.push((refreshed - sent, answer.status.is_success()));
    Ok(out)
}

/// Reads the large object slowly until it ends too early.
async fn hold(signer: Shared, started: Arc<watch::Sender<usize>>) -> Result<Refused> {
    let mut connection = Connection::open(&signer.host).await?;
    let request = signer.request("GET", &format!("/{BUCKET}/large"), "", Bytes::new(), Payload::Signed)?;
    let (head, mut body) = connection.begin(request).await?.into_parts();
    ensure!(head.status.is_success(), "the large object: {}", head.status);
    let (mut bytes, mut told) = (0, false);
    while let Some(Ok(frame)) = body.frame().await {
        bytes += frame.data_ref().map_or(0, Bytes::len);
        if !told {
            told = true;
            started.send_modify(|count| *count += 1);
        }
        tokio::time::sleep(READER_PAUSE).await;
    }
    ensure!(bytes < OPEN, "the large object was read to its end");
    Ok(Refused { at: Instant::now(), last_begun: None })
}

/// Asks again and again until it is refused.
async fn poll(
    signer: Shared,
    started: Arc<watch::Sender<usize>>,
    request: impl Fn() -> Result<Request<Full<Bytes>>>,
) -> Result<Refused> {
    let mut connection = Connection::open(&signer.host).await?;
    let (mut last_begun, mut told) = (None, false);
    loop {
        let begun = Instant::now();
        let answer = match connection.send(request()?).await {
            Ok(answer) => answer,
            // An answer that was being sent is cut like every other stream.
            Err(_) if told => return Ok(Refused { at: Instant::now(), last_begun }),
            Err(error) => return Err(error),
        };
        if answer.status == StatusCode::SERVICE_UNAVAILABLE {
            continue;
        }
        if !answer.status.is_success() {
            ensure!(told, "refused from the beginning: {}", answer.text());
            return Ok(Refused { at: Instant::now(), last_begun });
        }
        last_begun = Some(begun);
        if !told {
            told = true;
            started.send_modify(|count| *count += 1);
        }
    }
}
