//! One JSON object per record → one event. Only the needed fields are decoded; the rest is checked for syntax and skipped,
//! without a tree and, unless a text is long or has escapes, without an allocation.

use super::{
    flat::{self, Member},
    json_value::Scalar,
    layout::{Layout, Raw, Want},
    record::RecordSchema,
    shape::Shapes,
    swar::is_ascii,
};
use crate::model::{Batch, Reject, RejectReason};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Lists and objects in one another, in a whole record.
const DEPTH_MAX: usize = 127;

/// Decodes records of one source. Of a key that a record has twice, the last counts, as in most JSON readers.
#[derive(Debug)]
pub struct JsonDecoder {
    layout: Layout,
    nodes: Vec<Node>,
    cells: Vec<Raw>,
    shapes: Shapes,
    /// Those of the record at hand, in memory that is used again.
    members: Vec<Member>,
}

impl JsonDecoder {
    /// A decoder for records that look so.
    pub fn new(schema: &RecordSchema) -> Self {
        let layout = Layout::new(schema, false);
        let mut nodes = vec![Node::default()];
        for (cell, name) in layout.names().iter().enumerate() {
            match name.strip_prefix('/') {
                Some(path) => insert(&mut nodes, path, cell, layout.want(cell)),
                None => nodes[0].leaf(name, cell, layout.want(cell)),
            }
        }
        for node in &mut nodes {
            node.index();
        }
        let cells = vec![Raw::Absent; layout.names().len()];
        Self { layout, nodes, cells, shapes: Shapes::default(), members: Vec::new() }
    }

    /// Decodes one record and adds the event to `batch`, whose width is that of the schema's slots.
    ///
    /// # Errors
    /// Why the record is no event; then nothing is added.
    pub fn decode(&mut self, record: &[u8], partition: u32, offset: u64, batch: &mut Batch) -> Result<(), Reject> {
        self.decode_ahead((record, record.len(), is_ascii(record)), (partition, offset), batch)
    }

    /// The same for a record of `len` bytes that `ahead` begins with: scanners are faster where they may look past its end. It may be
    /// known to be ASCII.
    pub(super) fn decode_ahead(
        &mut self,
        (ahead, len, ascii): (&[u8], usize, bool),
        place: (u32, u64),
        batch: &mut Batch,
    ) -> Result<(), Reject> {
        let record = ahead.get(..len).unwrap_or(ahead);
        // All of it at once: skipped strings aren't looked at again.
        if !ascii && std::str::from_utf8(record).is_err()
            || self.shapes.read((ahead, len), &self.layout, place, batch).is_none()
        {
            return self.decode_any(record, place, batch);
        }
        Ok(())
    }

    /// Adds the event of a line of ASCII of a known shape, as [`Shapes::read`].
    #[inline]
    pub(super) fn read_line(&self, line: (&[u8], usize), place: (u32, u64), batch: &mut Batch) -> Option<()> {
        self.shapes.read(line, &self.layout, place, batch)
    }

    /// The general way, which takes every record.
    fn decode_any(&mut self, record: &[u8], (partition, offset): (u32, u64), batch: &mut Batch) -> Result<(), Reject> {
        let text = std::str::from_utf8(record).map_err(|error| {
            Reject::new(RejectReason::Syntax, format!("not UTF-8 from byte {} on", error.valid_up_to()))
        })?;
        self.cells.fill(Raw::Absent);
        let root = self.nodes.first();
        let find = |key: &[u8]| root.and_then(|node| node.find(key));
        if flat::read(text, find, &mut self.cells, &mut self.members) {
            self.layout.finish(&self.cells, partition, offset, batch)?;
            self.shapes.learn(record, &self.members, &self.layout);
            return Ok(());
        }
        self.parse(text)?;
        self.layout.finish(&self.cells, partition, offset, batch)
    }

    /// Fills the cells of any record.
    fn parse(&mut self, text: &str) -> Result<(), Reject> {
        check_depth(text.as_bytes())?;
        self.cells.fill(Raw::Absent);
        let mut json = serde_json::Deserializer::from_str(text);
        let root = Object { nodes: &self.nodes, node: 0, cells: &mut self.cells };
        root.deserialize(&mut json).and_then(|()| json.end()).map_err(|error| syntax(&error))
    }
}

/// The parser bounds the depth of what it hands over, not of what it skips; here one bound holds for both.
fn check_depth(record: &[u8]) -> Result<(), Reject> {
    // Hardly any record has so many brackets at all.
    if memchr::memchr2_iter(b'[', b'{', record).nth(DEPTH_MAX).is_none() {
        return Ok(());
    }
    let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
    for &byte in record {
        match (quoted, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => quoted = !quoted,
            (false, b'[' | b'{') => depth += 1,
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err(Reject::new(RejectReason::Syntax, format!("nested deeper than {DEPTH_MAX} levels")));
        }
    }
    Ok(())
}

fn syntax(error: &serde_json::Error) -> Reject {
    let text = error.to_string();
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    let detail = match error.is_eof() {
        true => format!("the record ends too early: {what}"),
        false => format!("no JSON object: {what}, column {}", error.column()),
    };
    Reject::new(RejectReason::Syntax, detail)
}

