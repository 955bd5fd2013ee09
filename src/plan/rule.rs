//! A rule and the streams between rules.

use super::{
    Aggregate, Back, Baseline, Cluster, Drain, Element, Feedback, Follow, Join, Latest, Near, Once, Pattern, TablePlan,
    Unnest, Window, WindowKind,
};
use crate::{
    expr::{Expr, Node},
    model::{Key, Schema, StreamId, TimeMs, Type},
};
use std::cell::Cell;

/// All rules of a run, in an order in which each comes after those whose streams it reads, but for what is fed back to it. Rules of a
/// circle follow one another.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Every stream: sources by name, then derived streams in the order of `rules`. The index is the [`StreamId`].
    pub streams: Vec<StreamPlan>,
    /// The rules.
    pub rules: Vec<Rule>,
    /// The geofence sets that rules name; the index is the set's number in expressions.
    pub fence_sets: Vec<String>,
    /// The reference tables that rules look up; the index is the table's number in expressions.
    pub tables: Vec<TablePlan>,
    /// The rules that are old versions of edited ones and only end what they have begun.
    pub drains: Vec<Drain>,
}

/// A stream.
#[derive(Clone, Debug)]
pub struct StreamPlan {
    /// Its name: a source's, an `alert`'s or a `stream`'s.
    pub name: String,
    /// Its fields, in slot order. Of a source only those that rules read (and the id and position).
    pub schema: Schema,
    /// Where its events come from.
    pub origin: StreamOrigin,
    /// The longest way from a source to it through rules; a source has 0. A rule with ORDER BY counts twice: it needs whole
    /// instants, as rules that read rules do. Rules of a circle are at one level, above the first.
    pub level: u32,
}

/// Where a stream's events come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamOrigin {
    /// From outside.
    Source,
    /// The rule with this index.
    Rule(u32),
}

/// Whether a rule's outputs are alerts or only a stream for other rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleKind {
    /// `alert:` its outputs leave the process, and other rules may read them.
    Alert,
    /// `stream:` other rules read it.
    Stream,
}

/// Whether a rule runs, and who hears of its alerts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It runs: the default.
    #[default]
    Active,
    /// It runs, and its alerts go where people try rules out.
    Shadow,
    /// It is checked and gets no event.
    Off,
}

/// A checked rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name, which is also its stream's.
    pub name: String,
    /// The group that it stands in.
    pub group: String,
    /// Alert or stream.
    pub kind: RuleKind,
    /// The canonical text of its expression.
    pub canonical: String,
    /// The fingerprint of the canonical text: 16 hex digits of its xxh3-64.
    pub version: String,
    /// The streams that it reads, in the order of FROM.
    pub inputs: Vec<Input>,
    /// The components of PARTITION BY; empty: one partition.
    pub key: Vec<KeyPart>,
    /// THROUGH, if the rule has it.
    pub through: Option<Through>,
    /// FOLLOW, if the rule has it; then it is a pattern.
    pub follow: Option<Follow>,
    /// FEEDBACK, if the rule reads its own stream; then it is a filter or a pattern.
    pub feedback: Option<Feedback>,
    /// FEEDBACK, if the rule reads rules that depend on it.
    pub back: Option<Back>,
    /// UNNEST, if the rule has it; then it is a filter.
    pub unnest: Option<Unnest>,
    /// ORDER BY: by what events of one instant are ordered before the rule sees them, for each input; empty: as they come.
    pub order: Vec<Vec<Expr>>,
    /// Values whose usual size is kept per key: `baseline(…)`.
    pub baselines: Vec<Baseline>,
    /// What is done with the events of a partition.
    pub body: Body,
    /// Which clock may fire its timers.
    pub clock: ClockPolicy,
    /// What becomes of its timers at the end of the inputs; none: what the run says.
    pub at_end: Option<EndPolicy>,
    /// HAVING: which outputs count; evaluated where measures are.
    pub having: Option<Expr>,
    /// ONCE: which of a key's outputs count.
    pub once: Option<Once>,
    /// The fields of an output, in the slot order of the rule's stream.
    pub outputs: Vec<OutputField>,
    /// Whether it runs.
    pub mode: Mode,
    /// Bounds on what a key may hold and put out.
    pub limits: Limits,
    /// Labels of its alerts, by name.
    pub labels: Vec<(String, String)>,
    /// Annotations of its alerts, by name.
    pub annotations: Vec<(String, Template)>,
}

/// Bounds of a rule; what isn't given is as the kernel has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// So many partial matches a key may have (of a join: events that wait for partners); of more, those that began first are
    /// dropped.
    pub partial_matches: Option<u32>,
    /// So many matches one event may end; of more, those that began first are not put out.
    pub matches_per_event: Option<u32>,
}

