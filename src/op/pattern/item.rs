//! The elements of a plan in the form the builder works on: loops told apart by kind, permutations and alternations as
//! choices, stop conditions numbered, and what has no meaning refused.

use super::{BuildError, tracker::unwatchable};
use crate::{
    expr::Expr,
    model::TimeMs,
    plan::{Connect, Element, Loop, Pattern, Quantifier, Term},
};

/// How often an element occurs, as automata care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Once (or, if optional, not at all).
    Single,
    /// From so often to so often, at least 1.
    Times(u32, u32),
    /// At least so often, at least 1.
    Looping(u32),
}

/// What an element is.
#[derive(Clone, Debug)]
pub(super) enum Body {
    Var(u16),
    Not {
        var: u16,
        for_ms: Option<TimeMs>,
    },
    /// What is inside does not occur; it concerns only the ways on that come by here.
    Never {
        what: Box<Item>,
        for_ms: Option<TimeMs>,
    },
    Sequence(Vec<Item>),
    Choice(Vec<Vec<Item>>),
    Permutation(Vec<Vec<Item>>),
}

/// An element.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) body: Body,
    pub(super) connect: Connect,
    pub(super) kind: Kind,
    pub(super) optional: bool,
    pub(super) inner: Connect,
    pub(super) mode: Loop,
    /// Index of the stop condition.
    pub(super) until: Option<u16>,
    /// First to last repetition.
    pub(super) loop_within: Option<TimeMs>,
    /// From the event before.
    pub(super) within_previous: Option<TimeMs>,
}

const DEPTH_MAX: usize = 32;
const REPEATS_MAX: u32 = 1_000;
const PERMUTED_MAX: usize = 6;

/// A condition for each input.
pub(super) type ByInput = Vec<Option<Expr>>;

/// The elements of a pattern, and its stop conditions.
pub(super) fn items(pattern: &Pattern) -> Result<(Vec<Item>, Vec<ByInput>), BuildError> {
    let mut reader = Reader { pattern, untils: Vec::new(), seen: vec![false; pattern.variables.len()] };
    let items = reader.sequence(&pattern.elements, 0, Head::Start)?;
    Ok((items, reader.untils))
}

/// What stands before the first element of a sequence.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Head {
    /// The pattern begins here.
    Start,
    /// The pattern begins here with a group.
    GroupAtStart,
    /// A choice among sequences, which skips events on its own.
    Choice,
    /// Another element.
    Element,
}

struct Reader<'p> {
    pattern: &'p Pattern,
    untils: Vec<ByInput>,
    seen: Vec<bool>,
}

