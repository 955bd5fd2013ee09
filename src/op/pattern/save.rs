//! How a partition's partial matches are written and read. Only what is referred to is written, events and nodes in the
//! order in which the partial matches lead to them; what follows from it (references, shortcuts' owners) is made anew.

use super::{
    buffer::{Buffer, Layout},
    compact::{Compact, Edition, Sets},
    fold::Fold,
    line::Line,
    program::Program,
    state::{Form, KeyState, NEVER, NONE, Run, Single},
};
use crate::model::{DecodeError, Reader, Writer};
use std::collections::BTreeMap;

impl KeyState {
    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        match &self.form {
            Form::Sets(sets) => {
                let held = sets.held();
                writer.u64(held.dropped);
                if !sets.is_idle() {
                    writer.u8(4);
                    return held.save(writer);
                }
                Single::default().save(writer);
            }
            Form::Line(line) if !line.is_idle() => {
                writer.u64(0);
                writer.u8(3);
                line.save(writer);
            }
            Form::Blank | Form::Line(_) => {
                writer.u64(0);
                Single::default().save(writer);
            }
            Form::Single(single) => {
                writer.u64(single.dropped);
                single.save(writer);
            }
        }
    }

    /// Reads a state that was written under the same program. What is in a form that the program had before stays in it.
    ///
    /// # Errors
    /// Bytes that no state of this program gives.
    pub fn load(program: &Program, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let dropped = reader.u64()?;
        let form = match (reader.u8()?, &program.line) {
            (0, _) => {
                let single = Single::load(program, reader, dropped)?;
                let blank = single.is_idle() && single.dropped == 0 && (program.compact || program.line.is_some());
                if blank { Form::Blank } else { Form::Single(Box::new(single)) }
            }
            (form @ (1 | 2 | 4), _) if program.compact => {
                let edition = match form {
                    1 => Edition::Early,
                    2 => Edition::Valued,
                    _ => Edition::Counting,
                };
                let mut sets = Compact::load(program, reader, edition)?;
                sets.dropped = dropped;
                Form::Sets(Sets::new(sets))
            }
            (3, Some(plan)) => Form::Line(Line::load((plan, program.layout.values), program.within_ms, reader)?),
            (found, _) => {
                return Err(DecodeError::Unexpected { found: found.into(), expected: "a form of partial matches" });
            }
        };
        Ok(Self { form })
    }
}

impl Single {
    fn save(&self, writer: &mut Writer) {
        writer.u8(0);
        let mut order = Order::default();
        let runs = self.runs.iter().chain(&self.finished);
        runs.for_each(|run| order.visit(&self.buffer, run.node));
        writer.u64(self.next_seq);
        writer.u64(self.matches);
        writer.len(order.events.len());
        for &at in &order.events {
            let Some(event) = self.buffer.event(at) else { continue };
            writer.u64(event.seq);
            writer.i64(event.time_ms);
            writer.event_id(&event.id);
            self.buffer.event_values(at).iter().for_each(|value| writer.value(value));
        }
        writer.len(order.nodes.len());
        for &at in &order.nodes {
            let Some(node) = self.buffer.node(at) else { continue };
            writer.len(order.event_place.get(&node.event).copied().unwrap_or_default());
            writer.len(order.place(node.prev));
            writer.u64(u64::from(node.var));
            self.buffer.links(at).iter().for_each(|&link| writer.len(order.place(link)));
            self.buffer.folds(at).iter().for_each(|fold| fold.save(writer));
            self.buffer.marks(at).iter().for_each(|&mark| writer.i64(mark));
        }
        for runs in [&self.runs, &self.finished] {
            writer.len(runs.len());
            for run in runs {
                writer.len(order.place(run.node));
                writer.u64(u64::from(run.state));
                writer.i64(run.start_ms);
                writer.u64(run.start_seq);
                writer.i64(run.since_ms);
                writer.i64(run.deadline);
            }
        }
    }

