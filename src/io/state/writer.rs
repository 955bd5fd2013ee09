//! From a cut to a file: what has changed since the last checkpoint, and where the rest stands.

use super::{
    StateError,
    dir::{checkpoints, file_of, sync_dir, temporary},
    read::manifest,
};
use crate::engine::{
    Cut, CutBlock,
    checkpoint::{
        BlockId, BlockKind, HEADER_LEN, Head, Manifest, Place, SinkEpochs, Stored, Undelivered, block_frame, footer,
        header,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

/// So many checkpoints refer to blocks of earlier ones; the next has everything itself.
const FULL_EVERY: u32 = 16;

/// What a checkpoint holds.
#[derive(Debug)]
pub struct Contents<'a> {
    /// When and by whom.
    pub head: &'a Head,
    /// The names behind the numbers, encoded.
    pub names: &'a [u8],
    /// How far sources were read.
    pub places: &'a [Place],
    /// What sinks have not acknowledged.
    pub undelivered: &'a [Undelivered],
    /// Of sinks that are written exactly once what they have not committed.
    pub epochs: &'a [SinkEpochs],
}

/// A checkpoint that is durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Its number.
    pub number: u64,
    /// The size of its file.
    pub bytes: u64,
    /// Blocks of states that were written, and those that an earlier file has.
    pub blocks: (usize, usize),
}

/// Writes checkpoints into a directory that this process has taken.
#[derive(Debug)]
pub struct CheckpointWriter {
    dir: PathBuf,
    retain: usize,
    next: u64,
    /// Where blocks stand that this process wrote, and the barrier of the cut that they are of.
    stored: BTreeMap<BlockId, (Stored, u64)>,
    /// Of each checkpoint in the directory the files that it needs.
    needs: BTreeMap<u64, BTreeSet<u64>>,
    /// The names behind the numbers of those blocks, encoded.
    names: Vec<u8>,
    since_full: u32,
}

impl CheckpointWriter {
    /// A writer that keeps the last `retain` checkpoints (at least 1), and the files that these refer to.
    ///
    /// # Errors
    /// The directory can't be read.
    pub fn new(dir: &Path, retain: usize) -> Result<Self, StateError> {
        let numbers = checkpoints(dir)?;
        let mut needs = BTreeMap::new();
        for &number in &numbers {
            // One that can't be read needs no other file any more.
            let manifest = manifest(&file_of(dir, number)).ok();
            needs.insert(number, manifest.map(|(_, manifest, _)| manifest.files()).unwrap_or_default());
        }
        let next = numbers.first().map_or(1, |newest| newest.saturating_add(1));
        let dir = dir.to_owned();
        Ok(Self { dir, retain: retain.max(1), next, stored: BTreeMap::new(), needs, names: Vec::new(), since_full: 0 })
    }

