//! The streams while rules are checked. A source's row holds only what rules read, so slots are given out as names are met.

use std::collections::BTreeSet;

use crate::{
    model::{Field, Schema, StreamId, Type},
    plan::{StreamOrigin, StreamPlan},
};

/// One stream.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) name: String,
    /// The row so far.
    schema: Schema,
    /// All that a source declares; none for derived streams, whose rows are whole.
    declared: Option<Schema>,
    origin: StreamOrigin,
    level: u32,
    /// The slots that rules read of it.
    read: BTreeSet<u16>,
}

/// All streams; the index is the [`StreamId`].
#[derive(Clone, Debug, Default)]
pub(super) struct Streams {
    streams: Vec<Stream>,
}

impl Streams {
    /// Adds a source, with its id and position kept: alerts show them even if no rule names them. The fields of `known`, a row
    /// that runs already, keep their slots, if they are still what they were.
    pub(super) fn add_source(&mut self, name: &str, declared: &Schema, known: Option<&Schema>) {
        let mut schema = Schema { open: declared.open, ..Schema::default() };
        let still = |field: &Field| match declared.slot(&field.name) {
            Some((_, ty)) => ty == field.ty,
            None => declared.open && field.ty == Type::Any,
        };
        if let Some(known) = known.filter(|known| known.fields.iter().all(still)) {
            schema.fields.clone_from(&known.fields);
        }
        let mut keep = |slot: Option<u16>| {
            let field = declared.fields.get(usize::from(slot?))?;
            let at = schema.fields.iter().position(|kept| kept.name == field.name).unwrap_or_else(|| {
                schema.fields.push(field.clone());
                schema.fields.len() - 1
            });
            Some(at as u16)
        };
        let (id, position) = (keep(declared.id), keep(declared.position));
        (schema.id, schema.position) = (id, position);
        self.streams.push(Stream {
            name: name.to_owned(),
            schema,
            declared: Some(declared.clone()),
            origin: StreamOrigin::Source,
            level: 0,
            read: BTreeSet::new(),
        });
    }

    /// Adds the stream of a rule. Of a rule with mistakes nothing is known: every name is accepted, so that one mistake is
    /// reported once.
    pub(super) fn add_derived(&mut self, name: &str, rule: u32, level: u32, schema: Option<Schema>) {
        let schema = schema.unwrap_or(Schema { open: true, ..Schema::default() });
        self.streams.push(Stream {
            name: name.to_owned(),
            schema,
            declared: None,
            origin: StreamOrigin::Rule(rule),
            level,
            read: BTreeSet::new(),
        });
    }

    /// Tells how far the stream of a rule that reads it is from the sources.
    pub(super) fn set_level(&mut self, id: StreamId, level: u32) {
        if let Some(stream) = self.streams.get_mut(id.0 as usize) {
            stream.level = level;
        }
    }

    /// The row so far.
    pub(super) fn schema(&self, id: StreamId) -> Option<&Schema> {
        self.get(id).map(|stream| &stream.schema)
    }

    /// The stream of this name.
    pub(super) fn find(&self, name: &str) -> Option<StreamId> {
        self.streams.iter().position(|stream| stream.name == name).map(|at| StreamId(at as u32))
    }

    fn get(&self, id: StreamId) -> Option<&Stream> {
        self.streams.get(id.0 as usize)
    }

    /// The stream's name.
    pub(super) fn name(&self, id: StreamId) -> &str {
        self.get(id).map_or("", |stream| &stream.name)
    }

    /// The rule that makes it, by its place in the plan.
    pub(super) fn rule(&self, id: StreamId) -> Option<u32> {
        match self.get(id)?.origin {
            StreamOrigin::Rule(rule) => Some(rule),
            StreamOrigin::Source => None,
        }
    }

    /// How far it is from the sources.
    pub(super) fn level(&self, id: StreamId) -> u32 {
        self.get(id).map_or(0, |stream| stream.level)
    }

    /// Whether names that it doesn't list are accepted.
    pub(super) fn is_open(&self, id: StreamId) -> bool {
        self.get(id).is_some_and(|stream| stream.schema.open)
    }

    /// The type of a field that it lists, without a slot for it.
    pub(super) fn field_type(&self, id: StreamId, name: &str) -> Option<Type> {
        let stream = self.get(id)?;
        let listed = stream.schema.slot(name).or_else(|| stream.declared.as_ref()?.slot(name));
        listed.map(|(_, ty)| ty)
    }

    /// The slot of a field in the row, which it gets now if it has none.
    pub(super) fn slot(&mut self, id: StreamId, name: &str) -> Option<(u16, Type)> {
        let stream = self.streams.get_mut(id.0 as usize)?;
        if let Some(found) = stream.schema.slot(name) {
            stream.read.insert(found.0);
            return Some(found);
        }
        let declared = stream.declared.as_ref().and_then(|declared| declared.slot(name)).map(|(_, ty)| ty);
        let ty = declared.or(stream.schema.open.then_some(Type::Any))?;
        let at = u16::try_from(stream.schema.fields.len()).ok()?;
        stream.schema.fields.push(Field { name: name.to_owned(), ty });
        Some((at, ty))
    }

    /// Whether a rule reads a slot of it.
    pub(super) fn is_read(&self, id: StreamId, slot: u16) -> bool {
        self.get(id).is_some_and(|stream| stream.read.contains(&slot))
    }

    /// The name of its first field that is a geometry.
    pub(super) fn geometry_name(&self, id: StreamId) -> Option<String> {
        let fields = &self.get(id)?.schema.fields;
        fields.iter().find(|field| field.ty == Type::Geometry).map(|field| field.name.clone())
    }

    /// The slot and type of its position.
    pub(super) fn position(&self, id: StreamId) -> Option<(u16, Type)> {
        let stream = self.get(id)?;
        let slot = stream.schema.position?;
        Some((slot, stream.schema.fields.get(usize::from(slot))?.ty))
    }

    /// The name of the field that is the position.
    pub(super) fn position_name(&self, id: StreamId) -> Option<&str> {
        let schema = &self.get(id)?.schema;
        schema.fields.get(usize::from(schema.position?)).map(|field| field.name.as_str())
    }

    /// The slot of the events' own ids.
    pub(super) fn id_slot(&self, id: StreamId) -> Option<u16> {
        self.get(id)?.schema.id
    }

    /// All fields that it lists, declared ones in declared order.
    pub(super) fn fields(&self, id: StreamId) -> Vec<String> {
        let Some(stream) = self.get(id) else { return Vec::new() };
        let declared = stream.declared.iter().filter(|_| !stream.schema.open).flat_map(|schema| &schema.fields);
        let mut names: Vec<String> = declared.map(|field| field.name.clone()).collect();
        for field in &stream.schema.fields {
            if !names.contains(&field.name) {
                names.push(field.name.clone());
            }
        }
        names
    }

    /// The plan's streams.
    pub(super) fn finish(self) -> Vec<StreamPlan> {
        let plan = |stream: Stream| StreamPlan {
            name: stream.name,
            schema: stream.schema,
            origin: stream.origin,
            level: stream.level,
        };
        self.streams.into_iter().map(plan).collect()
    }
}
