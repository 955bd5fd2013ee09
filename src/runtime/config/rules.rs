//! Which files `rules:` means.

use super::ConfigError;
use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

/// The rule files of these paths, in their order, each once. A directory stands for the `.yaml` and `.yml` files in it and
/// below, but for those in directories called `tests`, in order of path; `*` and `?` in a part of a path stand for any
/// characters but a slash. Hidden names are left out of both.
///
/// # Errors
/// A path that no file answers to, or that can't be read.
pub fn rule_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, ConfigError> {
    let mut files: Vec<PathBuf> = Vec::new();
    for path in paths {
        let mut found = Vec::new();
        let mut directory = false;
        for place in matching(path)? {
            if place.is_dir() {
                directory = true;
                walk(&place, 0, &mut found)?;
            } else if place.exists() {
                found.push(place);
            }
        }
        if found.is_empty() {
            return Err(ConfigError::NoRules { path: path.clone(), directory });
        }
        for file in found {
            if !files.contains(&file) {
                files.push(file);
            }
        }
    }
    Ok(files)
}

/// Deeper than this a link leads in a circle.
const DEPTH_MAX: u32 = 16;

fn walk(directory: &Path, depth: u32, found: &mut Vec<PathBuf>) -> Result<(), ConfigError> {
    for path in list(directory)? {
        let tests = path.file_name().is_some_and(|name| name == "tests");
        if path.is_dir() {
            if !tests && depth < DEPTH_MAX {
                walk(&path, depth + 1, found)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            found.push(path);
        }
    }
    Ok(())
}

/// The existing paths that a pattern means; a path without a wildcard is itself.
fn matching(pattern: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let mut places = vec![PathBuf::new()];
    for part in pattern.components() {
        let wild = match part {
            Component::Normal(name) => name.to_str().filter(|name| name.contains(['*', '?'])),
            _ => None,
        };
        let Some(wild) = wild else {
            places.iter_mut().for_each(|place| place.push(part));
            continue;
        };
        let mut next = Vec::new();
        for place in &places {
            let here = if place.as_os_str().is_empty() { Path::new(".") } else { place };
            if !here.is_dir() {
                continue;
            }
            for path in list(here)? {
                let Some(name) = path.file_name() else { continue };
                if name.to_str().is_some_and(|name| fits(wild.as_bytes(), name.as_bytes())) {
                    next.push(place.join(name));
                }
            }
        }
        places = next;
    }
    Ok(places)
}

/// What is in a directory, sorted, without hidden names.
fn list(directory: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let read = || -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                paths.push(entry.path());
            }
        }
        paths.sort();
        Ok(paths)
    };
    read().map_err(|error| ConfigError::Read { path: directory.to_owned(), error })
}

/// Whether a name fits a pattern: on a mismatch the last `*` takes one more byte, so no pattern is slow.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut in_name) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(&byte) = name.get(in_name) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, in_name));
                at += 1;
            }
            Some(&wanted) if wanted == byte || wanted == b'?' => {
                at += 1;
                in_name += 1;
            }
            _ => match star {
                Some((star_at, taken)) => {
                    star = Some((star_at, taken + 1));
                    (at, in_name) = (star_at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|&byte| byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_directories_and_patterns_become_files_in_order() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["b.yaml", "a.yml", "notes.txt", ".hidden.yaml", "sea/z.yaml", "sea/tests/t.yaml", "air/y.yaml"] {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let files = |paths: &[&str]| {
            let paths: Vec<_> = paths.iter().map(|path| dir.path().join(path)).collect();
            let found = rule_files(&paths).map_err(|error| error.to_string())?;
            let short = |path: &PathBuf| path.strip_prefix(dir.path()).unwrap().display().to_string();
            Ok::<_, String>(found.iter().map(short).collect::<Vec<_>>())
        };
        assert_eq!(files(&["b.yaml", ""]).unwrap(), ["b.yaml", "a.yml", "air/y.yaml", "sea/z.yaml"]);
        assert_eq!(files(&["*/*.yaml"]).unwrap(), ["air/y.yaml", "sea/z.yaml"]);
        assert_eq!(files(&["s*", "?.ya?l"]).unwrap(), ["sea/z.yaml", "b.yaml"]);
        assert!(files(&["c.yaml"]).unwrap_err().ends_with("c.yaml`"));
        assert!(files(&["none/*.yaml"]).is_err());
        fs::create_dir(dir.path().join("empty")).unwrap();
        assert!(files(&["empty"]).unwrap_err().ends_with("the directory has no `.yaml`"));
    }

    #[test]
    fn stars_fit_as_little_or_much_as_it_takes() {
        for (pattern, name, expected) in
            [("*", "", true), ("a*b*c", "axxbxbc", true), ("a*b", "ac", false), ("?", "", false), ("**a", "bba", true)]
        {
            assert_eq!(fits(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }
}
