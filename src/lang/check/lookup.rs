//! LOOKUP: reference tables by their key, and their columns in expressions.

use super::{
    catalog::TableInfo,
    compile::{Compiler, Site, Typed, named},
    join::conjuncts,
    scope::{RuleScope, Table},
};
use crate::{
    expr::{Node, NodeId},
    lang::{
        ast::{BinaryOp, Expr, ExprKind, LookupClause, Name, Query},
        diag::{Code, Diagnostic, nearest},
        span::Span,
    },
    model::{Type, Value},
    plan::TablePlan,
};

/// A table that a rule looks up.
#[derive(Debug)]
pub(super) struct LookupScope<'a> {
    /// What the rule calls it.
    pub(super) name: String,
    /// Its number in the plan.
    table: u16,
    /// The columns of its key with what each must equal, in the key's order.
    key: Vec<(String, &'a Expr)>,
    /// Whether anything reads a column of it.
    used: bool,
    span: Span,
}

/// Notes the tables of LOOKUP; those that are wrong are reported and left out.
pub(super) fn lookups<'a>(rule: &mut RuleScope<'a>, query: &'a Query) {
    for clause in &query.lookups {
        if query.near.is_some() {
            rule.report(
                Diagnostic::new(
                    Code::WrongPlace,
                    clause.span,
                    "a table is looked up for an event, and NEAR makes pairs",
                )
                .with_help("make the pairs a `stream:` rule, and look the table up in a rule that reads it"),
            );
            continue;
        }
        let name = clause.table.visible_name();
        let taken = rule.inputs.iter().any(|input| input.name == name.text) || rule.lookup(&name.text).is_some();
        if taken {
            let message = format!("the rule has another stream or table `{}`", name.text);
            let help = "give it another name: `LOOKUP vehicles v ON …`";
            rule.report(Diagnostic::new(Code::NameTwice, name.span, message).with_help(help));
            continue;
        }
        let info = match rule.catalog.table(&clause.table.stream.text) {
            Ok(info) => info,
            Err(()) => {
                unknown_table(rule, &clause.table.stream);
                continue;
            }
        };
        let Some(key) = key(rule, clause, info) else { continue };
        let known = rule.tables.iter().position(|table| table.name == clause.table.stream.text);
        let at = known.unwrap_or_else(|| {
            let columns = info.iter().flat_map(|info| &info.columns).map(|(column, _)| column.clone()).collect();
            rule.tables.push(TablePlan { name: clause.table.stream.text.clone(), columns });
            rule.tables.len() - 1
        });
        let Ok(table) = u16::try_from(at) else { continue };
        let (name, span) = (name.text.clone(), clause.span);
        rule.lookups.push(LookupScope { name, table, key, used: false, span });
    }
}

/// Judges what the keys are compared with, also where nothing is read of the table.
pub(super) fn judge(rule: &mut RuleScope<'_>) {
    for at in 0..rule.lookups.len() {
        for input in 0..rule.inputs.len() {
            let mut compiler = Compiler::new(rule, Site::Event, input);
            if compiler.begin(at, Span::at(0)).is_some() {
                compiler.row_of(at);
                compiler.rule.looking_up.pop();
            }
        }
    }
}

/// Warns of tables that nothing reads: they leave no event out, so that looking them up does nothing.
pub(super) fn unused(rule: &mut RuleScope<'_>) {
    let unused = rule.lookups.iter().filter(|lookup| !lookup.used);
    let unused: Vec<(Span, String)> = unused.map(|lookup| (lookup.span, lookup.name.clone())).collect();
    for (span, name) in unused {
        let message = format!("nothing reads a column of `{name}`");
        let help = format!("a look-up drops no event: `WHERE {name}.… IS NOT NULL` does");
        rule.report(Diagnostic::new(Code::UnusedVariable, span, message).with_help(help));
    }
}

fn unknown_table(rule: &mut RuleScope<'_>, name: &Name) {
    let known: Vec<&str> = rule.catalog.tables.iter().flatten().map(|table| table.name.as_str()).collect();
    let help = match nearest(&name.text, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "the configuration declares no reference tables: name it under `tables`".to_owned(),
        None => {
            let known: Vec<String> = known.iter().map(|table| format!("`{table}`")).collect();
            format!("the configuration declares {}", known.join(", "))
        }
    };
    let message = format!("there is no reference table `{}`", name.text);
    rule.report(Diagnostic::new(Code::UnknownTable, name.span, message).with_help(help));
}

