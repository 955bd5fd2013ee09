//! Places in YAML texts that are no rule files, for those who read such a text and want to say where a mistake is.

use super::outline::{Outline, Part};

/// One step of the way to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Into a map.
    Key(String),
    /// Into a list, from 0.
    Index(usize),
}

/// Where the values of a text stand, as far as its indentation tells.
#[derive(Debug)]
pub struct Places {
    outline: Outline,
    text: String,
}

impl Places {
    /// Reads a text; of one that isn't YAML the places are of no use. Cost: linear in the text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { outline: Outline::new(text), text: text.to_owned() }
    }

    /// Line and column, both from 1, of a value, or of the nearest thing around it that was found. Of a key that is there twice,
    /// the second.
    #[must_use]
    pub fn of(&self, path: &[Step]) -> (usize, usize) {
        let parts: Vec<Part> = path
            .iter()
            .map(|step| match step {
                Step::Key(key) => Part::Key(key.clone()),
                Step::Index(index) => Part::Index(*index),
            })
            .collect();
        let again = self.outline.all(&parts).last();
        let at = again.map_or_else(|| self.outline.key_place(&parts), |entry| entry.key.clone()).start;
        let before = self.text.get(..at).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        (before.matches('\n').count() + 1, line.chars().count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_or_what_is_around_it_has_a_place() {
        let places = Places::new("a:\n  - name: ä\n    rows:\n      - { x: 1, y: 2 }\n");
        let path = |keys: &[&str]| -> Vec<Step> {
            let step = |key: &&str| key.parse().map_or_else(|_| Step::Key((*key).to_owned()), Step::Index);
            keys.iter().map(step).collect()
        };
        assert_eq!(places.of(&path(&["a", "0", "rows"])), (3, 5));
        assert_eq!(places.of(&path(&["a", "0", "rows", "0", "y"])), (4, 17));
        assert_eq!(places.of(&path(&["a", "0", "rows", "0", "z"])), (4, 7));
        assert_eq!(places.of(&path(&["b"])), (1, 1));
    }
}
