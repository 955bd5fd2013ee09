//! One rule: its clauses in the order in which they build on each other.

use super::{
    catalog::Catalog,
    cluster,
    compile::Site,
    feedback,
    fence::fence_function,
    filter, follow, join, joined, key, late, latest, lookup, near, once, order, output, pattern, refuse,
    scope::{InputScope, RuleScope, Slots},
    streams::Streams,
    through, window,
};
use crate::{
    lang::{
        ast::{AtEnd, Clock, Operator, Query},
        diag::{Code, Diagnostic, FileDiagnostic},
        file,
        print::print_query,
    },
    plan::{Body, ClockPolicy, EndPolicy, Input, KeyPart, Rule, RuleKind, TablePlan, Unnest},
};
use xxhash_rust::xxh3::xxh3_64;

/// What came of one rule.
pub(super) struct Outcome {
    /// None where it has mistakes.
    pub(super) rule: Option<Rule>,
    /// Of its expression.
    pub(super) diagnostics: Vec<Diagnostic>,
    /// Of its annotations.
    pub(super) in_file: Vec<FileDiagnostic>,
}

/// Checks a rule whose streams are all known.
pub(super) fn check_rule(
    rule: &file::Rule,
    query: &Query,
    streams: &mut Streams,
    catalog: &Catalog,
    fence_sets: &mut Vec<String>,
    tables: &mut Vec<TablePlan>,
) -> Outcome {
    let mut scope = RuleScope {
        streams,
        catalog,
        is_alert: rule.kind == file::RuleKind::Alert,
        fence_sets,
        tables,
        lookups: Vec::new(),
        looking_up: Vec::new(),
        inputs: Vec::new(),
        partitioned: !query.partition_by.is_empty() || matches!(query.operator, Some(Operator::Latest(_))),
        through: None,
        follows: false,
        interpolate: None,
        interpolated: false,
        element: None,
        keys: Vec::new(),
        variables: Vec::new(),
        all_rows: false,
        where_fence: query.where_.as_ref().and_then(fence_function),
        measures: &query.measures,
        prev: Slots::default(),
        computed: Slots::default(),
        retained: Slots::default(),
        baseline: Slots::default(),
        baseline_hours: Vec::new(),
        aggregates: Vec::new(),
        aggregate_keys: Vec::new(),
        joined: joined::JoinScope::default(),
        diagnostics: Vec::new(),
    };
    refuse::refuse(&mut scope, query);
    let mut in_file = Vec::new();
    let checked = match inputs(&mut scope, query) {
        true => clauses(&mut scope, rule, query, &mut in_file),
        false => None,
    };
    let sound = !scope.has_errors() && in_file.iter().all(|diagnostic| !diagnostic.is_error());
    Outcome { rule: checked.filter(|_| sound), diagnostics: scope.diagnostics, in_file }
}

/// Notes the streams of FROM; whether all are there.
fn inputs(scope: &mut RuleScope<'_>, query: &Query) -> bool {
    let mut whole = true;
    for source in query.from.iter().chain(query.joins.iter().map(|join| &join.source)) {
        let name = source.visible_name();
        let Some(stream) = scope.streams.find(&source.stream.text) else {
            // The unknown stream was reported where the streams were gathered.
            whole = false;
            continue;
        };
        if scope.inputs.iter().any(|input| input.name == name.text) {
            let message = format!("FROM names `{}` twice", name.text);
            let mut diagnostic = Diagnostic::new(Code::NameTwice, name.span, message);
            if !query.joins.is_empty() {
                // The streams of a join may be one, under two names.
                let stream = &source.stream.text;
                diagnostic = diagnostic.with_help(format!("tell them apart: `FROM {stream} a JOIN {stream} b ON …`"));
            }
            scope.report(diagnostic);
            whole = false;
        } else if query.joins.is_empty() && scope.inputs.iter().any(|input| input.stream == stream) {
            scope.unsupported("the same stream twice in FROM", source.span);
            whole = false;
        } else {
            scope.inputs.push(InputScope { name: name.text.clone(), stream });
        }
    }
    let whole = whole && !scope.inputs.is_empty();
    match &query.near {
        Some(clause) if whole => near::declare(scope, query, clause),
        _ => whole,
    }
}

