//! Types and units: literals, and what becomes of a value where another type or unit is wanted.

use super::compile::{At, Compiler, Typed, first, named};
use crate::{
    expr::Node,
    geo::Cell,
    lang::{
        ast::{self, Number},
        diag::{Code, Diagnostic, nearest},
        span::{Span, Spanned},
    },
    model::{TIME_UNITS, TimeMs, Type, Unit, Value},
};

impl Compiler<'_, '_> {
    /// A number, perhaps with a unit.
    pub(super) fn quantity(&mut self, quantity: &ast::Quantity) -> Option<Typed> {
        let Some(unit) = &quantity.unit else {
            return Some(match quantity.value {
                Number::Int(value) => Typed::constant(Value::Int(value), Type::Int, quantity.span),
                Number::Float(value) => Typed::constant(Value::from(value), Type::Float, quantity.span),
            });
        };
        if TIME_UNITS.iter().any(|(symbol, _)| *symbol == unit.value) {
            let span_ms = self.milliseconds(quantity)?;
            return Some(Typed::constant(Value::Duration(span_ms), Type::Duration, quantity.span));
        }
        match Unit::parse(&unit.value) {
            Some(known) => {
                Some(Typed::constant(Value::from(quantity.value.as_f64()), Type::Quantity(known), quantity.span))
            }
            None => self.unknown_unit(unit),
        }
    }

    /// The milliseconds of a span of time, which `quantity` must be.
    pub(super) fn milliseconds(&mut self, quantity: &ast::Quantity) -> Option<TimeMs> {
        let Some(unit) = &quantity.unit else {
            return self.error(
                Diagnostic::new(Code::WrongUnit, quantity.span, "a duration is expected here, not a plain number")
                    .with_label("no unit")
                    .with_help("write a unit of time after it: ms, s, min, h, d or w"),
            );
        };
        let Some((_, size_ms)) = TIME_UNITS.iter().find(|(symbol, _)| *symbol == unit.value) else {
            return match Unit::parse(&unit.value) {
                Some(known) => self.error(
                    Diagnostic::new(
                        Code::WrongUnit,
                        quantity.span,
                        format!("a duration is expected here, not {}", named(Type::Quantity(known))),
                    )
                    .with_help("units of time are ms, s, min, h, d and w"),
                ),
                None => self.unknown_unit(unit),
            };
        };
        let span_ms = match quantity.value {
            Number::Int(value) => value.checked_mul(*size_ms),
            Number::Float(value) => to_ms(value * *size_ms as f64),
        };
        match span_ms {
            Some(span_ms) => Some(span_ms),
            None => self.error(Diagnostic::new(Code::OutOfRange, quantity.span, "the duration is too long")),
        }
    }

    /// The milliseconds of a span of time longer than 0.
    pub(super) fn positive_ms(&mut self, quantity: &ast::Quantity) -> Option<TimeMs> {
        let span_ms = self.milliseconds(quantity)?;
        if span_ms > 0 {
            return Some(span_ms);
        }
        self.error(Diagnostic::new(Code::OutOfRange, quantity.span, "the duration must be longer than 0"))
    }

    /// The metres of a length of 0 or more, which `quantity` must be.
    pub(super) fn metres(&mut self, quantity: &ast::Quantity) -> Option<f64> {
        let length = self.quantity(quantity)?;
        let Type::Quantity(unit) = length.ty else {
            let message = format!("a length is expected here, not {}", named(length.ty));
            let help = "write a unit of length after it: m, km, nmi, mi or ft";
            return self.error(Diagnostic::new(Code::WrongUnit, quantity.span, message).with_help(help));
        };
        let Some(factor) = unit.ratio_to(Unit::Metre) else {
            let message = format!("a length is expected here, not {}", named(length.ty));
            return self.error(Diagnostic::new(Code::WrongUnit, quantity.span, message));
        };
        let metres = length.as_const().and_then(Value::number)? * factor;
        if metres >= 0.0 {
            return Some(metres);
        }
        self.error(Diagnostic::new(Code::OutOfRange, quantity.span, "a length is not less than 0"))
    }

