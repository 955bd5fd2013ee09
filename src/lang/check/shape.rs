//! Patterns that can't mean what they say: rules on the sequence as a whole, mostly Flink CEP's own.

use super::scope::RuleScope;
use crate::lang::{
    ast::{Connector, Group, GroupKind, PatternClause, Sequence, Step, Term, Within},
    diag::{Code, Diagnostic},
    span::Span,
};

/// Reports what is wrong with a pattern's shape.
pub(super) fn check(rule: &mut RuleScope<'_>, clause: &PatternClause) {
    sequence(rule, &clause.pattern, true);
    if clause.pattern.steps.iter().all(|step| step.negated.is_none() && can_be_empty(step)) {
        rule.report(
            Diagnostic::new(Code::EmptyPattern, clause.pattern.span, "no event at all would meet this pattern, too")
                .with_label("every part is optional")
                .with_help("an empty match is never put out; where one part is wanted, write `+` rather than `*`"),
        );
    }
    if let Some((last, not)) = absence_at_end(&clause.pattern)
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

/// The absence that a pattern ends with, if it has no end of its own: the very next event is one, and so is a deadline.
fn absence_at_end(pattern: &Sequence) -> Option<(&Step, Span)> {
    let last = pattern.steps.last()?;
    if let (None, Term::Group(group)) = (last.negated, &last.term) {
        return group.members.iter().find_map(absence_at_end);
    }
    let endless = last.absent_for.is_none() && last.within.is_none() && !is_strict(last);
    last.negated.filter(|_| endless).map(|not| (last, not))
}

fn is_strict(step: &Step) -> bool {
    step.connector.is_some_and(|connector| connector.value == Connector::Strict)
}

fn is_optional(step: &Step) -> bool {
    step.quantifier.is_some_and(|quantifier| quantifier.min == 0)
}

fn can_be_empty(step: &Step) -> bool {
    if is_optional(step) {
        return true;
    }
    match &step.term {
        Term::Variable(_) => false,
        Term::Group(group) => nothing(group),
    }
}

/// Whether a group is met by no event.
fn nothing(group: &Group) -> bool {
    let empty = |member: &Sequence| member.steps.iter().all(|s| s.negated.is_none() && can_be_empty(s));
    match group.kind {
        GroupKind::Permutation => group.members.iter().all(empty),
        GroupKind::Sequence | GroupKind::Alternation => group.members.iter().any(empty),
    }
}

fn sequence(rule: &mut RuleScope<'_>, steps: &Sequence, outermost: bool) {
    let count = steps.steps.len();
    for (at, step) in steps.steps.iter().enumerate() {
        match &step.term {
            Term::Group(group) if step.negated.is_none() => {
                for member in &group.members {
                    sequence(rule, member, false);
                }
            }
            _ => {}
        }
        if step.negated.is_some() {
            negated(rule, step, at == 0, outermost);
            let bound = step.within.as_ref().filter(|_| at + 1 < count && !is_strict(step));
            if let Some(bound) = bound {
                rule.report(
                    Diagnostic::new(
                        Code::BadPattern,
                        bound.span,
                        "this bound ends nothing: what follows ends the absence",
                    )
                    .with_help(
                        "write `FOR d` for a deadline, or bound what follows: `-> !b -> c WITHIN d OF PREVIOUS`",
                    ),
                );
            }
        }
    }
}

fn negated(rule: &mut RuleScope<'_>, step: &Step, first: bool, outermost: bool) {
    let mut bad = |message: &str, help: &str| {
        rule.report(Diagnostic::new(Code::BadPattern, step.span, message).with_help(help));
    };
    if first && !outermost {
        bad("a group can't begin with what must not occur", "put it before the group");
    } else if first && step.absent_for.is_none() {
        bad("an absence at the start has no beginning", "write `FOR d` after it: nothing of it for that long");
    } else if first && matches!(&step.term, Term::Group(group) if has_several_events(group)) {
        bad(
            "an absence of several events in a row has no beginning at the start of a pattern",
            "`!a FOR d` counts from the last a; put what it counts from before it",
        );
    }
    if step.connector.is_some_and(|connector| connector.value == Connector::Any) {
        bad("`->>` chooses among events, and here is none", "write `-> !b`: b does not occur in between");
    }
    if let Term::Group(group) = &step.term {
        for member in &group.members {
            watched(rule, member);
        }
        if nothing(group) {
            let message = "what must not occur may be nothing at all";
            let help = "make one part of it required: `+` rather than `*`";
            rule.report(Diagnostic::new(Code::BadPattern, group.span, message).with_help(help));
        }
    }
}

/// Whether an absence of it begins with more than one event.
fn has_several_events(group: &Group) -> bool {
    let several = |step: &Step| {
        let repeated = step.quantifier.is_some();
        repeated || matches!(&step.term, Term::Group(group) if has_several_events(group))
    };
    let several = |member: &Sequence| member.steps.len() > 1 || member.steps.iter().any(several);
    group.kind == GroupKind::Permutation || group.members.iter().any(several)
}

/// What must not occur is watched, not matched: nothing in it is bound or timed.
fn watched(rule: &mut RuleScope<'_>, steps: &Sequence) {
    for step in &steps.steps {
        let mut bad = |span, message: &str, help: &str| {
            rule.report(Diagnostic::new(Code::BadPattern, span, message).with_help(help));
        };
        if let Some(not) = step.negated {
            bad(
                not.to(step.span),
                "what must not occur can't hold another `!`",
                "write the inner part as a rule of its own",
            );
        }
        if let Some(within) = &step.within {
            bad(
                within.span,
                "what must not occur has no WITHIN of its own",
                "`FOR d` after it says until when it must not occur",
            );
        }
        if let Some(until) = &step.until {
            bad(until.span, "what must not occur has no UNTIL", "say in the condition of the step what it takes");
        }
        if let Term::Group(group) = &step.term {
            for member in &group.members {
                watched(rule, member);
            }
        }
    }
}
