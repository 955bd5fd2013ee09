//! Conditions of variables: a few kinds, evaluated here by hand and given to the kernel as expressions.

use super::super::kit::node;
use crate::{
    expr::{Builder, Compare, Expr, Node, Pick, Var},
    model::{Type, Value},
    plan::{Aggregate, AggregateKind},
};

/// An event: its kind, its time, and a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) kind: char,
    pub(super) time_ms: i64,
    pub(super) value: i64,
}

/// An event that a partial match has taken: the variable, and its place among the events.
pub(super) type Taken = (u16, usize);

/// What an event must meet to be taken by a variable (or to be a stop condition's event).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    /// It is of one of these kinds.
    pub(super) kinds: &'static str,
    /// And what it must be with regard to what was taken before.
    pub(super) look: Look,
}

/// What a condition asks of the events taken before. The event under test is not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing.
    Nothing,
    /// Its value is above that of the variable's last event; unknown, and so not met, where there is none.
    Above(u16),
    /// Its value is at least that of the variable's first event, or there is none.
    NotBelowFirst(u16),
    /// The variable has taken fewer than so many.
    Fewer(u16, i64),
}

impl Condition {
    /// Whether an event meets it after the events taken.
    pub(super) fn holds(&self, events: &[Event], taken: &[Taken], at: usize) -> bool {
        let event = events[at];
        let values = |var| taken.iter().filter(move |(of, _)| *of == var).map(|&(_, at)| events[at].value);
        self.kinds.contains(event.kind)
            && match self.look {
                Look::Nothing => true,
                Look::Above(var) => values(var).next_back().is_some_and(|last| event.value > last),
                Look::NotBelowFirst(var) => values(var).next().is_none_or(|first| event.value >= first),
                Look::Fewer(var, most) => (values(var).count() as i64) < most,
            }
    }

    /// The same as an expression; aggregates that it needs are added.
    pub(super) fn expr(&self, aggregates: &mut Vec<(u16, Aggregate)>) -> Expr {
        let mut builder = Builder::new();
        let name = builder.push(Node::Field(0));
        let mut kinds = Vec::new();
        for kind in self.kinds.chars() {
            let kind = builder.push(Node::Const(Value::text(&kind.to_string())));
            kinds.push(builder.push(Node::CompareValue(Compare::Eq, name, kind)));
        }
        let mut root = builder.push(Node::Or(kinds.into_iter().collect()));
        let value = builder.push(Node::Field(1));
        let look = match self.look {
            Look::Nothing => None,
            Look::Above(var) => {
                let last = builder.push(Node::Var(Var { var, pick: Pick::Last(0) }, 1));
                Some(builder.push(Node::CompareValue(Compare::Gt, value, last)))
            }
            Look::NotBelowFirst(var) => {
                let first = builder.push(Node::Var(Var { var, pick: Pick::First(0) }, 1));
                let (none, above) = (Node::IsNull(first), Node::CompareValue(Compare::Ge, value, first));
                let either = [builder.push(none), builder.push(above)];
                Some(builder.push(Node::Or(either.into_iter().collect())))
            }
            Look::Fewer(var, most) => {
                let arg = node(Node::Const(Value::Int(1)), Type::Int);
                let count =
                    Aggregate { kind: AggregateKind::Count, args: vec![Some(arg)], filter: vec![None], ty: Type::Int };
                aggregates.push((var, count));
                let count = builder.push(Node::Aggregate((aggregates.len() - 1) as u16));
                let most = builder.push(Node::Const(Value::Int(most)));
                Some(builder.push(Node::CompareInt(Compare::Lt, count, most)))
            }
        };
        if let Some(look) = look {
            root = builder.push(Node::And([root, look].into_iter().collect()));
        }
        builder.finish(root, Type::Bool)
    }

    /// In words like those of a rule.
    pub(super) fn text(&self) -> String {
        let name = |var: u16| char::from(b'a' + var as u8);
        let look = match self.look {
            Look::Nothing => String::new(),
            Look::Above(var) => format!(" AND value > last({}.value)", name(var)),
            Look::NotBelowFirst(var) => format!(" AND NOT value < first({}.value)", name(var)),
            Look::Fewer(var, most) => format!(" AND count({}) < {most}", name(var)),
        };
        format!("kind in [{}]{look}", self.kinds)
    }
}
