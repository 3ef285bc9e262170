//! Objects and sessions over HTTP: small and large GET and PUT, AssumeRoleWithWebIdentity; beside other servers and plain files.

use anyhow::{Result, ensure};
use bytes::Bytes;
use std::{
    fs::File,
    io::{Read, Write},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

use tokio_rustls::TlsConnector;

use crate::{
    others, progress,
    report::{self, Report},
    s3::{Connection, Payload, Shared, chunked},
    stats::{Samples, process_cpu, resident, shown},
    system::{Somebody, System, assume_request},
};

const SMALL: usize = 4 << 10;
const LARGE: usize = 64 << 20;
/// Small objects that are read in turn.
const KEYS: usize = 64;
const CLIENTS: usize = 16;
/// How long each small case runs.
const RUN: Duration = Duration::from_secs(6);
const WARM_UP: Duration = Duration::from_secs(1);
const LARGE_ROUNDS: u32 = 16;
/// Throttled requests are asked again after this time; they are counted and not timed.
const THROTTLED: Duration = Duration::from_millis(5);

/// One case, measured.
struct Case {
    samples: Samples,
    throttled: u64,
    cpu: Duration,
    took: Duration,
}

impl Case {
    fn rate(&self) -> f64 {
        self.samples.len() as f64 / self.took.as_secs_f64()
    }
    fn cpu_each(&self) -> Duration {
        self.cpu / u32::try_from(self.samples.len()).unwrap_or(1).max(1)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Op {
    Get,
    Put,
}

impl Op {
    const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
        }
    }
}

pub(crate) async fn run() -> Result<Report> {
    let mut report = Report::new(
        "objects",
        "Objects over HTTP",
        "One client program with keep-alive connections on the same machine, so that client and server share the cores: \
         server CPU per operation is the figure that survives that. Requests are signed in their headers (SigV4, signed \
         payload); plain HTTP. Galen: the demonstration with a dataset of class strict: every request is authorised, its \
         intent is durable in the ledger before data flows, objects are encrypted and durable before the answer. \
         Plain files: open, read or write, `fsync` and rename, by as many threads.",
        &["server", "operation", "clients", "rate", "p50", "p99", "server CPU each", "durability of a PUT"],
    );
    let system = System::start().await?;
    let somebody = system.writer("bench-objects").await?;
    report.note(format!("Ready {} after the first start (with building its world).", shown(system.started_in)));
    report.note(format!("Resident before load: {} MiB.", resident(system.pid()) >> 20));

    let galen = Server {
        name: "Galen",
        durability: "intent, object and metadata durable",
        pid: system.pid(),
        signer: Arc::clone(&somebody.signer),
        bucket: "bench-objects",
        tls: None,
    };
    let files = small_files(&mut report).await?;
    let own = whole(&mut report, &galen).await?;
    sessions(&mut report, &system, &somebody).await?;
    report.note(format!("Resident after load: {} MiB.", resident(system.pid()) >> 20));
    targets(&mut report, &own, files);
    let (system, tls) = system.over_tls().await?;
    let galen = Server { name: "Galen over TLS", pid: system.pid(), tls: Some(tls), ..galen };
    let (trailer, _) = large(&mut report, &galen, Op::Put, Payload::Trailer).await?;
    report.target(
        "PUT 64 MiB over TLS, unsigned payload with a CRC64NVME trailer, against the plain file with fsync",
        "at least 0.7 x",
        format!("{:.2} x", trailer / files),
        trailer >= 0.7 * files,
    );
    report.note("Over TLS: the same installation, served by `galen serve` with a certificate; one TLS 1.3 connection.");
    drop(system);
    for other in [others::seaweed().await, others::rclone().await] {
        let other = match other {
            Ok(other) => other,
            Err(error) => {
                report.lack(format!("a peer: {error:#}."));
                continue;
            }
        };
        let server = Server {
            name: other.name,
            durability: other.durability,
            pid: other.pid(),
            signer: Arc::clone(&other.signer),
            bucket: "bench",
            tls: None,
        };
        if let Err(error) = whole(&mut report, &server).await {
            report.lack(format!("{}: {error:#}.", other.name));
        }
    }
    Ok(report)
}

struct Server {
    name: &'static str,
    durability: &'static str,
    pid: u32,
    signer: Shared,
    bucket: &'static str,
    tls: Option<TlsConnector>,
}

/// What the targets are read from.
struct Own {
    get: Duration,
    put: Duration,
    put_ratio: f64,
    get_large: f64,
    put_large: f64,
    /// Bytes a second that one core hashes, between the uploads that are compared with it.
    sha: f64,
}

async fn whole(report: &mut Report, server: &Server) -> Result<Own> {
    let mut rates = [0.0; 2];
    let mut cpu = [Duration::ZERO; 2];
    for op in [Op::Put, Op::Get] {
        for clients in [1, CLIENTS] {
            let mut case = small(server, op, clients).await?;
            let at = usize::from(clients > 1);
            if op == Op::Put
                && let Some(rate) = rates.get_mut(at)
            {
                *rate = case.rate();
            }
            if clients > 1
                && let Some(cpu) = cpu.get_mut(usize::from(op == Op::Get))
            {
                *cpu = case.cpu_each();
            }
            if case.throttled > 0 {
                report.note(format!(
                    "{}: {} {} requests were throttled (503) and asked again.",
                    server.name,
                    case.throttled,
                    op.name()
                ));
            }
            report.row([
                server.name.to_owned(),
                format!("{} 4 KiB", op.name()),
                clients.to_string(),
                format!("{:.0}/s", case.rate()),
                shown(case.samples.p50()),
                shown(case.samples.p99()),
                shown(case.cpu_each()),
                if op == Op::Put { server.durability.to_owned() } else { String::new() },
            ]);
        }
    }
    let (put_large, sha) = large(report, server, Op::Put, Payload::Signed).await?;
    let (get_large, _) = large(report, server, Op::Get, Payload::Signed).await?;
    let [put, get] = cpu;
    let [one, many] = rates;
    Ok(Own { get, put, put_ratio: many / one, get_large, put_large, sha })
}

fn targets(report: &mut Report, own: &Own, file_put: f64) {
    let micros = |most: u64| Duration::from_micros(most);
    report.target(
        "GET 4 KiB, 16 clients: server CPU with policy and audit",
        "under 150 us",
        shown(own.get),
        own.get < micros(150),
    );
    report.target("PUT 4 KiB, 16 clients: server CPU", "under 300 us", shown(own.put), own.put < micros(300));
    let ratio = own.put_ratio;
    report.target("durable PUT 4 KiB, 16 clients against 1", "at least 3 x", format!("{ratio:.1} x"), ratio >= 3.0);
    let speed = own.get_large;
    report.target("GET 64 MiB, decrypted, raw client", "0.9 GB/s", format!("{:.2} GB/s", speed / 1e9), speed >= 0.9e9);
    let ratio = own.put_large / own.sha;
    report.target(
        "PUT 64 MiB, signed payload, against SHA-256 alone, hashed in turn with the uploads",
        "at least 0.8 x",
        format!("{ratio:.2} x (SHA-256 {:.2} GB/s)", own.sha / 1e9),
        ratio >= 0.8,
    );
    report.note(format!("PUT 64 MiB is {:.2} x the plain file with fsync of this run.", own.put_large / file_put));
}

/// Keep-alive clients, each in a loop.
async fn small(server: &Server, op: Op, clients: usize) -> Result<Case> {
    progress::step(format!("{}: {} 4 KiB, {clients} clients", server.name, op.name()));
    let body = Bytes::from(vec![7_u8; SMALL]);
    let mut connections = Vec::new();
    for _ in 0..clients {
        connections.push(Connection::open(&server.signer.host).await?);
    }
    if op == Op::Get
        && let Some(connection) = connections.first_mut()
    {
        for key in 0..KEYS {
            let path = format!("/{}/small/{key}", server.bucket);
            connection
                .send(server.signer.request("PUT", &path, "", body.clone(), Payload::Signed)?)
                .await?
                .done("PUT")?;
        }
    }
    let begun = Instant::now() + WARM_UP;
    let mut tasks = JoinSet::new();
    for (lane, mut connection) in connections.into_iter().enumerate() {
        let (signer, bucket, body) = (Arc::clone(&server.signer), server.bucket, body.clone());
        tasks.spawn(async move {
            let (mut samples, mut throttled, mut n) = (Samples::default(), 0, 0_usize);
            while begun.elapsed() < RUN {
                n += 1;
                let request = match op {
                    Op::Get => signer.request(
                        "GET",
                        &format!("/{bucket}/small/{}", (n * 7 + lane) % KEYS),
                        "",
                        Bytes::new(),
                        Payload::Signed,
                    )?,
                    Op::Put => signer.request(
                        "PUT",
                        &format!("/{bucket}/put/{lane}-{n}"),
                        "",
                        body.clone(),
                        Payload::Signed,
                    )?,
                };
                let one = Instant::now();
                let answer = connection.send(request).await?;
                if answer.status == http::StatusCode::SERVICE_UNAVAILABLE {
                    throttled += 1;
                    tokio::time::sleep(THROTTLED).await;
                    continue;
                }
                let answer = answer.done(op.name())?;
                ensure!(op == Op::Put || answer.body.len() == SMALL, "a GET brought {} bytes", answer.body.len());
                if one >= begun {
                    samples.push(one.elapsed());
                }
            }
            Ok::<_, anyhow::Error>((samples, throttled))
        });
    }
    tokio::time::sleep_until(begun.into()).await;
    let before = process_cpu(server.pid);
    let mut case = Case { samples: Samples::default(), throttled: 0, cpu: Duration::ZERO, took: Duration::ZERO };
    while let Some(done) = tasks.join_next().await {
        let (samples, throttled) = done??;
        case.samples.extend(samples);
        case.throttled += throttled;
    }
    case.took = begun.elapsed();
    case.cpu = process_cpu(server.pid).saturating_sub(before);
    Ok(case)
}

/// One client, one large object after the other; the median rates in bytes a second of that and of SHA-256 between them.
async fn large(report: &mut Report, server: &Server, op: Op, payload: Payload) -> Result<(f64, f64)> {
    progress::step(format!("{}: {} 64 MiB", server.name, op.name()));
    // On one thread of its own, so that no time passes between the client's own threads.
    let client = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(rounds(server, op, payload))
    };
    let (mut samples, mut hashed, cpu) = tokio::task::block_in_place(client)?;
    let [rate, sha] = [&mut samples, &mut hashed].map(|samples| LARGE as f64 / samples.p50().as_secs_f64());
    let spent = cpu / LARGE_ROUNDS;
    report.row([
        server.name.to_owned(),
        format!("{} 64 MiB", op.name()),
        "1".to_owned(),
        format!("{:.0} MB/s", rate / 1e6),
        shown(samples.p50()),
        shown(samples.p99()),
        format!("{} ({:.0} MB per CPU second)", shown(spent), LARGE as f64 / 1e6 / spent.as_secs_f64().max(1e-6)),
        if op == Op::Put { server.durability.to_owned() } else { String::new() },
    ]);
    Ok((rate, sha))
}

