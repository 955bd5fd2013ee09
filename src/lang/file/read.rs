//! YAML values to rules, with every mistake at its place.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use super::{
    outline::{Outline, Part},
    rule::{Rule, RuleKind},
    scalar::Form,
    source_map::SourceMap,
    template::{Template, parse_template},
};
use crate::{
    lang::diag::{Code, FileDiagnostic, nearest},
    plan::{Limits, Mode},
    wire::yaml::{Yaml, YamlError, parse_value},
};

/// The keys of a file, a group and a rule.
const FILE_KEYS: &[&str] = &["groups"];
const GROUP_KEYS: &[&str] = &["name", "rules"];
const RULE_KEYS: &[&str] =
    &["alert", "stream", "expr", "labels", "annotations", "mode", "for", "cooldown", "dedup", "limits"];
/// Keys of a rule that are read and refused.
const LATER_KEYS: &[&str] = &["for", "cooldown", "dedup"];
/// The keys of `limits`.
const LIMIT_KEYS: &[&str] = &["partial_matches", "matches_per_event"];

/// Reads a text; none if it is no rule file at all.
pub(super) fn read(text: &str) -> (Option<Vec<Rule>>, Vec<FileDiagnostic>) {
    let value = match parse_value(text) {
        Ok(value) => value,
        Err(error) => return (None, vec![bad_yaml(&error, text)]),
    };
    let mut reader = Reader { outline: Outline::new(text), diagnostics: Vec::new(), names: BTreeSet::new() };
    let rules = reader.file(&value);
    let mut diagnostics = reader.diagnostics;
    diagnostics.sort_by_key(|d| (d.range.start, d.range.end, d.code));
    (rules, diagnostics)
}

fn bad_yaml(error: &YamlError, text: &str) -> FileDiagnostic {
    let at = error.place.map_or(0, |(line, column)| {
        let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        let rest = text.get(start..).unwrap_or_default().lines().next().unwrap_or_default();
        start + rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(n, _)| n)
    });
    FileDiagnostic::new(Code::BadYaml, at..at, format!("not readable as YAML: {}", error.message))
        .with_label("noticed here; the cause may be on the line before")
}

struct Reader {
    outline: Outline,
    diagnostics: Vec<FileDiagnostic>,
    /// Names of rules met so far.
    names: BTreeSet<String>,
}

/// A place in the tree of values.
type Path = Vec<Part>;

fn inside(path: &Path, key: &str) -> Path {
    path.iter().cloned().chain([Part::Key(key.to_owned())]).collect()
}

fn entry(path: &Path, index: usize) -> Path {
    path.iter().cloned().chain([Part::Index(index)]).collect()
}

impl Reader {
    fn file(&mut self, value: &Yaml) -> Option<Vec<Rule>> {
        let root = Path::new();
        if *value == Yaml::Null {
            self.report(
                FileDiagnostic::new(Code::MissingKey, 0..0, "the file is empty")
                    .with_label("expected `groups`")
                    .with_help("a rule file is a list of groups, each with a name and rules"),
            );
            return None;
        }
        let entries = self.map(value, &root, "the file", FILE_KEYS)?;
        let groups = self.needed(entries, &root, "groups", "the file")?;
        let path = inside(&root, "groups");
        let mut names = BTreeSet::new();
        let mut rules = Vec::new();
        for (n, group) in self.list(groups, &path, "`groups`")?.iter().enumerate() {
            self.group(group, &entry(&path, n), &mut names, &mut rules);
        }
        Some(rules)
    }

    fn group(&mut self, value: &Yaml, path: &Path, names: &mut BTreeSet<String>, rules: &mut Vec<Rule>) {
        let Some(entries) = self.map(value, path, "a group", GROUP_KEYS) else { return };
        let name = match self.needed(entries, path, "name", "the group") {
            Some(value) => self.text(value, &inside(path, "name"), "a group's name").unwrap_or_default(),
            None => String::new(),
        };
        if !name.is_empty() && !names.insert(name.clone()) {
            let range = self.outline.value_place(&inside(path, "name"));
            self.report(
                FileDiagnostic::new(Code::RuleTwice, range, format!("two groups are called `{name}`"))
                    .with_label("the second one"),
            );
        }
        let Some(value) = self.needed(entries, path, "rules", "the group") else { return };
        let path = inside(path, "rules");
        let Some(list) = self.list(value, &path, "`rules`") else { return };
        for (n, value) in list.iter().enumerate() {
            rules.extend(self.rule(value, &entry(&path, n), &name));
        }
    }

