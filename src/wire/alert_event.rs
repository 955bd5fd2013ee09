//! The events that an alert names. Of events of one variable, stream and partition all but the offset is the same, in the line as in what
//! the alert's id is a hash of; so that is kept ready.

use super::{
    alert::Names,
    alert_id::sized,
    json_out::{Backwards, hexadecimal, text},
};
use crate::model::{EventId, StreamId, Taken};

/// So many are kept; where there are more they begin anew.
const ORIGINS_MAX: usize = 64;

/// Where an event is from, and what for.
#[derive(Debug)]
struct Origin {
    of: (u16, StreamId, u32),
    /// What the line has before the offset.
    written: Vec<u8>,
    /// What is hashed before the offset.
    hashed: Vec<u8>,
}

/// What stands before the offsets of events.
#[derive(Debug)]
pub(super) struct Origins {
    /// The names of the pattern's variables, by number.
    variables: Vec<String>,
    known: Vec<Origin>,
}

impl Origins {
    pub(super) fn new(variables: Vec<String>) -> Self {
        Self { variables, known: Vec::new() }
    }

    /// The place of an origin among those known, where it is if it isn't new.
    fn find(&mut self, of: (u16, StreamId, u32), names: &dyn Names) -> Option<&Origin> {
        let at = match self.known.iter().position(|known| known.of == of) {
            Some(at) => at,
            None => self.make(of, names),
        };
        self.known.get(at)
    }

    #[cold]
    fn make(&mut self, of: (u16, StreamId, u32), names: &dyn Names) -> usize {
        let (var, stream, partition) = of;
        // Never a stream's number, which another rule in the same file would change.
        let name = names.stream_name(stream).unwrap_or_default();
        let mut written = self.before(var);
        text(&mut written, name);
        // What follows stands within the quotes, and needs no escape.
        written.pop();
        written.extend_from_slice(format!(":{partition}:").as_bytes());
        let mut hashed = Vec::new();
        sized(&mut hashed, self.name(var));
        hashed.push(1);
        sized(&mut hashed, name.as_bytes());
        hashed.extend_from_slice(&partition.to_le_bytes());
        if self.known.len() == ORIGINS_MAX {
            self.known.clear();
        }
        self.known.push(Origin { of, written, hashed });
        self.known.len() - 1
    }

    fn name(&self, var: u16) -> &[u8] {
        self.variables.get(usize::from(var)).map_or(&[][..], String::as_bytes)
    }

    /// What stands before the id of an event of a variable.
    fn before(&self, var: u16) -> Vec<u8> {
        let mut before = br#"{"#.to_vec();
        if let Some(name) = self.variables.get(usize::from(var)) {
            before.extend_from_slice(br#""variable":"#);
            text(&mut before, name);
            before.push(b',');
        }
        before.extend_from_slice(br#""id":"#);
        before
    }

    /// Appends what of an event goes into the hash that an alert's id is.
    pub(super) fn hash(&mut self, taken: &Taken, names: &dyn Names, bytes: &mut Vec<u8>) {
        match &taken.id {
            EventId::Field(own) => {
                sized(bytes, self.name(taken.var));
                bytes.push(0);
                sized(bytes, own.as_bytes());
            }
            EventId::Offset { stream, partition, offset } => {
                if let Some(origin) = self.find((taken.var, *stream, *partition), names) {
                    bytes.extend_from_slice(&origin.hashed);
                }
                bytes.extend_from_slice(&offset.to_le_bytes());
            }
        }
    }

    /// Appends an event as JSON: its variable, and its own id or `stream:partition:offset`; a derived event's is `stream:` and 16 hex digits.
    pub(super) fn write(&mut self, taken: &Taken, names: &dyn Names, out: &mut Vec<u8>) {
        match &taken.id {
            EventId::Field(own) => {
                out.extend_from_slice(&self.before(taken.var));
                text(out, own);
                out.push(b'}');
            }
            EventId::Offset { stream, partition: u32::MAX, offset } => {
                out.extend_from_slice(&self.before(taken.var));
                text(out, names.stream_name(*stream).unwrap_or_default());
                out.pop();
                out.push(b':');
                out.extend_from_slice(&hexadecimal::<16>(u128::from(*offset)));
                out.extend_from_slice(br#""}"#);
            }
            EventId::Offset { stream, partition, offset } => {
                if let Some(origin) = self.find((taken.var, *stream, *partition), names) {
                    out.extend_from_slice(&origin.written);
                }
                let mut place = Backwards::new();
                place.push(b'}');
                place.push(b'"');
                place.push_number(*offset);
                place.write(out);
            }
        }
    }
}
