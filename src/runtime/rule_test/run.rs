//! Runs the tests of a file.

use super::{
    TestFileError,
    expect::{Expected, alert_rule, as_expected},
    file::{self, Input, Test, TestFile},
    node::{Mistake, hint},
    pairs::pairs,
};
use crate::{
    engine::{Inline, Options},
    io::source::{FileOptions, FileSource, Pulled, Source},
    lang::file::{Places, Step},
    runtime::{
        config::{Config, StreamSchema},
        project::{Loaded, Project},
        replay::{BoundInput, bind},
        session::{LaneIx, Letters, Lines, Session},
    },
    wire::{Chunk, Format, infer, yaml},
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// What came of a file's tests.
#[derive(Clone, Debug)]
pub struct FileOutcome {
    /// The tests that were run, in the order of the file.
    pub tests: Vec<Outcome>,
}

/// What came of one test.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// Where it stands: `file:line:column`.
    pub place: String,
    /// What went wrong, each a line or a few; none: it passed.
    pub failures: Vec<String>,
}

/// How many alerts of a kind are written out, and how many rejected events.
const SHOWN_MAX: usize = 20;

/// Runs the tests of a file whose names contain `only`; `coloured` is for mistakes in rules.
///
/// # Errors
/// The file, its configuration or its rules are wrong.
pub fn run_file(path: &Path, only: &str, coloured: bool) -> Result<FileOutcome, TestFileError> {
    let text = fs::read_to_string(path).map_err(|error| TestFileError::Read { path: path.to_owned(), error })?;
    let source = Text { path, places: Places::new(&text) };
    let tree = yaml::parse_value(&text).map_err(|error| {
        let (line, column) = error.place.unwrap_or((1, 1));
        TestFileError::Wrong { path: path.to_owned(), line, column, message: error.message }
    })?;
    let base = path.parent().unwrap_or(Path::new(""));
    let file = file::read(&tree, base).map_err(|mistake| source.wrong(mistake))?;
    let failed = |error| TestFileError::Project { path: path.to_owned(), error };
    let config = match &file.config {
        Some(config) => Config::load(config, &[]).map_err(|error| failed(error.into()))?,
        None => Config::embedded(),
    };
    let loaded = Loaded::with_config(config, file.config.is_some(), &file.rules, coloured, None).map_err(failed)?;
    let (files, guessed) = match inputs(&loaded, &file) {
        Ok(inputs) => inputs,
        // What a broken rule reads isn't known, so that its mistake comes first.
        Err(mistake) => return Err(loaded.unread().map_or_else(|| source.wrong(mistake), failed)),
    };
    let project = loaded.check(&guessed, true).map_err(failed)?;
    check(&file, &project).map_err(|mistake| source.wrong(mistake))?;
    let chosen = file.tests.iter().zip(files).filter(|(test, _)| test.name.contains(only));
    let tests = chosen.map(|(test, files)| {
        let place = source.place(&test.path);
        let failures = match Run::new(&project, &guessed, test, &files, &source) {
            Ok(run) => run.run(test),
            Err(failure) => vec![failure],
        };
        Outcome { name: test.name.clone(), place, failures }
    });
    Ok(FileOutcome { tests: tests.collect() })
}

/// The file's text, for places.
struct Text<'a> {
    path: &'a Path,
    places: Places,
}

impl Text<'_> {
    fn wrong(&self, mistake: Mistake) -> TestFileError {
        let (line, column) = self.places.of(&mistake.path);
        TestFileError::Wrong { path: self.path.to_owned(), line, column, message: mistake.message }
    }

    fn place(&self, path: &[Step]) -> String {
        let (line, column) = self.places.of(path);
        format!("{}:{line}:{column}", self.path.display())
    }
}

/// For each test the files that it reads, and the schemas of streams that nobody declared, as a replay guesses them.
type Inputs = (Vec<Vec<BoundInput>>, BTreeMap<String, StreamSchema>);

