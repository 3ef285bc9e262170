//! From start to ready, and what an idle process holds.

use access::{Access, Deps, facts::*};
use anyhow::Result;
use base::{Actor, Clock, DatasetId, Effects, GrantId, GroupId, NodeId, PersonId, Region, Timestamp};
use crypto::{Crypto, SystemEntropy};
use custody::{Custody, Seal, SoftwareToken, SoftwareTokenOptions};
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};
use store::{NewFact, Options, Store};
use uuid::Uuid;

use crate::{
    ledger_log::journal,
    progress,
    report::{self, Report},
    stats::{process_cpu, resident, shown},
    system::System,
};

/// Facts of one change.
const BATCH: usize = 1_000;

struct Wall;
impl Clock for Wall {
    fn now(&self) -> Timestamp {
        Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH)
    }
    fn monotonic(&self) -> Duration {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }
}

pub(crate) async fn run() -> Result<Report> {
    let mut report = Report::new(
        "start",
        "Start to ready, and memory",
        "The program: the demonstration is stopped and started again on its folder; ready is its ready line. The kernel: a \
         store (SQLite) with that many grants is opened, its views are loaded into the index, and the gate answers.",
        &["what", "facts", "time", "CPU", "memory"],
    );
    if let Err(error) = program(&mut report).await {
        report.lack(format!("the program: {error:#}."));
    }
    for grants in [100_000, 1_000_000] {
        let took = kernel(&mut report, grants).await?;
        let (what, target, bound) = if grants == 100_000 {
            ("kernel ready with 100 k facts", "under 1 s", Duration::from_secs(1))
        } else {
            ("kernel ready with 1 M grants", "under 5 s", Duration::from_secs(5))
        };
        report.target(what, target, shown(took), took < bound);
    }
    Ok(report)
}

async fn program(report: &mut Report) -> Result<()> {
    let system = System::start().await?;
    report.row([
        "first start, world built through the API".to_owned(),
        "~200".to_owned(),
        shown(system.started_in),
        String::new(),
        String::new(),
    ]);
    let system = system.again().await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (idle, cpu) = (resident(system.pid()), process_cpu(system.pid()));
    report.row([
        "program, start to ready".to_owned(),
        "~200".to_owned(),
        shown(system.started_in),
        shown(cpu),
        format!("{} MiB resident, idle", idle >> 20),
    ]);
    report.target("resident, idle", "under 100 MB", format!("{:.0} MB", idle as f64 / 1e6), idle < 100_000_000);
    Ok(())
}

/// A store, its keys and what they stand on, in a folder.
pub(crate) fn open(dir: &Path) -> Result<(Store, Custody, Effects, Region)> {
    let effects = Effects { clock: Arc::new(Wall), entropy: Arc::new(SystemEntropy) };
    let region: Region = "eu-north-1".parse()?;
    let mut options =
        Options::sqlite(dir.join("db"), region.clone(), NodeId::from_uuid(Uuid::from_u128(7)), effects.clone());
    options.folds = access::folds();
    let store = Store::open(options)?;
    let token = SoftwareToken::open_or_init(SoftwareTokenOptions {
        dir: dir.join("keys"),
        seal: Seal::MachineSecret { file: dir.join("secret/machine") },
        effects: effects.clone(),
        crypto: Crypto::default(),
    })?;
    let custody = Custody::new(Arc::new(token), store.clone(), effects.clone(), Crypto::default());
    Ok((store, custody, effects, region))
}

async fn kernel(report: &mut Report, grants: usize) -> Result<Duration> {
    let dir = tempfile::tempdir_in(report::folder())?;
    std::fs::create_dir_all(dir.path().join("log"))?;
    let (store, custody, effects, _) = open(dir.path())?;
    let begun = Instant::now();
    for from in (0..grants).step_by(BATCH) {
        progress::step(format!("{from} of {grants} grants written"));
        let now = effects.now();
        let write = move |txn: &mut store::WriteTxn<'_>| -> Result<(), store::Error> {
            for n in from..(from + BATCH).min(grants) {
                let grant = grant(n, now);
                let body = serde_json::to_value(&grant).unwrap_or_default();
                txn.fact_add(NewFact {
                    kind: "grant.created",
                    subject: grant.id.uuid(),
                    body,
                    reason: None,
                    valid_from: grant.start,
                    valid_to: Some(grant.expiry),
                })?;
            }
            Ok(())
        };
        store.write(Actor::System, write).await?;
    }
    let written = begun.elapsed();
    drop((store, custody));
    report.row([
        "grants written, 1,000 a change (one commit each)".to_owned(),
        grants.to_string(),
        format!("{} ({:.0}/s)", shown(written), grants as f64 / written.as_secs_f64()),
        String::new(),
        String::new(),
    ]);
    progress::step(format!("the kernel starts with {grants} grants"));
    let (before, cpu, begun) = (resident(std::process::id()), process_cpu(std::process::id()), Instant::now());
    let (store, custody, effects, region) = open(dir.path())?;
    let opened = begun.elapsed();
    let journal = Arc::new(journal(&dir.path().join("log"))?);
    let account = "123456789012".parse()?;
    let deps = Deps { store, custody, journal, crypto: Crypto::default(), effects, region, account };
    let (access, _maintenance) = Access::start(deps).await?;
    let took = begun.elapsed();
    let spent = process_cpu(std::process::id()).saturating_sub(cpu);
    let grown = resident(std::process::id()).saturating_sub(before);
    let memory = access.memory();
    report.row([
        format!("kernel, start to ready (store opened after {})", shown(opened)),
        grants.to_string(),
        shown(took),
        shown(spent),
        format!("process grew by {} MiB; {:.0} B a grant in the index", grown >> 20, memory.bytes_per_grant),
    ]);
    Ok(took)
}

fn grant(n: usize, now: Timestamp) -> Grant {
    let id = |kind: u128, n: usize| {
        Uuid::from_u128(kind << 100 | (n as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c) >> 30 | 1 << 63)
    };
    Grant {
        id: GrantId::from_uuid(id(1, n)),
        group: GroupId::from_uuid(id(2, n * 7 % 5_000)),
        dataset: DatasetId::from_uuid(id(3, n / 10)),
        level: Level::Read,
        scope: Scope::default(),
        purpose: "bench".to_owned(),
        start: now,
        expiry: now + Duration::from_secs(86_400),
        approver: Approver::Person(PersonId::from_uuid(id(4, 0))),
        request: "direct".to_owned(),
    }
}
