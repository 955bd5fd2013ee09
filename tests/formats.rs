//! Sources in the formats of others: the fixtures are played, and what no event can be made of is counted.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use geocep::{
    engine::{AtEnd, Inline, Options},
    model::Batch,
    runtime::{
        config::Config,
        project::{Loaded, Request},
        replay::{Replay, ReplayOptions, Speed, bind},
        session::{Letters, Lines, Session},
    },
    wire::{AisMessages, Chunk, Decoder, Format, RecordSchema},
};
use serde_json::Value;
use std::{collections::BTreeMap, fs, path::Path};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The alerts of a replay, and the dead letters.
fn replayed(config: &Path, streams: &[(String, std::path::PathBuf)]) -> (Vec<Value>, Vec<Value>) {
    let dir = tempfile::tempdir().unwrap();
    let (alerts, dead) = (dir.path().join("alerts"), dir.path().join("dead"));
    let request = Request { config: Some(config.to_owned()), overrides: vec![], rules: vec![], coloured: false };
    let loaded = Loaded::read(&request).unwrap_or_else(|error| panic!("{error}"));
    let binding = bind(&loaded, streams, &[]).unwrap();
    let project = loaded.check(&binding.guessed, false).unwrap_or_else(|error| panic!("{error}"));
    let options = ReplayOptions {
        speed: Speed::Max,
        at_end: AtEnd::Drain,
        shards: None,
        alerts: Some(alerts.clone()),
        shadow: None,
        late: None,
        dead_letter: Some(dead.clone()),
        progress: false,
        svg: None,
    };
    Replay::new(project, binding.inputs, options).unwrap().run().unwrap();
    let lines = |path: &Path| {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    (lines(&alerts).into_iter().map(|alert| alert["properties"].clone()).collect(), lines(&dead))
}

fn of<'a>(alerts: &'a [Value], rule: &'a str) -> Vec<&'a Value> {
    alerts.iter().filter(|alert| alert["rule"] == rule).collect()
}

#[test]
fn fixtures_of_every_format_become_events_and_what_cannot_is_told() {
    let (alerts, dead) = replayed(&root().join("fixtures/formats/geocep.yaml"), &[]);
    let counts = ["Vessel", "Voyage", "Mover", "Ride", "Sensor", "Sequence"].map(|rule| of(&alerts, rule).len());
    assert_eq!(counts, [12, 2, 7, 11, 6, 6]);
    let mut reasons: BTreeMap<(String, String), usize> = BTreeMap::new();
    for letter in &dead {
        let text = |name: &str| letter[name].as_str().unwrap().to_owned();
        *reasons.entry((text("source"), text("reason"))).or_default() += 1;
    }
    let expected = [
        ("movers", "syntax"),
        ("rides", "missing_time"),
        ("sensors", "bad_position"),
        ("vessels", "incomplete"),
        ("vessels", "missing_position"),
        ("vessels", "missing_time"),
        ("vessels", "syntax"),
        ("vessels", "unsupported"),
        ("voyages", "incomplete"),
        ("voyages", "syntax"),
        ("voyages", "unsupported"),
    ];
    let expected: BTreeMap<_, _> = expected.map(|(source, why)| ((source.to_owned(), why.to_owned()), 1)).into();
    assert_eq!(reasons, expected);

    let voyage = of(&alerts, "Voyage")[0];
    assert_eq!(
        (&voyage["measures"]["name"], &voyage["measures"]["destination"]),
        (&"MV EXAMPLE".into(), &"ROTTERDAM".into())
    );
    let first = of(&alerts, "Vessel").into_iter().find(|alert| alert["key"]["mmsi"] == 211_234_560).unwrap();
    assert_eq!((&first["measures"]["sog"], &first["end"]), (&12.3.into(), &"2026-03-02T06:00:00Z".into()));
    let tram: Vec<f64> = of(&alerts, "Mover")
        .iter()
        .filter(|alert| alert["key"]["id"] == "tram-1")
        .map(|alert| alert["measures"]["speed"].as_f64().unwrap())
        .collect();
    assert_eq!(tram, [20.0, 30.0, 40.0, 10.0], "between its instants a property is as it says");
    let rides: Vec<(&str, i64)> = of(&alerts, "Ride")
        .iter()
        .map(|alert| (alert["key"]["track"].as_str().unwrap(), alert["key"]["segment"].as_i64().unwrap()))
        .collect();
    assert_eq!(rides.iter().filter(|ride| **ride == ("Ann & Bo", 2)).count(), 3);
    assert_eq!(rides[1], ("Cy", 1), "tracks of a file are in one order of time");
    // The same features, as a collection and as a sequence.
    let points = |rule| of(&alerts, rule).iter().map(|alert| alert["measures"].clone()).collect::<Vec<_>>();
    assert_eq!(points("Sensor"), points("Sequence"));
}

#[test]
fn a_file_of_ais_needs_neither_a_schema_nor_a_configuration_of_its_format() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("geocep.yaml"), "rules: [rules.yaml]\n").unwrap();
    let rules = "groups: [{ name: g, rules: [{ alert: Fast, expr: \"FROM vessels WHERE sog > 6 m/s PARTITION BY mmsi MEASURES sog\" }] }]";
    fs::write(dir.path().join("rules.yaml"), rules).unwrap();
    let stream = ("vessels".to_owned(), root().join("fixtures/formats/ais.nmea"));
    let (alerts, dead) = replayed(&dir.path().join("geocep.yaml"), &[stream]);
    // A knot has a known length: 12.3 kn are 6.3 m/s, 14 are 7.2.
    assert_eq!((alerts.len(), dead.len()), (7, 5));
}

