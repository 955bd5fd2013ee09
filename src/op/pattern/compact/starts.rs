//! Which events began a match that may still be open.

use smallvec::SmallVec;

/// Numbers of events, ascending. The first ones go, others come behind; most partitions have a few, in place.
#[derive(Clone, Debug, Default)]
pub(super) struct Starts {
    all: SmallVec<[u32; 4]>,
    /// So many of `all` have gone already.
    gone: u32,
}

impl Starts {
    pub(super) fn as_slice(&self) -> &[u32] {
        self.all.get(self.gone as usize..).unwrap_or_default()
    }

    /// Adds one that came after all others.
    #[inline]
    pub(super) fn push(&mut self, event: u32) {
        self.all.push(event);
    }

    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.gone = 0;
    }

    pub(super) fn retain(&mut self, mut keeps: impl FnMut(u32) -> bool) {
        self.tidy();
        self.all.retain(|start| keeps(*start));
    }

    /// Lets go of those before an event.
    #[inline]
    pub(super) fn drop_before(&mut self, event: u32) {
        let gone = self.as_slice().iter().take_while(|start| **start < event).count();
        if gone > 0 {
            self.gone += gone as u32;
            // Each is moved about once.
            if self.gone as usize * 2 >= self.all.len() {
                self.tidy();
            }
        }
    }

    fn tidy(&mut self) {
        self.all.drain(..self.gone as usize);
        self.gone = 0;
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        if self.all.spilled() { self.all.capacity() * size_of::<u32>() } else { 0 }
    }
}

impl FromIterator<u32> for Starts {
    fn from_iter<I: IntoIterator<Item = u32>>(starts: I) -> Self {
        Self { all: starts.into_iter().collect(), gone: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn they_are_a_list_of_which_the_first_go(acts in prop::collection::vec((any::<bool>(), 1..5u32), 0..60)) {
            let (mut starts, mut model, mut next) = (Starts::default(), Vec::new(), 0);
            for (adds, by) in acts {
                if adds {
                    next += by;
                    starts.push(next);
                    model.push(next);
                } else {
                    let floor = model.first().map_or(0, |first| first + by);
                    starts.drop_before(floor);
                    model.retain(|start| *start >= floor);
                }
                prop_assert_eq!(starts.as_slice(), model.as_slice());
                prop_assert!(starts.all.len() <= 2 * model.len() + 1);
            }
        }
    }
}
