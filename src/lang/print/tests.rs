use proptest::{option, prelude::*, sample::select, strategy::Union};

use super::*;
use crate::lang::{
    ast::*,
    parse::parse_query,
    span::{Span, Spanned},
};

const AT: Span = Span { start: 0, end: 0 };

fn spanned<T>(value: T) -> Spanned<T> {
    Spanned::new(value, AT)
}

/// Names, many of which are words of the language somewhere.
fn name() -> impl Strategy<Value = Name> {
    let all = [
        "a", "b", "speed", "start", "time", "end", "every", "day", "size", "key", "cell", "WITHIN", "from", "a b", "é",
        "any", "distinct", "final", "running", "timeout", "filter", "case", "null", "by", "once", "emit", "min", "max",
        "tumbling", "count", "window", "on", "all", "one", "left", "at", "not", "fail", "of", "for", "near", "x1", "_",
    ];
    select(all.to_vec()).prop_map(|text| Name { text: text.to_owned(), span: AT })
}

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::Int),
        (-9..100_i64).prop_map(Number::Int),
        any::<f64>().prop_filter("a literal is finite", |f| f.is_finite()).prop_map(Number::Float),
    ]
}

fn quantity() -> impl Strategy<Value = Quantity> {
    let units = ["km/h", "m", "min", "deg", "km2", "h", "unheard", "wher", "m/s2"];
    (number(), option::of(select(units.to_vec()))).prop_map(|(value, unit)| Quantity {
        value,
        unit: unit.map(|u| spanned(u.to_owned())),
        span: AT,
    })
}

fn text() -> impl Strategy<Value = String> {
    "[a-z '`\"%é-]{0,8}"
}

fn of(kind: ExprKind) -> Expr {
    Expr { kind, span: AT }
}

fn expr() -> impl Strategy<Value = Expr> + Clone {
    let leaf = prop_oneof![
        quantity().prop_map(ExprKind::Number),
        text().prop_map(ExprKind::String),
        any::<bool>().prop_map(ExprKind::Bool),
        Just(ExprKind::Null),
        text().prop_map(|t| ExprKind::Time(spanned(t))),
        prop::collection::vec(name(), 1..4).prop_map(|parts| ExprKind::Path(Path { parts, span: AT })),
    ]
    .prop_map(of);
    leaf.prop_recursive(5, 40, 4, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        let two = (boxed.clone(), boxed.clone(), any::<bool>());
        let ops = vec![
            BinaryOp::Or,
            BinaryOp::And,
            BinaryOp::Eq,
            BinaryOp::Ne,
            BinaryOp::Lt,
            BinaryOp::Le,
            BinaryOp::Gt,
            BinaryOp::Ge,
            BinaryOp::Add,
            BinaryOp::Sub,
            BinaryOp::Mul,
            BinaryOp::Div,
            BinaryOp::Rem,
        ];
        let arm = (inner.clone(), inner.clone()).prop_map(|(condition, value)| WhenArm { condition, value });
        prop_oneof![
            4 => (select(ops), boxed.clone(), boxed.clone())
                .prop_map(|(op, left, right)| ExprKind::Binary { op: spanned(op), left, right }),
            2 => (select(vec![UnaryOp::Neg, UnaryOp::Not]), boxed.clone())
                .prop_map(|(op, operand)| ExprKind::Unary { op: spanned(op), operand }),
            2 => call(inner.clone()),
            1 => (boxed.clone(), prop::collection::vec(inner, 1..3), any::<bool>())
                .prop_map(|(operand, list, negated)| ExprKind::In { operand, list, negated }),
            1 => (boxed.clone(), boxed.clone(), boxed.clone(), any::<bool>())
                .prop_map(|(operand, low, high, negated)| ExprKind::Between { operand, low, high, negated }),
            1 => two.prop_map(|(operand, pattern, negated)| ExprKind::Like { operand, pattern, negated }),
            1 => (boxed.clone(), any::<bool>()).prop_map(|(operand, negated)| ExprKind::IsNull { operand, negated }),
            1 => (prop::collection::vec(arm, 1..3), option::of(boxed))
                .prop_map(|(arms, otherwise)| ExprKind::Case { arms, otherwise }),
        ]
        .prop_map(of)
    })
}

fn call(inner: impl Strategy<Value = Expr> + Clone) -> impl Strategy<Value = ExprKind> {
    let args = prop::collection::vec(inner.clone(), 0..3);
    let semantics = option::of(select(vec![Semantics::Running, Semantics::Final]));
    (name(), semantics, 0..3_u8, args, option::of(inner.prop_map(Box::new))).prop_map(
        |(name, semantics, form, args, filter)| {
            let star = (form == 2).then_some(AT);
            let distinct = (form == 1 && !args.is_empty()).then_some(AT);
            let args = if star.is_some() { Vec::new() } else { args };
            ExprKind::Call(Call { name, semantics: semantics.map(spanned), distinct, star, args, filter })
        },
    )
}

