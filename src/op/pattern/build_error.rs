//! Why a pattern can't be built.

/// What a program refuses. The checker refuses the same with a place in the text; this is the last line of defence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// A construct that this version can't match.
    #[error("{what} is not supported yet")]
    NotSupported {
        /// The construct in the user's words.
        what: String,
    },
    /// A pattern that has no meaning.
    #[error("{why}")]
    Meaningless {
        /// What is wrong with it.
        why: String,
    },
    /// A pattern whose automaton would not fit.
    #[error("the pattern needs more than {limit} {what}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How many are allowed.
        limit: usize,
    },
}

impl BuildError {
    pub(super) fn unsupported(what: impl Into<String>) -> Self {
        Self::NotSupported { what: what.into() }
    }

    pub(super) fn meaningless(why: impl Into<String>) -> Self {
        Self::Meaningless { why: why.into() }
    }
}