impl Rule {
    /// Whether an input is the rule's own stream: its events come from the rule and not from others.
    pub fn is_own(&self, input: usize) -> bool {
        self.feedback.is_some_and(|feedback| usize::from(feedback.input) == input)
    }

    /// How many events of its partition the rule looks back at most; 0: it looks at no previous event.
    pub fn looks_back(&self) -> u16 {
        let deepest = Cell::new(0);
        let look = |expr: &Expr| {
            let depth = |node: &Node| match node {
                Node::Prev(_) | Node::PrevTime => 1,
                Node::PrevAt(_, count) => *count,
                _ => 0,
            };
            deepest.set(expr.nodes().iter().map(depth).fold(deepest.get(), u16::max));
        };
        let aggregate = |aggregate: &Aggregate| {
            aggregate.args.iter().chain(&aggregate.filter).flatten().for_each(look);
        };
        for input in &self.inputs {
            if !input.prev.is_empty() {
                deepest.set(deepest.get().max(1));
            }
            input.after.iter().chain(&input.computed).chain(&input.key).for_each(look);
        }
        if let Some(unnest) = &self.unnest {
            unnest.lists.iter().chain(unnest.keep.iter().flatten()).for_each(look);
        }
        self.baselines.iter().flat_map(|baseline| &baseline.args).for_each(look);
        match &self.body {
            // A join keeps what it looks at by itself.
            Body::Filter | Body::Join(_) => {}
            Body::Latest(latest) => latest.having.iter().flatten().for_each(look),
            Body::Near(near) => near.ids.iter().chain(near.retained.iter().flatten()).for_each(look),
            Body::Window(window) => window.aggregates.iter().for_each(aggregate),
            Body::Cluster(cluster) => {
                cluster.each_expr(&mut |expr| look(expr));
                cluster.aggregates.iter().for_each(aggregate);
            }
            Body::Pattern(pattern) => {
                pattern.variables.iter().flat_map(|variable| variable.conditions.iter().flatten()).for_each(look);
                pattern.retained.iter().flatten().for_each(look);
                let until = |element: &Element| element.quantifier.until.iter().flatten().flatten().for_each(look);
                pattern.elements.iter().for_each(|element| element.each(&mut |inner| until(inner)));
                pattern.aggregates.iter().for_each(|(_, inner)| aggregate(inner));
            }
        }
        self.having.iter().chain(self.outputs.iter().flat_map(|field| &field.exprs)).for_each(look);
        deepest.get()
    }

    /// Whether its windows are over the time at which events arrive: CLOCK WALL on windows of time.
    pub fn by_arrival(&self) -> bool {
        let timed = |window: &Window| !matches!(window.kind, WindowKind::Count { .. } | WindowKind::Running { .. });
        self.clock == ClockPolicy::Wall && matches!(&self.body, Body::Window(window) if timed(window))
    }

    /// The part of a partition's key by which its events are routed: without what THROUGH adds, so that all fences of an
    /// entity are on one shard.
    pub fn routing_key(&self, key: &Key) -> Key {
        if self.key.iter().all(|part| !part.through) {
            return key.clone();
        }
        let values = key.values();
        Key::new(values.iter().zip(&self.key).filter(|(_, part)| !part.through).map(|(value, _)| value))
    }
}

/// A stream that a rule reads, with what is evaluated on its events.
///
/// The order of work on one event: `before`, `key` (and THROUGH), the previous event of the partition is looked up,
/// `after`, the body; at last `prev` is kept for the next event of the partition. `before` decides what is an event of
/// the partition; an event that fails `after` is one, but the body doesn't see it.
#[derive(Clone, Debug)]
pub struct Input {
    /// The stream.
    pub stream: StreamId,
    /// What the rule calls it: its alias or its name.
    pub name: String,
    /// The slot of the event's own id, where its schema has one.
    pub id_slot: Option<u16>,
    /// The slot of its position, where it has one.
    pub position_slot: Option<u16>,
    /// WHERE, if all of it looks at the event alone and the rule has no THROUGH.
    pub before: Option<Expr>,
    /// One per component of the key. With THROUGH, components that need the fence are evaluated after it.
    pub key: Vec<Expr>,
    /// What is kept of an event for the next one of the partition.
    pub prev: Vec<Expr>,
    /// Subexpressions that others of this input share by [`Node::Computed`](crate::expr::Node::Computed).
    pub computed: Vec<Expr>,
    /// WHERE, if any of it looks at the previous event, or the rule has THROUGH: then all of it, so that which event
    /// is the previous one doesn't depend on how the condition was written.
    pub after: Option<Expr>,
}

