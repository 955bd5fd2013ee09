//! The function library: pure functions of their arguments, one family a file. Functions that look at the previous event,
//! at fences or at a match are nodes of their own; the checker knows them.

use crate::model::Value;

mod cell;
mod encounter;
mod geo;
mod list;
mod number;
mod text;
mod time;
pub mod track;

/// A function of the library.
#[derive(Debug)]
pub struct Function {
    /// Its name in rules.
    pub name: &'static str,
    /// The types of its parameters.
    pub params: &'static [Param],
    /// How many of the parameters may be left out, from the end.
    pub optional: usize,
    /// Whether the last parameter may be repeated.
    pub variadic: bool,
    /// The type of its result.
    pub returns: Returns,
    /// What it does, in one sentence, for the reference.
    pub doc: &'static str,
    /// Call and result, for the reference and its test.
    pub example: (&'static str, &'static str),
    /// The function. Arguments that do not fit give null.
    pub eval: fn(&[Value]) -> Value,
}

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Param {
    /// Exactly this type (a quantity of this unit's dimension is converted to the unit).
    Is(crate::model::Type),
    /// An int, a float or a quantity.
    Number,
    /// Anything; all parameters of this kind have one type.
    Same,
}

/// What a function returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returns {
    /// This type.
    Is(crate::model::Type),
    /// The type of its first argument.
    LikeFirst,
}

/// Every function, in the order of the reference.
pub fn all() -> impl Iterator<Item = &'static Function> {
    [
        geo::FUNCTIONS,
        cell::FUNCTIONS,
        encounter::FUNCTIONS,
        number::FUNCTIONS,
        text::FUNCTIONS,
        time::FUNCTIONS,
        list::FUNCTIONS,
    ]
    .into_iter()
    .flatten()
}

/// The function of this name.
pub fn find(name: &str) -> Option<&'static Function> {
    all().find(|function| function.name.eq_ignore_ascii_case(name))
}
