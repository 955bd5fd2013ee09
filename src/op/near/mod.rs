//! NEAR: who meets whom. Positions of entities become events of the pairs that are near one another.
//!
//! ```text
//!  position of e ─► Entity e ─► Grid: who is in reach ─► ON, time, geodesic ─► approached / together / separated
//!                      │                                    (LEAVE AT for those who are together)
//!                      └─ valid so long, then a timer parts it from everybody
//! ```
//!
//! One state holds all entities of a partition, since any two of them may meet. An entity is its latest event; what it was before
//! is forgotten, and an entity whose position is no longer valid is forgotten altogether, so a state is as large as the number of
//! entities that reported lately, and of pairs that are together.
//!
//! A grid finds who is in reach: cubes over earth-centred coordinates, as wide as the distance asked for. A straight line
//! through the earth is never longer than the way over it, so whoever is near is in the same or an adjacent cube, at any latitude,
//! across ±180° and round the poles, and no candidate is missed. Candidates that the straight line already rules out cost
//! a subtraction; of the others the geodesic is computed, about a microsecond each. Nobody is compared with all.
//!
//! With ALIGN an entity may be elsewhere than where it reported. It is found by where it reported all the same: entities are in
//! grids by how far they may have come since, each as wide as that and the distance asked for.
//!
//! Outputs of one instant are in the order of the pairs' ids, and the state's bytes depend on the input alone.

mod adapt;
mod entity;
mod grid;
mod motion;
mod program;
mod save;
mod state;
mod step;
#[cfg(test)]
mod tests;
mod view;

pub use program::Program;
pub use state::{KeyState, Scratch};
