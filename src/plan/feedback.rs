//! FEEDBACK: a rule that reads its own outputs.

/// `FEEDBACK n`: what the rule puts out of a key is an event of the same partition, right after the event that it was put out for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feedback {
    /// Which of the rule's inputs is its own stream.
    pub input: u16,
    /// How often in a row outputs may follow from outputs: what comes of the n-th isn't fed back any more. At least 1.
    pub hops: u32,
}

impl Feedback {
    /// The most hops that a rule may ask for.
    pub const HOPS_MAX: u32 = 100;
    /// So many outputs are fed back for one event from outside, of whatever hop.
    pub const FED_MAX: usize = 1_000;
}
