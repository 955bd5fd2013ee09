//! What a partition holds of partial matches, and the memory that is lent to each step.

use super::{
    buffer::Buffer,
    compact::{Sets, Work},
    flatten::FlatState,
    graph::Kind,
    heap,
    line::Line,
};
use crate::model::TimeMs;

/// No node: a partial match that has taken nothing yet.
pub(super) const NONE: u32 = u32::MAX;

/// No deadline.
pub(super) const NEVER: TimeMs = TimeMs::MAX;

/// A partial match: where it is in the automaton and the last event that it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// When its first event happened, and the event's number in the partition.
    pub(super) start_ms: TimeMs,
    pub(super) start_seq: u64,
    /// When the element before was decided: its last event, or the end of an absence.
    pub(super) since_ms: TimeMs,
    /// When time alone changes something for it.
    pub(super) deadline: TimeMs,
    pub(super) node: u32,
    pub(super) state: u16,
}

/// The match that has not begun. There always is exactly one.
pub(super) const START: Run =
    Run { start_ms: TimeMs::MAX, start_seq: u64::MAX, since_ms: 0, deadline: NEVER, node: NONE, state: 0 };

/// All partial matches of one partition, in the form that the program's conditions allow. Small, as keys are many and most hold little.
#[derive(Clone, Debug, Default)]
pub struct KeyState {
    pub(super) form: Form,
}

/// How partial matches are kept.
#[derive(Clone, Debug, Default)]
pub(super) enum Form {
    /// There are none.
    #[default]
    Blank,
    /// One by one.
    Single(Box<Single>),
    /// As sets.
    Sets(Sets),
    /// By when they began, where all that a match holds comes one after the other.
    Line(Line),
}

/// Partial matches one by one.
#[derive(Clone, Debug)]
pub(super) struct Single {
    /// A heap (see `heap`); empty: only the match that has not begun.
    pub(super) runs: Vec<Run>,
    /// Finished matches that wait for an earlier start, a heap.
    pub(super) finished: Vec<Run>,
    pub(super) buffer: Buffer,
    pub(super) next_seq: u64,
    pub(super) deadline: TimeMs,
    /// How many matches there were, where a measure asks for it.
    pub(super) matches: u64,
    /// What a bound dropped since an output last told of it.
    pub(super) dropped: u64,
}

impl Default for Single {
    fn default() -> Self {
        Self {
            runs: Vec::new(),
            finished: Vec::new(),
            buffer: Buffer::default(),
            next_seq: 0,
            deadline: NEVER,
            matches: 0,
            dropped: 0,
        }
    }
}

impl KeyState {
    /// When time alone next changes something here.
    #[inline]
    pub fn deadline(&self) -> Option<TimeMs> {
        let deadline = match &self.form {
            Form::Blank => NEVER,
            Form::Single(single) => single.deadline,
            Form::Sets(sets) => sets.deadline(),
            Form::Line(line) => line.deadline(),
        };
        (deadline != NEVER).then_some(deadline)
    }

    /// Whether it holds nothing: the state may be dropped.
    #[inline]
    pub fn is_idle(&self) -> bool {
        match &self.form {
            Form::Blank => true,
            Form::Single(single) => single.is_idle(),
            Form::Sets(sets) => sets.is_idle(),
            Form::Line(line) => line.is_idle(),
        }
    }

    /// Makes one that holds nothing as it was at first, but for memory that is kept where it isn't much.
    pub fn clear(&mut self) {
        match &mut self.form {
            Form::Blank => {}
            Form::Single(single) => single.clear(),
            Form::Sets(sets) if sets.is_idle() => sets.change(|held| held.dropped = 0),
            Form::Line(line) if line.is_idle() => {}
            Form::Sets(_) | Form::Line(_) => self.form = Form::Blank,
        }
    }

    /// Looks at the memory that the next event will need: first what is next to the state, then what that leads to.
    #[inline]
    pub(super) fn touch(&self, further: bool) -> u64 {
        match &self.form {
            Form::Blank => 0,
            Form::Single(single) => match further {
                false => single.deadline as u64 ^ single.next_seq ^ single.runs.len() as u64,
                true => single.runs.first().map_or(0, |run| u64::from(run.node)) ^ single.buffer.touch(),
            },
            Form::Sets(sets) => sets.touch(further),
            Form::Line(line) => line.touch(),
        }
    }

    /// Its partial matches one by one, where they are kept so.
    pub(super) fn single(&self) -> Option<&Single> {
        match &self.form {
            Form::Single(single) => Some(single),
            _ => None,
        }
    }

