//! The window clause.

use super::{Expr, Name, Number, Quantity};
use crate::lang::span::{Span, Spanned};

/// `WINDOW TUMBLING 5 min [JITTER …] [OFFSET expr] [TIME ZONE 'z']`.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowClause {
    /// How events are assigned to windows.
    pub kind: WindowKind,
    /// `JITTER`.
    pub jitter: Option<Jitter>,
    /// `OFFSET expr`: the offset set by hand.
    pub offset: Option<Expr>,
    /// `TIME ZONE 'Europe/Paris'`: days and weeks begin as they do there.
    pub time_zone: Option<Spanned<String>>,
    /// The whole clause.
    pub span: Span,
}

/// How events are assigned to windows.
#[derive(Debug, Clone, PartialEq)]
pub enum WindowKind {
    /// `TUMBLING size`.
    Tumbling {
        /// The windows' length (a duration).
        size: Quantity,
    },
    /// `SLIDING size EVERY slide`.
    Sliding {
        /// The windows' length.
        size: Quantity,
        /// From one window's start to the next.
        every: Quantity,
    },
    /// `CUMULATIVE size EVERY step`: grows by `step` until `size`.
    Cumulative {
        /// The full length.
        size: Quantity,
        /// How much each result grows.
        every: Quantity,
    },
    /// `SESSION GAP g [MAX d]`.
    Session {
        /// The pause that ends a session.
        gap: Quantity,
        /// The longest session.
        max: Option<Quantity>,
    },
    /// `COUNT n [EVERY m] [EXPIRE d]`.
    Count {
        /// Events per window.
        size: Spanned<u64>,
        /// Events from one window's start to the next.
        every: Option<Spanned<u64>>,
        /// The silence after which a key begins anew.
        expire: Option<Quantity>,
    },
    /// `RUNNING [EXPIRE d]`: all events so far, with a result at each.
    Running {
        /// The silence after which a key begins anew.
        expire: Option<Quantity>,
    },
    /// `name(args)`: a user's own assigner.
    Custom {
        /// The assigner's name.
        name: Name,
        /// What it is made with.
        args: Vec<Expr>,
    },
}

/// `JITTER 100% [BY expr]`, `JITTER NATURAL`.
#[derive(Debug, Clone, PartialEq)]
pub struct Jitter {
    /// Which.
    pub kind: JitterKind,
    /// The whole of it.
    pub span: Span,
}

/// The forms of jitter.
#[derive(Debug, Clone, PartialEq)]
pub enum JitterKind {
    /// A part of the window's size, drawn per key.
    Percent {
        /// The number before `%`, as written (the check holds it to 0 … 100).
        value: Spanned<Number>,
        /// What the offset is drawn from instead of the key.
        by: Option<Expr>,
    },
    /// Windows start at the key's first event.
    Natural,
}
