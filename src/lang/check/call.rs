//! Calls: which kind of function it is, and the library's functions.

use super::{
    aggregate,
    compile::{Compiler, Site, Typed, named},
    path::{MATCH_FUNCTIONS, SPECIAL},
    variable::args_of,
};
use crate::{
    expr::{
        Node,
        func::{self, Function, Param, Returns},
    },
    lang::{
        ast::{Call, Expr},
        diag::{Code, Diagnostic, nearest},
        print::print_expr,
        span::Span,
    },
    model::{Dimension, Type, Unit, Value},
};

impl Compiler<'_, '_> {
    pub(super) fn call(&mut self, call: &Call, expr: &Expr) -> Option<Typed> {
        let name = call.name.text.to_ascii_lowercase();
        // In measures the text of a key's component means the component.
        if matches!(self.site, Site::Window | Site::Match | Site::Region)
            && let Some(typed) = self.key_component(&print_expr(expr), expr.span)
        {
            return Some(typed);
        }
        let of_several = aggregate::is_aggregate(&name)
            || SPECIAL.contains(&name.as_str())
            || MATCH_FUNCTIONS.contains(&name.as_str());
        if self.site == Site::Pair && of_several {
            return self.not_of_pairs(call, expr.span);
        }
        if let Some(semantics) = call.semantics {
            return self.as_of(call, semantics, expr);
        }
        if aggregate::is_aggregate(&name) {
            return self.aggregate(call, &name, expr);
        }
        let misplaced = call
            .distinct
            .map(|span| (span, "DISTINCT"))
            .or(call.star.map(|span| (span, "*")))
            .or(call.filter.as_ref().map(|filter| (filter.span, "FILTER")));
        if let Some((span, word)) = misplaced {
            let message = format!("`{word}` belongs to aggregates, and `{}` is none", call.name.text);
            return self.error(Diagnostic::new(Code::WrongPlace, span, message));
        }
        if MATCH_FUNCTIONS.contains(&name.as_str()) {
            return self.of_match(call, &name, expr);
        }
        if !SPECIAL.contains(&name.as_str()) {
            return self.library(call, &name, expr.span);
        }
        match self.site {
            Site::Constant => self.error(Diagnostic::new(Code::WrongPlace, expr.span, "only constants can stand here")),
            // Refused already.
            Site::Pair => None,
            Site::Window if name.starts_with("baseline") => self.error(
                Diagnostic::new(
                    Code::WrongPlace,
                    expr.span,
                    format!("`{}` is of the events of a key, and windows are no events of this rule", call.name.text),
                )
                .with_help("measure first, as a `stream:` rule, and compare in a rule that reads it"),
            ),
            Site::Match => self.retained_last(expr),
            Site::Window => self.error(
                Diagnostic::new(
                    Code::WrongPlace,
                    expr.span,
                    format!("`{}` differs from event to event of the window", call.name.text),
                )
                .with_help(format!("use an aggregate: `last({})`", print_expr(expr))),
            ),
            Site::Joined => self.error(
                Diagnostic::new(
                    Code::WrongPlace,
                    expr.span,
                    format!(
                        "`{}` follows one entity's positions and events, and a pair is of two streams",
                        call.name.text
                    ),
                )
                .with_help("measure it in a `stream:` rule, and join that stream"),
            ),
            Site::Region => self.error(
                Diagnostic::new(
                    Code::WrongPlace,
                    expr.span,
                    format!("`{}` looks at events, and a region has none of its own", call.name.text),
                )
                .with_help("a rule that reads this one's stream with `PARTITION BY region` can say it"),
            ),
            Site::Event | Site::Define => match name.as_str() {
                "prev" => self.prev(call, expr.span),
                "baseline" | "baseline_mad" => self.baseline(call, &name, expr.span),
                "gap" => self.no_arguments(call, expr).and_then(|()| self.gap(expr.span)),
                "speed" => self.no_arguments(call, expr).and_then(|()| self.motion("speed", expr.span)),
                "heading" => self.no_arguments(call, expr).and_then(|()| self.motion("heading", expr.span)),
                "acceleration" => self.no_arguments(call, expr).and_then(|()| self.change("speed", expr.span)),
                "turn_rate" => self.no_arguments(call, expr).and_then(|()| self.change("heading", expr.span)),
                "outside" => self.outside(call, expr.span),
                "nearest" => self.nearest_fence(call, expr.span),
                "distance_to" | "route_deviation" => self.distance_to(call, expr.span),
                "dwell" => self.dwell(call, expr.span),
                "stopped" => self.stopped(call, expr.span),
                "teleported" => self.teleported(call, expr.span),
                _ => self.passing(call, expr.span),
            },
        }
    }

