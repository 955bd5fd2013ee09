//! What the API shows.

use std::sync::Arc;

use crate::runtime::telemetry::Telemetry;

/// What the resources read: figures, health and rules, all of which the runtime sets.
#[derive(Clone, Debug)]
pub struct ApiState {
    /// The daemon's figures.
    pub telemetry: Arc<Telemetry>,
}

impl ApiState {
    /// A state that shows these figures.
    pub fn new(telemetry: Arc<Telemetry>) -> Self {
        Self { telemetry }
    }
}
