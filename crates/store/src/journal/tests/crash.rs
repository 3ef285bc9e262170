//! A process that appends and is killed at random moments: whatever it acknowledged is there afterwards.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use super::{assert_sound, entry, open, origin, runtime};
use crate::journal::{Options, RealDisk};

/// Kills per run of the test.
const ROUNDS: u64 = 6;

/// Asks for another number of kills; for `cargo xtask soak`.
const ROUNDS_WANTED: &str = "GALEN_TEST_JOURNAL_KILLS";

/// Where the child finds its folder.
const FOLDER: &str = "GALEN_TEST_JOURNAL_FOLDER";

fn options() -> Options {
    Options { wal_bytes: 64 << 10, checkpoint_interval: Duration::from_millis(2), ..Options::small(origin()) }
}

#[expect(clippy::disallowed_methods, reason = "the only channel into a test: from the parent test, or from the soak")]
fn asked(name: &str) -> Option<String> {
    env::var(name).ok()
}

/// The child: without the folder it is a test that does nothing. It appends from four tasks and writes each
/// acknowledged index and number to its standard output, until it is killed.
#[test]
fn child() {
    #[expect(
        clippy::disallowed_methods,
        reason = "the only channel from the parent test into a test of its own binary"
    )]
    let Ok(folder) = env::var(FOLDER) else { return };
    let disk = Arc::new(RealDisk::open(folder.as_ref()).unwrap());
    let journal = Arc::new(open(&disk, options()));
    let writers: Vec<_> = (0..4_u64)
        .map(|writer| {
            let journal = Arc::clone(&journal);
            std::thread::spawn(move || {
                for number in (writer * 1_000_000).. {
                    let index = journal.append_blocking(vec![entry(number)]).unwrap()[0].index;
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "ack {index} {number}").unwrap();
                    out.flush().unwrap();
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
}

#[test]
fn a_killed_process_loses_nothing_that_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged: Vec<(u64, u64)> = Vec::new();
    // A fixed sequence of moments, counted in acknowledgements.
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    for round in 0..asked(ROUNDS_WANTED).map_or(ROUNDS, |rounds| rounds.parse().unwrap()) {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let acks_before_the_kill = 1 + (seed >> 33) % 900;
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "journal::tests::crash::child", "--nocapture", "--test-threads=1"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut acks = 0;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            // A line that the kill cut short says nothing.
            let fields: Vec<&str> = line.split(' ').collect();
            if let ["ack", index, number] = fields.as_slice()
                && let (Ok(index), Ok(number)) = (index.parse(), number.parse())
                && acks < acks_before_the_kill
            {
                acknowledged.push((index, number));
                acks += 1;
                if acks == acks_before_the_kill {
                    child.kill().unwrap();
                }
            }
        }
        child.wait().unwrap();
        assert_eq!(acks, acks_before_the_kill, "the child ended by itself in round {round}");

        let disk = Arc::new(RealDisk::open(folder.path()).unwrap());
        let before = assert_sound(&*disk);
        let journal = open(&disk, options());
        assert!(journal.size() >= before);
        for (index, number) in &acknowledged {
            let found = journal.read(*index).unwrap();
            assert_eq!(found.as_deref(), Some(entry(*number).as_slice()), "round {round}: entry {index}");
        }
        runtime().block_on(journal.publish()).unwrap();
        journal.close().unwrap();
        assert_sound(&*disk);
    }
}
