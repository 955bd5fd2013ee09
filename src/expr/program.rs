//! The compiled form of an expression: nodes in one flat vector, children before parents.

use super::{func::Function, quick::Quick};
use crate::model::{TimeMs, Type, Value};
use smallvec::SmallVec;
use std::fmt;

/// The place of a node in its expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// Which of a variable's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pick {
    /// The n-th from the first, 0 the first.
    First(u16),
    /// The n-th from the last, 0 the last.
    Last(u16),
}

/// An event of a match: a variable and which of its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Var {
    /// The variable's index in the pattern, or [`Var::ANY`].
    pub var: u16,
    /// Which of its events.
    pub pick: Pick,
}

impl Var {
    /// Any variable: `Last(0)` of it is the match's last event.
    pub const ANY: u16 = u16::MAX;
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compare {
    /// `=`
    Eq,
    /// `<>`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

/// An arithmetic operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arith {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`: by zero is null; of ints is a float.
    Div,
    /// `%`: the remainder has the sign of the dividend; by zero is null.
    Rem,
}

/// In what an arithmetic operation computes, and what its result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArithKind {
    /// Whole numbers; out of 64 bits is null.
    Int,
    /// Doubles; not finite is null.
    Float,
    /// Milliseconds; the result is an instant.
    Time,
    /// Milliseconds; the result is a span.
    Duration,
    /// Not known before run time: ints if both are, else doubles.
    Any,
}

/// How a way passes a fence's border.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Turn {
    /// Into it.
    In,
    /// Out of it.
    Out,
    /// Either.
    Any,
}

/// One node. Children are nodes before it in the same expression.
#[derive(Clone, Debug)]
pub enum Node {
    /// A constant.
    Const(Value),
    /// A slot of the event under test.
    Field(u16),
    /// The time of the event under test.
    Time,
    /// What THROUGH adds to the event: 0 passage, 1 fence, 2 dwell; UNNEST: 3 the element; NEAR: 4 encounter,
    /// 5 distance, 6 together, 7 position; INTERPOLATE: 8 crossed_at, 9 crossing. From 10 on: a field of the region at hand, or a
    /// median of what is usual for the key.
    Extra(u16),
    /// What is kept of the partition's previous event.
    Prev(u16),
    /// The same of the event so many (at least 2) before the one at hand.
    PrevAt(u16, u16),
    /// The time of the partition's previous event.
    PrevTime,
    /// A subexpression that the rule shares: evaluated at most once per event.
    Computed(u16),
    /// A kept value of an event of the match.
    Var(Var, u16),
    /// The time of an event of the match.
    VarTime(Var),
    /// The result so far of an aggregate over a variable or window.
    Aggregate(u16),
    /// A component of the partition's key.
    KeyPart(u16),
    /// The match's first time or the window's start.
    SpanStart,
    /// The match's last time or the window's end.
    SpanEnd,
    /// The value at the match's end, where the match is looked at row by row.
    AtEnd(NodeId),
    /// The name of the variable that the match's last event, or the row's, is bound to.
    Classifier,
    /// The match's number in its partition, from 1; null where it is none that is numbered.
    MatchNumber,
    /// Three-valued not.
    Not(NodeId),
    /// Three-valued and.
    And(SmallVec<[NodeId; 4]>),
    /// Three-valued or.
    Or(SmallVec<[NodeId; 4]>),
    /// Comparison as doubles.
    CompareFloat(Compare, NodeId, NodeId),
    /// Comparison as 64-bit integers: ints, times, durations.
    CompareInt(Compare, NodeId, NodeId),
    /// Comparison of values of one kind; unknown for unlike kinds.
    CompareValue(Compare, NodeId, NodeId),
    /// Arithmetic.
    Arith(Arith, ArithKind, NodeId, NodeId),
    /// Sign changed.
    Neg(NodeId),
    /// Number as a double times a constant: a change of unit, or an int made a float (times 1).
    Scale(NodeId, f64),
    /// Whether it is null: never unknown.
    IsNull(NodeId),
    /// Whether it equals one of these.
    In(NodeId, Vec<Value>),
    /// SQL LIKE with `%` and `_`, backslash escapes.
    Like(NodeId, String),
    /// The first arm whose condition is true, else the last.
    Case(Vec<(NodeId, NodeId)>, NodeId),
    /// The fences of a set that contain a position.
    Locate(u16, NodeId),
    /// The fence of a set that is nearest to a position.
    Nearest(u16, NodeId),
    /// How far a position is from a fence of a set, given as such or by its id; with none, from the nearest. Metres.
    DistanceTo(u16, NodeId, Option<NodeId>),
    /// The lines of a set that the way from a position to another crosses: either way, to the left of the line, or to its right.
    Crossed(u16, NodeId, NodeId, Option<bool>),
    /// The fences of a set that the way from a position to another leads into or out of, if the previous event is no longer ago than
    /// that many milliseconds.
    Passed(u16, NodeId, NodeId, Turn, Option<TimeMs>),
    /// Fences of either; what is null doesn't count.
    FencesPlus(NodeId, NodeId),
    /// Fences of the first that are not in the second; with the second null, all of the first.
    FencesMinus(NodeId, NodeId),
    /// Whether there is a fence; with an id, whether that fence is among them.
    HasFence(NodeId, Option<NodeId>),
    /// The fence with the lowest id, or null.
    LowestFence(NodeId),
    /// A property of a fence.
    FenceProperty(NodeId, String),
    /// A fence's id as text.
    FenceId(NodeId),
    /// The cells of a fence at a resolution, a list.
    FenceCells(NodeId, NodeId),
    /// The row of a reference table with this key that holds at the event's time; null where there is none.
    TableRow(u16, SmallVec<[NodeId; 2]>),
    /// The value of a table's row in a column.
    TableColumn(u16, u16, NodeId),
    /// A function of the library.
    Call(&'static Function, SmallVec<[NodeId; 3]>),
}

/// A compiled expression.
#[derive(Clone)]
pub struct Expr {
    pub(super) nodes: Vec<Node>,
    pub(super) root: NodeId,
    pub(super) ty: Type,
    /// The same as a condition, where that is simple.
    pub(super) quick: Option<Quick>,
}

impl Expr {
    pub(super) fn new(nodes: Vec<Node>, root: NodeId, ty: Type) -> Self {
        let mut expr = Self { nodes, root, ty, quick: None };
        expr.quick = Quick::of(&expr);
        expr
    }

    /// A constant.
    pub fn constant(value: Value, ty: Type) -> Self {
        Self::new(vec![Node::Const(value)], NodeId(0), ty)
    }

    /// The type of its values.
    pub fn ty(&self) -> Type {
        self.ty
    }

    /// Its nodes, children before parents.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node whose value is the expression's.
    pub fn root(&self) -> NodeId {
        self.root
    }

    /// The constant that it is, if it is one.
    pub fn as_const(&self) -> Option<&Value> {
        match self.nodes.get(self.root.0 as usize) {
            Some(Node::Const(value)) => Some(value),
            _ => None,
        }
    }
}

impl fmt::Debug for Expr {
    /// What it was made of; what is derived from that says nothing new.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nodes, root, ty, quick: _ } = self;
        f.debug_struct("Expr").field("nodes", nodes).field("root", root).field("ty", ty).finish()
    }
}