impl Reader<'_> {
    fn sequence(&mut self, elements: &[Element], depth: usize, head: Head) -> Result<Vec<Item>, BuildError> {
        if depth > DEPTH_MAX {
            return Err(BuildError::TooLarge { what: "groups within groups", limit: DEPTH_MAX });
        }
        let mut items = Vec::with_capacity(elements.len());
        for (at, element) in elements.iter().enumerate() {
            items.push(self.item(element, depth, if at == 0 { head } else { Head::Element })?);
        }
        // Whether what is before may have been left out: then an absence must not end the way on which it still comes. The
        // same at the head of a group, which may be left out or may be the last of its repetitions.
        let mut after_optional = false;
        for (at, item) in items.iter_mut().enumerate() {
            let for_ms = match &item.body {
                Body::Not { for_ms, .. } | Body::Never { for_ms, .. } => *for_ms,
                _ => {
                    after_optional = item.optional;
                    continue;
                }
            };
            match head {
                Head::Start if at == 0 && for_ms.is_none() => {
                    return Err(BuildError::meaningless("an absence at the start of a pattern needs FOR"));
                }
                Head::GroupAtStart if at == 0 => {
                    return Err(BuildError::unsupported(
                        "a group at the start of a pattern that begins with an absence",
                    ));
                }
                Head::Choice if at == 0 => {
                    return Err(BuildError::unsupported("an alternative that begins with an absence"));
                }
                _ => {}
            }
            let alone = after_optional || (at == 0 && head == Head::Element);
            if for_ms.is_some() {
                after_optional = false;
            } else if let (true, Body::Not { var, .. }) = (alone, &item.body) {
                let what = Item { body: Body::Var(*var), connect: Connect::Relaxed, ..item.clone() };
                item.body = Body::Never { what: Box::new(what), for_ms };
            }
        }
        if items.is_empty() {
            return Err(BuildError::meaningless("a pattern needs at least one element"));
        }
        Ok(items)
    }

    fn alternatives(&mut self, all: &[Vec<Element>], depth: usize) -> Result<Vec<Vec<Item>>, BuildError> {
        all.iter().map(|elements| self.sequence(elements, depth + 1, Head::Choice)).collect()
    }

    fn item(&mut self, element: &Element, depth: usize, head: Head) -> Result<Item, BuildError> {
        let quantifier = &element.quantifier;
        let body = match &element.term {
            Term::Variable(var) => Body::Var(self.variable(*var)?),
            Term::Not { term, for_ms } => {
                if !quantifier.is_once() || quantifier.until.is_some() {
                    return Err(BuildError::meaningless("an absence has no quantifier"));
                }
                self.absence(term, positive(*for_ms, "FOR")?, depth)?
            }
            Term::Group(elements) => {
                let head = if head == Head::Start { Head::GroupAtStart } else { head };
                Body::Sequence(self.sequence(elements, depth + 1, head)?)
            }
            Term::Alternation(all) => Body::Choice(self.alternatives(all, depth)?),
            Term::Permutation(all) if all.len() > PERMUTED_MAX => {
                return Err(BuildError::TooLarge { what: "permuted parts", limit: PERMUTED_MAX });
            }
            Term::Permutation(all) => Body::Permutation(self.alternatives(all, depth)?),
        };
        if matches!(&body, Body::Choice(all) | Body::Permutation(all) if all.is_empty()) {
            return Err(BuildError::meaningless("a choice needs at least one alternative"));
        }
        let bounded = quantifier.within_ms.is_some() || element.within_previous_ms.is_some();
        if bounded && begins_with_absence(&body) {
            return Err(BuildError::unsupported("a bound on a group that begins with an absence"));
        }
        let (kind, optional) = kind(quantifier)?;
        let until = match &quantifier.until {
            None => None,
            Some(_) if kind == Kind::Single => {
                return Err(BuildError::meaningless("UNTIL ends a loop, and the element occurs once"));
            }
            Some(until) => {
                self.untils.push(until.clone());
                Some((self.untils.len() - 1) as u16)
            }
        };
        let item = Item {
            body,
            connect: element.connect,
            kind,
            optional,
            inner: quantifier.inner,
            mode: quantifier.mode,
            until,
            loop_within: positive(quantifier.within_ms, "WITHIN")?,
            within_previous: positive(element.within_previous_ms, "WITHIN … OF PREVIOUS")?,
        };
        Ok(item.flattened())
    }

    fn absence(&mut self, term: &Term, for_ms: Option<TimeMs>, depth: usize) -> Result<Body, BuildError> {
        let (connect, quantifier) = (Connect::Relaxed, Quantifier::once());
        let what = Element { connect, term: term.clone(), quantifier, within_previous_ms: None };
        let what = self.item(&what, depth + 1, Head::Element)?;
        if let Some(why) = unwatchable(&what) {
            return Err(BuildError::unsupported(why));
        }
        let only = match &what.body {
            Body::Sequence(items) if items.len() == 1 => items.first(),
            _ => Some(&what),
        };
        if let Some(Item { body: Body::Var(var), kind: Kind::Single, optional: false, .. }) = only {
            return Ok(Body::Not { var: *var, for_ms });
        }
        Ok(Body::Never { what: Box::new(what), for_ms })
    }

    fn variable(&mut self, var: u16) -> Result<u16, BuildError> {
        match self.seen.get_mut(usize::from(var)) {
            None => Err(BuildError::meaningless(format!("there is no variable {var}"))),
            Some(seen) if *seen => {
                let name = self.pattern.variables.get(usize::from(var)).map_or("", |variable| &variable.name);
                Err(BuildError::meaningless(format!("the variable `{name}` occurs twice")))
            }
            Some(seen) => {
                *seen = true;
                Ok(var)
            }
        }
    }
}

impl Item {
    /// A group of one element is that element, where the group adds no more than being optional: `(a{2,})?`.
    fn flattened(self) -> Self {
        let Body::Sequence(items) = &self.body else { return self };
        let [inner] = items.as_slice() else { return self };
        let plain = self.kind == Kind::Single && self.loop_within.is_none() && self.within_previous.is_none();
        if plain && self.optional && !inner.optional && inner.kind != Kind::Single {
            return Item { connect: self.connect, optional: true, ..inner.clone() };
        }
        self
    }