#[test]
fn formats_that_cannot_be_are_refused() {
    let refused = |source: &str| {
        let text = format!("sources: {{ s: {source} }}");
        Config::parse(&text, Path::new(""), &[], &|_| None).unwrap_err().to_string()
    };
    assert!(refused("{ file: { path: a.gpx, follow: true } }").contains("can't be followed"));
    assert!(refused("{ file: a.nmea, schema: { fields: { mmsi: int } } }").contains("the fields of AIS are fixed"));
    assert!(refused("{ kafka: { brokers: b, topic: t, format: gpx } }").contains("a format of single messages"));
    assert!(refused("{ file: { path: a, format: shp } }").contains("`mfjson`"));
}

#[test]
fn rows_are_read_under_their_header_after_a_reload() {
    let schema = RecordSchema { position: None, ..RecordSchema::default() };
    let mut decoder = Decoder::new(&schema, Format::CSV);
    let mut chunk = Chunk::new();
    chunk.push_first(0, 0, b"ts,x");
    chunk.push(0, 1, b"5,1", 100);
    let mut batch = Batch::new(0);
    assert_eq!(decoder.decode(&chunk.record(0).unwrap(), &mut batch), Ok(false));
    let mut next = decoder.successor(&schema, Format::CSV);
    assert_eq!(next.decode(&chunk.record(1).unwrap(), &mut batch), Ok(true));
}

#[test]
fn a_message_whose_parts_lie_on_both_sides_of_a_checkpoint_is_one() {
    let config = root().join("fixtures/formats/geocep.yaml");
    let request = Request { config: Some(config), overrides: vec![], rules: vec![], coloured: false };
    let loaded = Loaded::read(&request).unwrap();
    let project = loaded.check(&BTreeMap::new(), false).unwrap();
    let text = fs::read_to_string(root().join("fixtures/formats/ais.nmea")).unwrap();
    let lines: Vec<&str> = text.lines().take(3).collect();
    let schema = &project.config.sources["voyages"].schema;
    let session = || Session::new(&project, Options::default(), Box::new(Inline)).unwrap();
    let add = |session: &mut Session| {
        session.add_partition("voyages", schema, Format::Ais(AisMessages::Static), 4, 0).unwrap()
    };
    let chunk = |from: usize, to: usize| {
        let mut chunk = Chunk::new();
        (from..to).for_each(|at| chunk.push(4, at as u64, lines[at].as_bytes(), 1_000));
        chunk
    };
    let mut first = session();
    let lane = add(&mut first);
    first.push(lane, &chunk(0, 2), &mut Letters::default());
    let open = first.open_of("voyages", 4);
    assert!(!open.is_empty());
    let mut second = session();
    second.go_on_with([(("voyages".to_owned(), 4), open)].into());
    let lane = add(&mut second);
    // What the source says when it is opened.
    second.set_format(lane, Format::Ais(AisMessages::Static));
    let (mut letters, mut found) = (Letters::default(), Lines::default());
    second.push(lane, &chunk(2, 3), &mut letters);
    second.finish(AtEnd::Drain, &mut found);
    assert!(letters.dead.is_empty());
    let alert: Value = serde_json::from_slice(found.bytes.trim_ascii_end()).unwrap();
    assert_eq!(alert["properties"]["measures"]["destination"], "ROTTERDAM");
    assert_eq!(alert["properties"]["events"][0]["id"], "voyages:4:2");
}

#[test]
fn the_configurations_page_lists_the_fields_of_ais_and_the_formats() {
    let page = fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let table = page.split("<!-- begin ais -->").nth(1).unwrap().split("<!-- end ais -->").next().unwrap();
    let mut expected = Vec::new();
    let mark = |messages: AisMessages, name: &str| messages.fields().any(|(field, _)| field == name);
    for (name, kind) in AisMessages::Positions.fields().chain(AisMessages::Static.fields()) {
        let marks = [AisMessages::Positions, AisMessages::Static].map(|of| if mark(of, name) { " yes" } else { "" });
        let row = format!("| `{name}` | {} |{} |{} |", kind.ty(), marks[0], marks[1]);
        if !expected.contains(&row) {
            expected.push(row);
        }
    }
    let found: Vec<&str> = table.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(found, expected);
    for (name, _) in Format::NAMES {
        assert!(page.contains(&format!("`{name}`")), "`{name}` is not on the page");
    }
}
