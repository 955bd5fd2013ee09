//! Patterns that can't mean what they say: rules on the sequence as a whole, mostly Flink CEP's own.

use super::scope::RuleScope;
use crate::lang::{
    ast::{Connector, Group, GroupKind, PatternClause, Sequence, Step, Term, Within},
    diag::{Code, Diagnostic},
    span::Span,
};

/// Reports what is wrong with a pattern's shape.
pub(super) fn check(rule: &mut RuleScope<'_>, clause: &PatternClause) {
    sequence(rule, &clause.pattern, Head::Start, false);
    if clause.pattern.steps.iter().all(|step| step.negated.is_none() && can_be_empty(step)) {
        rule.report(
            Diagnostic::new(Code::BadPattern, clause.pattern.span, "this pattern is met by no events at all")
                .with_label("every part is optional")
                .with_help("make one part required: `+` rather than `*`"),
        );
    }
    if let Some((not, last)) = absence_at_end(&clause.pattern)
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

/// What stands before the first step of a sequence.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Head {
    /// The pattern begins here.
    Start,
    /// A group at the start of the pattern begins here.
    GroupAtStart,
    /// One of several ways begins here.
    Choice,
    /// There is a step before.
    Step,
}

/// `followed`: whether something comes after the whole sequence.
fn sequence(rule: &mut RuleScope<'_>, steps: &Sequence, head: Head, followed: bool) {
    let count = steps.steps.len();
    for (at, step) in steps.steps.iter().enumerate() {
        let followed = followed || at + 1 < count;
        let head = if at == 0 { head } else { Head::Step };
        match &step.term {
            _ if step.negated.is_some() => {
                negated(rule, step, head);
            }
            Term::Group(group) => {
                let inner = match (group.kind, head) {
                    (GroupKind::Alternation | GroupKind::Permutation, _) => Head::Choice,
                    (GroupKind::Sequence, Head::Start) => Head::GroupAtStart,
                    (GroupKind::Sequence, head) => head,
                };
                for member in &group.members {
                    sequence(rule, member, inner, followed);
                    bounded_absence(rule, step, member);
                    if !followed {
                        absence_at_end_of_loop(rule, step, group, member);
                    }
                }
            }
            Term::Variable(_) => {}
        }
    }
}

/// A bound on a group is from its first event, which an absence hasn't.
fn bounded_absence(rule: &mut RuleScope<'_>, step: &Step, member: &Sequence) {
    if let Some(within) = step.within.as_ref().filter(|_| begins_with_absence(member)) {
        rule.report(
            Diagnostic::new(Code::BadPattern, within.span, "a bound on a group that begins with what must not occur")
                .with_help("bound the step after the absence"),
        );
    }
}

fn begins_with_absence(steps: &Sequence) -> bool {
    let Some(first) = steps.steps.first() else { return false };
    let inside = || matches!(&first.term, Term::Group(group) if group.members.iter().any(begins_with_absence));
    first.negated.is_some() || inside()
}

/// An absence without FOR at the end of a sequence, also of a group there.
fn absence_at_end(steps: &Sequence) -> Option<(Span, &Step)> {
    let last = steps.steps.last()?;
    match (last.negated, &last.term) {
        (Some(not), _) => last.absent_for.is_none().then_some((not, last)),
        (None, Term::Group(group)) => group.members.iter().find_map(absence_at_end),
        (None, Term::Variable(_)) => None,
    }
}

/// Where nothing follows, an absence holds until the window ends; a loop would have to wait for that each time.
fn absence_at_end_of_loop(rule: &mut RuleScope<'_>, step: &Step, group: &Group, member: &Sequence) {
    let loops = step.quantifier.is_some_and(|quantifier| quantifier.max != Some(1));
    let (message, help) = match (loops, group.kind) {
        (true, _) => (
            "a loop at the end can't end with what must not occur",
            "write `FOR d` after it, or put it after the group",
        ),
        (false, GroupKind::Permutation) => {
            ("parts in any order can't end with what must not occur at the end", "put it after the group")
        }
        (false, _) => return,
    };
    if let Some((not, last)) = absence_at_end(member) {
        rule.report(Diagnostic::new(Code::BadPattern, not.to(last.span), message).with_help(help));
    }
}

fn negated(rule: &mut RuleScope<'_>, step: &Step, head: Head) {
    let mut bad = |message: &str, help: &str| {
        rule.report(Diagnostic::new(Code::BadPattern, step.span, message).with_help(help));
    };
    match head {
        Head::Choice => bad("what must not occur can't begin one of several ways", "put it before the group"),
        Head::GroupAtStart => bad(
            "a group at the start can't begin with what must not occur",
            "put it before the group: `!a FOR d` counts from the last a",
        ),
        Head::Start if step.absent_for.is_none() => {
            bad("an absence at the start has no beginning", "write `FOR d` after it: nothing of it for that long");
        }
        Head::Start if matches!(&step.term, Term::Group(group) if has_several_events(group)) => bad(
            "an absence of several events in a row has no beginning at the start of a pattern",
            "`!a FOR d` counts from the last a; put what it counts from before it",
        ),
        Head::Start | Head::Step => {}
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
