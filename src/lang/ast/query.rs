//! A rule's query: its clauses, in fields rather than in the order they were written.

use super::{ClusterClause, Expr, Name, PatternClause, Quantity, WindowClause};
use crate::lang::span::{Span, Spanned};

/// One rule's `expr`. No operator clause makes it a filter: each event that passes `WHERE` is an output.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// From the first to the last token.
    pub span: Span,
    /// `FROM a, b AS x`; at least one.
    pub from: Vec<Source>,
    /// `THROUGH fences`: one event per fence concerned.
    pub through: Option<ThroughClause>,
    /// `NEAR b WITHIN 500 m`: the first source's entities paired with another's.
    pub near: Option<NearClause>,
    /// `JOIN b ON … WITHIN …`, in the order written.
    pub joins: Vec<JoinClause>,
    /// `LOOKUP table ON …`, in the order written.
    pub lookups: Vec<LookupClause>,
    /// `UNNEST list AS item`.
    pub unnest: Option<UnnestClause>,
    /// `INTERPOLATE [MAX GAP d]`: fences that the way between two positions passes count, too.
    pub interpolate: Option<InterpolateClause>,
    /// `WHERE condition` on the events read. (The hot condition of a cluster is in [`ClusterClause::hot`].)
    pub where_: Option<Expr>,
    /// `PARTITION BY vehicle, h3(position, 8) AS cell`; empty when there is no such clause.
    pub partition_by: Vec<KeyPart>,
    /// `ORDER BY time, f`: the order of events of one instant; empty when there is no such clause.
    pub order_by: Vec<Expr>,
    /// `PATTERN`, `WINDOW`, `CLUSTER` or `LATEST`; none for a filter.
    pub operator: Option<Operator>,
    /// `MEASURES expr AS name, …`; empty when there is no such clause.
    pub measures: Vec<Measure>,
    /// `HAVING condition` on the results.
    pub having: Option<Expr>,
    /// `EMIT EVERY d [FOR UPDATED KEYS]`, `EMIT ALL`, `EMIT CHANGES`.
    pub emit: Option<Emit>,
    /// `ONCE [EVERY d]`.
    pub once: Option<Once>,
    /// `ALLOWED LATENESS d`.
    pub allowed_lateness: Option<Quantity>,
    /// `CLOCK EVENT | EVENT OR WALL | WALL`.
    pub clock: Option<Spanned<Clock>>,
    /// `AT END FIRE | DROP`.
    pub at_end: Option<Spanned<AtEnd>>,
    /// `FEEDBACK n`: the rule may read what depends on it, over at most `n` hops. The span is the whole clause.
    pub feedback: Option<Spanned<u64>>,
}

/// One stream of `FROM`.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// The stream's name.
    pub stream: Name,
    /// Its other name in this rule: `pings a` or `pings AS a`.
    pub alias: Option<Name>,
    /// Both.
    pub span: Span,
}

impl Source {
    /// The name under which conditions see it: the alias, or else the stream's own name.
    #[must_use]
    pub fn visible_name(&self) -> &Name {
        self.alias.as_ref().unwrap_or(&self.stream)
    }
}

/// `INTERPOLATE [MAX GAP 10 min]`.
#[derive(Debug, Clone, PartialEq)]
pub struct InterpolateClause {
    /// `MAX GAP`: between positions farther apart in time nothing is known of the way.
    pub max_gap: Option<Quantity>,
    /// The whole clause.
    pub span: Span,
}

/// `THROUGH airports, ports [BUFFER 30 m] [AT LEAST 3 EVENTS] [FIRST ENTERS | FIRST IGNORED]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ThroughClause {
    /// Names of geofence sets; at least one.
    pub sets: Vec<Name>,
    /// `BUFFER`: how far from a fence an entity has to be to have left it.
    pub buffer: Option<Quantity>,
    /// `AT LEAST n EVENTS`: how many positions in a row have to say that it came or left.
    pub at_least: Option<Spanned<u64>>,
    /// `FIRST`: whether a first position inside is an entry, if it is said.
    pub first_enters: Option<bool>,
    /// The whole clause.
    pub span: Span,
}

/// `NEAR pings b WITHIN 500 m AND 2 min [LEAVE AT 700 m] [ON cond] [EVERY d] [MAX AGE d]`.
#[derive(Debug, Clone, PartialEq)]
pub struct NearClause {
    /// The other entities.
    pub source: Source,
    /// At most this far apart (a length).
    pub distance: Quantity,
    /// Positions at most this far apart in time (a duration).
    pub time: Option<Quantity>,
    /// The pair separates at this distance.
    pub leave_at: Option<Quantity>,
    /// Who counts.
    pub on: Option<Expr>,
    /// Evaluated on this grid of time.
    pub every: Option<Quantity>,
    /// How long a position is valid.
    pub max_age: Option<Quantity>,
    /// The whole clause.
    pub span: Span,
}

