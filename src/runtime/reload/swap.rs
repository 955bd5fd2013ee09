//! What the engine's thread is handed: a checked project, and where to say how it went.

use crate::{engine::Replaced, runtime::project::Project};
use std::sync::mpsc;

/// A project that is to take the place of the running one.
#[derive(Debug)]
pub struct Swap {
    /// The project, checked as the successor of the one that runs.
    pub project: Project,
    /// Where to say what it did, or why it can't run.
    pub answer: mpsc::Sender<Result<Replaced, String>>,
}
