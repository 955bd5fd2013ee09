//! The store of states that memory is too small for: a log-structured merge tree in files.
//!
//! It is scratch space. What is durable is the checkpoint, so nothing is synced, the store begins empty, and its files go with it.

use crate::{
    engine::{BackendError, ColdId, StateBackend, StateSnapshot, TellRecord},
    io::lock::{DirLock, LOCK},
};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable, Snapshot, config::PinningPolicy};
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

/// What the tree may keep of its files in memory, bytes.
const CACHE: u64 = 32 << 20;
/// Records that aren't in a file yet, bytes.
const UNWRITTEN: u64 = 16 << 20;
/// The journal, which nobody reads; the least that the tree allows.
const JOURNAL: u64 = 64 << 20;

/// Parts of `UNWRITTEN` that wait to be written, and files that wait to be merged: with one more of the former, and some more of the latter,
/// the tree lets nobody write.
const SEALED_MAX: usize = 3;
const YOUNG_MAX: usize = 16;

const FILES: &str = "store";

/// A store in a directory of its own.
pub struct SpillStore {
    database: Database,
    records: Keyspace,
    path: PathBuf,
    /// The last to go.
    _scratch: Scratch,
}

/// A directory that is this process's.
struct Scratch {
    path: PathBuf,
    _lock: DirLock,
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What can't be removed is removed by the next one.
        let _ = fs::remove_dir_all(self.path.join(FILES));
        let _ = fs::remove_file(self.path.join(LOCK));
        let _ = fs::remove_dir(&self.path);
    }
}

impl fmt::Debug for SpillStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpillStore").field("path", &self.path).finish_non_exhaustive()
    }
}

type Name = [u8; 12];

/// Big-endian, so that a group's records lie together.
fn name_of(id: ColdId) -> Name {
    let mut name = Name::default();
    let numbers = [id.owner, id.group, id.bucket];
    name.iter_mut().zip(numbers.into_iter().flat_map(u32::to_be_bytes)).for_each(|(place, byte)| *place = byte);
    name
}

fn prefix_of(owner: u32, group: u32) -> [u8; 8] {
    ((u64::from(owner) << 32) | u64::from(group)).to_be_bytes()
}

fn failed(path: &Path, reason: impl fmt::Display) -> BackendError {
    BackendError::Store { place: path.display().to_string(), reason: reason.to_string() }
}

/// The tree names the error's kind; what the system says is worth more.
fn in_words(error: &fjall::Error) -> String {
    match error {
        fjall::Error::Io(error) => error.to_string(),
        fjall::Error::Poisoned => "an earlier write failed, and nothing more is written until a restart".to_owned(),
        other => other.to_string(),
    }
}

impl SpillStore {
    /// An empty store. The directory is made where it isn't there; what a store before left in it is removed, and nothing else.
    ///
    /// # Errors
    /// The system says no, or another process has a store there.
    pub fn open(path: &Path) -> Result<Self, BackendError> {
        let wrong = |error: io::Error| failed(path, error);
        let lock = DirLock::take(path).map_err(wrong)?;
        let lock = lock.ok_or_else(|| failed(path, "another geocep uses it: give each its own directory"))?;
        let scratch = Scratch { path: path.to_owned(), _lock: lock };
        let files = path.join(FILES);
        match fs::remove_dir_all(&files) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(wrong(error)),
            _ => {}
        }
        let wrong = |error: fjall::Error| failed(path, in_words(&error));
        let database = Database::builder(&files).cache_size(CACHE).max_journaling_size(JOURNAL).worker_threads(1);
        let database = database.temporary(true).open().map_err(wrong)?;
        let options = || {
            // A record that is asked for is there.
            KeyspaceCreateOptions::default()
                .max_memtable_size(UNWRITTEN)
                .expect_point_read_hits(true)
                .filter_block_pinning_policy(PinningPolicy::all(false))
        };
        let records = database.keyspace("records", options).map_err(wrong)?;
        Ok(Self { database, records, path: path.to_owned(), _scratch: scratch })
    }

    fn wrong(&self, error: &fjall::Error) -> BackendError {
        failed(&self.path, in_words(error))
    }

    /// Waits while the thread that writes files is behind. The tree would wait, too, but for ever where that thread has given up.
    fn wait_for_room(&self) -> Result<(), fjall::Error> {
        while self.records.sealed_memtable_count() >= SEALED_MAX || self.records.l0_table_count() >= YOUNG_MAX {
            // Nothing is synced by this; it says whether an earlier write failed.
            self.database.persist(PersistMode::Buffer)?;
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}

impl StateBackend for SpillStore {
    fn get(&self, id: ColdId) -> Result<Option<Vec<u8>>, BackendError> {
        let found = self.records.get(name_of(id)).map_err(|error| self.wrong(&error))?;
        Ok(found.map(|bytes| bytes.to_vec()))
    }

    fn write(&self, changes: Vec<(ColdId, Option<Vec<u8>>)>) -> Result<(), BackendError> {
        self.wait_for_room().map_err(|error| self.wrong(&error))?;
        let mut batch = self.database.batch();
        for (id, record) in changes {
            match record {
                Some(record) => batch.insert(&self.records, name_of(id), record),
                None => batch.remove(&self.records, name_of(id)),
            }
        }
        batch.commit().map_err(|error| self.wrong(&error))
    }

    fn snapshot(&self) -> Arc<dyn StateSnapshot> {
        let (snapshot, records) = (self.database.snapshot(), self.records.clone());
        Arc::new(StoreSnapshot { snapshot, records, path: self.path.clone() })
    }

    fn forget(&self, owner: u32) {
        let records = self.records.clone();
        // Whether it succeeds is of no consequence: nobody asks for them again.
        let forget = move || {
            for record in records.prefix(owner.to_be_bytes()) {
                if !record.key().is_ok_and(|name| records.remove(name).is_ok()) {
                    return;
                }
            }
        };
        let _ = thread::Builder::new().name("forget states".to_owned()).spawn(forget);
    }
}

struct StoreSnapshot {
    snapshot: Snapshot,
    records: Keyspace,
    path: PathBuf,
}

impl fmt::Debug for StoreSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreSnapshot").field("path", &self.path).finish_non_exhaustive()
    }
}

