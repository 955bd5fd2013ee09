//! The names behind run-local numbers, and what these numbers are in another run.

use crate::{
    engine::machine::Engine,
    expr::World,
    model::{DecodeError, FenceMap, Reader, RenumberedStream, Renumbering, SetNumbers, StreamId, TimeMs, Writer},
    op::window::Owned,
    plan::{Drain, Plan, Rule, StreamOrigin},
};
use std::collections::BTreeMap;
use xxhash_rust::xxh3::xxh3_64;

/// A stream by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedStream {
    /// Its name.
    pub name: String,
    /// Whether it comes from outside.
    pub is_source: bool,
    /// Its fields by slot: name and type.
    pub fields: Vec<(String, String)>,
}

/// A rule by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedRule {
    /// Its name.
    pub name: String,
    /// The fingerprint of its expression.
    pub version: String,
    /// A hash of what it reads: streams, and names and types of fields.
    pub layout: u64,
}

/// An old version of an edited rule that only ends what it has begun, with what it takes to make it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedDrain {
    /// Its name, which it shares with the new version; among the rules it is known with its number.
    pub name: String,
    /// Which of the name's old versions it is, from 1.
    pub number: u32,
    /// A rule file with it alone.
    pub text: String,
    /// When what is open is dropped, by event time, where nothing else ends it.
    pub until_ms: Option<TimeMs>,
}

/// A rule that puts out some windows only, as others are those of another version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedOwner {
    /// What it is known by: of an old version with its number.
    pub name: String,
    /// Which windows.
    pub owned: Owned,
}

/// What the numbers in a state stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Streams by number.
    pub streams: Vec<NamedStream>,
    /// Fence sets by number, each with the ids of its fences by number.
    pub fence_sets: Vec<(String, Vec<String>)>,
    /// Rules by number.
    pub rules: Vec<NamedRule>,
    /// Those of the rules that are old versions.
    pub drains: Vec<NamedDrain>,
    /// Those that put out some windows only.
    pub owners: Vec<NamedOwner>,
}

impl Names {
    /// Those of a plan and its fences.
    pub fn of(plan: &Plan, world: &World) -> Self {
        let streams = plan.streams.iter().map(|stream| NamedStream {
            name: stream.name.clone(),
            is_source: stream.origin == StreamOrigin::Source,
            fields: stream.schema.fields.iter().map(|field| (field.name.clone(), format!("{:?}", field.ty))).collect(),
        });
        let sets = world.sets().iter();
        let rules = plan.rules.iter().zip(0..).map(|(rule, at)| NamedRule {
            name: plan.known_as(at),
            version: rule.version.clone(),
            layout: layout(plan, world, rule),
        });
        Self {
            streams: streams.collect(),
            fence_sets: sets
                .map(|(name, set)| (name.clone(), set.iter().map(|(_, fence)| fence.id.clone()).collect()))
                .collect(),
            rules: rules.collect(),
            drains: Vec::new(),
            owners: Vec::new(),
        }
    }

    /// With the old versions that a core has, when they end, and whose windows are whose.
    #[must_use]
    pub fn with_drains(self, engine: &Engine) -> Self {
        let plan = engine.plan();
        let named = |drain: &Drain| {
            let rule = plan.rules.get(drain.rule as usize)?;
            let until_ms = engine.until_ms(drain.rule);
            Some(NamedDrain { name: rule.name.clone(), number: drain.number, text: drain.text.clone(), until_ms })
        };
        let owners = engine.owners().map(|(rule, owned)| NamedOwner { name: plan.known_as(rule), owned });
        Self { drains: plan.drains.iter().filter_map(named).collect(), owners: owners.collect(), ..self }
    }

    /// A plan that has nothing but the old versions, for a check that is to take them up.
    pub fn old_versions(&self) -> Plan {
        let drain = |drain: &NamedDrain| Drain { rule: u32::MAX, number: drain.number, text: drain.text.clone() };
        Plan { drains: self.drains.iter().map(drain).collect(), ..Plan::default() }
    }

    /// What the numbers of `self`, an earlier run, are in one with the names `now`; none where they are the same.
    pub fn renumbering(&self, now: &Self) -> Option<Renumbering> {
        let numbers = |names: &[NamedRule]| names.iter().map(|rule| rule.name.clone()).collect::<Vec<_>>();
        let same = self.streams == now.streams && self.fence_sets == now.fence_sets;
        if same && numbers(&self.rules) == numbers(&now.rules) {
            return None;
        }
        let stream = |old: &NamedStream| {
            let is_it = |new: &NamedStream| new.name == old.name && new.is_source == old.is_source;
            let at = now.streams.iter().position(is_it)?;
            let fields = &now.streams.get(at)?.fields;
            let slot = |field| old.fields.iter().position(|other| other == field).map(|slot| slot as u16);
            Some(RenumberedStream { stream: StreamId(at as u32), slots: fields.iter().map(slot).collect() })
        };
        let set = |(name, old): &(String, Vec<String>)| {
            let at = now.fence_sets.iter().position(|(other, _)| other == name)?;
            let ids: BTreeMap<&str, u32> = now.fence_sets.get(at)?.1.iter().map(String::as_str).zip(0..).collect();
            let fences = old.iter().map(|id| ids.get(id.as_str()).copied()).collect();
            Some(SetNumbers::New { set: at as u16, fences })
        };
        let sets = self.fence_sets.iter().map(|old| set(old).unwrap_or(SetNumbers::Gone));
        let rule = |old: &NamedRule| now.rule(&old.name).map(|at| at as u32);
        Some(Renumbering {
            streams: self.streams.iter().map(stream).collect(),
            fences: FenceMap::new(sets.collect()),
            rules: self.rules.iter().map(rule).collect(),
        })
    }

