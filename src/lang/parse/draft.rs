//! A query while its clauses are read, in whatever order they come.

use std::collections::BTreeMap;

use super::{
    clause::{Clause, clause_for_sure},
    cluster::{cluster, latest, put, report_twice},
    expr::expression,
    from::{interpolate, join, lookup, near, sources, through, unnest},
    input::{Mistake, Parsed, Tokens, list, must_word, must_words, name},
    literal::{count, duration},
    pattern::{after_match, definitions, pattern, rows_per_match, within},
    recover::{Resume, next_measure},
    token::Sign,
    window::window,
};
use crate::lang::{
    ast::{
        AtEnd, Clock, ClusterClause, Definition, Emit, EmitKind, Expr, ExprKind, InterpolateClause, JoinClause,
        KeyPart, LatestClause, LookupClause, Measure, NearClause, Once, Operator, PatternClause, Quantity, Query,
        RowsPerMatch, Sequence, Skip, Source, ThroughClause, UnnestClause, WindowClause, Within,
    },
    diag::{Code, Diagnostic},
    span::{Span, Spanned},
};

/// The clauses read so far.
#[derive(Default)]
pub(super) struct Draft {
    /// Where each clause was first begun, also one that could not be read.
    seen: BTreeMap<Clause, Span>,
    from: Option<Vec<Source>>,
    through: Option<ThroughClause>,
    near: Option<NearClause>,
    joins: Vec<JoinClause>,
    lookups: Vec<LookupClause>,
    unnest: Option<UnnestClause>,
    interpolate: Option<InterpolateClause>,
    where_: Option<Expr>,
    partition_by: Option<Vec<KeyPart>>,
    order_by: Option<Vec<Expr>>,
    pattern: Option<(Span, Sequence)>,
    window: Option<WindowClause>,
    cluster: Option<ClusterClause>,
    latest: Option<LatestClause>,
    within: Option<Within>,
    on_timeout: Option<Span>,
    define: Option<Vec<Definition>>,
    rows: Option<Spanned<RowsPerMatch>>,
    skip: Option<Skip>,
    measures: Option<Vec<Measure>>,
    having: Option<Expr>,
    emit: Option<Emit>,
    once: Option<Once>,
    allowed_lateness: Option<Quantity>,
    clock: Option<Spanned<Clock>>,
    at_end: Option<Spanned<AtEnd>>,
    feedback: Option<Spanned<u64>>,
}

/// The clauses of which a rule has one at most.
const OPERATORS: &[Clause] = &[Clause::Pattern, Clause::Window, Clause::Cluster, Clause::Latest];

