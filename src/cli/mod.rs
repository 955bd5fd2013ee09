//! Face: the command line, one file per command.

pub mod simulate;
