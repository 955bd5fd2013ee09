//! The log of an outbox, open for one process.

use super::{
    Fate, LogReport, OutboxError, Record, Segment, Torn,
    files::{file_of, read_log},
    record::{HEADER_LEN, frame, header, scan},
};
use crate::io::lock::DirLock;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs::{self, File},
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

/// How long the log may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxLogOptions {
    /// Past so many bytes a segment is followed by another.
    pub segment_bytes: u64,
    /// So much of what is settled is kept, for `geocep reconcile` and so that a restart knows again what it finds again.
    pub keep_bytes: u64,
}

/// Where an alert stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    segment: u64,
    at: u32,
    length: u32,
}

/// An alert that had not been settled when the log was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its number.
    pub number: u64,
    /// When it was put in, by the wall clock.
    pub wall_ms: i64,
    /// Where it stands.
    pub slot: Slot,
    /// How many bytes of the log it takes.
    pub bytes: u32,
}

/// What was in the log.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Alerts that aren't settled, in order.
    pub waiting: Vec<Waiting>,
    /// Ids of alerts that are waiting, or that were put in since a run last came to its end.
    pub known: BTreeSet<u128>,
    /// Segments that weren't whole.
    pub torn: Vec<Torn>,
}

/// Files that were written to since somebody last asked. Syncing them takes no part of the log.
#[derive(Debug)]
pub struct Unsynced {
    files: Vec<Arc<File>>,
    /// The directory, where names came to it.
    dir: Option<PathBuf>,
}

impl Unsynced {
    /// Makes them durable.
    ///
    /// # Errors
    /// The system says no.
    pub fn sync(&self) -> io::Result<()> {
        self.files.iter().try_for_each(|file| file.sync_data())?;
        match self.dir.as_ref().map(|dir| File::open(dir).and_then(|dir| dir.sync_all())) {
            // Where directories can't be opened or synced, names are durable when the system says so.
            Some(Err(error)) if !matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::InvalidInput) => {
                Err(error)
            }
            _ => Ok(()),
        }
    }
}

/// A log that this process has taken.
#[derive(Debug)]
pub struct OutboxLog {
    dir: PathBuf,
    options: OutboxLogOptions,
    _lock: DirLock,
    /// All segments, the one that is written to included.
    segments: VecDeque<Segment>,
    /// The last segment, if this process has begun one.
    file: Option<Arc<File>>,
    /// A record that failed may have left a piece behind.
    torn: bool,
    next: u64,
    next_segment: u64,
    unsynced: Vec<Arc<File>>,
    unsynced_names: bool,
    /// What was last read from.
    reading: Option<(u64, File)>,
    scratch: Vec<u8>,
}

impl OutboxLog {
    /// Takes the directory, which is made where it isn't there, and reads what is in it. What a kill left at its end is cut off.
    ///
    /// # Errors
    /// The system says no, or another process has it.
    pub fn open(dir: &Path, options: OutboxLogOptions) -> Result<(Self, Recovered), OutboxError> {
        let failed = |error| OutboxError::File { path: dir.to_owned(), error };
        let lock = DirLock::take(dir).map_err(failed)?;
        let lock = lock.ok_or_else(|| OutboxError::Taken { path: dir.to_owned() })?;
        let mut waiting: BTreeMap<u64, (Waiting, u128)> = BTreeMap::new();
        let mut known: BTreeSet<u128> = BTreeSet::new();
        let mut next = 0;
        let LogReport { segments, torn } = read_log(dir, |record, segment, at, length| match record {
            Record::Put { number, wall_ms, id, .. } => {
                // Segments are of 4 GiB at most, as are frames.
                let (Ok(at), Ok(length)) = (u32::try_from(at), u32::try_from(length)) else { return };
                let slot = Slot { segment, at, length };
                waiting.insert(number, (Waiting { number, wall_ms, slot, bytes: length }, id));
                known.insert(id);
                next = next.max(number.saturating_add(1));
            }
            Record::Settled { first, last, .. } => {
                let settled: Vec<u64> = match first <= last {
                    true => waiting.range(first..=last).map(|(number, _)| *number).collect(),
                    false => Vec::new(),
                };
                for number in settled {
                    waiting.remove(&number);
                }
            }
            Record::Ended => known.clear(),
        })?;
        for torn in torn.iter().filter(|torn| torn.last) {
            let cut = match torn.good {
                0 => fs::remove_file(&torn.path),
                good => File::options().write(true).open(&torn.path).and_then(|file| file.set_len(good)),
            };
            cut.map_err(|error| OutboxError::File { path: torn.path.clone(), error })?;
        }
        known.extend(waiting.values().map(|(_, id)| *id));
        next = segments.iter().map(|segment| segment.first).fold(next, u64::max);
        let next_segment = segments.last().map_or(1, |last| last.number.saturating_add(1));
        let log = Self {
            dir: dir.to_owned(),
            options,
            _lock: lock,
            segments: segments.into_iter().filter(|segment| segment.bytes > 0).collect(),
            file: None,
            torn: false,
            next,
            next_segment,
            unsynced: Vec::new(),
            unsynced_names: false,
            reading: None,
            scratch: Vec::new(),
        };
        let waiting = waiting.into_values().map(|(waiting, _)| waiting).collect();
        Ok((log, Recovered { waiting, known, torn }))
    }

