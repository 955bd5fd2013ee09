//! Sets and their references on disk.

use super::kind::Kind;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A set with expected answers.
#[derive(Debug)]
pub(crate) struct Set {
    /// The folder's name.
    pub(crate) name: String,
    /// Its events.
    pub(crate) events: PathBuf,
    /// Its fences, if it has any.
    pub(crate) fences: Option<PathBuf>,
    /// Its planned routes, if it has any.
    pub(crate) routes: Option<PathBuf>,
    /// The files of expected answers, by name.
    pub(crate) references: Vec<(Kind, PathBuf)>,
}

/// The sets of a directory, by name: folders with events and expected answers.
///
/// # Errors
/// A directory that can't be read.
pub(crate) fn find_sets(dir: &Path) -> Result<Vec<Set>, String> {
    let mut sets = Vec::new();
    for folder in listed(dir)? {
        let (events, expected) = (folder.join("events.ndjson.gz"), folder.join("expected"));
        if !events.is_file() || !expected.is_dir() {
            continue;
        }
        let mut references = Vec::new();
        for path in listed(&expected)? {
            if path.extension().is_some_and(|kind| kind == "json") {
                references.push((Kind::of(&path), path));
            }
        }
        let fences = Some(folder.join("geofences.geojson")).filter(|path| path.is_file());
        let routes = Some(folder.join("routes.geojson")).filter(|path| path.is_file());
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        sets.push(Set { name, events, fences, routes, references });
    }
    Ok(sets)
}

pub(super) fn listed(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(dir).map_err(|error| format!("can't read `{}`: {error}", dir.display()))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}
