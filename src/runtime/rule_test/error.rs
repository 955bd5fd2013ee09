//! What can be wrong with a file of tests.

use crate::runtime::project::ProjectError;
use std::path::PathBuf;

/// A file of tests that can't be run. A test that fails is none.
#[derive(Debug, thiserror::Error)]
pub enum TestFileError {
    /// The file, or one that it names, can't be read.
    #[error("can't read `{}`: {error}", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Something in the file is wrong.
    #[error("{}:{line}:{column}: {message}", .path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong, and with which key.
        message: String,
    },
    /// The configuration or the rules that it names are wrong.
    #[error("{}: {error}", .path.display())]
    Project {
        /// The file of tests.
        path: PathBuf,
        /// What is wrong.
        error: ProjectError,
    },
    /// Nothing to run.
    #[error("no tests in `{}`: expected files, or directories with `.yaml` files in directories called `tests`", .path.display())]
    NoTests {
        /// Where.
        path: PathBuf,
    },
}
