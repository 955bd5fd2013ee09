//! Reference tables: rows that are looked up by key and, where they are versioned, by time.

use crate::model::{Key, TimeMs, Type, Value};
use hashbrown::HashTable;

/// A row before it is in its table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableRow {
    /// From when on it holds; none: at all times.
    pub from_ms: Option<TimeMs>,
    /// By column.
    pub values: Vec<Value>,
}

/// Why rows are no table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// Two rows with one key that hold from the same time on.
    #[error("two rows have the same key{}", if *.versioned { " and hold from the same time on" } else { "" })]
    Twice {
        /// The place of the earlier one among the rows given.
        first: usize,
        /// Of the later one.
        second: usize,
        /// Whether rows have times.
        versioned: bool,
    },
    /// A row without a value in a column of the key.
    #[error("a row without a key")]
    NoKey {
        /// Its place among the rows given.
        row: usize,
    },
    /// More than the 4,294,967,295 rows that can be numbered.
    #[error("too many rows")]
    TooMany,
}

/// A reference table: immutable, indexed by key. Of the versions of a key the one that holds at an instant is found by
/// binary search; a key is found by its hash.
#[derive(Clone, Debug, Default)]
pub struct Table {
    columns: Vec<(String, Type)>,
    /// Row after row, ordered by key, then by time.
    values: Vec<Value>,
    /// From when on each row holds.
    from_ms: Vec<TimeMs>,
    /// The keys, ascending, each with the place of its first row.
    keys: Vec<(Key, u32)>,
    index: HashTable<u32>,
}

impl Table {
    /// A table with these columns; `key` are the places of the key's columns in it.
    ///
    /// # Errors
    /// Rows that have no key, or one and the same.
    pub fn new(columns: Vec<(String, Type)>, key: &[usize], rows: Vec<TableRow>) -> Result<Self, TableError> {
        if u32::try_from(rows.len()).is_err() {
            return Err(TableError::TooMany);
        }
        let null = Value::Null;
        let mut order = Vec::with_capacity(rows.len());
        for (at, row) in rows.iter().enumerate() {
            let parts = key.iter().map(|&column| row.values.get(column).unwrap_or(&null));
            if parts.clone().any(Value::is_null) {
                return Err(TableError::NoKey { row: at });
            }
            order.push((Key::new(parts), row.from_ms, at));
        }
        order.sort_unstable_by(|a, b| (&a.0, a.1, a.2).cmp(&(&b.0, b.1, b.2)));
        for (first, second) in order.iter().zip(order.iter().skip(1)) {
            if (&first.0, first.1) == (&second.0, second.1) {
                return Err(TableError::Twice { first: first.2, second: second.2, versioned: first.1.is_some() });
            }
        }
        let mut table = Self { columns, ..Self::default() };
        let mut rows: Vec<Option<TableRow>> = rows.into_iter().map(Some).collect();
        for (place, (key, from_ms, at)) in order.into_iter().enumerate() {
            if table.keys.last().is_none_or(|(last, _)| *last != key) {
                table.keys.push((key, place as u32));
            }
            table.from_ms.push(from_ms.unwrap_or(TimeMs::MIN));
            let mut values = rows.get_mut(at).and_then(Option::take).map(|row| row.values).unwrap_or_default();
            values.resize(table.columns.len(), Value::Null);
            table.values.append(&mut values);
        }
        for (at, (key, _)) in table.keys.iter().enumerate() {
            table.index.insert_unique(key.hash64(), at as u32, |&at| {
                table.keys.get(at as usize).map_or(0, |(key, _)| key.hash64())
            });
        }
        Ok(table)
    }

    /// Its columns.
    pub fn columns(&self) -> &[(String, Type)] {
        &self.columns
    }

    /// How many rows it has.
    pub fn len(&self) -> usize {
        self.from_ms.len()
    }

    /// Whether it has no row.
    pub fn is_empty(&self) -> bool {
        self.from_ms.is_empty()
    }

    /// The row of a key that holds at an instant: of those that hold from then or before, the one that began last.
    pub fn find(&self, key: &Key, at_ms: TimeMs) -> Option<u32> {
        let found =
            self.index.find(key.hash64(), |&at| self.keys.get(at as usize).is_some_and(|(own, _)| own == key))?;
        let (_, first) = self.keys.get(*found as usize)?;
        let end = self.keys.get(*found as usize + 1).map_or(self.from_ms.len(), |(_, next)| *next as usize);
        let versions = self.from_ms.get(*first as usize..end)?;
        let later = versions.partition_point(|&from_ms| from_ms <= at_ms);
        Some(first + u32::try_from(later.checked_sub(1)?).ok()?)
    }

    /// The value of a row in a column.
    pub fn value(&self, row: u32, column: u16) -> Option<&Value> {
        if usize::from(column) >= self.columns.len() {
            return None;
        }
        self.values.get((row as usize).checked_mul(self.columns.len())? + usize::from(column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(key: i64, from_ms: Option<TimeMs>, value: i64) -> TableRow {
        TableRow { from_ms, values: vec![Value::Int(key), Value::Int(value)] }
    }

    fn columns() -> Vec<(String, Type)> {
        vec![("id".to_owned(), Type::Int), ("n".to_owned(), Type::Int)]
    }

    proptest! {
        #[test]
        fn the_version_that_began_last_is_found(
            rows in prop::collection::btree_map((0..5i64, -20..20i64), 0..99i64, 0..40),
            ask in prop::collection::vec((0..6i64, -25..25i64), 1..30),
        ) {
            let all = rows.iter().map(|(&(key, from_ms), &n)| row(key, Some(from_ms), n)).rev().collect();
            let table = Table::new(columns(), &[0], all).unwrap();
            for (key, at_ms) in ask {
                let expected = rows.range((key, i64::MIN)..=(key, at_ms)).next_back().map(|(_, &n)| Value::Int(n));
                let found = table.find(&Key::new(&[Value::Int(key)]), at_ms);
                prop_assert_eq!(found.and_then(|row| table.value(row, 1)).cloned(), expected);
            }
        }
    }

    #[test]
    fn a_key_without_versions_is_found_at_any_time() {
        let table = Table::new(columns(), &[0], vec![row(2, None, 20), row(1, None, 10)]).unwrap();
        let key = Key::new(&[Value::Int(1)]);
        for at_ms in [i64::MIN, 0, i64::MAX] {
            assert_eq!(table.find(&key, at_ms).and_then(|row| table.value(row, 1)), Some(&Value::Int(10)));
        }
        assert_eq!(table.find(&Key::new(&[Value::Int(3)]), 0), None);
        assert_eq!((table.value(0, 2), table.value(9, 0)), (None, None));
    }

    #[test]
    fn a_key_twice_and_a_row_without_one_are_refused() {
        let twice = Table::new(columns(), &[0], vec![row(1, None, 1), row(2, None, 2), row(1, None, 3)]);
        assert_eq!(twice.unwrap_err(), TableError::Twice { first: 0, second: 2, versioned: false });
        let mut none = row(1, None, 1);
        none.values[0] = Value::Null;
        assert_eq!(Table::new(columns(), &[0], vec![none]).unwrap_err(), TableError::NoKey { row: 0 });
    }
}
