//! Tool: bytes to events and alerts to bytes. Pure: no file, no socket.
//!
//! On the way in: [`Splitter`] cuts blocks of bytes into records, and a [`Decoder`] makes an event of each, or says why it
//! is none. On the way out: [`AlertEncoder`] writes a GeoJSON feature per line, [`dead_letter`] and [`late_event`] what
//! became no event or came too late.

pub mod ais;
pub mod document;
pub mod fences;
pub mod table;
pub mod yaml;

mod alert;
mod alert_event;
mod alert_id;
mod annotation;
mod chunk;
mod csv;
mod decoder;
mod flat;
mod geometry;
mod infer;
mod json;
mod json_out;
mod json_value;
mod layout;
mod letter;
mod record;
mod shape;
mod split;
mod swar;

use ais::AisDecoder;
pub use ais::AisMessages;
pub use alert::{AlertEncoder, AlertField, AlertShape, FieldRole, Names, Output};
pub use alert_id::{ALERT_ID_LAYOUT, AlertId, alert_id_of};
pub use annotation::Piece;
pub use chunk::{Chunk, Record};
pub use csv::CsvDecoder;
pub use decoder::{Decoder, Format};
pub use document::Document;
pub use infer::{Inferred, infer};
pub use json::JsonDecoder;
pub use letter::{DeadLetter, LateEvent, dead_letter, late_event};
pub use record::{
    FieldKind, FieldSource, GEOMETRY_NAMES, LAT_NAMES, LON_NAMES, PositionSource, RecordSchema, SlotSource,
    TIME_MAX_MS, TIME_MIN_MS, TIME_NAMES, TimeSource, TimeUnit,
};
pub use split::{RECORD_BYTES_MAX, SplitPlace, Splitter};
