//! The store of states that memory is too small for, as the daemon sees it.

use crate::{
    engine::{BackendError, SpillFigures, Spilling},
    io::state::SpillStore,
    runtime::{
        config::StateConfig,
        session::Session,
        telemetry::{ComponentKind, StoreFigures, Telemetry, Watched},
    },
};
use std::sync::Arc;

/// How a store is used, and what was told of it.
pub(super) struct Store {
    spilling: Spilling,
    figures: StoreFigures,
    watched: Option<Watched>,
    told: SpillFigures,
    in_trouble: bool,
}

/// Opens a store for the session, if the configuration wants one; before the session takes over any state.
///
/// # Errors
/// Its directory can't be used.
pub(super) fn open(config: &StateConfig, session: &mut Session) -> Result<Option<Spilling>, BackendError> {
    let Some(spill) = &config.spill else { return Ok(None) };
    let store = SpillStore::open(&spill.dir)?;
    let spilling = Spilling::new(Arc::new(store), usize::try_from(spill.resident_keys).unwrap_or(usize::MAX));
    session.engine_mut().spill_to(spilling.clone());
    Ok(Some(spilling))
}

impl Store {
    pub(super) fn watch(spilling: Spilling, telemetry: &Telemetry) -> Self {
        let watched = telemetry.health().watch(ComponentKind::State, "store");
        watched.ready();
        let figures = telemetry.store().clone();
        Self { spilling, figures, watched: Some(watched), told: SpillFigures::default(), in_trouble: false }
    }

    /// Brings figures and health up to date.
    pub(super) fn publish(&mut self) {
        let now = self.spilling.figures();
        let SpillFigures { put, recalled, failed } = self.told;
        self.figures.add(now.put - put, now.recalled - recalled, now.failed - failed);
        self.told = now;
        match (self.spilling.trouble(), self.in_trouble) {
            (Some(error), false) => {
                tracing::error!(%error, "keys that should leave stay in memory: the run goes on, and memory grows");
                self.watched.iter().for_each(|watched| watched.retrying(format!("keys stay in memory: {error}")));
                self.in_trouble = true;
            }
            (None, true) => {
                tracing::info!("keys leave memory again");
                self.watched.iter().for_each(Watched::ready);
                self.in_trouble = false;
            }
            _ => {}
        }
    }

    /// Whether the run can't go on.
    pub(super) fn is_lost(&self) -> bool {
        self.spilling.fault().is_some()
    }

    /// Why the run can't go on, if so.
    pub(super) fn fault(&mut self) -> Option<String> {
        let fault = self.spilling.fault()?.to_string();
        tracing::error!(
            error = fault,
            "keys can't be brought back: the run ends here, and a restart begins with the last checkpoint"
        );
        if let Some(watched) = self.watched.take() {
            watched.failed(fault.clone());
        }
        Some(fault)
    }
}