fn inputs(loaded: &Loaded, file: &TestFile) -> Result<Inputs, Mistake> {
    let known = loaded.source_names();
    let mut guessed: BTreeMap<String, StreamSchema> = BTreeMap::new();
    let mut files = Vec::new();
    for test in &file.tests {
        let mut bound = Vec::new();
        if test.configured {
            let failed = |message| Mistake { path: test.path.clone(), message };
            let binding = bind(loaded, &[], &[]).map_err(failed)?;
            bound.extend(binding.inputs);
            bound.retain(|input| test.streams.iter().all(|stream| stream.name.name != input.source));
            guessed.extend(binding.guessed);
        }
        for stream in &test.streams {
            let name = &stream.name.name;
            let failed = |message| Mistake { path: stream.name.path.clone(), message };
            if !known.contains(name) {
                let hint = hint(name, known.iter().map(String::as_str));
                return Err(failed(format!("no rule reads the stream `{name}`{hint}")));
            }
            match &stream.input {
                Input::Files(paths) => {
                    let pairs: Vec<(String, PathBuf)> = paths.iter().map(|path| (name.clone(), path.clone())).collect();
                    let binding = bind(loaded, &pairs, &[]).map_err(failed)?;
                    bound.extend(binding.inputs);
                    guessed.extend(binding.guessed);
                }
                Input::Rows(rows) => {
                    let declared = loaded.config.sources.get(name).is_some_and(|source| source.declared);
                    if declared || guessed.contains_key(name) {
                        continue;
                    }
                    let open = StreamSchema::default();
                    let records = rows.iter().map(|row| row.records(&open)).collect::<Result<Vec<_>, _>>()?.concat();
                    let guess = infer(records.iter().map(|(_, record)| record.as_slice()), Format::Ndjson).into();
                    guessed.insert(name.clone(), guess);
                }
            }
        }
        files.push(bound);
    }
    Ok((files, guessed))
}

/// Whether the tests name alerts that there are.
fn check(file: &TestFile, project: &Project) -> Result<(), Mistake> {
    for test in &file.tests {
        for rule in test.alerts_of.iter().flatten() {
            alert_rule(&project.plan, &rule.name).map_err(|message| Mistake { path: rule.path.clone(), message })?;
        }
        for alert in &test.alerts {
            alert.check(&project.plan)?;
            let compared = |rules: &Vec<file::Named>| rules.iter().any(|rule| rule.name == alert.rule);
            if !test.alerts_of.as_ref().is_none_or(compared) {
                let message = format!("`{}` is not among the rules of `alerts_of`", alert.rule);
                return Err(Mistake { path: alert.path.clone(), message });
            }
        }
    }
    Ok(())
}

/// One test on its way.
struct Run<'a> {
    session: Session,
    lanes: Vec<Lane>,
    rules: Vec<String>,
    source: &'a Text<'a>,
    letters: Letters,
    lines: Lines,
    failures: Vec<String>,
}

/// One partition of a source.
struct Lane {
    at: LaneIx,
    feed: Option<Feed>,
}

enum Feed {
    /// Records of rows, and for each the row.
    Rows(Chunk, Vec<Vec<Step>>),
    File(Box<FileSource>),
    /// Nothing more will come.
    Over,
}

