//! What expressions and kernels look up beside the events: geofence sets and reference tables.

use super::Table;
use crate::{
    geo::{FenceIx, FenceSet, Passed, Position, Resolution, Way},
    model::{FenceMap, FenceRef, Fences, SetNumbers, TimeMs, Value},
};
use std::sync::Arc;

/// The reference data of a running program: immutable, shared by all shards, replaced as a whole when fences or tables change.
#[derive(Clone, Debug, Default)]
pub struct World {
    sets: Vec<(String, Arc<FenceSet>)>,
    /// The ids of each set's fences by number, side by side: keys and measures are made of them all the time, and fences lie far apart.
    ids: Vec<Arc<[Value]>>,
    tables: Vec<(String, Arc<Table>)>,
}

impl World {
    /// A world of these named fence sets; the index of a set is its place here.
    pub fn new(sets: Vec<(String, Arc<FenceSet>)>) -> Self {
        let ids = sets.iter().map(|(_, fences)| fences.iter().map(|(_, fence)| Value::text(&fence.id)).collect());
        Self { ids: ids.collect(), sets, tables: Vec::new() }
    }

    /// The same with these named reference tables; the index of a table is its place here.
    #[must_use]
    pub fn with_tables(self, tables: Vec<(String, Arc<Table>)>) -> Self {
        Self { tables, ..self }
    }

    /// The named tables, in index order.
    pub fn tables(&self) -> &[(String, Arc<Table>)] {
        &self.tables
    }

    /// The table at an index.
    pub fn table(&self, table: u16) -> Option<&Table> {
        self.tables.get(usize::from(table)).map(|(_, table)| &**table)
    }

    /// The named sets, in index order.
    pub fn sets(&self) -> &[(String, Arc<FenceSet>)] {
        &self.sets
    }

    /// The index of a named set.
    pub fn set_named(&self, name: &str) -> Option<u16> {
        self.sets.iter().position(|(set, _)| set == name).map(|at| at as u16)
    }

    /// The set at an index.
    pub fn set(&self, set: u16) -> Option<&FenceSet> {
        self.sets.get(usize::from(set)).map(|(_, fences)| &**fences)
    }

    /// The numbers in `next` of the fences of this world, whose sets are there in the same places.
    pub fn renumbered(&self, next: &World) -> FenceMap {
        let map = |(at, (_, old)): (usize, &(String, Arc<FenceSet>))| {
            let new = |id: &str| next.set(at as u16)?.find(id).map(|fence| fence.0);
            let numbers: Vec<Option<u32>> = old.iter().map(|(_, fence)| new(&fence.id)).collect();
            let same = numbers.iter().zip(0..).all(|(new, old)| *new == Some(old));
            if same { SetNumbers::Same } else { SetNumbers::New { set: at as u16, fences: numbers } }
        };
        FenceMap::new(self.sets.iter().enumerate().map(map).collect())
    }

    /// All fences of a set that contain the position and are there at the time.
    pub fn locate(&self, set: u16, position: Position, time_ms: TimeMs) -> Fences {
        let mut found = Vec::new();
        self.locate_into(set, position, time_ms, &mut found);
        Fences::new(set, &found)
    }

    /// The same, in place of what `found` has, ascending.
    pub fn locate_into(&self, set: u16, position: Position, time_ms: TimeMs, found: &mut Vec<FenceIx>) {
        found.clear();
        if let Some(fences) = self.set(set) {
            fences.locate_at(position, time_ms, found);
        }
    }

    /// The fence of a set that is nearest, and how far it is in metres: 0 inside.
    pub fn nearest(&self, set: u16, position: Position, time_ms: TimeMs) -> Option<(FenceRef, f64)> {
        let (fence, metres) = self.set(set)?.nearest_at(position, time_ms)?;
        Some((FenceRef { set, fence }, metres))
    }

    /// How far a fence is in metres, 0 inside; none while it isn't there.
    pub fn distance_to(&self, fence: FenceRef, position: Position, time_ms: TimeMs) -> Option<f64> {
        let fence = self.set(fence.set)?.get(fence.fence)?;
        fence.valid.at(time_ms).then(|| fence.shape.distance_m(position))
    }

    /// The fence of a set with this id.
    pub fn fence_with_id(&self, set: u16, id: &str) -> Option<FenceRef> {
        Some(FenceRef { set, fence: self.set(set)?.find(id)? })
    }

    /// The lines of a set that the way between two positions crosses: to their left, to their right, or either way.
    pub fn crossed(&self, set: u16, way: (Position, Position), to_left: Option<bool>, time_ms: TimeMs) -> Fences {
        let crossed = self.set(set).map(|fences| fences.crossed_at(way.0, way.1, time_ms)).unwrap_or_default();
        let wanted = crossed.into_iter().filter(|(_, left)| to_left.is_none_or(|wanted| wanted == *left));
        let mut found: Vec<_> = wanted.map(|(line, _)| line).collect();
        found.dedup();
        Fences::new(set, &found)
    }

    /// The fences of a set that the way between two positions goes into or out of, ascending, of those that are there at the time.
    pub fn passed(&self, set: u16, way: &Way, ends: (Position, Position), time_ms: TimeMs) -> Vec<Passed> {
        self.set(set).map(|fences| fences.passed_at(way, ends, time_ms)).unwrap_or_default()
    }

    /// A fence's id.
    pub fn fence_id(&self, fence: FenceRef) -> Option<&str> {
        Some(self.set(fence.set)?.get(fence.fence)?.id.as_str())
    }

    /// The cells of a fence at a resolution, a list; null where there is no such resolution, or they are too many.
    pub fn fence_cells(&self, fence: FenceRef, resolution: i64) -> Value {
        let shape = self.set(fence.set).and_then(|set| set.get(fence.fence)).map(|fence| &fence.shape);
        let cells = shape.zip(Resolution::new(resolution).ok()).and_then(|(shape, resolution)| shape.cells(resolution));
        cells.map_or(Value::Null, |cells| Value::List(Arc::new(cells.into_iter().map(Value::Cell).collect())))
    }

    /// A fence's id as a text; null where there is no such fence.
    #[inline]
    pub fn fence_text(&self, fence: FenceRef) -> &Value {
        let id = self.ids.get(usize::from(fence.set)).and_then(|ids| ids.get(fence.fence.0 as usize));
        id.unwrap_or(&Value::Null)
    }

    /// A fence's property; `id` is its id. Null where it has none of that name.
    pub fn fence_property(&self, fence: FenceRef, name: &str) -> Value {
        let Some(found) = self.set(fence.set).and_then(|set| set.get(fence.fence)) else { return Value::Null };
        match found.property(name) {
            Some(property) => property.into(),
            None if name == "id" => Value::text(&found.id),
            None => Value::Null,
        }
    }
}