/// The needed keys of an object, found by length, then bytes.
#[derive(Debug, Default)]
struct Node {
    entries: Vec<Entry>,
    /// For each length the range of entries; the last is for all lengths from there on.
    by_length: Vec<(u16, u16)>,
}

#[derive(Debug)]
struct Entry {
    name: Box<[u8]>,
    target: Target,
}

/// What a needed key leads to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Target {
    Cell(usize, Want),
    Object(usize),
}

impl Node {
    fn leaf(&mut self, name: &str, cell: usize, want: Want) {
        self.entries.push(Entry { name: name.as_bytes().into(), target: Target::Cell(cell, want) });
    }

    fn index(&mut self) {
        self.entries.sort_by_key(|entry| entry.name.len());
        let longest = self.entries.last().map_or(0, |entry| entry.name.len());
        self.by_length = (0..=longest)
            .map(|length| {
                let from = self.entries.partition_point(|entry| entry.name.len() < length);
                let to = self.entries.partition_point(|entry| entry.name.len() <= length);
                (from as u16, to as u16)
            })
            .collect();
    }

    fn find(&self, key: &[u8]) -> Option<Target> {
        let &(from, to) = self.by_length.get(key.len())?;
        let entries = self.entries.get(usize::from(from)..usize::from(to))?;
        entries.iter().find(|entry| *entry.name == *key).map(|entry| entry.target)
    }
}

/// Adds the path `a/b/c`; `~1` is a slash in a name and `~0` a tilde, as in JSON pointers. A field that is needed whole
/// hides paths into it.
fn insert(nodes: &mut Vec<Node>, path: &str, cell: usize, want: Want) {
    let mut at = 0;
    let mut names = path.split('/').map(|name| name.replace("~1", "/").replace("~0", "~")).peekable();
    while let Some(name) = names.next() {
        if names.peek().is_none() {
            nodes[at].leaf(&name, cell, want);
            return;
        }
        let known = nodes[at].entries.iter().find_map(|entry| match entry.target {
            Target::Object(child) if *entry.name == *name.as_bytes() => Some(child),
            _ => None,
        });
        at = known.unwrap_or_else(|| {
            let child = nodes.len();
            nodes[at].entries.push(Entry { name: name.as_bytes().into(), target: Target::Object(child) });
            nodes.push(Node::default());
            child
        });
    }
}

/// An object some of whose keys are needed.
struct Object<'a> {
    nodes: &'a [Node],
    node: usize,
    cells: &'a mut [Raw],
}

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        // At the root only an object is a record; inside one, another value just lacks the needed keys.
        if self.node == 0 { deserializer.deserialize_map(self) } else { deserializer.deserialize_any(self) }
    }
}

macro_rules! ignore_scalars {
    ($($method:ident: $ty:ty),*) => { $(
        fn $method<E: Error>(self, value: $ty) -> Result<(), E> {
            if self.node == 0 { Err(E::custom(format_args!("expected an object, found `{value}`"))) } else { Ok(()) }
        }
    )* };
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some(node) = self.nodes.get(self.node) else {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        while let Some(target) = map.next_key_seed(Name(node))? {
            match target {
                None => drop(map.next_value::<IgnoredAny>()?),
                Some(Target::Object(child)) => {
                    map.next_value_seed(Object { nodes: self.nodes, node: child, cells: &mut *self.cells })?;
                }
                Some(Target::Cell(cell, want)) => {
                    let found = map.next_value_seed(Scalar { want })?;
                    if let Some(place) = self.cells.get_mut(cell) {
                        *place = found;
                    }
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    ignore_scalars!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);
}

/// A key of an object.
struct Name<'a>(&'a Node);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<Target>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<Target>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.find(key.as_bytes()))
    }
}

#[cfg(test)]
impl JsonDecoder {
    /// What the scanner makes of a record, if it takes it.
    pub(super) fn glance(&mut self, text: &str) -> Option<Vec<Raw>> {
        self.cells.fill(Raw::Absent);
        let root = self.nodes.first();
        let find = |key: &[u8]| root.and_then(|node| node.find(key));
        flat::read(text, find, &mut self.cells, &mut self.members).then(|| self.cells.clone())
    }

    /// What the parser makes of it.
    pub(super) fn parsed(&mut self, text: &str) -> Result<Vec<Raw>, Reject> {
        self.parse(text).map(|()| self.cells.clone())
    }

    /// The cell of a field.
    pub(super) fn cell_of(&self, name: &str) -> usize {
        self.layout.names().iter().position(|known| known == name).unwrap_or(usize::MAX)
    }

    /// Decodes a record the general way.
    pub(super) fn decode_slowly(&mut self, record: &[u8], batch: &mut Batch) -> Result<(), Reject> {
        let text = std::str::from_utf8(record).map_err(|error| {
            Reject::new(RejectReason::Syntax, format!("not UTF-8 from byte {} on", error.valid_up_to()))
        })?;
        self.parse(text)?;
        self.layout.finish(&self.cells, 0, 0, batch)
    }

    /// Decodes a record by the shapes known so far.
    pub(super) fn decode_by_shape(&mut self, record: &[u8], batch: &mut Batch) -> Option<()> {
        std::str::from_utf8(record).ok()?;
        self.shapes.read((record, record.len()), &self.layout, (0, 0), batch)
    }
}
