//! PATTERN and DEFINE: variables and their conditions, then the sequence with its quantifiers, bounds and clauses.

use super::{
    compile::{Compiler, Site},
    fence::fence_function,
    output,
    scope::{RuleScope, VariableScope},
    shape,
};
use crate::{
    expr::Expr,
    lang::{
        ast::{self, Connector, Contiguity, GroupKind, PatternClause, Query, SkipTarget, Within},
        diag::{Code, Diagnostic, nearest},
    },
    model::{Type, Value},
    plan::{self, ClockPolicy, Connect, Element, Loop, Pattern, Quantifier, Skip, Term, Variable},
};

/// The most repetitions that a quantifier may name: each is a state of the automaton.
const REPEATS_MAX: u32 = 1_000;
/// The most parts of `(a & b)`.
const PERMUTED_MAX: usize = 6;

/// Notes the variables: conditions name each other, so all are known before any is compiled.
pub(super) fn declare<'a>(rule: &mut RuleScope<'a>, clause: &'a PatternClause) {
    let mut names: Vec<(&'a ast::Name, bool)> = Vec::new();
    variables_of(&clause.pattern, false, &mut names);
    for (at, (name, negated)) in names.iter().enumerate() {
        if names.iter().take(at).any(|(before, _)| before.text == name.text) {
            rule.report(
                Diagnostic::new(
                    Code::NameTwice,
                    name.span,
                    format!("the pattern has two variables named `{}`", name.text),
                )
                .with_help("give each its own name: conditions and measures say which one they mean by it"),
            );
            continue;
        }
        let defined = clause.define.iter().find(|definition| definition.name.text == name.text);
        let from = defined.and_then(|definition| definition.from.as_ref()).and_then(|from| input_of(rule, from));
        rule.variables.push(VariableScope {
            name: name.text.clone(),
            from,
            condition: defined.map(|definition| &definition.condition),
            negated: *negated,
        });
    }
    for (at, definition) in clause.define.iter().enumerate() {
        let name = &definition.name;
        if clause.define.iter().take(at).any(|before| before.name.text == name.text) {
            let message = format!("`{}` is defined twice", name.text);
            rule.report(Diagnostic::new(Code::NameTwice, name.span, message).with_help("join the conditions with AND"));
        } else if rule.variable(&name.text).is_none() {
            let near = nearest(&name.text, rule.variables.iter().map(|variable| variable.name.as_str()));
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "leave it out, or put it in the pattern".to_owned(),
            };
            let message = format!("the pattern has no variable `{}`", name.text);
            rule.report(Diagnostic::new(Code::UnknownVariable, name.span, message).with_help(help));
        }
    }
    let undefined = |name: &&(&ast::Name, bool)| !clause.define.iter().any(|d| d.name.text == name.0.text);
    if !clause.define.is_empty() {
        // `!next` without a definition is the usual way to say that nothing comes.
        for (name, _) in names.iter().filter(undefined).filter(|(_, negated)| !negated) {
            rule.report(
                Diagnostic::new(Code::NoDefinition, name.span, format!("`{}` has no definition", name.text))
                    .with_label("matches every event")
                    .with_help(format!("if that is meant, say so: `DEFINE {} AS TRUE`", name.text)),
            );
        }
    }
}

fn variables_of<'a>(sequence: &'a ast::Sequence, negated: bool, names: &mut Vec<(&'a ast::Name, bool)>) {
    for step in &sequence.steps {
        let negated = negated || step.negated.is_some();
        match &step.term {
            ast::Term::Variable(name) => names.push((name, negated)),
            ast::Term::Group(group) => {
                for member in &group.members {
                    variables_of(member, negated, names);
                }
            }
        }
    }
}

fn input_of(rule: &mut RuleScope<'_>, name: &ast::Name) -> Option<usize> {
    if let Some(input) = rule.input(&name.text) {
        return Some(input);
    }
    let known: Vec<&str> = rule.inputs.iter().map(|input| input.name.as_str()).collect();
    let help = match nearest(&name.text, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the rule reads {}", known.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")),
    };
    let message = format!("the rule doesn't read `{}`", name.text);
    rule.report_none(Diagnostic::new(Code::UnknownStream, name.span, message).with_help(help))
}

/// Checks the clause; what measures add is put in by [`finish`].
pub(super) fn pattern<'a>(rule: &mut RuleScope<'a>, clause: &'a PatternClause, query: &'a Query) -> Option<Pattern> {
    let variables: Vec<Option<Variable>> = (0..rule.variables.len()).map(|var| variable(rule, var as u16)).collect();
    let elements = elements(rule, &clause.pattern);
    shape::check(rule, clause);
    let within_ms = match &clause.within {
        Some(Within::Duration(within)) => Compiler::new(rule, Site::Constant, 0).positive_ms(within).map(Some),
        Some(Within::Unbounded(_)) | None => Some(None),
    };
    let skip = skip(rule, clause);
    Some(Pattern {
        variables: variables.into_iter().collect::<Option<_>>()?,
        elements: elements?,
        within_ms: within_ms?,
        skip: skip?,
        on_timeout: clause.on_timeout.is_some(),
        clock: match query.clock.map(|clock| clock.value) {
            Some(ast::Clock::Event) => ClockPolicy::Event,
            Some(ast::Clock::Wall) => ClockPolicy::Wall,
            Some(ast::Clock::EventOrWall) | None => ClockPolicy::EventOrWall,
        },
        retained: Vec::new(),
        retained_types: Vec::new(),
        track: output::track(rule, clause.span),
        aggregates: Vec::new(),
    })
}