/// A component of the partition's key.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyPart {
    /// Its name in outputs: the field's, the alias, or `cell` for an H3 cell.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// Whether it needs what THROUGH adds, is one of a pair that NEAR finds, or is followed: then it is not part of the routing
    /// key.
    pub through: bool,
}

/// THROUGH: positions become one event per fence concerned. Adds `passage` (extra 0: `'entered'`, `'inside'`,
/// `'exited'`), `fence` (extra 1) and `dwell` (extra 2: time since the entry; null at the entry).
#[derive(Clone, Debug)]
pub struct Through {
    /// The fence set.
    pub set: u16,
    /// What the first position of an entity does.
    pub first: FirstPosition,
    /// BUFFER: how far from a fence, in metres, an entity that is in it has to be to leave it. 0: outside is enough.
    pub buffer_m: f64,
    /// AT LEAST: how many positions in a row have to say that it came, or that it left; at least 1.
    pub at_least: u32,
    /// INTERPOLATE: passages are found on the way between positions, and have two values more: `crossed_at` and `crossing`. Then BUFFER is
    /// 0 and AT LEAST 1.
    pub interpolate: Option<Interpolate>,
}

impl Through {
    /// The extra slot of `crossed_at`; `crossing` has the next.
    pub const CROSSED_AT: u16 = super::Near::EXTRA + 4;
}

/// INTERPOLATE: what lies on the way between an entity's consecutive positions counts, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interpolate {
    /// MAX GAP: the way between positions farther apart in time is not known; at least 0.
    pub max_gap_ms: Option<TimeMs>,
}

impl Interpolate {
    /// Whether the way between positions of these times is known.
    pub fn holds(&self, from_ms: TimeMs, to_ms: TimeMs) -> bool {
        self.max_gap_ms.is_none_or(|most| to_ms.saturating_sub(from_ms) <= most)
    }
}

/// What an entity's first position does where fences are passed through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FirstPosition {
    /// Inside is an entry: the default.
    #[default]
    Enters,
    /// An entity that is first seen inside was there before: no entry, though it may leave.
    Ignored,
}

/// What is done with the events of a partition.
#[derive(Clone, Debug)]
pub enum Body {
    /// Each event is an output.
    Filter,
    /// A pattern is matched.
    Pattern(Box<Pattern>),
    /// Events are aggregated in windows.
    Window(Box<Window>),
    /// Events of two streams are paired.
    Join(Box<Join>),
    /// Events are results of cells, and hot cells make regions.
    Cluster(Box<Cluster>),
    /// Entities that are near one another are paired. The last two components of the key are their ids.
    Near(Box<Near>),
    /// Of each key the latest event is an output, again and again.
    Latest(Box<Latest>),
}

/// A field of a rule's outputs.
#[derive(Clone, Debug)]
pub struct OutputField {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// Why it is there.
    pub role: Role,
    /// Its value, for each input: a filter's outputs look at the event, whose slots differ by stream. For patterns,
    /// windows and joins all are the same and look at the match, window or pair only.
    pub exprs: Vec<Expr>,
}

/// Why a field is in a rule's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A component of the key.
    Key,
    /// MEASURES names it (or a filter without MEASURES passes it on).
    Measure,
    /// Added so that other rules can read it and alerts have a geometry: `position`, `boundary`, `window_start`, `window_end`.
    Implicit,
}

/// An annotation: text with places for outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// Its parts in order.
    pub parts: Vec<TemplatePart>,
}

/// A part of an annotation.
#[derive(Clone, Debug, PartialEq)]
pub enum TemplatePart {
    /// Text as it stands.
    Text(String),
    /// The output field with this slot.
    Field(u16),
    /// The key, its components joined by commas.
    Key,
    /// The rule's name.
    Rule,
    /// The first time, RFC 3339.
    Start,
    /// The last time, RFC 3339.
    End,
    /// A label of the rule.
    Label(String),
}

/// Which clock may let a rule's timers put something out: absences, time-outs, ends of windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClockPolicy {
    /// Only event time, as events brought it.
    Event,
    /// Event time, and on a quiet stream the wall clock: the default.
    #[default]
    EventOrWall,
    /// Only the wall clock. Of windows: they are over the time of arrival, by the wall clock.
    Wall,
}

/// What becomes of a rule's open timers and windows where the inputs end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndPolicy {
    /// They fire.
    Fire,
    /// They are dropped.
    Drop,
}
