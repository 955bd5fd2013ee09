//! CLUSTER BY: the cell, its conditions, and the numbers of the clause.

use super::{
    compile::{Compiler, Site, Typed, named},
    scope::RuleScope,
    streams::Streams,
};
use crate::{
    expr::{Expr, Node},
    lang::{
        ast::{self, ClusterClause, EmitKind, Query, Ratio},
        diag::{Code, Diagnostic},
        span::Span,
    },
    model::Type,
    plan::{
        self, Body, ClusterInput, RegionField, RuleKind,
        regions::{ClusterError, Config, Confirm, Density, Limits, Overlap},
    },
};

/// Checks the clause; aggregates are put in once the measures are known.
pub(super) fn cluster(rule: &mut RuleScope<'_>, clause: &ClusterClause, query: &Query) -> Option<plan::Cluster> {
    let inputs: Vec<Option<ClusterInput>> = (0..rule.inputs.len()).map(|at| input(rule, clause, at)).collect();
    let hot = || inputs.iter().flatten().map(|input| &input.hot);
    if inputs.iter().all(Option::is_some)
        && hot().all(|hot| hot.as_const().is_some())
        && let Some(first) = hot().next()
    {
        rule.always_same(first, &clause.hot);
    }
    let config = config(rule, clause);
    let confirm = confirm(rule, clause);
    let mut ms = |quantity: &Option<ast::Quantity>| match quantity {
        Some(quantity) => Compiler::new(rule, Site::Constant, 0).positive_ms(quantity).map(Some),
        None => Some(None),
    };
    let (expire_ms, every_ms) = (ms(&clause.expire), ms(&clause.every));
    let emit_all = query.emit.as_ref().is_some_and(|emit| emit.kind == EmitKind::All);
    weighed(rule, clause);
    Some(plan::Cluster {
        inputs: inputs.into_iter().collect::<Option<_>>()?,
        config: config?,
        expire_ms: expire_ms?,
        every_ms: every_ms?,
        confirm: confirm?,
        emit_all,
        aggregates: Vec::new(),
        unread: Vec::new(),
    })
}

/// What is read of the events of one input.
fn input(rule: &mut RuleScope<'_>, clause: &ClusterClause, at: usize) -> Option<ClusterInput> {
    let stream = rule.inputs.get(at).map_or("", |input| &input.name).to_owned();
    let cell = expr(rule, &clause.by, at, |compiler, typed| match typed.ty {
        _ if typed.is_null() => compiler.error(
            Diagnostic::new(Code::UnknownField, typed.span, format!("events of `{stream}` have no cell"))
                .with_label(format!("`{stream}` doesn't have this"))
                .with_help("every stream of FROM must have what CLUSTER BY names"),
        ),
        Type::Cell | Type::Any => Some(typed),
        ty => compiler.error(
            Diagnostic::new(Code::WrongType, typed.span, format!("CLUSTER BY takes a cell, not {}", named(ty)))
                .with_label(format!("this is {}", named(ty)))
                .with_help("the H3 cell of a position is `h3(position, 8)`"),
        ),
    });
    let condition = |compiler: &mut Compiler<'_, '_>, typed: Typed| {
        compiler.want_bool(typed, "a cell is hot or cold by a condition")
    };
    let hot = expr(rule, &clause.hot, at, condition);
    let cold = clause.cold.as_ref().map(|cold| expr(rule, cold, at, condition));
    let weight = clause.weight.as_ref().map(|weight| {
        expr(rule, weight, at, |compiler, typed| match typed.ty {
            ty if ty.is_number() => Some(typed),
            ty => compiler.error(
                Diagnostic::new(Code::WrongType, typed.span, format!("WEIGHT takes a number, not {}", named(ty)))
                    .with_label(format!("this is {}", named(ty))),
            ),
        })
    });
    let members = clause.members.as_ref().map(|members| {
        expr(rule, members, at, |compiler, typed| match typed.ty {
            Type::Fence | Type::Fences => Some(compiler.output(typed)),
            Type::Geometry => compiler.error(
                Diagnostic::new(Code::WrongType, typed.span, "MEMBERS takes a value or a list, not a geometry")
                    .with_help("for example what `collect(DISTINCT vehicle)` of a window gives"),
            ),
            _ => Some(typed),
        })
    });
    // A part that is left out is sound, one with a mistake isn't.
    if [&cold, &weight, &members].into_iter().any(|part| matches!(part, Some(None))) {
        return None;
    }
    let (cold, weight, members) = (cold.flatten(), weight.flatten(), members.flatten());
    Some(ClusterInput { cell: cell?, hot: hot?, cold, weight, members })
}