/// Puts in what conditions and measures keep of events and aggregate over them.
pub(super) fn finish(rule: &mut RuleScope<'_>, pattern: &mut Pattern) {
    pattern.retained = (0..rule.inputs.len()).map(|input| rule.retained.of_input(input)).collect();
    pattern.retained_types = rule.retained.types();
    pattern.aggregates = std::mem::take(&mut rule.aggregates);
}

fn variable(rule: &mut RuleScope<'_>, var: u16) -> Option<Variable> {
    let declared = rule.variable_at(var)?;
    let (name, from, condition) = (declared.name.clone(), declared.from, declared.condition);
    if let Some(condition) = condition {
        not_yet_bound(rule, var, condition);
    }
    let mut conditions = Vec::new();
    let mut constant = true;
    for input in 0..rule.inputs.len() {
        if from.is_some_and(|from| from != input) {
            conditions.push(None);
            continue;
        }
        let Some(condition) = condition else {
            conditions.push(Some(Expr::constant(Value::Bool(true), Type::Bool)));
            continue;
        };
        let mut compiler = Compiler::new(rule, Site::Define, input);
        (compiler.own, compiler.only) = (Some(var), from);
        compiler.fence = fence_function(condition).or(compiler.fence);
        let typed = compiler.condition(condition)?;
        constant &= typed.as_const().is_some();
        let never = matches!(typed.as_const(), Some(value) if *value != Value::Bool(true));
        let expr = compiler.finish(&typed);
        conditions.push((!never || constant).then_some(expr));
    }
    if let (true, Some(condition)) = (constant, condition) {
        let found = conditions.iter().flatten().next().cloned();
        if let Some(found) = found {
            rule.always_same(&found, condition);
        }
    }
    Some(Variable { name, conditions })
}

/// A condition that names a variable which comes later in the pattern finds nothing bound to it.
fn not_yet_bound(rule: &mut RuleScope<'_>, var: u16, condition: &ast::Expr) {
    let mut found = Vec::new();
    super::walk::walk(condition, &mut |part| {
        if let ast::ExprKind::Path(path) = &part.kind
            && let Some(head) = path.parts.first()
            && rule.variable(&head.text).is_some_and(|other| other > var)
        {
            found.push(head.clone());
        }
    });
    for name in found {
        rule.report(
            Diagnostic::new(
                Code::NotYetBound,
                name.span,
                format!("`{}` comes later in the pattern: it has no event yet where this is tested", name.text),
            )
            .with_label("is null here"),
        );
    }
}

/// The elements of a sequence.
fn elements<'a>(rule: &mut RuleScope<'a>, sequence: &'a ast::Sequence) -> Option<Vec<Element>> {
    let elements: Vec<Option<Element>> = sequence.steps.iter().map(|step| element(rule, step)).collect();
    elements.into_iter().collect()
}

/// The members of an alternation or a permutation.
fn members<'a>(rule: &mut RuleScope<'a>, group: &'a ast::Group) -> Option<Vec<Vec<Element>>> {
    // All of them before any is missed: every member's mistakes are told.
    let members: Vec<Option<Vec<Element>>> = group.members.iter().map(|member| elements(rule, member)).collect();
    members.into_iter().collect()
}

fn element<'a>(rule: &mut RuleScope<'a>, step: &'a ast::Step) -> Option<Element> {
    let connect = match step.connector.map(|connector| connector.value) {
        Some(Connector::Strict) => Connect::Strict,
        Some(Connector::Any) => Connect::Any,
        Some(Connector::Relaxed) | None => Connect::Relaxed,
    };
    let term = match &step.term {
        ast::Term::Variable(name) => Term::Variable(rule.variable(&name.text)?),
        ast::Term::Group(group) => match group.kind {
            GroupKind::Sequence => Term::Group(elements(rule, group.members.first()?)?),
            GroupKind::Alternation => Term::Alternation(members(rule, group)?),
            GroupKind::Permutation if group.members.len() > PERMUTED_MAX => {
                return rule.report_none(
                    Diagnostic::new(Code::OutOfRange, group.span, "too many parts in any order").with_help(format!(
                        "at most {PERMUTED_MAX}: every order of them is a way through the automaton"
                    )),
                );
            }
            GroupKind::Permutation => Term::Permutation(members(rule, group)?),
        },
    };
    let bound = match &step.within {
        Some(bound) => Some(Compiler::new(rule, Site::Constant, 0).positive_ms(&bound.duration)?),
        None => None,
    };
    let of_previous = step.within.as_ref().is_some_and(|bound| bound.of_previous);
    if step.negated.is_some() {
        let for_ms = match &step.absent_for {
            Some(absent_for) => Some(Compiler::new(rule, Site::Constant, 0).positive_ms(absent_for)?),
            None => None,
        };
        if let Some(within) = &step.within {
            rule.unsupported("WITHIN on what must not occur", within.span);
            return None;
        }
        let term = Term::Not { term: Box::new(term), for_ms };
        return Some(Element { connect, term, quantifier: Quantifier::once(), within_previous_ms: None });
    }
    let quantifier = quantifier(rule, step, bound.filter(|_| !of_previous))?;
    Some(Element { connect, term, quantifier, within_previous_ms: bound.filter(|_| of_previous) })
}

