//! The files of tests that a person means.

use super::TestFileError;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The files among `paths`: a file is itself, a directory stands for the `.yaml` and `.yml` files in it and below that lie
/// in directories called `tests`, in order of path.
///
/// # Errors
/// A directory that can't be read or that holds no test.
pub fn test_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, TestFileError> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let before = files.len();
        let absolute = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        walk(path, absolute.file_name().is_some_and(|name| name == "tests"), &mut files)?;
        if files.len() == before {
            return Err(TestFileError::NoTests { path: path.clone() });
        }
    }
    Ok(files)
}

fn walk(directory: &Path, is_tests: bool, files: &mut Vec<PathBuf>) -> Result<(), TestFileError> {
    let failed = |error| TestFileError::Read { path: directory.to_owned(), error };
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        entries.push(entry.map_err(failed)?);
    }
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        // A link to a directory is not followed: it may lead back here.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(&path, path.file_name().is_some_and(|name| name == "tests"), files)?;
        } else if is_tests && path.extension().is_some_and(|kind| kind == "yaml" || kind == "yml") {
            files.push(path);
        }
    }
    Ok(())
}
