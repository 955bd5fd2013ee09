//! Runs a set's references, through the same calls as `geocep replay`.

use super::{
    kind::{Case, Kind},
    regions::{self, Answer},
    rows::{Difference, Row, compare},
    set::{Set, listed},
};
use geocep::{
    engine::AtEnd,
    runtime::{
        project::{Loaded, Request},
        replay::{Replay, ReplayOptions, Speed, bind},
    },
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What came of a reference, or of one part of it.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// The set.
    pub(crate) set: String,
    /// The file, and which part of it.
    pub(crate) reference: String,
    /// Rows expected.
    pub(crate) expected: usize,
    /// Rows that were found.
    pub(crate) equal: usize,
    /// Rows that were not.
    pub(crate) missing: usize,
    /// Rows that nobody expected.
    pub(crate) extra: usize,
    /// Whether the rules can answer it.
    pub(crate) covered: bool,
    /// Where rows differ, the first few of them; or why nothing ran.
    pub(crate) details: Vec<String>,
}

impl Verdict {
    /// Whether all is as expected, or the reference isn't covered.
    pub(crate) fn is_fine(&self) -> bool {
        self.missing + self.extra == 0 && self.details.is_empty()
    }
}

/// Differences shown of each kind.
const SHOWN: usize = 3;

/// Runs all references of a set; `rules` is the directory of the rule files.
pub(crate) fn run_set(set: &Set, rules: &Path, shards: u32) -> Vec<Verdict> {
    set.references.iter().flat_map(|(kind, path)| run_reference(set, *kind, path, rules, shards)).collect()
}

fn run_reference(set: &Set, kind: Kind, path: &Path, rules: &Path, shards: u32) -> Vec<Verdict> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let verdict = |reference: String| Verdict {
        set: set.name.clone(),
        reference,
        expected: 0,
        equal: 0,
        missing: 0,
        extra: 0,
        covered: true,
        details: Vec::new(),
    };
    let of_regions = |reference: Value| -> Result<Vec<Answer>, String> {
        let text = String::from_utf8(read(&rules.join("regions.yaml"))?).map_err(|error| error.to_string())?;
        regions::regions(set, &reference, &text, &|text| alerts(set, text, rules, shards))
    };
    let with_kernel = match kind {
        Kind::Clusters => Some(read_json(path).and_then(|reference| regions::clusters(set, &reference))),
        Kind::Regions => Some(read_json(path).and_then(of_regions)),
        _ => None,
    };
    if let Some(answers) = with_kernel {
        return match answers {
            Ok(answers) => answers
                .into_iter()
                .map(|Answer { part, expected, found }| {
                    with_rows(verdict(format!("{name}: {part}")), &expected, &found)
                })
                .collect(),
            Err(error) => vec![Verdict { details: vec![error], ..verdict(name) }],
        };
    }
    let Some(file) = kind.file() else { return vec![Verdict { covered: false, ..verdict(name) }] };
    let cases = read_json(path).and_then(|reference| {
        let text = rule_text(&rules.join(file))?;
        kind.cases(&reference, &text)
    });
    let cases = match cases {
        Ok(cases) => cases,
        Err(error) => return vec![Verdict { details: vec![error], ..verdict(name) }],
    };
    let run = |case: Case| {
        let reference = if case.part.is_empty() { name.clone() } else { format!("{name}: {}", case.part) };
        let verdict = verdict(reference);
        match answers(set, &case, rules, shards) {
            Ok(found) => with_rows(verdict, &case.expected, &found),
            Err(error) => {
                let expected = case.expected.len();
                Verdict { expected, missing: expected, details: vec![error], ..verdict }
            }
        }
    };
    cases.into_iter().map(run).collect()
}

