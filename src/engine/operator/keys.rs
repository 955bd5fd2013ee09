//! Keys that come from a saved state, and keys that go.

use super::{BLANKS_MAX, KeyedOperator};
use crate::{
    engine::{kernel::Kernel, keyed::Place, partition::Partition},
    model::{DecodeError, Key, KeyGroup, Reader},
    op::through,
};
use std::sync::Arc;

type Home<'a> = &'a dyn Fn(&Key) -> Option<KeyGroup>;

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

    pub(super) fn load_keys(
        &mut self,
        reader: &mut Reader<'_>,
        home: Home<'_>,
        own: Home<'_>,
    ) -> Result<(), DecodeError> {
        let (kernel, rule) = (Arc::clone(&self.kernel), Arc::clone(&self.rule));
        let mut open = 0;
        let count = |partition: &Partition<K::State>| open += kernel.open(&partition.kernel);
        self.partitions.load(reader, home, |reader| Partition::load(&*kernel, &rule, reader), count)?;
        self.open += open;
        if let Some(passing) = &mut self.passing {
            let program = &passing.program;
            let load = |reader: &mut Reader<'_>| {
                let state = through::KeyState::load(reader)?;
                Ok((reader.fences().into_iter().fold(state, |state, fences| program.renumber(state, fences)), None))
            };
            passing.entities.load(reader, own, load, |_| ())?;
        }
        Ok(())
    }
}
