//! What is known of one rule while it is checked: its inputs, its key, its variables, and the slots given out so far.

use super::{catalog::Catalog, joined::JoinScope, lookup::LookupScope, streams::Streams};
use crate::{
    expr::Expr,
    lang::{
        ast,
        diag::{Code, Diagnostic},
        span::Span,
    },
    model::{StreamId, Type},
    plan::{Aggregate, Interpolate, TablePlan},
};

/// A stream of FROM.
#[derive(Debug)]
pub(super) struct InputScope {
    /// What the rule calls it.
    pub(super) name: String,
    pub(super) stream: StreamId,
}

/// A component of PARTITION BY.
#[derive(Debug)]
pub(super) struct KeyScope<'a> {
    pub(super) name: String,
    pub(super) ty: Type,
    /// Canonical text: a measure of the same text is the component.
    pub(super) text: String,
    pub(super) expr: &'a ast::Expr,
    pub(super) through: bool,
}

/// A variable of the pattern.
#[derive(Debug)]
pub(super) struct VariableScope<'a> {
    pub(super) name: String,
    /// The only input whose events it takes, where DEFINE says so.
    pub(super) from: Option<usize>,
    pub(super) condition: Option<&'a ast::Expr>,
    /// Whether it only stands under `!`: then no match holds an event of it.
    pub(super) negated: bool,
}

/// Which table of shared expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// Kept of the partition's previous event.
    Prev,
    /// Evaluated once per event.
    Computed,
    /// Kept of the events of a match.
    Retained,
    /// Kept of the past for what is usual.
    Baseline,
}

/// Expressions on events that get a slot; each slot has one expression per input.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots {
    keys: Vec<String>,
    types: Vec<Type>,
    exprs: Vec<Vec<Expr>>,
}

impl Slots {
    pub(super) fn find(&self, key: &str) -> Option<(u16, Type)> {
        let at = self.keys.iter().position(|known| known == key)?;
        Some((at as u16, *self.types.get(at)?))
    }

    pub(super) fn add(&mut self, key: String, ty: Type, exprs: Vec<Expr>) -> Option<u16> {
        let at = u16::try_from(self.keys.len()).ok()?;
        self.keys.push(key);
        self.types.push(ty);
        self.exprs.push(exprs);
        Some(at)
    }

    /// Gives a slot its expressions, which needed its number.
    pub(super) fn fill(&mut self, slot: u16, exprs: Vec<Expr>) {
        if let Some(place) = self.exprs.get_mut(usize::from(slot)) {
            *place = exprs;
        }
    }

    pub(super) fn types(&self) -> Vec<Type> {
        self.types.clone()
    }

    /// The expressions of one input, by slot.
    pub(super) fn of_input(&self, input: usize) -> Vec<Expr> {
        self.exprs.iter().filter_map(|slot| slot.get(input).cloned()).collect()
    }
}