/// A verdict on rows.
fn with_rows(verdict: Verdict, expected: &[Row], found: &[Row]) -> Verdict {
    let Difference { equal, missing, extra } = compare(expected, found);
    let shown = |what: &str, rows: &[Row]| -> Vec<String> {
        rows.iter().take(SHOWN).map(|row| format!("{what} {}", row.show())).collect()
    };
    let details = [shown("missing", &missing), shown("extra", &extra)].concat();
    Verdict { expected: expected.len(), equal, missing: missing.len(), extra: extra.len(), details, ..verdict }
}

/// The rows that the rules give.
fn answers(set: &Set, case: &Case, rules: &Path, shards: u32) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for alert in alerts(set, &case.rules, rules, shards)? {
        let timed_out = alert.get("status").is_some_and(|status| status == "timed_out");
        if (case.rule.is_empty() || alert.get("rule").is_some_and(|rule| rule == case.rule))
            && case.timed_out.is_none_or(|only| only == timed_out)
        {
            rows.push((case.row)(&alert).ok_or_else(|| format!("not the alert that was expected: {alert}"))?);
        }
    }
    Ok(rows)
}

/// The properties of all alerts of a rule file.
fn alerts(set: &Set, text: &str, rules: &Path, shards: u32) -> Result<Vec<Value>, String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let file = dir.path().join("rules.yaml");
    fs::write(&file, text).map_err(|error| error.to_string())?;
    let [alerts, late, dead] = ["alerts", "late", "dead"].map(|name| dir.path().join(name));
    replay(
        set,
        &file,
        rules,
        ReplayOptions {
            speed: Speed::Max,
            at_end: AtEnd::Drain,
            shards: Some(shards),
            alerts: Some(alerts.clone()),
            shadow: None,
            late: Some(late.clone()),
            dead_letter: Some(dead.clone()),
            svg: None,
            progress: false,
        },
    )?;
    for (path, what) in [(late, "late"), (dead, "rejected")] {
        let lost = read(&path)?;
        if let Some(first) = lost.split(|&byte| byte == b'\n').find(|line| !line.is_empty()) {
            let count = lost.iter().filter(|&&byte| byte == b'\n').count();
            return Err(format!("{count} events are {what}, the first: {}", String::from_utf8_lossy(first)));
        }
    }
    let mut found = Vec::new();
    for line in read(&alerts)?.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let feature: Value = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        found.push(feature.get("properties").ok_or("an alert without properties")?.clone());
    }
    Ok(found)
}

fn replay(set: &Set, file: &Path, rules: &Path, options: ReplayOptions) -> Result<(), String> {
    let mut overrides = vec![format!("sources.pings.file={}", set.events.display())];
    overrides.extend(set.fences.iter().map(|path| format!("geofences.fences={}", path.display())));
    if let Some(path) = &set.routes {
        overrides.push(format!("geofences.routes.path={}", path.display()));
        overrides.extend(["geofences.routes.id=label", "geofences.routes.merge=true"].map(str::to_owned));
    }
    let config: Option<PathBuf> = Some(rules.join("geocep.yaml"));
    let request = Request { config, overrides, rules: vec![file.to_owned()], coloured: false };
    let loaded = Loaded::read(&request).map_err(|error| error.to_string())?;
    let binding = bind(&loaded, &[], &[])?;
    let project = loaded.check(&binding.guessed, false).map_err(|error| error.to_string())?;
    Replay::new(project, binding.inputs, options)?.run().map(drop)
}

/// The text of a rule file, or of all rule files of a directory as one.
fn rule_text(path: &Path) -> Result<String, String> {
    if !path.is_dir() {
        return String::from_utf8(read(path)?).map_err(|error| error.to_string());
    }
    let mut whole = "groups:\n".to_owned();
    for file in listed(path)?.iter().filter(|file| file.extension().is_some_and(|kind| kind == "yaml")) {
        let text = rule_text(file)?;
        whole.push_str(text.strip_prefix("groups:\n").ok_or("a rule file that doesn't begin with its groups")?);
    }
    Ok(whole)
}

fn read_json(path: &Path) -> Result<Value, String> {
    serde_json::from_slice(&read(path)?).map_err(|error| error.to_string())
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("can't read `{}`: {error}", path.display()))
}
