//! NEAR as a kernel: all entities of a partition are one state, and its outputs are of pairs.

use super::kernel::Kernel;
use crate::{
    expr::Env,
    model::{Clock, DecodeError, Emission, Key, Reader, TimeMs, Writer},
    op::near::{KeyState, Program, Scratch},
};

impl Kernel for Program {
    type State = KeyState;
    type Scratch = Scratch;

    fn blank(&self) -> KeyState {
        Program::blank(self)
    }

    fn step(&self, state: &mut KeyState, scratch: &mut Scratch, input: usize, env: &Env<'_>, out: &mut Vec<Emission>) {
        Program::step(self, state, scratch, input, env, out);
    }

    fn advance(
        &self,
        state: &mut KeyState,
        scratch: &mut Scratch,
        to_ms: TimeMs,
        clock: Clock,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        Program::advance(self, state, scratch, to_ms, clock, env, out);
    }

    fn deadline(&self, state: &KeyState) -> Option<TimeMs> {
        Program::deadline(self, state)
    }

    fn is_idle(&self, state: &KeyState) -> bool {
        state.is_idle()
    }

    fn save(&self, state: &KeyState, writer: &mut Writer) {
        state.save(writer);
    }

    fn load(&self, reader: &mut Reader<'_>) -> Result<KeyState, DecodeError> {
        KeyState::load(self, reader)
    }

    fn take_shed(&self, _: &mut Scratch) -> u64 {
        0
    }

    fn migration(&self, old: &Self) -> Option<Vec<bool>> {
        self.knows_all_of(old).then(Vec::new)
    }

    fn migrate(&self, old: &Self, _: &[bool], state: &mut KeyState) {
        self.adapt(old, state);
    }

    fn open(&self, state: &KeyState) -> usize {
        state.open_pairs()
    }

    fn key(&self, _: &Key, emission: &Emission) -> Key {
        Program::key(self, emission)
    }
}
