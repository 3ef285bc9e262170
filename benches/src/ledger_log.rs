//! The ledger: acknowledged appends at a given pace and at most, replay, beside the disk alone.

use anyhow::{Result, ensure};
use base::{Actor, DecisionId};
use ledger::{Data, Entry, Phase, UserIdentity, verify::Verifier};
use std::{
    fs::File,
    io::{Seek, SeekFrom, Write},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use store::journal::{DiskFiles, Journal, Options, RealDisk};
use tokio::task::JoinSet;

use crate::{
    progress,
    report::{self, Report},
    stats::{Samples, process_cpu, shown, thread_cpu},
};

/// Bytes of an entry: what an intent with its reasons takes.
const ENTRY_BYTES: usize = 660;
const PACE: u32 = 5_000;
const PACED_SECS: u32 = 15;
const SATURATED: Duration = Duration::from_secs(10);
const IN_FLIGHT: usize = 1_024;
const RAW: Duration = Duration::from_secs(4);

pub(crate) fn journal(dir: &Path) -> Result<Journal> {
    let key = crypto::PrivateKey::ed25519_from_seed(&base::Secret::new([7; 32]))?;
    let crypto::PublicKey::Ed25519 { x } = key.public_key()? else { anyhow::bail!("another kind of key") };
    let signer = ledger::SignWith::new(x, move |text: &[u8]| Ok(key.sign(crypto::SignatureScheme::EdDsa, text)?));
    let disk = RealDisk::open(dir)?;
    Ok(Journal::open(Arc::new(disk), Arc::new(signer), Options::new("galen.example/bench".parse()?))?)
}

fn entry(n: u64) -> Result<Vec<u8>> {
    let id = DecisionId::from_uuid(uuid::Uuid::from_u128(u128::from(n) << 64 | 0x8000_0000_0000_0001));
    let time = base::Timestamp::from_second(1_795_000_000)?;
    let mut entry =
        Entry::new(Phase::Note, id, time, "s3.amazonaws.com", "GetObject", UserIdentity::new(Actor::System));
    entry.additional_event_data = Some(Data::new(&serde_json::json!({ "pad": "" }))?);
    let short = entry.encode()?.len();
    let pad = serde_json::json!({ "pad": "x".repeat(ENTRY_BYTES.saturating_sub(short)) });
    entry.additional_event_data = Some(Data::new(&pad)?);
    Ok(entry.encode()?)
}

pub(crate) async fn run() -> Result<Report> {
    let mut report = Report::new(
        "ledger",
        "The ledger",
        "A journal on this disk with the options of production: each append waits until it is durable (one `fdatasync` a \
         batch), while bundles, tiles and a signed checkpoint a second are published beside it. Entries of 660 bytes. \
         Latency at a pace counts from the moment at which the append was due. Durability mode: strict.",
        &["what", "rate", "p50", "p99", "CPU"],
    );
    std::fs::create_dir_all(report::folder())?;
    let dir = tempfile::tempdir_in(report::folder())?;
    let log = dir.path().join("log");
    std::fs::create_dir_all(&log)?;
    let journal = Arc::new(journal(&log)?);

    let single = raw(&mut report, dir.path(), "`write` + `fdatasync` of one entry, alone", ENTRY_BYTES)?;
    raw(&mut report, dir.path(), "`write` + `fdatasync` of 1 MiB, alone", 1 << 20)?;

    progress::step(format!("appends at {PACE}/s"));
    let mut acks = paced(&journal).await?;
    let cpu = acks.1.as_secs_f64() / f64::from(PACED_SECS);
    let p99 = acks.0.p99();
    report.row([
        format!("appends at {PACE}/s"),
        format!("{:.0}/s", acks.0.len() as f64 / acks.2.as_secs_f64()),
        shown(acks.0.p50()),
        shown(p99),
        format!("{:.0} % of a core", cpu * 100.0),
    ]);
    report.target("ledger, 5,000 appends/s: ack p99", "under 50 ms", shown(p99), p99 < Duration::from_millis(50));

    progress::step(format!("appends, {IN_FLIGHT} in flight"));
    let (mut acks, cpu, took) = saturated(&journal).await?;
    let rate = acks.len() as f64 / took.as_secs_f64();
    report.row([
        format!("appends, {IN_FLIGHT} in flight"),
        format!("{rate:.0}/s"),
        shown(acks.p50()),
        shown(acks.p99()),
        format!("{} an append", shown(cpu / u32::try_from(acks.len()).unwrap_or(1))),
    ]);
    report.target("ledger, saturated", "20,000/s", format!("{rate:.0}/s"), rate >= 20_000.0);
    report.note(format!("Saturated appends are {:.1} x the rate of an `fdatasync` for each.", rate / single));

    progress::step("replay");
    journal.publish().await?;
    let key = journal.key();
    journal.close()?;
    replay(&mut report, &log, key)?;
    Ok(report)
}

/// The disk alone: `bytes` and one `fdatasync`, again and again over a file that is already there; operations a second.
fn raw(report: &mut Report, dir: &Path, name: &str, bytes: usize) -> Result<f64> {
    progress::step(name);
    let mut file = File::create(dir.join("raw"))?;
    let block = vec![7_u8; bytes];
    let length = 8 << 20;
    file.write_all(&vec![0; length])?;
    file.sync_all()?;
    let (mut samples, begun, mut at) = (Samples::default(), Instant::now(), 0);
    while begun.elapsed() < RAW {
        if at + bytes > length {
            at = 0;
        }
        file.seek(SeekFrom::Start(u64::try_from(at)?))?;
        at += bytes;
        let one = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        samples.push(one.elapsed());
    }
    let rate = samples.len() as f64 / begun.elapsed().as_secs_f64();
    let speed = rate * bytes as f64 / 1e6;
    report.row([
        name.to_owned(),
        format!("{rate:.0}/s ({speed:.1} MB/s)"),
        shown(samples.p50()),
        shown(samples.p99()),
        String::new(),
    ]);
    Ok(rate)
}

async fn paced(journal: &Arc<Journal>) -> Result<(Samples, Duration, Duration)> {
    let mut tasks = JoinSet::new();
    let gap = Duration::from_secs(1) / PACE;
    let before = process_cpu(std::process::id());
    let begun = Instant::now();
    for n in 0..PACE * PACED_SECS {
        let due = begun + gap * n;
        if n % 5 == 0 {
            tokio::time::sleep_until(due.into()).await;
        }
        let (journal, bytes) = (Arc::clone(journal), entry(u64::from(n))?);
        tasks.spawn(async move { journal.append(bytes).await.map(|_| due.elapsed()) });
    }
    let mut samples = Samples::default();
    while let Some(done) = tasks.join_next().await {
        samples.push(done??);
    }
    Ok((samples, process_cpu(std::process::id()).saturating_sub(before), begun.elapsed()))
}

async fn saturated(journal: &Arc<Journal>) -> Result<(Samples, Duration, Duration)> {
    let mut tasks = JoinSet::new();
    let before = process_cpu(std::process::id());
    let begun = Instant::now();
    for lane in 0..IN_FLIGHT {
        let journal = Arc::clone(journal);
        let bytes = entry(u64::try_from(lane)? + (1 << 40))?;
        tasks.spawn(async move {
            let mut samples = Samples::default();
            while begun.elapsed() < SATURATED {
                let one = Instant::now();
                journal.append(bytes.clone()).await?;
                samples.push(one.elapsed());
            }
            Ok::<_, anyhow::Error>(samples)
        });
    }
    let mut samples = Samples::default();
    while let Some(done) = tasks.join_next().await {
        samples.extend(done??);
    }
    Ok((samples, process_cpu(std::process::id()).saturating_sub(before), begun.elapsed()))
}

fn replay(report: &mut Report, log: &Path, key: ledger::LogKey) -> Result<()> {
    let files = DiskFiles::new(log);
    let (mut bytes, mut entries) = (0_u64, 0_u64);
    let (begun, before) = (Instant::now(), thread_cpu());
    let found = Verifier::new(vec![key]).verify_each(&files, &mut |_, entry| {
        bytes += u64::try_from(entry.len()).unwrap_or(0);
        entries += 1;
    })?;
    let (wall, cpu) = (begun.elapsed(), thread_cpu().saturating_sub(before));
    ensure!(found.findings.is_empty(), "the log does not verify: {:?}", found.findings.first());
    let speed = bytes as f64 / 1e6 / cpu.as_secs_f64();
    report.row([
        format!("replay of {entries} entries (parsed, hashed, every checkpoint checked)"),
        format!("{speed:.0} MB/s of processor time, {:.0} MB/s wall", bytes as f64 / 1e6 / wall.as_secs_f64()),
        String::new(),
        String::new(),
        shown(cpu),
    ]);
    let mut hash = crypto::Sha256::new();
    let block = vec![7_u8; 1 << 20];
    let before = thread_cpu();
    (0..128).for_each(|_| hash.update(&block));
    std::hint::black_box(hash.finish());
    let sha = 128.0 * 1.048_576 / thread_cpu().saturating_sub(before).as_secs_f64();
    report.row(["SHA-256 alone".to_owned(), format!("{sha:.0} MB/s"), String::new(), String::new(), String::new()]);
    report.target("ledger replay, one core", "40 MB/s", format!("{speed:.0} MB/s"), speed >= 40.0);
    Ok(())
}