    /// How often it must occur, and where the count ends.
    pub(super) fn times(&self) -> (u32, u32) {
        match self.kind {
            Kind::Single => (1, 1),
            Kind::Times(from, to) => (from, to),
            Kind::Looping(from) => (from, from),
        }
    }

    /// Whether its bound from the event before ends the whole partial match, though the element could be left out.
    pub(super) fn expires_as_flink(&self) -> bool {
        self.kind == Kind::Single && self.mode == Loop::Each
    }

    /// The variables whose event may be the first of it.
    pub(super) fn heads(&self) -> Vec<u16> {
        match &self.body {
            Body::Var(var) => vec![*var],
            Body::Not { .. } | Body::Never { .. } => Vec::new(),
            Body::Sequence(items) => heads(items),
            Body::Choice(all) | Body::Permutation(all) => all.iter().flat_map(|items| heads(items)).collect(),
        }
    }

    /// Whether it may take no event.
    pub(super) fn may_be_empty(&self) -> bool {
        self.optional || self.body.may_be_empty()
    }

    fn is_absence(&self) -> bool {
        matches!(self.body, Body::Not { .. } | Body::Never { .. })
    }

    /// All variables in it.
    pub(super) fn variables(&self) -> Vec<u16> {
        match &self.body {
            Body::Var(var) | Body::Not { var, .. } => vec![*var],
            Body::Never { what, .. } => what.variables(),
            Body::Sequence(items) => items.iter().flat_map(Item::variables).collect(),
            Body::Choice(all) | Body::Permutation(all) => all.iter().flatten().flat_map(Item::variables).collect(),
        }
    }

    /// Whether each repetition is exactly one event, so that taking the event is taking the repetition.
    pub(super) fn is_one_event(&self) -> bool {
        let one = |items: &[Item]| match items {
            [item] => item.kind == Kind::Single && !item.optional && item.is_one_event(),
            _ => false,
        };
        match &self.body {
            Body::Var(_) => true,
            Body::Not { .. } | Body::Never { .. } | Body::Permutation(_) => false,
            Body::Sequence(items) => one(items),
            Body::Choice(all) => all.iter().all(|items| one(items)),
        }
    }
}

impl Body {
    /// Whether one repetition may take no event.
    pub(super) fn may_be_empty(&self) -> bool {
        let empty = |items: &Vec<Item>| items.iter().all(Item::may_be_empty);
        match self {
            Body::Var(_) => false,
            Body::Not { .. } | Body::Never { .. } => true,
            Body::Sequence(items) => empty(items),
            Body::Choice(all) => all.iter().any(empty),
            Body::Permutation(all) => all.iter().all(empty),
        }
    }
}

fn begins_with_absence(body: &Body) -> bool {
    match body {
        Body::Sequence(items) => items.first().is_some_and(|item| item.is_absence() || begins_with_absence(&item.body)),
        _ => false,
    }
}

/// The variables whose event may be the first of a sequence.
pub(super) fn heads(items: &[Item]) -> Vec<u16> {
    let mut vars = Vec::new();
    for item in items {
        vars.extend(item.heads());
        if !item.optional && !item.is_absence() {
            break;
        }
    }
    vars
}

fn positive(span: Option<TimeMs>, what: &str) -> Result<Option<TimeMs>, BuildError> {
    match span {
        Some(ms) if ms <= 0 => Err(BuildError::meaningless(format!("{what} must be longer than nothing"))),
        span => Ok(span),
    }
}

fn kind(quantifier: &Quantifier) -> Result<(Kind, bool), BuildError> {
    let (min, optional) = (quantifier.min.max(1), quantifier.min == 0);
    if min > REPEATS_MAX || quantifier.max.is_some_and(|max| max > REPEATS_MAX) {
        return Err(BuildError::TooLarge { what: "repetitions", limit: REPEATS_MAX as usize });
    }
    let kind = match quantifier.max {
        None => Kind::Looping(min),
        Some(max) if max < min => {
            return Err(BuildError::meaningless(format!("a quantifier from {min} to {max} is empty")));
        }
        Some(1) => Kind::Single,
        Some(max) => Kind::Times(min, max),
    };
    Ok((kind, optional))
}