/// The times of some transfers, those of SHA-256 over as many bytes after each, and the processor time that the server
/// spent on the transfers.
async fn rounds(server: &Server, op: Op, payload: Payload) -> Result<(Samples, Samples, Duration)> {
    let plain = Bytes::from(vec![7_u8; LARGE]);
    let body = if payload == Payload::Trailer { chunked(&plain) } else { plain.clone() };
    let mut connection = match &server.tls {
        None => Connection::open(&server.signer.host).await?,
        Some(tls) => Connection::open_tls(&server.signer.host, tls).await?,
    };
    let path = format!("/{}/large", server.bucket);
    let (mut samples, mut hashed) = (Samples::default(), Samples::default());
    let mut cpu = Duration::ZERO;
    for round in 0..=LARGE_ROUNDS {
        let request = match op {
            Op::Get => server.signer.request("GET", &path, "", Bytes::new(), payload)?,
            Op::Put => server.signer.request("PUT", &path, "", body.clone(), payload)?,
        };
        let (before, one) = (process_cpu(server.pid), Instant::now());
        let (status, bytes) = connection.count(request).await?;
        ensure!(status.is_success(), "{} 64 MiB: {status}", op.name());
        ensure!(op == Op::Put || bytes == u64::try_from(LARGE)?, "a GET brought {bytes} bytes");
        // The first one warms up.
        if round > 0 {
            samples.push(one.elapsed());
            cpu += process_cpu(server.pid).saturating_sub(before);
            let alone = Instant::now();
            std::hint::black_box(crypto::sha256(&plain));
            hashed.push(alone.elapsed());
        }
    }
    Ok((samples, hashed, cpu))
}

