//! A store of states in memory, that fails when it is told to.

use geocep::engine::{BackendError, ColdId, StateBackend, StateSnapshot};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

type Records = BTreeMap<ColdId, Vec<u8>>;

#[derive(Debug, Default)]
pub(crate) struct MemoryStore {
    records: Mutex<Arc<Records>>,
    pub(crate) refuses_writes: AtomicBool,
    pub(crate) refuses_reads: Arc<AtomicBool>,
}

fn refused() -> BackendError {
    BackendError::Store { place: "memory".to_owned(), reason: "it was told to fail".to_owned() }
}

impl MemoryStore {
    pub(crate) fn len(&self) -> usize {
        self.records.lock().unwrap().len()
    }
}

impl StateBackend for MemoryStore {
    fn get(&self, id: ColdId) -> Result<Option<Vec<u8>>, BackendError> {
        match self.refuses_reads.load(Ordering::Relaxed) {
            true => Err(refused()),
            false => Ok(self.records.lock().unwrap().get(&id).cloned()),
        }
    }

    fn write(&self, changes: Vec<(ColdId, Option<Vec<u8>>)>) -> Result<(), BackendError> {
        if self.refuses_writes.load(Ordering::Relaxed) {
            return Err(refused());
        }
        let mut records = self.records.lock().unwrap();
        let records = Arc::make_mut(&mut records);
        for (id, record) in changes {
            match record {
                Some(record) => drop(records.insert(id, record)),
                None => drop(records.remove(&id)),
            }
        }
        Ok(())
    }

    fn snapshot(&self) -> Arc<dyn StateSnapshot> {
        let records = Arc::clone(&self.records.lock().unwrap());
        Arc::new(MemorySnapshot { records, refuses: Arc::clone(&self.refuses_reads) })
    }

    fn forget(&self, owner: u32) {
        Arc::make_mut(&mut self.records.lock().unwrap()).retain(|id, _| id.owner != owner);
    }
}

#[derive(Debug)]
struct MemorySnapshot {
    records: Arc<Records>,
    refuses: Arc<AtomicBool>,
}

impl StateSnapshot for MemorySnapshot {
    fn group(&self, owner: u32, group: u32, tell: &mut geocep::engine::TellRecord<'_>) -> Result<(), BackendError> {
        if self.refuses.load(Ordering::Relaxed) {
            return Err(refused());
        }
        let id = |bucket| ColdId { owner, group, bucket };
        self.records.range(id(0)..=id(u32::MAX)).try_for_each(|(id, bytes)| tell(id.bucket, bytes))
    }
}
