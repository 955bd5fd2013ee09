//! The named workloads: rules over files that a generator makes, whose counts are known.

use crate::{
    engine::AtEnd,
    runtime::{
        config::Config,
        fences::{LoadedFences, fences_of},
        project::{Loaded, Project},
        replay::{BoundInput, bind},
    },
    wire::fences::{FenceOptions, read_fences},
};
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

/// A workload: its rules and what is known of its results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// The name that the command line knows.
    pub name: &'static str,
    rules: Rules,
    fences: Option<Fences>,
    /// What happens at the end of the file.
    pub at_end: AtEnd,
    /// The number of events of a file and of the matches in it, for the generated sizes.
    known: &'static [(u64, u64)],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rules {
    Text(&'static str),
    /// The same, but that HAVING lets every window pass that an event came to.
    Windows(&'static str),
    /// A rule for each line of a file.
    Many(&'static str),
}

/// How zones become fences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fences {
    All,
    /// So many of them, grown until they cover as much as all do.
    Few(usize),
}

macro_rules! rules {
    ($name:literal) => {
        Rules::Text(include_str!(concat!("../../../benches/workloads/", $name, ".yaml")))
    };
}

const CONFIG: &str = include_str!("../../../benches/workloads/config.yaml");
const SMALL: u64 = 100_000;
/// What windows of workloads have to be.
const HAVING: &str = "HAVING n >= 50";

const fn workload(
    name: &'static str,
    rules: Rules,
    fences: Option<Fences>,
    at_end: AtEnd,
    known: &'static [(u64, u64)],
) -> Workload {
    Workload { name, rules, fences, at_end, known }
}

/// All of them, in the order of their page.
static WORKLOADS: [Workload; 13] = [
    workload("w1", rules!("w1"), None, AtEnd::Drain, &[(SMALL, 8_793), (2_000_000, 178_000)]),
    workload("w1s", rules!("w1s"), None, AtEnd::Drain, &[(SMALL, 3_698), (2_000_000, 74_432)]),
    workload("w2", rules!("w2"), None, AtEnd::Drain, &[(SMALL, 4_283), (2_000_000, 85_007)]),
    workload("w2k", rules!("w2k"), None, AtEnd::Drain, &[(SMALL, 2_942), (2_000_000, 58_365)]),
    workload("w3", rules!("w3"), None, AtEnd::Last, &[(SMALL, 6_851), (1_000_000, 69_057)]),
    workload("w4", rules!("w4"), Some(Fences::All), AtEnd::Drain, &[(SMALL, 37_994), (1_000_000, 376_789)]),
    workload("w4-10", rules!("w4"), Some(Fences::Few(10)), AtEnd::Drain, &[]),
    workload("w5", rules!("w5"), None, AtEnd::Drain, &[(SMALL, 143), (3_000_000, 4_332)]),
    workload("w5h3", rules!("w5h3"), None, AtEnd::Drain, &[(SMALL, 143), (3_000_000, 4_332)]),
    // The offsets are drawn by a hash of our own, so which windows are hot is too.
    workload("w5j", rules!("w5j"), None, AtEnd::Drain, &[]),
    workload("w6", Rules::Many("w6.rules.ndjson"), None, AtEnd::Drain, &[(SMALL, 99_749), (2_000_000, 1_997_425)]),
    workload("w6-1", rules!("w6-1"), None, AtEnd::Drain, &[(SMALL, SMALL), (2_000_000, 2_000_000)]),
    workload("none", Rules::Text(NOTHING), None, AtEnd::Drain, &[(SMALL, 0), (2_000_000, 0)]),
];

/// What an engine costs that has nothing to do: a rule that no event passes.
const NOTHING: &str = "groups: [{ name: none, rules: [{ alert: Nothing, expr: \"FROM w1 WHERE speed < 0\" }] }]";

impl Workload {
    /// The workload of a name; the error lists the names there are.
    ///
    /// # Errors
    /// No such workload.
    pub fn named(name: &str) -> Result<Self, String> {
        let names = || WORKLOADS.iter().map(|workload| workload.name).collect::<Vec<_>>().join(", ");
        let found = WORKLOADS.iter().find(|workload| workload.name == name).copied();
        found.ok_or_else(|| format!("there is no workload `{name}`; there are {}", names()))
    }

    /// Whether so many matches are right for so many events; none where nobody knows.
    pub fn is_right(&self, events: u64, matches: u64) -> Option<bool> {
        self.known.iter().find(|(known, _)| *known == events).map(|(_, wanted)| *wanted == matches)
    }

    /// The same workload with the results of all windows, where it has any.
    pub(super) fn with_all_windows(self) -> Option<Self> {
        match self.rules {
            Rules::Text(text) if text.contains(HAVING) => {
                Some(Self { rules: Rules::Windows(text), known: &[], ..self })
            }
            _ => None,
        }
    }

    /// The rules over the files in a directory.
    ///
    /// # Errors
    /// Files that are missing or wrong, in words.
    pub fn load(&self, dir: &Path) -> Result<(Project, Vec<BoundInput>), String> {
        let config = Config::parse(CONFIG, dir, &[], &|_| None).map_err(|error| error.to_string())?;
        let text = match self.rules {
            Rules::Text(text) => text.to_owned(),
            Rules::Windows(text) => text.replace(HAVING, "HAVING n >= 1"),
            Rules::Many(file) => many(&read(&dir.join(file))?)?,
        };
        let mut fences = BTreeMap::new();
        if let Some(which) = self.fences {
            fences.insert("zones".to_owned(), zones(&read(&dir.join("w4.zones.ndjson"))?, which)?);
        }
        let shown = format!("{}.yaml", self.name);
        let loaded = Loaded::of_text(config, &shown, &text, fences);
        let binding = bind(&loaded, &[], &[])?;
        let project = loaded.check(&binding.guessed, false).map_err(|error| error.to_string())?;
        Ok((project, binding.inputs))
    }
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("can't read `{}`: {error}", path.display()))
}

