//! The frame of a checkpoint's file: a header, blocks with a checksum each, a manifest that names every block, a footer.

use super::CheckpointError;
use crate::model::{DecodeError, Reader, Writer};
use std::{collections::BTreeMap, fmt};
use xxhash_rust::xxh3::xxh3_64;

/// The version that is written.
pub const FORMAT_VERSION: u32 = 1;
/// Bytes before the first block.
pub const HEADER_LEN: usize = 20;

const MAGIC: &[u8; 8] = b"GEOCEPCK";
const END: &[u8; 8] = b"GEOCEPND";
const FOOTER_LEN: usize = 24;
/// Kind, rule, group and length.
const FRAME_LEN: usize = 17;
const CHECKSUM_LEN: usize = 8;

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BlockKind {
    /// When and by whom it was written, and the settings that states depend on.
    Head = 1,
    /// The names behind run-local numbers.
    Names = 2,
    /// How far each source was read.
    Places = 3,
    /// Lines that sinks had not acknowledged.
    Undelivered = 4,
    /// Watermarks, counts, and what waits between rules.
    Core = 5,
    /// The reorder buffer.
    Merge = 6,
    /// A rule's outputs that wait for the wall clock.
    Waiting = 7,
    /// The states of a rule's keys of one group.
    Group = 8,
    /// The list of all blocks.
    Manifest = 9,
    /// What sinks that are written exactly once had not committed; only where there are such.
    Epochs = 10,
}

impl BlockKind {
    const ALL: [Self; 10] = [
        Self::Head,
        Self::Names,
        Self::Places,
        Self::Undelivered,
        Self::Core,
        Self::Merge,
        Self::Waiting,
        Self::Group,
        Self::Manifest,
        Self::Epochs,
    ];

    fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// Which block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlockId {
    /// What it holds.
    pub kind: BlockKind,
    /// Of which rule, by the numbers of the checkpoint's names; else 0.
    pub rule: u32,
    /// Of which key group; else 0.
    pub group: u32,
}

impl BlockId {
    /// A block that there is one of.
    pub fn single(kind: BlockKind) -> Self {
        Self { kind, rule: 0, group: 0 }
    }

    /// What waits of a rule.
    pub fn waiting(rule: u32) -> Self {
        Self { kind: BlockKind::Waiting, rule, group: 0 }
    }

    /// A rule's group.
    pub fn group(rule: u32, group: u32) -> Self {
        Self { kind: BlockKind::Group, rule, group }
    }
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            BlockKind::Group => write!(f, "`group {} of rule {}`", self.group, self.rule),
            BlockKind::Waiting => write!(f, "`waiting of rule {}`", self.rule),
            kind => write!(f, "`{}`", format!("{kind:?}").to_lowercase()),
        }
    }
}

/// Where a block stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The number of the checkpoint in whose file it is: this one's, or an earlier one's where nothing has changed since.
    pub file: u64,
    /// Where its frame begins in that file.
    pub offset: u64,
    /// The length of its payload.
    pub length: u64,
    /// The checksum of its frame and payload.
    pub checksum: u64,
}

impl Stored {
    /// How many bytes it is in its file, with its frame and checksum; none: more than can be.
    pub fn size(&self) -> Option<usize> {
        usize::try_from(self.length).ok()?.checked_add(FRAME_LEN + CHECKSUM_LEN)
    }

    /// The payload, out of these bytes of the file.
    ///
    /// # Errors
    /// They are corrupt, or another block's.
    pub fn payload<'a>(&self, id: BlockId, bytes: &'a [u8]) -> Result<&'a [u8], CheckpointError> {
        payload(bytes, id, 0, self.length, Some(self.checksum))
    }
}

/// Every block of a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The blocks and their places.
    pub blocks: BTreeMap<BlockId, Stored>,
}

/// A block's frame and payload as they stand in a file.
#[derive(Debug)]
pub struct Block {
    /// The bytes, checksum included.
    pub bytes: Vec<u8>,
    /// The checksum.
    pub checksum: u64,
    /// The length of the payload.
    pub length: u64,
}

/// The first bytes of a file.
pub fn header(number: u64) -> [u8; HEADER_LEN] {
    let mut bytes = [0; HEADER_LEN];
    let parts = MAGIC.iter().copied().chain(FORMAT_VERSION.to_le_bytes()).chain(number.to_le_bytes());
    bytes.iter_mut().zip(parts).for_each(|(place, byte)| *place = byte);
    bytes
}

