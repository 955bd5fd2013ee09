//! From files to a checkpoint.

use super::{StateError, dir::file_of};
use crate::{
    engine::{
        Payloads,
        checkpoint::{BlockId, BlockKind, CheckpointError, Head, Manifest, Names, Place, SinkEpochs, Undelivered},
    },
    model::DecodeError,
};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    fs,
    path::Path,
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
    pub payloads: Payloads,
}

/// Reads a checkpoint of a directory, whole.
///
/// # Errors
/// A file that can't be read, or what is wrong with one.
pub fn read(dir: &Path, number: u64) -> Result<Saved, StateError> {
    let load = |number: u64| {
        let path = file_of(dir, number);
        fs::read(&path).map_err(|error| StateError::File { path, error })
    };
    let wrong = |file: u64| move |error: CheckpointError| StateError::Checkpoint { path: file_of(dir, file), error };
    let own = load(number)?;
    let bytes = own.len() as u64;
    let (found, manifest) = Manifest::of_file(&own).map_err(wrong(number))?;
    if found != number {
        let error = CheckpointError::NoCheckpoint("its number isn't the one of its name");
        return Err(wrong(number)(error));
    }
    let mut files: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    files.insert(number, own);
    for file in manifest.files() {
        if let Entry::Vacant(place) = files.entry(file) {
            place.insert(load(file)?);
        }
    }
    let mut payloads = Payloads::new();
    for (&id, stored) in &manifest.blocks {
        let file = files.get(&stored.file).map(Vec::as_slice).unwrap_or_default();
        let payload = manifest.payload(id, file).map_err(wrong(stored.file))?;
        payloads.insert(id, payload.to_vec());
    }
    fn part<T>(
        payloads: &Payloads,
        kind: BlockKind,
        decode: impl FnOnce(&[u8]) -> Result<T, DecodeError>,
    ) -> Result<T, CheckpointError> {
        let block = BlockId::single(kind);
        let payload = payloads.get(&block).ok_or(CheckpointError::Missing { block })?;
        decode(payload).map_err(|error| CheckpointError::Decode { block, error })
    }
    let epochs = match payloads.contains_key(&BlockId::single(BlockKind::Epochs)) {
        true => part(&payloads, BlockKind::Epochs, SinkEpochs::decode_all).map_err(wrong(number))?,
        false => Vec::new(),
    };
    Ok(Saved {
        number,
        bytes,
        head: part(&payloads, BlockKind::Head, Head::decode).map_err(wrong(number))?,
        names: part(&payloads, BlockKind::Names, Names::decode).map_err(wrong(number))?,
        places: part(&payloads, BlockKind::Places, Place::decode_all).map_err(wrong(number))?,
        epochs,
        undelivered: part(&payloads, BlockKind::Undelivered, Undelivered::decode_all).map_err(wrong(number))?,
        payloads,
        manifest,
    })
}
