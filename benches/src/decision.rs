//! Decisions in process: the whole formula of the gate over worlds of growing size.

use access::bench::{BenchWorld, bench_world};
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};

use crate::{
    progress,
    report::Report,
    stats::{Samples, shown, thread_cpu},
};

/// Groups of each person.
const GROUPS: usize = 200;
/// Questions of one kind that are timed; the world's own come again and again.
const TIMED: usize = 100_000;

pub(crate) struct Timed {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) cpu: Duration,
}

/// Asks `count` questions, one clock reading around each.
pub(crate) fn time(count: usize, mut ask: impl FnMut(usize) -> bool) -> Timed {
    let mut samples = Samples::default();
    let before = thread_cpu();
    for n in 0..count {
        let begun = Instant::now();
        std::hint::black_box(ask(n));
        samples.push(begun.elapsed());
    }
    let cpu = thread_cpu().saturating_sub(before) / u32::try_from(samples.len()).unwrap_or(1).max(1);
    Timed { p50: samples.p50(), p99: samples.p99(), cpu }
}

pub(crate) fn run() -> Result<Report> {
    let mut report = Report::new(
        "decision",
        "A decision in process",
        "One thread asks the gate (every Deny, role, guardrails, live grant; with its reasons and the request context that is \
         recorded) whether a person in 200 groups may `s3:GetObject`; 10 grants a dataset, a group for every 20 grants. Nothing is recorded here. \
         Before timing, about 1,000 allows and 1,000 denies are compared with the plain definition, and with each peer that is asked. \
         Peers answer less: group membership and grant alone, without times, scopes, role documents or reasons.",
        &["evaluator", "grants", "answer", "p50", "p99", "CPU per decision", "memory"],
    );
    let mut p50s = Vec::new();
    for grants in [10_000, 100_000, 1_000_000] {
        progress::step(format!("a world of {grants} grants"));
        let world = bench_world(grants, GROUPS).context("the world cannot be made")?;
        check(&world)?;
        let memory = world.memory();
        let mut slowest = Duration::ZERO;
        for allowed in [true, false] {
            let timed = time(TIMED, |n| if allowed { world.allow(n) } else { world.deny(n) });
            slowest = slowest.max(timed.p50);
            report.row([
                "Galen".to_owned(),
                grants.to_string(),
                answer(allowed).to_owned(),
                shown(timed.p50),
                shown(timed.p99),
                shown(timed.cpu),
                format!(
                    "{:.0} B a grant; {} B a membership, and {} KiB of people and groups",
                    memory.bytes_per_grant,
                    memory.bytes_per_edge,
                    (memory.member_bytes - memory.edges * memory.bytes_per_edge) >> 10
                ),
            ]);
        }
        p50s.push((slowest, memory.bytes_per_grant, memory.bytes_per_edge));
        #[cfg(feature = "peers")]
        crate::peers::run(&mut report, &world, grants)?;
    }
    if let [(small, ..), _, (large, grant, edge)] = p50s[..] {
        let ratio = large.as_secs_f64() / small.as_secs_f64();
        report.target(
            "decision at 1 M grants, p50, slower answer",
            "under 5 us",
            shown(large),
            large.as_nanos() < 5_000,
        );
        report.target("decision at 1 M against 10 k grants", "at most 1.5 x", format!("{ratio:.2} x"), ratio <= 1.5);
        report.target("memory a grant at 1 M", "at most 200 B", format!("{grant:.0} B"), grant <= 200.0);
        report.target("memory a membership edge", "at most 8 B", format!("{edge} B"), edge <= 8);
    }
    if cfg!(not(feature = "peers")) {
        report.lack("No other policy engine was asked: the bench was built without the feature `peers`.");
    }
    Ok(report)
}

pub(crate) const fn answer(allowed: bool) -> &'static str {
    if allowed { "allow" } else { "deny" }
}

/// The gate agrees with the plain definition on every question.
fn check(world: &BenchWorld) -> Result<()> {
    let plain = world.plain();
    ensure!(!plain.allowed.is_empty() && !plain.refused.is_empty(), "the world has too few questions");
    let allowed = plain.allowed.iter().enumerate().filter(|(n, (p, d))| !plain.answer(*p, *d) || !world.allow(*n));
    let refused = plain.refused.iter().enumerate().filter(|(n, (p, d))| plain.answer(*p, *d) || world.deny(*n));
    let wrong = allowed.count() + refused.count();
    ensure!(wrong == 0, "{wrong} answers differ from the plain definition");
    Ok(())
}
