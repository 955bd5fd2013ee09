//! Tool: bytes to events and alerts to bytes. Pure: no file, no socket.

pub mod fences;
pub mod yaml;
