//! What the API shows and whom it asks.

use std::sync::Arc;

use crate::runtime::{bulletin::Bulletin, reload::Reloads, telemetry::Telemetry};

/// What the resources read: figures, health and rules, all of which the runtime sets.
#[derive(Clone, Debug)]
pub struct ApiState {
    /// The daemon's figures.
    pub telemetry: Arc<Telemetry>,
    /// Where reloads are asked for; none where they can't be.
    pub reloads: Option<Reloads>,
    /// The latest alerts; none where nobody shows any.
    pub bulletin: Option<Arc<Bulletin>>,
}

impl ApiState {
    /// A state that shows these figures.
    pub fn new(telemetry: Arc<Telemetry>) -> Self {
        Self { telemetry, reloads: None, bulletin: None }
    }

    /// The same with a way to ask for reloads.
    pub fn with_reloads(self, reloads: Reloads) -> Self {
        Self { reloads: Some(reloads), ..self }
    }

    /// The same with alerts to watch.
    pub fn with_bulletin(self, bulletin: Arc<Bulletin>) -> Self {
        Self { bulletin: Some(bulletin), ..self }
    }
}