/// AssumeRoleWithWebIdentity, one client, keep-alive; beside what it cannot do without.
async fn sessions(report: &mut Report, system: &System, somebody: &Somebody) -> Result<()> {
    progress::step("AssumeRoleWithWebIdentity");
    let (host, role, token) = (system.aws(), somebody.role.clone(), somebody.token.clone());
    let before = process_cpu(system.pid());
    // On one thread of its own, so that no time passes between the client's own threads.
    let client = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(assume(&host, &role, &token))
    };
    let (mut samples, mut floors) = tokio::task::spawn_blocking(client).await??;
    let cpu = process_cpu(system.pid()).saturating_sub(before) / u32::try_from(samples.len()).unwrap_or(1).max(1);
    report.row([
        "Galen".to_owned(),
        "AssumeRoleWithWebIdentity".to_owned(),
        "1".to_owned(),
        format!("{:.0}/s", 1.0 / samples.mean().as_secs_f64()),
        shown(samples.p50()),
        shown(samples.p99()),
        shown(cpu),
        "the entry that holds the session durable".to_owned(),
    ]);
    report.note(format!(
        "Beside AssumeRoleWithWebIdentity, {IN_TURN} of each in turn: an RS256 check and 4 KiB appended to a file that grows, and synced."
    ));
    let (p50, floor) = (samples.p50(), floors.p50());
    let ratio = p50.as_secs_f64() / floor.as_secs_f64();
    report.target(
        "AssumeRoleWithWebIdentity, p50 against a signature check and one durable commit in turn with it",
        "at most 2 x",
        format!("{ratio:.2} x ({} against {})", shown(p50), shown(floor)),
        ratio <= 2.0,
    );
    Ok(())
}

