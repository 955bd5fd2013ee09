//! One rule on one shard: its kernel, the state of its keys, and the order of work on an event.

use super::{
    ended::Ending,
    histories::Histories,
    inbox::OwnedEvent,
    kernel::Kernel,
    keyed::{Keyed, Place},
    output::{Moment, Output, keep_back},
    partition::{Older, Partition},
    snapshot::{load_outputs, save_outputs},
};
use crate::{
    expr::{Env, Nothing, Past, Previous, World},
    model::{
        Clock, DecodeError, Emission, EventRef, FenceMap, Header, Key, KeyGroup, Reader, StreamId, TimeMs, Value,
        Writer,
    },
    op::through,
    plan::{self, ClockPolicy},
};
use smallvec::SmallVec;
use std::{any::Any, cell::OnceCell, collections::VecDeque, sync::Arc};

/// One rule on one shard.
pub(super) trait Operator: Send {
    /// Takes an event that was routed here by `key`.
    fn step(&mut self, input: usize, event: EventRef<'_>, key: &Key, out: &mut Vec<Output>);
    /// Lets time pass for all keys.
    fn advance(&mut self, to: &Moment, out: &mut Vec<Output>);
    /// When `advance` may next do something; it never does anything before.
    fn due(&self) -> Option<TimeMs>;
    /// What is worked on from now on sees this reference data.
    fn set_world(&mut self, world: &Arc<World>);
    /// No event and no time reach it any more.
    fn stop(&mut self);
    /// Keys with state, and what they hold open.
    fn load_figures(&self) -> (usize, usize);
    /// What was dropped since it was last asked, because a bound was reached.
    fn take_shed(&mut self) -> u64;
    /// For the one who takes over: what it really is.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
    /// Goes on with the state of an operator of the same rule in another plan; false, and nothing happens, where it is of
    /// another kind. `fences` are the new numbers of fences, where they change.
    fn take_over(&mut self, old: Box<dyn Operator>, fences: Option<&FenceMap>) -> bool;
    /// The same for an operator of an edited rule: what of its state still counts goes on.
    fn migrate(&mut self, old: Box<dyn Operator>) -> bool;
    /// Writes the states of all keys.
    fn save(&self, writer: &mut Writer);
    /// Reads the states of the keys whose routing key `mine` says yes to.
    fn load(&mut self, reader: &mut Reader<'_>, mine: &dyn Fn(KeyGroup) -> bool) -> Result<(), DecodeError>;
}

pub(super) struct Passing {
    program: through::Program,
    pub(super) entities: Keyed<through::KeyState>,
    scratch: Vec<[Value; 3]>,
}

pub(super) struct KeyedOperator<K: Kernel> {
    pub(super) rule: Arc<plan::Rule>,
    pub(super) ix: u32,
    pub(super) rank: u32,
    pub(super) kernel: Arc<K>,
    world: Arc<World>,
    groups: u32,
    /// How many previous events are kept.
    depth: usize,
    /// How the last event of a partition is known.
    ending: Option<Ending>,
    pub(super) partitions: Keyed<Partition<K::State>>,
    pub(super) passing: Option<Passing>,
    blank: Option<Partition<K::State>>,
    scratch: K::Scratch,
    computed: Vec<OnceCell<Value>>,
    emissions: Vec<Emission>,
    /// What timers put out by event time and the wall clock hasn't confirmed: only where the rule waits for it.
    pub(super) waiting: Vec<Output>,
    /// Events of the instant at hand: only where the rule orders them.
    pub(super) instant: Vec<Unordered>,
    stopped: bool,
}

/// An event that waits for the others of its instant.
pub(super) struct Unordered {
    order: Key,
    input: usize,
    pub(super) event: OwnedEvent,
    key: Key,
}

impl<K: Kernel> KeyedOperator<K> {
    pub(super) fn new(
        rule: Arc<plan::Rule>,
        ix: u32,
        rank: u32,
        kernel: Arc<K>,
        world: Arc<World>,
        groups: u32,
        ending: Option<Ending>,
    ) -> Self {
        let passing = rule.through.as_ref().map(|through| Passing {
            program: through::Program::new(through),
            entities: Keyed::new(groups),
            scratch: Vec::new(),
        });
        let computed = rule.inputs.iter().map(|input| input.computed.len()).max().unwrap_or(0);
        Self {
            depth: usize::from(rule.looks_back()),
            ending,
            rule,
            ix,
            rank,
            kernel,
            world,
            groups,
            partitions: Keyed::new(groups),
            passing,
            blank: None,
            scratch: K::Scratch::default(),
            computed: (0..computed).map(|_| OnceCell::new()).collect(),
            emissions: Vec::new(),
            waiting: Vec::new(),
            instant: Vec::new(),
            stopped: false,
        }
    }

    /// Work on an event in its partition: what the previous event is, `after`, the kernel, and what is kept.
    fn step_partition(
        &mut self,
        input: usize,
        event: EventRef<'_>,
        extra: &[Value],
        group: KeyGroup,
        key: &Key,
        out: &mut Vec<Output>,
    ) {
        let Some(plan) = self.rule.inputs.get(input) else { return };
        let place = self.partitions.find(group, key);
        let mut blank = None;
        let partition = match place {
            Some(place) => match self.partitions.entry(place) {
                Some(entry) => &mut entry.state,
                None => return,
            },
            None => blank.insert(match self.blank.take() {
                Some(partition) => partition,
                None => Partition {
                    previous: None,
                    older: None,
                    histories: Histories::default(),
                    kernel: self.kernel.blank(),
                },
            }),
        };
        let previous = partition.previous.take();
        let env = Env {
            event,
            extra,
            previous: previous.as_ref().map(|Past { time_ms, values }| Previous {
                time_ms: *time_ms,
                values,
                older: partition.older.as_deref().map(|older| &older.0),
            }),
            computed: (&plan.computed, &self.computed),
            key,
            bound: &Nothing,
            world: &self.world,
        };
        let usual = partition.histories.usual(&self.rule.baselines, input, &env);
        let env = if self.rule.baselines.is_empty() { env } else { Env { extra: &usual, ..env } };
        if plan.after.as_ref().is_none_or(|after| after.is_true(&env)) {
            self.kernel.step(&mut partition.kernel, &mut self.scratch, input, &env, &mut self.emissions);
        }
        let is_last = self.ending.is_some_and(|ending| ending.is_last(event.values));
        if self.depth > 0 && !is_last {
            let values = plan.prev.iter().map(|expr| expr.value(&env)).collect();
            partition.previous = Some(Past { time_ms: event.time_ms(), values });
        }
        if let (2.., Some(previous), false) = (self.depth, previous, is_last) {
            let older = &mut partition.older.get_or_insert_default().0;
            older.truncate(self.depth.saturating_sub(2));
            older.push_front(previous);
        }
        let (rule, rank) = (self.ix, self.rank);
        let outputs = self.emissions.drain(..);
        let outputs = outputs.map(|emission| Output { rule, rank, key: self.kernel.key(key, &emission), emission });
        match self.rule.clock {
            ClockPolicy::Wall => keep_back(outputs, &mut self.waiting, out),
            _ => out.extend(outputs),
        }

        let deadline_ms = partition.deadline(&*self.kernel, &self.rule);
        let idle = partition.is_idle(&*self.kernel);
        match (place, blank) {
            (Some(place), _) if idle => self.partitions.remove(place),
            (Some(place), _) => self.partitions.schedule(place, deadline_ms),
            (None, Some(partition)) if idle => self.blank = Some(partition),
            (None, Some(partition)) => {
                if let Some(place) = self.partitions.insert(group, key.clone(), partition) {
                    self.partitions.schedule(place, deadline_ms);
                }
            }
            (None, None) => {}
        }
    }

    /// Positions become passages, each an event of its own partition.
    fn step_through(&mut self, input: usize, event: EventRef<'_>, entity: &Key, out: &mut Vec<Output>) {
        let group = entity.group(self.groups);
        let Some(plan) = self.rule.inputs.get(input) else { return };
        let position = plan.position_slot.and_then(|slot| match event.values.get(usize::from(slot)) {
            Some(Value::Point(position)) => Some(*position),
            _ => None,
        });
        let Some(passing) = self.passing.as_mut() else { return };
        let place = match passing.entities.find(group, entity) {
            Some(place) => place,
            None => match passing.entities.insert(group, entity.clone(), through::KeyState::default()) {
                Some(place) => place,
                None => return,
            },
        };
        let mut passages = std::mem::take(&mut passing.scratch);
        if let Some(entry) = passing.entities.entry(place) {
            let passages = &mut passages;
            passing.program.step(&mut entry.state, &self.world, event.time_ms(), position, &mut |passage| {
                passages.push(passage.clone());
            });
            if entry.state.is_idle() {
                passing.entities.remove(place);
            }
        }
        let rule = Arc::clone(&self.rule);
        for passage in passages.drain(..) {
            self.computed.iter_mut().for_each(|cell| drop(cell.take()));
            let Some(plan) = rule.inputs.get(input) else { continue };
            let none = Key::default();
            let env = Env {
                event,
                extra: &passage,
                previous: None,
                computed: (&plan.computed, &self.computed),
                key: &none,
                bound: &Nothing,
                world: &self.world,
            };
            let parts: SmallVec<[Value; 2]> = plan.key.iter().map(|expr| expr.value(&env)).collect();
            let key = Key::new(&parts);
            self.step_partition(input, event, &passage, group, &key, out);
        }
        if let Some(passing) = self.passing.as_mut() {
            passing.scratch = passages;
        }
    }

    /// Takes an event that nothing of its instant comes before any more.
    fn take(&mut self, input: usize, event: EventRef<'_>, key: &Key, out: &mut Vec<Output>) {
        if self.passing.is_some() {
            self.step_through(input, event, key, out);
        } else {
            self.computed.iter_mut().for_each(|cell| drop(cell.take()));
            self.step_partition(input, event, &[], key.group(self.groups), key, out);
        }
    }

    /// Keeps an event until its instant is complete.
    fn keep(&mut self, input: usize, event: EventRef<'_>, key: &Key, out: &mut Vec<Output>) {
        if self.instant.first().is_some_and(|first| first.event.header.time_ms != event.time_ms()) {
            self.take_instant(out);
        }
        self.computed.iter_mut().for_each(|cell| drop(cell.take()));
        let computed = self.rule.inputs.get(input).map_or(&[][..], |plan| &plan.computed);
        let env = Env {
            event,
            extra: &[],
            previous: None,
            computed: (computed, &self.computed),
            key,
            bound: &Nothing,
            world: &self.world,
        };
        let parts: SmallVec<[Value; 2]> =
            self.rule.order.get(input).into_iter().flatten().map(|expr| expr.value(&env)).collect();
        let event = OwnedEvent { stream: event.stream, header: event.header, values: event.values.to_vec() };
        self.instant.push(Unordered { order: Key::new(&parts), input, event, key: key.clone() });
    }

    /// Takes the events of an instant in their order; what that leaves open is as they came.
    fn take_instant(&mut self, out: &mut Vec<Output>) {
        let mut instant = std::mem::take(&mut self.instant);
        instant.sort_by(|a, b| a.order.cmp(&b.order));
        for Unordered { input, event, key, .. } in instant.drain(..) {
            self.take(input, event.as_ref(), &key, out);
        }
        self.instant = instant;
    }

    fn advance_place(&mut self, place: Place, to_ms: TimeMs, clock: Clock, out: &mut Vec<Output>) {
        let Some(entry) = self.partitions.entry(place) else { return };
        let header = Header { time_ms: to_ms, partition: 0, offset: 0 };
        let env = Env {
            event: EventRef { stream: StreamId(u32::MAX), header, values: &[] },
            extra: &[],
            previous: None,
            computed: (&[], &[]),
            key: &entry.key,
            bound: &Nothing,
            world: &self.world,
        };
        let partition = &mut entry.state;
        self.kernel.advance(&mut partition.kernel, &mut self.scratch, to_ms, clock, &env, &mut self.emissions);
        partition.histories.forget(&self.rule.baselines, to_ms);
        let deadline_ms = partition.deadline(&*self.kernel, &self.rule);
        let idle = partition.is_idle(&*self.kernel);
        let (rule, rank) = (self.ix, self.rank);
        let key = &entry.key;
        let outputs = self.emissions.drain(..);
        let outputs = outputs.map(|emission| Output { rule, rank, key: self.kernel.key(key, &emission), emission });
        match self.rule.clock {
            ClockPolicy::Wall => keep_back(outputs, &mut self.waiting, out),
            _ => out.extend(outputs),
        }
        if idle {
            self.partitions.remove(place);
        } else {
            self.partitions.schedule(place, deadline_ms);
        }
    }
}

impl<K: Kernel + 'static> Operator for KeyedOperator<K> {
    fn step(&mut self, input: usize, event: EventRef<'_>, key: &Key, out: &mut Vec<Output>) {
        match (self.stopped, self.rule.order.is_empty()) {
            (true, _) => {}
            (false, true) => self.take(input, event, key, out),
            (false, false) => self.keep(input, event, key, out),
        }
    }

    fn advance(&mut self, to: &Moment, out: &mut Vec<Output>) {
        if self.stopped {
            return;
        }
        // Rules that order events see whole instants only, so that this one is complete.
        if !self.instant.is_empty() {
            self.take_instant(out);
        }
        let (to_ms, clock) = match self.rule.clock {
            ClockPolicy::Event => (to.event_ms, Clock::Event),
            ClockPolicy::EventOrWall | ClockPolicy::Wall => (to.watermark_ms, to.clock),
        };
        while let Some(place) = self.partitions.due(to_ms) {
            self.advance_place(place, to_ms, clock, out);
        }
        if to.releases {
            out.extend(self.waiting.drain(..).map(|mut output| {
                output.emission.clock = Some(to.clock);
                output
            }));
        }
    }

    fn set_world(&mut self, world: &Arc<World>) {
        self.world = Arc::clone(world);
    }

    fn stop(&mut self) {
        self.stopped = true;
    }

    fn due(&self) -> Option<TimeMs> {
        match (self.stopped, self.waiting.is_empty() && self.instant.is_empty()) {
            (true, _) => None,
            (false, false) => Some(TimeMs::MIN),
            (false, true) => self.partitions.next_timer(),
        }
    }

    fn load_figures(&self) -> (usize, usize) {
        (self.partitions.len(), self.partitions.states().map(|state| self.kernel.open(&state.kernel)).sum())
    }

    fn take_shed(&mut self) -> u64 {
        self.kernel.take_shed(&mut self.scratch)
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }

    fn take_over(&mut self, old: Box<dyn Operator>, fences: Option<&FenceMap>) -> bool {
        old.into_any().downcast::<Self>().is_ok_and(|old| self.go_on_from(*old, fences))
    }

    fn migrate(&mut self, old: Box<dyn Operator>) -> bool {
        old.into_any().downcast::<Self>().is_ok_and(|old| self.migrate_from(*old))
    }

    fn save(&self, writer: &mut Writer) {
        self.partitions.save(writer, |partition, writer| {
            let older = partition.older.iter().flat_map(|older| &older.0);
            let past: Vec<&Past> = partition.previous.iter().chain(older).collect();
            writer.len(past.len());
            for Past { time_ms, values } in past {
                writer.i64(*time_ms);
                writer.len(values.len());
                values.iter().for_each(|value| writer.value(value));
            }
            partition.histories.save(&self.rule.baselines, writer);
            self.kernel.save(&partition.kernel, writer);
        });
        if let Some(passing) = &self.passing {
            passing.entities.save(writer, through::KeyState::save);
        }
        save_outputs(&self.waiting, writer);
    }

    fn load(&mut self, reader: &mut Reader<'_>, mine: &dyn Fn(KeyGroup) -> bool) -> Result<(), DecodeError> {
        let (kernel, groups) = (Arc::clone(&self.kernel), self.groups);
        let rule = Arc::clone(&self.rule);
        let group = |key: &Key| Some(rule.routing_key(key).group(groups)).filter(|&group| mine(group));
        self.partitions.load(reader, group, |reader| {
            let past = |reader: &mut Reader<'_>| {
                let time_ms = reader.i64()?;
                let values = (0..reader.len()?).map(|_| reader.value()).collect::<Result<_, _>>()?;
                Ok::<_, DecodeError>(Past { time_ms, values })
            };
            let mut past = (0..reader.len()?).map(|_| past(reader)).collect::<Result<VecDeque<Past>, _>>()?;
            let previous = past.pop_front();
            let older = (!past.is_empty()).then(|| Box::new(Older(past)));
            let histories = Histories::load(&rule.baselines, reader)?;
            let partition = Partition { previous, older, histories, kernel: kernel.load(reader)? };
            let deadline_ms = partition.deadline(&*kernel, &rule);
            Ok((partition, deadline_ms))
        })?;
        if let Some(passing) = &mut self.passing {
            let own = |key: &Key| Some(key.group(groups)).filter(|&group| mine(group));
            let program = &passing.program;
            passing.entities.load(reader, own, |reader| {
                let state = through::KeyState::load(reader)?;
                Ok((reader.fences().into_iter().fold(state, |state, fences| program.renumber(state, fences)), None))
            })?;
        }
        let waiting = load_outputs(reader)?;
        self.waiting.extend(waiting.into_iter().filter(|output| mine(rule.routing_key(&output.key).group(groups))));
        Ok(())
    }
}