impl<'a> Run<'a> {
    fn new(
        project: &Project,
        guessed: &BTreeMap<String, StreamSchema>,
        test: &Test,
        files: &[BoundInput],
        source: &'a Text<'a>,
    ) -> Result<Self, String> {
        let engine = project.config.engine;
        let options = Options { shards: 1, key_groups: engine.key_groups, seed: engine.seed, eager: false };
        let mut session = Session::new(project, options, Box::new(Inline)).map_err(|error| error.to_string())?;
        session.has_no_arrivals()?;
        let mut lanes = Vec::new();
        for stream in &test.streams {
            let Input::Rows(rows) = &stream.input else { continue };
            let name = &stream.name.name;
            let configured = project.config.sources.get(name);
            let declared = configured.filter(|source| source.declared).map(|source| &source.schema);
            let open = StreamSchema::default();
            let schema = declared.or(guessed.get(name)).unwrap_or(&open);
            let mut records: Vec<(i64, Vec<u8>, Vec<Step>)> = Vec::new();
            let mut before_ms = i64::MIN;
            for row in rows {
                let made = row.records(schema);
                for (time, record) in
                    made.map_err(|mistake| format!("{}: {}", source.place(&mistake.path), mistake.message))?
                {
                    before_ms = time.unwrap_or(before_ms);
                    records.push((before_ms, record, row.path.clone()));
                }
            }
            // However they are written, so that rows that stand for several events may overlap.
            records.sort_by_key(|(time_ms, ..)| *time_ms);
            let (mut chunk, mut origins) = (Chunk::new(), Vec::new());
            for (_, record, row) in records {
                chunk.push(0, origins.len() as u64, &record, crate::wire::RECORD_BYTES_MAX);
                origins.push(row);
            }
            let disorder_ms = configured.map_or(0, |source| source.disorder_ms);
            let at = session.add_partition(name, schema, Format::Ndjson, 0, disorder_ms);
            lanes.extend(at.map(|at| Lane { at, feed: Some(Feed::Rows(chunk, origins)) }));
        }
        let mut numbers: BTreeMap<&str, u32> = BTreeMap::new();
        for input in files {
            let number = numbers.entry(&input.source).or_insert(0);
            let partition = std::mem::replace(number, *number + 1);
            let options = FileOptions {
                format: input.format,
                partition,
                record_bytes_max: input.record_bytes_max,
                ..FileOptions::default()
            };
            let mut file = FileSource::open(&input.path, options).map_err(|error| error.to_string())?;
            let format = file.format().map_err(|error| error.to_string())?;
            let at = session.add_partition(&input.source, &input.schema, format, partition, input.disorder_ms);
            lanes.extend(at.map(|at| Lane { at, feed: Some(Feed::File(Box::new(file))) }));
        }
        let rules = project.plan.rules.iter().map(|rule| rule.name.clone()).collect();
        let (letters, lines, failures) = (Letters::default(), Lines::default(), Vec::new());
        Ok(Self { session, lanes, rules, source, letters, lines, failures })
    }

    fn run(mut self, test: &Test) -> Vec<String> {
        while let Some(at) = self.next_lane() {
            self.step(at);
        }
        self.session.finish(test.at_end, &mut self.lines);
        if self.failures.is_empty() {
            self.compare(test);
        }
        self.failures
    }

    /// The partition that the others wait for, else the first that has more.
    fn next_lane(&self) -> Option<usize> {
        let waited_for = self.session.held_back_by();
        let open = |lane: &Lane| lane.feed.is_some();
        let held = self.lanes.iter().position(|lane| open(lane) && Some(lane.at) == waited_for);
        held.or_else(|| self.lanes.iter().position(open))
    }

    /// Gives the core what comes next on a partition.
    fn step(&mut self, at: usize) {
        let Some(lane) = self.lanes.get_mut(at) else { return };
        let to = lane.at;
        let mut origins = Vec::new();
        match lane.feed.take() {
            Some(Feed::Rows(chunk, rows)) => {
                self.session.push(to, &chunk, &mut self.letters);
                lane.feed = Some(Feed::Over);
                origins = rows;
            }
            Some(Feed::File(mut file)) => {
                let mut chunk = Chunk::new();
                match file.pull(&mut chunk, Duration::ZERO) {
                    Ok(Pulled::End) => lane.feed = Some(Feed::Over),
                    Ok(_) => {
                        self.session.push(to, &chunk, &mut self.letters);
                        lane.feed = Some(Feed::File(file));
                    }
                    Err(error) => {
                        self.failures.push(error.to_string());
                        lane.feed = Some(Feed::Over);
                    }
                }
            }
            // Time doesn't go on by this alone: what becomes of it when all is over, `finish` says.
            Some(Feed::Over) => return self.session.end(to),
            None => return,
        }
        self.complain(&origins);
        self.session.advance(&mut self.lines);
    }

