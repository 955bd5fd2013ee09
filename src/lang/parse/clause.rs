//! The words that begin clauses, and the few that are reserved.

use super::{
    input::Tokens,
    token::{Kind, Sign},
};
use crate::lang::diag::nearest;

/// The clauses of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Clause {
    From,
    Through,
    Near,
    Join,
    Lookup,
    Unnest,
    Interpolate,
    Where,
    PartitionBy,
    OrderBy,
    Pattern,
    Window,
    Cluster,
    Latest,
    Within,
    OnTimeout,
    Define,
    RowsPerMatch,
    AfterMatch,
    Measures,
    Having,
    Emit,
    Once,
    AllowedLateness,
    Clock,
    AtEnd,
    Feedback,
}

/// How a clause begins.
struct Opening {
    clause: Clause,
    word: &'static str,
    /// Words of which one follows the first; none where the first is enough.
    then: &'static [&'static str],
}

const fn opening(clause: Clause, word: &'static str, then: &'static [&'static str]) -> Opening {
    Opening { clause, word, then }
}

const OPENINGS: &[Opening] = &[
    opening(Clause::From, "FROM", &[]),
    opening(Clause::Through, "THROUGH", &[]),
    opening(Clause::Near, "NEAR", &[]),
    opening(Clause::Join, "JOIN", &[]),
    opening(Clause::Join, "LEFT", &["JOIN", "OUTER"]),
    opening(Clause::Join, "INNER", &["JOIN"]),
    opening(Clause::Lookup, "LOOKUP", &[]),
    opening(Clause::Unnest, "UNNEST", &[]),
    opening(Clause::Interpolate, "INTERPOLATE", &[]),
    opening(Clause::Where, "WHERE", &[]),
    opening(Clause::PartitionBy, "PARTITION", &["BY"]),
    opening(Clause::OrderBy, "ORDER", &["BY"]),
    opening(Clause::Pattern, "PATTERN", &[]),
    opening(Clause::Window, "WINDOW", &["TUMBLING", "SLIDING", "SESSION", "COUNT", "CUMULATIVE"]),
    opening(Clause::Cluster, "CLUSTER", &["BY"]),
    opening(Clause::Latest, "LATEST", &["BY"]),
    opening(Clause::Within, "WITHIN", &[]),
    opening(Clause::OnTimeout, "ON", &["TIMEOUT"]),
    opening(Clause::Define, "DEFINE", &[]),
    opening(Clause::RowsPerMatch, "ALL", &["ROWS"]),
    opening(Clause::RowsPerMatch, "ONE", &["ROW"]),
    opening(Clause::AfterMatch, "AFTER", &["MATCH"]),
    opening(Clause::Measures, "MEASURES", &[]),
    opening(Clause::Having, "HAVING", &[]),
    opening(Clause::Emit, "EMIT", &["EVERY", "ALL", "CHANGES"]),
    opening(Clause::Once, "ONCE", &[]),
    opening(Clause::AllowedLateness, "ALLOWED", &["LATENESS"]),
    opening(Clause::Clock, "CLOCK", &["EVENT", "WALL"]),
    opening(Clause::AtEnd, "AT", &["END"]),
    opening(Clause::Feedback, "FEEDBACK", &[]),
];

/// Words that are never names without back-ticks: each would hide the end of a clause or an operator.
const RESERVED: &[&str] = &[
    "FROM", "WHERE", "PATTERN", "WITHIN", "DEFINE", "MEASURES", "HAVING", "AND", "OR", "NOT", "IN", "IS", "LIKE",
    "BETWEEN", "AS", "BY", "ON", "WHEN", "THEN", "ELSE", "TRUE", "FALSE", "NULL",
];

/// Words after a number that go on with the clause and so are no unit, beside the reserved and opening ones.
const AFTER_NUMBER: &[&str] = &[
    "END", "FILTER", "FOR", "OF", "STRICT", "ANY", "EACH", "UNTIL", "EVERY", "MAX", "GAP", "JITTER", "OFFSET", "TIME",
    "LEAVE", "ALIGN", "FIRST", "COLD", "REACH", "DENSITY", "EXPIRE", "OVERLAP", "SURVIVE", "SPLIT", "GROW", "MOVE",
    "DENSE", "WEIGHT", "MEMBERS", "CONFIRM", "FOLLOW",
];

/// Words on a pattern step.
pub(super) const STEP_WORDS: &[&str] = &["STRICT", "ANY", "EACH", "UNTIL", "WITHIN", "FOR", "OF"];

/// Clauses with a hint for the words that belong inside of them.
const INNER: &[(&str, &str)] = &[
    ("JITTER", "WINDOW"),
    ("OFFSET", "WINDOW"),
    ("GAP", "WINDOW SESSION"),
    ("COLD", "CLUSTER BY"),
    ("MIN", "CLUSTER BY"),
    ("REACH", "CLUSTER BY"),
    ("DENSITY", "CLUSTER BY"),
    ("EXPIRE", "CLUSTER BY"),
    ("OVERLAP", "CLUSTER BY"),
    ("WEIGHT", "CLUSTER BY"),
    ("MEMBERS", "CLUSTER BY"),
    ("CONFIRM", "CLUSTER BY"),
    ("ALIGN", "NEAR"),
    ("LEAVE", "NEAR"),
    ("FOLLOW", "a component of PARTITION BY"),
    ("UNTIL", "a step of PATTERN"),
];

/// Words of SQL and other languages that people try.
const ELSEWHERE: &[(&str, &str)] = &[
    ("GROUP", "PARTITION BY"),
    ("KEY", "PARTITION BY"),
    ("SELECT", "MEASURES"),
    ("FILTER", "WHERE"),
    ("MATCH_RECOGNIZE", "PATTERN"),
    ("SKIP", "AFTER MATCH SKIP"),
    ("TIMEOUT", "ON TIMEOUT"),
];

impl Clause {
    /// How the clause begins, for messages.
    pub(super) fn words(self) -> String {
        match OPENINGS.iter().find(|o| o.clause == self) {
            Some(Opening { word, then: [only], .. }) => format!("{word} {only}"),
            Some(Opening { word: "ALL", .. }) => "ROWS PER MATCH".to_owned(),
            Some(found) => found.word.to_owned(),
            None => String::new(),
        }
    }
}

/// The clause that begins here, judged by the first word: for places where no name can stand.
pub(super) fn clause_here(i: Tokens<'_>) -> Option<Clause> {
    openings(i).next().map(|o| o.clause)
}

/// The clause that begins here for sure, by a reserved word or by two words: for places where a name can stand.
pub(super) fn clause_for_sure(i: Tokens<'_>) -> Option<Clause> {
    openings(i)
        .find(|o| match o.then {
            [] => is_reserved(o.word),
            then => then.iter().any(|w| i.ahead(1).is_word(w)),
        })
        .map(|o| o.clause)
}

/// The clause that a misspelt word here probably means, and the word as it should be. Only where what follows fits too.
pub(super) fn clause_misspelt(i: Tokens<'_>) -> Option<(Clause, &'static str)> {
    let token = i.peek();
    if token.kind != Kind::Word || token.text.len() < 4 || clause_here(i).is_some() {
        return None;
    }
    let word = nearest(token.text, OPENINGS.iter().map(|o| o.word))?;
    let found = OPENINGS.iter().find(|o| o.word == word)?;
    let second = i.ahead(1);
    let fits = match found.clause {
        Clause::From | Clause::Through | Clause::Define if second.kind != Kind::Word => false,
        Clause::Define => i.ahead(2).is_word("AS") || i.ahead(2).is_word("FROM"),
        Clause::Within => matches!(second.kind, Kind::Int | Kind::Float) || second.is_word("UNBOUNDED"),
        Clause::Window => second.kind == Kind::Word,
        Clause::Measures | Clause::Where | Clause::Having => {
            matches!(second.kind, Kind::Word | Kind::Quoted | Kind::Int | Kind::Float) || second.is_sign(Sign::Open)
        }
        Clause::Interpolate | Clause::Once => false,
        _ => match found.then {
            [] => second.kind == Kind::Word,
            then => then.iter().any(|w| second.is_word(w)),
        },
    };
    fits.then_some((found.clause, found.word))
}

/// The clause of ours that a word of other languages stands for.
pub(super) fn ours_for(word: &str) -> Option<&'static str> {
    ELSEWHERE.iter().find(|(theirs, _)| word.eq_ignore_ascii_case(theirs)).map(|&(_, ours)| ours)
}

