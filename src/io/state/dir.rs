//! The directory.

use super::{Refused, Saved, StateError, read::read};
use crate::io::{
    lock::{DirLock, LOCK},
    numbered,
};
use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

const EXTENSION: &str = "ckpt";

/// The directory of checkpoints, taken for this process as long as this lives.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    _lock: DirLock,
}

/// The file of a checkpoint.
pub(super) fn file_of(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:012}.{EXTENSION}"))
}

/// The file that a checkpoint is written to before it has its name.
pub(super) fn temporary(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:012}.tmp"))
}

/// Makes the names in a directory durable.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    match File::open(dir).and_then(|dir| dir.sync_all()) {
        // Where directories can't be opened or synced, names are durable when the system says so.
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::InvalidInput) => Ok(()),
        done => done,
    }
}

/// The numbers of the checkpoints in a directory, the newest first; none where there is no directory.
///
/// # Errors
/// The directory can't be read.
pub fn checkpoints(dir: &Path) -> Result<Vec<u64>, StateError> {
    let failed = |error| StateError::File { path: dir.to_owned(), error };
    let mut numbers = numbered::numbers(dir, EXTENSION).map_err(failed)?;
    numbers.reverse();
    Ok(numbers)
}

impl StateDir {
    /// Makes the directory where it isn't there, and takes it. What an unfinished checkpoint left behind is removed.
    ///
    /// # Errors
    /// The system says no, or another process has it.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let failed = |error| StateError::File { path: path.to_owned(), error };
        let lock = DirLock::take(path).map_err(failed)?;
        let lock = lock.ok_or_else(|| StateError::Taken { path: path.to_owned() })?;
        for entry in fs::read_dir(path).map_err(failed)?.filter_map(Result::ok) {
            if entry.path().extension().is_some_and(|extension| extension == "tmp") {
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The newest checkpoint that is whole, and why newer ones are not.
    ///
    /// # Errors
    /// The directory can't be read.
    pub fn newest(&self) -> Result<(Option<Saved>, Vec<Refused>), StateError> {
        let mut refused = Vec::new();
        for number in checkpoints(&self.path)? {
            match read(&self.path, number) {
                Ok(saved) => return Ok((Some(saved), refused)),
                Err(error) => refused.push(Refused { number, error }),
            }
        }
        Ok((None, refused))
    }

    /// Removes all checkpoints: a run that came to its end leaves none. The directory goes, too, if nothing else is in it.
    ///
    /// # Errors
    /// A file can't be removed.
    pub fn clear(self) -> Result<(), StateError> {
        // The newest last: whenever this ends, what is left can be read.
        let mut numbers = checkpoints(&self.path)?;
        numbers.reverse();
        for path in numbers.into_iter().map(|number| file_of(&self.path, number)) {
            fs::remove_file(&path).map_err(|error| StateError::File { path, error })?;
        }
        let _ = fs::remove_file(self.path.join(LOCK));
        let _ = fs::remove_dir(&self.path);
        Ok(())
    }
}