fn quantifier() -> impl Strategy<Value = Quantifier> {
    (0..4_u32, option::of(0..4_u32), any::<bool>()).prop_map(|(min, more, reluctant)| Quantifier {
        min,
        max: more.map(|m| (min + m).max(1)),
        reluctant,
        span: AT,
    })
}

fn sequence() -> impl Strategy<Value = Sequence> {
    let variable = sequence_of(name().prop_map(Term::Variable).boxed());
    variable.prop_recursive(3, 12, 3, |inner| {
        let group = (prop::collection::vec(inner, 1..4), any::<bool>()).prop_map(|(members, and)| {
            let kind = match members.len() {
                1 => GroupKind::Sequence,
                _ if and => GroupKind::Permutation,
                _ => GroupKind::Alternation,
            };
            Term::Group(Group { kind, members, span: AT })
        });
        sequence_of(Union::new([group.boxed(), name().prop_map(Term::Variable).boxed()]).boxed())
    })
}

fn sequence_of(term: BoxedStrategy<Term>) -> BoxedStrategy<Sequence> {
    let connector = select(vec![Connector::Strict, Connector::Relaxed, Connector::Any]);
    let contiguity = option::of(select(vec![Contiguity::Strict, Contiguity::Any]));
    let bound =
        (quantity(), any::<bool>()).prop_map(|(duration, of_previous)| StepBound { duration, of_previous, span: AT });
    let looped = (option::of(quantifier()), contiguity, any::<bool>(), option::of(expr()), option::of(bound));
    let step = (connector, prop::bool::weighted(0.2), term, option::of(quantity()), looped).prop_map(
        |(connector, negated, term, absent_for, (quantifier, contiguity, each, until, within))| {
            let repeats = !negated && quantifier.is_some();
            let connector = if negated && connector == Connector::Any { Connector::Relaxed } else { connector };
            Step {
                span: AT,
                connector: Some(spanned(connector)),
                negated: negated.then_some(AT),
                term,
                absent_for: absent_for.filter(|_| negated),
                quantifier: quantifier.filter(|_| !negated),
                contiguity: contiguity.filter(|_| repeats).map(spanned),
                each: (repeats && each).then_some(AT),
                until: until.filter(|_| repeats),
                within: within.filter(|_| !negated),
            }
        },
    );
    prop::collection::vec(step, 1..4)
        .prop_map(|mut steps| {
            steps[0].connector = None;
            Sequence { steps, span: AT }
        })
        .boxed()
}

fn pattern() -> impl Strategy<Value = Operator> {
    let within = option::of(prop_oneof![quantity().prop_map(Within::Duration), Just(Within::Unbounded(AT))]);
    let definition = (name(), option::of(name()), expr()).prop_map(|(name, from, condition)| Definition {
        name,
        from,
        condition,
        span: AT,
    });
    let skip = prop_oneof![
        Just(SkipTarget::Eager),
        Just(SkipTarget::NoSkip),
        Just(SkipTarget::ToNextRow),
        Just(SkipTarget::PastLastRow),
        (name(), any::<bool>()).prop_map(|(variable, or_fail)| SkipTarget::ToFirst { variable, or_fail }),
        (name(), any::<bool>()).prop_map(|(variable, or_fail)| SkipTarget::ToLast { variable, or_fail }),
    ];
    let rows = option::of(select(vec![RowsPerMatch::One, RowsPerMatch::All]));
    let define = prop::collection::vec(definition, 0..3);
    (sequence(), within, define, option::of(skip), any::<bool>(), rows).prop_map(
        |(pattern, mut within, define, skip, on_timeout, rows)| {
            // A bound of the last step needs the clause beside it, else it is the clause.
            if pattern.steps.last().and_then(|s| s.within.as_ref()).is_some_and(|w| !w.of_previous) {
                within = within.or(Some(Within::Unbounded(AT)));
            }
            Operator::Pattern(PatternClause {
                span: AT,
                pattern,
                within,
                define,
                skip: skip.map(|target| Skip { target, span: AT }),
                on_timeout: on_timeout.then_some(AT),
                rows: rows.map(spanned),
            })
        },
    )
}

