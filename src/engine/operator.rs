//! One rule on one shard: its kernel, the state of its keys, and the order of work on an event.

use super::{
    inbox::OwnedEvent,
    kernel::Kernel,
    keyed::{Keyed, Place},
    output::{Moment, Output},
    partition::{Frozen, FrozenOperator, Partition},
    snapshot::{load_outputs, save_outputs},
};
use crate::{
    expr::{Env, Nothing, Past, Previous, World},
    model::{Clock, DecodeError, Emission, EventRef, Header, Key, KeyGroup, Reader, StreamId, TimeMs, Value, Writer},
    op::through,
    plan::{self, ClockPolicy},
};
use smallvec::SmallVec;
use std::{cell::OnceCell, sync::Arc};

/// One rule on one shard.
pub(super) trait Operator: Send {
    /// Takes an event that was routed here by `key`.
    fn step(&mut self, input: usize, event: EventRef<'_>, key: &Key, out: &mut Vec<Output>);
    /// Lets time pass for all keys.
    fn advance(&mut self, to: &Moment, out: &mut Vec<Output>);
    /// When `advance` may next do something; it never does anything before.
    fn due(&self) -> Option<TimeMs>;
    /// No event and no time reach it any more.
    fn stop(&mut self);
    /// Keys with state, and what they hold open.
    fn load_figures(&self) -> (usize, usize);
    /// What was dropped since it was last asked, because a bound was reached.
    fn take_shed(&mut self) -> u64;
    /// Writes the states of all keys.
    fn save(&self, writer: &mut Writer);
    /// Reads the states of the keys whose routing key `mine` says yes to.
    fn load(&mut self, reader: &mut Reader<'_>, mine: &dyn Fn(KeyGroup) -> bool) -> Result<(), DecodeError>;
    /// Lends the states of all keys as they are now.
    fn freeze(&mut self, barrier: u64) -> Box<dyn Frozen>;
    /// Reads the states of a group's keys.
    fn load_group(&mut self, group: KeyGroup, reader: &mut Reader<'_>) -> Result<(), DecodeError>;
    /// Reads the outputs that wait for the wall clock, those whose routing key `mine` says yes to.
    fn load_waiting(&mut self, reader: &mut Reader<'_>, mine: &dyn Fn(KeyGroup) -> bool) -> Result<(), DecodeError>;
}

struct Passing {
    program: through::Program,
    entities: Keyed<through::KeyState>,
    scratch: Vec<[Value; 3]>,
}

pub(super) struct KeyedOperator<K: Kernel> {
    rule: Arc<plan::Rule>,
    ix: u32,
    rank: u32,
    kernel: Arc<K>,
    world: Arc<World>,
    groups: u32,
    /// How many previous events are kept.
    depth: usize,
    partitions: Keyed<Partition<K::State>>,
    passing: Option<Passing>,
    blank: Option<Partition<K::State>>,
    scratch: K::Scratch,
    computed: Vec<OnceCell<Value>>,
    emissions: Vec<Emission>,
    /// What timers put out by event time and the wall clock hasn't confirmed: only where the rule waits for it.
    waiting: Vec<Output>,
    /// Events of the instant at hand: only where the rule orders them.
    instant: Vec<Unordered>,
    /// What all keys hold open. Kept up, as nobody may look at a million keys a few times per second.
    open: usize,
    stopped: bool,
}

/// An event that waits for the others of its instant.
struct Unordered {
    order: Key,
    input: usize,
    event: OwnedEvent,
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
    ) -> Self {
        let passing = rule.through.as_ref().map(|through| Passing {
            program: through::Program::new(through),
            entities: Keyed::new(groups),
            scratch: Vec::new(),
        });
        let computed = rule.inputs.iter().map(|input| input.computed.len()).max().unwrap_or(0);
        Self {
            depth: usize::from(rule.looks_back()),
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
            open: 0,
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
                None => Partition { previous: None, older: None, kernel: self.kernel.blank() },
            }),
        };
        let was_open = self.kernel.open(&partition.kernel);
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
        if plan.after.as_ref().is_none_or(|after| after.is_true(&env)) {
            self.kernel.step(&mut partition.kernel, &mut self.scratch, input, &env, &mut self.emissions);
        }
        if self.depth > 0 {
            let values = plan.prev.iter().map(|expr| expr.value(&env)).collect();
            partition.previous = Some(Past { time_ms: event.time_ms(), values });
        }
        if let (2.., Some(previous)) = (self.depth, previous) {
            let older = &mut partition.older.get_or_insert_default().0;
            older.truncate(self.depth.saturating_sub(2));
            older.push_front(previous);
        }
        let (rule, rank) = (self.ix, self.rank);
        let outputs = self.emissions.drain(..).map(|emission| Output { rule, rank, key: key.clone(), emission });
        match self.rule.clock {
            ClockPolicy::Wall => keep_back(outputs, &mut self.waiting, out),
            _ => out.extend(outputs),
        }

        let deadline_ms = self.kernel.deadline(&partition.kernel);
        let idle = partition.previous.is_none() && self.kernel.is_idle(&partition.kernel);
        let is_open = if idle { 0 } else { self.kernel.open(&partition.kernel) };
        self.open = (self.open + is_open).saturating_sub(was_open);
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
        let kernel = &mut entry.state.kernel;
        let was_open = self.kernel.open(kernel);
        self.kernel.advance(kernel, &mut self.scratch, to_ms, clock, &env, &mut self.emissions);
        let deadline_ms = self.kernel.deadline(kernel);
        let idle = entry.state.previous.is_none() && self.kernel.is_idle(kernel);
        let is_open = if idle { 0 } else { self.kernel.open(kernel) };
        self.open = (self.open + is_open).saturating_sub(was_open);
        let (rule, rank) = (self.ix, self.rank);
        let key = &entry.key;
        let outputs = self.emissions.drain(..).map(|emission| Output { rule, rank, key: key.clone(), emission });
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

/// What events decided goes at once; what timers did waits for the wall clock.
fn keep_back(outputs: impl Iterator<Item = Output>, waiting: &mut Vec<Output>, out: &mut Vec<Output>) {
    for output in outputs {
        let waits = output.emission.clock.is_some();
        if waits { waiting.push(output) } else { out.push(output) }
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
        (self.partitions.len(), self.open)
    }

    fn take_shed(&mut self) -> u64 {
        self.kernel.take_shed(&mut self.scratch)
    }

    fn save(&self, writer: &mut Writer) {
        self.partitions.save(writer, |partition, writer| partition.save(&*self.kernel, writer));
        if let Some(passing) = &self.passing {
            passing.entities.save(writer, through::KeyState::save);
        }
        save_outputs(&self.waiting, writer);
    }

    fn load(&mut self, reader: &mut Reader<'_>, mine: &dyn Fn(KeyGroup) -> bool) -> Result<(), DecodeError> {
        let (rule, groups) = (Arc::clone(&self.rule), self.groups);
        let home = |key: &Key| Some(rule.routing_key(key).group(groups)).filter(|&group| mine(group));
        self.load_keys(reader, &home, &|key| Some(key.group(groups)).filter(|&group| mine(group)))?;
        self.load_waiting(reader, mine)
    }

    fn freeze(&mut self, barrier: u64) -> Box<dyn Frozen> {
        Box::new(FrozenOperator {
            kernel: Arc::clone(&self.kernel),
            partitions: self.partitions.freeze(barrier),
            entities: self.passing.as_mut().map(|passing| passing.entities.freeze(barrier)),
            waiting: self.waiting.clone(),
        })
    }

    fn load_group(&mut self, group: KeyGroup, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.load_keys(reader, &|_| Some(group), &|_| Some(group))
    }

    fn load_waiting(&mut self, reader: &mut Reader<'_>, mine: &dyn Fn(KeyGroup) -> bool) -> Result<(), DecodeError> {
        let (rule, ix, rank) = (Arc::clone(&self.rule), self.ix, self.rank);
        let waiting = load_outputs(reader)?.into_iter();
        let own = waiting.filter(|output| mine(rule.routing_key(&output.key).group(self.groups)));
        self.waiting.extend(own.map(|output| Output { rule: ix, rank, ..output }));
        Ok(())
    }
}

type Home<'a> = &'a dyn Fn(&Key) -> Option<KeyGroup>;

impl<K: Kernel> KeyedOperator<K> {
    fn load_keys(&mut self, reader: &mut Reader<'_>, home: Home<'_>, own: Home<'_>) -> Result<(), DecodeError> {
        let kernel = Arc::clone(&self.kernel);
        let mut open = 0;
        let count = |partition: &Partition<K::State>| open += kernel.open(&partition.kernel);
        self.partitions.load(reader, home, |reader| Partition::load(&*kernel, reader), count)?;
        self.open += open;
        if let Some(passing) = &mut self.passing {
            let set = passing.program.set();
            passing.entities.load(reader, own, |reader| Ok((through::KeyState::load(set, reader)?, None)), |_| ())?;
        }
        Ok(())
    }
}
