//! What ended with an event is put out.

use super::{
    node::Node,
    state::{Compact, Held},
};
use crate::{
    expr::Env,
    model::{Emission, EmissionKind, Value},
    op::pattern::{
        path::{self, Path},
        program::Program,
        state::{NONE, Run, START, Scratch},
    },
    plan::Skip,
};
use std::cmp::Reverse;

impl Program {
    /// Puts out what ended with an event.
    pub(super) fn put_out(&self, held: &mut Compact, scratch: &mut Scratch, env: &Env<'_>, out: &mut Vec<Emission>) {
        let mut all = std::mem::take(&mut scratch.work);
        let work = &mut all;
        let mut dropped = std::mem::take(&mut held.dropped);
        if self.skip == Skip::Eager {
            while let Some(first) = held.choose(work) {
                self.put_out_one((held, &work.ways, first), &mut dropped, scratch, env, out);
                let mut dead = vec![false; held.events.len()];
                let mut at = first;
                while let Some(&(node, after)) = work.ways.get(at as usize) {
                    if let Some(&Node::Take { event, .. }) = held.nodes.get(node as usize) {
                        dead[event as usize] = true;
                    }
                    at = after;
                }
                held.forget(&dead, &mut work.done);
            }
        } else {
            // Where each start has one match at most the first ones count, else the last ones.
            let (most, limit) = match self.skip {
                Skip::NoSkip => (self.matches_limit, usize::MAX),
                _ => (usize::MAX, self.matches_limit),
            };
            let left = held.list(work, most) + work.found.len().saturating_sub(limit) as u64;
            scratch.counts.shed += left;
            dropped += left;
            let mut put_out = 0;
            // The earliest start first, of one start the longest.
            let start =
                |first: &u32| work.ways.get(*first as usize).and_then(|way| held.event_at(way.0)).map(|at| at.0);
            let mut same: Vec<u32> = Vec::new();
            for found in work.found.chunk_by(|a, b| start(a) == start(b)).rev() {
                if let [first] = found {
                    if put_out < limit {
                        self.put_out_one((held, &work.ways, *first), &mut dropped, scratch, env, out);
                    }
                    put_out += 1;
                    continue;
                }
                same.clear();
                same.extend(found);
                same.sort_by_cached_key(|first| Reverse(work.len(*first)));
                for &first in &same {
                    self.put_out_one((held, &work.ways, first), &mut dropped, scratch, env, out);
                }
            }
        }
        held.dropped = dropped;
        scratch.work = all;
    }

    /// Evaluates the measures over the match whose events begin at a place in `ways`.
    fn put_out_one(
        &self,
        (held, ways, first): (&Compact, &[(u32, u32)], u32),
        dropped: &mut u64,
        scratch: &mut Scratch,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        let kept = self.layout.values;
        if !self.all_rows {
            let mut path = Path::new();
            let mut at = first;
            while let Some(&(take, after)) = ways.get(at as usize) {
                at = after;
                let Some(&Node::Take { event, var, .. }) = held.nodes.get(take as usize) else { continue };
                let Some(Held { time_ms, id }) = held.events.get(event as usize) else { continue };
                let values = held.values_of(event);
                let (values, summands) = values.split_at(kept.min(values.len()));
                path.push(path::Step { var, time_ms: *time_ms, id, values, summands });
            }
            return self.emit_path(&path, dropped, env, out);
        }
        // Where the measures look for a match is lent for as long as it takes.
        let mut lent = std::mem::take(&mut scratch.lent);
        lent.dropped = std::mem::take(dropped);
        lent.buffer.clear(self.layout);
        let (mut node, mut at, mut span) = (NONE, first, None);
        while let Some(&(take, after)) = ways.get(at as usize) {
            at = after;
            let Some(&Node::Take { event, var, .. }) = held.nodes.get(take as usize) else { continue };
            let Some(Held { time_ms, id }) = held.events.get(event as usize) else { continue };
            let values = held.values_of(event);
            let (own, taken) = values.split_at(kept.min(values.len()));
            let event = lent.buffer.add_event(u64::from(event), *time_ms, id.clone(), own.iter().cloned());
            // Of what only counts events nothing is kept.
            let value = |ix: usize| match self.summand_slots.get(ix).copied().flatten() {
                Some(slot) => taken.get(usize::from(slot)).cloned().unwrap_or_default(),
                None => Value::Int(1),
            };
            node = self.append(&mut lent.buffer, node, event, var, value);
            span = Some((span.map_or(*time_ms, |(start, _)| start), *time_ms));
        }
        let now = env.event.time_ms();
        let (start_ms, since_ms) = span.unwrap_or((now, now));
        let run = Run { start_ms, since_ms, node, ..START };
        self.emit(&mut lent, scratch, &run, (EmissionKind::Match, now, None), env, out);
        *dropped = lent.dropped;
        lent.buffer.clear(self.layout);
        scratch.lent = lent;
    }
}
