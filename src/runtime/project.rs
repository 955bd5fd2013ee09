//! What a command works on: configuration, rule files and fences, checked together into a plan and a world.

use super::{
    config::{self, Config, ConfigError, StreamSchema},
    fences::{LoadedFences, load_fences},
    tables::{LoadedTable, Stamp, load_table},
};
use crate::{
    engine::unbounded,
    expr::World,
    lang::{
        check::{Catalog, check_after},
        diag::{Code, FileDiagnostic, Style},
        file::RuleFile,
    },
    plan::{Plan, Rule, StreamOrigin},
    wire::RecordSchema,
};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use xxhash_rust::xxh3::Xxh3;

/// The configuration file that is read when none is named and it is there.
pub const DEFAULT_CONFIG: &str = "geocep.yaml";

/// How many errors, and how many warnings, are written out: rendering one costs the length of its file.
const SHOWN_MAX: usize = 500;

/// What to load.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `-c`.
    pub config: Option<PathBuf>,
    /// `--set`.
    pub overrides: Vec<String>,
    /// Rule files and directories; empty: those of the configuration.
    pub rules: Vec<PathBuf>,
    /// Whether diagnostics are coloured.
    pub coloured: bool,
}

/// Why nothing can run.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The configuration.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// A file or directory that can't be read.
    #[error("can't read `{}`: {error}", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// No rule file was named.
    #[error("no rules: name rule files with `--rules`, or under `rules:` in the configuration")]
    NoRules,
    /// Fences.
    #[error("{0}")]
    Fences(String),
    /// Reference tables.
    #[error("{0}")]
    Tables(String),
    /// Rules; the text is all diagnostics, rendered.
    #[error("{rendered}")]
    Rules {
        /// All diagnostics.
        rendered: String,
        /// How many are errors.
        errors: usize,
    },
}

impl ProjectError {
    /// 1 where what was asked failed (rules), 2 for wrong usage or configuration.
    pub fn exit_code(&self) -> u8 {
        if matches!(self, Self::Rules { .. }) { 1 } else { 2 }
    }
}

/// Configuration and rule texts, before they are checked.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration, embedded defaults if there is none.
    pub config: Config,
    /// Whether a configuration file was read.
    pub configured: bool,
    files: Vec<RuleFile>,
    fences: BTreeMap<String, LoadedFences>,
    tables: BTreeMap<String, LoadedTable>,
    complaints: Vec<String>,
    errors: usize,
    warnings: usize,
    style: Style,
}

/// Everything that a run needs.
#[derive(Debug)]
pub struct Project {
    /// The configuration.
    pub config: Config,
    /// The rules.
    pub plan: Arc<Plan>,
    /// The fences.
    pub world: Arc<World>,
    /// What the files of reference tables were when they were read, by the tables' names.
    pub table_stamps: BTreeMap<String, Stamp>,
    /// Warnings, rendered: of the check, and of fences that were skipped.
    pub warnings: Vec<String>,
}

impl Loaded {
    /// Reads the files of a request.
    ///
    /// # Errors
    /// A file that can't be read, or a configuration that is wrong. Mistakes in rule files wait for [`check`](Self::check).
    pub fn read(request: &Request) -> Result<Self, ProjectError> {
        let named = request.config.clone();
        let path = named.or_else(|| Some(PathBuf::from(DEFAULT_CONFIG)).filter(|path| path.is_file()));
        let config = match &path {
            Some(path) => Config::load(path, &request.overrides)?,
            None => Config::parse("{}", Path::new(""), &request.overrides, &|name| std::env::var(name).ok())?,
        };
        Self::with_config(config, path.is_some(), &request.rules, request.coloured, None)
    }