    fn unknown_unit<T>(&mut self, unit: &Spanned<String>) -> Option<T> {
        let symbols = Unit::ALL.iter().map(|unit| unit.symbol()).chain(TIME_UNITS.iter().map(|(symbol, _)| *symbol));
        let usual = match unit.value.to_lowercase().as_str() {
            "kmh" | "kph" | "km/hr" => Some("km/h"),
            "kt" | "kts" | "knots" | "knot" => Some("kn"),
            "m" | "meter" | "meters" | "metre" | "metres" => Some("m"),
            "mins" | "minute" | "minutes" => Some("min"),
            "sec" | "secs" | "second" | "seconds" => Some("s"),
            "hour" | "hours" | "hr" => Some("h"),
            "day" | "days" => Some("d"),
            "week" | "weeks" => Some("w"),
            "foot" | "feet" => Some("ft"),
            "mile" | "miles" => Some("mi"),
            "kilometer" | "kilometers" | "kilometre" | "kilometres" | "kms" => Some("km"),
            "mps" => Some("m/s"),
            "hectare" | "hectares" => Some("ha"),
            "nm" => Some("nmi"),
            "degree" | "degrees" => Some("deg"),
            _ => nearest(&unit.value, symbols),
        };
        let mut diagnostic =
            Diagnostic::new(Code::UnknownUnit, unit.span, format!("there is no unit `{}`", unit.value));
        diagnostic.help = Some(match usual {
            _ if matches!(unit.value.as_str(), "month" | "months" | "year" | "years") => {
                "it has no fixed length: write days, `30 d`".to_owned()
            }
            Some(usual) => format!("did you mean `{usual}`?"),
            None => {
                let all: Vec<&str> =
                    TIME_UNITS.iter().map(|(symbol, _)| *symbol).chain(Unit::ALL.iter().map(|u| u.symbol())).collect();
                format!("units are {}", all.join(", "))
            }
        });
        self.error(diagnostic)
    }

    /// The value in another type, where that is its meaning: other units, ints as floats, fences as their ids, null.
    /// `Err` gives it back.
    pub(super) fn coerce(&mut self, typed: Typed, wanted: Type) -> Result<Typed, Typed> {
        let span = typed.span;
        if typed.ty == wanted || wanted == Type::Any {
            return Ok(typed);
        }
        if typed.is_null() || typed.ty == Type::Any {
            return Ok(Typed { ty: wanted, ..typed });
        }
        match (typed.ty, wanted) {
            (Type::Int, Type::Float) => Ok(self.scale(typed, 1.0, wanted)),
            (Type::Quantity(from), Type::Quantity(to)) => match from.ratio_to(to) {
                Some(ratio) => Ok(self.scale(typed, ratio, wanted)),
                None => Err(typed),
            },
            // A cell is written as its usual hexadecimal text.
            (Type::Text, Type::Cell) => match typed.as_const().and_then(cell_of) {
                Some(cell) => Ok(Typed::constant(Value::Cell(cell), wanted, span)),
                None => Err(typed),
            },
            (Type::Fence, Type::Text) | (Type::Fences, Type::List) => {
                Ok(self.node(&[&typed], wanted, span, |ids| Node::FenceId(first(ids))))
            }
            _ => Err(typed),
        }
    }

    /// A number times a constant, as a number of type `ty`.
    pub(super) fn scale(&mut self, typed: Typed, factor: f64, ty: Type) -> Typed {
        let span = typed.span;
        if let At::Const(value) = &typed.at {
            let value = value.number().map(|number| decimal(number * factor));
            return Typed::constant(value.into(), ty, span);
        }
        self.node(&[&typed], ty, span, |ids| Node::Scale(first(ids), factor))
    }

    /// Gives both one type: that of the one that is no constant, else of the first. `Err` gives them back.
    pub(super) fn unify(&mut self, a: Typed, b: Typed) -> Result<(Typed, Typed), (Typed, Typed)> {
        if a.ty == b.ty {
            return Ok((a, b));
        }
        let a_yields = a.is_null() || (a.as_const().is_some() && b.as_const().is_none() && a.ty != Type::Any);
        if a_yields && let Ok(converted) = self.coerce(a.clone(), b.ty) {
            return Ok((converted, b));
        }
        match self.coerce(b, a.ty) {
            Ok(b) => Ok((a, b)),
            Err(b) => match self.coerce(a, b.ty) {
                Ok(a) => Ok((a, b)),
                Err(a) => Err((a, b)),
            },
        }
    }

