//! A directory that one process has.

use std::{
    fs::{self, File, TryLockError},
    io::{self, ErrorKind},
    path::Path,
};

/// The file that is locked.
pub(in crate::io) const LOCK: &str = "lock";

/// A directory that this process has, until this is dropped.
#[derive(Debug)]
pub(in crate::io) struct DirLock(File);

impl DirLock {
    /// Makes the directory where it isn't there, and takes it; none where another has it. Where the file system knows no locks,
    /// nobody is kept out.
    ///
    /// # Errors
    /// The system says no.
    pub(in crate::io) fn take(dir: &Path) -> io::Result<Option<Self>> {
        fs::create_dir_all(dir)?;
        let file = File::options().write(true).create(true).truncate(false).open(dir.join(LOCK))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => Ok(Some(Self(file))),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Drop for DirLock {
    /// To close the file isn't enough: a process that is being started has it open, too, until it becomes another program, and
    /// would hold the lock so long.
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_can_be_taken_even_while_a_process_is_being_started() {
        let dir = tempfile::tempdir().unwrap();
        let lock = DirLock::take(&dir.path().join("new")).unwrap().unwrap();
        assert!(DirLock::take(&dir.path().join("new")).unwrap().is_none());
        let of_a_child = lock.0.try_clone().unwrap();
        drop(lock);
        assert!(DirLock::take(&dir.path().join("new")).unwrap().is_some());
        drop(of_a_child);
    }
}
