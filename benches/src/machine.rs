//! What the figures were measured on.

use std::fs::read_to_string;

fn line(file: &str, key: &str) -> String {
    let text = read_to_string(file).unwrap_or_default();
    let found = text.lines().find(|line| line.starts_with(key)).and_then(|line| line.split_once(':'));
    found.map_or_else(String::new, |(_, value)| value.trim().to_owned())
}

/// Cores, processor, memory, kernel, and how busy the machine is with other work.
pub(crate) fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = line("/proc/meminfo", "MemTotal");
    let memory: u64 = memory.split(' ').next().and_then(|kb| kb.parse().ok()).unwrap_or(0);
    let kernel = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = load();
    format!(
        "{cores} cores ({}), {:.1} GiB, Linux {}, load average {load}",
        line("/proc/cpuinfo", "model name"),
        memory as f64 / f64::from(1 << 20),
        kernel.trim(),
    )
}

/// The load average of the last minute.
pub(crate) fn load() -> String {
    read_to_string("/proc/loadavg").unwrap_or_default().split(' ').next().unwrap_or("?").to_owned()
}
