//! Patterns that can't mean what they say: rules on the sequence as a whole, mostly Flink CEP's own.

use super::scope::RuleScope;
use crate::lang::{
    ast::{Connector, GroupKind, PatternClause, Sequence, Step, Term, Within},
    diag::{Code, Diagnostic},
};

/// Reports what is wrong with a pattern's shape.
pub(super) fn check(rule: &mut RuleScope<'_>, clause: &PatternClause) {
    sequence(rule, &clause.pattern, true);
    if clause.pattern.steps.iter().all(|step| step.negated.is_none() && can_be_empty(step)) {
        rule.report(
            Diagnostic::new(Code::BadPattern, clause.pattern.span, "this pattern is met by no events at all")
                .with_label("every part is optional")
                .with_help("make one part required: `+` rather than `*`"),
        );
    }
    if let Some(last) = clause.pattern.steps.last()
        && let Some(not) = last.negated
        && last.absent_for.is_none()
        && !matches!(clause.within, Some(Within::Duration(_)))
    {
        rule.report(
            Diagnostic::new(Code::BadPattern, not.to(last.span), "an absence at the end never ends")
                .with_label("until when?")
                .with_help("write `FOR d` after it, or bound the match by `WITHIN d`"),
        );
    }
    if clause.within.is_none() && needs_within(&clause.pattern) {
        rule.report(
            Diagnostic::new(Code::MissingWithin, clause.span, "nothing bounds how long a partial match is kept")
                .with_help("add `WITHIN d`, or `WITHIN UNBOUNDED` if that is meant"),
        );
    }
}

/// One event, or one absence with its deadline, keeps no partial match.
fn needs_within(pattern: &Sequence) -> bool {
    match pattern.steps.as_slice() {
        [step] => match &step.term {
            Term::Group(_) => true,
            Term::Variable(_) => step.quantifier.is_some_and(|quantifier| quantifier.max != Some(1)),
        },
        _ => true,
    }
}

fn can_be_empty(step: &Step) -> bool {
    if step.quantifier.is_some_and(|quantifier| quantifier.min == 0) {
        return true;
    }
    match &step.term {
        Term::Variable(_) => false,
        Term::Group(group) => {
            let empty = |member: &Sequence| member.steps.iter().all(|s| s.negated.is_none() && can_be_empty(s));
            match group.kind {
                GroupKind::Permutation => group.members.iter().all(empty),
                GroupKind::Sequence | GroupKind::Alternation => group.members.iter().any(empty),
            }
        }
    }
}

fn sequence(rule: &mut RuleScope<'_>, steps: &Sequence, outermost: bool) {
    let mut before: Option<&Step> = None;
    let count = steps.steps.len();
    for (at, step) in steps.steps.iter().enumerate() {
        if let Term::Group(group) = &step.term {
            for member in &group.members {
                sequence(rule, member, false);
            }
        }
        if step.negated.is_some() {
            negated(rule, step, before, outermost, at + 1 == count);
        }
        before = Some(step);
    }
}

fn negated(rule: &mut RuleScope<'_>, step: &Step, before: Option<&Step>, outermost: bool, last: bool) {
    let mut bad = |message: &str, help: &str| {
        rule.report(Diagnostic::new(Code::BadPattern, step.span, message).with_help(help));
    };
    match before {
        None if !outermost => {
            bad("a group can't begin with what must not occur", "put it before the group");
        }
        None if step.absent_for.is_none() => {
            bad("an absence at the start has no beginning", "write `FOR d` after it: nothing of it for that long");
        }
        Some(before) if before.negated.is_none() && can_be_empty(before) => bad(
            "what must not occur can't follow an optional part",
            "write two rules, one with the part and one without it",
        ),
        _ => {}
    }
    if !outermost && last && step.absent_for.is_none() {
        bad("a group can't end with what must not occur", "write `FOR d` after it, or put it after the group");
    }
    if step.connector.is_some_and(|connector| connector.value == Connector::Any) {
        bad("`->>` chooses among events, and here is none", "write `-> !b`: b does not occur in between");
    }
    if let Term::Group(group) = &step.term
        && group.members.iter().any(|member| member.steps.iter().any(|inner| inner.negated.is_some()))
    {
        bad("what must not occur can't hold another `!`", "write the inner part as a rule of its own");
    }
}
