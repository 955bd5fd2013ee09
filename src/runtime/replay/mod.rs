//! Replay: rules over files, from which each partition is read as time needs it.

mod bind;
mod drive;
mod gallery;
mod speed;
mod summary;

pub use bind::{Binding, BoundInput, bind, bind_names, guess_schema};
pub use drive::{Replay, ReplayOptions, progress_bar};
pub use gallery::SvgOptions;
pub use speed::Speed;
pub(in crate::runtime) use summary::Summary;