/// What each column of the table's key must equal.
fn key<'a>(
    rule: &mut RuleScope<'a>,
    clause: &'a LookupClause,
    info: Option<&TableInfo>,
) -> Option<Vec<(String, &'a Expr)>> {
    let mut all = Vec::new();
    conjuncts(&clause.on, &mut all);
    let mut given: Vec<(String, &'a Expr)> = Vec::new();
    for part in all {
        let Some((column, expr)) = equality(clause, info, part) else {
            return rule.report_none(
                Diagnostic::new(Code::WrongPlace, part.span, "a table is looked up by the columns of its key")
                    .with_label("expected `table.column = …`")
                    .with_help("what else a row must meet stands in WHERE"),
            );
        };
        if let Some(info) = info
            && !info.key.contains(&column)
        {
            let message = format!("`{column}` is no part of the key of `{}`", info.name);
            return rule.report_none(Diagnostic::new(Code::WrongPlace, part.span, message).with_help(key_of(info)));
        }
        if given.iter().any(|(other, _)| *other == column) {
            let message = format!("`{column}` is given twice");
            return rule.report_none(Diagnostic::new(Code::NameTwice, part.span, message));
        }
        given.push((column, expr));
    }
    let Some(info) = info else { return Some(given) };
    let mut key = Vec::new();
    for column in &info.key {
        match given.iter().find(|(given, _)| given == column) {
            Some(part) => key.push(part.clone()),
            None => {
                let message = format!("ON doesn't say what `{column}` of `{}` is", info.name);
                return rule
                    .report_none(Diagnostic::new(Code::WrongPlace, clause.on.span, message).with_help(key_of(info)));
            }
        }
    }
    Some(key)
}

fn key_of(info: &TableInfo) -> String {
    let columns: Vec<String> = info.key.iter().map(|column| format!("`{column}`")).collect();
    format!("its key is {}", columns.join(" and "))
}

/// The column of an equality, and what it must equal.
fn equality<'a>(clause: &LookupClause, info: Option<&TableInfo>, part: &'a Expr) -> Option<(String, &'a Expr)> {
    let ExprKind::Binary { op, left, right } = &part.kind else { return None };
    if op.value != BinaryOp::Eq {
        return None;
    }
    let table = clause.table.visible_name();
    let named = |expr: &Expr| match &expr.kind {
        ExprKind::Path(path) => match path.parts.as_slice() {
            [head, column] if head.text == table.text => Some(column.text.clone()),
            _ => None,
        },
        _ => None,
    };
    // A bare name may be a column of the key; `id = id` is the table's second.
    let bare = |expr: &Expr| match &expr.kind {
        ExprKind::Path(path) => match path.parts.as_slice() {
            [column] if info.is_none_or(|info| info.key.contains(&column.text)) => Some(column.text.clone()),
            _ => None,
        },
        _ => None,
    };
    match (named(left), named(right)) {
        (Some(column), None) => Some((column, right)),
        (None, Some(column)) => Some((column, left)),
        (Some(_), Some(_)) => None,
        (None, None) => bare(right).map(|column| (column, &**left)).or_else(|| Some((bare(left)?, &**right))),
    }
}

impl RuleScope<'_> {
    /// The place of the table that the rule calls so.
    pub(super) fn lookup(&self, name: &str) -> Option<usize> {
        self.lookups.iter().position(|lookup| lookup.name == name)
    }
}

impl Compiler<'_, '_> {
    /// `vehicles.capacity`: a column of the row that is looked up for the event at hand; null where there is no row.
    pub(super) fn lookup_path(&mut self, at: usize, head: &Name, rest: &[Name], span: Span) -> Option<Typed> {
        let Some((column, deeper)) = rest.split_first() else {
            return self.error(
                Diagnostic::new(Code::WrongPlace, span, format!("`{}` is a table, not a value", head.text))
                    .with_help(format!("name a column of it: `{}.…`", head.text)),
            );
        };
        let (number, ty) = self.column(at, column)?;
        let lookup = self.rule.lookups.get_mut(at)?;
        lookup.used = true;
        let table = lookup.table;
        if let Some(deeper) = deeper.first() {
            let message = format!("{} has no properties", named(ty));
            return self.error(Diagnostic::new(Code::WrongType, deeper.span, message));
        }
        let only = self.only;
        self.begin(at, span)?;
        let found = self.shared(Table::Computed, format!("{only:?}|lookup {at}"), |compiler| {
            compiler.only = only;
            compiler.row_of(at)
        });
        self.rule.looking_up.pop();
        let (slot, _) = found?;
        let row = self.leaf(Node::Computed(slot), Type::Int, span);
        let row = self.id(&row);
        Some(self.leaf(Node::TableColumn(table, number, row), ty, span))
    }

