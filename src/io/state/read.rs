//! From files to a checkpoint. Blocks are read one at a time, as all of them may be more than memory holds.

use super::{
    StateError,
    dir::{checkpoints, file_of},
};
use crate::{
    engine::{
        Blocks,
        checkpoint::{
            BlockId, BlockKind, CheckpointError, Head, Manifest, Names, Place, SinkEpochs, Stored, Undelivered,
        },
    },
    model::DecodeError,
};
use std::{
    borrow::Cow,
    collections::{BTreeMap, btree_map::Entry},
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// A checkpoint that was read, every block of it checked.
#[derive(Debug)]
pub struct Saved {
    /// Its number.
    pub number: u64,
    /// Where its blocks are.
    pub manifest: Manifest,
    /// The size of its own file.
    pub bytes: u64,
    /// When and by whom it was written.
    pub head: Head,
    /// The names behind its numbers.
    pub names: Names,
    /// How far sources were read.
    pub places: Vec<Place>,
    /// What sinks had not acknowledged.
    pub undelivered: Vec<Undelivered>,
    /// What sinks that are written exactly once had not committed.
    pub epochs: Vec<SinkEpochs>,
    /// All blocks.
    pub blocks: StoredBlocks,
}

/// A checkpoint's blocks, in their files.
#[derive(Debug)]
pub struct StoredBlocks {
    stored: BTreeMap<BlockId, Stored>,
    files: BTreeMap<u64, File>,
}

fn part(mut file: &File, at: u64, len: usize) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    // Never more than there is, whatever a length says.
    file.take(len as u64).read_to_end(&mut bytes)?;
    if bytes.len() == len { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// A checkpoint's number and manifest, and the file that it is in.
pub(super) fn manifest(path: &Path) -> Result<(u64, Manifest, File), StateError> {
    let failed = |error| StateError::File { path: path.to_owned(), error };
    let file = File::open(path).map_err(failed)?;
    let len = file.metadata().map_err(failed)?.len();
    let mut trouble = None;
    let found = Manifest::of_parts(len, &mut |at, len| match part(&file, at, len) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            trouble = Some(error).filter(|error| error.kind() != io::ErrorKind::UnexpectedEof);
            None
        }
    });
    match (found, trouble) {
        (Ok((number, manifest)), _) => Ok((number, manifest, file)),
        (Err(_), Some(error)) => Err(failed(error)),
        (Err(error), None) => Err(StateError::Checkpoint { path: path.to_owned(), error }),
    }
}

impl StoredBlocks {
    fn read(&self, id: BlockId, stored: &Stored) -> Result<Vec<u8>, CheckpointError> {
        let missing = || CheckpointError::Missing { block: id };
        let file = self.files.get(&stored.file).ok_or_else(missing)?;
        let mut bytes = match part(file, stored.offset, stored.size().ok_or_else(missing)?) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(missing()),
            Err(error) => return Err(CheckpointError::Read { block: id, reason: error.to_string() }),
        };
        let len = stored.payload(id, &bytes)?.len();
        let frame = (bytes.len() - len).saturating_sub(size_of::<u64>());
        bytes.truncate(frame + len);
        bytes.drain(..frame);
        Ok(bytes)
    }
}

impl Blocks for StoredBlocks {
    fn payload(&self, id: BlockId) -> Result<Option<Cow<'_, [u8]>>, CheckpointError> {
        self.stored.get(&id).map(|stored| self.read(id, stored).map(Cow::from)).transpose()
    }

    fn groups(&self, rule: u32) -> Vec<BlockId> {
        self.stored.range(BlockId::group(rule, 0)..=BlockId::group(rule, u32::MAX)).map(|(id, _)| *id).collect()
    }
}

/// The names of the newest checkpoint of a directory that has some that can be read, without a look at the rest; the directory needn't be
/// there.
pub fn newest_names(dir: &Path) -> Option<Names> {
    let read = |number: u64| {
        let (_, manifest, own) = manifest(&file_of(dir, number)).ok()?;
        let blocks = StoredBlocks { stored: manifest.blocks, files: BTreeMap::from([(number, own)]) };
        let payload = blocks.payload(BlockId::single(BlockKind::Names)).ok()??;
        Names::decode(&payload).ok()
    };
    checkpoints(dir).ok()?.into_iter().find_map(read)
}

/// Reads a checkpoint of a directory and checks all of it. Its states stay in the files.
///
/// # Errors
/// A file that can't be read, or what is wrong with one.
pub fn read(dir: &Path, number: u64) -> Result<Saved, StateError> {
    let wrong = |file: u64| move |error: CheckpointError| StateError::Checkpoint { path: file_of(dir, file), error };
    let failed = |path: PathBuf| move |error| StateError::File { path, error };
    let path = file_of(dir, number);
    let (found, manifest, own) = manifest(&path)?;
    let bytes = own.metadata().map_err(failed(path))?.len();
    if found != number {
        let error = CheckpointError::NoCheckpoint("its number isn't the one of its name");
        return Err(wrong(number)(error));
    }
    let mut files: BTreeMap<u64, File> = BTreeMap::new();
    files.insert(number, own);
    for file in manifest.files() {
        if let Entry::Vacant(place) = files.entry(file) {
            let path = file_of(dir, file);
            place.insert(File::open(&path).map_err(failed(path))?);
        }
    }
    let blocks = StoredBlocks { stored: manifest.blocks.clone(), files };
    for (&id, stored) in &manifest.blocks {
        blocks.read(id, stored).map_err(wrong(stored.file))?;
    }
    fn single<T>(
        blocks: &StoredBlocks,
        kind: BlockKind,
        decode: impl FnOnce(&[u8]) -> Result<T, DecodeError>,
    ) -> Result<T, CheckpointError> {
        let block = BlockId::single(kind);
        let payload = blocks.payload(block)?.ok_or(CheckpointError::Missing { block })?;
        decode(&payload).map_err(|error| CheckpointError::Decode { block, error })
    }
    let epochs = match blocks.stored.contains_key(&BlockId::single(BlockKind::Epochs)) {
        true => single(&blocks, BlockKind::Epochs, SinkEpochs::decode_all).map_err(wrong(number))?,
        false => Vec::new(),
    };
    Ok(Saved {
        number,
        bytes,
        head: single(&blocks, BlockKind::Head, Head::decode).map_err(wrong(number))?,
        names: single(&blocks, BlockKind::Names, Names::decode).map_err(wrong(number))?,
        places: single(&blocks, BlockKind::Places, Place::decode_all).map_err(wrong(number))?,
        epochs,
        undelivered: single(&blocks, BlockKind::Undelivered, Undelivered::decode_all).map_err(wrong(number))?,
        blocks,
        manifest,
    })
}
