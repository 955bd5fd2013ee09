//! Rules that change while they run: a core takes another plan, other fences, or both, between two advances.
//!
//! All or nothing: the whole new core is built beside the running one, and only then moves what stays into it. Rules that mean the
//! same ([`Plan::kept`]) go on with their state, which is moved and not copied; they can't tell that anything
//! happened, nor can one see it from what they put out. Streams keep their numbers and slots (`lang::check::check_after`), so
//! that events that wait are events of the new plan as well: a field that no rule read when they were decoded is null.

use super::{
    compile::CompileError,
    executor::Inline,
    figures::RuleStats,
    kernel::Kernel,
    machine::Engine,
    operator::{KeyedOperator, Operator, PartitionCodec, Spills},
    output::{Output, sort},
    partition::Partition,
    timeline::move_on,
};
use crate::{
    expr::World,
    model::{FenceMap, Header, Key, KeyGroup, Reader, TimeMs, Value, Writer},
    plan::{Plan, Rule, RuleKind, StreamOrigin, StreamPlan},
};
use std::{collections::BTreeSet, sync::Arc};

/// Why a core doesn't take a plan; it goes on as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplaceError {
    /// A rule that no program can be built from.
    #[error("{0}")]
    Compile(#[from] CompileError),
    /// The events that wait are of another form.
    #[error("the fields of the source `{source_name}` are others than those that run: that takes a restart")]
    Source {
        /// The source.
        source_name: String,
    },
    /// The plan wasn't made as a successor of the one that runs.
    #[error("the geofence sets are numbered in another way than those that run: that takes a restart")]
    Fences,
}

/// What a change did to a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// It means the same and goes on with all its state.
    Kept,
    /// It wasn't there before.
    Started,
    /// It has another meaning, as its text is another or that of a rule that it reads. What has come about in the same way under
    /// both meanings goes on: partial matches whose events were taken alike, windows of which only the result is another. Other partial
    /// matches go on under the old version until they end.
    Edited,
    /// It is no longer there.
    Removed,
}

/// A rule, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleChange {
    /// Its name.
    pub name: String,
    /// Its version: the new one, or of a rule that was removed the last.
    pub version: String,
    /// What became of it.
    pub change: Change,
    /// Keys whose state goes on.
    pub keys: usize,
    /// Partial matches or open windows that go on.
    pub open: usize,
    /// Keys of which something goes on under the old version, which only ends what it has begun.
    pub drained_keys: usize,
    /// Partial matches that go on under the old version.
    pub drained_open: usize,
    /// Keys whose state is dropped.
    pub dropped_keys: usize,
    /// Partial matches or open windows that are dropped; of patterns kept as sets, some that were over already among them.
    pub dropped_open: usize,
    /// Why what is dropped of an edited rule can't go on under its old version either.
    pub why: Option<&'static str>,
    /// Of windows: those that begin from this instant on are the edited rule's, and earlier ones its old version's.
    pub from_ms: Option<TimeMs>,
}

/// Why an old version isn't there.
const GONE: &str = "its old version means nothing beside the other rules: something that it reads is gone";
/// Why nothing goes on of what could.
const FENCES: &str = "fences were edited with it, and what it knows may name them by other numbers";
/// Why something of what an old version has isn't there any more.
const OTHERWISE: &str = "it was over, or belongs to an old version that is gone";

/// What a change of the plan did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replaced {
    /// All rules, in the order of the new plan, then those that were removed.
    pub rules: Vec<RuleChange>,
    /// Alerts that were decided under the old plan and that no rule of the new one could put out: with the old plan's
    /// numbers, so that they are to be written before anything of the new one.
    pub last: Vec<Output>,
}

impl Replaced {
    /// How many rules a change happened to.
    pub fn count(&self, change: Change) -> usize {
        self.rules.iter().filter(|rule| rule.change == change).count()
    }
}

