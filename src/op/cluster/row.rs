//! A region as expressions see it.

use super::{Record, RegionId, View};
use crate::{
    expr::{Bound, Var},
    geo::Polygons,
    model::{TimeMs, Value},
    plan::{AggregateKind, RegionField},
};
use std::sync::Arc;

/// A region, for its measures.
pub(super) struct RegionBound<'a> {
    pub(super) record: &'a Record,
    /// Its cells; none for one that ended.
    pub(super) view: Option<View<'a>>,
    pub(super) kinds: &'a [AggregateKind],
}

impl Bound for RegionBound<'_> {
    fn value(&self, _: Var, _: u16) -> Option<&Value> {
        None
    }

    fn time_ms(&self, _: Var) -> Option<TimeMs> {
        None
    }

    fn aggregate(&self, ix: u16) -> Value {
        let column = usize::from(ix);
        match (self.view, self.kinds.get(column)) {
            (Some(view), Some(kind)) => view.column(column, *kind),
            _ => Value::Null,
        }
    }

    fn span(&self) -> Option<(TimeMs, TimeMs)> {
        Some((self.record.id.tick, self.record.tick))
    }
}

impl Record {
    /// A field of the region, in the unit of its type.
    pub(super) fn field(&self, field: RegionField, view: Option<&View<'_>>) -> Value {
        match field {
            RegionField::Region => id(&self.id),
            RegionField::Transition => Value::text(self.transition.name()),
            RegionField::Grew => self.flags.grew.into(),
            RegionField::Shrank => self.flags.shrank.into(),
            RegionField::Moved => self.flags.moved.into(),
            RegionField::Denser => self.flags.denser.into(),
            RegionField::Sparser => self.flags.sparser.into(),
            RegionField::Size => i64::try_from(self.look.size).ok().into(),
            RegionField::Area => (self.look.area_m2 / 1e6).into(),
            RegionField::Weight => self.look.weight.into(),
            RegionField::Age => Value::Duration(self.age_ms()),
            RegionField::Displacement => self.displacement_m.into(),
            RegionField::Speed => self.speed_mps.map(|speed| speed * 3.6).into(),
            RegionField::Overlap => self.overlap.into(),
            RegionField::Parents => ids(&self.parents),
            RegionField::Parts => ids(&self.parts),
            RegionField::AbsorbedInto => self.absorbed_into.as_ref().map_or(Value::Null, id),
            RegionField::Tick => Value::Time(self.tick),
            RegionField::Lowest => Value::Cell(self.look.lowest),
            RegionField::Cells => view.map_or(Value::Null, |view| {
                Value::List(Arc::new(view.compacted().into_iter().map(Value::Cell).collect()))
            }),
            RegionField::Position => Value::Point(self.look.centre),
            RegionField::Boundary => view
                .and_then(|view| Polygons::new(view.outline()))
                .map_or(Value::Null, |polygons| Value::Geometry(Arc::new(polygons))),
        }
    }
}

fn id(id: &RegionId) -> Value {
    Value::text(&id.to_string())
}

fn ids(ids: &[RegionId]) -> Value {
    Value::List(Arc::new(ids.iter().map(id).collect()))
}
