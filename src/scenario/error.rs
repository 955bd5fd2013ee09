//! What can be wrong with a request for a scenario.

use thiserror::Error;

/// Why a scenario can't be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// No scenario has this name.
    #[error("there is no scenario `{name}`: {}", advice(*nearest))]
    UnknownName {
        /// What was asked for.
        name: String,
        /// The nearest name that exists, where one is near.
        nearest: Option<&'static str>,
    },
    /// A number is outside what the scenario can do.
    #[error("{what} must be between {min} and {max}, not `{given}`")]
    OutOfRange {
        /// Which number.
        what: &'static str,
        /// What was given.
        given: i128,
        /// The least that is allowed.
        min: i128,
        /// The most that is allowed.
        max: i128,
    },
}

fn advice(nearest: Option<&'static str>) -> String {
    match nearest {
        Some(name) => format!("did you mean `{name}`?"),
        None => String::from("choose city, sea, air, regions or keys"),
    }
}
