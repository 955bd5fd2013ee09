//! Aggregates: over a window's events, over a variable's events of a match, or over all of the match's.

use super::compile::{Compiler, Site, Typed, first, named};
use crate::{
    expr::{Expr as Program, Node, Var},
    lang::{
        ast::{BinaryOp, Call, Expr, ExprKind},
        diag::{Code, Diagnostic},
        print::print_expr,
        span::{Span, Spanned},
    },
    model::{Type, Unit, Value},
    plan::{Aggregate, AggregateKind},
};

/// Every aggregate by name, with parameters that a call replaces; `None`: the language has it, this version has not.
pub const NAMES: &[(&str, Option<AggregateKind>)] = &[
    ("count", Some(AggregateKind::Count)),
    ("sum", Some(AggregateKind::Sum)),
    ("avg", Some(AggregateKind::Avg)),
    ("min", Some(AggregateKind::Min)),
    ("max", Some(AggregateKind::Max)),
    ("distinct", Some(AggregateKind::Distinct)),
    ("first", Some(AggregateKind::First)),
    ("last", Some(AggregateKind::Last)),
    ("path_length", Some(AggregateKind::PathLength)),
    ("displacement", Some(AggregateKind::Displacement)),
    ("straightness", Some(AggregateKind::Straightness)),
    ("rate", Some(AggregateKind::Count)),
    ("stddev", Some(AggregateKind::Stddev)),
    ("quantile", Some(MEDIAN)),
    ("median", Some(MEDIAN)),
    ("ewma", Some(AggregateKind::Ewma { half_life_ms: 1 })),
    ("approx_distinct", Some(AggregateKind::ApproxDistinct)),
    ("top_k", Some(AggregateKind::TopK { k: 1 })),
    ("collect", Some(AggregateKind::Collect)),
    ("centroid", Some(AggregateKind::Centroid)),
    ("bounding_box", Some(AggregateKind::BoundingBox)),
    ("convex_hull", Some(AggregateKind::ConvexHull)),
];

const MEDIAN: AggregateKind = AggregateKind::Quantile { millionths: 500_000 };

/// How many values `top_k` may be asked for.
const TOP_MAX: i64 = 100;

/// Whether the events of a variable can be aggregated so; all others are of windows.
fn is_of_variables(name: &str, kind: AggregateKind) -> bool {
    use AggregateKind::{Avg, BoundingBox, Centroid, Count, Distinct, First, Last, Max, Min, Stddev, Sum};
    let folds =
        matches!(kind, Count | Sum | Avg | Min | Max | Distinct | First | Last | Stddev | Centroid | BoundingBox);
    (folds || is_of_path(kind)) && name != "rate"
}

/// Whether the cells of a region can be aggregated so: they have no order but that of their numbers.
fn is_of_cells(name: &str, kind: AggregateKind) -> bool {
    use AggregateKind::{Ewma, First, Last};
    !matches!(kind, First | Last | Ewma { .. }) && !is_of_path(kind) && name != "rate"
}

/// Whether it is of the path through positions, in their order.
pub(super) fn is_of_path(kind: AggregateKind) -> bool {
    matches!(kind, AggregateKind::PathLength | AggregateKind::Displacement | AggregateKind::Straightness)
}

/// Whether a function is an aggregate.
pub(super) fn is_aggregate(name: &str) -> bool {
    NAMES.iter().any(|(known, _)| *known == name)
}

/// What an aggregate runs over.
enum Over {
    /// The events of one input.
    Input(usize),
    /// All events.
    All,
}

