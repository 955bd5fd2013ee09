//! The figures of the store of states that memory is too small for.

use super::register::{Counters, Labels, Register};

/// What is told of the store. Clones are the same figures.
#[derive(Clone, Debug)]
pub struct StoreFigures {
    keys: Counters,
    errors: Counters,
}

impl StoreFigures {
    pub(super) fn new(register: &mut Register) -> Self {
        let keys = register.counters("store_keys", "Keys that were put into the store of states, or brought back");
        let help = "Attempts to put keys into the store of states that failed";
        let errors = register.counters("store_errors", help);
        let figures = Self { keys, errors };
        figures.add(0, 0, 0);
        figures
    }

    /// So many keys were put and brought back, and so many attempts to put some failed, since this was last told.
    pub fn add(&self, put: u64, recalled: u64, failed: u64) {
        for (way, count) in [("put", put), ("recalled", recalled)] {
            let labels: Labels = vec![("way", way.to_owned())];
            self.keys.get_or_create_owned(&labels).inc_by(count);
        }
        self.errors.get_or_create_owned(&Labels::new()).inc_by(failed);
    }
}
