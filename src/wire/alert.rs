//! An output of a rule as one line: a GeoJSON Feature, keys in a fixed order, no spaces, so that GIS tools open a file of
//! them and two runs compare byte by byte.

use super::{
    alert_event::Origins,
    alert_id::{AlertId, alert_id, alert_id_start, region_id, row_id},
    annotation::{Piece, humane},
    geometry::{write_cell, write_point, write_polygons, write_track},
    json_out::{Comma, key as member, natural, text, time, value as write_value},
};
use crate::model::{Clock, EmissionKind, FenceRef, Key, Row, StreamId, Taken, TimeMs, Type, Value};
use std::sync::Arc;

/// Looks up names that values hold as numbers.
pub trait Names {
    /// The id of a fence.
    fn fence_id(&self, fence: FenceRef) -> Option<&str>;
    /// The name of a stream.
    fn stream_name(&self, stream: StreamId) -> Option<&str>;
}

/// Why a field is in a rule's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldRole {
    /// A component of the key: in `key`.
    Key,
    /// A measure: in `measures`.
    Measure,
    /// There for other rules and for the geometry: not written. A `position` among them is the geometry where no event has one.
    Implicit,
}

/// A field of a rule's outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertField {
    /// Its name.
    pub name: String,
    /// Its type: a quantity's unit stands in annotations.
    pub ty: Type,
    /// Why it is there.
    pub role: FieldRole,
}

/// What all alerts of a rule share.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertShape {
    /// The rule's name.
    pub rule: String,
    /// The fingerprint of its expression.
    pub version: String,
    /// Labels, in the order in which they are written. `severity` stands among the properties, too.
    pub labels: Vec<(String, String)>,
    /// Annotations, in the order in which they are written.
    pub annotations: Vec<(String, Vec<Piece>)>,
    /// The fields of an output, by slot.
    pub fields: Vec<AlertField>,
    /// The names of the pattern's variables, by number; empty for filters and windows.
    pub variables: Vec<String>,
}

/// One output.
#[derive(Clone, Copy, Debug)]
pub struct Output<'a> {
    /// What it is; a partial match that ran out of time has the status `timed_out`, all else `firing`.
    pub kind: EmissionKind,
    /// The first event's time, or the window's start.
    pub start_ms: TimeMs,
    /// The last event's time, the window's end, or the deadline.
    pub end_ms: TimeMs,
    /// The partition's key.
    pub key: &'a Key,
    /// The values of the shape's fields, by slot.
    pub values: &'a [Value],
    /// The events taken, in order of time; of a row its own.
    pub taken: &'a [Taken],
    /// Which row of its match it is, where every event of a match is an output.
    pub row: Option<&'a Row>,
    /// Which clock fired the timer that decided it; none: an event did.
    pub clock: Option<Clock>,
    /// How many results of the same window were put out before; not 0, and the alert has `revision`.
    pub revision: u32,
    /// How much a limit dropped before it; not 0, and the alert has `truncated` and `dropped`.
    pub dropped: u64,
}

/// A field that is written.
#[derive(Debug)]
struct Written {
    slot: usize,
    /// Its name with its colon, behind a comma if it isn't the first.
    name: Vec<u8>,
}

/// The fields of a role, without the one in this slot.
fn written(fields: &[AlertField], role: FieldRole, but: Option<usize>) -> Vec<Written> {
    let of_role = fields.iter().enumerate().filter(|(slot, field)| field.role == role && but != Some(*slot));
    let with_name = |(at, (slot, field)): (usize, (usize, &AlertField))| {
        let mut name = if at > 0 { b",".to_vec() } else { Vec::new() };
        text(&mut name, &field.name);
        name.push(b':');
        Written { slot, name }
    };
    of_role.enumerate().map(with_name).collect()
}

/// Writes the alerts of one rule. What doesn't change from one to the next is made ready once, escapes and all.
#[derive(Debug)]
pub struct AlertEncoder {
    shape: AlertShape,
    /// The members of `properties` between `id` and the value of `status`.
    rule: Vec<u8>,
    /// Those between `status` and the value of `key`.
    labels: Vec<u8>,
    /// The fields of the key, and the measures: without the geometry.
    key: Vec<Written>,
    measures: Vec<Written>,
    /// The slot of the geometry.
    geometry: Option<usize>,
    /// What is hashed of all alerts.
    hashed: Vec<u8>,
    origins: Origins,
    scratch: Vec<u8>,
    words: String,
    /// The id of the match whose rows are being written.
    rows_of: Option<(Arc<[Taken]>, AlertId)>,
}

