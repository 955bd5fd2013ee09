//! Face: the command line, one file per command.
//!
//! Machine-readable output goes to stdout, everything else to stderr. Exit codes: 0 fine, 1 what was asked failed (a check, a test), 2 wrong
//! usage or configuration.

mod args;
mod bench;
mod check;
mod diff;
mod explain;
mod log;
mod options;
mod reconcile;
mod replay;
mod run;
pub mod simulate;
mod state;
mod test;
mod transitions;

pub use args::main;