/// Calls, and the least that each costs, in turn.
const IN_TURN: usize = 16;

/// The times of calls, and of what one cannot do without.
async fn assume(host: &str, role: &str, token: &str) -> Result<(Samples, Samples)> {
    let mut connection = Connection::open(host).await?;
    let mut floor = Floor::new()?;
    let (mut samples, mut floors, begun) = (Samples::default(), Samples::default(), Instant::now());
    while begun.elapsed() < RUN {
        for _ in 0..IN_TURN {
            let one = Instant::now();
            let answer = connection.send(assume_request(host, role, token)?).await?;
            if answer.status == http::StatusCode::SERVICE_UNAVAILABLE
                || answer.status == http::StatusCode::BAD_REQUEST && answer.text().contains("Throttling")
            {
                tokio::time::sleep(THROTTLED).await;
                continue;
            }
            answer.done("AssumeRoleWithWebIdentity")?;
            samples.push(one.elapsed());
        }
        for _ in 0..IN_TURN {
            let one = Instant::now();
            floor.once()?;
            floors.push(one.elapsed());
        }
    }
    Ok((samples, floors))
}

/// One RS256 check, and one durable write to a file that is already there.
struct Floor {
    public: crypto::PublicKey,
    signature: Vec<u8>,
    file: File,
    _folder: tempfile::TempDir,
}

