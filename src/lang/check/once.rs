//! ONCE and UNNEST: which of a key's outputs count, and one output for each element of a list.

use super::{
    compile::{Compiler, Site, named},
    scope::RuleScope,
};
use crate::{
    expr::Expr,
    lang::{
        ast::{Operator, Query, RowsPerMatch, UnnestClause},
        diag::{Code, Diagnostic},
    },
    model::Type,
    plan::Once,
};

/// ONCE; `None` where it is wrong.
#[allow(clippy::option_option, reason = "a rule without the clause is not a rule with a wrong one")]
pub(super) fn once(rule: &mut RuleScope<'_>, query: &Query) -> Option<Option<Once>> {
    let Some(clause) = &query.once else { return Some(None) };
    if let Some(Operator::Pattern(pattern)) = &query.operator
        && pattern.rows.is_some_and(|rows| rows.value == RowsPerMatch::All)
    {
        return rule.report_none(
            Diagnostic::new(
                Code::WrongPlace,
                clause.span,
                "of ALL ROWS PER MATCH, ONCE would keep a match's first row",
            )
            .with_help("leave out one of them; of one output per match ONCE keeps the first match"),
        );
    }
    if let Some(Operator::Cluster(_)) = &query.operator {
        return rule.report_none(
            Diagnostic::new(Code::WrongPlace, clause.span, "ONCE would count the outputs of all regions as one key's")
                .with_help("make the rule with CLUSTER a `stream:` of its own, and read that here, by region"),
        );
    }
    let every_ms = match &clause.every {
        Some(every) => Some(Compiler::new(rule, Site::Constant, 0).positive_ms(every)?),
        None => None,
    };
    Some(Some(Once { every_ms }))
}

/// The lists of UNNEST, for each input; from here on the element has a name.
pub(super) fn unnest(rule: &mut RuleScope<'_>, clause: &UnnestClause, query: &Query) -> Option<Vec<Expr>> {
    if let Some(operator) = &query.operator {
        return rule.report_none(
            Diagnostic::new(Code::WrongPlace, operator.span(), "UNNEST makes outputs of a filter")
                .with_label("not with this")
                .with_help("make the rule with UNNEST a `stream:` of its own, and read it here"),
        );
    }
    if let Some(emit) = &query.emit {
        let message = "a snapshot keeps one output of a key, and UNNEST makes several";
        return rule.report_none(Diagnostic::new(Code::WrongPlace, emit.span, message));
    }
    let mut lists = Vec::new();
    let mut element = Type::Any;
    for input in 0..rule.inputs.len() {
        let mut compiler = Compiler::new(rule, Site::Event, input);
        let typed = compiler.expr(&clause.list)?;
        match typed.ty {
            Type::List | Type::Any => {}
            Type::Fences => element = Type::Fence,
            ty => {
                return compiler.error(
                    Diagnostic::new(
                        Code::WrongType,
                        clause.list.span,
                        format!("UNNEST takes a list, not {}", named(ty)),
                    )
                    .with_label(format!("this is {}", named(ty)))
                    .with_help("a field of type `list`, or what `collect` or `top_k` gave; also `fences`"),
                );
            }
        }
        lists.push(compiler.finish(&typed));
    }
    let name = clause.name.as_ref().map_or("element", |name| name.text.as_str());
    rule.element = Some((name.to_owned(), element));
    Some(lists)
}