    fn rule(&mut self, value: &Yaml, path: &Path, group: &str) -> Option<Rule> {
        let entries = self.map(value, path, "a rule", RULE_KEYS)?;
        let named = self.rule_name(entries, path);
        self.later(entries, path);
        let expr = self.needed(entries, path, "expr", "the rule").and_then(|v| self.expr(v, &inside(path, "expr")));
        let mode = self.mode(entries, path);
        let limits = self.limits(entries, path);
        let labels = self.labels(entries, path);
        let annotations = self.annotations(entries, path);
        let (kind, name, name_range) = named?;
        let (expr, expr_map) = expr?;
        let group = group.to_owned();
        Some(Rule { name, name_range, kind, group, expr, expr_map, mode, limits, labels, annotations })
    }

    /// The rule's kind and name, if it has exactly one of each and nobody else has it.
    fn rule_name(&mut self, entries: &[(String, Yaml)], path: &Path) -> Option<(RuleKind, String, Range<usize>)> {
        let (kind, key, value) = match (find(entries, "alert"), find(entries, "stream")) {
            (Some(value), None) => (RuleKind::Alert, "alert", value),
            (None, Some(value)) => (RuleKind::Stream, "stream", value),
            (Some(_), Some(_)) => {
                let range = self.outline.key_place(&inside(path, "stream"));
                self.report(
                    FileDiagnostic::new(Code::AlertAndStream, range, "a rule that is both an alert and a stream")
                        .with_label("expected one of them")
                        .with_help("an alert can be read as a stream by its own name"),
                );
                return None;
            }
            // Said before, with the unknown key.
            (None, None) if is_misspelt(entries, "alert") || is_misspelt(entries, "stream") => return None,
            (None, None) => {
                let range = self.outline.key_place(path);
                self.report(
                    FileDiagnostic::new(Code::AlertAndStream, range, "a rule without a name")
                        .with_label("expected `alert` or `stream`")
                        .with_help("`alert: Name` makes alerts, `stream: name` a stream that other rules read"),
                );
                return None;
            }
        };
        let path = inside(path, key);
        let name = self.text(value, &path, "a rule's name")?;
        let range = self.outline.value_place(&path);
        if !is_rule_name(&name) {
            self.report(
                FileDiagnostic::new(Code::BadRuleName, range, format!("`{name}` can't name a rule"))
                    .with_label("expected a letter or `_`, then letters, digits and `_`"),
            );
            return None;
        }
        if !self.names.insert(name.clone()) {
            self.report(
                FileDiagnostic::new(Code::RuleTwice, range, format!("two rules are called `{name}`"))
                    .with_label("the second one")
                    .with_help("alerts and streams share their names: rules read both by name"),
            );
            return None;
        }
        Some((kind, name, range))
    }

    /// Keys that this version doesn't act on.
    fn later(&mut self, entries: &[(String, Yaml)], path: &Path) {
        for key in LATER_KEYS.iter().filter(|k| find(entries, k).is_some()) {
            let range = self.outline.key_place(&inside(path, key));
            self.report(
                FileDiagnostic::new(Code::KeyUnsupported, range, format!("`{key}` is not supported yet"))
                    .with_label("this version doesn't act on it")
                    .with_help("leave it out"),
            );
        }
    }

    /// Whether the rule runs, and who hears of its alerts.
    fn mode(&mut self, entries: &[(String, Yaml)], path: &Path) -> Mode {
        let path = inside(path, "mode");
        let mode = find(entries, "mode").and_then(|mode| self.text(mode, &path, "a rule's mode"));
        let range = self.outline.value_place(&path);
        match mode.as_deref() {
            None | Some("active") => Mode::Active,
            Some("off") => Mode::Off,
            Some("shadow") if find(entries, "stream").is_none() => Mode::Shadow,
            Some("shadow") => {
                let diagnostic = FileDiagnostic::new(Code::BadShape, range, "a stream has no alerts to put aside");
                self.report(diagnostic.with_label("expected `active` or `off`"));
                Mode::Active
            }
            Some(mode) => {
                let diagnostic = FileDiagnostic::new(Code::BadShape, range, format!("`{mode}` is no mode of a rule"));
                self.report(diagnostic.with_label("expected `active`, `shadow` or `off`"));
                Mode::Active
            }
        }
    }

