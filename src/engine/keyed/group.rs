//! A group's table: its keys' entries in pages, and which slot is whose.

use super::{Entry, PAGE, table_hash};
use crate::model::{Key, Writer};
use hashbrown::HashTable;
use std::sync::Arc;

/// Some entries that lie together: what is copied on a first write.
pub(super) type Page<S> = Box<[Option<Entry<S>>]>;

/// The entries of a group's keys.
///
/// What a checkpoint may hold is a group as a whole, `base`, which nobody changes. A group that goes on from there has pages of its own where
/// something was written since, and looks for the others there. So whose page it is is known without asking a counter that threads share.
#[derive(Debug)]
pub(super) struct Group<S> {
    pub(super) slots: HashTable<u32>,
    /// None: as it is in `base`.
    pages: Vec<Option<Page<S>>>,
    /// Slots that were given out so far, free ones included.
    pub(super) given: u32,
    free: Vec<u32>,
    base: Option<Arc<Self>>,
}

impl<S> Group<S> {
    pub(super) fn new() -> Self {
        Self { slots: HashTable::new(), pages: Vec::new(), given: 0, free: Vec::new(), base: None }
    }

    /// One that is as this one is, and leaves it so.
    pub(super) fn over(base: Arc<Self>) -> Self {
        Self {
            slots: base.slots.clone(),
            pages: base.pages.iter().map(|_| None).collect(),
            given: base.given,
            free: base.free.clone(),
            base: Some(base),
        }
    }

    /// Takes over what is only its own by now: once nobody else has the group on which it lies.
    #[inline]
    pub(super) fn settle(&mut self) {
        if self.base.is_some() {
            self.settle_base();
        }
    }

    #[cold]
    fn settle_base(&mut self) {
        while let Some(base) = self.base.take() {
            match Arc::try_unwrap(base) {
                Err(held) => {
                    self.base = Some(held);
                    return;
                }
                Ok(base) => {
                    for (own, old) in self.pages.iter_mut().zip(base.pages) {
                        // A page that has grown since is its own.
                        if own.is_none() {
                            *own = old;
                        }
                    }
                    self.base = base.base;
                }
            }
        }
    }

    #[inline]
    pub(super) fn page(&self, at: usize) -> Option<&Page<S>> {
        match (self.pages.get(at)?, &self.base) {
            (Some(page), _) => Some(page),
            (None, base) => base.as_ref()?.page(at),
        }
    }

    #[inline]
    pub(super) fn get(&self, slot: u32) -> Option<&Entry<S>> {
        self.page(slot as usize / PAGE)?.get(slot as usize % PAGE)?.as_ref()
    }

    /// Looks at where a slot's page lies. What it gives says nothing.
    #[inline]
    pub(super) fn touch_page(&self, slot: u32) -> u64 {
        self.page(slot as usize / PAGE).map_or(0, |page| page.len() as u64)
    }

    /// All its entries, in order of their slots, and the free places between them.
    pub(super) fn places(&self) -> impl Iterator<Item = Option<&Entry<S>>> {
        (0..self.pages.len()).filter_map(|at| self.page(at)).flatten().map(Option::as_ref)
    }

    /// Its keys' entries, by key.
    pub(super) fn sorted(&self) -> Vec<&Entry<S>> {
        let mut entries: Vec<&Entry<S>> = self.places().flatten().collect();
        entries.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        entries
    }

    pub(super) fn save(&self, writer: &mut Writer, mut state: impl FnMut(&S, &mut Writer)) {
        for entry in self.sorted() {
            writer.key(&entry.key);
            state(&entry.state, writer);
        }
    }

    /// The slot of a key, if it is here.
    #[inline]
    pub(super) fn find(&self, key: &Key) -> Option<u32> {
        self.slots.find(table_hash(key), |&slot| self.get(slot).is_some_and(|entry| entry.key == *key)).copied()
    }

    /// The slot that a new key is given.
    #[inline]
    pub(super) fn next_given(&self) -> u32 {
        self.free.last().copied().unwrap_or(self.given)
    }
}

impl<S: Clone> Group<S> {
    /// The place of an entry, for a change: a page that is not its own is copied.
    #[inline]
    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Option<Entry<S>>> {
        self.page_mut(slot as usize / PAGE)?.get_mut(slot as usize % PAGE)
    }

    #[inline]
    fn page_mut(&mut self, at: usize) -> Option<&mut Page<S>> {
        if matches!(self.pages.get(at), Some(None)) {
            self.copy_page(at);
        }
        self.pages.get_mut(at)?.as_mut()
    }

    #[cold]
    fn copy_page(&mut self, at: usize) {
        let copy = self.page(at).cloned();
        if let Some(page) = self.pages.get_mut(at) {
            *page = copy;
        }
    }

