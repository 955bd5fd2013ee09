//! What a checkpoint has of sinks that are written exactly once.

use super::content::text;
use crate::model::{DecodeError, Reader, Writer};

/// Lines that were handed on between two checkpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Epoch {
    /// Ascends from checkpoint to checkpoint; what the sink's marker is compared with.
    pub number: u64,
    /// Of each line its key and its text, without a newline.
    pub lines: Vec<(String, Vec<u8>)>,
}

/// A sink that is written exactly once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkEpochs {
    /// The sink.
    pub sink: String,
    /// Its transactional id: by this it is found again.
    pub id: String,
    /// The epoch that ends with this checkpoint.
    pub number: u64,
    /// Offsets of the topic's partitions: what isn't known to be committed lies there or later.
    pub ends: Vec<(u32, u64)>,
    /// Ids of alerts that are in the topic, and that this run has yet to find again.
    pub known: Vec<String>,
    /// Lines that aren't known to be committed, this checkpoint's epoch the last.
    pub waiting: Vec<Epoch>,
}

impl SinkEpochs {
    /// All sinks' as a payload.
    pub fn encode_all(sinks: &[Self]) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.len(sinks.len());
        for Self { sink, id, number, ends, known, waiting } in sinks {
            writer.bytes(sink.as_bytes());
            writer.bytes(id.as_bytes());
            writer.u64(*number);
            writer.len(ends.len());
            for (partition, offset) in ends {
                writer.u64(u64::from(*partition));
                writer.u64(*offset);
            }
            writer.len(known.len());
            known.iter().for_each(|id| writer.bytes(id.as_bytes()));
            writer.len(waiting.len());
            for Epoch { number, lines } in waiting {
                writer.u64(*number);
                writer.len(lines.len());
                for (key, line) in lines {
                    writer.bytes(key.as_bytes());
                    writer.bytes(line);
                }
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
            let mut found =
                Self { sink: text(&mut reader)?, id: text(&mut reader)?, number: reader.u64()?, ..Self::default() };
            for _ in 0..reader.len()? {
                found.ends.push((reader.u32()?, reader.u64()?));
            }
            for _ in 0..reader.len()? {
                found.known.push(text(&mut reader)?);
            }
            for _ in 0..reader.len()? {
                let mut epoch = Epoch { number: reader.u64()?, lines: Vec::new() };
                for _ in 0..reader.len()? {
                    epoch.lines.push((text(&mut reader)?, reader.bytes()?.to_vec()));
                }
                found.waiting.push(epoch);
            }
            sinks.push(found);
        }
        Ok(sinks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_decodes_and_a_piece_of_it_does_not() {
        let lines = vec![("Rule".to_owned(), b"{}".to_vec()), (String::new(), Vec::new())];
        let sink = SinkEpochs {
            sink: "alerts".to_owned(),
            id: "geocep-alerts".to_owned(),
            number: 9,
            ends: vec![(0, 17), (3, 0)],
            known: vec!["ab".to_owned()],
            waiting: vec![Epoch { number: 8, lines }, Epoch { number: 9, lines: Vec::new() }],
        };
        let sinks = vec![sink, SinkEpochs::default()];
        let bytes = SinkEpochs::encode_all(&sinks);
        assert_eq!(SinkEpochs::decode_all(&bytes), Ok(sinks));
        for cut in 0..bytes.len() {
            assert!(SinkEpochs::decode_all(&bytes[..cut]).is_err());
        }
    }
}