    /// The number of the next alert.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Puts an alert in; its number and where it stands.
    ///
    /// # Errors
    /// The system says no; the log is as it was.
    pub fn put(&mut self, wall_ms: i64, id: u128, rule: &str, line: &[u8]) -> io::Result<(u64, Slot)> {
        let number = self.next;
        let next = number.checked_add(1).ok_or_else(|| io::Error::other("the outbox has no more numbers"))?;
        let slot = self.append(&Record::Put { number, wall_ms, id, rule, line })?;
        self.next = next;
        Ok((number, slot))
    }

    /// Notes what became of alerts. `oldest` is the number of the first that isn't settled then: what lies before it may go.
    ///
    /// # Errors
    /// The system says no: after a restart they are waiting again.
    pub fn settle(&mut self, wall_ms: i64, (first, last): (u64, u64), fate: Fate, oldest: u64) -> io::Result<()> {
        self.append(&Record::Settled { first, last, wall_ms, fate })?;
        self.forget(oldest)
    }

    /// Notes that the run came to its end.
    ///
    /// # Errors
    /// The system says no.
    pub fn ended(&mut self) -> io::Result<()> {
        self.append(&Record::Ended).map(drop)
    }

    /// An alert that was put in: its id, rule and line.
    ///
    /// # Errors
    /// It can't be read, or isn't what was written.
    pub fn read(&mut self, slot: Slot) -> Result<(u128, String, Vec<u8>), OutboxError> {
        let path = file_of(&self.dir, slot.segment);
        let failed = |error| OutboxError::File { path: path.clone(), error };
        let file = match self.reading.take() {
            Some((segment, file)) if segment == slot.segment => file,
            _ => File::open(&path).map_err(failed)?,
        };
        let (_, file) = self.reading.insert((slot.segment, file));
        file.seek(SeekFrom::Start(u64::from(slot.at))).map_err(failed)?;
        // As if it were the only record of its segment.
        let mut bytes = header(0);
        bytes.resize(HEADER_LEN + slot.length as usize, 0);
        file.read_exact(bytes.get_mut(HEADER_LEN..).unwrap_or_default()).map_err(failed)?;
        match scan(&bytes).next() {
            Some((Record::Put { id, rule, line, .. }, ..)) => Ok((id, rule.to_owned(), line.to_vec())),
            _ => Err(OutboxError::Corrupt { path, at: u64::from(slot.at) }),
        }
    }

    /// What has to be synced for all that was written to be durable.
    pub fn unsynced(&mut self) -> Unsynced {
        let dir = std::mem::take(&mut self.unsynced_names).then(|| self.dir.clone());
        Unsynced { files: std::mem::take(&mut self.unsynced), dir }
    }