fn clauses<'a>(
    scope: &mut RuleScope<'a>,
    rule: &file::Rule,
    query: &'a Query,
    in_file: &mut Vec<FileDiagnostic>,
) -> Option<Rule> {
    lookup::lookups(scope, query);
    let mut joined = match query.joins.first() {
        Some(clause) => Some(join::join(scope, query, clause)?),
        None => None,
    };
    scope.interpolate = through::interpolate(scope, query);
    let through = through::through(scope, query);
    lookup::judge(scope);
    if let Some(Operator::Pattern(clause)) = &query.operator {
        // Names of variables are known from here on, so that a key or WHERE that names one is told what it is.
        pattern::declare(scope, clause);
    }
    let lists = match &query.unnest {
        Some(clause) => Some(once::unnest(scope, clause, query)?),
        None => None,
    };
    let (key_exprs, pair) = match (&query.near, &mut joined) {
        (_, Some(joined)) => (std::mem::take(&mut joined.key), None),
        (Some(clause), None) => {
            let others = key::partition(scope, near::others(&query.partition_by));
            (others, Some((clause, near::ids(scope, query, clause)?)))
        }
        (None, None) => {
            let by = query.partition_by.iter().map(|part| (part.name.as_ref(), &part.expr));
            let latest_by: &[_] = match &query.operator {
                Some(Operator::Latest(clause)) => &clause.by,
                _ => &[],
            };
            (key::partition(scope, by.chain(latest_by.iter().map(|expr| (None, expr)))), None)
        }
    };
    if let (Some(clause), false) = (&query.through, scope.has_errors()) {
        through::key(scope, clause);
    }
    follow::clause(scope, query);
    feedback::clause(scope, query, &rule.name);
    let parts = match &mut joined {
        Some(joined) => std::mem::take(&mut joined.parts),
        None => filter::where_parts(scope, query.where_.as_ref()),
    };
    let (mut body, site) = match &query.operator {
        _ if joined.is_some() => (joined.map(|joined| Body::Join(Box::new(joined.join))), Site::Joined),
        None => match pair {
            Some((clause, ids)) => {
                (near::near(scope, query, clause, ids).map(|near| Body::Near(Box::new(near))), Site::Pair)
            }
            None if latest::is_snapshot(query) => (snapshot(scope, query), Site::Event),
            None => (Some(Body::Filter), Site::Event),
        },
        Some(Operator::Pattern(clause)) => {
            (pattern::pattern(scope, clause).map(|pattern| Body::Pattern(Box::new(pattern))), Site::Match)
        }
        Some(Operator::Window(clause)) => {
            if query.measures.is_empty() {
                scope.report(
                    Diagnostic::new(Code::MissingMeasures, clause.span, "the window measures nothing")
                        .with_help("add `MEASURES`, for example `MEASURES count(*) AS events`"),
                );
            }
            (window::window(scope, clause, query).map(|window| Body::Window(Box::new(window))), Site::Window)
        }
        Some(Operator::Cluster(clause)) => {
            (cluster::cluster(scope, clause, query).map(|cluster| Body::Cluster(Box::new(cluster))), Site::Region)
        }
        // Refused already; its measures have names of its own that nobody could judge.
        Some(Operator::Latest(_)) => (snapshot(scope, query), Site::Event),
    };
    let (clock, at_end) = timers(scope, query);
    let once = once::once(scope, query)?;
    let order = order::order(scope, &query.order_by)?;
    let (outputs, having) = output::outputs(scope, query, site);
    if !scope.has_errors() {
        lookup::unused(scope);
        through::unused(scope, query);
    }
    match &mut body {
        Some(Body::Pattern(pattern)) => pattern::finish(scope, pattern),
        Some(Body::Near(near)) => {
            near.retained = (0..scope.inputs.len()).map(|input| scope.retained.of_input(input)).collect();
        }
        Some(Body::Window(window)) => {
            window.aggregates = std::mem::take(&mut scope.aggregates).into_iter().map(|(_, one)| one).collect();
        }
        Some(Body::Join(join)) => join::finish(scope, join),
        Some(Body::Cluster(cluster)) => {
            cluster.aggregates = std::mem::take(&mut scope.aggregates).into_iter().map(|(_, one)| one).collect();
        }
        _ => {}
    }
    let annotations =
        if scope.has_errors() { Vec::new() } else { super::template::annotations(rule, &outputs, in_file) };
    let canonical = print_query(query);
    let inputs =
        scope.inputs.iter().enumerate().zip(key_exprs.into_iter().zip(parts.before.into_iter().zip(parts.after)));
    let inputs = inputs.map(|((at, input), (key, (before, after)))| Input {
        stream: input.stream,
        name: input.name.clone(),
        id_slot: scope.streams.id_slot(input.stream),
        position_slot: scope.streams.position(input.stream).map(|(slot, _)| slot),
        before,
        key,
        prev: scope.prev.of_input(at),
        computed: scope.computed.of_input(at),
        after,
    });
    let checked = Rule {
        name: rule.name.clone(),
        group: rule.group.clone(),
        kind: match rule.kind {
            file::RuleKind::Alert => RuleKind::Alert,
            file::RuleKind::Stream => RuleKind::Stream,
        },
        version: format!("{:016x}", xxh3_64(canonical.as_bytes())),
        canonical,
        inputs: inputs.collect(),
        key: scope
            .keys
            .iter()
            .map(|key| KeyPart { name: key.name.clone(), ty: key.ty, through: key.through })
            .collect(),
        through: through?,
        follow: None,
        feedback: None,
        back: None,
        unnest: lists.map(|lists| Unnest { lists, keep: parts.keep }),
        order,
        baselines: super::baseline::baselines(scope),
        body: body?,
        clock,
        at_end,
        having,
        once,
        outputs,
        mode: rule.mode,
        limits: rule.limits,
        labels: rule.labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        annotations,
    };
    late::rule(scope, &checked, query);
    Some(checked)
}

