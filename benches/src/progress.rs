//! What a bench prints: its lines, and at the foot of a terminal what it is doing and since when.
//!
//! Where the output is no terminal the foot is left out.

use std::{
    io::{IsTerminal, Write},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How often the foot is drawn.
const TICK: Duration = Duration::from_millis(500);

struct Foot {
    bench: String,
    step: String,
    begun: Instant,
}

static FOOT: Mutex<Option<Foot>> = Mutex::new(None);

fn foot() -> MutexGuard<'static, Option<Foot>> {
    FOOT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Draws the foot from now on, if there is a terminal.
pub(crate) fn start() {
    if !std::io::stdout().is_terminal() {
        return;
    }
    *foot() = Some(Foot { bench: String::new(), step: String::new(), begun: Instant::now() });
    std::thread::spawn(|| {
        loop {
            if let Some(Foot { bench, step, begun }) = &*foot() {
                let seconds = begun.elapsed().as_secs();
                print!("\r\x1b[2K[{bench}, {}:{:02}] {step}", seconds / 60, seconds % 60);
                let _unseen = std::io::stdout().flush();
            }
            std::thread::sleep(TICK);
        }
    });
}

/// A bench begins.
pub(crate) fn bench(name: &str) {
    if let Some(foot) = &mut *foot() {
        *foot = Foot { bench: name.to_owned(), step: String::new(), begun: Instant::now() };
    }
}

/// What it does now.
pub(crate) fn step(what: impl Into<String>) {
    if let Some(foot) = &mut *foot() {
        foot.step = what.into();
    }
}

/// A line that stays.
pub(crate) fn line(text: &str) {
    let foot = foot();
    let clear = if foot.is_some() { "\r\x1b[2K" } else { "" };
    println!("{clear}{text}");
}
