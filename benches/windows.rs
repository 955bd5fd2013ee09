//! What windows cost: the closings of a million keys, aligned and with jitter; an event by how often windows overlap; a key
//! by its aggregate.
//!
//! Run with `cargo bench --bench windows`, which prints the tables of `docs/performance.md`; with `-- --svg docs/closings.svg` it
//! draws the closings as well, and `-- --only closings`, `sliding` or `bytes` measures one part.
//!
//! **Closings.** A million keys, each with an event now and then (20,000 events a second of event time), windows of five minutes.
//! Events are handed over as they would come, in steps of 10 ms of event time, and the time is taken that each step needs:
//! decoded events in, results out and dropped, one thread. How long an event waits follows from that: a step begins when its last event is there
//! and the step before is done. So nothing sleeps, and a machine with other work shows as a longer step.
//!
//! **Sliding.** One key, ten events per slide, each a number below 1,000. The fastest of ten rounds of 20,000 events counts: a
//! machine with other work interrupts some.
//!
//! **Bytes.** A process of its own for each aggregate makes the states of 20,000 keys and looks at how much memory it got
//! (`/proc/self/statm`). The keys themselves and the table that finds them are not among it.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints its results and may stop at a mistake")]
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a bench needs a clock, files and processes")]

#[path = "windows/bytes.rs"]
mod bytes;
#[path = "windows/closings.rs"]
mod closings;
#[path = "windows/kit.rs"]
mod kit;
#[path = "windows/plot.rs"]
mod plot;
#[path = "windows/sliding.rs"]
mod sliding;

fn argument(name: &str) -> Option<String> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1)
}

fn main() {
    if let Some(case) = argument("--bytes-of") {
        bytes::measure_one(&case);
        return;
    }
    let only = argument("--only");
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    if wanted("sliding") {
        sliding::measure();
    }
    if wanted("bytes") {
        bytes::measure();
    }
    if wanted("closings") {
        let seconds = argument("--seconds").map_or(630, |text| text.parse().unwrap());
        let keys = argument("--keys").map_or(1_000_000, |text| text.parse().unwrap());
        let runs = closings::measure(keys, seconds);
        if let Some(path) = argument("--svg") {
            std::fs::write(path, plot::draw(&runs)).unwrap();
        }
    }
}
