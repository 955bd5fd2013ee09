//! The shapes of the records that came so far. A stream's records are written by one program, with the same keys in the same order and
//! the same white space; what differs is the values. So the bytes between two values are compared as they stand with those of a
//! record before, and lead to what is done with the value: nothing is looked up, and values go straight into the event's row.
//!
//! A shape is learnt of a flat record that the general way took. A record that is of no known shape, and one with anything special about
//! it, is left to the general way, so that what comes out is the same, errors included.
//!
//! ```text
//!   {"ts": ──► ,"id": ──► ,"type": ──┬► ,"lon": ──► ,"lat": ──► }
//!                                    └► ,"zone": ──► ,"lon": ──► ,"lat": ──► }
//! ```

use super::{
    flat::{Member, Scalar, decimal, raw, scalar, skip, whole},
    json::Target,
    layout::{Layout, Want},
    record::{FieldKind, TimeUnit},
    swar::{plain, plain_short},
};
use crate::{
    geo::Position,
    model::{Batch, Header, Text, TimeMs, Value},
};
use std::str::from_utf8;

/// A tree of at most so many nodes.
const NODES_MAX: usize = 1_024;
/// At most so many ways go on from one node.
const WAYS_MAX: usize = 16;
/// Records with more keys than that have no shape.
const KEYS_MAX: usize = 64;
/// After so many shapes for which there was no room those of now may be others altogether.
const REFUSED_MAX: u32 = 4_096;
/// No node.
const NONE: u32 = u32::MAX;

/// What is done with a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Use {
    /// It is the time, unless a field that is tried before it has one.
    Time(TimeUnit, u8),
    /// It is the longitude, likewise.
    Lon(u8),
    /// It is the latitude, likewise.
    Lat(u8),
    /// It is the value of a slot.
    Slot { slot: u16, kind: FieldKind, required: bool },
    /// It is checked.
    Check { kind: FieldKind, required: bool },
}

/// What stands between two values, and what is done with the one behind it.
#[derive(Debug)]
struct Node {
    /// The first 16 bytes, or as many as there are.
    word: u128,
    mask: u128,
    text: Box<[u8]>,
    act: Act,
    /// The first node that may come next.
    next: u32,
    /// Another that may come in this one's place.
    other: u32,
}

/// The uses that most values have are told apart here; they have ways of their own for the values that are usual there.
#[derive(Debug)]
enum Act {
    Skip,
    /// [`Use::Time`] of milliseconds.
    Time(TimeUnit, u8),
    Lon(u8),
    Lat(u8),
    /// [`Use::Slot`] for a text, and whether it has to be there.
    Text(u16, bool),
    Other(Box<[Use]>),
    /// The record is over.
    End,
}

/// The shapes, as a tree of what stands between values.
#[derive(Debug)]
pub(super) struct Shapes {
    nodes: Vec<Node>,
    first: u32,
    refused: u32,
}

impl Default for Shapes {
    fn default() -> Self {
        Self { nodes: Vec::new(), first: NONE, refused: 0 }
    }
}

/// A choice among several fields: the value of the one that is tried first.
#[derive(Clone, Copy)]
struct Choice<T> {
    rank: u8,
    value: T,
}

impl<T> Choice<T> {
    #[inline]
    fn offer(&mut self, rank: u8, value: T) {
        if rank < self.rank {
            *self = Self { rank, value };
        }
    }

    fn is_none(&self) -> bool {
        self.rank == u8::MAX
    }
}

/// What of an event doesn't go into a slot.
struct Found {
    time_ms: Choice<TimeMs>,
    lon: Choice<f64>,
    lat: Choice<f64>,
}