impl AlertEncoder {
    /// An encoder for alerts of this shape.
    pub fn new(shape: AlertShape) -> Self {
        let mut rule = Vec::new();
        for (name, value) in [("rule", &shape.rule), ("rule_version", &shape.version)] {
            member(&mut rule, name);
            text(&mut rule, value);
        }
        member(&mut rule, "status");
        let mut labels = Vec::new();
        if let Some((name, severity)) = shape.labels.iter().find(|(name, _)| name == "severity") {
            member(&mut labels, name);
            text(&mut labels, severity);
        }
        member(&mut labels, "labels");
        labels.push(b'{');
        for (name, label) in &shape.labels {
            member(&mut labels, name);
            text(&mut labels, label);
        }
        labels.push(b'}');
        member(&mut labels, "key");
        let geometry = shape.fields.iter().position(|field| field.ty == Type::Geometry);
        Self {
            rule,
            labels,
            key: written(&shape.fields, FieldRole::Key, geometry),
            measures: written(&shape.fields, FieldRole::Measure, geometry),
            geometry,
            hashed: alert_id_start(&shape.rule, &shape.version),
            origins: Origins::new(shape.variables.clone()),
            scratch: Vec::new(),
            words: String::new(),
            rows_of: None,
            shape,
        }
    }

    /// What all alerts share.
    pub fn shape(&self) -> &AlertShape {
        &self.shape
    }

    /// The id that [`encode`](Self::encode) gives an output.
    pub fn id(&mut self, output: &Output<'_>, names: &dyn Names) -> AlertId {
        let of_match = self.match_id(output, names);
        output.row.map_or(of_match, |row| row_id(of_match, row.number))
    }

    /// The id of the match, which is that of its only output or what its rows have in common.
    fn match_id(&mut self, output: &Output<'_>, names: &dyn Names) -> AlertId {
        if let (Some(row), Some((of, id))) = (output.row, &self.rows_of)
            && Arc::ptr_eq(&row.of, of)
        {
            return *id;
        }
        if output.kind == EmissionKind::Region {
            let field = |name: &str| match self.field(name, output) {
                Some(Value::Text(text)) => text.as_bytes(),
                _ => &[],
            };
            let AlertShape { rule, version, .. } = &self.shape;
            let of_rule = [rule.as_bytes(), version.as_bytes(), output.key.as_bytes()];
            let [rule, version, key] = of_rule;
            return region_id([rule, version, key, field("region"), field("transition")], output.end_ms);
        }
        let whole = Output { taken: output.row.map_or(output.taken, |row| &row.of), ..*output };
        let id = alert_id(&self.hashed, &whole, (&mut self.origins, names), &mut self.scratch);
        self.rows_of = output.row.map(|row| (Arc::clone(&row.of), id));
        id
    }

