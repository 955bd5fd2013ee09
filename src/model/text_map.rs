//! Few texts that are looked for again and again: the types of events that a rule asks for.

use super::Text;

/// What is known of each of a few texts. Short ones are found by one number each, without a look at their bytes.
#[derive(Clone, Debug)]
pub struct TextMap<T> {
    /// Of each entry its text as a number; of a long one that of no text.
    numbers: Vec<u128>,
    entries: Vec<(Text, T)>,
}

/// The number of no text.
const LONG: u128 = u128::MAX;

impl<T> Default for TextMap<T> {
    fn default() -> Self {
        Self { numbers: Vec::new(), entries: Vec::new() }
    }
}

impl<T> TextMap<T> {
    /// What is known of a text.
    #[inline]
    pub fn get(&self, text: &Text) -> Option<&T> {
        let at = match text.number() {
            Some(number) => self.numbers.iter().position(|own| *own == number),
            None => self.entries.iter().position(|(own, _)| own == text),
        };
        self.entries.get(at?).map(|(_, known)| known)
    }

    /// The same, to be changed; what there is at first is made where the text is new.
    pub fn or_insert_with(&mut self, text: &Text, first: impl FnOnce() -> T) -> &mut T {
        let at = self.entries.iter().position(|(own, _)| own == text).unwrap_or_else(|| {
            self.numbers.push(text.number().unwrap_or(LONG));
            self.entries.push((text.clone(), first()));
            self.entries.len() - 1
        });
        // INVARIANT: it was there, or has been put there.
        &mut self.entries[at].1
    }

    /// The texts, in the order in which they came.
    pub fn texts(&self) -> impl Iterator<Item = &Text> {
        self.entries.iter().map(|(text, _)| text)
    }
}

impl FromIterator<Text> for TextMap<()> {
    fn from_iter<I: IntoIterator<Item = Text>>(texts: I) -> Self {
        let mut map = Self::default();
        texts.into_iter().for_each(|text| *map.or_insert_with(&text, || ()) = ());
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn it_is_a_map_of_texts_of_any_length(
            known in prop::collection::vec("[a\0é]{0,3}|a{13,17}|b{20,24}", 0..12),
            asked in prop::collection::vec("[a\0é]{0,3}|a{13,17}|b{20,24}", 0..12),
        ) {
            let (mut map, mut model) = (TextMap::default(), BTreeMap::new());
            for (at, text) in known.iter().enumerate() {
                *map.or_insert_with(&Text::from(text.as_str()), || 0) = at;
                model.insert(text.as_str(), at);
            }
            for text in known.iter().chain(&asked) {
                prop_assert_eq!(map.get(&Text::from(text.as_str())), model.get(text.as_str()));
            }
            prop_assert_eq!(map.texts().count(), model.len());
        }
    }
}
