//! What the machine asks of a kernel, whatever it computes.

use super::{
    keyed::Entry,
    partition::{Aside, Partition, State},
};
use crate::{
    expr::{Env, Past},
    model::{Clock, DecodeError, Emission, EventRef, Key, Reader, TimeMs, Writer},
    op::{
        cluster, join, latest, near, pattern,
        window::{self, Owned},
    },
};

/// A kernel: an immutable program that steps the state of one key at a time.
///
/// Contract: `step` first fires what is due at or before the event's time, in order of time, and then takes the event;
/// `advance` fires what is due at or before the time given. Both see one key's events and times in order.
pub(super) trait Kernel: Send + Sync {
    /// The state of a key.
    type State: State;
    /// Reused space of a shard, never saved.
    type Scratch: Send + Default;

    /// The state of a key that was never seen.
    fn blank(&self) -> Self::State;
    /// Takes an event.
    fn step(
        &self,
        state: &mut Self::State,
        scratch: &mut Self::Scratch,
        input: usize,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    );
    /// Takes a late event as of `found_ms`, when it was found to be late; only where the rule takes late events.
    fn step_late(
        &self,
        _state: &mut Self::State,
        _scratch: &mut Self::Scratch,
        _input: usize,
        _env: &Env<'_>,
        _found_ms: TimeMs,
        _out: &mut Vec<Emission>,
    ) {
    }
    /// Takes an event as if it were of the time at which it arrived; only where the rule's windows are over that.
    fn step_arrived(
        &self,
        _state: &mut Self::State,
        _scratch: &mut Self::Scratch,
        _input: usize,
        _env: &Env<'_>,
        _time_ms: TimeMs,
        _out: &mut Vec<Emission>,
    ) {
    }
    /// Lets time pass.
    fn advance(
        &self,
        state: &mut Self::State,
        scratch: &mut Self::Scratch,
        to_ms: TimeMs,
        clock: Clock,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    );
    /// When `advance` would next do something.
    fn deadline(&self, state: &Self::State) -> Option<TimeMs>;
    /// Whether every state is always blank: each event stands alone.
    fn keeps_nothing(&self) -> bool {
        false
    }
    /// Whether the state is as good as blank.
    fn is_idle(&self, state: &Self::State) -> bool;
    /// Whether all that `advance` to this time would do is to make the state as good as blank, with nothing put out. False may be wrong.
    fn fades(&self, _: &Self::State, _to_ms: TimeMs) -> bool {
        false
    }
    /// Makes a state that is as good as blank blank again, keeping memory for the next key; false: there is none worth keeping.
    fn clear(&self, _: &mut Self::State) -> bool {
        false
    }
    /// Writes the state.
    fn save(&self, state: &Self::State, writer: &mut Writer);
    /// Reads a state.
    fn load(&self, reader: &mut Reader<'_>) -> Result<Self::State, DecodeError>;
    /// Takes the count of what was dropped since it was last asked, because a bound was reached.
    fn take_shed(&self, scratch: &mut Self::Scratch) -> u64;
    /// Takes the count of matches without what AFTER MATCH SKIP … OR FAIL names since it was last asked.
    fn take_skip_misses(&self, _: &mut Self::Scratch) -> u64 {
        0
    }
    /// What of the states of `old`, a kernel over the same inputs, goes on here, to be handed to `migrate`; none: nothing.
    fn migration(&self, _: &Self) -> Option<Vec<bool>> {
        None
    }
    /// Makes a state of the other kernel one of this one: what doesn't go on is dropped.
    fn migrate(&self, _old: &Self, _: &[bool], _: &mut Self::State) {}
    /// Makes a state what `migrate` of the other kernel would drop of it.
    fn leave(&self, _: &[bool], state: &mut Self::State) {
        *state = self.blank();
    }
    /// Only results of these windows are put out from now on; the others are another version's. Nothing where there are no windows.
    fn own(&self, _: &mut Self::Scratch, _: Owned) {}
    /// Until when keys that are new may have one of these windows; none where nothing begins in an old version.
    fn opens_until(&self, _: Owned) -> Option<TimeMs> {
        None
    }
    /// Whether something of a state in an old version is still to come to its end.
    fn owes(&self, state: &Self::State, _: Owned) -> bool {
        self.open(state) > 0
    }
    /// A state that knows of what an old version has begun and ends, so that what comes next follows from it.
    fn follow(&self, _old: &Self, _: &Self::State) -> Self::State {
        self.blank()
    }
    /// The number of the key's next event, in an order that is the same for all keys that take over from one another.
    fn number(&self, _: &mut Self::State, _: u64) {}
    /// Takes over what the states of other keys hold open, beside what its own does.
    fn inherit(&self, _: &mut Self::State, _: &mut Self::Scratch, _: &[&Self::State]) {}
    /// Other keys have taken over what the state held open before this instant.
    fn retire(&self, _: &mut Self::State, _now_ms: TimeMs) {}
    /// The kind of an event of an input, where that follows from the event alone: for `tell` and `touch`.
    fn kind(&self, _input: usize, _event: EventRef<'_>) -> Option<u32> {
        None
    }
    /// Tells the next `step` the kind of its event, if it is known, so that it needn't be found again.
    fn tell(&self, _: &mut Self::Scratch, _kind: Option<u32>) {}
    /// Looks at the memory of a state that the next event, of this kind if that is known, will need, so that it is at hand by then;
    /// `further`: at what the state leads to. What it gives says nothing.
    fn touch(&self, _: &Self::State, _kind: Option<u32>, _further: bool) -> u64 {
        0
    }
    /// How many partial matches, open windows or the like the state holds.
    fn open(&self, state: &Self::State) -> usize;
    /// When time alone next makes that less, where `deadline` doesn't say: it need not come out with anything then.
    fn eases_ms(&self, _: &Self::State) -> Option<TimeMs> {
        None
    }
    /// The key that an output is of: its partition's, unless the kernel tells the outputs of a partition apart.
    fn key(&self, partition: &Key, _: &Emission) -> Key {
        partition.clone()
    }
}

macro_rules! state {
    ($($state:ty: $before:ty),*) => {
        $(impl State for $state {
            type Before = $before;
        })*
    };
}

// Filters keep nothing else; of patterns few look back.
state!(
    (): Option<Past>,
    pattern::KeyState: Aside,
    window::KeyState: Aside,
    join::KeyState: Aside,
    latest::KeyState: Aside,
    near::KeyState: Aside,
    cluster::KeyState: Aside
);

// Two lines of memory for each key of a pattern, whatever it holds beside them.
const _: () = assert!(size_of::<Option<Entry<Partition<pattern::KeyState>>>>() <= 128);

macro_rules! kernel {
    ($room:ident, $open:ident, $deadline:expr, $shed:expr, $migration:expr, $migrate:expr $(, $more:item)*) => {
        impl Kernel for $room::Program {
            type State = $room::KeyState;
            type Scratch = $room::Scratch;

            $($more)*
            fn blank(&self) -> Self::State {
                $room::KeyState::default()
            }
            fn step(
                &self,
                state: &mut Self::State,
                scratch: &mut Self::Scratch,
                input: usize,
                env: &Env<'_>,
                out: &mut Vec<Emission>,
            ) {
                $room::Program::step(self, state, scratch, input, env, out);
            }
            fn advance(
                &self,
                state: &mut Self::State,
                scratch: &mut Self::Scratch,
                to_ms: TimeMs,
                clock: Clock,
                env: &Env<'_>,
                out: &mut Vec<Emission>,
            ) {
                $room::Program::advance(self, state, scratch, to_ms, clock, env, out);
            }
            fn deadline(&self, state: &Self::State) -> Option<TimeMs> {
                let deadline: fn(&Self, &Self::State) -> Option<TimeMs> = $deadline;
                deadline(self, state)
            }
            fn is_idle(&self, state: &Self::State) -> bool {
                state.is_idle()
            }
            fn save(&self, state: &Self::State, writer: &mut Writer) {
                state.save(writer);
            }
            fn load(&self, reader: &mut Reader<'_>) -> Result<Self::State, DecodeError> {
                $room::KeyState::load(self, reader)
            }
            fn take_shed(&self, scratch: &mut Self::Scratch) -> u64 {
                let take: fn(&mut Self::Scratch) -> u64 = $shed;
                take(scratch)
            }
            fn migration(&self, old: &Self) -> Option<Vec<bool>> {
                let migration: fn(&Self, &Self) -> Option<Vec<bool>> = $migration;
                migration(self, old)
            }
            fn migrate(&self, old: &Self, migration: &[bool], state: &mut Self::State) {
                let migrate: fn(&Self, &Self, &[bool], &mut Self::State) = $migrate;
                migrate(self, old, migration, state);
            }
            fn open(&self, state: &Self::State) -> usize {
                state.$open()
            }
        }
    };
}

impl Kernel for cluster::Program {
    type State = cluster::KeyState;
    type Scratch = ();

