//! What an event must meet for a rule to react to it at all: taken from the plan, so that an index can leave alone the rules
//! that an event can't concern.
//!
//! Only what follows from the event alone counts; everything else is taken as met. So an interest is a necessary condition,
//! and an event that doesn't meet it changes neither the rule's state nor its outputs.

use super::{Body, Connect, Element, Input, Pattern, Rule, Term};
use crate::{
    expr::{Expr, Node, NodeId},
    model::Value,
};

/// More alternatives than this are not told apart: the part of the condition that they come from is taken as met.
const ALTERNATIVES_MAX: usize = 32;

/// A necessary condition as alternatives, one of which an event meets, each a list of conditions on the event alone. A list
/// without a condition is met by every event; without an alternative, none is of interest.
#[derive(Clone, Debug)]
pub struct Interest {
    /// The alternatives.
    pub alternatives: Vec<Vec<Expr>>,
    /// What it asks for beside WHERE: an event that meets none of these alternatives may be skipped though it passes WHERE.
    pub beyond_where: Option<Vec<Vec<Expr>>>,
}

impl Rule {
    /// What an event of an input (an index into `inputs`) must meet for the rule to react.
    ///
    /// That is WHERE. Of a pattern it is also that the event meets some variable's condition or ends some loop: an event
    /// that does neither is passed over, which is nothing, unless events must stand next to each other or the next event
    /// looks back at this one.
    pub fn interest(&self, input: usize) -> Interest {
        let Some(of) = self.inputs.get(input) else {
            return Interest { alternatives: Vec::new(), beyond_where: None };
        };
        let before = of.before.as_ref().map_or_else(anything, |before| alternatives(before, before.root(), of));
        let body = match &self.body {
            Body::Pattern(pattern) if self.passes_over() => Some(mentions(pattern, input, of)),
            Body::Filter
            | Body::Window(_)
            | Body::Cluster(_)
            | Body::Join(_)
            | Body::Pattern(_)
            | Body::Near(_)
            | Body::Latest(_) => None,
        };
        match body.filter(|body| !is_anything(body)) {
            None => Interest { alternatives: before, beyond_where: None },
            Some(body) => Interest { alternatives: both(before, body.clone()), beyond_where: Some(body) },
        }
    }

    /// Whether an event that meets no condition leaves a pattern as it is.
    fn passes_over(&self) -> bool {
        let Body::Pattern(pattern) = &self.body else { return false };
        let begins_with_absence = matches!(pattern.elements.first(), Some(Element { term: Term::Not { .. }, .. }));
        // A partial match that waits in two ways, for more of a loop and for what follows it, times out twice, as in Flink; and
        // an event that it passes over may part the ways.
        let times_out = pattern.on_timeout;
        // A partial match leaves a loop, or what may be left out, with the next event, whatever that is: where time alone goes on
        // from there, that event has to come.
        let leaves = any(&pattern.elements, &timed) && any(&pattern.elements, &varies);
        let free = self.through.is_none()
            && self.follow.is_none()
            && self.looks_back() == 0
            && self.baselines.is_empty()
            && !begins_with_absence
            && !times_out
            && !leaves;
        free && !strict(&pattern.elements)
    }
}

/// Whether any element meets a test, also inside of groups.
fn any(elements: &[Element], test: &dyn Fn(&Element) -> bool) -> bool {
    let mut met = false;
    elements.iter().for_each(|element| element.each(&mut |inner| met |= test(inner)));
    met
}

fn timed(element: &Element) -> bool {
    element.within_previous_ms.is_some() || matches!(element.term, Term::Not { .. })
}

fn varies(element: &Element) -> bool {
    !element.quantifier.is_once() || matches!(element.term, Term::Alternation(_) | Term::Permutation(_))
}

/// Whether anything in a sequence must come right after something else.
fn strict(elements: &[Element]) -> bool {
    elements.iter().enumerate().any(|(at, element)| {
        let follows = at > 0 && element.connect == Connect::Strict;
        let repeats = element.quantifier.max != Some(1) && element.quantifier.inner == Connect::Strict;
        follows || repeats || strict_term(&element.term)
    })
}

fn strict_term(term: &Term) -> bool {
    // What an element inside follows may be outside: there its own connection counts wherever it stands.
    let inside =
        |elements: &[Element]| elements.iter().any(|element| element.connect == Connect::Strict) || strict(elements);
    match term {
        Term::Variable(_) => false,
        Term::Not { term, .. } => strict_term(term),
        Term::Group(elements) => inside(elements),
        Term::Alternation(ways) | Term::Permutation(ways) => ways.iter().any(|way| inside(way)),
    }
}

type Alternatives = Vec<Vec<Expr>>;

fn anything() -> Alternatives {
    vec![Vec::new()]
}

fn is_anything(alternatives: &Alternatives) -> bool {
    alternatives.iter().any(Vec::is_empty)
}

/// One of the conditions that a pattern asks of an event.
fn mentions(pattern: &Pattern, input: usize, of: &Input) -> Alternatives {
    let mut conditions: Vec<&Expr> =
        pattern.variables.iter().filter_map(|variable| variable.conditions.get(input)?.as_ref()).collect();
    untils(&pattern.elements, input, &mut conditions);
    let mut any = Alternatives::new();
    for condition in conditions {
        any = either(any, alternatives(condition, condition.root(), of));
    }
    any
}

fn untils<'p>(elements: &'p [Element], input: usize, found: &mut Vec<&'p Expr>) {
    for element in elements {
        element.each(&mut |inner| {
            found.extend(inner.quantifier.until.iter().filter_map(|until| until.get(input)?.as_ref()));
        });
    }
}

fn either(mut a: Alternatives, b: Alternatives) -> Alternatives {
    a.extend(b);
    if a.len() > ALTERNATIVES_MAX || is_anything(&a) { anything() } else { a }
}

fn both(a: Alternatives, b: Alternatives) -> Alternatives {
    if a.len().saturating_mul(b.len()) > ALTERNATIVES_MAX {
        // Either alone is still necessary.
        return if b.len() < a.len() { b } else { a };
    }
    a.iter().flat_map(|a| b.iter().map(|b| a.iter().chain(b).cloned().collect())).collect()
}

/// What the event alone must meet for a condition to be true.
fn alternatives(expr: &Expr, id: NodeId, of: &Input) -> Alternatives {
    match expr.at(id) {
        Some(Node::Const(Value::Bool(true))) => anything(),
        Some(Node::Const(_)) => Alternatives::new(),
        Some(Node::Computed(ix)) if of.computed.get(usize::from(*ix)).is_some_and(|shared| !refers(shared)) => {
            of.computed.get(usize::from(*ix)).map_or_else(anything, |shared| alternatives(shared, shared.root(), of))
        }
        Some(Node::And(all)) => all.iter().fold(anything(), |met, &id| both(met, alternatives(expr, id, of))),
        Some(Node::Or(any)) => any.iter().fold(Alternatives::new(), |met, &id| either(met, alternatives(expr, id, of))),
        _ => match expr.part(id, &of.computed) {
            Some(part) => vec![vec![part]],
            None => anything(),
        },
    }
}

fn refers(expr: &Expr) -> bool {
    expr.nodes().iter().any(|node| matches!(node, Node::Computed(_)))
}