impl Engine {
    /// Puts a plan and a world in the place of those that run. The plan is one that was checked as the successor of the running
    /// one; alerts that are ready are taken before.
    ///
    /// # Errors
    /// When the plan can't be run or isn't such a successor: then nothing has changed.
    pub fn replace(&mut self, plan: Arc<Plan>, world: Arc<World>) -> Result<Replaced, ReplaceError> {
        if let Some(name) = plan.moved_source(&self.plan) {
            return Err(ReplaceError::Source { source_name: name.to_owned() });
        }
        if !plan.fence_sets.starts_with(&self.plan.fence_sets) {
            return Err(ReplaceError::Fences);
        }
        let mut next = Engine::new(plan, world, self.options.clone(), Box::new(Inline))?;
        if let Some(spilling) = &self.spilling {
            next.spill_to(spilling.clone());
        }
        let fences = self.world.renumbered(&next.world);
        let fences = (!fences.is_identity()).then_some(fences);
        let mut kept = next.plan.kept(&self.plan);
        // Where fences have new numbers as well, edited rules start empty.
        let edited = if fences.is_none() { next.plan.adapted(&self.plan, &kept) } else { Vec::new() };
        let mut drained = next.plan.drained(&self.plan, &kept);
        let followed = self.divide_windows(&mut next, (&kept, &edited), &mut drained, fences.is_some());
        self.time_drains(&mut next, &kept);
        let loads: Vec<RuleStats> = (0..self.plan.rules.len()).map(|rule| self.rule_stats(rule as u32)).collect();
        for (new, old) in next.shards.iter_mut().zip(&mut self.shards) {
            new.take_over(old, &mut kept, [&edited, &drained, &followed], fences.as_ref());
        }
        let now: Vec<RuleStats> = (0..next.plan.rules.len()).map(|rule| next.rule_stats(rule as u32)).collect();
        let rules = changes((&self.plan, &next), [&kept, &edited, &drained], &loads, &now);
        let mut replaced = Replaced { rules, last: Vec::new() };
        // What an edited rule has decided is its old version's.
        let went: Vec<Option<u32>> = kept.iter().zip(&drained).map(|(kept, drained)| kept.or(*drained)).collect();
        self.move_outputs(&mut next, &went, fences.as_ref(), &mut replaced.last);
        self.move_events(&mut next, fences.as_ref());
        for (at, stats) in next.stats.iter_mut().enumerate() {
            // What was counted under a rule's name goes on, whatever it means now.
            let old = self.plan.find_known(&next.plan.known_as(at as u32));
            *stats = old.and_then(|old| self.stats.get(old)).copied().unwrap_or_default();
        }
        next.partitions = std::mem::take(&mut self.partitions);
        move_on(
            std::mem::take(&mut self.timelines),
            &mut next.timelines,
            &next.timeline_of_stream,
            &mut next.partitions,
        );
        std::mem::swap(&mut next.executor, &mut self.executor);
        (next.indexed, next.wall_ms) = (self.indexed, self.wall_ms);
        // Tables that moved know since which barrier they are as they are.
        next.barrier = self.barrier;
        next.drain_ms = self.drain_ms;
        next.set_limits(self.limits);
        *self = next;
        // Rules that are new learn what time it is.
        self.resume_arrivals();
        Ok(replaced)
    }

    /// Outputs that wait for their instant, or to be taken, go on under their rules' new numbers; those of rules that are no
    /// more are alerts at once, or nothing: who would have read them is gone.
    fn move_outputs(
        &mut self,
        next: &mut Engine,
        kept: &[Option<u32>],
        fences: Option<&FenceMap>,
        last: &mut Vec<Output>,
    ) {
        let mut number = vec![None; self.plan.rules.len()];
        for (new, old) in kept.iter().enumerate() {
            if let Some(place) = old.and_then(|old| number.get_mut(old as usize)) {
                *place = Some(new as u32);
            }
        }
        last.append(&mut self.ready);
        let held = self.held.iter_mut().flat_map(|held| held.drain(..)).map(|output| (output, false));
        let all: Vec<(Output, bool)> = held.chain(self.ordered.drain(..).map(|output| (output, true))).collect();
        for (mut output, is_complete) in all {
            match number.get(output.rule as usize).copied().flatten() {
                Some(rule) => {
                    let rank = next.compiled.get(rule as usize).map_or(0, |compiled| compiled.rank);
                    renumber(&mut output, rule, rank, fences);
                    let level = next.level_of.get(rule as usize).map_or(0, |level| *level as usize);
                    match next.held.get_mut(level) {
                        _ if is_complete => next.ordered.push(output),
                        Some(held) => held.push(output),
                        None => {}
                    }
                }
                None if self.options.eager => {}
                None => {
                    let rule = self.plan.rules.get(output.rule as usize);
                    if rule.is_some_and(|rule| rule.kind == RuleKind::Alert) {
                        last.push(output);
                    }
                }
            }
        }
        next.watched = self.watched.iter().filter_map(|&rule| number.get(rule as usize).copied().flatten()).collect();
        next.held.iter_mut().for_each(|held| sort(held));
        sort(last);
    }

    /// Events that wait for their instant on a level still do, on every level that reads their stream now, if that is a source or
    /// still has the form that it had.
    fn move_events(&mut self, next: &mut Engine, fences: Option<&FenceMap>) {
        let mut moved = BTreeSet::new();
        for mut event in self.inboxes.iter_mut().flat_map(|inbox| inbox.take_all()) {
            let at = event.stream.0 as usize;
            let Header { time_ms, partition, offset } = event.header;
            let has_form = |(new, old): (&StreamPlan, &StreamPlan)| {
                new.name == old.name && (new.origin == StreamOrigin::Source || new.schema.fields == old.schema.fields)
            };
            let stays = next.plan.streams.get(at).zip(self.plan.streams.get(at)).is_some_and(has_form);
            // It waits on each level of those that read it.
            if !stays || !moved.insert((event.stream, time_ms, partition, offset)) {
                continue;
            }
            if let Some(fences) = fences {
                renumber_values(&mut event.values, fences);
            }
            next.wait_again(&event);
        }
    }
}