impl Draft {
    /// Reads one clause, from its first word on.
    pub(super) fn read<'a>(&mut self, clause: Clause, i: Tokens<'a>) -> Result<Tokens<'a>, nom::Err<Mistake>> {
        self.note(clause, i);
        let rest = i.next();
        let after = match clause {
            Clause::From => fill(&mut self.from, sources(rest)?),
            Clause::Through => fill(&mut self.through, through(i)?),
            Clause::Near => fill(&mut self.near, near(i)?),
            Clause::Join => push(&mut self.joins, join(i)?),
            Clause::Lookup => push(&mut self.lookups, lookup(i)?),
            Clause::Unnest => fill(&mut self.unnest, unnest(i)?),
            Clause::Interpolate => fill(&mut self.interpolate, interpolate(i)?),
            Clause::Where => fill(&mut self.where_, expression(rest)?),
            Clause::PartitionBy => fill(&mut self.partition_by, list(key_part)(must_word("BY")(rest)?.0)?),
            Clause::OrderBy => fill(&mut self.order_by, list(expression)(must_word("BY")(rest)?.0)?),
            Clause::Pattern => {
                let (after, sequence) = pattern(rest)?;
                let span = i.span().to(sequence.span);
                fill(&mut self.pattern, (after, (span, sequence)))
            }
            Clause::Window => fill(&mut self.window, window(i)?),
            Clause::Cluster => fill(&mut self.cluster, cluster(i)?),
            Clause::Latest => fill(&mut self.latest, latest(i)?),
            Clause::Within => fill(&mut self.within, within(rest)?),
            Clause::OnTimeout => fill(&mut self.on_timeout, must_words(&["ON", "TIMEOUT"])(i)?),
            Clause::Define => fill(&mut self.define, definitions(rest)?),
            Clause::RowsPerMatch => fill(&mut self.rows, rows_per_match(i)?),
            Clause::AfterMatch => fill(&mut self.skip, after_match(i)?),
            Clause::Measures => fill(&mut self.measures, measures(rest)?),
            Clause::Having => fill(&mut self.having, expression(rest)?),
            Clause::Emit => fill(&mut self.emit, emit(i)?),
            Clause::Once => fill(&mut self.once, once(i)?),
            Clause::AllowedLateness => {
                fill(&mut self.allowed_lateness, duration(must_words(&["ALLOWED", "LATENESS"])(i)?.0)?)
            }
            Clause::Clock => fill(&mut self.clock, clock(i)?),
            Clause::AtEnd => fill(&mut self.at_end, at_end(i)?),
            Clause::Feedback => {
                let (after, hops) = count(rest)?;
                fill(&mut self.feedback, (after, Spanned::new(hops.value, i.span().to(hops.span))))
            }
        };
        Ok(after)
    }

    /// Says what is missing, and makes the query of it where nothing is.
    pub(super) fn finish(mut self, end: Tokens<'_>) -> Option<Query> {
        if !self.seen.contains_key(&Clause::From) {
            let place = end.at_index(0);
            place.report(
                Diagnostic::new(Code::MissingFrom, place.span(), "the rule reads nothing: FROM is missing")
                    .with_label("expected `FROM` and a stream")
                    .with_help("a rule begins with the streams that it reads: `FROM pings`"),
            );
        }
        self.report_lonely(end);
        let operator = self.operator();
        Some(Query {
            span: end.span_from(end.at_index(0).span()),
            from: self.from?,
            through: self.through,
            near: self.near,
            joins: self.joins,
            lookups: self.lookups,
            unnest: self.unnest,
            interpolate: self.interpolate,
            where_: self.where_,
            partition_by: self.partition_by.unwrap_or_default(),
            order_by: self.order_by.unwrap_or_default(),
            operator,
            measures: self.measures.unwrap_or_default(),
            having: self.having,
            emit: self.emit,
            once: self.once,
            allowed_lateness: self.allowed_lateness,
            clock: self.clock,
            at_end: self.at_end,
            feedback: self.feedback,
        })
    }

    /// Remembers that a clause begins here, and reports one that may not.
    fn note(&mut self, clause: Clause, i: Tokens<'_>) {
        let many = matches!(clause, Clause::Join | Clause::Lookup);
        if self.seen.contains_key(&clause) && !many {
            report_twice(i, i.span(), &clause.words());
            return;
        }
        let other = OPERATORS.iter().copied().find(|c| self.seen.contains_key(c));
        if OPERATORS.contains(&clause)
            && let Some(other) = other
        {
            i.report(
                Diagnostic::new(Code::TwoOperators, i.span(), format!("{} beside {}", clause.words(), other.words()))
                    .with_label("a rule does one thing")
                    .with_help("make a `stream:` rule of the first, and read its stream in a second rule"),
            );
        }
        self.seen.insert(clause, i.span());
    }

    /// Clauses that belong to a pattern, in a rule without one.
    fn report_lonely(&self, i: Tokens<'_>) {
        if self.seen.contains_key(&Clause::Pattern) {
            return;
        }
        for clause in [Clause::Within, Clause::OnTimeout, Clause::Define, Clause::RowsPerMatch, Clause::AfterMatch] {
            if let Some(&span) = self.seen.get(&clause) {
                i.report(
                    Diagnostic::new(Code::ClauseAlone, span, format!("{} without PATTERN", clause.words()))
                        .with_label("belongs to a pattern")
                        .with_help("add a PATTERN clause, or leave this one out"),
                );
            }
        }
    }

    fn operator(&mut self) -> Option<Operator> {
        if let Some((span, pattern)) = self.pattern.take() {
            return Some(Operator::Pattern(PatternClause {
                span,
                pattern,
                within: self.within.take(),
                define: self.define.take().unwrap_or_default(),
                skip: self.skip.take(),
                on_timeout: self.on_timeout,
                rows: self.rows,
            }));
        }
        let window = self.window.take().map(|c| Operator::Window(Box::new(c)));
        let cluster = || self.cluster.take().map(|c| Operator::Cluster(Box::new(c)));
        window.or_else(cluster).or_else(|| self.latest.take().map(Operator::Latest))
    }
}

/// Fills a slot; the second of two is not kept.
fn fill<'a, T>(slot: &mut Option<T>, (rest, value): (Tokens<'a>, T)) -> Tokens<'a> {
    slot.get_or_insert(value);
    rest
}

fn push<'a, T>(slot: &mut Vec<T>, (rest, value): (Tokens<'a>, T)) -> Tokens<'a> {
    slot.push(value);
    rest
}

