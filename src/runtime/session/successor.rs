//! A session whose rules or fences become others.

use super::{Lines, Session};
use crate::{
    engine::{AlertEncoder, ReplaceError, Replaced},
    plan::Plan,
    runtime::project::{Project, record_schema},
};
use std::sync::Arc;

impl Session {
    /// Puts other rules, other fences, or both in the place of those that run, for a project that was checked as the successor of
    /// this session's. Lines that were decided before are written under the old rules: they are to be handed on
    /// before the rules' new numbers count.
    ///
    /// # Errors
    /// When the new rules can't run: then nothing has changed.
    pub fn replace(&mut self, project: &Project, lines: &mut Lines) -> Result<Replaced, ReplaceError> {
        self.write(lines);
        let mut replaced = self.engine.replace(Arc::clone(&project.plan), Arc::clone(&project.world))?;
        self.outputs.append(&mut replaced.last);
        self.encode(lines);
        self.world = Arc::clone(&project.world);
        self.go_on_under(Arc::clone(&project.plan));
        Ok(replaced)
    }

    /// Lets old versions of rules go that have ended what they had begun: whether there were any. Lines that were decided before are to be
    /// handed on before the rules' new numbers count.
    ///
    /// # Errors
    /// When the rules that are left can't run without them, which is a mistake of ours: then nothing has changed.
    pub fn end_drains(&mut self, lines: &mut Lines) -> Result<bool, ReplaceError> {
        if self.plan.drains.is_empty() {
            return Ok(false);
        }
        self.write(lines);
        let Some(mut replaced) = self.engine.end_drains()? else { return Ok(false) };
        self.outputs.append(&mut replaced.last);
        self.encode(lines);
        self.go_on_under(Arc::clone(self.engine.plan()));
        Ok(true)
    }

    /// The plan that runs.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The core has taken this plan.
    fn go_on_under(&mut self, plan: Arc<Plan>) {
        let old = std::mem::replace(&mut self.plan, plan);
        self.encoder = AlertEncoder::new(Arc::clone(&self.plan), Arc::clone(&self.world));
        let counted = |rule: u32| old.find_known(&self.plan.known_as(rule)).and_then(|at| self.alerts.get(at).copied());
        self.alerts = (0..self.plan.rules.len() as u32).map(|rule| counted(rule).unwrap_or_default()).collect();
        for lane in &mut self.lanes {
            if let Some(records) = record_schema(&self.plan, lane.stream.0 as usize, &lane.schema) {
                lane.decoder = lane.decoder.successor(&records, lane.format);
                lane.width = records.slots.len();
                lane.records = records;
            }
        }
    }
}