    /// The same, to be changed: nothing where they are kept otherwise.
    pub(super) fn single_mut(&mut self) -> &mut Single {
        if !matches!(self.form, Form::Single(_)) {
            self.form = Form::Single(Box::default());
        }
        match &mut self.form {
            Form::Single(single) => single,
            // INVARIANT: it has just been made so.
            _ => unreachable!("the form was set above"),
        }
    }

    /// How many partial matches it holds, finished ones that wait included; in compact form how many events have begun one.
    #[inline]
    pub fn partial_matches(&self) -> usize {
        match &self.form {
            Form::Blank => 0,
            Form::Single(single) => single.runs.len().saturating_sub(1) + single.finished.len(),
            Form::Sets(sets) => sets.starts(),
            Form::Line(line) => line.partial_matches(),
        }
    }

    /// Bytes on the heap that it holds on to.
    pub fn heap_bytes(&self) -> usize {
        match &self.form {
            Form::Blank => 0,
            Form::Single(single) => {
                let runs = single.runs.capacity() + single.finished.capacity();
                size_of::<Single>() + runs * size_of::<Run>() + single.buffer.heap_bytes()
            }
            Form::Sets(sets) => sets.heap_bytes(),
            Form::Line(line) => line.heap_bytes(),
        }
    }
}

impl Single {
    pub(super) fn is_idle(&self) -> bool {
        self.matches == 0 && self.holds_no_match()
    }

    fn holds_no_match(&self) -> bool {
        self.runs.len() <= 1 && self.finished.is_empty()
    }

    fn clear(&mut self) {
        self.runs.clear();
        self.finished.clear();
        self.buffer.reset();
        (self.next_seq, self.deadline, self.matches, self.dropped) = (0, NEVER, 0, 0);
    }

    /// Drops the partial matches of which `over` is true; the match that has not begun always stays. Ends with [`settle`](Self::settle).
    pub(super) fn drop_runs(runs: &mut Vec<Run>, buffer: &mut Buffer, over: impl Fn(&Run, &Buffer) -> bool) {
        heap::remove(runs, |run| {
            let gone = run.node != NONE && over(run, buffer);
            if gone {
                buffer.release(run.node);
            }
            gone
        });
    }

    /// After partial matches were dropped: when what is left is due; where nothing is left nothing is kept.
    pub(super) fn settle(&mut self) {
        if self.runs.len() <= 1 {
            self.runs.clear();
        }
        self.deadline = self.runs.iter().map(|run| run.deadline).min().unwrap_or(NEVER);
        if self.runs.is_empty() && self.finished.is_empty() {
            self.buffer.reset();
            self.next_seq = 0;
        }
    }

    /// Takes over the partial matches of a step.
    pub(super) fn replace(&mut self, runs: &[Run]) {
        self.runs.clear();
        if runs.len() > 1 {
            self.runs.extend_from_slice(runs);
        }
        self.deadline = runs.iter().map(|run| run.deadline).min().unwrap_or(NEVER);
        if self.holds_no_match() {
            self.buffer.reset();
            self.next_seq = 0;
        }
    }
}

/// What happened that a user should know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Partial matches dropped because a partition had too many, and matches because an event ended too many.
    pub shed: u64,
    /// Matches without the variable that AFTER MATCH SKIP TO … OR FAIL names, or that begin with the event skipped to.
    pub skip_misses: u64,
}

/// Memory that is reused from step to step, by whatever partition; it holds nothing between steps.
#[derive(Debug, Default)]
pub struct Scratch {
    /// What happened since the counts were last taken.
    pub counts: Counts,
    /// The kind of the event that comes next, where it was found before (see [`Program::kind`](super::Program::kind)).
    pub kind: Option<u32>,
    pub(super) next: Vec<Run>,
    pub(super) done: Vec<Run>,
    pub(super) late: Vec<Run>,
    pub(super) passed: Vec<u16>,
    /// Of each partial match the way that it goes, where that is known.
    pub(super) ways: Vec<Option<u32>>,
    pub(super) path: Vec<u32>,
    pub(super) cache: Vec<(u64, bool)>,
    pub(super) stamp: u64,
    pub(super) work: Work,
    /// Where the measures look for a match that is kept otherwise than one by one.
    pub(super) lent: Single,
}

/// Whether a state is the end of the pattern.
pub(super) fn is_end(state: &FlatState) -> bool {
    state.kind == Kind::Final
}
