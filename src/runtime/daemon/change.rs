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
            self.renumber();
            match Tables::watch(&project) {
                Ok(tables) => self.tables = tables,
                Err(error) => tracing::error!(%error, "reference tables are no longer looked at"),
            }
            self.publish();
        }
        let _ = answer.send(result.map_err(|error| error.to_string()));
    }

    /// Lets old versions of rules go that are done.
    pub(super) fn end_drains(&mut self) {
        if self.session.plan().drains.is_empty() {
            return;
        }
        let before = self.session.engine().draining();
        self.publish();
        let ended = self.session.end_drains(&mut self.lines);
        self.hand_on();
        match ended {
            Ok(false) => {}
            Ok(true) => {
                self.renumber();
                tracing::info!(left = before.len(), "old versions of edited rules have ended what they had begun");
            }
            Err(error) => tracing::error!(%error, "old versions of rules that are done can't be let go"),
        }
    }

    /// Rules have other numbers.
    fn renumber(&mut self) {
        let plan = Arc::clone(self.session.plan());
        self.rules = plan.rules.iter().map(|rule| rule.name.clone()).collect();
        self.by_arrival = by_arrival(&plan);
        self.shadows = plan.rules.iter().map(|rule| rule.mode == Mode::Shadow).collect();
        if let Some(keeper) = &mut self.keeper {
            keeper.rename(self.session.names().encode());
        }
        self.report.replace(plan);
    }
}