impl Shapes {
    /// Adds the event of a record of a known shape to `batch`. `ahead` begins with the record, which has `len` bytes and is UTF-8; what
    /// comes behind it is of no account, but saves a look at where it ends. None: it is for the general way, and nothing was added.
    pub(super) fn read(
        &self,
        (ahead, len): (&[u8], usize),
        layout: &Layout,
        (partition, offset): (u32, u64),
        batch: &mut Batch,
    ) -> Option<()> {
        if self.first == NONE {
            return None;
        }
        batch.push_row(|row| {
            let mut found = Found {
                time_ms: Choice { rank: u8::MAX, value: 0 },
                lon: Choice { rank: u8::MAX, value: 0.0 },
                lat: Choice { rank: u8::MAX, value: 0.0 },
            };
            let (mut at, mut rest) = (self.first, ahead);
            loop {
                let (node, after) = self.follow(at, rest)?;
                at = node.next;
                rest = match node.act {
                    Act::Skip => skip(after)?,
                    Act::Time(unit, rank) => match whole(after) {
                        Some((number, rest)) => {
                            found.time_ms.offer(rank, unit.of_int(number)?);
                            rest
                        }
                        None => Use::Time(unit, rank).read(after, layout, &mut found, row)?,
                    },
                    Act::Lon(rank) => match decimal(after) {
                        Some((number, rest)) => {
                            found.lon.offer(rank, number);
                            rest
                        }
                        None => Use::Lon(rank).read(after, layout, &mut found, row)?,
                    },
                    Act::Lat(rank) => match decimal(after) {
                        Some((number, rest)) => {
                            found.lat.offer(rank, number);
                            rest
                        }
                        None => Use::Lat(rank).read(after, layout, &mut found, row)?,
                    },
                    Act::Text(slot, required) => match after.strip_prefix(b"\"") {
                        Some(text) => {
                            let (length, value) = match short_text(text) {
                                Some(short) => short,
                                None => {
                                    let length = plain(text);
                                    (length, text_of(text, length)?)
                                }
                            };
                            put(row, usize::from(slot), Value::Text(value))?;
                            text.get(length..)?.strip_prefix(b"\"")?
                        }
                        None => {
                            Use::Slot { slot, kind: FieldKind::Text, required }.read(after, layout, &mut found, row)?
                        }
                    },
                    Act::Other(ref uses) => {
                        let (value, rest) = scalar(after)?;
                        uses.iter().try_for_each(|one| one.take(value, layout, &mut found, row))?;
                        rest
                    }
                    Act::End => {
                        // Bytes behind the record were only looked at, or it isn't over here.
                        if ahead.len() - after.len() != len || found.time_ms.is_none() {
                            return None;
                        }
                        found.put_position(layout, row)?;
                        return Some(Header { time_ms: found.time_ms.value, partition, offset });
                    }
                }
            }
        })
    }

    /// The node among `at` and those in its place that the text goes on with, and what comes after it.
    #[inline]
    fn follow<'a>(&self, mut at: u32, text: &'a [u8]) -> Option<(&Node, &'a [u8])> {
        loop {
            let node = self.nodes.get(at as usize)?;
            if let Some(after) = node.pass(text) {
                return Some((node, after));
            }
            at = node.other;
        }
    }

    /// Learns the shape of a flat record that became an event.
    pub(super) fn learn(&mut self, text: &[u8], members: &[Member], layout: &Layout) {
        if members.is_empty() || members.len() > KEYS_MAX {
            return;
        }
        let key = |member: &Member| text.get(member.key.clone()).unwrap_or_default();
        let again = |(at, member): (usize, &Member)| members.iter().take(at).any(|other| key(other) == key(member));
        if members.iter().enumerate().any(again) {
            return;
        }
        // What is behind the last value.
        let Some(tail) = members.last().and_then(|last| skip(text.get(last.before.end..)?)) else { return };
        let mut parent = NONE;
        for member in members {
            let before = text.get(member.before.clone()).unwrap_or_default();
            let Some(node) = self.grow(parent, before, || act(member.target, layout)) else { return };
            parent = node;
        }
        self.grow(parent, tail, || Act::End);
    }

    /// The node behind `parent` with this text, made if there is none; none if there is no room.
    fn grow(&mut self, parent: u32, text: &[u8], act: impl FnOnce() -> Act) -> Option<u32> {
        let first = if parent == NONE { self.first } else { self.nodes.get(parent as usize)?.next };
        let (mut at, mut ways, mut last) = (first, 0, NONE);
        while let Some(node) = self.nodes.get(at as usize) {
            if *node.text == *text {
                return Some(at);
            }
            (last, at, ways) = (at, node.other, ways + 1);
        }
        if ways == WAYS_MAX || self.nodes.len() == NODES_MAX {
            self.refused += 1;
            if self.refused > REFUSED_MAX {
                *self = Self::default();
            }
            return None;
        }
        let new = self.nodes.len() as u32;
        match self.nodes.get_mut(last as usize) {
            Some(last) => last.other = new,
            None => match self.nodes.get_mut(parent as usize) {
                Some(parent) => parent.next = new,
                None => self.first = new,
            },
        }
        self.nodes.push(Node::new(text, act()));
        Some(new)
    }
}

impl Node {
    fn new(text: &[u8], act: Act) -> Self {
        let mut word = [0; 16];
        let mut mask = [0; 16];
        for ((word, mask), byte) in word.iter_mut().zip(&mut mask).zip(text) {
            (*word, *mask) = (*byte, u8::MAX);
        }
        let (word, mask) = (u128::from_le_bytes(word), u128::from_le_bytes(mask));
        Self { word, mask, text: text.into(), act, next: NONE, other: NONE }
    }

    /// What comes behind this in a text that begins with it.
    #[inline]
    fn pass<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        let length = self.text.len();
        match text.first_chunk::<16>() {
            Some(window) if length <= 16 => {
                ((u128::from_le_bytes(*window) ^ self.word) & self.mask == 0).then(|| text.get(length..)).flatten()
            }
            _ => text.strip_prefix(&*self.text),
        }
    }
}

