//! The whole core as bytes, between two advances: what an equal core needs to go on as if nothing had happened.
//!
//! An in-process format, without promises between versions: the checkpoint file is another thing. It is read back by the same
//! plan, key groups and seed, with any number of shards. Layout, with `model::Writer`'s numbers:
//!
//! ```text
//! magic, key groups, seed, number of rules, each rule's name and version
//! the wall clock, of each old version when it ends, whose windows are whose, of each partition its timeline
//! per timeline: watermark, the same by events alone, last event's time, merge (partitions, watermarks, events that wait)
//! per rule: outputs, events without a key, late events that it took, states of its keys
//! per level: events in its inbox, outputs held for order
//! alerts that are ready but were not taken, alerts that wait for other timelines
//! ```

use super::{Output, inbox::OwnedEvent, machine::Engine, route::shard_of};
use crate::{
    geo::Position,
    model::{
        Clock, DecodeError, Emission, EmissionKind, Header, Key, KeyGroup, Reader, Row, Taken, TimeMs, Value, Writer,
    },
    op::window::Owned,
    time::PartitionIx,
};
use std::sync::Arc;

const MAGIC: &[u8] = b"geocep core 0";

impl Engine {
    /// Writes everything that later outputs depend on, and the alerts that were not taken. Two cores with the same state write the
    /// same bytes if they have the same number of shards.
    pub fn save(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.save_identity(&mut writer);
        writer.i64(self.wall_ms);
        self.plan.drains.iter().for_each(|drain| writer.time(self.until_ms(drain.rule)));
        writer.len(self.owners().count());
        for (rule, owned) in self.owners() {
            writer.u64(u64::from(rule));
            writer.i64(owned.from_ms);
            writer.i64(owned.to_ms);
        }
        writer.len(self.partitions.len());
        for (timeline, own) in &self.partitions {
            writer.u64(*timeline as u64);
            writer.u64(u64::from(own.0));
        }
        self.timelines.iter().for_each(|timeline| timeline.save(&mut writer));
        for (rule, stats) in self.stats.iter().enumerate() {
            writer.u64(stats.outputs);
            writer.u64(stats.missing_key);
            writer.u64(stats.late);
            writer.bytes(&self.save_rule(rule as u32));
        }
        for (inbox, held) in self.inboxes.iter().zip(&self.held) {
            writer.len(inbox.len());
            for (rank, event) in inbox.waiting() {
                writer.u64(u64::from(*rank));
                save_event(event, &mut writer);
            }
            save_outputs(held, &mut writer);
        }
        save_outputs(&self.ready, &mut writer);
        save_outputs(&self.ordered, &mut writer);
        writer.into_bytes()
    }