fn window() -> impl Strategy<Value = Operator> {
    let kind = prop_oneof![
        quantity().prop_map(|size| WindowKind::Tumbling { size }),
        (quantity(), quantity()).prop_map(|(size, every)| WindowKind::Sliding { size, every }),
        (quantity(), quantity()).prop_map(|(size, every)| WindowKind::Cumulative { size, every }),
        (quantity(), option::of(quantity())).prop_map(|(gap, max)| WindowKind::Session { gap, max }),
        (any::<u64>(), option::of(any::<u64>()), option::of(quantity())).prop_map(|(size, every, expire)| {
            WindowKind::Count { size: spanned(size), every: every.map(spanned), expire }
        }),
        (name(), prop::collection::vec(expr(), 0..3)).prop_map(|(name, args)| WindowKind::Custom { name, args }),
    ];
    let jitter = prop_oneof![
        Just(JitterKind::Natural),
        (number(), option::of(expr())).prop_map(|(value, by)| JitterKind::Percent { value: spanned(value), by }),
    ];
    (kind, option::of(jitter), option::of(expr()), option::of(text())).prop_map(|(kind, jitter, offset, zone)| {
        Operator::Window(Box::new(WindowClause {
            kind,
            jitter: jitter.map(|kind| Jitter { kind, span: AT }),
            offset,
            time_zone: zone.map(spanned),
            span: AT,
        }))
    })
}

fn cluster() -> impl Strategy<Value = Operator> {
    let count = || option::of(any::<u64>().prop_map(spanned));
    let ratio =
        || option::of((number(), any::<bool>()).prop_map(|(value, percent)| Ratio { value, percent, span: AT }));
    let overlap = option::of(select(vec![Overlap::Cells, Overlap::Weight, Overlap::Members]));
    let density = option::of((any::<u64>(), any::<u64>()).prop_map(|(count, within)| Density {
        count: spanned(count),
        within: spanned(within),
        span: AT,
    }));
    let thresholds = (ratio(), ratio(), ratio(), ratio(), ratio());
    let bounds = (count(), count(), density, option::of(quantity()), option::of(quantity()), overlap);
    let confirm = option::of((any::<u64>(), any::<u64>()).prop_map(|(hits, results)| Confirm {
        hits: spanned(hits),
        results: spanned(results),
        span: AT,
    }));
    let held = (option::of(expr()), option::of(expr()), confirm);
    let cell = (expr(), expr(), option::of(expr()));
    (cell, held, bounds, thresholds).prop_map(|((by, hot, cold), (weight, members, confirm), bounds, thresholds)| {
        let (min_cells, reach, density, expire, every, overlap) = bounds;
        let (survive, split, grow, move_, dense) = thresholds;
        let overlap = overlap.map(spanned);
        let span = AT;
        Operator::Cluster(Box::new(ClusterClause {
            by,
            hot,
            cold,
            min_cells,
            reach,
            density,
            expire,
            every,
            weight,
            members,
            confirm,
            overlap,
            survive,
            split,
            grow,
            move_,
            dense,
            span,
        }))
    })
}

fn source() -> impl Strategy<Value = Source> {
    (name(), option::of(name())).prop_map(|(stream, alias)| Source { stream, alias, span: AT })
}

/// What is read, in a query with nothing else.
fn reading() -> impl Strategy<Value = Query> {
    let near = (source(), quantity(), option::of(quantity()), option::of(quantity()), option::of(expr()))
        .prop_flat_map(|(source, distance, time, leave_at, on)| {
            (option::of(quantity()), option::of(quantity())).prop_map(move |(every, max_age)| NearClause {
                source: source.clone(),
                distance: distance.clone(),
                time: time.clone(),
                leave_at: leave_at.clone(),
                on: on.clone(),
                every,
                max_age,
                span: AT,
            })
        });
    let bounds = (quantity(), quantity()).prop_map(|(from, to)| JoinBounds { from, to });
    let kind = select(vec![JoinKind::Inner, JoinKind::Left]);
    let join = (kind, source(), expr(), option::of(bounds)).prop_map(|(kind, source, on, within)| JoinClause {
        kind,
        source,
        on,
        within,
        span: AT,
    });
    let lookup = (source(), expr()).prop_map(|(table, on)| LookupClause { table, on, span: AT });
    let unnest = (expr(), option::of(name())).prop_map(|(list, name)| UnnestClause { list, name, span: AT });
    let at_least = option::of((1u64..9).prop_map(|count| Spanned::new(count, AT)));
    let through =
        (prop::collection::vec(name(), 1..3), option::of(quantity()), at_least, option::of(any::<bool>())).prop_map(
            |(sets, buffer, at_least, first_enters)| ThroughClause { sets, buffer, at_least, first_enters, span: AT },
        );
    (
        prop::collection::vec(source(), 1..3),
        option::weighted(0.3, through),
        option::weighted(0.3, near),
        prop::collection::vec(join, 0..2),
        prop::collection::vec(lookup, 0..2),
        option::weighted(0.3, unnest),
        option::of(option::of(quantity())),
    )
        .prop_map(|(from, through, near, joins, lookups, unnest, interpolate)| Query {
            span: AT,
            from,
            through,
            near,
            joins,
            lookups,
            unnest,
            interpolate: interpolate.map(|max_gap| InterpolateClause { max_gap, span: AT }),
            where_: None,
            partition_by: Vec::new(),
            order_by: Vec::new(),
            operator: None,
            measures: Vec::new(),
            having: None,
            emit: None,
            once: None,
            allowed_lateness: None,
            clock: None,
            at_end: None,
            feedback: None,
        })
}

