//! A file that lines are appended to.

use super::{Lines, Sink, SinkError};
use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// When a file is begun anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Before a batch would make it larger than this.
    pub bytes: u64,
    /// How many old files are kept, as `NAME.1` (the latest) to `NAME.keep`.
    pub keep: u32,
}

/// Appends lines to a file. A batch is in the file whole or, on an error, not at all.
#[derive(Debug)]
pub struct FileSink {
    path: PathBuf,
    name: String,
    file: File,
    length: u64,
    rotation: Option<Rotation>,
    /// A failed batch may have left a piece behind.
    torn: bool,
}

impl FileSink {
    /// Opens or makes the file, and the directories on the way to it.
    ///
    /// # Errors
    /// The system says no.
    pub fn open(path: &Path, rotation: Option<Rotation>) -> Result<Self, SinkError> {
        let name = path.display().to_string();
        let opened = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| append_to(path));
        match opened {
            Ok((file, length)) => Ok(Self { path: path.to_owned(), name, file, length, rotation, torn: false }),
            Err(error) => Err(SinkError::Write { name, error }),
        }
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.torn {
            self.file.set_len(self.length)?;
            self.torn = false;
        }
        if let Some(Rotation { bytes: limit, keep }) = self.rotation
            && self.length > 0
            && self.length.saturating_add(bytes.len() as u64) > limit
        {
            self.rotate(keep)?;
        }
        self.torn = true;
        self.file.write_all(bytes)?;
        self.torn = false;
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn rotate(&mut self, keep: u32) -> io::Result<()> {
        let numbered = |number: u32| {
            let mut name = self.path.clone().into_os_string();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        for number in (1..keep).rev() {
            match fs::rename(numbered(number), numbered(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.file.sync_data()?;
        fs::rename(&self.path, numbered(1))?;
        (self.file, self.length) = append_to(&self.path)?;
        Ok(())
    }
}

/// Opens the file at its end. A process that was killed may have left a piece of a line there: it gets a line of its own, so that
/// the next one is whole.
fn append_to(path: &Path) -> io::Result<(File, u64)> {
    let mut file = File::options().append(true).create(true).open(path)?;
    let mut length = file.metadata()?.len();
    // Of a pipe or a device the length is 0, and there is nothing to look at.
    if length > 0 {
        let mut last = [0];
        let mut written = File::open(path)?;
        written.seek(SeekFrom::End(-1))?;
        written.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
            length += 1;
        }
    }
    Ok((file, length))
}

impl Sink for FileSink {
    fn name(&self) -> &str {
        &self.name
    }

    fn write(&mut self, lines: &Lines) -> Result<(), SinkError> {
        if lines.is_empty() {
            return Ok(());
        }
        self.append(lines.bytes()).map_err(|error| SinkError::Write { name: self.name.clone(), error })
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    fn close(&mut self) -> Result<(), SinkError> {
        match self.file.sync_data() {
            // Pipes and devices can't be synced, and needn't be.
            Err(error) if error.kind() != io::ErrorKind::InvalidInput => {
                Err(SinkError::Write { name: self.name.clone(), error })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Lines {
        let mut lines = Lines::new();
        lines.push_with("", |out| out.extend_from_slice(text.as_bytes()));
        lines
    }

    #[test]
    fn lines_are_appended_to_what_is_there_and_directories_are_made() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/out.ndjson");
        for text in ["one", "two"] {
            let mut sink = FileSink::open(&path, None).unwrap();
            sink.write(&line(text)).unwrap();
            sink.close().unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        let error = FileSink::open(&path.join("c"), None).unwrap_err().to_string();
        assert!(error.starts_with("can't write `"), "{error}");
    }

    #[test]
    fn a_file_past_its_size_is_begun_anew_and_old_ones_are_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let mut sink = FileSink::open(&path, Some(Rotation { bytes: 8, keep: 2 })).unwrap();
        for text in ["aaa", "bbb", "ccc", "a line longer than the limit", "ddd"] {
            sink.write(&line(text)).unwrap();
        }
        let text = |name: &str| fs::read_to_string(dir.path().join(name)).ok();
        assert_eq!(text("out").as_deref(), Some("ddd\n"));
        assert_eq!(text("out.1").as_deref(), Some("a line longer than the limit\n"));
        assert_eq!(text("out.2").as_deref(), Some("ccc\n"));
        assert_eq!(text("out.3"), None);
    }

    #[test]
    fn a_failing_disk_is_an_error_that_the_caller_sees() {
        if Path::new("/dev/full").exists() {
            let mut sink = FileSink::open(Path::new("/dev/full"), None).unwrap();
            let error = sink.write(&line("x")).unwrap_err();
            assert!(matches!(error, SinkError::Write { .. }), "{error}");
        }
    }
}