    /// Takes the state that `save` wrote; what this core had is forgotten. Its partitions are those of the saved one, in the
    /// order in which they were added there.
    ///
    /// # Errors
    /// Bytes that are no state of a core with this plan, key groups and seed; the core is then as good as new, but for its
    /// partitions, and should be thrown away.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        self.shards = self.blank_shards();
        self.set_limits(self.limits);
        let mut reader = Reader::new(bytes);
        let reader = &mut reader;
        let mut identity = Writer::new();
        self.save_identity(&mut identity);
        for expected in identity.into_bytes() {
            let found = reader.u8()?;
            if found != expected {
                let expected = "the same plan, key groups and seed";
                return Err(DecodeError::Unexpected { found: found.into(), expected });
            }
        }
        let wall_ms = reader.i64()?;
        for rule in self.plan.drains.iter().map(|drain| drain.rule).collect::<Vec<_>>() {
            let until_ms = reader.time()?;
            self.set_drain(rule, until_ms.unwrap_or(TimeMs::MAX));
        }
        for _ in 0..reader.len()? {
            let rule = reader.u32()?;
            self.own(rule, Owned { from_ms: reader.i64()?, to_ms: reader.i64()? });
        }
        let partition = |reader: &mut Reader<'_>| Ok((reader.u32()? as usize, PartitionIx(reader.u32()?)));
        let partitions = (0..reader.len()?).map(|_| partition(reader));
        self.partitions = partitions.collect::<Result<_, DecodeError>>()?;
        for timeline in &mut self.timelines {
            timeline.load(reader)?;
        }
        for rule in 0..self.stats.len() {
            let (outputs, missing_key, late) = (reader.u64()?, reader.u64()?, reader.u64()?);
            let states = reader.bytes()?;
            self.load_rule(rule as u32, states)?;
            if let Some(stats) = self.stats.get_mut(rule) {
                (stats.outputs, stats.missing_key, stats.late) = (outputs, missing_key, late);
            }
        }
        for (inbox, held) in self.inboxes.iter_mut().zip(&mut self.held) {
            inbox.clear();
            for _ in 0..reader.len()? {
                let rank = reader.u32()?;
                load_event(reader)?.into_iter().for_each(|event| inbox.push(rank, event));
            }
            *held = load_outputs(reader)?;
        }
        (self.ready, self.is_in_order) = (load_outputs(reader)?, false);
        self.ordered = load_outputs(reader)?;
        self.wall_ms = wall_ms;
        self.resume_arrivals();
        match reader.is_done() {
            true => Ok(()),
            false => Err(DecodeError::Unexpected { found: reader.u8()?.into(), expected: "the end of the state" }),
        }
    }

    /// Writes the states of a rule's keys: per shard, in order.
    pub fn save_rule(&self, rule: u32) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.len(self.shards.len());
        for shard in &self.shards {
            writer.bytes(&shard.save(rule));
        }
        writer.into_bytes()
    }

    /// Reads what `save_rule` wrote, whatever the number of shards was then.
    ///
    /// # Errors
    /// Bytes that are no state of this rule.
    pub fn load_rule(&mut self, rule: u32, bytes: &[u8]) -> Result<(), DecodeError> {
        let mut reader = Reader::new(bytes);
        let (groups, shards) = (self.options.key_groups, self.options.shards);
        for _ in 0..reader.len()? {
            let bytes = reader.bytes()?;
            for (at, shard) in self.shards.iter_mut().enumerate() {
                let mine = |group: KeyGroup| shard_of(group, groups, shards) as usize == at;
                shard.load(rule, bytes, &mine)?;
            }
        }
        Ok(())
    }

    fn save_identity(&self, writer: &mut Writer) {
        writer.bytes(MAGIC);
        writer.u64(u64::from(self.options.key_groups));
        writer.u64(self.options.seed);
        writer.len(self.plan.rules.len());
        for (rule, at) in self.plan.rules.iter().zip(0..) {
            writer.bytes(self.plan.known_as(at).as_bytes());
            writer.bytes(rule.version.as_bytes());
        }
    }
}

pub(super) fn save_event(event: &OwnedEvent, writer: &mut Writer) {
    writer.u64(u64::from(event.stream.0));
    writer.i64(event.header.time_ms);
    writer.u64(u64::from(event.header.partition));
    writer.u64(event.header.offset);
    save_values(&event.values, writer);
}

/// None where its stream is gone.
pub(super) fn load_event(reader: &mut Reader<'_>) -> Result<Option<OwnedEvent>, DecodeError> {
    let saved = reader.stream()?;
    let header = Header { time_ms: reader.i64()?, partition: reader.u32()?, offset: reader.u64()? };
    let values = saved.row(load_values(reader)?);
    Ok(saved.stream.map(|stream| OwnedEvent { stream, header, values }))
}

fn save_values(values: &[Value], writer: &mut Writer) {
    writer.len(values.len());
    values.iter().for_each(|value| writer.value(value));
}

fn load_values(reader: &mut Reader<'_>) -> Result<Vec<Value>, DecodeError> {
    (0..reader.len()?).map(|_| reader.value()).collect()
}

pub(super) fn save_outputs(outputs: &[Output], writer: &mut Writer) {
    writer.len(outputs.len());
    let mut before: Option<&Row> = None;
    for Output { rule, rank, key, emission } in outputs {
        writer.u64(u64::from(*rule));
        writer.u64(u64::from(*rank));
        writer.key(key);
        save_emission(emission, writer);
        save_row(emission.row.as_ref(), before, writer);
        before = emission.row.as_ref();
    }
}

/// Rows of one match stand one behind the other, and the match's events are written once.
fn save_row(row: Option<&Row>, before: Option<&Row>, writer: &mut Writer) {
    let Some(row) = row else { return writer.u8(0) };
    let shared = before.is_some_and(|before| Arc::ptr_eq(&before.of, &row.of));
    writer.u8(if shared { 1 } else { 2 });
    writer.u64(u64::from(row.number));
    if !shared {
        writer.len(row.of.len());
        row.of.iter().for_each(|taken| save_taken(taken, writer));
    }
}