impl Use {
    /// The only use of a value that isn't what is usual.
    #[cold]
    fn read<'a>(self, text: &'a [u8], layout: &Layout, found: &mut Found, row: &mut [Value]) -> Option<&'a [u8]> {
        let (value, rest) = scalar(text)?;
        self.take(value, layout, found, row)?;
        Some(rest)
    }

    fn take(self, value: Scalar<'_>, layout: &Layout, found: &mut Found, row: &mut [Value]) -> Option<()> {
        match (self, value) {
            (Self::Time(..) | Self::Lon(_) | Self::Lat(_), Scalar::Null) => {}
            (Self::Time(unit, rank), _) => found.time_ms.offer(rank, instant(value, unit)?),
            (Self::Lon(rank), _) => found.lon.offer(rank, degrees(value)?),
            (Self::Lat(rank), _) => found.lat.offer(rank, degrees(value)?),
            (Self::Slot { required, .. } | Self::Check { required, .. }, Scalar::Null) => {
                return (!required).then_some(());
            }
            (Self::Slot { slot, kind, .. }, _) => put(row, usize::from(slot), typed(value, kind, layout)?)?,
            (Self::Check { kind, .. }, _) => drop(typed(value, kind, layout)?),
        }
        Some(())
    }
}

impl Found {
    #[inline]
    fn put_position(&self, layout: &Layout, row: &mut [Value]) -> Option<()> {
        if !layout.has_position {
            return Some(());
        }
        if self.lon.is_none() || self.lat.is_none() {
            return None;
        }
        let position = Position::new(self.lon.value, self.lat.value).ok()?;
        for &slot in &layout.position_slots {
            put(row, slot, Value::Point(position))?;
        }
        Some(())
    }
}

/// Puts a value into a row, where so far there is mostly nothing.
#[inline]
fn put(row: &mut [Value], slot: usize, value: Value) -> Option<()> {
    std::mem::replace(row.get_mut(slot)?, value).discard();
    Some(())
}

fn instant(value: Scalar<'_>, unit: TimeUnit) -> Option<TimeMs> {
    match value {
        Scalar::Int(number) => unit.of_int(number),
        Scalar::Float(number) => unit.of_float(number),
        Scalar::Text(length, text) => unit.of_text(from_utf8(text.get(..length)?).ok()?),
        Scalar::Null | Scalar::Bool(_) => None,
    }
}

fn degrees(value: Scalar<'_>) -> Option<f64> {
    match value {
        Scalar::Int(number) => Some(number as f64),
        Scalar::Float(number) => Some(number),
        _ => None,
    }
}

fn typed(value: Scalar<'_>, kind: FieldKind, layout: &Layout) -> Option<Value> {
    Some(match (kind, value) {
        (FieldKind::Text | FieldKind::Any, Scalar::Text(length, text)) => Value::Text(text_of(text, length)?),
        (FieldKind::Float(_) | FieldKind::Any, Scalar::Float(number)) => Value::Float(number),
        (FieldKind::Float(_), Scalar::Int(number)) => Value::Float(number as f64),
        (FieldKind::Int | FieldKind::Any, Scalar::Int(number)) => Value::Int(number),
        _ => return rarely(value, kind, layout),
    })
}

/// A text of at most 15 bytes of ASCII that ends with what can't stand in one, and its length; none, if it is another.
#[inline]
fn short_text(bytes: &[u8]) -> Option<(usize, Text)> {
    let (words, _) = bytes.first_chunk::<16>()?.as_chunks::<8>();
    let words = [u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1])];
    let length = plain_short(words)?;
    Some((length, Text::of_ascii(words, length)?))
}

/// The text of so many bytes.
#[inline]
fn text_of(bytes: &[u8], length: usize) -> Option<Text> {
    Some(Text::from(from_utf8(bytes.get(..length)?).ok()?))
}

#[cold]
fn rarely(value: Scalar<'_>, kind: FieldKind, layout: &Layout) -> Option<Value> {
    layout.typed(&raw(value, Want::default())?, kind)
}

fn act(target: Option<Target>, layout: &Layout) -> Act {
    let Some(Target::Cell(cell, _)) = target else { return Act::Skip };
    let uses = layout.uses(cell);
    match uses[..] {
        [] => Act::Skip,
        [Use::Time(unit, rank)] => Act::Time(unit, rank),
        [Use::Lon(rank)] => Act::Lon(rank),
        [Use::Lat(rank)] => Act::Lat(rank),
        [Use::Slot { slot, kind: FieldKind::Text, required }] => Act::Text(slot, required),
        _ => Act::Other(uses.into()),
    }
}

#[cfg(test)]
#[path = "shape_test.rs"]
mod tests;
