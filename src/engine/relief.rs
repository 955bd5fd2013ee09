//! How much of a state is in memory: how many keys a shard has, and who puts some away when they are too many.

use super::{
    compile::Compiled,
    machine::Engine,
    operator::Operator,
    shard::Shard,
    state::{BackendError, Spilling},
};

/// Keys that a rule puts away before it is another one's turn.
const TURN: usize = 256;
/// After so many events it is looked whether keys are too many, if time doesn't pass in between.
const EVENTS: u32 = 1_024;

/// What a shard with a store counts.
#[derive(Debug)]
pub(super) struct Relief {
    max: usize,
    /// Keys in memory, of all rules and of each, as they were when these were last looked at.
    resident: usize,
    of_rule: Vec<usize>,
    /// Whose turn it is.
    next: usize,
    events: u32,
}

impl Relief {
    pub(super) fn new(use_of: &Spilling, shards: u32, rules: usize) -> Self {
        Self { max: use_of.resident_max(shards), resident: 0, of_rule: vec![0; rules], next: 0, events: 0 }
    }

    /// Events were taken. Whether it is time to look.
    pub(super) fn count(&mut self, events: usize) -> bool {
        self.events += events as u32;
        self.events >= EVENTS
    }

    fn look(&mut self, rule: usize, operators: &[Box<dyn Operator>]) {
        if let (Some(own), Some(operator)) = (self.of_rule.get_mut(rule), operators.get(rule)) {
            let now = operator.resident();
            self.resident = (self.resident + now).saturating_sub(*own);
            *own = now;
        }
    }

    /// Looks at the rules that did something, and lets rules put keys away, in turns, where they are too many.
    pub(super) fn relieve(&mut self, operators: &mut [Box<dyn Operator>], touched: &[u32]) {
        self.events = 0;
        touched.iter().for_each(|&rule| self.look(rule as usize, operators));
        if self.resident <= self.max {
            return;
        }
        // A few more, so that it isn't for every event.
        let goal = self.max - self.max / 32;
        let mut barren = 0;
        while self.resident > goal && barren < operators.len() {
            let rule = self.next;
            self.next = (rule + 1) % operators.len();
            barren += 1;
            if self.of_rule.get(rule).is_some_and(|own| *own == 0) {
                continue;
            }
            match operators.get_mut(rule).map(|operator| operator.put_away((self.resident - goal).min(TURN))) {
                // The store says no, and will to the others.
                None | Some(0) => return,
                Some(_) => barren = 0,
            }
            self.look(rule, operators);
        }
    }
}

impl Engine {
    /// Puts keys into this store from now on, where they are more than stay in memory. Before the first event, and before a state is
    /// taken over.
    pub fn spill_to(&mut self, spilling: Spilling) {
        self.spilling = Some(spilling);
        self.shards = self.blank_shards();
    }

    /// Why this core is of no use any more, if so: keys that are in the store can't be read. It puts out nothing, and its cuts are errors;
    /// the last checkpoint has what was.
    pub fn fault(&self) -> Option<&BackendError> {
        self.spilling.as_ref().and_then(Spilling::fault)
    }

    /// Shards without state.
    pub(super) fn blank_shards(&self) -> Vec<Shard> {
        let mut shards = new_shards(&self.compiled, &self.level_of, self.options.shards);
        for shard in &mut shards {
            shard.set_world(&self.world);
            self.spilling.iter().for_each(|spilling| shard.spill_to(spilling, self.options.shards));
        }
        shards
    }
}

pub(super) fn new_shards(compiled: &[Compiled], level_of: &[u32], count: u32) -> Vec<Shard> {
    let of_shard = |_| Shard::new(compiled.iter().map(Compiled::operator).collect(), level_of.to_vec());
    (0..count).map(of_shard).collect()
}
