//! What the machine asks of a kernel, whatever it computes.

use crate::{
    expr::Env,
    model::{Clock, DecodeError, Emission, Reader, TimeMs, Writer},
    op::{pattern, window},
};

/// A kernel: an immutable program that steps the state of one key at a time.
///
/// Contract: `step` first fires what is due at or before the event's time, in order of time, and then takes the event;
/// `advance` fires what is due at or before the time given. Both see one key's events and times in order.
pub(super) trait Kernel: Send + Sync {
    /// The state of a key: small, serialisable.
    type State: Clone + Send + Sync;
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
    /// Whether the state is as good as blank.
    fn is_idle(&self, state: &Self::State) -> bool;
    /// Writes the state.
    fn save(&self, state: &Self::State, writer: &mut Writer);
    /// Reads a state.
    fn load(&self, reader: &mut Reader<'_>) -> Result<Self::State, DecodeError>;
    /// Takes the count of what was dropped since it was last asked, because a bound was reached.
    fn take_shed(&self, scratch: &mut Self::Scratch) -> u64;
    /// How many partial matches, open windows or the like the state holds.
    fn open(&self, state: &Self::State) -> usize;
}

macro_rules! kernel {
    ($room:ident, $open:ident, $deadline:expr, $shed:expr) => {
        impl Kernel for $room::Program {
            type State = $room::KeyState;
            type Scratch = $room::Scratch;

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
            fn open(&self, state: &Self::State) -> usize {
                state.$open()
            }
        }
    };
}

kernel!(pattern, partial_matches, |_, state| state.deadline(), |scratch| std::mem::take(&mut scratch.counts).shed);
kernel!(window, open_windows, window::Program::deadline, |_| 0);