/// What to write in place of a join that there isn't, where one begins here.
pub(super) fn other_join(i: Tokens<'_>) -> Option<&'static str> {
    let after = i.ahead(1);
    if !after.is_word("JOIN") && !after.is_word("OUTER") {
        return None;
    }
    match i.peek() {
        word if word.is_word("RIGHT") => Some("a LEFT JOIN with the two streams the other way round says the same"),
        word if word.is_word("FULL") => {
            Some("write two rules, `a LEFT JOIN b` and `b LEFT JOIN a`: pairs then come from both")
        }
        _ => None,
    }
}

/// The clause that a word belongs inside of, where it was met outside.
pub(super) fn inside_of(word: &str) -> Option<&'static str> {
    INNER.iter().find(|(inner, _)| word.eq_ignore_ascii_case(inner)).map(|&(_, outer)| outer)
}

/// The word that begins a clause and is nearest to this one.
pub(super) fn nearest_clause(word: &str) -> Option<&'static str> {
    nearest(word, OPENINGS.iter().map(|o| o.word))
}

/// Whether a word is never a name without back-ticks.
pub(super) fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|r| word.eq_ignore_ascii_case(r))
}

/// Whether the word here, met after a number, is no unit.
pub(super) fn ends_quantity(i: Tokens<'_>) -> bool {
    let word = i.peek().text;
    is_reserved(word)
        || AFTER_NUMBER.iter().any(|r| word.eq_ignore_ascii_case(r))
        || OPENINGS.iter().any(|o| word.eq_ignore_ascii_case(o.word))
        || (i.is_word("MIN") && i.ahead(1).is_word("CELLS"))
}

/// Whether canonical text must put a name in back-ticks wherever it stands first.
pub(in crate::lang) fn needs_back_ticks(name: &str) -> bool {
    !is_plain(name)
        || is_reserved(name)
        || OPENINGS.iter().any(|o| name.eq_ignore_ascii_case(o.word))
        || STEP_WORDS.iter().any(|w| name.eq_ignore_ascii_case(w))
        || ["CASE", "TIMEOUT", "DISTINCT", "FILTER", "RUNNING", "FINAL"].iter().any(|w| name.eq_ignore_ascii_case(w))
}

/// Whether a name can be written as a word.
fn is_plain(name: &str) -> bool {
    let mut letters = name.bytes();
    letters.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && letters.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn openings(i: Tokens<'_>) -> impl Iterator<Item = &'static Opening> {
    let token = i.peek();
    // `ALL` and `ONE`, `LEFT` and `INNER`, `ON` and `AT` are common words: they count with their second word only.
    let common = ["ALL", "ONE", "LEFT", "INNER", "ON", "AT"];
    OPENINGS.iter().filter(move |o| {
        token.is_word(o.word) && (!common.contains(&o.word) || o.then.iter().any(|w| i.ahead(1).is_word(w)))
    })
}