/// A rule file with a rule for each line.
fn many(lines: &str) -> Result<String, String> {
    let mut text = String::from("groups:\n  - name: w6\n    rules:\n");
    for (at, line) in lines.lines().enumerate() {
        let rule: Value = serde_json::from_str(line).map_err(|error| format!("rule {}: {error}", at + 1))?;
        let (name, kind) = (rule["rule"].as_str().unwrap_or_default(), rule["type"].as_str().unwrap_or_default());
        let [lo, hi, from, to] = ["lo", "hi", "h0", "h1"].map(|name| rule[name].to_string());
        // Writing to a text can't fail.
        let _ = write!(
            text,
            "      - alert: {name}\n        expr: |\n          FROM w1\n          WHERE type = '{kind}' AND speed >= {lo} \
             AND speed < {hi} AND heading >= {from} AND heading < {to}\n          PARTITION BY id\n          MEASURES speed\n"
        );
    }
    Ok(text)
}

type Ring = Vec<[f64; 2]>;

#[derive(Deserialize)]
struct Zone {
    zone: String,
    ring: Ring,
}

/// The zones of a file as fences.
fn zones(lines: &str, which: Fences) -> Result<LoadedFences, String> {
    let mut rings: Vec<(String, Ring)> = Vec::new();
    for (at, line) in lines.lines().enumerate() {
        let wrong = |what: &str| format!("zone {}: {what}", at + 1);
        let zone: Zone = serde_json::from_str(line).map_err(|error| wrong(&error.to_string()))?;
        rings.push((zone.zone, zone.ring));
    }
    if let Fences::Few(count) = which {
        let all: f64 = rings.iter().map(|(_, ring)| area(ring)).sum();
        rings.truncate(count);
        let few: f64 = rings.iter().map(|(_, ring)| area(ring)).sum();
        let factor = (all / few.max(f64::MIN_POSITIVE)).sqrt();
        rings.iter_mut().for_each(|(_, ring)| grow(ring, factor));
    }
    // As text, one by one: as values of JSON a million corners would be the peak of the whole run's memory.
    let mut text = String::from("{\"type\":\"FeatureCollection\",\"features\":[");
    for (at, (id, ring)) in rings.into_iter().enumerate() {
        let (comma, id) = (if at == 0 { "" } else { "," }, Value::from(id));
        let corners: Vec<String> = ring.iter().map(|[lon, lat]| format!("[{lon},{lat}]")).collect();
        // Writing to a text can't fail.
        let _ = write!(
            text,
            "{comma}{{\"type\":\"Feature\",\"id\":{id},\"properties\":{{}},\"geometry\":{{\"type\":\"Polygon\",\"coordinates\":[[{}]]}}}}",
            corners.join(",")
        );
    }
    text.push_str("]}");
    let fences = read_fences(text.as_bytes(), &FenceOptions::default());
    let fences = fences.map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
    fences_of("zones", fences.fences, Vec::new())
}

/// The area of a ring, in square degrees.
fn area(ring: &Ring) -> f64 {
    let cross = |pair: &[[f64; 2]]| match pair {
        [[ax, ay], [bx, by]] => ax * by - bx * ay,
        _ => 0.0,
    };
    (ring.windows(2).map(cross).sum::<f64>() / 2.0).abs()
}

/// Moves a ring's corners away from their mean.
fn grow(ring: &mut Ring, factor: f64) {
    let count = ring.len().saturating_sub(1).max(1) as f64;
    let sum = |axis: usize| ring.iter().skip(1).map(|corner| corner[axis]).sum::<f64>() / count;
    let centre = [sum(0), sum(1)];
    for corner in ring {
        for (coordinate, middle) in corner.iter_mut().zip(centre) {
            *coordinate = middle + (*coordinate - middle) * factor;
        }
    }
}