    /// A test whose events are not what it says proves nothing: rejected and late ones fail it.
    fn complain(&mut self, origins: &[Vec<Step>]) {
        let (dead, late) = (std::mem::take(&mut self.letters.dead), std::mem::take(&mut self.letters.late));
        self.letters.samples.clear();
        for line in dead.split(|&byte| byte == b'\n').chain(late.split(|&byte| byte == b'\n')) {
            let Ok(letter) = serde_json::from_slice::<Value>(line) else { continue };
            let word = |name: &str| letter.get(name).and_then(Value::as_str).unwrap_or_default();
            let offset = letter.get("offset").and_then(Value::as_u64).unwrap_or(0);
            let row = usize::try_from(offset).ok().and_then(|at| origins.get(at));
            let place = match row {
                Some(row) => format!("{}: an event of `{}`", self.source.place(row), word("source")),
                None => format!("record {} of `{}`", offset.saturating_add(1), word("source")),
            };
            if self.failures.len() >= SHOWN_MAX {
                continue;
            }
            self.failures.push(match letter.get("watermark") {
                Some(_) => format!("{place} is late: {} comes after {}", word("time"), word("watermark")),
                None => format!("{place} was rejected as {}: {}", word("reason"), word("detail")),
            });
        }
    }

    fn compare(&mut self, test: &Test) {
        let is_compared = |rule: u32| {
            let name = self.rules.get(rule as usize);
            test.alerts_of.as_ref().is_none_or(|rules| rules.iter().any(|rule| Some(&rule.name) == name))
        };
        let compared = self.lines.entries.iter().filter(|(rule, _)| is_compared(*rule));
        let alerts: Vec<Value> = compared
            .filter_map(|(_, range)| serde_json::from_slice(self.lines.bytes.get(range.clone())?).ok())
            .map(|alert: Value| alert.get("properties").cloned().unwrap_or_default())
            .collect();
        let fits: Vec<Vec<usize>> = test
            .alerts
            .iter()
            .map(|expected| {
                let fit = |(_, alert): &(usize, &Value)| expected.differences(alert).is_empty();
                alerts.iter().enumerate().filter(fit).map(|(at, _)| at).collect()
            })
            .collect();
        let found = pairs(&fits, alerts.len());
        let unexpected: Vec<&Value> =
            alerts.iter().enumerate().filter(|(at, _)| !found.contains(&Some(*at))).map(|(_, alert)| alert).collect();
        let missing = test.alerts.iter().zip(&found).filter(|(_, alert)| alert.is_none());
        for (expected, _) in missing {
            self.failures.push(self.missing(expected, &unexpected));
        }
        let more = unexpected.len().saturating_sub(SHOWN_MAX);
        for alert in unexpected.into_iter().take(SHOWN_MAX) {
            self.failures.push(format!("+ unexpected  {}", as_expected(alert)));
        }
        if more > 0 {
            self.failures.push(format!("+ and {more} more that are unexpected"));
        }
    }

    /// What is missing, and how the unexpected alert that is most like it differs.
    fn missing(&self, expected: &Expected, unexpected: &[&Value]) -> String {
        let mut text = format!("- missing     {expected}\n              at {}", self.source.place(&expected.path));
        let rule = |alert: &&&Value| alert.get("rule").and_then(Value::as_str) == Some(&expected.rule);
        let differences = unexpected.iter().filter(rule).map(|alert| expected.differences(alert));
        if let Some(nearest) = differences.min_by_key(Vec::len) {
            text.push_str(&format!("\n              nearest: {}", nearest.join("; ")));
        }
        text
    }
}