    /// The expression and where its bytes stand.
    fn expr(&mut self, value: &Yaml, path: &Path) -> Option<(String, SourceMap)> {
        let text = self.text(value, path, "an expression")?;
        let range = self.outline.value_place(path);
        let found = self.outline.all(path).first().map(|e| &e.value);
        let lost = |message: &str| {
            FileDiagnostic::new(Code::LostPlace, range.clone(), message.to_owned())
                .with_label("can't be matched with the file's lines")
                .with_help("write the expression as a block: `expr: |` and the text on the lines below, indented")
        };
        let diagnostic = match found {
            Some(scalar) => match scalar.form {
                Form::Scalar if same(&scalar.text, &text) => return Some((text, scalar.map.clone())),
                Form::Folded => {
                    FileDiagnostic::new(Code::FoldedExpr, first_line(&range), "an expression in a folded block")
                        .with_label("YAML joins the lines of a `>` block")
                        .with_help("write `|` instead of `>`, so that lines, comments and places are kept")
                }
                Form::Alias => lost("an expression by alias"),
                Form::Unclear => lost("an expression over several lines without a block, or with escapes"),
                _ => lost("an expression whose place in the file is lost"),
            },
            None => lost("an expression whose place in the file is lost"),
        };
        self.report(diagnostic);
        None
    }

    fn limits(&mut self, entries: &[(String, Yaml)], path: &Path) -> Limits {
        let path = inside(path, "limits");
        let given = find(entries, "limits").and_then(|value| self.map(value, &path, "`limits`", LIMIT_KEYS));
        let mut limit = |key: &str| {
            let value = find(given?, key)?;
            let path = inside(&path, key);
            let Yaml::Int(number) = value else {
                self.wrong_shape(value, &path, &format!("`{key}`"), "a whole number");
                return None;
            };
            let limit = u32::try_from(*number).ok().filter(|limit| *limit > 0);
            if limit.is_none() {
                let range = self.outline.value_place(&path);
                self.report(
                    FileDiagnostic::new(Code::OutOfRange, range, format!("`{key}` can't be {number}"))
                        .with_label(format!("expected 1 to {}", u32::MAX)),
                );
            }
            limit
        };
        Limits { partial_matches: limit("partial_matches"), matches_per_event: limit("matches_per_event") }
    }

    fn labels(&mut self, entries: &[(String, Yaml)], path: &Path) -> BTreeMap<String, String> {
        let path = inside(path, "labels");
        self.texts(entries, "labels", &path).into_iter().collect()
    }

    fn annotations(&mut self, entries: &[(String, Yaml)], path: &Path) -> BTreeMap<String, Template> {
        let path = inside(path, "annotations");
        let mut all = BTreeMap::new();
        for (key, text) in self.texts(entries, "annotations", &path) {
            let path = inside(&path, &key);
            let found = self.outline.all(&path).first().map(|e| &e.value);
            // Where the bytes aren't known, the whole value is the place of everything in it.
            let known = found.filter(|s| s.form == Form::Scalar && same(&s.text, &text)).map(|s| s.map.clone());
            let exact = known.is_some();
            let whole = self.outline.value_place(&path);
            let map = known.unwrap_or_else(|| SourceMap::whole(whole.start..whole.start));
            let (template, diagnostics) = parse_template(&text, &map);
            for diagnostic in diagnostics {
                let range = if exact { map.locate(diagnostic.span) } else { first_line(&whole) };
                self.report(FileDiagnostic::placed(diagnostic, range));
            }
            all.insert(key, template);
        }
        all
    }

    /// A map of texts; other values are reported and left out.
    fn texts(&mut self, entries: &[(String, Yaml)], key: &str, path: &Path) -> Vec<(String, String)> {
        let Some(value) = find(entries, key) else { return Vec::new() };
        if *value == Yaml::Null {
            return Vec::new();
        }
        let Some(entries) = self.map(value, path, &format!("`{key}`"), &[]) else { return Vec::new() };
        let mut all = Vec::new();
        for (key, value) in entries {
            if let Some(text) = self.text(value, &inside(path, key), &format!("`{key}`")) {
                all.push((key.clone(), text));
            }
        }
        all
    }