    /// Appends the alert's line, with a newline at its end.
    ///
    /// The geometry is the first field of that type; else the boundary of the key's first H3 cell; else the track of the events taken (consecutive equal
    /// positions once; a single one is a point); else the point in the output's `position`; else null.
    pub fn encode(&mut self, output: &Output<'_>, names: &dyn Names, out: &mut Vec<u8>) -> AlertId {
        let of_match = self.match_id(output, names);
        let id = output.row.map_or(of_match, |row| row_id(of_match, row.number));
        let digits = id.digits();
        out.extend_from_slice(br#"{"type":"Feature","id":""#);
        out.extend_from_slice(&digits);
        out.extend_from_slice(br#"","geometry":"#);
        self.geometry(output, out);
        out.extend_from_slice(br#","properties":{"id":""#);
        out.extend_from_slice(&digits);
        out.push(b'"');
        out.extend_from_slice(&self.rule);
        let timed_out = output.kind == EmissionKind::TimedOut;
        out.extend_from_slice(if timed_out { br#""timed_out""# } else { br#""firing""# });
        out.extend_from_slice(&self.labels);
        fields(&self.key, output, names, out);
        out.extend_from_slice(br#","start":"#);
        time(out, output.start_ms);
        out.extend_from_slice(br#","end":"#);
        time(out, output.end_ms);
        if let Some(clock) = output.clock {
            member(out, "clock");
            text(out, clock.word());
        }
        if output.revision > 0 {
            member(out, "revision");
            natural(out, u64::from(output.revision));
        }
        if let Some(row) = output.row {
            member(out, "match");
            out.push(b'"');
            out.extend_from_slice(&of_match.digits());
            out.push(b'"');
            member(out, "row");
            natural(out, u64::from(row.number));
        }
        out.extend_from_slice(br#","measures":"#);
        fields(&self.measures, output, names, out);
        out.extend_from_slice(br#","annotations":"#);
        self.annotations(output, names, out);
        if output.dropped > 0 {
            member(out, "truncated");
            out.extend_from_slice(b"true");
            member(out, "dropped");
            natural(out, output.dropped);
        }
        out.extend_from_slice(br#","events":"#);
        self.events(output, names, out);
        out.extend_from_slice(b"}}\n");
        id
    }

    fn with_role<'a>(
        &'a self,
        role: FieldRole,
        output: &'a Output<'_>,
    ) -> impl Iterator<Item = (&'a AlertField, &'a Value)> {
        let values = output.values.iter().chain(std::iter::repeat(&Value::Null));
        self.shape.fields.iter().zip(values).filter(move |(field, _)| field.role == role)
    }

    fn annotations(&mut self, output: &Output<'_>, names: &dyn Names, out: &mut Vec<u8>) {
        out.push(b'{');
        let mut words = std::mem::take(&mut self.words);
        let mut comma = Comma(false);
        for (name, pieces) in &self.shape.annotations {
            words.clear();
            for piece in pieces {
                self.piece(piece, output, names, &mut words);
            }
            comma.write(out);
            text(out, name);
            out.push(b':');
            text(out, &words);
        }
        self.words = words;
        out.push(b'}');
    }

    fn piece(&self, piece: &Piece, output: &Output<'_>, names: &dyn Names, words: &mut String) {
        match piece {
            Piece::Text(text) => words.push_str(text),
            Piece::Start => words.push_str(&crate::model::format_time(output.start_ms)),
            Piece::End => words.push_str(&crate::model::format_time(output.end_ms)),
            Piece::Field(slot) => {
                let ty = self.shape.fields.get(usize::from(*slot)).map_or(Type::Any, |field| field.ty);
                humane(words, output.values.get(usize::from(*slot)).unwrap_or(&Value::Null), ty, names);
            }
            Piece::Key => {
                let mut first = true;
                for (field, value) in self.with_role(FieldRole::Key, output) {
                    words.push_str(if first { "" } else { ", " });
                    first = false;
                    humane(words, value, field.ty, names);
                }
            }
        }
    }

    fn events(&mut self, output: &Output<'_>, names: &dyn Names, out: &mut Vec<u8>) {
        out.push(b'[');
        let mut comma = Comma(false);
        for taken in output.taken {
            comma.write(out);
            self.origins.write(taken, names, out);
        }
        out.push(b']');
    }

    fn field<'a>(&self, name: &str, output: &'a Output<'_>) -> Option<&'a Value> {
        output.values.get(self.shape.fields.iter().position(|field| field.name == name)?)
    }

    fn geometry(&self, output: &Output<'_>, out: &mut Vec<u8>) {
        if let Some(Value::Geometry(polygons)) = self.geometry.and_then(|slot| output.values.get(slot)) {
            return write_polygons(out, polygons);
        }
        let cell = self.key.iter().find_map(|field| match output.values.get(field.slot) {
            Some(Value::Cell(cell)) => Some(*cell),
            _ => None,
        });
        if cell.is_some_and(|cell| write_cell(out, cell))
            || write_track(out, output.taken.iter().filter_map(|taken| taken.position))
        {
            return;
        }
        let mut fields = self.shape.fields.iter().zip(output.values);
        match fields.find(|(field, value)| field.name == "position" && matches!(value, Value::Point(_))) {
            Some((_, Value::Point(position))) => write_point(out, *position),
            _ => out.extend_from_slice(b"null"),
        }
    }
}

/// The values of some fields as an object.
fn fields(fields: &[Written], output: &Output<'_>, names: &dyn Names, out: &mut Vec<u8>) {
    out.push(b'{');
    for field in fields {
        out.extend_from_slice(&field.name);
        write_value(out, output.values.get(field.slot).unwrap_or(&Value::Null), names);
    }
    out.push(b'}');
}

#[cfg(test)]
#[path = "alert_test.rs"]
mod tests;