impl<'a> Compiler<'_, 'a> {
    pub(super) fn aggregate(&mut self, call: &Call, name: &str, expr: &Expr) -> Option<Typed> {
        let span = expr.span;
        let kind = NAMES.iter().find(|(known, _)| *known == name).and_then(|(_, kind)| *kind);
        let Some(mut kind) = kind else {
            self.rule.unsupported(&format!("{name}(…)"), call.name.span);
            return None;
        };
        if matches!(self.site, Site::Event | Site::Constant | Site::Joined) {
            return self.error(
                Diagnostic::new(
                    Code::WrongPlace,
                    span,
                    format!("`{}` is over several events, and only one is at hand here", call.name.text),
                )
                .with_help("aggregates stand in MEASURES and HAVING of a window, or over a variable of a pattern"),
            );
        }
        if self.site == Site::Region && !is_of_cells(name, kind) {
            return self.error(
                Diagnostic::new(
                    Code::WrongPlace,
                    span,
                    format!("`{name}` goes by time, and the cells of a region have no order in it"),
                )
                .with_help("over cells there are count, sum, avg, min, max, stddev, median and the like"),
            );
        }
        let at_once = matches!(self.site, Site::Window | Site::Region);
        if !at_once && !is_of_variables(name, kind) {
            let why = match name {
                "rate" | "ewma" => "is over the time of a window, and a match has none of its own",
                _ => "is over a window: of a match every partial match would have to keep all of its values",
            };
            return self.error(
                Diagnostic::new(Code::WrongPlace, call.name.span, format!("`{}` {why}", call.name.text)).with_help(
                    "put the match out row by row as a `stream:` (ALL ROWS PER MATCH), and let a window read that",
                ),
            );
        }
        let picks = matches!(kind, AggregateKind::First | AggregateKind::Last) && !at_once;
        if let Some(distinct) = call.distinct {
            match kind {
                AggregateKind::Count if name == "count" => kind = AggregateKind::Distinct,
                AggregateKind::Collect => {}
                _ => {
                    self.rule.unsupported(&format!("{name}(DISTINCT …)"), distinct);
                    return None;
                }
            }
        } else if kind == AggregateKind::Collect {
            kind = AggregateKind::List;
        }
        // With FILTER it is a value to keep rather than an event to find.
        if picks && call.filter.is_none() {
            return self.pick(call, span);
        }
        if call.star.is_some() && kind != AggregateKind::Count {
            let message = format!("`{}` takes a value, not `*`", call.name.text);
            return self.error(Diagnostic::new(Code::WrongArguments, span, message));
        }
        kind = match parameter(name) {
            None => kind,
            Some(what) => match call.args.as_slice() {
                [_, parameter] => self.with_parameter(name, parameter)?,
                _ => {
                    let message = format!("`{}` takes a value and {what}", call.name.text);
                    return self.error(Diagnostic::new(Code::WrongArguments, span, message));
                }
            },
        };
        let most = usize::from(call.star.is_none()) + usize::from(parameter(name).is_some());
        let least = usize::from(!matches!(kind, AggregateKind::Count) && !is_of_positions(kind));
        if call.args.len() > most || call.args.len() < least {
            let given = call.args.len();
            let mut diagnostic = Diagnostic::new(
                Code::WrongArguments,
                span,
                format!("`{}` takes one value, not {given}", call.name.text),
            );
            if given > 1 && matches!(kind, AggregateKind::Min | AggregateKind::Max) {
                let other = if kind == AggregateKind::Min { "least" } else { "greatest" };
                diagnostic = diagnostic.with_help(format!("of several values of one event: `{other}(…)`"));
            } else if given > 1 && picks {
                diagnostic = diagnostic.with_help("with FILTER it is the very first or last that passes");
            }
            return self.error(diagnostic);
        }
        let var = self.variable_of(call, span)?;
        let key = format!("{var}|{}", print_expr(expr));
        let known = self.rule.aggregate_keys.iter().position(|known| *known == key);
        let at = match known {
            Some(at) => at,
            None => {
                let aggregate = self.resolve(call, kind, var, span)?;
                self.rule.aggregate_keys.push(key);
                self.rule.aggregates.push((var, aggregate));
                self.rule.aggregates.len() - 1
            }
        };
        let ty = self.rule.aggregates.get(at)?.1.ty;
        let result = self.leaf(Node::Aggregate(u16::try_from(at).ok()?), ty, span);
        if name == "rate" { self.per_second(result, span) } else { Some(result) }
    }

    /// The kind with the constant that stands after the value.
    fn with_parameter(&mut self, name: &str, parameter: &Expr) -> Option<AggregateKind> {
        let mut compiler = Compiler::new(self.rule, Site::Constant, 0);
        let typed = compiler.expr(parameter)?;
        let (kind, wanted) = match (name, typed.as_const()) {
            ("quantile", Some(value @ (Value::Int(_) | Value::Float(_)))) => {
                let share = value.number().filter(|share| (0.0..=1.0).contains(share));
                let millionths = share.map(|share| (share * 1e6).round() as u32);
                (millionths.map(|millionths| AggregateKind::Quantile { millionths }), "a share from 0 to 1")
            }
            ("top_k", Some(Value::Int(k))) => {
                let k = u16::try_from(*k).ok().filter(|k| (1..=TOP_MAX).contains(&i64::from(*k)));
                (k.map(|k| AggregateKind::TopK { k }), "a number from 1 to 100")
            }
            ("ewma", Some(Value::Duration(half_life_ms))) if *half_life_ms > 0 => {
                (Some(AggregateKind::Ewma { half_life_ms: *half_life_ms }), "")
            }
            ("quantile", _) => (None, "a constant from 0 to 1"),
            ("top_k", _) => (None, "a constant number from 1 to 100"),
            _ => (None, "a constant duration of more than 0"),
        };
        if kind.is_none() {
            let message = format!("the second value of `{name}` is {wanted}");
            self.error::<()>(Diagnostic::new(Code::OutOfRange, parameter.span, message));
        }
        kind
    }

    /// A count by the length of the window in seconds.
    fn per_second(&mut self, count: Typed, span: Span) -> Option<Typed> {
        let end = self.leaf(Node::SpanEnd, Type::Time, span);
        let start = self.leaf(Node::SpanStart, Type::Time, span);
        let second = Typed::constant(Value::Duration(1_000), Type::Duration, span);
        let long = self.arithmetic(&Spanned::new(BinaryOp::Sub, span), end, start, span)?;
        let seconds = self.arithmetic(&Spanned::new(BinaryOp::Div, span), long, second, span)?;
        self.arithmetic(&Spanned::new(BinaryOp::Div, span), count, seconds, span)
    }

    /// The variable that an aggregate runs over; of a window, or where it names no variable of the match, [`Var::ANY`].
    fn variable_of(&mut self, call: &Call, span: Span) -> Option<u16> {
        if matches!(self.site, Site::Window | Site::Region) {
            return Some(Var::ANY);
        }
        let mut found = Vec::new();
        for part in call.args.iter().chain(call.filter.as_deref()) {
            variables_in(part, &mut |name| {
                if let Some(var) = self.rule.variable(name)
                    && !found.contains(&var)
                {
                    found.push(var);
                }
            });
        }
        match found.as_slice() {
            [] => Some(Var::ANY),
            [var] => {
                let variable = self.rule.variable_at(*var)?;
                if !variable.negated {
                    return Some(*var);
                }
                let message = format!("`{}` must not occur: there is nothing to aggregate", variable.name);
                self.error(Diagnostic::new(Code::WrongPlace, span, message))
            }
            _ => self.error(Diagnostic::new(Code::WrongPlace, span, "an aggregate runs over one variable only")),
        }
    }

    fn resolve(&mut self, call: &Call, kind: AggregateKind, var: u16, span: Span) -> Option<Aggregate> {
        let from = self.rule.variable_at(var).and_then(|variable| variable.from);
        let mut over = from.map_or(Over::All, Over::Input);
        // `count(orders)`, `count(wait)`: events themselves are counted.
        let mut whole = call.args.is_empty() && kind == AggregateKind::Count;
        if let Some(Expr { kind: ExprKind::Path(path), .. }) = call.args.first()
            && let [name] = path.parts.as_slice()
        {
            if self.rule.variable(&name.text).is_some_and(|named| named == var) {
                whole = true;
            } else if let Some(input) = self.rule.input(&name.text).filter(|_| kind == AggregateKind::Count) {
                (whole, over) = (true, Over::Input(input));
            }
            if whole && call.distinct.is_some() {
                let message = format!("`{}` is no value whose different ones could be counted", name.text);
                return self.error(
                    Diagnostic::new(Code::WrongPlace, name.span, message)
                        .with_help(format!("name a field: `{}.…`", name.text)),
                );
            }
            if whole && kind != AggregateKind::Count && !is_of_path(kind) {
                let message = format!("`{}` is no value to aggregate", name.text);
                let help = format!("name a field: `{}({}.…)`", call.name.text, name.text);
                return self.error(Diagnostic::new(Code::WrongPlace, name.span, message).with_help(help));
            }
        }
        let mut args = Vec::new();
        let mut filter = Vec::new();
        let mut ty = Type::Int;
        let mut any = false;
        for input in 0..self.rule.inputs.len() {
            let meant = match over {
                Over::All => true,
                Over::Input(only) => only == input,
            };
            if !meant {
                args.push(None);
                filter.push(None);
                continue;
            }
            let (arg, arg_ty) = self.one(call, kind, whole, var, from, input, span)?;
            any |= arg.is_some();
            ty = arg_ty;
            args.push(arg);
            filter.push(match &call.filter {
                None => None,
                Some(condition) => {
                    let mut compiler = self.on_event(var, from, input);
                    let condition = compiler.condition(condition)?;
                    Some(compiler.finish(&condition))
                }
            });
        }
        if !any {
            let message = "this aggregates nothing but NULL";
            return self.error(Diagnostic::new(Code::WrongType, span, message));
        }
        let ty = match kind {
            AggregateKind::Count | AggregateKind::Distinct | AggregateKind::ApproxDistinct => Type::Int,
            AggregateKind::PathLength | AggregateKind::Displacement => Type::Quantity(Unit::Metre),
            AggregateKind::Straightness => Type::Float,
            AggregateKind::Centroid => Type::Point,
            AggregateKind::TopK { .. }
            | AggregateKind::Collect
            | AggregateKind::List
            | AggregateKind::BoundingBox
            | AggregateKind::ConvexHull => Type::List,
            AggregateKind::Avg
            | AggregateKind::Stddev
            | AggregateKind::Quantile { .. }
            | AggregateKind::Ewma { .. }
                if ty == Type::Int =>
            {
                Type::Float
            }
            _ => ty,
        };
        Some(Aggregate { kind, args, filter, ty })
    }

    /// The argument on events of one input; a constant null counts nothing.
    #[allow(clippy::too_many_arguments, reason = "one caller; a struct for it would say no more")]
    fn one(
        &mut self,
        call: &Call,
        kind: AggregateKind,
        whole: bool,
        var: u16,
        from: Option<usize>,
        input: usize,
        span: Span,
    ) -> Option<(Option<Program>, Type)> {
        let mut compiler = self.on_event(var, from, input);
        let typed = match call.args.first() {
            _ if whole && kind == AggregateKind::Count => Typed::constant(Value::Bool(true), Type::Bool, span),
            Some(arg) if !whole => compiler.expr(arg)?,
            _ => compiler.position(&call.name.text, span)?,
        };
        // State keeps no fences: their numbers change with the set, their ids don't.
        let typed = match typed.ty {
            Type::Fence => compiler.coerce(typed, Type::Text).ok()?,
            Type::Fences => compiler.coerce(typed, Type::List).ok()?,
            _ => typed,
        };
        compiler.fits(call, kind, &typed)?;
        let ty = typed.ty;
        let program = (!typed.is_null()).then(|| compiler.finish(&typed));
        Some((program, ty))
    }

    fn on_event(&mut self, var: u16, from: Option<usize>, input: usize) -> Compiler<'_, 'a> {
        let fence = self.rule.variable_at(var).and_then(|variable| variable.condition);
        let fence = fence.and_then(super::fence::fence_function);
        let mut compiler = Compiler::new(self.rule, Site::Event, input);
        compiler.only = from;
        compiler.own = (var != Var::ANY).then_some(var);
        compiler.fence = fence.or(compiler.fence);
        compiler
    }

    fn fits(&mut self, call: &Call, kind: AggregateKind, typed: &Typed) -> Option<()> {
        use Type::{Any, Bool, Duration, Fences, Float, Geometry, Int, List, Point, Quantity};
        let (fits, wanted) = match kind {
            AggregateKind::Sum
            | AggregateKind::Avg
            | AggregateKind::Stddev
            | AggregateKind::Quantile { .. }
            | AggregateKind::Ewma { .. } => (matches!(typed.ty, Int | Float | Quantity(_) | Duration | Any), "numbers"),
            AggregateKind::Min | AggregateKind::Max => {
                (!matches!(typed.ty, Point | List | Fences | Geometry | Bool), "values that have an order")
            }
            _ if is_of_positions(kind) => (matches!(typed.ty, Point | Any), "positions"),
            _ => (true, ""),
        };
        if fits || typed.is_null() {
            return Some(());
        }
        let message = format!("`{}` takes {wanted}, not {}", call.name.text, named(typed.ty));
        self.error(
            Diagnostic::new(Code::WrongType, typed.span, message).with_label(format!("this is {}", named(typed.ty))),
        )
    }

    /// An output's value: fences leave a rule as their ids.
    pub(super) fn output(&mut self, typed: Typed) -> Typed {
        let span = typed.span;
        match typed.ty {
            Type::Fence => self.node(&[&typed], Type::Text, span, |ids| Node::FenceId(first(ids))),
            Type::Fences => self.node(&[&typed], Type::List, span, |ids| Node::FenceId(first(ids))),
            _ => typed,
        }
    }
}

/// Whether it aggregates positions, by default the events' own.
fn is_of_positions(kind: AggregateKind) -> bool {
    use AggregateKind::{BoundingBox, Centroid, ConvexHull};
    is_of_path(kind) || matches!(kind, Centroid | BoundingBox | ConvexHull)
}

/// What stands after the value, of those that take more than it.
fn parameter(name: &str) -> Option<&'static str> {
    match name {
        "quantile" => Some("a share: `quantile(x, 0.9)`"),
        "top_k" => Some("how many: `top_k(x, 3)`"),
        "ewma" => Some("a half-life: `ewma(x, 10 min)`"),
        _ => None,
    }
}

/// Calls `found` with the head of every path.
pub(super) fn variables_in(expr: &Expr, found: &mut impl FnMut(&str)) {
    super::walk::walk(expr, &mut |part| {
        if let ExprKind::Path(path) = &part.kind
            && let Some(head) = path.parts.first()
        {
            found(&head.text);
        }
    });
}
