//! Pairs against a slow obvious model that compares everybody with everybody.

mod kit;
mod model;
mod property;
mod story;
