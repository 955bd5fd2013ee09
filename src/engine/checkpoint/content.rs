//! The small blocks: head, places of sources, lines that are not delivered.

use crate::model::{DecodeError, Reader, TimeMs, Writer};

/// When and by whom a checkpoint was written, and the settings that states depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The wall clock then; only for people: the order of checkpoints is that of their numbers.
    pub wall_ms: TimeMs,
    /// The version of the geocep that wrote it.
    pub version: String,
    /// `engine.seed`.
    pub seed: u64,
    /// `engine.key_groups`.
    pub key_groups: u32,
    /// How keys are hashed.
    pub hash_version: u32,
}

/// How far a partition of a source was read: everything before this has been pushed to the core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The source.
    pub source: String,
    /// The partition, by the number that its records have.
    pub partition: u32,
    /// How far; none: nothing of it was read yet.
    pub position: Option<Position>,
    /// Whether it had come to its end.
    pub ended: bool,
    /// What was read of records that weren't whole, such as messages of several sentences; mostly none.
    pub open: Vec<u8>,
}

/// A place in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Position {
    /// In a file.
    File {
        /// Its path, as it was configured.
        path: String,
        /// What the system numbered it with; 0 where it doesn't.
        device: u64,
        /// The same, within the device.
        inode: u64,
        /// How many of its first bytes the hash is of.
        head_len: u64,
        /// xxh3-64 of these, as they stand in the file.
        head_hash: u64,
        /// The first byte of the next record, of a compressed file in what comes out.
        byte: u64,
        /// The number of that record: of lines before it.
        line: u64,
        /// Whether a record of this file has been read, so that a header was.
        begun: bool,
    },
    /// In a Kafka partition: the offset of the next message.
    Offset(u64),
}

/// Lines that a sink had been given and not acknowledged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undelivered {
    /// The sink.
    pub sink: String,
    /// Of each line its key and its text, without a newline.
    pub lines: Vec<(String, Vec<u8>)>,
}

pub(super) fn text(reader: &mut Reader<'_>) -> Result<String, DecodeError> {
    let unreadable = |_| DecodeError::Unexpected { found: 0, expected: "UTF-8 text" };
    std::str::from_utf8(reader.bytes()?).map(str::to_owned).map_err(unreadable)
}

impl Head {
    /// As a payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.i64(self.wall_ms);
        writer.bytes(self.version.as_bytes());
        writer.u64(self.seed);
        writer.u64(u64::from(self.key_groups));
        writer.u64(u64::from(self.hash_version));
        writer.into_bytes()
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// It is none.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let (wall_ms, version) = (reader.i64()?, text(&mut reader)?);
        Ok(Self { wall_ms, version, seed: reader.u64()?, key_groups: reader.u32()?, hash_version: reader.u32()? })
    }
}

impl Place {
    /// All places as a payload.
    pub fn encode_all(places: &[Self]) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.len(places.len());
        for Self { source, partition, position, ended, .. } in places {
            writer.bytes(source.as_bytes());
            writer.u64(u64::from(*partition));
            writer.bool(*ended);
            match position {
                None => writer.u8(0),
                Some(Position::File { path, device, inode, head_len, head_hash, byte, line, begun }) => {
                    writer.u8(1);
                    writer.bytes(path.as_bytes());
                    [device, inode, head_len, head_hash, byte, line].into_iter().for_each(|number| writer.u64(*number));
                    writer.bool(*begun);
                }
                Some(Position::Offset(offset)) => {
                    writer.u8(2);
                    writer.u64(*offset);
                }
            }
        }
        // Behind everything, where there is any: readers of before don't look there.
        if places.iter().any(|place| !place.open.is_empty()) {
            places.iter().for_each(|place| writer.bytes(&place.open));
        }
        writer.into_bytes()
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// It is none.
    pub fn decode_all(payload: &[u8]) -> Result<Vec<Self>, DecodeError> {
        let mut reader = Reader::new(payload);
        let mut places = Vec::new();
        for _ in 0..reader.len()? {
            let (source, partition, ended) = (text(&mut reader)?, reader.u32()?, reader.bool()?);
            let position = match reader.u8()? {
                0 => None,
                1 => Some(Position::File {
                    path: text(&mut reader)?,
                    device: reader.u64()?,
                    inode: reader.u64()?,
                    head_len: reader.u64()?,
                    head_hash: reader.u64()?,
                    byte: reader.u64()?,
                    line: reader.u64()?,
                    begun: reader.bool()?,
                }),
                2 => Some(Position::Offset(reader.u64()?)),
                found => return Err(DecodeError::Unexpected { found: found.into(), expected: "a kind of place" }),
            };
            places.push(Self { source, partition, position, ended, open: Vec::new() });
        }
        if !reader.is_done() {
            for place in &mut places {
                place.open = reader.bytes()?.to_vec();
            }
        }
        Ok(places)
    }
}

impl Undelivered {
    /// All sinks' as a payload.
    pub fn encode_all(sinks: &[Self]) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.len(sinks.len());
        for Self { sink, lines } in sinks {
            writer.bytes(sink.as_bytes());
            writer.len(lines.len());
            for (key, line) in lines {
                writer.bytes(key.as_bytes());
                writer.bytes(line);
            }
        }
        writer.into_bytes()
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// It is none.
    pub fn decode_all(payload: &[u8]) -> Result<Vec<Self>, DecodeError> {
        let mut reader = Reader::new(payload);
        let mut sinks = Vec::new();
        for _ in 0..reader.len()? {
            let sink = text(&mut reader)?;
            let mut lines = Vec::new();
            for _ in 0..reader.len()? {
                lines.push((text(&mut reader)?, reader.bytes()?.to_vec()));
            }
            sinks.push(Self { sink, lines });
        }
        Ok(sinks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_decodes_and_a_piece_of_it_does_not() {
        let position = Position::File {
            path: "in/a.csv".to_owned(),
            device: 1,
            inode: u64::MAX,
            head_len: 10,
            head_hash: 7,
            byte: 300,
            line: 4,
            begun: true,
        };
        let place = |position| Place { source: "s".to_owned(), partition: 3, position, ended: true, open: Vec::new() };
        let places = vec![place(None), place(Some(position)), place(Some(Position::Offset(9)))];
        let bytes = Place::encode_all(&places);
        assert_eq!(Place::decode_all(&bytes).as_ref(), Ok(&places));
        let mut parted = places.clone();
        parted[1].open = vec![1, 2, 3];
        let with_parts = Place::encode_all(&parted);
        assert_eq!(Place::decode_all(&with_parts), Ok(parted));
        assert!(with_parts.starts_with(&bytes) && Place::decode_all(&with_parts[..with_parts.len() - 1]).is_err());
        let head = Head { wall_ms: -1, version: "0.1".to_owned(), seed: 5, key_groups: 64, hash_version: 1 };
        assert_eq!(Head::decode(&head.encode()), Ok(head));
        let lines = vec![("Rule".to_owned(), b"{}".to_vec()), (String::new(), Vec::new())];
        let sinks = vec![Undelivered { sink: "out".to_owned(), lines }];
        assert_eq!(Undelivered::decode_all(&Undelivered::encode_all(&sinks)), Ok(sinks));
        for cut in 0..bytes.len() {
            assert!(Place::decode_all(&bytes[..cut]).is_err());
        }
    }
}
