//! The shipped rules: their tests pass, each has some, and over the fixtures they find what `truth.json` says.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should say where")]

use geocep::{
    runtime::rule_test::{run_file, test_files},
    wire::yaml::{Yaml, parse_value},
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a file of tests and panics with all that failed.
fn pass(file: &Path) -> usize {
    let outcome = run_file(file, "", false).unwrap_or_else(|error| panic!("{error}"));
    let failed = outcome.tests.iter().filter(|test| !test.failures.is_empty());
    let failed: Vec<String> =
        failed.map(|test| format!("{} ({})\n{}", test.name, test.place, test.failures.join("\n"))).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    outcome.tests.len()
}

#[test]
fn the_tests_of_the_shipped_rules_pass() {
    let files = test_files(&[root().join("rules")]).unwrap();
    let run: usize = files.iter().map(|file| pass(file)).sum();
    assert!(files.len() >= 8 && run >= 45, "{} files, {run} tests", files.len());
}

fn member<'a>(value: &'a Yaml, key: &str) -> Option<&'a Yaml> {
    let Yaml::Map(members) = value else { return None };
    members.iter().find(|(name, _)| name == key).map(|(_, value)| value)
}

fn list<'a>(value: &'a Yaml, key: &str) -> &'a [Yaml] {
    match member(value, key) {
        Some(Yaml::List(list)) => list,
        _ => &[],
    }
}

fn word<'a>(value: &'a Yaml, key: &str) -> &'a str {
    match member(value, key) {
        Some(Yaml::Text(text)) => text,
        _ => "",
    }
}

/// The shipped rule files: directory and name.
const SHIPPED: [(&str, &str); 9] = [
    ("aviation", "aviation"),
    ("crowd", "crowd"),
    ("fleet", "fleet"),
    ("fleet", "regions"),
    ("maritime", "maritime"),
    ("maritime", "regions"),
    ("marketplace", "marketplace"),
    ("marketplace", "regions"),
    ("rail", "rail"),
];

#[test]
fn every_shipped_alert_has_a_test_that_wants_it_and_one_that_does_not() {
    for (trade, file) in SHIPPED {
        let read = |path: String| parse_value(&fs::read_to_string(root().join(path)).unwrap()).unwrap();
        let rules = read(format!("rules/{trade}/{file}.yaml"));
        let tests = read(format!("rules/{trade}/tests/{file}.yaml"));
        let inline = || list(&tests, "tests").iter().filter(|test| member(test, "events").is_some());
        let wants = |test: &Yaml, rule: &str| list(test, "alerts").iter().any(|alert| word(alert, "rule") == rule);
        let compares = |test: &Yaml, rule: &str| {
            let only = list(test, "alerts_of");
            only.is_empty() || only.iter().any(|name| *name == Yaml::Text(rule.to_owned()))
        };
        let rules = list(&rules, "groups").iter().flat_map(|group| list(group, "rules"));
        let alerts: Vec<&str> = rules.map(|rule| word(rule, "alert")).filter(|name| !name.is_empty()).collect();
        assert!(!alerts.is_empty(), "{trade}/{file}");
        for alert in alerts {
            assert!(inline().any(|test| wants(test, alert)), "{alert}: no test with events wants it");
            assert!(
                inline().any(|test| compares(test, alert) && !wants(test, alert)),
                "{alert}: no test with events wants none of it"
            );
        }
    }
}

/// The properties of all alerts of a replay of a fixture with its configuration.
fn replay(fixture: &str) -> Vec<Value> {
    replay_of(&root().join("fixtures").join(fixture).join("geocep.yaml"))
}

fn replay_of(config: &Path) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_geocep")).args(["replay", "--quiet", "-c"]).arg(config).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["properties"].clone()).collect()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The reports are at most this far apart, and an alert may come two of them after what it tells of; an absence of an
/// hour is told an hour after it began.
const SLACK_MS: i64 = 5 * 60_000;