/// A block as it is written.
pub fn block_frame(id: BlockId, payload: &[u8]) -> Block {
    let mut bytes = Vec::with_capacity(FRAME_LEN + payload.len() + CHECKSUM_LEN);
    bytes.push(id.kind as u8);
    bytes.extend_from_slice(&id.rule.to_le_bytes());
    bytes.extend_from_slice(&id.group.to_le_bytes());
    bytes.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    bytes.extend_from_slice(payload);
    let checksum = xxh3_64(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    Block { bytes, checksum, length: payload.len() as u64 }
}

/// The last bytes of a file: where its manifest begins.
pub fn footer(manifest_offset: u64) -> [u8; FOOTER_LEN] {
    let mut bytes = [0; FOOTER_LEN];
    let offset = manifest_offset.to_le_bytes();
    let parts = offset.into_iter().chain(xxh3_64(&offset).to_le_bytes()).chain(END.iter().copied());
    bytes.iter_mut().zip(parts).for_each(|(place, byte)| *place = byte);
    bytes
}

/// Eight bytes at a place, as a number.
fn number_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes))
}

impl Manifest {
    /// Reads the manifest of a whole file, and the checkpoint's number. The other blocks aren't looked at.
    ///
    /// # Errors
    /// It is no checkpoint, of a later version, or its manifest is corrupt.
    pub fn of_file(bytes: &[u8]) -> Result<(u64, Self), CheckpointError> {
        Self::of_parts(bytes.len() as u64, &mut |at, len| {
            let start = usize::try_from(at).ok()?;
            bytes.get(start..start.checked_add(len)?).map(<[u8]>::to_vec)
        })
    }

    /// The same of a file of so many bytes, of which `part` gives those at a place, so many; none if they can't be read.
    ///
    /// # Errors
    /// As [`of_file`](Self::of_file).
    pub fn of_parts(
        len: u64,
        part: &mut dyn FnMut(u64, usize) -> Option<Vec<u8>>,
    ) -> Result<(u64, Self), CheckpointError> {
        let too_short = CheckpointError::NoCheckpoint("it is too short");
        let header = part(0, HEADER_LEN).ok_or(too_short.clone())?;
        let version =
            header.get(8..12).and_then(|bytes| bytes.first_chunk::<4>()).map(|bytes| u32::from_le_bytes(*bytes));
        let (Some(magic), Some(version), Some(number)) = (header.get(..8), version, number_at(&header, 12)) else {
            return Err(too_short);
        };
        if magic != MAGIC {
            return Err(CheckpointError::NoCheckpoint("it begins with something else"));
        }
        if version != FORMAT_VERSION {
            return Err(CheckpointError::Version { found: version, expected: FORMAT_VERSION });
        }
        let cut_off = CheckpointError::NoCheckpoint("its end isn't one");
        let at = len.checked_sub(FOOTER_LEN as u64).filter(|at| *at >= HEADER_LEN as u64).ok_or(cut_off.clone())?;
        let footer = part(at, FOOTER_LEN).ok_or(cut_off.clone())?;
        let (offset, sum) = (number_at(&footer, 0).ok_or(cut_off.clone())?, number_at(&footer, 8));
        if footer.get(16..) != Some(END) || sum != Some(xxh3_64(&offset.to_le_bytes())) {
            return Err(cut_off);
        }
        let id = BlockId::single(BlockKind::Manifest);
        let missing = CheckpointError::Missing { block: id };
        let length = part(offset, FRAME_LEN).and_then(|frame| number_at(&frame, 9)).filter(|length| *length <= len);
        let stored = Stored { file: number, offset, length: length.ok_or(missing.clone())?, checksum: 0 };
        let bytes = stored.size().and_then(|size| part(offset, size)).ok_or(missing)?;
        let payload = payload(&bytes, id, 0, stored.length, None)?;
        let manifest = Self::decode(payload).map_err(|error| CheckpointError::Decode { block: id, error })?;
        Ok((number, manifest))
    }

