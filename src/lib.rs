//! geocep: geospatial complex event processing over event streams.
//!
//! The rooms, from the ground up; a file imports from its own room and from lower floors only:
//!
//! | floor | rooms |
//! | --- | --- |
//! | 8 faces | [`cli`], [`api`] |
//! | 7 driver | [`runtime`] |
//! | 6 edges | [`io`] |
//! | | the border: below it no thread, file, socket, clock or unseeded randomness |
//! | 5 machine | [`engine`] |
//! | 4 halves | [`lang`], [`op`]: they don't see each other |
//! | 3 meaning | [`plan`] |
//! | 2 tools | [`expr`], [`time`], [`wire`], [`scenario`], [`picture`] |
//! | 1 words | [`model`] |
//! | 0 ground | [`geo`] |

pub mod geo;

pub mod model;

pub mod expr;
pub mod picture;
pub mod scenario;
pub mod time;
pub mod wire;

pub mod plan;

pub mod lang;
pub mod op;

pub mod engine;

pub mod io;

pub mod runtime;

pub mod api;
pub mod cli;