    /// Reads rule files (those of the configuration where none are named) and fences for a configuration that is at hand;
    /// `configured` says whether anybody wrote it. Of fences that are in `before`, too, not everything is made anew.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn with_config(
        config: Config,
        configured: bool,
        rules: &[PathBuf],
        coloured: bool,
        before: Option<&World>,
    ) -> Result<Self, ProjectError> {
        let named: &[PathBuf] = if rules.is_empty() { &config.rules } else { rules };
        if named.is_empty() {
            return Err(ProjectError::NoRules);
        }
        let style = if coloured { Style::Coloured } else { Style::Plain };
        let mut loaded = Self::empty(config.clone(), configured, style);
        for path in config::rule_files(named)? {
            loaded.read_rules(&path)?;
        }
        for (name, geofences) in &config.geofences {
            let before = before.and_then(|before| before.set(before.set_named(name)?));
            let fences = load_fences(name, geofences, before).map_err(ProjectError::Fences)?;
            loaded.fences.insert(name.clone(), fences);
        }
        for (name, table) in &config.tables {
            let table = load_table(name, table).map_err(ProjectError::Tables)?;
            loaded.tables.insert(name.clone(), table);
        }
        Ok(loaded)
    }

    /// A rule file and fences that are at hand; `shown` is the file's name in messages.
    pub fn of_text(config: Config, shown: &str, text: &str, fences: BTreeMap<String, LoadedFences>) -> Self {
        let mut loaded = Self { fences, ..Self::empty(config, true, Style::Plain) };
        loaded.parse_rules(shown, text);
        loaded
    }

    fn empty(config: Config, configured: bool, style: Style) -> Self {
        Self {
            config,
            configured,
            files: Vec::new(),
            fences: BTreeMap::new(),
            tables: BTreeMap::new(),
            complaints: Vec::new(),
            errors: 0,
            warnings: 0,
            style,
        }
    }

    fn read_rules(&mut self, path: &Path) -> Result<(), ProjectError> {
        let failed = |error| ProjectError::Read { path: path.to_owned(), error };
        let bytes = fs::read(path).map_err(failed)?;
        let shown = path.display().to_string();
        let text = String::from_utf8(bytes).map_err(|_| failed(std::io::Error::other("it is not UTF-8 text")))?;
        self.parse_rules(&shown, &text);
        Ok(())
    }

    fn parse_rules(&mut self, shown: &str, text: &str) {
        let (file, diagnostics) = RuleFile::parse(shown, text);
        for diagnostic in &diagnostics {
            if self.counts(diagnostic.is_error()) {
                self.complaints.push(crate::lang::diag::render(diagnostic, shown, text, self.style));
            }
        }
        self.files.extend(file);
    }

    /// Refuses a rule whose partial matches can multiply without any bound.
    fn refuse_unbounded(&mut self, rule: &Rule) {
        let Some(why) = unbounded(rule) else { return };
        if !self.counts(true) {
            return;
        }
        let stands = |file: &&RuleFile| file.rules.iter().any(|other| other.name == rule.name);
        let Some(file) = self.files.iter().find(stands) else { return };
        let range = file.rules.iter().find(|other| other.name == rule.name).map(|other| other.name_range.clone());
        let message = format!("nothing bounds how many partial matches `{}` has", rule.name);
        let diagnostic = FileDiagnostic::new(Code::NeedsLimit, range.unwrap_or_default(), message)
            .with_label(why)
            .with_help("add `WITHIN d` to the expression, or `limits: { partial_matches: 1000 }` to the rule");
        self.complaints.push(file.render(&diagnostic, self.style));
    }

    /// Counts a diagnostic; whether it is among the first of its kind, which are shown.
    fn counts(&mut self, is_error: bool) -> bool {
        let count = if is_error { &mut self.errors } else { &mut self.warnings };
        *count += 1;
        *count <= SHOWN_MAX
    }

    /// A fingerprint of the rule files and fences: 16 hex digits.
    pub fn hash(&self) -> String {
        let mut hash = Xxh3::new();
        self.files.iter().for_each(|file| hash.update(file.text.as_bytes()));
        self.fences.iter().for_each(|(name, fences)| {
            hash.update(name.as_bytes());
            hash.update(&fences.hash.to_le_bytes());
        });
        format!("{:016x}", hash.digest())
    }

    /// The names of the streams that rules read and no rule makes.
    pub fn source_names(&self) -> Vec<String> {
        let made: Vec<&str> = self.files.iter().flat_map(|file| &file.rules).map(|rule| rule.name.as_str()).collect();
        let mut read: Vec<String> = Vec::new();
        for query in self.files.iter().flat_map(|file| &file.rules).filter_map(|rule| rule.query().0) {
            let joined = query.joins.iter().map(|join| &join.source);
            read.extend(query.from.iter().chain(joined).map(|source| source.stream.text.clone()));
        }
        read.retain(|name| !made.contains(&name.as_str()));
        read.sort();
        read.dedup();
        read
    }

    /// All mistakes of the rules, if the text of one couldn't be read: then which streams rules read isn't known either.
    pub fn unread(self) -> Option<ProjectError> {
        let mut rules = self.files.iter().flat_map(|file| &file.rules);
        if self.errors == 0 && rules.all(|rule| rule.query().0.is_some()) {
            return None;
        }
        self.check(&BTreeMap::new(), true).err()
    }

    /// Checks the rules. `guessed` are schemas of streams that the configuration doesn't declare; `open` accepts streams and fence sets
    /// that nobody declared (for a check without a configuration).
    ///
    /// # Errors
    /// All mistakes of all rule files.
    pub fn check(self, guessed: &BTreeMap<String, StreamSchema>, open: bool) -> Result<Project, ProjectError> {
        self.check_after(guessed, open, &Plan::default())
    }

    /// The same for rules that are to take the place of `running` ones.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn check_after(
        mut self,
        guessed: &BTreeMap<String, StreamSchema>,
        open: bool,
        running: &Plan,
    ) -> Result<Project, ProjectError> {
        let declared =
            self.config.sources.iter().map(|(name, source)| (name, guessed.get(name).unwrap_or(&source.schema)));
        let undeclared = guessed.iter().filter(|(name, _)| !self.config.sources.contains_key(*name));
        let sources = declared.chain(undeclared).map(|(name, schema)| (name.clone(), schema.catalog())).collect();
        let infos = self.fences.values().map(|fences| fences.info.clone()).collect();
        let open = open && !self.configured;
        let tables: Vec<_> = self.tables.values().map(|table| table.info.clone()).collect();
        let (fence_sets, tables) = if open { (None, None) } else { (Some(infos), Some(tables)) };
        let catalog = Catalog { sources, fence_sets, tables, open, ..Catalog::default() };
        let checked = check_after(&self.files, &catalog, running);
        for finding in &checked.diagnostics {
            if self.counts(finding.diagnostic.is_error())
                && let Some(file) = self.files.get(finding.file)
            {
                self.complaints.push(file.render(&finding.diagnostic, self.style));
            }
        }
        for rule in checked.plan.iter().flat_map(|plan| &plan.rules) {
            self.refuse_unbounded(rule);
        }
        for (count, what) in [(self.warnings, "warnings"), (self.errors, "errors")] {
            if let Some(more @ 1..) = count.checked_sub(SHOWN_MAX) {
                self.complaints.push(format!("{more} more {what} are not shown\n"));
            }
        }
        let plan = match checked.plan {
            Some(plan) if self.errors == 0 => plan,
            _ => return Err(ProjectError::Rules { rendered: self.complaints.join("\n"), errors: self.errors }),
        };
        let mut sets = Vec::new();
        for name in &plan.fence_sets {
            let set = match self.fences.remove(name) {
                Some(loaded) => {
                    self.complaints.extend(loaded.skipped.iter().map(|reason| format!("warning: skipped {reason}\n")));
                    loaded.set
                }
                None => {
                    crate::geo::FenceSet::new(Vec::new()).map_err(|error| ProjectError::Fences(error.to_string()))?
                }
            };
            sets.push((name.clone(), Arc::new(set)));
        }
        let tables = plan.tables.iter().map(|table| {
            let loaded = self.tables.get(&table.name);
            (table.name.clone(), loaded.map(|loaded| Arc::clone(&loaded.table)).unwrap_or_default())
        });
        let world = World::new(sets).with_tables(tables.collect());
        let stamps = self.tables.into_iter().filter_map(|(name, table)| Some((name, table.stamp?)));
        Ok(Project {
            config: self.config,
            plan: Arc::new(plan),
            world: Arc::new(world),
            table_stamps: stamps.collect(),
            warnings: self.complaints,
        })
    }
}

/// How records of a source become rows of a plan's stream. Fields that are the key of every rule that reads the stream are
/// required: a record without them could go nowhere.
pub fn record_schema(plan: &Plan, stream: usize, schema: &StreamSchema) -> Option<RecordSchema> {
    let pruned = plan.streams.get(stream).filter(|stream| stream.origin == StreamOrigin::Source)?;
    let mut records = schema.record_schema(&pruned.schema);
    let mut needed: Option<Vec<u16>> = None;
    let reads = |input: &&crate::plan::Input| input.stream.0 as usize == stream;
    for input in plan.rules.iter().flat_map(|rule| &rule.inputs).filter(reads) {
        let slots = input.key.iter().filter_map(|expr| match expr.nodes() {
            [crate::expr::Node::Field(slot)] => Some(*slot),
            _ => None,
        });
        let slots: Vec<u16> = slots.collect();
        needed = Some(match needed {
            None => slots,
            Some(others) => others.into_iter().filter(|slot| slots.contains(slot)).collect(),
        });
    }
    for slot in needed.unwrap_or_default() {
        if let Some(crate::wire::SlotSource::Field(field)) = records.slots.get_mut(usize::from(slot)) {
            field.required = true;
        }
    }
    Some(records)
}
