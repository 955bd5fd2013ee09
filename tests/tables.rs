//! Reference tables: looked up in every kind of rule, versioned by time, from each format, and changed under way.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Mode, Scene, load, ping, rule_file};
use geocep::{
    runtime::{
        session::{Letters, Lines},
        tables::{load_table, reload_table},
    },
    wire::Chunk,
};
use serde_json::Value;
use std::{fs, path::Path, sync::Arc};

const SOURCES: &str = "
sources:
  pings:
    file: pings.ndjson
    schema:
      time: ts
      position: { lon: lon, lat: lat }
      fields: { id: string, speed: { type: float, unit: km/h } }
";

fn config(dir: &Path, tables: &str) -> std::path::PathBuf {
    let path = dir.join("geocep.yaml");
    fs::write(&path, format!("{SOURCES}{tables}")).unwrap();
    path
}

/// The measures of each alert of a rule.
fn measures(lines: &str, rule: &str) -> Vec<Value> {
    let alerts = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["properties"].clone());
    alerts.filter(|alert| alert["rule"] == rule).map(|alert| alert["measures"].clone()).collect()
}

#[test]
fn a_table_is_looked_up_in_filters_keys_windows_patterns_and_joins() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("vehicles.csv"), "id,capacity,kind,lon,lat\na,3,van,4.5,52\nb,20,lorry,4.6,52\n")
        .unwrap();
    let config = config(dir.path(), "tables:\n  vehicles: { path: vehicles.csv, key: id }\n");
    let rules = rule_file(&[
        (
            "alert",
            "Large",
            "FROM pings LOOKUP vehicles ON vehicles.id = pings.id\nWHERE vehicles.capacity > 10\nMEASURES id, vehicles.kind AS kind",
        ),
        ("alert", "Unknown", "FROM pings LOOKUP vehicles v ON v.id = pings.id\nWHERE v.id IS NULL\nMEASURES id"),
        (
            "alert",
            "Kinds",
            "FROM pings LOOKUP vehicles ON id = id\nPARTITION BY vehicles.kind\nWINDOW TUMBLING 1 h\nMEASURES count(*) AS n, max(vehicles.capacity) AS top\nHAVING n > 0",
        ),
        (
            "alert",
            "Both",
            "FROM pings LOOKUP vehicles ON vehicles.id = id\nPATTERN small -> large\nWITHIN 1 h\nDEFINE small AS vehicles.capacity < 10, large AS vehicles.capacity > small.vehicles.capacity\nMEASURES small.vehicles.capacity AS few, large.vehicles.kind AS kind, distance(large.vehicles.depot, large.position) > 1 m AS away",
        ),
        (
            "alert",
            "Pair",
            "FROM pings x JOIN pings y ON x.speed = y.speed AND x.id <> y.id WITHIN 1 h\nLOOKUP vehicles ON vehicles.id = y.id\nWHERE vehicles.capacity > 10\nMEASURES x.id AS left, vehicles.kind AS kind",
        ),
    ]);
    let rules = rules.replace(
        "FROM pings LOOKUP vehicles v ON v.id = pings.id",
        "FROM pings LOOKUP vehicles first ON first.id = pings.id LOOKUP vehicles v ON v.id = first.id",
    );
    // The position of a row has a name of its own here.
    let rules = rules.replace("vehicles.depot", "vehicles.position");
    let records =
        vec![ping(1_000, "a", 4.5, 52.0, 10.0), ping(2_000, "b", 4.5, 52.0, 10.0), ping(3_000, "c", 4.5, 52.0, 99.0)];
    let scene = Scene::configured(&config, &rules, &[("pings", records)]);
    let lines = scene.play(&Mode::default());
    let expected = |rule: &str, measures_of: &str| {
        let found = measures(&lines, rule);
        assert_eq!(serde_json::to_string(&found).unwrap(), measures_of, "{rule}");
    };
    expected("Large", r#"[{"id":"b","kind":"lorry"}]"#);
    expected("Unknown", r#"[{"id":"c"}]"#);
    expected("Kinds", r#"[{"n":1,"top":20},{"n":1,"top":3}]"#);
    expected("Both", r#"[{"few":3,"kind":"lorry","away":true}]"#);
    expected("Pair", r#"[{"left":"a","kind":"lorry"}]"#);
    for shards in [2, 5] {
        assert_eq!(scene.play(&Mode { shards, steps: vec![(0, 1), (0, 1)], ..Mode::default() }), lines);
    }
}

#[test]
fn the_version_that_holds_at_an_events_time_counts_whatever_the_order_of_the_file() {
    let rows = ["a,1970-01-01T00:00:10Z,2", "a,1970-01-01T00:00:00Z,1", "b,1970-01-01T00:00:05Z,7"];
    let play = |rows: &[&str]| {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("t.csv"), format!("id,since,level\n{}\n", rows.join("\n"))).unwrap();
        let tables = "tables:\n  levels: { path: t.csv, key: id, time: since, reload: never }\n";
        let config = config(dir.path(), tables);
        let rules = rule_file(&[(
            "alert",
            "Level",
            "FROM pings LOOKUP levels ON levels.id = pings.id\nMEASURES id, levels.level AS level",
        )]);
        let at = |second: i64, id: &str| ping(second * 1_000, id, 4.0, 52.0, 1.0);
        let records = vec![at(-1, "a"), at(0, "a"), at(4, "b"), at(5, "b"), at(9, "a"), at(10, "a"), at(11, "z")];
        Scene::configured(&config, &rules, &[("pings", records)]).play(&Mode::default())
    };
    let lines = play(&rows);
    let levels: Vec<Value> = measures(&lines, "Level").iter().map(|measures| measures["level"].clone()).collect();
    assert_eq!(serde_json::to_string(&levels).unwrap(), "[null,1,null,7,1,2,null]");
    assert_eq!(play(&[rows[2], rows[1], rows[0]]), lines);
}

#[test]
fn a_changed_table_holds_for_what_comes_after_it_and_a_wrong_one_is_refused_whole() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("t.csv");
    fs::write(&file, "id,level\na,1\n").unwrap();
    let config = config(dir.path(), "tables:\n  levels: { path: t.csv, key: id }\n");
    let rules = rule_file(&[(
        "alert",
        "Level",
        "FROM pings LOOKUP levels ON levels.id = pings.id\nMEASURES levels.level AS level",
    )]);
    let records = (0..3).map(|n| ping(n * 1_000, "a", 4.0, 52.0, 1.0)).collect();
    let scene = Scene::configured(&config, &rules, &[("pings", records)]);
    let table = &scene.project.config.tables["levels"];
    let before = load_table("levels", table).unwrap().table;
    for (wrong, said) in [
        ("id,level\na,1\na,2\n", "line 3: the key is already that of line 2"),
        ("id,level\na,1,2\n", "line 2: the row has 3 columns, the header 2"),
        ("id,level\na,high\n", "columns (`level`) are others"),
        ("name,level\na,1\n", "there is no column `id`, which is the table's key; its columns are `name`, `level`"),
        ("id,level\n,1\n", "line 2, column `id`: a row without a key"),
    ] {
        fs::write(&file, wrong).unwrap();
        let error = reload_table("levels", table, &before).unwrap_err();
        assert!(error.contains(said), "{error}");
    }
    fs::write(&file, "id,level\nb,5\na,2\n").unwrap();
    let after = reload_table("levels", table, &before).unwrap().table;
    let (mut session, lanes) = scene.session(&Mode::default(), 3);
    let (mut lines, mut letters) = (Lines::default(), Letters::default());
    for (at, record) in scene.lanes[0].records.iter().enumerate() {
        let mut chunk = Chunk::new();
        chunk.push(0, at as u64, record, 1 << 20);
        session.push(lanes[0], &chunk, &mut letters);
        session.advance(&mut lines);
        if at == 1 {
            let world = geocep::expr::World::clone(&scene.project.world);
            let world = world.with_tables(vec![("levels".to_owned(), Arc::clone(&after))]);
            session.engine_mut().set_world(Arc::new(world));
        }
    }
    session.finish(geocep::engine::AtEnd::Drain, &mut lines);
    let lines = String::from_utf8(lines.bytes).unwrap();
    assert_eq!(serde_json::to_string(&measures(&lines, "Level")).unwrap(), r#"[{"level":1},{"level":1},{"level":2}]"#);
}

#[test]
fn a_wrong_table_stops_a_check_with_file_line_and_column() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("t.csv"), "id,level\n\"a\nb\",1\n\nc,many\nd,x\n").unwrap();
    let tables = "tables:\n  levels: { path: t.csv, key: id, fields: { level: int } }\n";
    let config = config(dir.path(), tables);
    let error = load(&config, &rule_file(&[("alert", "A", "FROM pings")])).unwrap_err().to_string();
    assert!(error.contains("t.csv: line 5, column `level`: a string (`many`), expected int"), "{error}");
    assert!(error.contains("t.csv: line 6, column `level`"), "{error}");
}
