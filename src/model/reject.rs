//! Records that are no events: why, and the whole record for the dead-letter output.

/// Why a record was rejected; the names are those of the metric's `reason` label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RejectReason {
    /// It is no JSON object (or CSV row) at all: truncated, unbalanced, not UTF-8.
    Syntax,
    /// It is longer than the limit.
    TooLong,
    /// The time field is missing or null.
    MissingTime,
    /// The time field is no instant, or out of range.
    BadTime,
    /// The position is missing or half of it is.
    MissingPosition,
    /// Longitude or latitude is not a finite number in range.
    BadPosition,
    /// A field that has to be there is missing or null: a key, or one that the schema requires.
    MissingField,
    /// A field has another type than the schema says.
    WrongType,
    /// It is well formed, and of a kind that isn't read.
    Unsupported,
    /// It is a part of a message whose other parts are missing.
    Incomplete,
}

impl RejectReason {
    /// Every reason.
    pub const ALL: &'static [RejectReason] = &[
        Self::Syntax,
        Self::TooLong,
        Self::MissingTime,
        Self::BadTime,
        Self::MissingPosition,
        Self::BadPosition,
        Self::MissingField,
        Self::WrongType,
        Self::Unsupported,
        Self::Incomplete,
    ];

    /// Its name in metrics and dead letters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::TooLong => "too_long",
            Self::MissingTime => "missing_time",
            Self::BadTime => "bad_time",
            Self::MissingPosition => "missing_position",
            Self::BadPosition => "bad_position",
            Self::MissingField => "missing_field",
            Self::WrongType => "wrong_type",
            Self::Unsupported => "unsupported",
            Self::Incomplete => "incomplete",
        }
    }
}

/// A rejected record: the reason, and what exactly was wrong in the user's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The reason that it is counted under.
    pub reason: RejectReason,
    /// What was wrong, with the field's name and the value found where that helps.
    pub detail: String,
}

impl Reject {
    /// A rejection.
    pub fn new(reason: RejectReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}