    /// Syncing these failed: they are so still.
    pub fn still_unsynced(&mut self, unsynced: Unsynced) {
        self.unsynced.extend(unsynced.files);
        self.unsynced_names |= unsynced.dir.is_some();
    }

    fn append(&mut self, record: &Record<'_>) -> io::Result<Slot> {
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        let appended = match frame(record, &mut bytes) {
            Some(length) => self.append_bytes(&bytes, length),
            None => Err(io::Error::new(ErrorKind::InvalidInput, "a line is longer than 4 GiB")),
        };
        self.scratch = bytes;
        appended
    }

    fn append_bytes(&mut self, bytes: &[u8], length: u32) -> io::Result<Slot> {
        let limit = self.options.segment_bytes.min(u64::from(u32::MAX));
        let full = |segment: &Segment| segment.bytes.saturating_add(u64::from(length)) > limit;
        if self.file.is_some() && self.segments.back().is_none_or(full) {
            self.file = None;
        }
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => self.begin()?,
        };
        let Some(segment) = self.segments.back_mut() else { return Err(io::Error::other("no segment")) };
        if self.torn {
            file.set_len(segment.bytes)?;
            self.torn = false;
        }
        self.torn = true;
        (&*file).write_all(bytes)?;
        self.torn = false;
        let at = u32::try_from(segment.bytes).map_err(io::Error::other)?;
        segment.bytes += u64::from(length);
        if self.unsynced.last().is_none_or(|last| !Arc::ptr_eq(last, &file)) {
            self.unsynced.push(file);
        }
        Ok(Slot { segment: segment.number, at, length })
    }

    fn begin(&mut self) -> io::Result<Arc<File>> {
        let path = file_of(&self.dir, self.next_segment);
        let mut file = File::options().append(true).create_new(true).open(&path)?;
        if let Err(error) = file.write_all(&header(self.next)) {
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        let file = Arc::new(file);
        self.segments.push_back(Segment { number: self.next_segment, first: self.next, bytes: HEADER_LEN as u64 });
        self.next_segment += 1;
        self.torn = false;
        self.unsynced_names = true;
        self.file = Some(Arc::clone(&file));
        Ok(file)
    }

    /// Removes segments at the beginning of which all is settled, as long as the rest is as much as is to be kept.
    fn forget(&mut self, oldest: u64) -> io::Result<()> {
        let mut bytes: u64 = self.segments.iter().map(|segment| segment.bytes).sum();
        while let (Some(first), Some(second)) = (self.segments.front(), self.segments.get(1)) {
            let rest = bytes.saturating_sub(first.bytes);
            if second.first > oldest || rest < self.options.keep_bytes {
                break;
            }
            match fs::remove_file(file_of(&self.dir, first.number)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            bytes = rest;
            self.segments.pop_front();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: OutboxLogOptions = OutboxLogOptions { segment_bytes: 200, keep_bytes: 0 };

    fn numbers(recovered: &Recovered) -> Vec<u64> {
        recovered.waiting.iter().map(|waiting| waiting.number).collect()
    }

    fn files(dir: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = entries.filter(|path| path.extension().is_some()).collect();
        files.sort();
        files
    }

    #[test]
    fn what_is_not_settled_is_there_after_a_restart_in_order_and_segments_that_are_go() {
        let dir = tempfile::tempdir().unwrap();
        let (mut log, recovered) = OutboxLog::open(dir.path(), OPTIONS).unwrap();
        assert!(recovered.waiting.is_empty() && recovered.known.is_empty());
        let mut slots = Vec::new();
        for id in 0..20u128 {
            slots.push(log.put(id as i64, id, "R", format!("line {id}").as_bytes()).unwrap().1);
        }
        assert!(files(dir.path()).len() > 4, "{:?}", files(dir.path()));
        assert_eq!(log.read(slots[3]).unwrap(), (3, "R".to_owned(), b"line 3".to_vec()));
        assert_eq!(log.read(slots[19]).unwrap().0, 19);
        assert!(matches!(OutboxLog::open(dir.path(), OPTIONS), Err(OutboxError::Taken { .. })));
        log.settle(99, (0, 9), Fate::Acknowledged, 10).unwrap();
        log.settle(99, (12, 12), Fate::Dead("no".to_owned()), 10).unwrap();
        assert!(!files(dir.path())[0].ends_with("000000000001.seg"));
        log.unsynced().sync().unwrap();
        drop(log);
        let (mut log, recovered) = OutboxLog::open(dir.path(), OPTIONS).unwrap();
        assert_eq!(numbers(&recovered), [10, 11, 13, 14, 15, 16, 17, 18, 19]);
        assert_eq!(recovered.waiting[0].wall_ms, 10);
        assert_eq!(log.next(), 20);
        assert_eq!(log.read(recovered.waiting[1].slot).unwrap().2, b"line 11");
        log.ended().unwrap();
        drop(log);
        // Of a run that ended only what waits is known.
        let (_, recovered) = OutboxLog::open(dir.path(), OPTIONS).unwrap();
        assert_eq!(recovered.known.len(), 9);
    }

    #[test]
    fn a_torn_tail_is_cut_off_and_what_comes_after_it_is_read_again() {
        for cut in 1..60 {
            let dir = tempfile::tempdir().unwrap();
            let (mut log, _) = OutboxLog::open(dir.path(), OPTIONS).unwrap();
            log.put(0, 1, "R", b"one").unwrap();
            log.put(0, 2, "R", b"two").unwrap();
            drop(log);
            let path = &files(dir.path())[0];
            let length = fs::metadata(path).unwrap().len();
            File::options().write(true).open(path).unwrap().set_len(length - cut.min(length)).unwrap();
            let (mut log, recovered) = OutboxLog::open(dir.path(), OPTIONS).unwrap();
            // Cut off exactly behind a record it is whole.
            assert!(recovered.torn.iter().all(|torn| torn.last), "{cut}");
            let left = recovered.waiting.len() as u64;
            assert!(left < 2, "{cut}");
            assert_eq!(log.put(0, 3, "R", b"three").unwrap().0, left);
            drop(log);
            let (_, recovered) = OutboxLog::open(dir.path(), OPTIONS).unwrap();
            assert!(recovered.torn.is_empty() && recovered.known.contains(&3), "{cut}");
            assert_eq!(recovered.waiting.len() as u64, left + 1, "{cut}");
        }
    }

    #[test]
    fn a_segment_that_is_corrupt_in_the_middle_costs_its_rest_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let (mut log, _) = OutboxLog::open(dir.path(), OPTIONS).unwrap();
        for id in 0..12u128 {
            log.put(0, id, "R", b"a line").unwrap();
        }
        drop(log);
        let path = &files(dir.path())[1];
        let mut bytes = fs::read(path).unwrap();
        let at = bytes.len() - 3;
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
        let (_, recovered) = OutboxLog::open(dir.path(), OPTIONS).unwrap();
        assert_eq!(recovered.torn.len(), 1);
        assert!(!recovered.torn[0].last && recovered.torn[0].good < recovered.torn[0].bytes);
        assert_eq!(recovered.waiting.len(), 11);
    }

    #[test]
    fn what_another_version_wrote_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("000000000001.seg");
        let mut bytes = header(0);
        bytes[8] = 2;
        fs::write(&path, &bytes).unwrap();
        assert!(matches!(OutboxLog::open(dir.path(), OPTIONS), Err(OutboxError::Foreign { .. })));
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }

    #[test]
    fn as_much_as_is_to_be_kept_stays_though_it_is_settled() {
        let dir = tempfile::tempdir().unwrap();
        let options = OutboxLogOptions { segment_bytes: 200, keep_bytes: 600 };
        let (mut log, _) = OutboxLog::open(dir.path(), options).unwrap();
        for id in 0..100u128 {
            let (number, _) = log.put(0, id, "R", b"a line").unwrap();
            log.settle(0, (number, number), Fate::Acknowledged, number + 1).unwrap();
        }
        let bytes: u64 = files(dir.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
        assert!((600..1_000).contains(&bytes), "{bytes}");
    }
}
