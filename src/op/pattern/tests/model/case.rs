//! A pattern as a tree, with conditions and events: what is generated, shrunk, shown, and made a plan of.

use super::{
    super::kit::pattern_of,
    condition::{Condition, Event},
};
use crate::plan::{Connect, Element, Loop, Pattern, Quantifier, Skip, Term};
use std::fmt;

/// An element of a sequence.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) connect: Connect,
    pub(super) what: What,
    pub(super) min: u32,
    pub(super) max: Option<u32>,
    pub(super) inner: Connect,
    pub(super) mode: Loop,
    pub(super) until: Option<Condition>,
    pub(super) loop_within: Option<i64>,
    pub(super) of_previous: Option<i64>,
}

/// What an element is.
#[derive(Clone, Debug)]
pub(super) enum What {
    Var(u16),
    Not(u16, Option<i64>),
    /// A sequence that must not occur.
    Never(Vec<Piece>, Option<i64>),
    Sequence(Vec<Piece>),
    Either(Vec<Vec<Piece>>),
    All(Vec<Vec<Piece>>),
}

/// A pattern and the events that it is run over.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) pieces: Vec<Piece>,
    /// By variable.
    pub(super) conditions: Vec<Condition>,
    pub(super) within_ms: Option<i64>,
    pub(super) skip: Skip,
    pub(super) events: Vec<Event>,
}

impl Piece {
    /// Whether it is exactly one repetition.
    pub(super) fn is_once(&self) -> bool {
        self.min == 1 && self.max == Some(1)
    }

    /// The sequences inside it.
    pub(super) fn inside(&self) -> &[Vec<Piece>] {
        match &self.what {
            What::Var(_) | What::Not(..) | What::Never(..) => &[],
            What::Sequence(pieces) => std::slice::from_ref(pieces),
            What::Either(all) | What::All(all) => all,
        }
    }

    fn element(&self, aggregates: &mut Vec<(u16, crate::plan::Aggregate)>) -> Element {
        let mut all = |sequences: &[Vec<Piece>]| -> Vec<Vec<Element>> {
            let one = |pieces: &Vec<Piece>, to: &mut Vec<_>| pieces.iter().map(|piece| piece.element(to)).collect();
            sequences.iter().map(|pieces| one(pieces, aggregates)).collect()
        };
        let term = match &self.what {
            What::Var(var) => Term::Variable(*var),
            What::Not(var, for_ms) => Term::Not { term: Box::new(Term::Variable(*var)), for_ms: *for_ms },
            What::Never(pieces, for_ms) => {
                let group = Term::Group(all(std::slice::from_ref(pieces)).remove(0));
                Term::Not { term: Box::new(group), for_ms: *for_ms }
            }
            What::Sequence(_) => Term::Group(all(self.inside()).remove(0)),
            What::Either(ways) => Term::Alternation(all(ways)),
            What::All(parts) => Term::Permutation(all(parts)),
        };
        let quantifier = Quantifier {
            min: self.min,
            max: self.max,
            inner: self.inner,
            mode: self.mode,
            until: self.until.as_ref().map(|until| vec![Some(until.expr(aggregates))]),
            within_ms: self.loop_within,
        };
        Element { connect: self.connect, term, quantifier, within_previous_ms: self.of_previous }
    }
}

impl Case {
    /// What the kernel is given.
    pub(super) fn plan(&self) -> Pattern {
        let mut aggregates = Vec::new();
        let elements = self.pieces.iter().map(|piece| piece.element(&mut aggregates)).collect();
        let mut pattern = pattern_of(elements).skip(self.skip);
        pattern.variables.truncate(self.conditions.len());
        for (variable, condition) in pattern.variables.iter_mut().zip(&self.conditions) {
            variable.conditions = vec![Some(condition.expr(&mut aggregates))];
        }
        pattern.within_ms = self.within_ms;
        pattern.aggregates = aggregates;
        pattern
    }

    /// Whether any element, at whatever depth, is so.
    pub(super) fn any(&self, test: &dyn Fn(&Piece) -> bool) -> bool {
        fn any(pieces: &[Piece], test: &dyn Fn(&Piece) -> bool) -> bool {
            pieces.iter().any(|piece| test(piece) || piece.inside().iter().any(|inside| any(inside, test)))
        }
        any(&self.pieces, test)
    }
}

impl Case {
    /// How many elements, at whatever depth, are so.
    pub(super) fn count(&self, test: &dyn Fn(&Piece) -> bool) -> usize {
        fn count(pieces: &[Piece], test: &dyn Fn(&Piece) -> bool) -> usize {
            let of = |piece: &Piece| {
                usize::from(test(piece)) + piece.inside().iter().map(|inside| count(inside, test)).sum::<usize>()
            };
            pieces.iter().map(of).sum()
        }
        count(&self.pieces, test)
    }
}

fn sequence(pieces: &[Piece]) -> String {
    let mut text = String::new();
    for (at, piece) in pieces.iter().enumerate() {
        let joint = match (at, piece.connect) {
            (0, _) => "",
            (_, Connect::Strict) => " ",
            (_, Connect::Relaxed) => " -> ",
            (_, Connect::Any) => " ->> ",
        };
        text.push_str(joint);
        text.push_str(&piece.text());
    }
    text
}

impl Piece {
    fn text(&self) -> String {
        let name = |var: u16| char::from(b'a' + var as u8);
        let joined = |all: &[Vec<Piece>], by: &str| all.iter().map(|all| sequence(all)).collect::<Vec<_>>().join(by);
        let mut text = match &self.what {
            What::Var(var) => name(*var).to_string(),
            What::Not(var, None) => return format!("!{}", name(*var)),
            What::Not(var, Some(ms)) => return format!("!{} FOR {ms}", name(*var)),
            What::Never(pieces, None) => return format!("!({})", sequence(pieces)),
            What::Never(pieces, Some(ms)) => return format!("!({}) FOR {ms}", sequence(pieces)),
            What::Sequence(pieces) => format!("({})", sequence(pieces)),
            What::Either(ways) => format!("({})", joined(ways, " | ")),
            What::All(parts) => format!("({})", joined(parts, " & ")),
        };
        if !self.is_once() {
            let max = self.max.map_or(String::new(), |max| max.to_string());
            let mode = match self.mode {
                Loop::Greedy => "",
                Loop::Reluctant => "?",
                Loop::Each => " EACH",
            };
            let inner = match self.inner {
                Connect::Strict => " STRICT",
                Connect::Relaxed => "",
                Connect::Any => " ANY",
            };
            text.push_str(&format!("{{{},{max}}}{mode}{inner}", self.min));
        }
        if let Some(until) = &self.until {
            text.push_str(&format!(" UNTIL ({})", until.text()));
        }
        if let Some(ms) = self.loop_within {
            text.push_str(&format!(" WITHIN {ms}"));
        }
        if let Some(ms) = self.of_previous {
            text.push_str(&format!(" WITHIN {ms} OF PREVIOUS"));
        }
        text
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n  {} WITHIN {:?} {:?}", sequence(&self.pieces), self.within_ms, self.skip)?;
        for (var, condition) in self.conditions.iter().enumerate() {
            write!(f, "\n    {} AS {}", char::from(b'a' + var as u8), condition.text())?;
        }
        write!(f, "\n  over")?;
        let kinds = self.conditions.iter().any(|condition| condition.look != super::condition::Look::Nothing);
        for event in &self.events {
            write!(f, " {}{}", event.kind, event.time_ms)?;
            if kinds {
                write!(f, ":{}", event.value)?;
            }
        }
        writeln!(f)
    }
}