#[test]
fn over_the_fixtures_the_rules_find_the_situations_and_not_the_decoys() {
    for (fixture, situation, rule, key) in [
        ("city", "queue_abandoned", "QueueAbandoned", "vehicle"),
        ("city", "speeding", "ZoneSpeeding", "vehicle"),
        ("sea", "port_call", "PortCall", "mmsi"),
        ("sea", "loitering", "Loitering", "mmsi"),
        ("sea", "dark_near_border", "DarkNearBorder", "mmsi"),
        ("sea", "rendezvous", "Rendezvous", "a"),
        ("air", "go_around", "GoAround", "icao"),
        ("air", "holding", "Holding", "icao"),
        ("air", "contact_lost", "ContactLost", "icao"),
    ] {
        let truth = fs::read(root().join("fixtures").join(fixture).join("truth.json")).unwrap();
        let truth: Value = serde_json::from_slice(&truth).unwrap();
        let situations: Vec<&Value> =
            truth["situations"].as_array().unwrap().iter().filter(|it| it["situation"] == situation).collect();
        let wanted: BTreeSet<String> = situations.iter().map(|it| text(&it["entity"])).collect();
        let alerts = replay(fixture);
        let alerts: Vec<&Value> = alerts.iter().filter(|alert| alert["rule"] == rule).collect();
        let found: BTreeSet<String> = alerts.iter().map(|alert| text(&alert["key"][key])).collect();
        assert!(!wanted.is_empty() && alerts.len() == found.len(), "{rule}: {} alerts for {found:?}", alerts.len());
        assert_eq!(found, wanted, "{rule}");
        for it in situations {
            let alert = alerts.iter().find(|alert| text(&alert["key"][key]) == text(&it["entity"])).unwrap();
            let [from, to] = ["start", "end"].map(|end| it[end].as_i64().unwrap());
            let [start, end] = ["start", "end"].map(|end| geocep::model::parse_time(&text(&alert[end])).unwrap());
            assert!(start >= from - SLACK_MS && end <= to + SLACK_MS, "{rule}: {start}..{end} is not in {from}..{to}");
        }
    }
}

/// The alerts of a made scenario `regions` with this seed.
fn regions_of(seed: u64) -> (Value, Vec<Value>) {
    let dir = tempfile::tempdir().unwrap();
    let made = Command::new(env!("CARGO_BIN_EXE_geocep"))
        .args(["simulate", "regions", "--force", "--seed", &seed.to_string(), "--out"])
        .arg(dir.path())
        .output()
        .unwrap();
    assert!(made.status.success());
    let config = fs::read_to_string(root().join("fixtures/regions/geocep.yaml")).unwrap();
    // Its paths are relative to `fixtures/regions`.
    let root = root().display().to_string();
    let config = config.replace("../../", &format!("{root}/")).replace("../", &format!("{root}/fixtures/"));
    fs::write(dir.path().join("geocep.yaml"), config).unwrap();
    let truth = fs::read(dir.path().join("truth.json")).unwrap();
    let config = dir.path().join("geocep.yaml");
    (serde_json::from_slice(&truth).unwrap(), replay_of(&config))
}

#[test]
fn of_the_situations_in_regions_each_is_found_at_its_time_and_what_looks_like_it_is_not() {
    for seed in [42, 1, 8] {
        found_in_regions(seed);
    }
}

fn found_in_regions(seed: u64) {
    let (truth, alerts) = regions_of(seed);
    let of = |list: &str, situation: &str| -> Vec<Value> {
        let all = truth[list].as_array().unwrap().iter();
        all.filter(|it| it["situation"] == situation).cloned().collect()
    };
    for (situation, rule, places) in [
        ("surge_spreads", "SurgeSpreading", 1),
        ("supply_desert", "SupplyDesert", 1),
        ("jam_upstream", "JamGrowsUpstream", 1),
        ("fleet_gathers", "FleetGathers", 1),
        ("convoy", "Convoy", 2),
        ("crowd_disperses", "CrowdDisperses", 1),
        ("group_moves", "GroupOnTheMove", 1),
    ] {
        let (wanted, decoys) = (of("situations", situation), of("decoys", situation));
        assert!(wanted.len() == places && !decoys.is_empty(), "{situation}");
        let found: Vec<&Value> = alerts.iter().filter(|alert| alert["rule"] == rule).collect();
        let regions: BTreeSet<String> = found.iter().map(|alert| text(&alert["key"]["region"])).collect();
        // A group that goes on is told of again.
        assert!(regions.len() == places && found.len() >= places, "{rule}, seed {seed}: {found:?}");
        assert!(found.len() == places || rule == "GroupOnTheMove", "{rule}, seed {seed}");
        for alert in found {
            let [from, to] = ["start", "end"].map(|end| wanted[0][end].as_i64().unwrap());
            let [start, end] = ["start", "end"].map(|end| geocep::model::parse_time(&text(&alert[end])).unwrap());
            // A window and a tick of a quarter of an hour each, at most; a match may begin with how it was before.
            let late = 30 * 60_000;
            assert!(start >= from - late && end <= to + late, "{rule}: {start}..{end} is not in {from}..{to}");
        }
    }
}

