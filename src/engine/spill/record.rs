//! A record of the store: keys with their states, one behind the other, each with its length.

use super::Codec;
use crate::{
    engine::state::BackendError,
    model::{DecodeError, Key, Reader, Writer},
};

/// What was read isn't what was written.
pub(super) fn lost(error: &DecodeError) -> BackendError {
    BackendError::Lost { what: format!("what was written of a key: {error}") }
}

/// Adds a key to a record.
pub(super) fn put_entry<S>(key: &Key, state: &S, codec: &impl Codec<S>, record: &mut Writer) {
    record.key(key);
    let mut writer = Writer::new();
    codec.save(state, &mut writer);
    record.bytes(&writer.into_bytes());
}

/// The keys of a record with the bytes of their states.
pub(super) fn entries_of(record: &[u8]) -> Result<Vec<(Key, &[u8])>, DecodeError> {
    let mut reader = Reader::new(record);
    let mut entries = Vec::new();
    while !reader.is_done() {
        entries.push((reader.key()?, reader.bytes()?));
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{TimeMs, Value};
    use proptest::prelude::*;

    struct Numbers;

    impl Codec<u64> for Numbers {
        fn save(&self, state: &u64, writer: &mut Writer) {
            writer.u64(*state);
        }
        fn load(&self, reader: &mut Reader<'_>) -> Result<(u64, Option<TimeMs>), DecodeError> {
            Ok((reader.u64()?, None))
        }
        fn deadline(&self, _: &u64) -> Option<TimeMs> {
            None
        }
    }

    proptest! {
        #[test]
        fn a_record_has_its_keys_and_broken_bytes_are_an_error_and_never_a_panic(
            keys in proptest::collection::vec((any::<i64>(), any::<u64>()), 0..5),
            cut: prop::sample::Index,
            noise in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut record = Writer::new();
            keys.iter().for_each(|(key, state)| put_entry(&Key::new(&[Value::Int(*key)]), state, &Numbers, &mut record));
            let bytes = record.into_bytes();
            let entries = entries_of(&bytes).unwrap();
            let found: Vec<(Key, u64)> =
                entries.into_iter().map(|(key, bytes)| (key, Numbers.load(&mut Reader::new(bytes)).unwrap().0)).collect();
            let expected: Vec<(Key, u64)> = keys.iter().map(|(key, state)| (Key::new(&[Value::Int(*key)]), *state)).collect();
            prop_assert_eq!(found, expected);
            let end = cut.index(bytes.len() + 1);
            prop_assert!(entries_of(&bytes[..end]).map_or(true, |entries| entries.len() <= keys.len()));
            let _ = entries_of(&noise);
        }
    }
}
