//! Which file a file is, and whether another run can go on in it.

use crate::{engine::checkpoint::Position, wire::SplitPlace};
use std::{
    fs::{self, File, Metadata},
    io,
    path::Path,
};
use xxhash_rust::xxh3::xxh3_64;

/// How much of a file's beginning tells it from others.
const HEAD_MAX: usize = 4_096;

/// What tells a file from others: what the system numbers it with, and its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    head_len: u64,
    head_hash: u64,
}

#[cfg(unix)]
fn numbers(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

/// Without file numbers only truncation is noticed while a file is open.
#[cfg(not(unix))]
fn numbers(_: &Metadata) -> (u64, u64) {
    (0, 0)
}

#[cfg(unix)]
fn head(file: &File, wanted: usize) -> io::Result<Vec<u8>> {
    use std::os::unix::fs::FileExt;
    let mut bytes = vec![0; wanted];
    let mut filled = 0;
    while let Some(place) = bytes.get_mut(filled..).filter(|place| !place.is_empty()) {
        match file.read_at(place, filled as u64)? {
            0 => break,
            count => filled += count,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// Nothing is known of the beginning: a file is known by its path alone.
#[cfg(not(unix))]
fn head(_: &File, _: usize) -> io::Result<Vec<u8>> {
    Ok(Vec::new())
}

impl Identity {
    /// That of the file at a path; none if it is a pipe or a device, which can't be read again.
    pub(super) fn of(path: &Path) -> io::Result<Option<Self>> {
        if !fs::metadata(path)?.is_file() {
            return Ok(None);
        }
        Self::of_open(&File::open(path)?).map(Some)
    }

    /// That of an open file. Where it is read isn't moved.
    pub(super) fn of_open(file: &File) -> io::Result<Self> {
        let (device, inode) = numbers(&file.metadata()?);
        let head = head(file, HEAD_MAX)?;
        Ok(Self { device, inode, head_len: head.len() as u64, head_hash: xxh3_64(&head) })
    }

    /// Whether these are the same file's, whatever was written to it.
    pub(super) fn is(&self, metadata: &Metadata) -> bool {
        (self.device, self.inode) == numbers(metadata)
    }

    /// Where to go on in the file at `path`, if its beginning is that of the file that was read.
    pub(super) fn goes_on(&self, path: &Path, position: &Position) -> Option<SplitPlace> {
        let file = File::open(path).ok()?;
        resumes(&file, position).ok().flatten()
    }
}

/// Where to go on in a file, if its beginning is that of the one that was read. How long it is says nothing where it is compressed.
fn resumes(file: &File, position: &Position) -> io::Result<Option<SplitPlace>> {
    let Position::File { head_len, head_hash, byte, line, begun, .. } = *position else { return Ok(None) };
    let found = head(file, usize::try_from(head_len).map_or(HEAD_MAX, |len| len.min(HEAD_MAX)))?;
    let same = found.len() as u64 == head_len && xxh3_64(&found) == head_hash;
    let compressed = found.starts_with(&[0x1f, 0x8b]);
    let reaches = compressed || file.metadata()?.len() >= byte;
    Ok((same && reaches).then_some(SplitPlace { byte, line, begun }))
}

/// A place in a file.
pub(super) fn to_position(name: &str, identity: &Identity, place: SplitPlace) -> Position {
    let Identity { device, inode, head_len, head_hash } = *identity;
    let SplitPlace { byte, line, begun } = place;
    Position::File { path: name.to_owned(), device, inode, head_len, head_hash, byte, line, begun }
}

/// What became of a file that was followed, while nobody did.
pub(super) enum Moved {
    /// It is there, under its name or another.
    To {
        /// The file, open.
        file: File,
        /// Which it is.
        identity: Identity,
        /// Where to go on.
        place: SplitPlace,
    },
    /// It isn't in its directory any more.
    Gone,
}

impl Moved {
    /// Looks for the file that was read: at its path, and else for one with its numbers beside it.
    pub(super) fn find(path: &Path, position: &Position) -> io::Result<Self> {
        let Position::File { device, inode, .. } = *position else { return Ok(Self::Gone) };
        let mut candidates = vec![path.to_owned()];
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if let Ok(entries) = fs::read_dir(dir) {
            let is_it = |entry: &fs::DirEntry| {
                entry.metadata().is_ok_and(|found| found.is_file() && (device, inode) == numbers(&found))
            };
            candidates.extend(entries.filter_map(Result::ok).filter(is_it).map(|entry| entry.path()));
        }
        for candidate in candidates {
            let file = match File::open(&candidate) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if let Some(place) = resumes(&file, position)? {
                let identity = Identity::of_open(&file)?;
                return Ok(Self::To { file, identity, place });
            }
        }
        Ok(Self::Gone)
    }
}