    /// As a payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.len(self.blocks.len());
        for (id, stored) in &self.blocks {
            writer.u8(id.kind as u8);
            writer.u64(u64::from(id.rule));
            writer.u64(u64::from(id.group));
            writer.u64(stored.file);
            writer.u64(stored.offset);
            writer.u64(stored.length);
            writer.i64(stored.checksum as i64);
        }
        writer.into_bytes()
    }

    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let mut blocks = BTreeMap::new();
        for _ in 0..reader.len()? {
            let found = reader.u8()?;
            let kind = BlockKind::of(found)
                .ok_or(DecodeError::Unexpected { found: u64::from(found), expected: "a kind of block" })?;
            let id = BlockId { kind, rule: reader.u32()?, group: reader.u32()? };
            let (file, offset, length) = (reader.u64()?, reader.u64()?, reader.u64()?);
            blocks.insert(id, Stored { file, offset, length, checksum: reader.i64()? as u64 });
        }
        Ok(Self { blocks })
    }

    /// The numbers of the files that it needs, its own among them.
    pub fn files(&self) -> std::collections::BTreeSet<u64> {
        self.blocks.values().map(|stored| stored.file).collect()
    }

    /// A block's payload, out of the bytes of the file that it is in.
    ///
    /// # Errors
    /// It isn't there, or it is corrupt.
    pub fn payload<'a>(&self, id: BlockId, file: &'a [u8]) -> Result<&'a [u8], CheckpointError> {
        let stored = self.blocks.get(&id).ok_or(CheckpointError::Missing { block: id })?;
        payload(file, id, stored.offset, stored.length, Some(stored.checksum))
    }
}

/// The payload of the block at a place, checked against the checksum behind it and the one that was noted elsewhere.
fn payload(file: &[u8], id: BlockId, offset: u64, length: u64, noted: Option<u64>) -> Result<&[u8], CheckpointError> {
    let missing = CheckpointError::Missing { block: id };
    let place = || {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(FRAME_LEN)?.checked_add(usize::try_from(length).ok()?)?;
        Some((start, end, file.get(start..end)?, number_at(file, end)?))
    };
    let (start, end, bytes, behind) = place().ok_or(missing.clone())?;
    let (found, expected) = (xxh3_64(bytes), noted.unwrap_or(behind));
    if found != expected || behind != expected {
        return Err(CheckpointError::Corrupt { block: id, found, expected });
    }
    if bytes.first() != Some(&(id.kind as u8)) {
        return Err(missing);
    }
    file.get(start + FRAME_LEN..end).ok_or(missing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(payloads: &[(BlockId, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = header(7).to_vec();
        let mut manifest = Manifest::default();
        for (id, payload) in payloads {
            let block = block_frame(*id, payload);
            let (offset, length, checksum) = (bytes.len() as u64, block.length, block.checksum);
            manifest.blocks.insert(*id, Stored { file: 7, offset, length, checksum });
            bytes.extend_from_slice(&block.bytes);
        }
        let at = bytes.len() as u64;
        bytes.extend_from_slice(&block_frame(BlockId::single(BlockKind::Manifest), &manifest.encode()).bytes);
        bytes.extend_from_slice(&footer(at));
        bytes
    }

    fn some() -> Vec<(BlockId, Vec<u8>)> {
        vec![
            (BlockId::single(BlockKind::Core), b"core".to_vec()),
            (BlockId::group(3, 700), vec![9; 100]),
            (BlockId::waiting(1), Vec::new()),
        ]
    }

    #[test]
    fn blocks_come_back_by_name() {
        let bytes = file(&some());
        let (number, manifest) = Manifest::of_file(&bytes).unwrap();
        assert_eq!((number, manifest.blocks.len()), (7, 3));
        for (id, payload) in some() {
            assert_eq!(manifest.payload(id, &bytes), Ok(&payload[..]));
        }
        let error = manifest.payload(BlockId::group(0, 0), &bytes).unwrap_err();
        assert_eq!(error.to_string(), "the block `group 0 of rule 0` isn't there");
    }

    #[test]
    fn a_later_version_says_what_to_do() {
        let mut bytes = file(&some());
        bytes[8] = 2;
        assert!(Manifest::of_file(&bytes).unwrap_err().to_string().contains("use the geocep that wrote it"));
    }

    proptest! {
        #[test]
        fn a_byte_that_is_another_is_noticed_wherever_it_is(at: prop::sample::Index, flip in 1u8..) {
            let good = file(&some());
            let mut bytes = good.clone();
            // The number isn't checked: the name of the file tells it, too.
            let at = at.index(good.len());
            prop_assume!(!(12..20).contains(&at));
            bytes[at] ^= flip;
            let read = Manifest::of_file(&bytes).and_then(|(_, manifest)| {
                some().iter().try_for_each(|(id, _)| manifest.payload(*id, &bytes).map(|_| ()))
            });
            prop_assert!(read.is_err());
        }

        #[test]
        fn garbage_is_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), cut: prop::sample::Index) {
            prop_assert!(Manifest::of_file(&bytes).is_err());
            let good = file(&some());
            let cut = cut.index(good.len());
            prop_assert!(Manifest::of_file(&good[..cut]).is_err());
        }
    }
}
