//! Lines of AIS → events.

use super::{
    AisField, AisMessages,
    assembly::{Assembly, Lost, Whole},
    message::Message,
    sentence,
};
use crate::{
    model::{Batch, DecodeError, Reject, RejectReason},
    wire::{
        layout::{Layout, Raw},
        record::{PositionSource, RecordSchema, TimeSource, TimeUnit},
    },
};

/// Decodes the lines of one partition: it keeps parts of messages, so partitions can't share one.
#[derive(Debug)]
pub struct AisDecoder {
    layout: Layout,
    messages: AisMessages,
    /// For each cell what it takes.
    fields: Vec<Option<AisField>>,
    cells: Vec<Raw>,
    assembly: Assembly,
    lost: Vec<Lost>,
}

impl AisDecoder {
    /// A decoder whose events have the slots of a schema. Where its time and position come from is fixed.
    pub fn new(schema: &RecordSchema, messages: AisMessages) -> Self {
        let position = schema.position.as_ref().filter(|_| messages == AisMessages::Positions);
        let own = |name: &str| vec![name.to_owned()];
        let schema = RecordSchema {
            time: TimeSource { fields: own("ts"), unit: TimeUnit::Milliseconds },
            position: position.map(|_| PositionSource { lon: own("lon"), lat: own("lat"), geometry: Vec::new() }),
            ..schema.clone()
        };
        let layout = Layout::new(&schema, false);
        let fields = layout.names().iter().map(|name| AisField::of_name(name)).collect();
        let cells = vec![Raw::Absent; layout.names().len()];
        Self { layout, messages, fields, cells, assembly: Assembly::default(), lost: Vec::new() }
    }

    /// Decodes a line and adds the event to `batch`, if it completes a message that is wanted. Returns whether it did.
    ///
    /// # Errors
    /// Why the line is no part of a message, or the message no event; then nothing is added.
    pub fn decode(&mut self, line: &[u8], partition: u32, offset: u64, batch: &mut Batch) -> Result<bool, Reject> {
        let sentence = sentence::read(line)?;
        let (own, channel) = (sentence.own, sentence.channel);
        let whole = self.assembly.take(&sentence, (line, offset), &mut self.lost)?;
        let Some(Whole { bits, time_ms, station }) = whole else { return Ok(false) };
        let message = Message::new(&bits)?;
        let wanted = self.messages.has(message.kind);
        if wanted && time_ms.is_none() {
            let detail =
                "nothing says when it was received: no tag block with `c:`, no time before or after the sentence";
            return Err(Reject::new(RejectReason::MissingTime, detail));
        }
        if !wanted {
            return Ok(false);
        }
        for (cell, field) in self.cells.iter_mut().zip(&self.fields) {
            *cell = match field {
                None => Raw::Absent,
                Some(AisField::Ts) => time_ms.map_or(Raw::Absent, Raw::Time),
                Some(AisField::Own) => Raw::Bool(own),
                Some(AisField::Channel) => match channel {
                    Some(channel) if channel.is_ascii() => Raw::Text(char::from(channel).to_string().as_str().into()),
                    _ => Raw::Absent,
                },
                Some(AisField::Station) => station.as_deref().map_or(Raw::Absent, |text| Raw::Text(text.into())),
                Some(field) => message.get(*field),
            };
        }
        self.layout.finish(&self.cells, partition, offset, batch)?;
        Ok(true)
    }

    /// The messages that were given up since it was last asked.
    pub fn take_lost(&mut self) -> Vec<Lost> {
        std::mem::take(&mut self.lost)
    }

    /// There is no more: gives up what isn't whole.
    pub fn end(&mut self) {
        self.lost.extend(self.assembly.end());
    }

    /// The parts of messages that aren't whole, as bytes; none where there are none.
    pub fn open(&self) -> Vec<u8> {
        self.assembly.save()
    }

    /// Goes on with what [`open`](Self::open) gave.
    ///
    /// # Errors
    /// The bytes are no such parts.
    pub fn go_on(&mut self, open: &[u8]) -> Result<(), DecodeError> {
        self.assembly = Assembly::load(open)?;
        Ok(())
    }
}
