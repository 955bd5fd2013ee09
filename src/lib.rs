//! geocep: geospatial complex event processing over event streams.
//!
//! The rooms, from the ground up; a file imports from its own room and from lower floors only:
//!
//! | floor | rooms |
//! | --- | --- |
//! | 7 faces | [`cli`], [`api`] |
//! | 6 driver | [`runtime`] |
//! | 5 edges | [`io`] |
//! | | the border: below it no thread, file, socket, clock or unseeded randomness |
//! | 4 machine | [`engine`] |
//! | 3 halves | [`lang`], [`op`] |
//! | 2 tools | [`expr`], [`time`], [`wire`], [`scenario`] |
//! | 1 words | [`model`] |
//! | 0 ground | [`geo`] |

pub mod geo;

pub mod model;

pub mod expr;
pub mod scenario;
pub mod time;
pub mod wire;

pub mod lang;
pub mod op;

pub mod engine;

pub mod io;

pub mod runtime;

pub mod api;
pub mod cli;
