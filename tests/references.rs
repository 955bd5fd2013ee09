//! The sets of `GEOCEP_DATA` (else `../shared/data`) against their expected answers, as the example `references` prints them.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may fail, and say why it did nothing")]

#[allow(dead_code, unused_imports, reason = "the example shows more of a verdict")]
#[path = "../examples/references/mod.rs"]
mod references;

use references::{find_sets, run_set};
use std::path::{Path, PathBuf};

#[test]
fn real_sets_give_the_answers_that_were_computed_by_brute_force() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = std::env::var_os("GEOCEP_DATA").map_or_else(|| root.join("../shared/data"), PathBuf::from);
    if !dir.is_dir() {
        eprintln!("skipped: no reference sets at `{}` (GEOCEP_DATA says where they are)", dir.display());
        return;
    }
    let sets = find_sets(&dir).unwrap();
    assert!(!sets.is_empty(), "no set in `{}`", dir.display());
    let verdicts: Vec<_> = sets.iter().flat_map(|set| run_set(set, &root.join("tests/references"), 2)).collect();
    let wrong: Vec<_> = verdicts.iter().filter(|verdict| !verdict.is_fine()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let rows: usize = verdicts.iter().map(|verdict| verdict.equal).sum();
    assert!(rows > 0, "no row was compared");
}
