//! The engine's thread takes other rules.

use super::{driver::Driver, hand::by_arrival, tables::Tables};
use crate::{plan::Mode, runtime::reload::Swap};
use std::sync::Arc;

impl Driver {
    /// Puts a project in the place of the running one, between two chunks; if it can't run, nothing changes.
    pub(super) fn change(&mut self, swap: Swap) {
        let Swap { project, answer } = swap;
        // Figures of rules that go are brought up to date once more.
        self.publish();
        let result = self.session.replace(&project, &mut self.lines);
        // Under the names that the rules' numbers had.
        self.hand_on();
        if result.is_ok() {
            self.rules = project.plan.rules.iter().map(|rule| rule.name.clone()).collect();
            self.by_arrival = by_arrival(&project.plan);
            if let Some(keeper) = &mut self.keeper {
                keeper.rename(self.session.names().encode());
            }
            self.shadows = project.plan.rules.iter().map(|rule| rule.mode == Mode::Shadow).collect();
            match Tables::watch(&project) {
                Ok(tables) => self.tables = tables,
                Err(error) => tracing::error!(%error, "reference tables are no longer looked at"),
            }
            self.report.replace(Arc::clone(&project.plan));
            self.publish();
        }
        let _ = answer.send(result.map_err(|error| error.to_string()));
    }
}