    fn library(&mut self, call: &Call, name: &str, span: Span) -> Option<Typed> {
        let Some(function) = func::find(name) else {
            let special = SPECIAL.iter().chain(MATCH_FUNCTIONS).copied();
            let all = func::all().map(|function| function.name).chain(special);
            let known = all.chain(aggregate::NAMES.iter().map(|(name, _)| *name));
            let mut diagnostic = Diagnostic::new(
                Code::UnknownFunction,
                call.name.span,
                format!("there is no function `{}`", call.name.text),
            );
            diagnostic.help = nearest(name, known).map(|near| format!("did you mean `{near}`?"));
            // The arguments are judged even so.
            for arg in &call.args {
                self.expr(arg);
            }
            return self.error(diagnostic);
        };
        let args: Vec<Option<Typed>> = call.args.iter().map(|arg| self.expr(arg)).collect();
        let args: Vec<Typed> = args.into_iter().collect::<Option<_>>()?;
        self.count(function, args.len(), span)?;
        let args = self.arguments(function, args, span)?;
        self.ranges(function, &args)?;
        let ty = match function.returns {
            Returns::Is(ty) => ty,
            Returns::LikeFirst => args.first()?.ty,
        };
        let children: Vec<&Typed> = args.iter().collect();
        Some(self.node(&children, ty, span, |ids| Node::Call(function, args_of(ids))))
    }

    fn count(&mut self, function: &Function, given: usize, span: Span) -> Option<()> {
        let most = function.params.len();
        let least = most.saturating_sub(function.optional);
        if given >= least && (given <= most || function.variadic) {
            return Some(());
        }
        let wanted = match (least, function.variadic) {
            (least, true) => format!("at least {least}"),
            (least, false) if least < most => format!("{least} to {most}"),
            (least, false) => least.to_string(),
        };
        let plural = if wanted == "1" || wanted == "at least 1" { "" } else { "s" };
        self.error(
            Diagnostic::new(
                Code::WrongArguments,
                span,
                format!("`{}` takes {wanted} argument{plural}, not {given}", function.name),
            )
            .with_help(format!("for example `{}`", function.example.0)),
        )
    }

    /// Arguments in the types that the parameters want.
    fn arguments(&mut self, function: &Function, args: Vec<Typed>, span: Span) -> Option<Vec<Typed>> {
        if function.params.first() == Some(&Param::Same) {
            return self.one_type(args, &format!("give `{}`", function.name), span);
        }
        let mut converted = Vec::new();
        let mut whole = true;
        for (at, arg) in args.into_iter().enumerate() {
            let param = function.params.get(at).or(function.params.last())?;
            match self.argument(function, *param, arg) {
                Some(arg) => converted.push(arg),
                None => whole = false,
            }
        }
        whole.then_some(converted)
    }

    fn argument(&mut self, function: &Function, param: Param, arg: Typed) -> Option<Typed> {
        let degrees = Type::Quantity(Unit::Degree);
        let wanted = match param {
            Param::Is(ty) => match self.coerce(arg, ty) {
                Ok(arg) => return Some(arg),
                Err(arg) => return self.wrong_argument(function, named(ty), &arg),
            },
            // Longitudes and latitudes are degrees, whatever angle they are given in.
            Param::Number if function.name == "point" => match arg.ty {
                Type::Quantity(unit) if unit.dimension() == Dimension::Angle => return self.coerce(arg, degrees).ok(),
                Type::Quantity(_) => named(degrees),
                ty if ty.is_number() => return Some(arg),
                _ => "a number".to_owned(),
            },
            Param::Number if arg.ty.is_number() => return Some(arg),
            Param::Number | Param::Same => "a number".to_owned(),
        };
        self.wrong_argument(function, wanted, &arg)
    }

    fn wrong_argument<T>(&mut self, function: &Function, wanted: String, arg: &Typed) -> Option<T> {
        let given = self.describe(arg);
        self.error(
            Diagnostic::new(Code::WrongType, arg.span, format!("`{}` takes {wanted} here, not {given}", function.name))
                .with_label(format!("this is {given}"))
                .with_help(format!("for example `{}`", function.example.0)),
        )
    }

    /// Constants that no call of the function can mean.
    fn ranges(&mut self, function: &Function, args: &[Typed]) -> Option<()> {
        let bad = match function.name {
            "h3" | "parent" => {
                args.get(1).filter(|arg| matches!(arg.as_const(), Some(Value::Int(n)) if !(0..=15).contains(n)))
            }
            "disk" | "ring" => {
                args.get(1).filter(|arg| matches!(arg.as_const(), Some(Value::Int(n)) if !(0..=20).contains(n)))
            }
            "point" => {
                let out = |arg: &&Typed, most: f64| {
                    let number = arg.as_const().and_then(Value::number);
                    number.is_some_and(|number| number.abs() > most)
                };
                let (lon, lat) = (args.first(), args.get(1));
                lon.filter(|arg| out(arg, 180.0)).or(lat.filter(|arg| out(arg, 90.0)))
            }
            _ => None,
        };
        let Some(bad) = bad else { return Some(()) };
        let (message, help) = match function.name {
            "point" => ("this position is not on the earth", "longitude first, −180 to 180; then latitude, −90 to 90"),
            "disk" | "ring" => ("so far a neighbourhood doesn't reach", "0 to 20 steps"),
            _ => ("there is no such H3 resolution", "resolutions are 0 (largest cells) to 15"),
        };
        self.error(Diagnostic::new(Code::OutOfRange, bad.span, message).with_label("out of range").with_help(help))
    }
}