/// `[INNER | LEFT] JOIN b ON condition [WITHIN -5 min .. 10 min]`; `WITHIN d` is read as `WITHIN -d .. d`.
#[derive(Debug, Clone, PartialEq)]
pub struct JoinClause {
    /// Inner (the default) or left.
    pub kind: JoinKind,
    /// The other stream.
    pub source: Source,
    /// The condition.
    pub on: Expr,
    /// Bounds of the other event's time, relative to this one's.
    pub within: Option<JoinBounds>,
    /// The whole clause.
    pub span: Span,
}

/// Whether an event without a partner is an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinKind {
    /// Pairs only.
    Inner,
    /// Pairs, and events that found no partner.
    Left,
}

/// `-5 min .. 10 min`.
#[derive(Debug, Clone, PartialEq)]
pub struct JoinBounds {
    /// The lower bound (a duration, may be negative).
    pub from: Quantity,
    /// The upper bound.
    pub to: Quantity,
}

/// `LOOKUP table [AS name] ON condition`.
#[derive(Debug, Clone, PartialEq)]
pub struct LookupClause {
    /// The reference table.
    pub table: Source,
    /// The condition.
    pub on: Expr,
    /// The whole clause.
    pub span: Span,
}

/// `UNNEST list [AS name]`: one output per element.
#[derive(Debug, Clone, PartialEq)]
pub struct UnnestClause {
    /// The list.
    pub list: Expr,
    /// The element's name.
    pub name: Option<Name>,
    /// The whole clause.
    pub span: Span,
}

/// One part of the key: `vehicle`, `h3(position, 8) AS cell`, `region FOLLOW parents`.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyPart {
    /// What is computed from each event.
    pub expr: Expr,
    /// Its name as an output field. None where it wasn't written: the check takes a path's last part, or a name of
    /// its own.
    pub name: Option<Name>,
    /// `FOLLOW parents`: what the partition is taken over by goes on with its partial matches.
    pub follow: Option<Name>,
}

/// One output field: `count(wait) AS pings`.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// What is computed.
    pub expr: Expr,
    /// Its name. Where only a path was written it is the path's last part (`enter.fence` is `fence`).
    pub name: Name,
}

/// The clause that decides what a rule does with its events. At most one per rule.
#[derive(Debug, Clone, PartialEq)]
pub enum Operator {
    /// `PATTERN` and what belongs to it.
    Pattern(PatternClause),
    /// `WINDOW`.
    Window(Box<WindowClause>),
    /// `CLUSTER BY`.
    Cluster(Box<ClusterClause>),
    /// `LATEST BY`.
    Latest(LatestClause),
}

impl Operator {
    /// Where the clause stands.
    #[must_use]
    pub fn span(&self) -> Span {
        match self {
            Self::Pattern(c) => c.span,
            Self::Window(c) => c.span,
            Self::Cluster(c) => c.span,
            Self::Latest(c) => c.span,
        }
    }
}

/// `LATEST BY key [MAX AGE d]`: the last event of each key as a table.
#[derive(Debug, Clone, PartialEq)]
pub struct LatestClause {
    /// The key; at least one part.
    pub by: Vec<Expr>,
    /// How long an entry is valid.
    pub max_age: Option<Quantity>,
    /// The whole clause.
    pub span: Span,
}

/// When results leave before or beside their usual moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Emit {
    /// Which.
    pub kind: EmitKind,
    /// The whole clause.
    pub span: Span,
}

/// The forms of `EMIT`.
#[derive(Debug, Clone, PartialEq)]
pub enum EmitKind {
    /// `EMIT EVERY d [FOR UPDATED KEYS]`.
    Every {
        /// The period (a duration).
        period: Quantity,
        /// Only keys that changed since the last time.
        updated_keys: bool,
    },
    /// `EMIT ALL`: unchanged regions at each tick too.
    All,
    /// `EMIT CHANGES`.
    Changes,
}

/// `ONCE [EVERY d]`: the first output of a key, and again after `d`.
#[derive(Debug, Clone, PartialEq)]
pub struct Once {
    /// After how long a key may put out again.
    pub every: Option<Quantity>,
    /// The whole clause.
    pub span: Span,
}

/// Which clock may fire a timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The watermark only.
    Event,
    /// The watermark, or the wall clock on a quiet stream.
    EventOrWall,
    /// The wall clock.
    Wall,
}

/// What becomes of waiting results at the end of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtEnd {
    /// They fire.
    Fire,
    /// They are dropped.
    Drop,
}
