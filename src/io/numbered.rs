//! Files that have a number for a name and an extension that says what they are.

use std::{
    fs,
    io::{self, ErrorKind},
    path::Path,
};

/// The numbers of the files with an extension in a directory, ascending; none where there is no directory. Other files don't count.
///
/// # Errors
/// The directory can't be read.
pub(super) fn numbers(dir: &Path, extension: &str) -> io::Result<Vec<u64>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<u64>().ok());
        if let (Some(number), true) = (number, path.extension().is_some_and(|found| found == extension)) {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}
