//! Patterns and the clauses that go with them.

use super::Printer;
use crate::lang::ast::{
    Connector, Contiguity, Definition, GroupKind, PatternClause, Quantifier, RowsPerMatch, Sequence, Skip, SkipTarget,
    Step, Term, Within,
};

impl Printer {
    /// `PATTERN … WITHIN … ON TIMEOUT DEFINE …`; what comes after the measures is in [`Printer::after_measures`].
    pub(super) fn pattern(&mut self, clause: &PatternClause) {
        self.put("PATTERN");
        self.sequence(&clause.pattern);
        match &clause.within {
            Some(Within::Duration(d)) => {
                self.put("WITHIN");
                self.quantity(d);
            }
            Some(Within::Unbounded(_)) => self.put("WITHIN UNBOUNDED"),
            None => {}
        }
        if clause.on_timeout.is_some() {
            self.put("ON TIMEOUT");
        }
        if !clause.define.is_empty() {
            self.put("DEFINE");
            self.list(&clause.define, Self::definition);
        }
    }

    /// Rows per match and `AFTER MATCH`.
    pub(super) fn after_measures(&mut self, clause: &PatternClause) {
        match clause.rows.map(|r| r.value) {
            Some(RowsPerMatch::One) => self.put("ONE ROW PER MATCH"),
            Some(RowsPerMatch::All) => self.put("ALL ROWS PER MATCH"),
            None => {}
        }
        if let Some(skip) = &clause.skip {
            self.skip(skip);
        }
    }

    fn definition(&mut self, definition: &Definition) {
        self.name(&definition.name);
        if let Some(stream) = &definition.from {
            self.put("FROM");
            self.name(stream);
        }
        self.put("AS");
        self.expr(&definition.condition);
    }

    fn skip(&mut self, skip: &Skip) {
        let (words, variable, or_fail) = match &skip.target {
            SkipTarget::Eager => ("AFTER MATCH EAGER", None, false),
            SkipTarget::NoSkip => ("AFTER MATCH NO SKIP", None, false),
            SkipTarget::ToNextRow => ("AFTER MATCH SKIP TO NEXT ROW", None, false),
            SkipTarget::PastLastRow => ("AFTER MATCH SKIP PAST LAST ROW", None, false),
            SkipTarget::ToFirst { variable, or_fail } => ("AFTER MATCH SKIP TO FIRST", Some(variable), *or_fail),
            SkipTarget::ToLast { variable, or_fail } => ("AFTER MATCH SKIP TO LAST", Some(variable), *or_fail),
        };
        self.put(words);
        if let Some(variable) = variable {
            self.name(variable);
        }
        if or_fail {
            self.put("OR FAIL");
        }
    }

    pub(super) fn sequence(&mut self, sequence: &Sequence) {
        let mut unit_due = false;
        for step in &sequence.steps {
            match step.connector.map(|c| c.value) {
                Some(Connector::Relaxed) => self.put("->"),
                Some(Connector::Any) => self.put("->>"),
                Some(Connector::Strict) | None => {}
            }
            let side_by_side = step.connector.is_some_and(|c| c.value == Connector::Strict);
            self.step(step, unit_due && side_by_side);
            let last = step.within.as_ref().filter(|w| !w.of_previous).map(|w| &w.duration);
            unit_due = last.or(step.absent_for.as_ref()).is_some_and(|d| d.unit.is_none());
        }
    }

    /// A step; a name that would be read as the unit of the number before it stands in back-ticks.
    fn step(&mut self, step: &Step, after_number: bool) {
        let mut term = Printer::default();
        match &step.term {
            Term::Variable(name) if after_number => term.put(&format!("`{}`", name.text)),
            Term::Variable(name) => term.name(name),
            Term::Group(group) => {
                term.glue("(");
                for (n, member) in group.members.iter().enumerate() {
                    if n > 0 {
                        term.put(if group.kind == GroupKind::Permutation { "&" } else { "|" });
                    }
                    term.sequence(member);
                }
                term.glue(")");
            }
        }
        self.put(if step.negated.is_some() { "!" } else { "" });
        self.glue(&term.text);
        if let Some(quantifier) = &step.quantifier {
            self.glue(&quantifier_text(quantifier));
        }
        match step.contiguity.map(|c| c.value) {
            Some(Contiguity::Strict) => self.put("STRICT"),
            Some(Contiguity::Any) => self.put("ANY"),
            None => {}
        }
        if step.each.is_some() {
            self.put("EACH");
        }
        if let Some(condition) = &step.until {
            self.put("UNTIL (");
            self.expr(condition);
            self.glue(")");
        }
        if let Some(duration) = &step.absent_for {
            self.put("FOR");
            self.quantity(duration);
        }
        if let Some(bound) = &step.within {
            self.put("WITHIN");
            self.quantity(&bound.duration);
            if bound.of_previous {
                self.put("OF PREVIOUS");
            }
        }
    }
}

fn quantifier_text(q: &Quantifier) -> String {
    let mut text = match (q.min, q.max) {
        (0, None) => "*".to_owned(),
        (1, None) => "+".to_owned(),
        (0, Some(1)) => "?".to_owned(),
        (min, None) => format!("{{{min},}}"),
        (min, Some(max)) if min == max => format!("{{{min}}}"),
        (0, Some(max)) => format!("{{,{max}}}"),
        (min, Some(max)) => format!("{{{min},{max}}}"),
    };
    if q.reluctant {
        text.push('?');
    }
    text
}