fn key_part(i: Tokens<'_>) -> Parsed<'_, KeyPart> {
    let (mut i, expr) = expression(i)?;
    let mut given = None;
    if i.is_word("AS") {
        let (rest, value) = name("a name for this part of the key")(i.next())?;
        (i, given) = (rest, Some(value));
    }
    let mut follow = None;
    if i.is_word("FOLLOW") {
        i = put(i, &mut follow, name("what leads from one key to another: `parents`")(i.next())?);
    }
    Ok((i, KeyPart { expr, name: given, follow }))
}

/// The entries after the word `MEASURES`. A bad one is reported and left out; the others still count.
fn measures(mut i: Tokens<'_>) -> Parsed<'_, Vec<Measure>> {
    let mut all = Vec::new();
    loop {
        let start = i;
        let mistake = match measure(i) {
            Ok((rest, measure)) => {
                all.extend(measure);
                i = rest;
                if i.is_sign(Sign::Comma) {
                    i = i.next();
                    continue;
                }
                if i.is_end() || super::clause::clause_here(i).is_some() || super::clause::clause_misspelt(i).is_some()
                {
                    return Ok((i, all));
                }
                match i.unexpected::<()>("`,`, or the next clause") {
                    Err(nom::Err::Failure(mistake)) => mistake,
                    _ => return Ok((i, all)),
                }
            }
            Err(nom::Err::Failure(mistake) | nom::Err::Error(mistake)) => mistake,
            Err(incomplete) => return Err(incomplete),
        };
        match next_measure(start, mistake) {
            Resume::Entry(place) => i = place,
            Resume::Clause(place) => return Ok((place, all)),
        }
    }
}

/// `expr AS name`; a path may go without.
fn measure(start: Tokens<'_>) -> Parsed<'_, Option<Measure>> {
    if let Some(clause) = clause_for_sure(start) {
        let help = format!("the clause {} begins here; a comma stands between measures only", clause.words());
        return start.fail(start.surprise("a measure").with_help(help));
    }
    let (i, expr) = expression(start)?;
    if i.is_word("AS") {
        let (i, name) = name("a name for the measure")(i.next())?;
        return Ok((i, Some(Measure { expr, name })));
    }
    if let ExprKind::Path(path) = &expr.kind
        && let Some(name) = path.parts.last().cloned()
    {
        return Ok((i, Some(Measure { expr, name })));
    }
    let next_is_fine = i.is_sign(Sign::Comma) || i.is_end() || super::clause::clause_here(i).is_some();
    if !next_is_fine {
        return i.unexpected("`AS` and a name");
    }
    i.report(
        Diagnostic::new(Code::MissingName, expr.span, "a computed measure needs a name")
            .with_label("expected `AS` and a name after this")
            .with_help("the name is the field of the output: `count(wait) AS pings`"),
    );
    Ok((i, None))
}

/// `EMIT …`, from the word on.
fn emit(start: Tokens<'_>) -> Parsed<'_, Emit> {
    let i = start.next();
    let (i, kind) = if i.is_word("EVERY") {
        let (mut i, period) = duration(i.next())?;
        let updated_keys = i.is_word("FOR");
        if updated_keys {
            (i, _) = must_words(&["FOR", "UPDATED", "KEYS"])(i)?;
        }
        (i, EmitKind::Every { period, updated_keys })
    } else if i.is_word("ALL") {
        (i.next(), EmitKind::All)
    } else if i.is_word("CHANGES") {
        (i.next(), EmitKind::Changes)
    } else {
        return i.unexpected("`EVERY` and a duration, `ALL` or `CHANGES`");
    };
    Ok((i, Emit { kind, span: i.span_from(start.span()) }))
}

/// `ONCE [EVERY d]`, from the word on.
fn once(start: Tokens<'_>) -> Parsed<'_, Once> {
    let mut i = start.next();
    let mut every = None;
    if i.is_word("EVERY") {
        i = put(i, &mut every, duration(i.next())?);
    }
    Ok((i, Once { every, span: i.span_from(start.span()) }))
}

/// `CLOCK …`, from the word on.
fn clock(start: Tokens<'_>) -> Parsed<'_, Spanned<Clock>> {
    let i = start.next();
    let (i, clock) = if i.is_word("WALL") {
        (i.next(), Clock::Wall)
    } else if i.is_word("EVENT") && i.ahead(1).is_word("OR") {
        (must_words(&["OR", "WALL"])(i.next())?.0, Clock::EventOrWall)
    } else if i.is_word("EVENT") {
        (i.next(), Clock::Event)
    } else {
        return i.unexpected("`EVENT`, `EVENT OR WALL` or `WALL`");
    };
    Ok((i, Spanned::new(clock, i.span_from(start.span()))))
}

/// `AT END …`, from its first word on.
fn at_end(start: Tokens<'_>) -> Parsed<'_, Spanned<AtEnd>> {
    let (i, _) = must_words(&["AT", "END"])(start)?;
    let at_end = if i.is_word("FIRE") {
        AtEnd::Fire
    } else if i.is_word("DROP") {
        AtEnd::Drop
    } else {
        return i.unexpected("`FIRE` or `DROP`");
    };
    Ok((i.next(), Spanned::new(at_end, start.span().to(i.span()))))
}
