//! Keys that go, and what is kept of them.

use super::{BLANKS_MAX, KeyedOperator};
use crate::engine::{kernel::Kernel, keyed::Place, partition::Partition};

impl<K: Kernel> KeyedOperator<K> {
    /// Forgets a key that is as good as blank, and keeps its memory for the next one.
    pub(super) fn forget(&mut self, place: Place) {
        if let Some(mut entry) = self.partitions.remove(place)
            && self.blanks.len() < BLANKS_MAX
            && self.kernel.clear(&mut entry.state.kernel)
        {
            self.blanks.push(Partition::new(entry.state.kernel));
        }
    }
}