/// What became of every rule.
fn changes(
    (old, next): (&Plan, &Engine),
    [kept, edited, drained]: [&[Option<u32>]; 3],
    loads: &[RuleStats],
    now: &[RuleStats],
) -> Vec<RuleChange> {
    let new: &Plan = &next.plan;
    let of = |all: &[RuleStats], at: usize| all.get(at).copied().unwrap_or_default();
    // Old versions that go with their rule, or that mean nothing beside the others any more.
    let lost = |name: &str| {
        let gone = old.rules.iter().enumerate().filter(|(at, rule)| {
            rule.name == *name && old.drain(*at as u32).is_some() && !kept.contains(&Some(*at as u32))
        });
        gone.fold((0, 0), |sum, (at, _)| (sum.0 + of(loads, at).keys, sum.1 + of(loads, at).open))
    };
    let change = |rule: &Rule, change: Change, was: Option<usize>, goes_on: RuleStats| {
        let load = was.map_or_else(RuleStats::default, |was| of(loads, was));
        let rest = was.and_then(|was| drained.iter().position(|drained| *drained == Some(was as u32)));
        let rest_load = rest.map_or_else(RuleStats::default, |rest| of(now, rest));
        // Of windows all that have begun go on; those that only wait are the new version's.
        let divided = rest.is_some_and(|rest| next.owners().any(|(rule, _)| rule as usize == rest));
        let load = if divided { rest_load } else { load };
        let (lost_keys, lost_open) = lost(&rule.name);
        let dropped_keys = load.keys.saturating_sub(goes_on.keys + rest_load.keys) + lost_keys;
        let dropped_open = load.open.saturating_sub(goes_on.open + rest_load.open) + lost_open;
        let (is_edited, drops) = (change == Change::Edited, dropped_keys + dropped_open > 0);
        let why = was.filter(|_| is_edited && drops).map(|was| {
            let renumbered = edited.is_empty() && new.adapted(old, kept).contains(&Some(was as u32));
            let why = Some(FENCES).filter(|_| renumbered && rest.is_none());
            let why = why.or_else(|| new.keeps_from_draining(old, was as u32));
            why.unwrap_or(if rest.is_some() { OTHERWISE } else { GONE })
        });
        let now = new.find(&rule.name).filter(|_| is_edited);
        RuleChange {
            name: rule.name.clone(),
            version: rule.version.clone(),
            change,
            keys: goes_on.keys,
            open: goes_on.open,
            drained_keys: rest_load.keys,
            drained_open: rest_load.open,
            dropped_keys,
            dropped_open,
            why,
            from_ms: now.and_then(|now| next.windows_from_ms(now as u32)),
        }
    };
    let mut rules = Vec::with_capacity(new.rules.len());
    for (at, (rule, kept)) in new.rules.iter().zip(kept).enumerate().filter(|(at, _)| new.drain(*at as u32).is_none()) {
        let was = old.find(&rule.name);
        let what = match (kept, was) {
            (Some(_), _) => Change::Kept,
            (None, Some(_)) => Change::Edited,
            (None, None) => Change::Started,
        };
        // What it knows of windows that its old version ends is nothing of its own.
        let goes_on = kept.is_some() || edited.get(at).is_some_and(Option::is_some);
        rules.push(change(rule, what, was, if goes_on { of(now, at) } else { RuleStats::default() }));
    }
    let gone = |(at, rule): &(usize, &Rule)| old.drain(*at as u32).is_none() && new.find(&rule.name).is_none();
    let gone = old.rules.iter().enumerate().filter(gone);
    rules.extend(gone.map(|(at, rule)| change(rule, Change::Removed, Some(at), RuleStats::default())));
    rules
}

fn renumber(output: &mut Output, rule: u32, rank: u32, fences: Option<&FenceMap>) {
    (output.rule, output.rank) = (rule, rank);
    if let Some(fences) = fences {
        renumber_values(&mut output.emission.values, fences);
    }
}

fn renumber_values(values: &mut [Value], fences: &FenceMap) {
    for value in values {
        *value = fences.value(std::mem::replace(value, Value::Null));
    }
}