    /// Notes that a table's key is being compiled, until it is taken from `looking_up` again.
    fn begin(&mut self, at: usize, span: Span) -> Option<()> {
        if self.rule.looking_up.contains(&at) {
            return self.error(
                Diagnostic::new(Code::WrongPlace, span, "tables are looked up by each other in a circle")
                    .with_label("closes the circle"),
            );
        }
        self.rule.looking_up.push(at);
        Some(())
    }

    /// The number and type of a column.
    fn column(&mut self, at: usize, column: &Name) -> Option<(u16, Type)> {
        let table = usize::from(self.rule.lookups.get(at)?.table);
        let name = self.rule.tables.get(table)?.name.clone();
        let Ok(Some(info)) = self.rule.catalog.table(&name) else {
            // Nothing is known of it: its columns are numbered as they are met.
            let columns = &mut self.rule.tables.get_mut(table)?.columns;
            let number = columns.iter().position(|known| *known == column.text).unwrap_or_else(|| {
                columns.push(column.text.clone());
                columns.len() - 1
            });
            return Some((u16::try_from(number).ok()?, Type::Any));
        };
        if let Some(number) = info.columns.iter().position(|(known, _)| *known == column.text) {
            return Some((u16::try_from(number).ok()?, info.columns.get(number)?.1));
        }
        let known = info.columns.iter().map(|(known, _)| known.as_str());
        let help = match nearest(&column.text, known.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                format!("its columns are {}", known.map(|known| format!("`{known}`")).collect::<Vec<_>>().join(", "))
            }
        };
        let message = format!("the table `{name}` has no column `{}`", column.text);
        self.error(Diagnostic::new(Code::UnknownField, column.span, message).with_help(help))
    }

    /// The row that is looked up for the event at hand.
    fn row_of(&mut self, at: usize) -> Option<Typed> {
        let lookup = self.rule.lookups.get(at)?;
        let (table, keys) = (lookup.table, lookup.key.clone());
        let name = self.rule.tables.get(usize::from(table))?.name.clone();
        let mut ids: Vec<NodeId> = Vec::new();
        let mut span = Span::at(0);
        let mut never = false;
        for (column, expr) in &keys {
            span = expr.span;
            let typed = self.expr(expr)?;
            if self.uses.prev || self.uses.extra || self.uses.element {
                return self.error(
                    Diagnostic::new(Code::WrongPlace, expr.span, "a table is looked up by what the event itself says")
                        .with_label("looks at more than the event")
                        .with_help("make what it finds a field: a `stream:` rule that measures it"),
                );
            }
            let wanted = match self.rule.catalog.table(&name) {
                Ok(Some(info)) => {
                    info.columns.iter().find(|(known, _)| known == column).map_or(Type::Any, |(_, ty)| *ty)
                }
                _ => Type::Any,
            };
            never |= typed.is_null();
            let typed = match self.coerce(typed, wanted) {
                Ok(typed) => typed,
                Err(typed) => {
                    let message =
                        format!("`{name}.{column}` is {}, and this is {}", named(wanted), self.describe(&typed));
                    let help = format!("declare the type of `{column}` in the configuration, under `tables`");
                    return self.error(Diagnostic::new(Code::WrongType, expr.span, message).with_help(help));
                }
            };
            ids.push(self.id(&typed));
        }
        if never {
            return Some(Typed::constant(Value::Null, Type::Int, span));
        }
        // Not `node`: a constant key is looked up all the same when the table is at hand.
        Some(self.leaf(Node::TableRow(table, ids.into_iter().collect()), Type::Int, span))
    }

    /// A column at a place that looks at a pair: of the event that the table is looked up for.
    pub(super) fn joined_lookup(&mut self, at: usize, head: &Name, rest: &[Name], span: Span) -> Option<Typed> {
        let keys = self.rule.lookups.get(at)?.key.clone();
        let mut sides = [false; 2];
        self.begin(at, span)?;
        for (_, expr) in &keys {
            let looked = super::join::looks_at(self.rule, expr).unwrap_or_default();
            sides = [sides[0] | looked[0], sides[1] | looked[1]];
        }
        self.rule.looking_up.pop();
        match sides {
            [true, true] => self.error(
                Diagnostic::new(Code::WrongPlace, span, "a table is looked up for one event of the pair, not for both")
                    .with_help("make the join a `stream:` rule, and look the table up in a rule that reads it"),
            ),
            [false, true] => self.kept(1, head, rest, span),
            _ => self.kept(0, head, rest, span),
        }
    }

    fn kept(&mut self, side: usize, head: &Name, rest: &[Name], span: Span) -> Option<Typed> {
        let mut text = head.text.clone();
        rest.iter().for_each(|part| text.extend([".", &part.text]));
        self.kept_of_side(side, text, span, |compiler| compiler.event_path(head, rest, span))
    }
}
