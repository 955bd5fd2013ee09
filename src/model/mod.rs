//! Words: the values that cross rooms. Time, units, types, values, schemas, events, keys, outputs, rejects, and how state
//! is written. No logic of the machine lives here; a word that only one room uses belongs to that room.

mod codec;
mod emission;
mod event;
mod fence_map;
mod key;
mod reject;
mod renumber;
mod schema;
mod text;
mod text_map;
mod time;
mod types;
mod unit;
mod value;
mod zone;

pub use codec::{DecodeError, Reader, Writer};
pub use emission::{Clock, Emission, EmissionKind, Measures, Row, Taken, TakenEvents};
pub use event::{Batch, EventId, EventRef, Header, Rows, StreamId};
pub use fence_map::{FenceMap, SetNumbers};
pub use key::{KEY_HASH_VERSION, Key, KeyGroup};
pub use reject::{Reject, RejectReason};
pub use renumber::{RenumberedStream, Renumbering, SavedStream};
pub use schema::{Field, Schema};
pub use text::Text;
pub use text_map::TextMap;
pub use time::{TimeMs, format_duration, format_time, parse_time, write_time};
pub use types::Type;
pub use unit::{Dimension, TIME_UNITS, Unit};
pub use value::{FenceRef, Fences, Value};
pub use zone::Zone;