fn snapshot(scope: &mut RuleScope<'_>, query: &Query) -> Option<Body> {
    latest::latest(scope, query).map(|latest| Body::Latest(Box::new(latest)))
}

/// CLOCK and AT END, which say something of timers.
fn timers(scope: &mut RuleScope<'_>, query: &Query) -> (ClockPolicy, Option<EndPolicy>) {
    let clauses = [query.clock.map(|clock| ("CLOCK", clock.span)), query.at_end.map(|at_end| ("AT END", at_end.span))];
    let is_filter = query.operator.is_none() && query.joins.is_empty() && query.near.is_none() && query.emit.is_none();
    for (word, span) in clauses.into_iter().flatten().filter(|_| is_filter) {
        scope.report(
            Diagnostic::new(Code::WrongPlace, span, format!("`{word}` is about timers, and a filter has none"))
                .with_help("patterns and windows have: absences, time-outs, ends of windows"),
        );
    }
    let clock = match query.clock.map(|clock| clock.value) {
        Some(Clock::Event) => ClockPolicy::Event,
        Some(Clock::Wall) => ClockPolicy::Wall,
        Some(Clock::EventOrWall) | None => ClockPolicy::EventOrWall,
    };
    let at_end = query.at_end.map(|at_end| match at_end.value {
        AtEnd::Fire => EndPolicy::Fire,
        AtEnd::Drop => EndPolicy::Drop,
    });
    (clock, at_end)
}