/// One rule under check.
pub(super) struct RuleScope<'a> {
    pub(super) streams: &'a mut Streams,
    pub(super) catalog: &'a Catalog,
    /// Its outputs are shown: they have a geometry.
    pub(super) is_alert: bool,
    /// The sets that any rule names so far; the index is the set's number.
    pub(super) fence_sets: &'a mut Vec<String>,
    /// The tables that any rule looks up so far; the index is the table's number.
    pub(super) tables: &'a mut Vec<TablePlan>,
    /// The tables of LOOKUP.
    pub(super) lookups: Vec<LookupScope<'a>>,
    /// Those of them whose key is being compiled: a key may name other tables, but none that waits for it.
    pub(super) looking_up: Vec<usize>,
    pub(super) inputs: Vec<InputScope>,
    pub(super) partitioned: bool,
    /// THROUGH's set.
    pub(super) through: Option<u16>,
    /// Whether a component of the key is followed.
    pub(super) follows: bool,
    /// INTERPOLATE.
    pub(super) interpolate: Option<Interpolate>,
    /// Whether a condition asks what lies on the way.
    pub(super) interpolated: bool,
    /// What UNNEST calls the element, and its type.
    pub(super) element: Option<(String, Type)>,
    pub(super) keys: Vec<KeyScope<'a>>,
    pub(super) variables: Vec<VariableScope<'a>>,
    /// ALL ROWS PER MATCH: measures are as of each row unless they say FINAL.
    pub(super) all_rows: bool,
    /// The first fence function of WHERE: a bare `fence` is its.
    pub(super) where_fence: Option<&'a ast::Call>,
    pub(super) measures: &'a [ast::Measure],
    pub(super) prev: Slots,
    pub(super) computed: Slots,
    pub(super) retained: Slots,
    pub(super) baseline: Slots,
    /// Over how many hours each of `baseline` looks.
    pub(super) baseline_hours: Vec<u32>,
    /// Aggregates with the variable that each runs over (of a window: none), and the text of each.
    pub(super) aggregates: Vec<(u16, Aggregate)>,
    pub(super) aggregate_keys: Vec<String>,
    /// Of a rule with JOIN: what is known of its sides.
    pub(super) joined: JoinScope,
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl<'a> RuleScope<'a> {
    /// Notes a diagnostic once: a rule of several inputs is checked for each.
    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        let same = |known: &Diagnostic| known.span == diagnostic.span && known.code == diagnostic.code;
        if !self.diagnostics.iter().any(same) {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Refuses what the language has and this version has not.
    pub(super) fn unsupported(&mut self, what: &str, span: Span) {
        self.report(Diagnostic::new(Code::Unsupported, span, format!("`{what}` is not supported yet")));
    }

    /// Whether an error was reported.
    pub(super) fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    pub(super) fn slots(&mut self, table: Table) -> &mut Slots {
        match table {
            Table::Prev => &mut self.prev,
            Table::Computed => &mut self.computed,
            Table::Retained => &mut self.retained,
            Table::Baseline => &mut self.baseline,
        }
    }

    pub(super) fn variable(&self, name: &str) -> Option<u16> {
        self.variables.iter().position(|variable| variable.name == name).map(|at| at as u16)
    }

    pub(super) fn variable_at(&self, var: u16) -> Option<&VariableScope<'a>> {
        self.variables.get(usize::from(var))
    }

    pub(super) fn input(&self, name: &str) -> Option<usize> {
        self.inputs.iter().position(|input| input.name == name)
    }

    pub(super) fn stream_of(&self, input: usize) -> Option<StreamId> {
        self.inputs.get(input).map(|input| input.stream)
    }

    /// The number of a geofence set, given now if it has none; an unknown set is reported.
    pub(super) fn fence_set(&mut self, name: &ast::Name) -> Option<u16> {
        if self.catalog.fence_set(&name.text).is_err() {
            let near = crate::lang::diag::nearest(&name.text, self.catalog.fence_set_names());
            let mut diagnostic =
                Diagnostic::new(Code::UnknownSet, name.span, format!("there is no geofence set `{}`", name.text));
            diagnostic.help = match near {
                Some(near) => Some(format!("did you mean `{near}`?")),
                None => {
                    let known: Vec<String> = self.catalog.fence_set_names().map(|set| format!("`{set}`")).collect();
                    Some(match known.is_empty() {
                        true => "the configuration declares no geofence sets".to_owned(),
                        false => format!("the configuration declares {}", known.join(", ")),
                    })
                }
            };
            self.report(diagnostic);
            return None;
        }
        let at = self.fence_sets.iter().position(|set| *set == name.text).unwrap_or_else(|| {
            self.fence_sets.push(name.text.clone());
            self.fence_sets.len() - 1
        });
        u16::try_from(at).ok()
    }
}

impl RuleScope<'_> {
    /// Reports, and gives nothing.
    pub(super) fn report_none<T>(&mut self, diagnostic: Diagnostic) -> Option<T> {
        self.report(diagnostic);
        None
    }

    /// Warns of a condition that holds always or never, unless it is written as the constant that it is.
    pub(super) fn always_same(&mut self, condition: &Expr, written: &ast::Expr) {
        if matches!(written.kind, ast::ExprKind::Bool(_)) {
            return;
        }
        let Some(value) = condition.as_const() else { return };
        let inside = |known: &Diagnostic| known.span.start >= written.span.start && known.span.end <= written.span.end;
        if self.diagnostics.iter().any(|known| known.code == Code::AlwaysSame && inside(known)) {
            return;
        }
        let truth = if *value == crate::model::Value::Bool(true) { "always" } else { "never" };
        self.report(Diagnostic::new(Code::AlwaysSame, written.span, format!("this condition is {truth} true")));
    }
}