fn query() -> impl Strategy<Value = Query> {
    let latest = (prop::collection::vec(expr(), 1..3), option::of(quantity()))
        .prop_map(|(by, max_age)| Operator::Latest(LatestClause { by, max_age, span: AT }));
    let operator = option::weighted(0.9, prop_oneof![3 => pattern(), 1 => window(), 1 => cluster(), 1 => latest]);
    let key = (expr(), option::of(name()), option::of(name())).prop_map(|(expr, name, follow)| KeyPart {
        expr,
        name,
        follow,
    });
    let measure = (expr(), name()).prop_map(|(expr, name)| Measure { expr, name });
    let emit = option::of(prop_oneof![
        (quantity(), any::<bool>()).prop_map(|(period, updated_keys)| EmitKind::Every { period, updated_keys }),
        Just(EmitKind::All),
        Just(EmitKind::Changes),
    ]);
    let once = option::of(option::of(quantity()).prop_map(|every| Once { every, span: AT }));
    let clock = option::of(select(vec![Clock::Event, Clock::EventOrWall, Clock::Wall]));
    let at_end = option::of(select(vec![AtEnd::Fire, AtEnd::Drop]));
    let lists =
        (prop::collection::vec(key, 0..3), prop::collection::vec(expr(), 0..2), prop::collection::vec(measure, 0..3));
    let results =
        (option::of(quantity()), clock, at_end, option::of(any::<u64>()), option::of(expr()), option::of(expr()));
    (reading(), operator, lists, emit, once, results).prop_map(|(reading, operator, lists, emit, once, results)| {
        let (allowed_lateness, clock, at_end, feedback, where_, having) = results;
        let (partition_by, order_by, measures) = lists;
        Query {
            operator,
            partition_by,
            order_by,
            measures,
            emit: emit.map(|kind| Emit { kind, span: AT }),
            once,
            allowed_lateness,
            clock: clock.map(spanned),
            at_end: at_end.map(spanned),
            feedback: feedback.map(spanned),
            where_,
            having,
            ..reading
        }
    })
}

/// The tree as text, without places.
fn without_places(query: &Query) -> String {
    let all = format!("{query:?}");
    let mut pieces = all.split("span: @");
    let mut kept = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        kept.push_str(piece.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.'));
    }
    // Flags are nothing but places.
    let mut pieces = kept.split("Some(@");
    let mut bare = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        bare.push_str("Some(");
        bare.push_str(piece.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.'));
    }
    let mut pieces = bare.split("Unbounded(@");
    let mut last = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        last.push_str("Unbounded(");
        last.push_str(piece.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.'));
    }
    last
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn canonical_text_reads_back_as_the_same_tree(query in query()) {
        let text = print_query(&query);
        let (read, diagnostics) = parse_query(&text);
        prop_assert!(diagnostics.is_empty(), "{text}\n{diagnostics:#?}");
        let read = read.expect("a query where there is no diagnostic");
        prop_assert_eq!(without_places(&read), without_places(&query), "{}", text);
        prop_assert_eq!(print_query(&read), text);
    }
}

#[test]
fn layout_comments_and_case_do_not_change_the_canonical_text() {
    let a = "from pings -- all of them\n  where speed>5 km/h and not(x) partition by v pattern a->b{1,} within 1 h";
    let b = "FROM pings PARTITION BY `v` PATTERN (a) -> b+ WITHIN 1 h WHERE speed > 5 km/h AND NOT x";
    let canonical = "FROM pings WHERE speed > 5 km/h AND NOT x PARTITION BY v PATTERN a -> b+ WITHIN 1 h";
    let print = |text| print_query(&parse_query(text).0.expect("a query"));
    assert_eq!(print(a), canonical);
    assert_eq!(print(b), canonical.replace("PATTERN a", "PATTERN (a)"));
}