impl StateSnapshot for StoreSnapshot {
    fn group(&self, owner: u32, group: u32, tell: &mut TellRecord<'_>) -> Result<(), BackendError> {
        for record in self.snapshot.prefix(&self.records, prefix_of(owner, group)) {
            let (name, bytes) = record.into_inner().map_err(|error| failed(&self.path, in_words(&error)))?;
            let bucket = name.get(8..).and_then(|bytes| bytes.first_chunk::<4>());
            let bucket = bucket.ok_or_else(|| failed(&self.path, "a record has another name than it was given"))?;
            tell(u32::from_be_bytes(*bucket), &bytes)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(group: u32, bucket: u32) -> ColdId {
        ColdId { owner: 7, group, bucket }
    }

    fn group(snapshot: &dyn StateSnapshot, group: u32) -> Vec<(u32, Vec<u8>)> {
        let mut found = Vec::new();
        let mut tell = |bucket, bytes: &[u8]| {
            found.push((bucket, bytes.to_vec()));
            Ok(())
        };
        snapshot.group(7, group, &mut tell).unwrap();
        found
    }

    #[test]
    fn what_was_put_is_there_and_a_snapshot_keeps_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = SpillStore::open(dir.path()).unwrap();
        let put = |group, bucket, text: &str| (id(group, bucket), Some(text.as_bytes().to_vec()));
        store.write(vec![put(1, 9, "b"), put(1, 2, "a"), put(2, 1, "c"), put(0x0100_0000, 1, "d")]).unwrap();
        let before = store.snapshot();
        store.write(vec![(id(1, 2), None), put(1, 9, "e")]).unwrap();
        assert_eq!(store.get(id(1, 2)), Ok(None));
        assert_eq!(store.get(id(1, 9)), Ok(Some(b"e".to_vec())));
        assert_eq!(group(&*before, 1), [(2, b"a".to_vec()), (9, b"b".to_vec())]);
        assert_eq!(group(&*store.snapshot(), 1), [(9, b"e".to_vec())]);
        assert_eq!(group(&*store.snapshot(), 0x0100_0000), [(1, b"d".to_vec())]);
    }

    #[test]
    fn a_directory_is_one_store_s_and_begins_empty_and_what_is_not_the_store_s_stays() {
        let dir = tempfile::tempdir().unwrap();
        let mine = dir.path().join("mine");
        fs::write(&mine, "mine").unwrap();
        let store = SpillStore::open(dir.path()).unwrap();
        store.write(vec![(id(1, 1), Some(vec![1]))]).unwrap();
        let error = SpillStore::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("another geocep uses it"), "{error}");
        drop(store);
        let store = SpillStore::open(dir.path()).unwrap();
        assert_eq!(store.get(id(1, 1)), Ok(None));
        assert_eq!(fs::read(mine).unwrap(), b"mine");
    }
}