    /// Writes a checkpoint of a core. When this returns it is durable under its name; after an error the ones before are as they were. Files in
    /// `before` are made durable first: outputs that the checkpoint counts as delivered. What the core lent is given back block by block.
    ///
    /// # Errors
    /// The system says no: worth trying again with a later cut.
    pub fn write(&mut self, contents: &Contents<'_>, mut cut: Cut, before: &[PathBuf]) -> io::Result<Written> {
        let number = self.next;
        let path = temporary(&self.dir, number);
        // Under other names a number is another rule's, or another field's.
        let full = self.since_full >= FULL_EVERY || self.names != contents.names;
        let outcome = self.write_file(&path, number, full, contents, &mut cut).and_then(|(manifest, written)| {
            for path in before {
                match File::open(path).and_then(|file| file.sync_data()) {
                    // Pipes and devices can't be synced, and what was moved away was synced then.
                    Err(error) if !matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotFound) => {
                        return Err(error);
                    }
                    _ => {}
                }
            }
            fs::rename(&path, file_of(&self.dir, number))?;
            sync_dir(&self.dir)?;
            Ok((manifest, written))
        });
        let (manifest, written) = match outcome {
            Ok(done) => done,
            Err(error) => {
                let _ = fs::remove_file(&path);
                // It may have got its name, and not be durable under it.
                let _ = fs::remove_file(file_of(&self.dir, number));
                return Err(error);
            }
        };
        self.next += 1;
        self.since_full = if full { 0 } else { self.since_full + 1 };
        self.names = contents.names.to_vec();
        let barrier = cut.barrier();
        let old = std::mem::take(&mut self.stored);
        for (&id, &stored) in &manifest.blocks {
            let of = if stored.file == number { barrier } else { old.get(&id).map_or(barrier, |(_, of)| *of) };
            self.stored.insert(id, (stored, of));
        }
        self.needs.insert(number, manifest.files());
        self.forget_old();
        Ok(written)
    }

    fn write_file(
        &self,
        path: &Path,
        number: u64,
        full: bool,
        contents: &Contents<'_>,
        cut: &mut Cut,
    ) -> io::Result<(Manifest, Written)> {
        let Contents { head, names, places, undelivered, epochs } = contents;
        let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
        out.write_all(&header(number))?;
        let mut manifest = Manifest::default();
        let mut offset = HEADER_LEN as u64;
        let mut put = |id: BlockId, payload: &[u8], out: &mut BufWriter<File>| -> io::Result<Stored> {
            let block = block_frame(id, payload);
            out.write_all(&block.bytes)?;
            let stored = Stored { file: number, offset, length: block.length, checksum: block.checksum };
            offset += block.bytes.len() as u64;
            Ok(stored)
        };
        let unchanged = |id: &BlockId, since: u64| {
            self.stored.get(id).filter(|(_, of)| !full && since <= *of).map(|(stored, _)| *stored)
        };
        let single = BlockId::single;
        let small = [
            (single(BlockKind::Head), head.encode()),
            (single(BlockKind::Places), Place::encode_all(places)),
            (single(BlockKind::Undelivered), Undelivered::encode_all(undelivered)),
            (single(BlockKind::Core), cut.core().to_vec()),
            (single(BlockKind::Merge), cut.merge()),
        ];
        for (id, payload) in small {
            manifest.blocks.insert(id, put(id, &payload, &mut out)?);
        }
        if !epochs.is_empty() {
            let id = single(BlockKind::Epochs);
            manifest.blocks.insert(id, put(id, &SinkEpochs::encode_all(epochs), &mut out)?);
        }
        // Where these have changed everything is written.
        let id = single(BlockKind::Names);
        let stored = match unchanged(&id, 0) {
            Some(stored) => stored,
            None => put(id, names, &mut out)?,
        };
        manifest.blocks.insert(id, stored);
        let (mut wrote, mut kept) = (0, 0);
        let mut changed = Vec::new();
        for CutBlock { id, since } in cut.blocks() {
            match since.and_then(|since| unchanged(&id, since)) {
                Some(stored) => {
                    kept += 1;
                    manifest.blocks.insert(id, stored);
                    cut.let_go(id);
                }
                None => changed.push(id),
            }
        }
        for id in changed {
            wrote += 1;
            manifest.blocks.insert(id, put(id, &cut.payload(id).map_err(io::Error::other)?, &mut out)?);
            cut.let_go(id);
        }
        let at = put(single(BlockKind::Manifest), &manifest.encode(), &mut out)?.offset;
        out.write_all(&footer(at))?;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        let bytes = file.metadata()?.len();
        Ok((manifest, Written { number, bytes, blocks: (wrote, kept) }))
    }

    /// Removes the files that no checkpoint needs that is kept.
    fn forget_old(&mut self) {
        let kept: BTreeSet<u64> = self.needs.keys().rev().take(self.retain).copied().collect();
        let needed: BTreeSet<u64> = self
            .needs
            .iter()
            .filter(|(number, _)| kept.contains(number))
            .flat_map(|(_, files)| files)
            .copied()
            .collect();
        let old: Vec<u64> =
            self.needs.keys().filter(|number| !kept.contains(number) && !needed.contains(number)).copied().collect();
        for number in old {
            match fs::remove_file(file_of(&self.dir, number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(number, %error, "an old checkpoint can't be removed");
                }
                _ => drop(self.needs.remove(&number)),
            }
        }
    }
}
