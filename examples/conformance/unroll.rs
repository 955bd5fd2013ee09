//! Loops with a window of their own, as Flink has them.
//!
//! `times(n, window)` means first to last repetition here (`a{3} WITHIN 5 min`). Flink bounds, state by state, the gap before
//! each counted repetition but the last, so also the one before the first, and nothing in the part of a loop that has no
//! upper bound. Such a loop is taken apart into steps of their own, each with its bound.

use crate::{
    case::{Case, Element},
    condition::quoted,
};

/// More steps than this are left to the loop.
const STEPS_MAX: i64 = 32;

/// A loop as single steps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unrolled {
    min: i64,
    /// None: no upper bound.
    max: Option<i64>,
    optional: bool,
    inner: Inner,
    window_ms: i64,
}

#[derive(Clone, Copy, Debug)]
enum Inner {
    Strict,
    Relaxed,
    Any,
}

/// How an element is taken apart, if it has a window and can be.
pub(crate) fn plan(case: &Case, element: &Element) -> Option<Unrolled> {
    let quantifier = &element.quant;
    let window_ms = quantifier.window_ms.filter(|ms| *ms > 0)?;
    let (min, max) = (quantifier.min?, quantifier.max);
    // A stop condition and a greedy choice are of the loop as a whole. At the end of a pattern there is nothing to choose: every
    // prefix is a match.
    let last = case.pattern.last().is_some_and(|last| last.var == element.var);
    let whole = quantifier.until.is_some() || (quantifier.greedy && max != Some(min) && !last);
    if element.var.is_none() || whole || max == Some(1) || max.unwrap_or(min) > STEPS_MAX {
        return None;
    }
    // "To the last" would have to name whichever step came last.
    let named = case.skip.as_ref().filter(|skip| skip.kind == "skip_to_last" && skip.var == element.var);
    if named.is_some() && max != Some(min) {
        return None;
    }
    let inner = match quantifier.inner.as_deref() {
        Some("strict") => Inner::Strict,
        Some("any") => Inner::Any,
        _ => Inner::Relaxed,
    };
    Some(Unrolled { min: min.max(1), max, optional: element.is_optional(), inner, window_ms })
}

impl Unrolled {
    /// The variables that stand for `var`.
    pub(crate) fn names(&self, var: &str) -> Vec<String> {
        let counted = (1..=self.max.unwrap_or(self.min)).map(|at| format!("{var}__{at}"));
        counted.chain(self.max.is_none().then(|| format!("{var}__more"))).collect()
    }

    /// The steps.
    pub(crate) fn text(&self, names: &[String]) -> String {
        let (connector, word) = match self.inner {
            Inner::Strict => (" ", " STRICT"),
            Inner::Relaxed => (" -> ", ""),
            Inner::Any => (" ->> ", " ANY"),
        };
        // EACH: as in Flink the bound is that of waiting, so what comes right after a part that could go on is not held to it.
        let bound = format!(" EACH WITHIN {} ms OF PREVIOUS", self.window_ms);
        let mut names = names.iter().map(|name| quoted(name)).collect::<Vec<_>>();
        // From the end: what comes after each step is there already.
        let mut text = match self.max {
            None => names.pop().map(|more| format!("{more}*{word} EACH")).unwrap_or_default(),
            Some(_) => String::new(),
        };
        for (at, name) in names.iter().enumerate().rev() {
            let last = text.is_empty();
            let beyond = at as i64 >= self.min;
            text = match (last, beyond) {
                (true, true) => format!("{name}? EACH"),
                (true, false) => name.clone(),
                (false, true) => format!("({name}{bound}{connector}{text})? EACH"),
                (false, false) => format!("{name}{bound}{connector}{text}"),
            };
        }
        match (self.optional, self.max == Some(self.min)) {
            (true, _) => format!("({text})? EACH"),
            (false, true) => text,
            // What follows must not take the optional part for the element before it.
            (false, false) => format!("({text})"),
        }
    }
}
