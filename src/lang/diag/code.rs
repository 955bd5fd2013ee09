//! The register of codes. A code is never reused: one that is no longer given stays here, marked as retired.
//!
//! `E01xx` grammar, `E02xx` names, `E03xx` types and units, `E04xx` not supported yet, `E05xx` streams among rules,
//! `E06xx` rule files; `W01xx` lints. `docs/errors.md` lists them all, and a test holds the list to this register.

use std::fmt;

/// How much a diagnostic weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The rule runs, but probably not as meant.
    Warning,
    /// The rule does not run.
    Error,
}

macro_rules! codes {
    ($($name:ident $text:literal $explanation:literal;)*) => {
        /// What kind of mistake it is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = concat!("`", $text, "`: ", $explanation)] $name,)*
        }

        impl Code {
            /// Every code of the register, in its order.
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// The code as users see it: `E0101`.
            #[must_use]
            pub fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// One line that says what the code means in general.
            #[must_use]
            pub fn explanation(self) -> &'static str {
                match self { $(Self::$name => $explanation,)* }
            }
        }
    };
}

codes! {
    // Grammar.
    UnexpectedToken "E0101" "something else was expected at this place";
    UnknownCharacter "E0102" "a character that no part of the language begins with";
    UnclosedText "E0103" "a quoted text or name without its closing quote";
    BadNumber "E0104" "a number that can't be read or doesn't fit";
    UnclosedParenthesis "E0105" "a parenthesis or brace that is opened and never closed";
    ClauseTwice "E0106" "a clause that may be given once is given again";
    MissingFrom "E0107" "a rule without `FROM` reads nothing";
    ClauseAlone "E0108" "a clause that belongs to another one, which is missing";
    TwoOperators "E0109" "a rule has at most one of PATTERN, WINDOW, CLUSTER and LATEST";
    UnknownClause "E0110" "a word at the place of a clause that begins none";
    MissingName "E0111" "a computed value that needs a name of its own";
    ChainedComparison "E0112" "comparisons don't chain";
    BadQuantifier "E0113" "a quantifier that can match nothing, or has its bounds the wrong way round";
    BadStep "E0114" "words on a pattern step that don't go together";
    AmbiguousPattern "E0115" "a pattern that can be read in two ways without parentheses";
    TooDeep "E0116" "expressions or groups nested deeper than the limit";
    TooLong "E0117" "a text longer than the limit";
    EmptyText "E0118" "an expression without any text";
    // Names.
    UnknownStream "E0201" "a stream that neither a source nor a rule gives";
    UnknownField "E0202" "a field that the stream doesn't have";
    UnknownFunction "E0203" "a function that isn't there";
    UnknownVariable "E0204" "a pattern variable that isn't in the pattern";
    UnknownSet "E0205" "a geofence set that isn't configured";
    NameTwice "E0206" "a name that is given twice where it must be unique";
    AmbiguousName "E0207" "a name that several streams have";
    UnknownTable "E0208" "a reference table that isn't configured";
    // Types and units.
    WrongType "E0301" "a value of another type was expected";
    UnknownUnit "E0302" "a unit that isn't there";
    WrongUnit "E0303" "a quantity of another kind was expected";
    WrongArguments "E0304" "a function called with too many or too few arguments";
    OutOfRange "E0305" "a value outside of what is possible";
    WrongPlace "E0306" "something that is fine elsewhere but means nothing here";
    BadPattern "E0307" "a pattern that can't mean what it says";
    MissingWithin "E0308" "nothing bounds for how long events are kept";
    MissingMeasures "E0309" "a window that measures nothing";
    NeedsLimit "E0310" "a pattern whose partial matches can multiply and that nothing bounds";
    // Not supported yet.
    Unsupported "E0401" "the language has it, this version doesn't run it";
    // Streams among rules.
    StreamTwice "E0501" "two rules or sources give the same stream";
    Cycle "E0502" "rules that read each other in a circle";
    // Rule files.
    BadYaml "E0601" "the file isn't YAML, or is beyond the limits";
    BadShape "E0602" "a value of another shape was expected in the file";
    UnknownKey "E0603" "a key that rule files don't have";
    KeyTwice "E0604" "a key that is given twice";
    MissingKey "E0605" "a key that must be there";
    BadRuleName "E0606" "a name that can't name a rule or a stream";
    RuleTwice "E0607" "two rules or groups of one file with the same name";
    AlertAndStream "E0608" "a rule that is both an alert and a stream, or neither";
    FoldedExpr "E0609" "an expression in a block whose lines YAML joins";
    LostPlace "E0610" "an expression whose lines can't be found in the file";
    BadTemplate "E0611" "a template that can't be read";
    KeyUnsupported "E0612" "a key of the rule that this version doesn't act on";
    EmptyGroups "E0613" "a list that must have an entry";
    // Lints.
    SuspiciousName "W0101" "a name that looks like a keyword or another name";
    UnusedVariable "W0102" "a definition or name that nothing uses";
    AlwaysSame "W0103" "a condition that is always true or always false";
    UndeclaredStream "W0104" "a stream that nobody declares, taken for a source with any fields";
    NoDefinition "W0105" "a pattern variable without a definition matches every event";
    NotYetBound "W0106" "a condition on a variable that comes later in the pattern";
    EmptyPattern "W0107" "a pattern that no event at all would meet, too";
}

impl Code {
    /// Whether it stops the rule: by the code's letter.
    #[must_use]
    pub fn severity(self) -> Severity {
        if self.text().starts_with('W') { Severity::Warning } else { Severity::Error }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_in_order() {
        for pair in Code::ALL.windows(2) {
            let (a, b) = (pair[0].text(), pair[1].text());
            assert!(a < b, "{a} stands before {b}");
        }
    }

    #[test]
    fn the_document_lists_every_code_with_its_line() {
        let document = include_str!("../../../docs/errors.md");
        for code in Code::ALL {
            let row = format!("| {} | {} |", code.text(), code.explanation());
            assert!(document.contains(&row), "docs/errors.md lacks the row\n{row}");
        }
        let rows = document.lines().filter(|l| l.starts_with("| E") || l.starts_with("| W")).count();
        assert_eq!(rows, Code::ALL.len(), "docs/errors.md lists a code that isn't in the register");
    }
}
