//! The form of a file of tests.

use super::{
    expect::Expected,
    node::{Mistake, Node},
    rows::Row,
};
use crate::{engine::AtEnd, lang::file::Step, wire::yaml::Yaml};
use std::path::{Path, PathBuf};

/// 2026-01-01T00:00:00Z: the instant from which a test's spans count where it names none.
const START_MS: i64 = 1_767_225_600_000;

/// A file of tests, checked for form.
#[derive(Debug)]
pub(super) struct TestFile {
    /// Rule files and directories; empty: those of the configuration.
    pub(super) rules: Vec<PathBuf>,
    pub(super) config: Option<PathBuf>,
    pub(super) tests: Vec<Test>,
}

#[derive(Debug)]
pub(super) struct Test {
    pub(super) name: String,
    pub(super) path: Vec<Step>,
    /// By stream, in the order of the file.
    pub(super) streams: Vec<Stream>,
    /// Whether the files of the configuration's sources are read, too.
    pub(super) configured: bool,
    pub(super) at_end: AtEnd,
    /// The rules whose alerts are compared; none: all.
    pub(super) alerts_of: Option<Vec<Named>>,
    pub(super) alerts: Vec<Expected>,
}

/// A name of the file and the way to it.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) path: Vec<Step>,
}

/// What a stream gets.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) name: Named,
    pub(super) input: Input,
}

#[derive(Debug)]
pub(super) enum Input {
    Rows(Vec<Row>),
    Files(Vec<PathBuf>),
}

/// Reads a tree; paths in it start at `base`.
pub(super) fn read(root: &Yaml, base: &Path) -> Result<TestFile, Mistake> {
    let fields = Node::root(root).fields(&["rule_files", "config", "tests"])?;
    let mut rules = Vec::new();
    if let Some(files) = fields.get("rule_files") {
        for file in files.texts()? {
            rules.push(base.join(file.text()?));
        }
    }
    let config = fields.get("config").map(|config| config.text().map(|path| base.join(path))).transpose()?;
    if rules.is_empty() && config.is_none() {
        fields.need("rule_files")?;
    }
    let tests = fields.need("tests")?;
    let tests: Vec<Test> = tests.entries()?.iter().map(|test| read_test(test, base)).collect::<Result<_, _>>()?;
    Ok(TestFile { rules, config, tests })
}

fn read_test(node: &Node<'_>, base: &Path) -> Result<Test, Mistake> {
    let fields = node.fields(&["name", "start", "events", "files", "at_end", "alerts_of", "alerts"])?;
    let name = fields.need("name")?.text()?.to_owned();
    let start_ms = fields.get("start").map_or(Ok(START_MS), |start| start.instant(START_MS))?;
    let mut streams: Vec<Stream> = Vec::new();
    if let Some(events) = fields.get("events") {
        for (name, node) in events.members()? {
            let rows = node.entries()?.iter().map(|row| Row::read(row, start_ms)).collect::<Result<_, _>>()?;
            streams.push(Stream { name: named(name, &node), input: Input::Rows(rows) });
        }
    }
    let mut configured = false;
    match fields.get("files") {
        Some(files) if *files.value == Yaml::Text("configured".to_owned()) => configured = true,
        Some(files) => {
            for (name, node) in files.members()? {
                if streams.iter().any(|stream| stream.name.name == name) {
                    return Err(node.mistake(format!("`{name}` has both `events` and `files`")));
                }
                let mut paths = Vec::new();
                for path in node.texts()? {
                    paths.push(base.join(path.text()?));
                }
                streams.push(Stream { name: named(name, &node), input: Input::Files(paths) });
            }
        }
        None => {}
    }
    if streams.is_empty() && !configured {
        return Err(node.mistake(format!("`{name}` has neither `events` nor `files`")));
    }
    let at_end = match fields.get("at_end") {
        None => AtEnd::Drain,
        Some(node) => match node.text()? {
            "drain" => AtEnd::Drain,
            "last" => AtEnd::Last,
            "hold" => AtEnd::Hold,
            _ => return Err(node.wrong("one of `drain`, `last`, `hold`")),
        },
    };
    let alerts_of = match fields.get("alerts_of") {
        None => None,
        Some(list) => {
            Some(list.texts()?.iter().map(|node| Ok(named(node.text()?, node))).collect::<Result<Vec<_>, Mistake>>()?)
        }
    };
    let alerts = fields.need("alerts")?.entries()?;
    let alerts = alerts.iter().map(|alert| Expected::read(alert, start_ms)).collect::<Result<_, _>>()?;
    Ok(Test { name, path: node.path.clone(), streams, configured, at_end, alerts_of, alerts })
}

fn named(name: &str, node: &Node<'_>) -> Named {
    Named { name: name.to_owned(), path: node.path.clone() }
}
