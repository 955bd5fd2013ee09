//! The kernel against a slow obvious model.

mod heat;
mod kernel;
mod model;
mod property;
mod tracker;
mod transition;