    /// What to say of two values that don't go together.
    pub(super) fn mismatch(&self, a: &Typed, b: &Typed, doing: &str, span: Span) -> Diagnostic {
        use Type::{Duration, Float, Int, Quantity};
        let (a_text, b_text) = (self.describe(a), self.describe(b));
        match (a.ty, b.ty) {
            (Quantity(_) | Duration, Int | Float) => self.unitless(a, b, doing),
            (Int | Float, Quantity(_) | Duration) => self.unitless(b, a, doing),
            (Quantity(_), Quantity(_)) => {
                Diagnostic::new(Code::WrongUnit, span, format!("can't {doing} {a_text} and {b_text}"))
                    .with_label(format!("{} expected on both sides", article(a.ty)))
            }
            _ => {
                let mut diagnostic =
                    Diagnostic::new(Code::WrongType, span, format!("can't {doing} {a_text} and {b_text}"));
                diagnostic.help = match (a.ty, b.ty) {
                    (Type::Any, _) | (_, Type::Any) => Some("declare the field's type in the schema".to_owned()),
                    (Type::Time, Type::Text) | (Type::Text, Type::Time) => {
                        Some("an instant is written `TIME '2026-01-01T00:00:00Z'`".to_owned())
                    }
                    (Type::Cell, Type::Text) | (Type::Text, Type::Cell) => {
                        Some("an H3 cell is written as its hexadecimal number: `'88283082a3fffff'`".to_owned())
                    }
                    _ => None,
                };
                diagnostic
            }
        }
    }

    /// A quantity meets a plain number.
    fn unitless(&self, quantity: &Typed, number: &Typed, doing: &str) -> Diagnostic {
        let unit = match quantity.ty {
            Type::Quantity(unit) => unit.symbol(),
            _ => "min",
        };
        if let Some(value) = number.as_const().and_then(Value::number) {
            let help = match quantity.ty {
                Type::Quantity(_) => format!("write `{value} {unit}`"),
                _ => format!("write the unit of time: `{value} min`, `{value} s`, …"),
            };
            return Diagnostic::new(
                Code::WrongUnit,
                number.span,
                format!("can't {doing} {} and a number without a unit", self.describe(quantity)),
            )
            .with_label("a unit is missing")
            .with_help(help);
        }
        Diagnostic::new(
            Code::WrongUnit,
            number.span,
            format!("can't {doing} {} and a number without a unit", self.describe(quantity)),
        )
        .with_label("this has no unit")
        .with_help(match quantity.ty {
            Type::Quantity(_) => {
                format!("declare its unit in the schema, `unit: {unit}`, or multiply it by `1 {unit}`")
            }
            _ => "multiply it by a unit of time: `1 s`, `1 min`".to_owned(),
        })
    }

    /// What a value is, in a sentence.
    pub(super) fn describe(&self, typed: &Typed) -> String {
        if typed.is_null() { "NULL".to_owned() } else { named(typed.ty) }
    }
}

fn article(ty: Type) -> String {
    match ty {
        Type::Quantity(unit) => {
            let name = unit.dimension().name();
            format!("{} {name} is", if name.starts_with('a') { "an" } else { "a" })
        }
        _ => named(ty),
    }
}

fn cell_of(text: &Value) -> Option<Cell> {
    match text {
        Value::Text(text) => Cell::new(u64::from_str_radix(text, 16).ok()?).ok(),
        _ => None,
    }
}

/// The short decimal that a converted constant stands for, where rounding alone made it another: 1 m/s is 3.6 km/h, not
/// 3.5999999999999996, so that `>` and `>=` differ where the reader expects it.
fn decimal(value: f64) -> f64 {
    match format!("{value:.11e}").parse::<f64>() {
        Ok(short) if (short - value).abs() <= value.abs() * 1e-15 => short,
        _ => value,
    }
}

/// Whole milliseconds, where they fit.
pub(super) fn to_ms(value: f64) -> Option<TimeMs> {
    let rounded = value.round();
    // 2^63 as a float is exact; below it the cast is too.
    (rounded.abs() < 9.223_372_036_854_776e18).then_some(rounded as TimeMs)
}

/// The type of a field that two streams have: ints become floats, units of one kind the first's.
pub(super) fn common(a: Type, b: Type) -> Option<Type> {
    match (a, b) {
        _ if a == b => Some(a),
        (Type::Any, _) | (_, Type::Any) => Some(Type::Any),
        (Type::Int, Type::Float) | (Type::Float, Type::Int) => Some(Type::Float),
        (Type::Quantity(x), Type::Quantity(y)) if x.dimension() == y.dimension() => Some(a),
        _ => None,
    }
}