    /// A rule's number.
    pub fn rule(&self, name: &str) -> Option<usize> {
        self.rules.iter().position(|rule| rule.name == name)
    }

    /// As a payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.len(self.streams.len());
        for NamedStream { name, is_source, fields } in &self.streams {
            writer.bytes(name.as_bytes());
            writer.bool(*is_source);
            writer.len(fields.len());
            for (name, ty) in fields {
                writer.bytes(name.as_bytes());
                writer.bytes(ty.as_bytes());
            }
        }
        writer.len(self.fence_sets.len());
        for (name, ids) in &self.fence_sets {
            writer.bytes(name.as_bytes());
            writer.len(ids.len());
            ids.iter().for_each(|id| writer.bytes(id.as_bytes()));
        }
        writer.len(self.rules.len());
        for NamedRule { name, version, layout } in &self.rules {
            writer.bytes(name.as_bytes());
            writer.bytes(version.as_bytes());
            writer.i64(*layout as i64);
        }
        // Behind everything, where there is any: readers of before don't look there.
        if !self.drains.is_empty() || !self.owners.is_empty() {
            writer.len(self.drains.len());
        }
        for NamedDrain { name, number, text, until_ms } in &self.drains {
            writer.bytes(name.as_bytes());
            writer.u64(u64::from(*number));
            writer.bytes(text.as_bytes());
            writer.time(*until_ms);
        }
        if !self.owners.is_empty() {
            writer.len(self.owners.len());
        }
        for NamedOwner { name, owned } in &self.owners {
            writer.bytes(name.as_bytes());
            writer.i64(owned.from_ms);
            writer.i64(owned.to_ms);
        }
        writer.into_bytes()
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// It is none.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        fn text(reader: &mut Reader<'_>) -> Result<String, DecodeError> {
            let unreadable = |_| DecodeError::Unexpected { found: 0, expected: "UTF-8 text" };
            std::str::from_utf8(reader.bytes()?).map(str::to_owned).map_err(unreadable)
        }
        let mut reader = Reader::new(payload);
        let reader = &mut reader;
        let mut names = Self::default();
        for _ in 0..reader.len()? {
            let (name, is_source) = (text(reader)?, reader.bool()?);
            let fields = (0..reader.len()?).map(|_| Ok((text(reader)?, text(reader)?)));
            names.streams.push(NamedStream { name, is_source, fields: fields.collect::<Result<_, DecodeError>>()? });
        }
        for _ in 0..reader.len()? {
            let name = text(reader)?;
            names.fence_sets.push((name, (0..reader.len()?).map(|_| text(reader)).collect::<Result<_, _>>()?));
        }
        for _ in 0..reader.len()? {
            let (name, version) = (text(reader)?, text(reader)?);
            names.rules.push(NamedRule { name, version, layout: reader.i64()? as u64 });
        }
        let drains = if reader.is_done() { 0 } else { reader.len()? };
        for _ in 0..drains {
            let (name, number) = (text(reader)?, reader.u32()?);
            names.drains.push(NamedDrain { name, number, text: text(reader)?, until_ms: reader.time()? });
        }
        let owners = if reader.is_done() { 0 } else { reader.len()? };
        for _ in 0..owners {
            let (name, owned) = (text(reader)?, Owned { from_ms: reader.i64()?, to_ms: reader.i64()? });
            names.owners.push(NamedOwner { name, owned });
        }
        Ok(names)
    }
}

/// Names and types of what a rule's expression names in its streams and reference tables. A field that happens to be called like another word of the expression
/// counts, too: that a state is then dropped without need is the lesser evil.
fn layout(plan: &Plan, world: &World, rule: &Rule) -> u64 {
    let mut text = String::new();
    for input in &rule.inputs {
        let Some(stream) = plan.streams.get(input.stream.0 as usize) else { continue };
        text.push_str(&format!("{};", stream.name));
        let named = stream.schema.fields.iter().filter(|field| rule.canonical.contains(&field.name));
        // Slots are given out in the order in which all rules together ask for them.
        let mut fields: Vec<String> = named.map(|field| format!("{}:{:?};", field.name, field.ty)).collect();
        fields.sort();
        text.extend(fields);
    }
    // Of a table the form counts; what is in it may change at any time.
    let mut columns = Vec::new();
    for (name, table) in world.tables().iter().filter(|(name, _)| rule.canonical.contains(name)) {
        let named = table.columns().iter().filter(|(column, _)| rule.canonical.contains(column));
        columns.extend(named.map(|(column, ty)| format!("{name}.{column}:{ty:?};")));
    }
    columns.sort();
    text.extend(columns);
    xxh3_64(text.as_bytes())
}
