//! What the process has used so far, from `/proc`: a figure is 0 where the system has none.

use std::fs;

/// Ticks of `/proc/self/stat` in a second; 100 on every Linux that there is a build for.
const TICKS_PER_S: f64 = 100.0;

/// Processor seconds of all threads, to a hundredth.
pub(super) fn cpu_s() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program, in parentheses, may hold anything.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = |at: usize| fields.split_whitespace().nth(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / TICKS_PER_S
}

/// The most memory that the process had at any time, MiB.
pub(super) fn peak_mib() -> u64 {
    status_kib("VmHWM:").div_ceil(1_024)
}

/// The memory that the process has now, KiB.
pub(super) fn resident_kib() -> u64 {
    status_kib("VmRSS:")
}

fn status_kib(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|text| text.split_whitespace().next()).and_then(|text| text.parse::<u64>().ok());
    kib.unwrap_or(0)
}