/// An expression on an event, which is a result of one cell: the event before it is of another.
fn expr(
    rule: &mut RuleScope<'_>,
    written: &ast::Expr,
    input: usize,
    fit: impl FnOnce(&mut Compiler<'_, '_>, Typed) -> Option<Typed>,
) -> Option<Expr> {
    let mut compiler = Compiler::new(rule, Site::Event, input);
    let typed = compiler.expr(written)?;
    if compiler.uses.prev {
        return compiler.error(
            Diagnostic::new(Code::WrongPlace, written.span, "the previous event may be of any other cell")
                .with_label("looks at the previous event")
                .with_help("compare a cell with itself in a rule of its own, `PARTITION BY cell`, and cluster that rule's stream"),
        );
    }
    let typed = fit(&mut compiler, typed)?;
    Some(compiler.finish(&typed))
}

/// What asks for weights or members, and what nobody asks for.
fn weighed(rule: &mut RuleScope<'_>, clause: &ClusterClause) {
    let overlap = clause.overlap;
    let by = |what: ast::Overlap| overlap.filter(|overlap| overlap.value == what).map(|overlap| overlap.span);
    let mut missing = |span: Option<Span>, needs: &str, example: &str| {
        if let Some(span) = span {
            rule.report(
                Diagnostic::new(
                    Code::WrongPlace,
                    span,
                    format!("this needs `{needs}`: the rule doesn't say what it is"),
                )
                .with_help(format!("for example `{example}`")),
            );
        }
    };
    if clause.weight.is_none() {
        missing(by(ast::Overlap::Weight), "WEIGHT", "WEIGHT demand");
        missing(clause.dense.map(|dense| dense.span), "WEIGHT", "WEIGHT demand");
    }
    match (&clause.members, by(ast::Overlap::Members)) {
        (None, span) => missing(span, "MEMBERS", "MEMBERS vehicles"),
        (Some(members), None) => rule.report(
            Diagnostic::new(Code::WrongPlace, members.span, "members are asked for by `OVERLAP BY MEMBERS` only")
                .with_help("add `OVERLAP BY MEMBERS`, or leave out `MEMBERS`"),
        ),
        (Some(_), Some(_)) => {}
    }
}

