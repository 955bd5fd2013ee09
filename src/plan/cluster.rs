//! Regions over the cells of one partition.

use super::{
    Aggregate, Baseline,
    regions::{Config, Confirm},
};
use crate::{
    expr::Expr,
    model::{TimeMs, Type, Unit},
};

/// A cluster clause, resolved. An event is a result of its cell.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// For each input what is read of an event.
    pub inputs: Vec<ClusterInput>,
    /// The numbers of the clause, each in its range.
    pub config: Config,
    /// `EXPIRE d`: a result counts so long; none: until the next one. More than 0.
    pub expire_ms: Option<TimeMs>,
    /// `EVERY d`: regions are compared at whole multiples of d; none: after each instant with changes. More than 0.
    pub every_ms: Option<TimeMs>,
    /// `CONFIRM n OF m`.
    pub confirm: Confirm,
    /// `EMIT ALL`: regions to which nothing happened are outputs of a tick, too.
    pub emit_all: bool,
    /// The aggregates over a region's cells; the index is that of [`Node::Aggregate`](crate::expr::Node::Aggregate).
    pub aggregates: Vec<Aggregate>,
    /// Output fields that cost as much as the region is large and that nobody reads: null in every output. By slot, ascending.
    pub unread: Vec<u16>,
}

/// What a cluster reads of the events of one input.
#[derive(Clone, Debug)]
pub struct ClusterInput {
    /// `CLUSTER BY`: the cell that the event is a result of; where it is null the event says nothing.
    pub cell: Expr,
    /// `WHERE`: whether the cell is hot.
    pub hot: Expr,
    /// `COLD WHEN`: whether it is cold; where it is false, and the hot condition isn't true, the cell stays what it is.
    pub cold: Option<Expr>,
    /// `WEIGHT`: the cell's weight; without it 1.
    pub weight: Option<Expr>,
    /// `MEMBERS`: who is in the cell, one value or a list.
    pub members: Option<Expr>,
}

impl Cluster {
    /// Calls `look` with every expression of the clause.
    pub(super) fn each_expr(&self, look: &mut dyn FnMut(&Expr)) {
        for ClusterInput { cell, hot, cold, weight, members } in &self.inputs {
            look(cell);
            look(hot);
            cold.iter().chain(weight).chain(members).for_each(&mut *look);
        }
    }
}

macro_rules! fields {
    ($($variant:ident, $name:literal, $ty:expr, $doc:literal;)*) => {
        /// What a rule says of a region at a tick, beside its measures. Expressions read them as
        /// [`Node::Extra`](crate::expr::Node::Extra) by [`RegionField::slot`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum RegionField { $(#[doc = $doc] $variant,)* }

        impl RegionField {
            /// Every field, in the order of outputs.
            pub const ALL: &'static [RegionField] = &[$(RegionField::$variant,)*];

            /// Its name in rules.
            pub fn name(self) -> &'static str { match self { $(RegionField::$variant => $name,)* } }

            /// Its type.
            pub fn ty(self) -> Type { match self { $(RegionField::$variant => $ty,)* } }

            /// What it is, for the reference.
            pub fn doc(self) -> &'static str { match self { $(RegionField::$variant => $doc,)* } }
        }
    };
}

fields! {
    Region, "region", Type::Text, "The region's id: the tick at which it was new (epoch milliseconds), `:`, its lowest cell then.";
    Transition, "transition", Type::Text, "`'emerged'`, `'survived'`, `'split'`, `'split_off'`, `'absorbed'` or `'dissolved'`.";
    Grew, "grew", Type::Bool, "Its size rose by at least `GROW`.";
    Shrank, "shrank", Type::Bool, "Its size fell by at least `GROW`.";
    Moved, "moved", Type::Bool, "Its centre went further than `MOVE` radii.";
    Denser, "denser", Type::Bool, "Its weight per cell rose by more than `DENSE`.";
    Sparser, "sparser", Type::Bool, "Its weight per cell fell by more than `DENSE`.";
    Size, "size", Type::Int, "How many cells it has; of one that ended, had last.";
    Area, "area", Type::Quantity(Unit::SquareKilometre), "The area of its cells; of one that ended, its last.";
    Weight, "weight", Type::Float, "The sum of its cells' weights; of one that ended, its last.";
    Age, "age", Type::Duration, "The time since it was new.";
    Displacement, "displacement", Type::Quantity(Unit::Metre), "How far its centre is from where it was; null for a new one or an end.";
    Speed, "speed", Type::Quantity(Unit::KilometrePerHour), "`displacement` over the time since the last tick; null likewise.";
    Overlap, "overlap", Type::Float, "The share of the old region that is in this one; null for one that emerged or ended.";
    Parents, "parents", Type::List, "The ids of the old regions that are in it now, other than itself.";
    Parts, "parts", Type::List, "Of a split: the ids of all parts.";
    AbsorbedInto, "absorbed_into", Type::Text, "The id of the region that it is within now.";
    Tick, "tick", Type::Time, "When the regions were compared.";
    Lowest, "lowest", Type::Cell, "Its lowest cell; of one that ended, its last.";
    Cells, "cells", Type::List, "Its cells, compacted: where all children of a cell are in it, that cell. Null for one that ended.";
    Position, "position", Type::Point, "The centre: the place under the mean of its cells' centres; of one that ended, its last.";
    Boundary, "boundary", Type::Geometry, "Its boundary: polygons with holes, the alert's geometry. Null for one that ended.";
}

/// Slots that THROUGH, UNNEST and NEAR take.
const OTHERS: u16 = Baseline::FIRST_EXTRA;

impl RegionField {
    /// The field of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|field| field.name() == name)
    }

    /// Its slot among what is beside the event: those before are of other clauses.
    pub fn slot(self) -> u16 {
        OTHERS + self as u16
    }

    /// Whether to know it costs as much as the region is large.
    pub fn is_costly(self) -> bool {
        matches!(self, Self::Cells | Self::Boundary)
    }
}