    /// A map whose keys are known (any, where `keys` is empty) and given once.
    fn map<'v>(&mut self, value: &'v Yaml, path: &Path, what: &str, keys: &[&str]) -> Option<&'v [(String, Yaml)]> {
        let Yaml::Map(entries) = value else {
            self.wrong_shape(value, path, what, "a map of keys and values");
            return None;
        };
        for (n, (key, _)) in entries.iter().enumerate() {
            let path = inside(path, key);
            let earlier = entries.iter().take(n).filter(|(k, _)| k == key).count();
            if earlier > 0 {
                let second = self.outline.all(&path).get(earlier).map(|e| e.key.clone());
                let range = second.unwrap_or_else(|| self.outline.key_place(&path));
                self.report(
                    FileDiagnostic::new(Code::KeyTwice, range, format!("`{key}` is given twice"))
                        .with_label("the second one"),
                );
            } else if !keys.is_empty() && !keys.contains(&key.as_str()) {
                self.unknown_key(key, &path, what, keys);
            }
        }
        Some(entries)
    }

    fn unknown_key(&mut self, key: &str, path: &Path, what: &str, keys: &[&str]) {
        let range = self.outline.key_place(path);
        let diagnostic = FileDiagnostic::new(Code::UnknownKey, range, format!("{what} has no key `{key}`"));
        let diagnostic = match (nearest(key, keys.iter().copied()), key) {
            (Some(near), _) => diagnostic.with_help(format!("did you mean `{near}`?")),
            (None, "record") => diagnostic.with_help("a derived stream is a `stream`"),
            (None, "interval") => diagnostic.with_help("rules follow the events, not an interval; leave it out"),
            _ => diagnostic,
        };
        self.report(diagnostic.with_label(format!("expected {}", one_of(keys))));
    }

    /// The value of a key that must be there.
    fn needed<'v>(&mut self, entries: &'v [(String, Yaml)], path: &Path, key: &str, what: &str) -> Option<&'v Yaml> {
        let value = find(entries, key);
        if value.is_none() && !is_misspelt(entries, key) {
            let range = self.outline.key_place(path);
            self.report(
                FileDiagnostic::new(Code::MissingKey, range, format!("{what} has no `{key}`"))
                    .with_label(format!("expected the key `{key}` in this")),
            );
        }
        value
    }

    /// A list with an entry.
    fn list<'v>(&mut self, value: &'v Yaml, path: &Path, what: &str) -> Option<&'v [Yaml]> {
        match value {
            Yaml::List(entries) if !entries.is_empty() => Some(entries),
            Yaml::List(_) | Yaml::Null => {
                let range = self.outline.value_place(path);
                self.report(
                    FileDiagnostic::new(Code::EmptyGroups, range, format!("{what} is empty"))
                        .with_label("expected at least one entry"),
                );
                None
            }
            _ => {
                self.wrong_shape(value, path, what, "a list");
                None
            }
        }
    }

    fn text(&mut self, value: &Yaml, path: &Path, what: &str) -> Option<String> {
        match value {
            Yaml::Text(text) => Some(text.clone()),
            _ => {
                self.wrong_shape(value, path, what, "a text");
                None
            }
        }
    }

    fn wrong_shape(&mut self, value: &Yaml, path: &Path, what: &str, expected: &str) {
        let range = first_line(&self.outline.value_place(path));
        let diagnostic =
            FileDiagnostic::new(Code::BadShape, range, format!("{what} is {}, not {expected}", value.shape()))
                .with_label(format!("expected {expected}"));
        let scalar = matches!(value, Yaml::Bool(_) | Yaml::Int(_) | Yaml::Float(_));
        self.report(if scalar && expected == "a text" { diagnostic.with_help("put it in quotes") } else { diagnostic });
    }

    fn report(&mut self, diagnostic: FileDiagnostic) {
        self.diagnostics.push(diagnostic);
    }
}

fn find<'v>(entries: &'v [(String, Yaml)], key: &str) -> Option<&'v Yaml> {
    entries.iter().find(|(k, _)| k == key).map(|(_, v)| v)
}

/// Whether some key that isn't known looks like this one.
fn is_misspelt(entries: &[(String, Yaml)], key: &str) -> bool {
    entries.iter().any(|(k, _)| !RULE_KEYS.contains(&k.as_str()) && nearest(k, [key]).is_some())
}

/// Whether the scanner and the library read the same text, line breaks at the end apart.
fn same(scanned: &str, value: &str) -> bool {
    scanned.trim_end_matches('\n') == value.trim_end_matches('\n')
}

fn is_rule_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// A long range is shown by where it begins.
fn first_line(range: &Range<usize>) -> Range<usize> {
    range.start..range.end.min(range.start + 1).max(range.start)
}

fn one_of(keys: &[&str]) -> String {
    let quoted: Vec<String> = keys.iter().map(|k| format!("`{k}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}