impl Floor {
    fn new() -> Result<Self> {
        let key = crypto::Crypto::default().generate(crypto::KeyAlgorithm::Rsa2048)?;
        let signature = key.sign(crypto::SignatureScheme::Rs256, b"bench")?;
        let folder = tempfile::tempdir_in(report::folder())?;
        let file = File::create(folder.path().join("commit"))?;
        Ok(Self { public: key.public_key()?, signature, file, _folder: folder })
    }

    fn once(&mut self) -> Result<()> {
        self.public.verify(crypto::SignatureScheme::Rs256, b"bench", &self.signature)?;
        self.file.write_all(&[7; SMALL])?;
        Ok(self.file.sync_data()?)
    }
}

/// Plain files, and the rate at which a large one is written with fsync.
async fn small_files(report: &mut Report) -> Result<f64> {
    let folder = tempfile::tempdir_in(report::folder())?;
    let path = folder.path().to_owned();
    for op in [Op::Put, Op::Get] {
        for threads in [1, CLIENTS] {
            progress::step(format!("plain files: {} 4 KiB, {threads} threads", op.name()));
            let mut case = tokio::task::block_in_place(|| files(&path, op, threads))?;
            report.row([
                "plain files".to_owned(),
                format!("{} 4 KiB", op.name()),
                threads.to_string(),
                format!("{:.0}/s", case.rate()),
                shown(case.samples.p50()),
                shown(case.samples.p99()),
                shown(case.cpu_each()),
                if op == Op::Put { "fsync of each".to_owned() } else { String::new() },
            ]);
        }
    }
    let body = vec![7_u8; LARGE];
    let (mut writes, mut reads) = (Samples::default(), Samples::default());
    for _ in 0..LARGE_ROUNDS {
        let one = Instant::now();
        let mut file = File::create(path.join("large"))?;
        file.write_all(&body)?;
        file.sync_all()?;
        writes.push(one.elapsed());
        let one = Instant::now();
        let mut back = Vec::with_capacity(LARGE);
        File::open(path.join("large"))?.read_to_end(&mut back)?;
        reads.push(one.elapsed());
    }
    let speed = |samples: &mut Samples| LARGE as f64 / samples.p50().as_secs_f64();
    let rate = speed(&mut writes);
    for (op, samples, mode) in [(Op::Put, &mut writes, "fsync"), (Op::Get, &mut reads, "")] {
        report.row([
            "plain files".to_owned(),
            format!("{} 64 MiB", op.name()),
            "1".to_owned(),
            format!("{:.0} MB/s", speed(samples) / 1e6),
            shown(samples.p50()),
            shown(samples.p99()),
            String::new(),
            mode.to_owned(),
        ]);
    }
    Ok(rate)
}

fn files(folder: &Path, op: Op, threads: usize) -> Result<Case> {
    for key in 0..KEYS {
        std::fs::write(folder.join(format!("small-{key}")), vec![7; SMALL])?;
    }
    let before = process_cpu(std::process::id());
    let begun = Instant::now();
    let work = |lane: usize| -> Result<Samples> {
        let (mut samples, mut n) = (Samples::default(), 0_usize);
        while begun.elapsed() < RUN / 2 {
            n += 1;
            let one = Instant::now();
            if op == Op::Get {
                let read = std::fs::read(folder.join(format!("small-{}", (n * 7 + lane) % KEYS)))?;
                std::hint::black_box(read);
            } else {
                let (temporary, last) = (folder.join(format!("new-{lane}")), folder.join(format!("put-{lane}")));
                let mut file = File::create(&temporary)?;
                file.write_all(&[7; SMALL])?;
                file.sync_all()?;
                std::fs::rename(temporary, last)?;
            }
            samples.push(one.elapsed());
        }
        Ok(samples)
    };
    let mut samples = Samples::default();
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..threads).map(|lane| scope.spawn(move || work(lane))).collect();
        for lane in lanes {
            if let Ok(done) = lane.join() {
                samples.extend(done?);
            }
        }
        Ok::<_, anyhow::Error>(())
    })?;
    let cpu = process_cpu(std::process::id()).saturating_sub(before);
    Ok(Case { samples, throttled: 0, cpu, took: begun.elapsed() })
}