/// The numbers, each in its range.
fn config(rule: &mut RuleScope<'_>, clause: &ClusterClause) -> Option<Config> {
    let small = |count: Option<u64>, default: u32| count.map_or(default, |n| u32::try_from(n).unwrap_or(u32::MAX));
    let share = |ratio: Option<Ratio>, default: f64| {
        ratio.map_or(default, |ratio| ratio.value.as_f64() / if ratio.percent { 100.0 } else { 1.0 })
    };
    let defaults = Config::default();
    let mut config = Config {
        reach: small(clause.reach.map(|reach| reach.value), defaults.reach),
        density: clause.density.as_ref().map(|density| Density {
            cells: small(Some(density.count.value), 0),
            within: small(Some(density.within.value), 0),
        }),
        min_cells: clause.min_cells.map_or(defaults.min_cells, |n| usize::try_from(n.value).unwrap_or(usize::MAX)),
        overlap: match clause.overlap.map(|overlap| overlap.value) {
            None | Some(ast::Overlap::Cells) => Overlap::Cells,
            Some(ast::Overlap::Weight) => Overlap::Weight,
            Some(ast::Overlap::Members) => Overlap::Members,
        },
        limits: Limits {
            survive: share(clause.survive, defaults.limits.survive),
            split: share(clause.split, defaults.limits.split),
            grow: share(clause.grow, defaults.limits.grow),
            shift: share(clause.move_, defaults.limits.shift),
            dense: share(clause.dense, defaults.limits.dense),
        },
    };
    let mut sound = true;
    // Each number that is wrong is told, then taken as its default; there are fewer than ten.
    while let Err(error) = config.checked() {
        sound = false;
        let (what, limits) = (word(&error), defaults.limits);
        let span = match what {
            "REACH" => {
                config.reach = defaults.reach;
                clause.reach.map(|reach| reach.span)
            }
            "DENSITY" => {
                config.density = None;
                clause.density.as_ref().map(|density| density.span)
            }
            "MIN CELLS" => {
                config.min_cells = defaults.min_cells;
                clause.min_cells.map(|cells| cells.span)
            }
            "SURVIVE" => {
                config.limits.survive = limits.survive;
                clause.survive.map(|ratio| ratio.span)
            }
            "SPLIT" => {
                config.limits.split = limits.split;
                clause.split.map(|ratio| ratio.span)
            }
            "GROW" => {
                config.limits.grow = limits.grow;
                clause.grow.map(|ratio| ratio.span)
            }
            "MOVE" => {
                config.limits.shift = limits.shift;
                clause.move_.map(|ratio| ratio.span)
            }
            _ => {
                config.limits.dense = limits.dense;
                clause.dense.map(|ratio| ratio.span)
            }
        };
        rule.report(out_of_range(&error, span.unwrap_or(clause.span)));
        if config.checked() == Err(error) {
            break;
        }
    }
    sound.then_some(config)
}

/// The word of the clause that an error is about.
fn word(error: &ClusterError) -> &'static str {
    match error {
        ClusterError::Rings { what, .. } | ClusterError::NoCells(what) | ClusterError::Share { what, .. } => what,
        ClusterError::Confirm { .. } => "CONFIRM",
        ClusterError::Expire(_) => "EXPIRE",
        ClusterError::Every(_) => "EVERY",
    }
}

fn out_of_range(error: &ClusterError, span: Span) -> Diagnostic {
    Diagnostic::new(Code::OutOfRange, span, error.to_string()).with_label("out of range")
}

fn confirm(rule: &mut RuleScope<'_>, clause: &ClusterClause) -> Option<Confirm> {
    let Some(written) = &clause.confirm else { return Some(Confirm::default()) };
    let small = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    match Confirm::new(small(written.hits.value), small(written.results.value)) {
        Ok(confirm) => Some(confirm),
        Err(error) => rule.report_none(out_of_range(&error, written.span)),
    }
}

/// Fields of regions that cost as much as these are large aren't made where nobody reads them. An alert shows them.
pub(super) fn leave_unread(rule: &mut plan::Rule, streams: &Streams) {
    let Body::Cluster(cluster) = &mut rule.body else { return };
    let Some(stream) = streams.find(&rule.name).filter(|_| rule.kind == RuleKind::Stream) else { return };
    let is_costly = |expr: &Expr| {
        let costly = RegionField::ALL.iter().filter(|field| field.is_costly());
        matches!(expr.nodes(), [Node::Extra(slot)] if costly.clone().any(|field| field.slot() == *slot))
    };
    let slots = rule
        .outputs
        .iter()
        .zip(0u16..)
        .filter(|(output, slot)| output.exprs.first().is_some_and(is_costly) && !streams.is_read(stream, *slot));
    cluster.unread = slots.map(|(_, slot)| slot).collect();
}
