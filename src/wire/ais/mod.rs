//! AIS as it comes from receivers: NMEA 0183 sentences `!AIVDM` and `!AIVDO`, one a line or message, with the time at which each
//! was received before, in or after it.
//!
//! ```text
//!  \s:rx,c:1700000000*6B\!AIVDM,2,1,3,B,55P5TL01VIaAL@7W…,0*1E      sentence: time, checksum, fields
//!  \s:rx,c:1700000000*6B\!AIVDM,2,2,3,B,1@0000000000000,2*55        assembly: parts of one message
//!                                                                    bits, message: what it says (ITU-R M.1371-5)
//! ```
//!
//! Sentences carry no date, so one that nothing gives a time is no event. Parts of a message that isn't complete are kept per
//! partition, and belong to a checkpoint: [`Decoder::open`](super::Decoder::open).
//!
//! No crate does this as we need it: those that there are keep the parts to themselves, where no checkpoint can have them, and
//! leave the times of tag blocks aside.

mod assembly;
mod bits;
mod decoder;
mod fields;
mod message;
mod sentence;
#[cfg(test)]
mod tests;

pub use assembly::Lost;
pub use decoder::AisDecoder;
pub use fields::{AisField, AisMessages};
