//! State that is larger than memory: where keys go that are not touched for a while.
//!
//! A core keeps all keys in memory unless it is given a [`StateBackend`], an embedded store above the border. Then so many keys stay as
//! [`Spilling`] says; others are encoded as a checkpoint encodes them and put into the store, and come back when an event or a timer
//! needs them. Nothing that a core puts out depends on it. The store is scratch space: it begins empty, what is durable is the checkpoint.

use std::sync::{
    Arc, Mutex, OnceLock,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

/// The name of a record: one or more keys of one owner and group. Records of a group lie together, in order of `bucket`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ColdId {
    /// Whose it is: a table of keys, numbered within a core.
    pub owner: u32,
    /// The key group.
    pub group: u32,
    /// The low bits of the keys' hash.
    pub bucket: u32,
}

/// A store that doesn't do what it should. Its text ends up in logs and in health.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// It can't be read or written.
    #[error("the store of states in `{place}`: {reason}")]
    Store {
        /// Where it is.
        place: String,
        /// What it says.
        reason: String,
    },
    /// A record isn't what was written.
    #[error("the store of states has lost {what}")]
    Lost {
        /// What was expected.
        what: String,
    },
}

/// An embedded store of records, above the border: get, put, forget. It is used by all shards at once.
pub trait StateBackend: Send + Sync + std::fmt::Debug {
    /// A record's bytes.
    ///
    /// # Errors
    /// The store can't be read. The core that asked is of no use any more.
    fn get(&self, id: ColdId) -> Result<Option<Vec<u8>>, BackendError>;

    /// Puts records, or removes those without bytes; whoever reads next sees all of them.
    ///
    /// # Errors
    /// The store can't be written. What was to be put stays in memory; what is in the store of these records is unknown.
    fn write(&self, changes: Vec<(ColdId, Option<Vec<u8>>)>) -> Result<(), BackendError>;

    /// All records as they are now, whatever is written later. It costs little.
    fn snapshot(&self) -> Arc<dyn StateSnapshot>;

    /// An owner is gone: its records are of no use, and may go when there is time.
    fn forget(&self, owner: u32);
}

/// Is told a record: its bucket and bytes.
pub type TellRecord<'a> = dyn FnMut(u32, &[u8]) -> Result<(), BackendError> + 'a;

/// A store as it was at one moment; may be read on any thread.
pub trait StateSnapshot: Send + Sync + std::fmt::Debug {
    /// Tells each record of a group, in order: its bucket and bytes.
    ///
    /// # Errors
    /// The store can't be read, or what it is told to.
    fn group(&self, owner: u32, group: u32, tell: &mut TellRecord<'_>) -> Result<(), BackendError>;
}

/// What a store was used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpillFigures {
    /// Keys that were put into the store.
    pub put: u64,
    /// Keys that were brought back.
    pub recalled: u64,
    /// Writes that failed: their keys stayed in memory.
    pub failed: u64,
}

#[derive(Debug, Default)]
struct Shared {
    put: AtomicU64,
    recalled: AtomicU64,
    failed: AtomicU64,
    /// Why keys stay in memory at the moment.
    trouble: Mutex<Option<BackendError>>,
    /// Why the core is of no use any more.
    fault: OnceLock<BackendError>,
    owners: AtomicU32,
}

/// How a core uses a store. Clones are the same use.
#[derive(Clone, Debug)]
pub struct Spilling {
    pub(super) backend: Arc<dyn StateBackend>,
    /// Keys of all rules and shards that stay in memory, about.
    resident_keys: usize,
    shared: Arc<Shared>,
}

impl Spilling {
    /// A store that begins empty, and how many keys of all rules together stay in memory; at least one for each shard does.
    pub fn new(backend: Arc<dyn StateBackend>, resident_keys: usize) -> Self {
        Self { backend, resident_keys, shared: Arc::default() }
    }

    /// A shard's part of the keys that stay.
    pub(super) fn resident_max(&self, shards: u32) -> usize {
        (self.resident_keys / shards.max(1) as usize).max(1)
    }

    /// A number for a table.
    pub(super) fn owner(&self) -> u32 {
        self.shared.owners.fetch_add(1, Ordering::Relaxed)
    }

    /// What it was used for.
    pub fn figures(&self) -> SpillFigures {
        let Shared { put, recalled, failed, .. } = &*self.shared;
        SpillFigures {
            put: put.load(Ordering::Relaxed),
            recalled: recalled.load(Ordering::Relaxed),
            failed: failed.load(Ordering::Relaxed),
        }
    }

    /// Why keys stay in memory that shouldn't, if the last write failed.
    pub fn trouble(&self) -> Option<BackendError> {
        self.shared.trouble.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Why the core is of no use any more: keys that are in the store can't be brought back.
    pub fn fault(&self) -> Option<&BackendError> {
        self.shared.fault.get()
    }

    pub(super) fn fail(&self, error: BackendError) {
        // The first says why.
        let _ = self.shared.fault.set(error);
    }

    pub(super) fn recalled(&self, keys: usize) {
        self.shared.recalled.fetch_add(keys as u64, Ordering::Relaxed);
    }

    /// Writes, and notes how that went; false: it failed.
    pub(super) fn write(&self, changes: Vec<(ColdId, Option<Vec<u8>>)>, keys: usize) -> bool {
        let written = self.backend.write(changes);
        let is_written = written.is_ok();
        let count = if is_written { &self.shared.put } else { &self.shared.failed };
        count.fetch_add(if is_written { keys as u64 } else { 1 }, Ordering::Relaxed);
        let mut trouble = self.shared.trouble.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *trouble = written.err();
        is_written
    }
}
