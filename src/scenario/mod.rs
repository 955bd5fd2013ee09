//! Tool: seeded movers that make event streams. Shared by `geocep simulate`, benches and tests.
//!
//! A scenario is a small made-up world with a script: who moves where, what goes wrong, and when. It gives
//! *streams* of records in order of event time, *fence files*, and the *truth*: what a good set of rules should find.
//! Everything follows from the scenario's name, the seed and the duration; the same three give the same bytes on every
//! machine. To keep that promise the room
//!
//! - draws from a counter-based generator ([`Draw`]), so no draw depends on how many were taken elsewhere;
//! - computes with `+ - * /`, square root and rounding only, which IEEE 754 fixes to the bit, and has its own sine and
//!   arc tangent instead of the platform's;
//! - keeps positions as whole micro-degrees and writes all decimals from integers.
//!
//! Pure: no file, clock or thread. The caller writes the lines.

mod air;
mod catalog;
mod city;
mod draw;
mod error;
mod fence;
mod load;
mod plane;
mod record;
mod regions;
mod sea;
mod stream;
#[cfg(test)]
mod tests;
mod track;
mod truth;

pub use catalog::{Name, Options, START, Scenario};
pub use draw::Draw;
pub use error::ScenarioError;
pub use fence::FenceFile;
pub use load::Load;
pub use record::{Field, Record};
pub use stream::{Records, Stream};
pub use truth::{Situation, Truth};