    /// Puts an entry in, whose key isn't there yet; its slot.
    #[inline]
    pub(super) fn insert(&mut self, entry: Entry<S>) -> Option<u32> {
        let hash = table_hash(&entry.key);
        let slot = self.give();
        *self.get_mut(slot)? = Some(entry);
        let Self { slots, pages, base, .. } = self;
        let key_of = |slot: u32| {
            let at = slot as usize / PAGE;
            let page = pages.get(at)?.as_ref().or_else(|| base.as_ref()?.page(at))?;
            page.get(slot as usize % PAGE)?.as_ref()
        };
        slots.insert_unique(hash, slot, |&slot| key_of(slot).map_or(0, |entry| table_hash(&entry.key)));
        Some(slot)
    }

    /// Takes an entry out; `take` says what becomes of it where it lies.
    #[inline]
    pub(super) fn remove<R>(&mut self, slot: u32, take: impl FnOnce(&mut Option<Entry<S>>) -> R) -> Option<R> {
        let place = self.get_mut(slot)?;
        let hash = table_hash(&place.as_ref()?.key);
        let taken = take(place);
        if let Ok(found) = self.slots.find_entry(hash, |&found| found == slot) {
            found.remove();
        }
        self.free.push(slot);
        Some(taken)
    }

    /// A slot that is free.
    #[inline]
    fn give(&mut self) -> u32 {
        if let Some(slot) = self.free.pop() {
            return slot;
        }
        let slot = self.given;
        self.given += 1;
        if slot as usize / PAGE >= self.pages.len() {
            self.pages.push(Some(std::iter::once(None).collect()));
        } else {
            self.grow_page(slot);
        }
        slot
    }

    /// Sees to it that the slot's page reaches so far.
    fn grow_page(&mut self, slot: u32) {
        if let Some(last) = self.page_mut(slot as usize / PAGE)
            && slot as usize % PAGE >= last.len()
        {
            let grown = (last.len() * 2).min(PAGE);
            let entries = std::mem::take(last).into_iter();
            *last = entries.chain(std::iter::repeat_with(|| None)).take(grown).collect();
        }
    }

    /// All its entries, taken out, in order of their slots.
    pub(super) fn into_entries(mut self) -> impl Iterator<Item = Entry<S>> {
        self.settle();
        let pages = (0..self.pages.len()).filter_map(move |at| self.page_mut(at).map(std::mem::take));
        pages.flatten().flatten()
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        engine::keyed::{Frozen, Keyed},
        model::{Key, KeyGroup, Value},
    };
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Model = BTreeMap<i64, i64>;

    fn content(frozen: &Frozen<i64>) -> Model {
        let number = |key: &Key| match key.part(0) {
            Value::Int(number) => number,
            _ => 0,
        };
        let entries = (0..2).flat_map(|group| frozen.entries(group));
        entries.map(|entry| (number(&entry.key), entry.state)).collect()
    }

    proptest! {
        #[test]
        fn what_is_lent_stays_and_what_goes_on_is_a_map_however_many_are_held(
            acts in prop::collection::vec((0u8..10, 0i64..60), 0..300),
        ) {
            let (mut keyed, mut model) = (Keyed::new(2), Model::new());
            let (mut held, mut barrier): (Vec<(Frozen<i64>, Model)>, u64) = (Vec::new(), 0);
            for (at, (act, number)) in (0..).zip(acts) {
                let key = Key::new(&[Value::Int(number)]);
                let group = KeyGroup(u32::from(number % 7 == 0));
                match (act, keyed.find(group, &key)) {
                    (0..=3, None) => {
                        keyed.insert(group, key, at);
                        model.insert(number, at);
                    }
                    (0..=3, Some(place)) => {
                        keyed.entry(place).unwrap().state = at;
                        model.insert(number, at);
                    }
                    (4..=6, place) => {
                        prop_assert_eq!(place.and_then(|place| keyed.remove(place)).map(|entry| entry.state), model.remove(&number));
                    }
                    (7, _) => {
                        barrier += 1;
                        held.push((keyed.freeze(barrier), model.clone()));
                    }
                    (8, _) if !held.is_empty() => drop(held.swap_remove(number as usize % held.len())),
                    _ => held.iter_mut().filter(|_| number % 2 == 0).for_each(|(frozen, model)| {
                        frozen.let_go(1);
                        model.retain(|number, _| number % 7 != 0);
                    }),
                }
                for (frozen, model) in &held {
                    prop_assert_eq!(&content(frozen), model);
                }
                prop_assert_eq!(keyed.len(), model.len());
            }
            let all: Model = keyed.into_entries().map(|(_, key, state)| match key.part(0) {
                Value::Int(number) => (number, state),
                _ => (0, 0),
            }).collect();
            prop_assert_eq!(all, model);
        }
    }
}