impl<K: Kernel + 'static> KeyedOperator<K> {
    /// Goes on with what still counts of the state of an operator of an edited rule over the same partitions; the rest goes on in `rest`.
    pub(super) fn migrate_from(&mut self, mut old: Self, mut rest: Option<&mut Self>) -> bool {
        let Some(migration) = self.kernel.migration(&old.kernel) else {
            match rest {
                Some(rest) => return rest.drain_from(old, None),
                None => old.discard(),
            }
            return false;
        };
        let mut spill = old.spill.take();
        let cold = spill.as_ref().map(|spill| spill.look());
        let keys = old.partitions.len();
        let kernel = Arc::clone(&old.kernel);
        let mut part = |group: KeyGroup, key: Key, partition: Partition<K::State>, own: &mut Self| {
            if let Some(rest) = &mut rest {
                let mut left = partition.clone();
                rest.kernel.leave(&migration, &mut left.kernel);
                rest.take_in(group, key.clone(), left);
            }
            own.migrate_key((&*kernel, &migration), group, key, partition);
        };
        for (group, key, partition) in old.partitions.into_entries() {
            part(group, key, partition, self);
        }
        let codec = PartitionCodec { kernel: &*old.kernel, rule: &old.rule };
        self.each_away(cold.as_ref(), &codec, keys, part);
        spill.iter_mut().for_each(|spill| spill.discard());
        if let Some(mut old) = old.passing {
            if let Some(other) = rest.as_mut().and_then(|rest| rest.passing.as_mut()) {
                let copied = old.copy_to(other, self.groups);
                self.note_fault(copied);
            }
            if let Some(passing) = &mut self.passing {
                (passing.entities, passing.spill) = (old.entities, old.spill);
            }
        }
        if let Some(rest) = rest {
            (rest.instant, rest.wall_ms) = (old.instant.clone(), old.wall_ms);
            rest.keep_here(keys);
        }
        (self.instant, self.wall_ms) = (old.instant, old.wall_ms);
        true
    }

    /// Goes on with the state of an operator of the same rule. Where fences have new numbers it is written and read again, as the
    /// numbers can be anywhere in it; otherwise it is moved.
    pub(super) fn go_on_from(&mut self, mut old: Self, fences: Option<&FenceMap>) -> bool {
        if let Some(fences) = fences {
            if !self.go_on_renumbered(&mut old, fences) {
                return false;
            }
            old.instant.iter_mut().for_each(|event| renumber_values(&mut event.event.values, fences));
        } else {
            // What a checkpoint holds of it stays lent.
            (self.partitions, self.spill) = (old.partitions, old.spill);
            self.open = old.open;
            self.waiting = old.waiting;
            if let (Some(passing), Some(old)) = (&mut self.passing, old.passing) {
                (passing.entities, passing.spill) = (old.entities, old.spill);
            }
        }
        (self.instant, self.wall_ms) = (old.instant, old.wall_ms);
        self.own_waiting();
        true
    }

    /// What waits for the wall clock is this rule's.
    pub(super) fn own_waiting(&mut self) {
        let (rule, rank) = (self.ix, self.rank);
        self.waiting.iter_mut().for_each(|output| renumber(output, rule, rank, None));
    }

    fn migrate_key(
        &mut self,
        (old, migration): (&K, &[bool]),
        group: KeyGroup,
        key: Key,
        mut partition: Partition<K::State>,
    ) {
        self.kernel.migrate(old, migration, &mut partition.kernel);
        self.take_in(group, key, partition);
    }

    /// Goes on with a key, unless there is nothing to go on with.
    pub(super) fn take_in(&mut self, group: KeyGroup, key: Key, partition: Partition<K::State>) {
        if self.is_done(&partition) {
            return;
        }
        self.open += self.kernel.open(&partition.kernel);
        let deadline_ms = partition.deadline(&*self.kernel, &self.rule);
        if let Some(place) = self.partitions.insert(group, key, partition) {
            self.partitions.schedule(place, deadline_ms);
            self.spill.iter_mut().for_each(|spill| spill.mark(place));
        }
    }

    /// The states written and read again, with other numbers of fences; group by group, so that those in the store needn't all be here.
    fn go_on_renumbered(&mut self, old: &mut Self, fences: &FenceMap) -> bool {
        let keys = old.resident();
        let frozen = Operator::freeze(old, u64::MAX);
        for (group, _) in frozen.groups() {
            let mut writer = Writer::new();
            let saved = frozen.save_group(group, &mut writer);
            self.note_fault(saved);
            let bytes = writer.into_bytes();
            if self.load_group(KeyGroup(group), &mut Reader::renumbering(&bytes, fences)).is_err() {
                return false;
            }
            self.keep_here(keys);
        }
        let mut writer = Writer::new();
        frozen.save_waiting(&mut writer);
        old.discard();
        let bytes = writer.into_bytes();
        self.load_waiting(&mut Reader::renumbering(&bytes, fences), &|_| true).is_ok()
    }
}
