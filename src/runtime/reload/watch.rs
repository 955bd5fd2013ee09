//! Files that are looked at now and then: whether any was changed, came or went. Looking works on any file system, also on those that
//! tell nobody of changes.

#![allow(clippy::disallowed_types, reason = "a file's times are compared with one another only, never with now")]

use crate::runtime::{
    config::{Config, rule_files},
    fences::fence_files,
};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// What tells one edition of a file from another; none while it can't be looked at.
type Stamp = Option<(SystemTime, u64)>;

/// The files of a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamps(BTreeMap<PathBuf, Stamp>);

impl Stamps {
    /// The configuration file, the rule files and the fences.
    pub(super) fn look(file: Option<&Path>, config: &Config) -> Self {
        let rules = config.rules.iter().flat_map(|path| match rule_files(std::slice::from_ref(path)) {
            Ok(files) => files,
            Err(_) => vec![path.clone()],
        });
        let fences = config.geofences.values().flat_map(|set| match fence_files(&set.path) {
            Ok(files) => files,
            Err(_) => vec![set.path.clone()],
        });
        let files = file.map(Path::to_owned).into_iter().chain(rules).chain(fences);
        Self(files.map(|path| (path.clone(), stamp(&path))).collect())
    }
}

fn stamp(path: &Path) -> Stamp {
    let found = fs::metadata(path).ok()?;
    Some((found.modified().ok()?, found.len()))
}

/// Notices a change once the files have come to rest: whoever writes several of them is let finish.
#[derive(Debug)]
pub(super) struct Watch {
    /// What was read last.
    read: Stamps,
    /// What was seen last, where that is something else.
    seen: Option<Stamps>,
}

impl Watch {
    pub(super) fn new(read: Stamps) -> Self {
        Self { read, seen: None }
    }

    /// Whether the files have changed since they were read, and not since they were last looked at.
    pub(super) fn has_changed(&mut self, now: Stamps) -> bool {
        if now == self.read {
            self.seen = None;
            return false;
        }
        let rests = self.seen.as_ref() == Some(&now);
        self.seen = Some(now);
        rests
    }

    /// These have been read, whatever came of it.
    pub(super) fn set_read(&mut self, read: Stamps) {
        (self.read, self.seen) = (read, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_once_when_the_files_have_come_to_rest() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config { rules: vec![dir.path().to_owned()], ..Config::default() };
        let look = || Stamps::look(None, &config);
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        write("a.yaml", "a");
        let mut watch = Watch::new(look());
        assert!(!watch.has_changed(look()));
        write("a.yaml", "aa");
        assert!(!watch.has_changed(look()));
        write("b.yaml", "b");
        assert!(!watch.has_changed(look()), "it is still being written");
        assert!(watch.has_changed(look()));
        watch.set_read(look());
        assert!(!watch.has_changed(look()));
        fs::remove_file(dir.path().join("b.yaml")).unwrap();
        assert!(!watch.has_changed(look()));
        write("b.yaml", "b");
        fs::remove_file(dir.path().join("b.yaml")).unwrap();
        assert!(watch.has_changed(look()));
        fs::remove_file(dir.path().join("a.yaml")).unwrap();
        assert!(!watch.has_changed(look()), "no file is left, which is a change like others");
        assert!(watch.has_changed(look()));
    }
}
