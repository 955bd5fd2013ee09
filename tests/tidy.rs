//! The house checks itself: floors, the border, file length, lists in docs against code.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// The rooms, by floor; see `docs/architecture.md`.
const FLOORS: &[(&str, u8)] = &[
    ("geo", 0),
    ("model", 1),
    ("expr", 2),
    ("time", 2),
    ("wire", 2),
    ("scenario", 2),
    ("picture", 2),
    ("plan", 3),
    ("lang", 4),
    ("op", 4),
    ("engine", 5),
    ("io", 6),
    ("runtime", 7),
    ("api", 8),
    ("cli", 8),
];

/// The first floor above the border.
const BORDER: u8 = 6;

/// Pairs on one floor that may see each other (the upper first); rooms of one floor otherwise don't.
const NEIGHBOURS: &[(&str, &str)] = &[("cli", "api")];

/// What no file of the core may name.
const FORBIDDEN: &[&str] = &[
    "tokio",
    "std::fs",
    "std::net",
    "std::thread",
    "std::process",
    "std::env",
    "Instant",
    "SystemTime",
    "RandomState",
    "thread_rng",
    "HashMap<",
    "HashSet<",
];

/// Lines of a file that hold it in the head; tests at its end don't count.
const LINES_MAX: usize = 450;

fn sources() -> Vec<(String, PathBuf, String)> {
    fn walk(dir: &Path, room: &str, found: &mut Vec<(String, PathBuf, String)>) {
        let mut entries: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                walk(&path, room, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((room.to_owned(), path, text));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for &(room, _) in FLOORS {
        walk(&root.join(room), room, &mut found);
    }
    assert!(found.len() > 40, "the rooms are not where this test looks");
    found
}

/// Whether a file is only compiled for tests.
fn is_test(path: &Path) -> bool {
    let name = path.to_string_lossy();
    let folder = |folder| path.components().any(|part| part.as_os_str() == folder);
    name.ends_with("_test.rs") || name.ends_with("tests.rs") || folder("tests")
}

/// The code of a file: without comments, and without the tests at its end.
fn code(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
    text[..end].lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

/// The rooms that `crate::…` paths of this code name, braces included.
fn rooms_named(code: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(inside) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut word = String::new();
            for c in inside.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => rooms.push(std::mem::take(&mut word)),
                    c if depth == 0 && !c.is_whitespace() => word.push(c),
                    _ => {}
                }
            }
            rooms.push(word);
        } else {
            rooms.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    rooms.iter().map(|path| path.split("::").next().unwrap_or("").to_owned()).filter(|room| !room.is_empty()).collect()
}

#[test]
fn a_room_sees_only_lower_floors() {
    let floors: BTreeMap<&str, u8> = FLOORS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (room, path, text) in sources() {
        for other in rooms_named(&code(&text)) {
            let Some(&floor) = floors.get(other.as_str()) else { continue };
            let allowed = other == room || floor < floors[room.as_str()] || NEIGHBOURS.contains(&(&room, &other));
            if !allowed {
                wrong.push(format!("{}: {room} -> {other}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "imports that point up:\n{}", wrong.join("\n"));
}

#[test]
fn every_room_has_a_floor() {
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let room = path.file_name().unwrap().to_string_lossy().into_owned();
            assert!(FLOORS.iter().any(|(known, _)| *known == room), "room `{room}` has no floor");
        }
    }
}

#[test]
fn the_core_has_no_clock_thread_or_file() {
    let floors: BTreeMap<&str, u8> = FLOORS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (room, path, text) in sources().iter().filter(|(room, ..)| floors[room.as_str()] < BORDER) {
        let code = code(text);
        for word in FORBIDDEN.iter().filter(|word| code.contains(*word)) {
            let other_map = word.starts_with("Hash") && code.contains("hashbrown");
            if !other_map && !is_test(path) {
                wrong.push(format!("{} ({room}): {word}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "below the border:\n{}", wrong.join("\n"));
}

#[test]
fn a_file_can_be_held_in_the_head() {
    let mut wrong = Vec::new();
    for (_, path, text) in sources() {
        let lines = code(&text).lines().count();
        if lines > LINES_MAX && !is_test(&path) {
            wrong.push(format!("{}: {lines} lines", path.display()));
        }
    }
    assert!(wrong.is_empty(), "files over {LINES_MAX} lines:\n{}", wrong.join("\n"));
}

#[test]
fn a_rooms_door_has_no_logic() {
    for (_, path, text) in sources().iter().filter(|(_, path, _)| path.ends_with("mod.rs") && !is_test(path)) {
        let logic = code(text).lines().any(|line| line.starts_with("fn ") || line.starts_with("pub fn "));
        // The function library's door is also its index.
        assert!(!logic || path.ends_with("expr/func/mod.rs"), "{}: logic in a door", path.display());
    }
}
