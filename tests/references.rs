//! The sets of `GEOCEP_DATA` (else `../shared/data`) against their expected answers, as the example `references` prints them.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may fail, and say why it did nothing")]

#[allow(dead_code, unused_imports, reason = "the example shows more of a verdict")]
#[path = "../examples/references/mod.rs"]
mod references;

use flate2::read::GzDecoder;
use geocep::{
    engine::AtEnd,
    geo::{Cell, Position, Resolution},
    model::{Key, Value, parse_time},
    op::window::Stagger,
    runtime::{
        project::{Loaded, Request},
        replay::{Replay, ReplayOptions, Speed, bind},
    },
};
use references::{find_sets, run_set};
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

/// Where the sets are, if they are at hand.
fn data() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = std::env::var_os("GEOCEP_DATA").map_or_else(|| root.join("../shared/data"), PathBuf::from);
    if !dir.is_dir() {
        eprintln!("skipped: no reference sets at `{}` (GEOCEP_DATA says where they are)", dir.display());
        return None;
    }
    Some(dir)
}

#[test]
fn real_sets_give_the_answers_that_were_computed_by_brute_force() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Some(dir) = data() else { return };
    let sets = find_sets(&dir).unwrap();
    assert!(!sets.is_empty(), "no set in `{}`", dir.display());
    let verdicts: Vec<_> = sets.iter().flat_map(|set| run_set(set, &root.join("tests/references"), 2)).collect();
    let wrong: Vec<_> = verdicts.iter().filter(|verdict| !verdict.is_fine()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let rows: usize = verdicts.iter().map(|verdict| verdict.equal).sum();
    assert!(rows > 0, "no row was compared");
}

const QUARTER_MS: i64 = 15 * 60_000;

/// Start of window and cell, and how many pickups.
type Counts = BTreeMap<(i64, String), i64>;

/// The counts that a rule gives, whose windows are those of the reference with this clause.
fn counts(events: &Path, clause: &str, shards: u32) -> Counts {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/references");
    let text = fs::read_to_string(rules.join("counts.yaml")).unwrap();
    let aligned = "WINDOW TUMBLING 15 min\n";
    assert!(text.contains(aligned), "the rule has other windows now");
    let dir = tempfile::tempdir().unwrap();
    let (file, alerts) = (dir.path().join("rules.yaml"), dir.path().join("alerts"));
    fs::write(&file, text.replace(aligned, &format!("WINDOW TUMBLING 15 min {clause}\n"))).unwrap();
    let overrides = vec![format!("sources.pings.file={}", events.display())];
    let config = Some(rules.join("geocep.yaml"));
    let request = Request { config, overrides, rules: vec![file], coloured: false };
    let loaded = Loaded::read(&request).unwrap_or_else(|error| panic!("{error}"));
    let binding = bind(&loaded, &[], &[]).unwrap();
    let project = loaded.check(&binding.guessed, false).unwrap_or_else(|error| panic!("{error}"));
    let options = ReplayOptions {
        speed: Speed::Max,
        at_end: AtEnd::Drain,
        shards: Some(shards),
        alerts: Some(alerts.clone()),
        shadow: None,
        late: None,
        dead_letter: None,
        progress: false,
        svg: None,
    };
    Replay::new(project, binding.inputs, options).unwrap().run().unwrap();
    let mut counts = Counts::new();
    for line in fs::read_to_string(alerts).unwrap().lines() {
        let alert: serde_json::Value = serde_json::from_str(line).unwrap();
        let alert = &alert["properties"];
        let time = |name: &str| parse_time(alert[name].as_str().unwrap()).unwrap();
        assert_eq!(time("end") - time("start"), QUARTER_MS);
        let place = (time("start"), alert["key"]["cell"].as_str().unwrap().to_owned());
        let twice = counts.insert(place, alert["measures"]["n"].as_i64().unwrap());
        assert!(twice.is_none(), "a window came twice");
    }
    counts
}

#[test]
fn jitter_shifts_each_cells_windows_of_pickups_by_its_own_offset_and_loses_none() {
    let Some(dir) = data() else { return };
    let set = dir.join("uber_nyc_2014");
    let events = set.join("events.ndjson.gz");
    if !events.is_file() {
        eprintln!("skipped: no pickups at `{}`", events.display());
        return;
    }
    let day = ["2014-05-02T04:00:00Z", "2014-05-03T04:00:00Z"].map(|text| parse_time(text).unwrap());
    // Every pickup's cell and its offset by hand, and its window with and without.
    let (mut aligned, mut shifted, mut offsets) = (Counts::new(), Counts::new(), BTreeMap::new());
    let stagger = Stagger::new("Count", 0, 100.0, QUARTER_MS).unwrap();
    for line in BufReader::new(GzDecoder::new(fs::File::open(&events).unwrap())).lines() {
        let event: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        let ts = event["ts"].as_i64().unwrap();
        if !(day[0]..day[1]).contains(&ts) {
            continue;
        }
        let position = Position::new(event["lon"].as_f64().unwrap(), event["lat"].as_f64().unwrap()).unwrap();
        let cell = Cell::at(position, Resolution::new(8).unwrap());
        let offset_ms = stagger.offset_ms(&Key::new([&Value::Cell(cell)]));
        offsets.insert(cell.to_string(), offset_ms);
        for (counts, offset_ms) in [(&mut aligned, 0), (&mut shifted, offset_ms)] {
            let start = (ts - offset_ms).div_euclid(QUARTER_MS) * QUARTER_MS + offset_ms;
            *counts.entry((start, cell.to_string())).or_default() += 1;
        }
    }
    let total = |counts: &Counts| {
        let mut cells: BTreeMap<String, i64> = BTreeMap::new();
        counts.iter().for_each(|((_, cell), n)| *cells.entry(cell.clone()).or_default() += n);
        cells
    };
    assert_eq!(counts(&events, "", 2), aligned);
    for shards in [1, 8] {
        let found = counts(&events, "JITTER 100%", shards);
        assert_eq!(found, shifted, "on {shards} shards");
        assert_eq!(total(&found), total(&aligned), "each pickup is in one window");
    }
    // The reference was computed elsewhere: its totals are those of the shifted windows, too.
    let reference = fs::read_to_string(set.join("expected/uber_counts_2014-05-02.json")).unwrap();
    let reference: serde_json::Value = serde_json::from_str(&reference).unwrap();
    let rows = reference["counts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| ((row[0].as_i64().unwrap(), row[1].as_str().unwrap().to_owned()), row[2].as_i64().unwrap()));
    assert_eq!(total(&rows.collect()), total(&shifted));
    let spread = offsets.values().filter(|offset_ms| **offset_ms > QUARTER_MS / 2).count();
    assert!(offsets.len() > 400 && (0.4..0.6).contains(&(spread as f64 / offsets.len() as f64)), "{spread}");
}
