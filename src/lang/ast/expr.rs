//! Expressions: conditions, measures, keys.

use crate::lang::span::{Span, Spanned};

/// A name as written, its back-ticks taken off. Names keep their case; keywords don't care for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The name; never empty.
    pub text: String,
    /// Its place, back-ticks included.
    pub span: Span,
}

/// `speed`, `enter.time`, `enter.fence.speed_limit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The parts between the dots; at least one.
    pub parts: Vec<Name>,
    /// All of it.
    pub span: Span,
}

/// A number as written: integers keep all 64 bits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// Digits only, with a minus sign folded in (`-5` is a literal).
    Int(i64),
    /// With a point or an exponent; always finite.
    Float(f64),
}

impl Number {
    /// The number as a float; integers beyond 2^53 are rounded.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Int(i) => i as f64,
            Self::Float(f) => f,
        }
    }
}

/// A number with or without a unit: `3`, `0.5`, `5 km/h`, `-5 min`.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantity {
    /// The number.
    pub value: Number,
    /// The unit's text as written (`km/h`, `min`, `deg`, `km2`); nobody has looked it up.
    pub unit: Option<Spanned<String>>,
    /// Both.
    pub span: Span,
}

/// An expression and its place. Parentheses leave no node, but the span of a parenthesised expression is that of
/// its inside.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it is.
    pub span: Span,
}

/// The forms of an expression. Depth is bounded by the parser, so that recursion over it is safe.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// A number, perhaps with a unit.
    Number(Quantity),
    /// `'text'`, its doubled quotes undone.
    String(String),
    /// `TRUE`, `FALSE`.
    Bool(bool),
    /// `NULL`.
    Null,
    /// `TIME '2026-01-01T00:00:00Z'`: the text between the quotes, and its place (quotes included). Not judged yet.
    Time(Spanned<String>),
    /// A field, a variable or a variable's field.
    Path(Path),
    /// `f(a, b)`.
    Call(Call),
    /// `-x`, `NOT x`.
    Unary {
        /// The operator.
        op: Spanned<UnaryOp>,
        /// What it acts on. A minus straight before a number belongs to the number, and makes no such node.
        operand: Box<Expr>,
    },
    /// `a + b`, `a AND b`, `a = b`. Comparisons don't chain.
    Binary {
        /// The operator and its place.
        op: Spanned<BinaryOp>,
        /// Before the operator.
        left: Box<Expr>,
        /// After it.
        right: Box<Expr>,
    },
    /// `x [NOT] IN (a, b)`.
    In {
        /// What is looked for.
        operand: Box<Expr>,
        /// The choices; at least one.
        list: Vec<Expr>,
        /// `NOT IN`.
        negated: bool,
    },
    /// `x [NOT] BETWEEN low AND high`, both bounds included.
    Between {
        /// What is compared.
        operand: Box<Expr>,
        /// The lower bound.
        low: Box<Expr>,
        /// The upper bound.
        high: Box<Expr>,
        /// `NOT BETWEEN`.
        negated: bool,
    },
    /// `x [NOT] LIKE 'a%'`.
    Like {
        /// What is compared.
        operand: Box<Expr>,
        /// The pattern.
        pattern: Box<Expr>,
        /// `NOT LIKE`.
        negated: bool,
    },
    /// `x IS [NOT] NULL`.
    IsNull {
        /// What is tested.
        operand: Box<Expr>,
        /// `IS NOT NULL`.
        negated: bool,
    },
    /// `CASE WHEN a THEN b … [ELSE c] END`.
    Case {
        /// The arms in order; at least one.
        arms: Vec<WhenArm>,
        /// `ELSE`; without it, null.
        otherwise: Option<Box<Expr>>,
    },
}

/// `f(a, b)`, `count(*)`, `count(DISTINCT x) FILTER (WHERE c)`, `FINAL last(a.x)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The function, aggregates included.
    pub name: Name,
    /// `RUNNING` or `FINAL` before it.
    pub semantics: Option<Spanned<Semantics>>,
    /// `DISTINCT` as the first word in the parentheses. Its place.
    pub distinct: Option<Span>,
    /// The `*` of `count(*)`; then there are no arguments and no `DISTINCT`. Its place.
    pub star: Option<Span>,
    /// The arguments.
    pub args: Vec<Expr>,
    /// `FILTER (WHERE condition)`.
    pub filter: Option<Box<Expr>>,
}

/// At which point of a match a measure is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Semantics {
    /// As of the current row.
    Running,
    /// As of the match's end.
    Final,
}

/// `WHEN condition THEN value`.
#[derive(Debug, Clone, PartialEq)]
pub struct WhenArm {
    /// The condition.
    pub condition: Expr,
    /// The value where it holds.
    pub value: Expr,
}

/// An operator before its operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnaryOp {
    /// `-`
    Neg,
    /// `NOT`
    Not,
}

/// An operator between two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryOp {
    /// `OR`
    Or,
    /// `AND`
    And,
    /// `=` (or `==`)
    Eq,
    /// `!=` or `<>`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Rem,
}

impl BinaryOp {
    /// The operator in canonical text.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Or => "OR",
            Self::And => "AND",
            Self::Eq => "=",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Rem => "%",
        }
    }

    /// Whether it compares (and so does not chain).
    #[must_use]
    pub fn is_comparison(self) -> bool {
        matches!(self, Self::Eq | Self::Ne | Self::Lt | Self::Le | Self::Gt | Self::Ge)
    }
}