#[test]
fn a_replay_draws_the_regions_of_its_rules_and_puts_out_the_same_alerts() {
    let dir = tempfile::tempdir().unwrap();
    let run = |more: &[&str]| {
        let config = root().join("fixtures/regions/geocep.yaml");
        let mut command = Command::new(env!("CARGO_BIN_EXE_geocep"));
        let output = command.args(["replay", "-c"]).arg(config).args(more).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (output.stdout, String::from_utf8(output.stderr).unwrap())
    };
    let (plain, _) = run(&[]);
    let (drawn, said) = run(&["--svg", dir.path().to_str().unwrap(), "--svg-max", "6"]);
    assert!(
        plain == drawn && said.contains("pictures of regions in") && said.contains("crowds: 17 more ticks"),
        "{said}"
    );
    let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
    let other = tempfile::tempdir().unwrap();
    run(&["--svg", other.path().to_str().unwrap(), "--svg-max", "6", "--shards", "4"]);
    for entry in fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        let there = fs::read(other.path().join(path.file_name().unwrap())).unwrap();
        assert!(fs::read(&path).unwrap() == there, "{} differs with other shards", path.display());
    }
    let index = read("index.html");
    for rule in ["surge", "deserts", "jams", "fishing_grounds", "crowds"] {
        assert!(
            index.contains(&format!("{rule}-lineage.svg")) && read(&format!("{rule}-lineage.svg")).contains("</svg>")
        );
        assert!(read(&format!("{rule}-000.svg")).contains("emerged"), "{rule}");
        assert!(!dir.path().join(format!("{rule}-006.svg")).exists());
    }
    let shown = fs::read_to_string(root().join("docs/regions/surge-lineage.svg")).unwrap();
    assert!(
        read("surge-lineage.svg") == shown,
        "docs/regions/surge-lineage.svg isn't what `replay --svg` draws any more"
    );
    let refused = Command::new(env!("CARGO_BIN_EXE_geocep"))
        .args(["replay", "-c"])
        .arg(root().join("fixtures/air/geocep.yaml"))
        .arg("--svg")
        .arg(dir.path())
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("no rule has a `CLUSTER BY`"));
}

/// The first block of YAML after a heading of a page.
fn example(page: &str, heading: &str) -> String {
    let text = fs::read_to_string(root().join("docs").join(page)).unwrap();
    let after = text.split_once(heading).expect("the heading").1;
    after.split_once("```yaml\n").expect("a block").1.split_once("```").expect("its end").0.to_owned()
}

#[test]
fn the_example_of_the_documentation_runs() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("speed.yaml"), example("testing.md", "## The rule")).unwrap();
    let tests = example("testing.md", "## Its tests");
    let fixtures = root().join("fixtures");
    let tests = tests.replace("../../fixtures", &fixtures.display().to_string()).replace("../speed.yaml", "speed.yaml");
    let file = dir.path().join("tests.yaml");
    fs::write(&file, tests).unwrap();
    assert_eq!(pass(&file), 2);
}

#[test]
fn the_command_says_what_failed_and_where_and_its_exit_code_says_so_too() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("speed.yaml"), example("testing.md", "## The rule")).unwrap();
    let run = |tests: &str| {
        let file = dir.path().join("t.yaml");
        fs::write(&file, tests).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_geocep")).arg("test").arg(&file).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let row = "{ at: 0 s, vehicle: v1, lon: 1, lat: 2, speed: 20 }";
    let head = format!("rule_files: speed.yaml\ntests:\n- name: a\n  events: {{ pings: [{row}] }}\n  alerts: ");
    let (code, said) = run(&format!("{head}[]\n"));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("FAILED  a") && said.contains("t.yaml:3:1") && said.contains("0 passed, 1 failed"), "{said}");
    let (code, said) = run(&format!("{head}[{{ rule: Fast }}]\n"));
    assert_eq!((code, said.trim()), (Some(0), "1 passed, 0 failed"));
    let (code, said) = run(&format!("{head}[{{ rule: Fats }}]\n"));
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("t.yaml:5:") && said.contains("did you mean `Fast`?"), "{said}");
}
