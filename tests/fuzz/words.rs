//! Changes of a text, and the words that they put in: what a grammar has, and what it had better not have.

use proptest::{prelude::*, sample::Index};

/// One change of a text.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Remove(Index, usize),
    Insert(Index, Vec<u8>),
    Flip(Index, u8),
    Repeat(Index, usize, usize),
    Copy(Index, Index, usize),
    Cut(Index),
}

pub(crate) fn change(words: &'static [&'static str]) -> impl Strategy<Value = Change> {
    let word = proptest::sample::select(words).prop_map(|word| word.as_bytes().to_vec());
    let bytes = prop_oneof![4 => word, 1 => proptest::collection::vec(any::<u8>(), 0..6)];
    prop_oneof![
        3 => (any::<Index>(), 1..12usize).prop_map(|(at, len)| Change::Remove(at, len)),
        6 => (any::<Index>(), bytes).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        2 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Flip(at, byte)),
        1 => (any::<Index>(), 1..8usize, 1..200usize).prop_map(|(at, len, times)| Change::Repeat(at, len, times)),
        3 => (any::<Index>(), any::<Index>(), 1..40usize).prop_map(|(from, to, len)| Change::Copy(from, to, len)),
        1 => any::<Index>().prop_map(Change::Cut),
    ]
}

pub(crate) fn changed(seed: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for change in changes {
        let place = |at: &Index| at.index(bytes.len() + 1);
        let piece = |at: usize, len: usize| bytes.get(at..(at + len).min(bytes.len())).unwrap_or_default().to_vec();
        match change {
            Change::Remove(at, len) => {
                let at = place(at);
                let end = (at + len).min(bytes.len());
                bytes.drain(at..end);
            }
            Change::Insert(at, more) => {
                let at = place(at);
                bytes.splice(at..at, more.iter().copied());
            }
            Change::Flip(at, mask) => {
                let at = place(at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= mask;
                }
            }
            Change::Repeat(at, len, times) => {
                let at = place(at);
                let piece = piece(at, *len).repeat(*times);
                bytes.splice(at..at, piece);
            }
            Change::Copy(from, to, len) => {
                let (piece, to) = (piece(place(from), *len), place(to));
                bytes.splice(to..to, piece);
            }
            Change::Cut(at) => {
                let at = place(at);
                bytes.truncate(at);
            }
        }
    }
    bytes
}

pub(crate) const RULE_WORDS: &[&str] = &[
    "FROM",
    "WHERE",
    "PARTITION BY",
    "PATTERN",
    "WITHIN",
    "DEFINE",
    "MEASURES",
    "HAVING",
    "ON TIMEOUT",
    "THROUGH",
    "WINDOW",
    "TUMBLING",
    "JITTER 100%",
    "EAGER",
    "AFTER MATCH SKIP",
    "NO SKIP",
    "TO NEXT ROW",
    "PAST LAST ROW",
    "TO LAST a",
    "STRICT",
    "ANY",
    "EACH",
    "UNTIL",
    "FOR 5 min",
    "UNBOUNDED",
    "NEAR",
    "JOIN pings b ON a.id = b.id",
    "LEFT JOIN",
    "WITHIN -5 min .. 10 min",
    "LOOKUP t ON t.id = id",
    "CLUSTER",
    "CLUSTER BY h3(position, 8) WHERE speed < 5 km/h",
    "WEIGHT fuel",
    "MEMBERS vehicle",
    "CONFIRM 2 OF 3",
    "EMIT ALL",
    "ORDER BY",
    "->",
    "->>",
    "!",
    "+",
    "*",
    "?",
    "{2}",
    "{2,}",
    "{0,3}",
    "{3,1}",
    "{99999999999}",
    "(",
    ")",
    "|",
    "&",
    ",",
    ".",
    "'",
    "\"",
    "--",
    "0",
    "-1",
    "1e308",
    "9223372036854775807",
    "5 km/h",
    "3 kn",
    "500 m",
    "30 min",
    "15 deg",
    "TIME '2026-01-01T00:00:00Z'",
    "NULL",
    "TRUE",
    "count(*)",
    "count(a)",
    "sum(a.speed)",
    "avg(speed)",
    "min(x.speed)",
    "last(a.speed, 2)",
    "first(a.time)",
    "prev(speed)",
    "gap()",
    "speed()",
    "heading()",
    "entered(zones)",
    "inside(airports)",
    "exited(a.fence)",
    "distance(position, prev(position))",
    "h3(position, 8)",
    "parent(cell, 4)",
    "path_length(a)",
    "distinct(vehicle)",
    "IN ('a', 'b')",
    "IS NULL",
    "BETWEEN 1 AND 2",
    "LIKE '%a'",
    "AND",
    "OR",
    "NOT",
    "=",
    "<>",
    "<",
    ">=",
    "/ 0",
    "% 0",
    "* 1e300",
    "/",
    "abs(",
    "coalesce(",
    "CASE WHEN",
    "vehicle",
    "fence",
    "time",
    "key",
    "\n          ",
    "\t",
    "ä",
    "\u{1F600}",
    "\0",
];

pub(crate) const YAML_WORDS: &[&str] = &[
    "groups:",
    "rules:",
    "- alert: A",
    "- stream: s",
    "expr: |",
    "expr: >",
    "labels: {",
    "}",
    "[",
    "]",
    "&a",
    "*a",
    "<<:",
    "!!str",
    "|",
    ">",
    "\n",
    "  ",
    "\n      ",
    "'",
    "\"",
    "#",
    "~",
    "null",
    "{{ key }}",
    "{{",
    "}}",
    "---",
    "...",
    "? ",
    ": ",
    "\t",
    "1e9",
    "0x1",
];

pub(crate) const JSON_WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "null",
    "true",
    "-0",
    "1e999",
    "-1e999",
    "NaN",
    "9223372036854775808",
    "0.1",
    "\\u0000",
    "\\ud800",
    "\"ts\":",
    "\"lon\":",
    "\"lat\":",
    "\"id\":",
    "\"geometry\":",
    "\"coordinates\":",
    "\"type\":\"Point\"",
    "\"features\":",
    "181",
    "-91",
    "\"Polygon\"",
    "\"MultiPolygon\"",
    "[[[0,0],[1,1],[0,0]]]",
    "[]",
    "{}",
    " ",
    "\n",
    "\r",
    "ä",
    "\u{FEFF}",
];

pub(crate) const CSV_WORDS: &[&str] = &[
    ",", ";", "\"", "\"\"", "\n", "\r\n", "\r", "ts", "lon", "lat", "id", "1", "-1e400", "x", "\t", "|", " ",
    "\u{FEFF}",
];

pub(crate) const CONFIG_WORDS: &[&str] = &[
    "sources:",
    "schemas:",
    "geofences:",
    "rules:",
    "sinks:",
    "api:",
    "engine:",
    "file:",
    "kafka:",
    "stdin:",
    "schema:",
    "time:",
    "position:",
    "fields:",
    "disorder:",
    "10s",
    "-1",
    "99999999999999999999 d",
    "1e999h",
    "${HOME}",
    "${",
    "$$",
    "{",
    "}",
    "[",
    "]",
    "\n",
    "  ",
    ": ",
    "- ",
    "unit: km/h",
    "type: float",
    "path:",
    "id:",
    "lenient: true",
    "seed:",
    "shards: 0",
    "key_groups: 0",
    "&a",
    "*a",
    "'",
    "\"",
];