fn quantifier<'a>(rule: &mut RuleScope<'a>, step: &'a ast::Step, within_ms: Option<i64>) -> Option<Quantifier> {
    let (min, max, reluctant) = match step.quantifier {
        Some(quantifier) => (quantifier.min, quantifier.max, quantifier.reluctant),
        None => (1, Some(1), false),
    };
    if let Some(quantifier) = step.quantifier.filter(|_| min.max(max.unwrap_or(0)) > REPEATS_MAX) {
        return rule.report_none(
            Diagnostic::new(Code::OutOfRange, quantifier.span, "too many repetitions to count")
                .with_help(format!("at most {REPEATS_MAX}; `{{n,}}` has no upper bound")),
        );
    }
    let loops = max != Some(1);
    if let (Some(within), Some(_), false) = (&step.within, within_ms, loops) {
        return rule.report_none(
            Diagnostic::new(Code::BadStep, within.span, "this bounds a loop's repetitions, and the step occurs once")
                .with_help("`WITHIN d OF PREVIOUS` bounds the time from the step before"),
        );
    }
    let until = match &step.until {
        None => None,
        Some(condition) if loops => {
            let mut conditions = Vec::new();
            for input in 0..rule.inputs.len() {
                let mut compiler = Compiler::new(rule, Site::Define, input);
                compiler.fence = fence_function(condition).or(compiler.fence);
                let typed = compiler.condition(condition)?;
                let never = matches!(typed.as_const(), Some(value) if *value != Value::Bool(true));
                let expr = compiler.finish(&typed);
                conditions.push((!never).then_some(expr));
            }
            Some(conditions)
        }
        Some(condition) => {
            return rule.report_none(
                Diagnostic::new(Code::BadStep, condition.span, "UNTIL ends a loop, and this step occurs once at most")
                    .with_help("write `+`, `*`, `{n,}` or `{n,m}`"),
            );
        }
    };
    Some(Quantifier {
        min,
        max,
        inner: match step.contiguity.map(|contiguity| contiguity.value) {
            Some(Contiguity::Strict) => Connect::Strict,
            Some(Contiguity::Any) => Connect::Any,
            None => Connect::Relaxed,
        },
        mode: match (reluctant, step.each.is_some()) {
            (true, _) => Loop::Reluctant,
            (false, true) => Loop::Each,
            (false, false) => Loop::Greedy,
        },
        until,
        within_ms,
    })
}

fn skip(rule: &mut RuleScope<'_>, clause: &PatternClause) -> Option<Skip> {
    let Some(skip) = &clause.skip else { return Some(Skip::Eager) };
    Some(match &skip.target {
        SkipTarget::Eager => Skip::Eager,
        SkipTarget::NoSkip => Skip::NoSkip,
        SkipTarget::ToNextRow => Skip::ToNextRow,
        SkipTarget::PastLastRow => Skip::PastLastRow,
        SkipTarget::ToFirst { variable, or_fail } => {
            plan::Skip::ToFirst { var: skip_variable(rule, variable)?, or_fail: *or_fail }
        }
        SkipTarget::ToLast { variable, or_fail } => {
            plan::Skip::ToLast { var: skip_variable(rule, variable)?, or_fail: *or_fail }
        }
    })
}

fn skip_variable(rule: &mut RuleScope<'_>, name: &ast::Name) -> Option<u16> {
    match rule.variable(&name.text) {
        Some(var) if rule.variable_at(var).is_some_and(|variable| variable.negated) => {
            let message = format!("`{}` must not occur: no match can go on from it", name.text);
            rule.report_none(Diagnostic::new(Code::WrongPlace, name.span, message))
        }
        Some(var) => Some(var),
        None => {
            let near = nearest(&name.text, rule.variables.iter().map(|variable| variable.name.as_str()));
            let message = format!("the pattern has no variable `{}`", name.text);
            let mut diagnostic = Diagnostic::new(Code::UnknownVariable, name.span, message);
            diagnostic.help = near.map(|near| format!("did you mean `{near}`?"));
            rule.report_none(diagnostic)
        }
    }
}
