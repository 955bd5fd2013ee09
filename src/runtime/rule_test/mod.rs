//! Rule tests: events in, alerts expected. The format is in `docs/testing.md`.
//!
//! A test goes the whole way of a replay, through the decoders, so that schemas and units hold and an event that would be
//! rejected is a mistake of the test. Each test starts with empty state. What an expected alert leaves out is not compared.

mod error;
mod expect;
mod file;
mod find;
mod node;
mod pairs;
mod rows;
mod run;
#[cfg(test)]
mod tests;

pub use error::TestFileError;
pub use find::test_files;
pub use run::{FileOutcome, Outcome, run_file};