    fn load(program: &Program, reader: &mut Reader<'_>, dropped: u64) -> Result<Self, DecodeError> {
        let Layout { values, links, folds, marks } = program.layout;
        let mut buffer = Buffer::new(program.layout);
        let (next_seq, matches) = (reader.u64()?, reader.u64()?);
        let events = reader.len()?;
        for _ in 0..events {
            let (seq, time_ms, id) = (reader.u64()?, reader.i64()?, reader.event_id()?);
            let row = (0..values).map(|_| reader.value()).collect::<Result<Vec<_>, _>>()?;
            buffer.add_event(seq, time_ms, id, row.into_iter());
        }
        let nodes = reader.len()?;
        for at in 0..nodes {
            let event = index(reader, events, "an event of the match")?;
            let prev = place(reader, at)?;
            let var = reader.u16()?;
            if usize::from(var) >= program.names.len() {
                return Err(DecodeError::Unexpected { found: var.into(), expected: "a variable" });
            }
            let node = buffer.add_node(prev, event as u32, var);
            for slot in 0..links {
                let to = place(reader, at + 1)?;
                buffer.set_link(node, slot as u16, to);
            }
            for slot in 0..folds {
                buffer.set_fold(node, slot, Fold::load(reader)?);
            }
            for slot in 0..marks {
                buffer.set_mark(node, slot as u16, reader.i64()?);
            }
        }
        let mut read = |program: &Program| {
            let count = reader.len()?;
            (0..count)
                .map(|_| {
                    let node = place(reader, nodes)?;
                    let state = index(reader, program.states.len(), "a state of the automaton")? as u16;
                    let (start_ms, start_seq) = (reader.i64()?, reader.u64()?);
                    let (since_ms, deadline) = (reader.i64()?, reader.i64()?);
                    Ok(Run { start_ms, start_seq, since_ms, deadline, node, state })
                })
                .collect::<Result<Vec<Run>, DecodeError>>()
        };
        let (runs, finished) = (read(program)?, read(program)?);
        // Where there are partial matches the one that has not begun is among them, once.
        let begun = |run: &Run| run.node != NONE;
        let waiting = runs.iter().filter(|run| !begun(run)).count();
        if waiting != usize::from(!runs.is_empty()) || !finished.iter().all(begun) {
            return Err(DecodeError::Unexpected { found: waiting as u64, expected: "one match that has not begun" });
        }
        let held = runs.iter().chain(&finished);
        held.for_each(|run| buffer.retain(run.node));
        // A node is made with a reference of its maker; now the runs have theirs.
        (0..nodes).rev().for_each(|node| buffer.release(node as u32));
        let deadline = runs.iter().map(|run| run.deadline).min().unwrap_or(NEVER);
        Ok(Self { runs, finished, buffer, next_seq, deadline, matches, dropped })
    }
}

/// The places of events and nodes in the bytes.
#[derive(Default)]
struct Order {
    events: Vec<u32>,
    event_place: BTreeMap<u32, usize>,
    nodes: Vec<u32>,
    node_place: BTreeMap<u32, usize>,
}

impl Order {
    fn visit(&mut self, buffer: &Buffer, node: u32) {
        let fresh = buffer.chain(node).take_while(|(at, _)| !self.node_place.contains_key(at));
        let fresh: Vec<(u32, u32)> = fresh.map(|(at, node)| (at, node.event)).collect();
        for (node, event) in fresh.into_iter().rev() {
            self.node_place.insert(node, self.nodes.len());
            self.nodes.push(node);
            if !self.event_place.contains_key(&event) {
                self.event_place.insert(event, self.events.len());
                self.events.push(event);
            }
        }
    }

    /// The place of a node, from 1; 0 for none.
    fn place(&self, node: u32) -> usize {
        self.node_place.get(&node).map_or(0, |place| place + 1)
    }
}

pub(super) fn index(reader: &mut Reader<'_>, below: usize, expected: &'static str) -> Result<usize, DecodeError> {
    let found = reader.u64()?;
    usize::try_from(found).ok().filter(|&at| at < below).ok_or(DecodeError::Unexpected { found, expected })
}

fn place(reader: &mut Reader<'_>, below: usize) -> Result<u32, DecodeError> {
    Ok(match index(reader, below + 1, "a place in the match")? {
        0 => NONE,
        at => (at - 1) as u32,
    })
}