fn load_row(before: Option<&Row>, reader: &mut Reader<'_>) -> Result<Option<Row>, DecodeError> {
    let kind = reader.u8()?;
    if kind == 0 {
        return Ok(None);
    }
    let number = reader.u32()?;
    let of = match (kind, before) {
        (1, Some(before)) => Arc::clone(&before.of),
        (2, _) => (0..reader.len()?).map(|_| load_taken(reader)).collect::<Result<_, _>>()?,
        _ => return Err(DecodeError::Unexpected { found: kind.into(), expected: "a row of a match" }),
    };
    Ok(Some(Row { number, of }))
}

/// Those whose rules are still there. Ranks are as they were.
pub(super) fn load_outputs(reader: &mut Reader<'_>) -> Result<Vec<Output>, DecodeError> {
    let mut outputs: Vec<Output> = Vec::new();
    let mut before: Option<Row> = None;
    for _ in 0..reader.len()? {
        let (rule, rank, key): (Option<u32>, u32, Key) = (reader.rule()?, reader.u32()?, reader.key()?);
        let mut emission = load_emission(reader)?;
        emission.row = load_row(before.as_ref(), reader)?;
        before.clone_from(&emission.row);
        if let Some(rule) = rule {
            outputs.push(Output { rule, rank, key, emission });
        }
    }
    Ok(outputs)
}

fn save_emission(emission: &Emission, writer: &mut Writer) {
    let Emission { kind, time_ms, start_ms, end_ms, clock, values, taken, row: _, revision, dropped } = emission;
    writer.u8(match kind {
        EmissionKind::Event => 0,
        EmissionKind::Match => 1,
        EmissionKind::TimedOut => 2,
        EmissionKind::Window => 3,
        EmissionKind::Region => 4,
    });
    [time_ms, start_ms, end_ms].into_iter().for_each(|&at_ms: &TimeMs| writer.i64(at_ms));
    writer.u8(match clock {
        None => 0,
        Some(Clock::Event) => 1,
        Some(Clock::Wall) => 2,
    });
    save_values(values, writer);
    writer.u64(u64::from(*revision));
    writer.u64(*dropped);
    writer.len(taken.len());
    taken.iter().for_each(|taken| save_taken(taken, writer));
}

fn save_taken(Taken { var, id, position }: &Taken, writer: &mut Writer) {
    writer.u64(u64::from(*var));
    writer.event_id(id);
    writer.bool(position.is_some());
    if let Some(position) = position {
        writer.f64(position.lon());
        writer.f64(position.lat());
    }
}

fn load_emission(reader: &mut Reader<'_>) -> Result<Emission, DecodeError> {
    let kind = match reader.u8()? {
        0 => EmissionKind::Event,
        1 => EmissionKind::Match,
        2 => EmissionKind::TimedOut,
        3 => EmissionKind::Window,
        4 => EmissionKind::Region,
        found => return Err(DecodeError::Unexpected { found: found.into(), expected: "a kind of output" }),
    };
    let (time_ms, start_ms, end_ms) = (reader.i64()?, reader.i64()?, reader.i64()?);
    let clock = match reader.u8()? {
        0 => None,
        1 => Some(Clock::Event),
        2 => Some(Clock::Wall),
        found => return Err(DecodeError::Unexpected { found: found.into(), expected: "a clock" }),
    };
    let values = load_values(reader)?.into();
    let (revision, dropped) = (reader.u32()?, reader.u64()?);
    let taken = (0..reader.len()?).map(|_| load_taken(reader)).collect::<Result<_, _>>()?;
    Ok(Emission { kind, time_ms, start_ms, end_ms, clock, values, taken, row: None, revision, dropped })
}

fn load_taken(reader: &mut Reader<'_>) -> Result<Taken, DecodeError> {
    let (var, id) = (reader.u16()?, reader.event_id()?);
    let position = match reader.bool()? {
        false => None,
        true => {
            let position = Position::new(reader.f64()?, reader.f64()?);
            Some(position.map_err(|_| DecodeError::Unexpected { found: 1, expected: "a position" })?)
        }
    };
    Ok(Taken { var, id, position })
}
