//! How sets are written and read. Only what counts is written; what follows from it is made anew.

use super::{
    node::{NOTHING, Node, Part},
    state::{Compact, Held, Set},
};
use crate::{
    model::{DecodeError, Reader, Writer},
    op::pattern::{program::Program, save::index},
};

/// How sets were written over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::op::pattern) enum Edition {
    /// It doesn't say which events count as begun.
    Early,
    /// There is a value for each aggregate of each event, those included that just count events.
    Valued,
    /// As it is written now.
    Counting,
}

impl Compact {
    /// Writes the state.
    pub(in crate::op::pattern) fn save(&self, writer: &mut Writer) {
        let mut left = self.clone();
        left.collect_for_save();
        writer.len(self.kept as usize);
        writer.len(self.nodes.len().saturating_add(self.spared as usize) - left.nodes.len());
        writer.len(left.events.len());
        for (at, Held { time_ms, id }) in left.events.iter().enumerate() {
            writer.i64(*time_ms);
            writer.event_id(id);
            left.values_of(at as u32).iter().for_each(|value| writer.value(value));
        }
        writer.len(left.nodes.len());
        for node in &left.nodes {
            match *node {
                Node::Take { event, before, var } => {
                    writer.u8(0);
                    writer.u64(u64::from(event));
                    writer.u64(if before == NOTHING { 0 } else { u64::from(before) + 1 });
                    writer.u64(u64::from(var));
                }
                Node::Either { left, right, .. } => {
                    writer.u8(1);
                    writer.u64(u64::from(left));
                    writer.u64(u64::from(right));
                }
            }
        }
        writer.len(left.sets.len());
        for Set { state, part } in &left.sets {
            writer.u64(u64::from(*state));
            writer.u64(u64::from(part.node));
        }
        writer.len(left.starts.as_slice().len());
        left.starts.as_slice().iter().for_each(|&start| writer.u64(u64::from(start)));
    }

    /// Reads a state that was written under the same program.
    pub(in crate::op::pattern) fn load(
        program: &Program,
        reader: &mut Reader<'_>,
        edition: Edition,
    ) -> Result<Self, DecodeError> {
        let mut held = Self::new(program);
        let (kept, spared) = (reader.u64()?, reader.u64()?);
        let events = reader.len()?;
        for _ in 0..events {
            let (time_ms, id) = (reader.i64()?, reader.event_id()?);
            held.events.push(Held { time_ms, id });
            for _ in 0..program.layout.values {
                held.values.push(reader.value()?);
            }
            for slot in &program.summand_slots {
                match slot {
                    Some(_) => held.values.push(reader.value()?),
                    None if edition < Edition::Counting => drop(reader.value()?),
                    None => {}
                }
            }
        }
        // The newest start of each node.
        let mut newest: Vec<u32> = Vec::new();
        let mut starts = vec![false; events];
        for at in 0..reader.len()? {
            let (node, start) = match reader.u8()? {
                0 => {
                    let event = index(reader, events, "an event of the match")? as u32;
                    let before = index(reader, at + 1, "an earlier node")?.checked_sub(1);
                    let var = index(reader, program.names.len(), "a variable")? as u16;
                    let start = before.map_or(event, |before| newest[before]);
                    if before.is_none() {
                        starts[event as usize] = true;
                    }
                    (Node::Take { event, before: before.map_or(NOTHING, |before| before as u32), var }, start)
                }
                1 => {
                    let left = index(reader, at, "an earlier node")?;
                    let right = index(reader, at, "an earlier node")?;
                    let (start, newest) = (newest[left], newest[right]);
                    if start < newest {
                        return Err(DecodeError::Unexpected { found: newest.into(), expected: "an earlier start" });
                    }
                    (Node::Either { left: left as u32, right: right as u32, newest }, start)
                }
                found => return Err(DecodeError::Unexpected { found: found.into(), expected: "a node" }),
            };
            held.nodes.push(node);
            newest.push(start);
        }
        let mut seen = vec![false; program.states.len()];
        for _ in 0..reader.len()? {
            let state = index(reader, program.states.len(), "a state of the automaton")?;
            let node = index(reader, held.nodes.len(), "a node")?;
            if std::mem::replace(&mut seen[state], true) {
                return Err(DecodeError::Unexpected { found: state as u64, expected: "another state" });
            }
            held.sets.push(Set { state: state as u16, part: Part { node: node as u32, newest: newest[node] } });
        }
        if edition > Edition::Early {
            let mut after = 0;
            for _ in 0..reader.len()? {
                let start = index(reader, events, "an event that began a match")?;
                if start < after {
                    return Err(DecodeError::Unexpected { found: start as u64, expected: "a later event" });
                }
                after = start + 1;
                starts[start] = true;
            }
        }
        held.starts = (0..events as u32).filter(|&event| starts[event as usize]).collect();
        held.settle(program.within_ms);
        if !held.is_idle() {
            let counted = |nodes: u64| u32::try_from(nodes).unwrap_or(u32::MAX);
            (held.kept, held.spared) = (counted(kept), counted(spared));
        }
        Ok(held)
    }
}
