//! A list of mostly one.

use std::ops::{Deref, DerefMut};

/// One lies in place, more elsewhere: no larger than one, where that has bits to spare.
#[derive(Clone, Debug, Default)]
#[allow(clippy::box_collection, reason = "a vector in place would be larger than what most lists hold")]
pub(super) enum Few<T> {
    #[default]
    None,
    One(T),
    More(Box<Vec<T>>),
}

impl<T> Few<T> {
    /// Bytes on the heap that it holds on to, without what its items hold on to.
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::None | Self::One(_) => 0,
            Self::More(all) => size_of::<Vec<T>>() + all.capacity() * size_of::<T>(),
        }
    }

    #[inline]
    pub(super) fn clear(&mut self) {
        *self = Self::None;
    }

    /// Makes it a list of one.
    #[inline]
    pub(super) fn set(&mut self, item: T) -> &mut [T] {
        *self = Self::One(item);
        self
    }

    #[inline]
    pub(super) fn push(&mut self, item: T) {
        self.insert(self.len(), item);
    }

    /// Puts an item before the one at this place; the place is at most their number.
    #[inline]
    pub(super) fn insert(&mut self, at: usize, item: T) {
        let mut all = match std::mem::take(self) {
            Self::None => return *self = Self::One(item),
            Self::One(only) => Box::new(vec![only]),
            Self::More(all) => all,
        };
        all.insert(at, item);
        *self = Self::More(all);
    }

    /// Takes the first.
    pub(super) fn take_first(&mut self) -> Option<T> {
        match std::mem::take(self) {
            Self::None => None,
            Self::One(item) => Some(item),
            Self::More(mut all) => {
                let first = (!all.is_empty()).then(|| all.remove(0));
                *self = Self::More(all);
                first
            }
        }
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        match self {
            Self::None => {}
            Self::One(item) if keep(item) => {}
            Self::One(_) => *self = Self::None,
            Self::More(all) => all.retain(keep),
        }
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            Self::None => &[],
            Self::One(item) => std::slice::from_ref(item),
            Self::More(all) => all,
        }
    }
}

impl<T> DerefMut for Few<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Self::None => &mut [],
            Self::One(item) => std::slice::from_mut(item),
            Self::More(all) => all,
        }
    }
}

impl<'a, T> IntoIterator for &'a Few<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut items = items.into_iter();
        let (Some(first), second) = (items.next(), items.next()) else { return Self::None };
        match second {
            None => Self::One(first),
            Some(second) => Self::More(Box::new([first, second].into_iter().chain(items).collect())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_list(acts in prop::collection::vec((0u8..7, 0usize..4), 0..40)) {
            let (mut few, mut list) = (Few::default(), Vec::new());
            for (number, (act, at)) in acts.into_iter().enumerate() {
                match act {
                    0 | 1 => {
                        few.push(number);
                        list.push(number);
                    }
                    2 => {
                        few.insert(at.min(list.len()), number);
                        list.insert(at.min(list.len()), number);
                    }
                    3 => {
                        let first = (!list.is_empty()).then(|| list.remove(0));
                        prop_assert_eq!(few.take_first(), first);
                    }
                    4 => {
                        few.retain(|item| item % 3 != at);
                        list.retain(|item| item % 3 != at);
                    }
                    5 => {
                        prop_assert_eq!(few.set(number).len(), 1);
                        list = vec![number];
                    }
                    _ => {
                        few = list.iter().copied().collect();
                        few.iter_mut().for_each(|item| *item += at);
                        list.iter_mut().for_each(|item| *item += at);
                    }
                }
                prop_assert_eq!(&*few, list.as_slice());
            }
        }
    }
}
