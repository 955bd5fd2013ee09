//! Records that become no event: counted, put into the dead letters, and a few of them into words. And who decides: a partition's decoder.

use super::session::{Letters, SourceCounts};
use crate::{
    model::Reject,
    wire::{DeadLetter, Decoder, Format, RecordSchema, dead_letter},
};

/// How many bad records or late events of a source are put into words; past that they are only counted and written out.
pub(super) const SAMPLES_MAX: u64 = 5;

/// A decoder of a partition, which goes on with parts of records that another had read.
pub(super) fn decoder(records: &RecordSchema, format: Format, open: Option<&Vec<u8>>) -> Decoder {
    let mut decoder = Decoder::new(records, format);
    if let Some(open) = open
        && let Err(error) = decoder.go_on(open)
    {
        tracing::warn!(%error, "parts of messages that a checkpoint has can't be used: their rest will be rejected");
    }
    decoder
}

/// A partition has ended: what isn't whole never will be. It is counted; its lines are gone.
pub(super) fn end(decoder: &mut Decoder, counts: &mut SourceCounts) {
    decoder.end();
    for lost in decoder.take_lost() {
        *counts.rejected.entry(lost.reject.reason).or_default() += 1;
    }
}

/// A record that became no event: its partition, its offset and its bytes.
pub(super) fn refuse(
    counts: &mut SourceCounts,
    reject: &Reject,
    (partition, offset, record): (u32, u64, &[u8]),
    letters: &mut Letters,
) {
    dead_letter(&DeadLetter { reject, source: &counts.name, partition, offset, record }, &mut letters.dead);
    let before: u64 = counts.rejected.values().sum();
    if before < SAMPLES_MAX {
        letters.samples.push(in_words(&counts.name, partition, offset, reject));
    }
    *counts.rejected.entry(reject.reason).or_default() += 1;
}

fn in_words(source: &str, partition: u32, offset: u64, reject: &Reject) -> String {
    format!("{source} (partition {partition}, record {}): {}: {}", offset + 1, reject.reason.name(), reject.detail)
}