    fn blank(&self) -> Self::State {
        cluster::Program::blank(self)
    }
    fn step(&self, state: &mut Self::State, (): &mut (), input: usize, env: &Env<'_>, out: &mut Vec<Emission>) {
        cluster::Program::step(self, state, input, env, out);
    }
    fn advance(
        &self,
        state: &mut Self::State,
        (): &mut (),
        to_ms: TimeMs,
        clock: Clock,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        cluster::Program::advance(self, state, to_ms, clock, env, out);
    }
    fn deadline(&self, state: &Self::State) -> Option<TimeMs> {
        cluster::Program::deadline(self, state)
    }
    fn is_idle(&self, state: &Self::State) -> bool {
        state.is_idle()
    }
    fn save(&self, state: &Self::State, writer: &mut Writer) {
        state.save(writer);
    }
    fn load(&self, reader: &mut Reader<'_>) -> Result<Self::State, DecodeError> {
        cluster::KeyState::load(self, reader)
    }
    fn take_shed(&self, (): &mut ()) -> u64 {
        0
    }
    fn open(&self, state: &Self::State) -> usize {
        state.regions()
    }
    // What its cells and regions are is the same where the plan says that a state may go on.
    fn migration(&self, _: &Self) -> Option<Vec<bool>> {
        Some(Vec::new())
    }
    fn migrate(&self, old: &Self, _: &[bool], state: &mut Self::State) {
        self.adapt(old, state);
    }
}

kernel!(
    pattern,
    partial_matches,
    |_, state| state.deadline(),
    |scratch| std::mem::take(&mut scratch.counts.shed),
    pattern::Program::migration,
    |program, _, migration, state| state.migrate(program, migration),
    fn leave(&self, migration: &[bool], state: &mut pattern::KeyState) {
        state.leave(self, migration);
    },
    fn take_skip_misses(&self, scratch: &mut pattern::Scratch) -> u64 {
        std::mem::take(&mut scratch.counts.skip_misses)
    },
    fn number(&self, state: &mut pattern::KeyState, number: u64) {
        state.number(number);
    },
    fn inherit(&self, state: &mut pattern::KeyState, scratch: &mut pattern::Scratch, from: &[&pattern::KeyState]) {
        pattern::Program::inherit(self, state, scratch, from);
    },
    fn retire(&self, state: &mut pattern::KeyState, now_ms: TimeMs) {
        state.retire(now_ms);
    },
    fn clear(&self, state: &mut pattern::KeyState) -> bool {
        state.clear();
        true
    },
    fn kind(&self, input: usize, event: EventRef<'_>) -> Option<u32> {
        pattern::Program::kind(self, input, event)
    },
    fn tell(&self, scratch: &mut pattern::Scratch, kind: Option<u32>) {
        scratch.kind = kind;
    },
    fn touch(&self, state: &pattern::KeyState, kind: Option<u32>, further: bool) -> u64 {
        pattern::Program::touch(self, state, kind, further)
    },
    fn eases_ms(&self, state: &pattern::KeyState) -> Option<TimeMs> {
        pattern::Program::eases_ms(self, state)
    }
);
// Windows and aggregates are the same where the plan says that a state may go on.
kernel!(
    window,
    open_windows,
    window::Program::deadline,
    |_| 0,
    |_, _| Some(Vec::new()),
    |_, _, _, _| {},
    fn fades(&self, state: &window::KeyState, to_ms: TimeMs) -> bool {
        window::Program::fades(self, state, to_ms)
    },
    fn step_late(
        &self,
        state: &mut window::KeyState,
        scratch: &mut window::Scratch,
        input: usize,
        env: &Env<'_>,
        found_ms: TimeMs,
        out: &mut Vec<Emission>,
    ) {
        window::Program::step_late(self, state, scratch, input, env, found_ms, out);
    },
    fn step_arrived(
        &self,
        state: &mut window::KeyState,
        scratch: &mut window::Scratch,
        input: usize,
        env: &Env<'_>,
        time_ms: TimeMs,
        out: &mut Vec<Emission>,
    ) {
        window::Program::step_arrived(self, state, scratch, input, env, time_ms, out);
    },
    fn touch(&self, state: &window::KeyState, _kind: Option<u32>, _further: bool) -> u64 {
        state.touch()
    },
    fn own(&self, scratch: &mut window::Scratch, owned: Owned) {
        scratch.own(owned);
    },
    fn opens_until(&self, owned: Owned) -> Option<TimeMs> {
        self.over_ms(owned)
    },
    fn owes(&self, state: &window::KeyState, owned: Owned) -> bool {
        window::Program::owes(self, state, owned)
    },
    fn follow(&self, _: &Self, old: &window::KeyState) -> window::KeyState {
        window::Program::follow(self, old)
    }
);
kernel!(
    latest,
    kept,
    latest::Program::deadline,
    |_| 0,
    |program, old| program.knows_all_of(old).then(Vec::new),
    |program, old, _, state| program.adapt(old, state)
);
kernel!(
    join,
    events,
    join::Program::deadline,
    |scratch| std::mem::take(&mut scratch.shed),
    |_, _| None,
    |_, _, _, _| {},
    fn follow(&self, old: &Self, state: &join::KeyState) -> join::KeyState {
        join::Program::follow(self, old, state)
    }
);
