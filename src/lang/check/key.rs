//! PARTITION BY: the components of the key, their names, and how each input gives them.

use super::{
    compile::{Compiler, Site, Typed, named},
    scope::{KeyScope, RuleScope},
};
use crate::{
    expr::Expr,
    lang::{
        ast::{self, ExprKind},
        diag::{Code, Diagnostic},
        print::print_expr,
    },
    model::Type,
};

/// Checks PARTITION BY and notes the components; for each input the expressions of the key.
pub(super) fn partition<'a>(
    rule: &mut RuleScope<'a>,
    parts: impl IntoIterator<Item = (Option<&'a ast::Name>, &'a ast::Expr)>,
) -> Vec<Vec<Expr>> {
    let mut exprs = vec![Vec::new(); rule.inputs.len()];
    let mut keys: Vec<KeyScope<'a>> = Vec::new();
    for (name, expr) in parts {
        let (name, span) = match name {
            Some(name) => (name.text.clone(), name.span),
            None => (name_of(expr), expr.span),
        };
        if keys.iter().any(|key| key.name == name) {
            let message = format!("the key has two components named `{name}`");
            rule.report(Diagnostic::new(Code::NameTwice, span, message).with_help("name one of them with `AS`"));
            continue;
        }
        if let Some((ty, through, of_inputs)) = component(rule, expr) {
            for (input, expr) in exprs.iter_mut().zip(of_inputs) {
                input.push(expr);
            }
            keys.push(KeyScope { name, ty, text: print_expr(expr), expr, through });
        }
    }
    rule.keys = keys;
    exprs
}

/// A component's type, whether it needs THROUGH, and its expressions.
fn component(rule: &mut RuleScope<'_>, expr: &ast::Expr) -> Option<(Type, bool, Vec<Expr>)> {
    let mut exprs = Vec::new();
    let mut found: Option<(Type, bool)> = None;
    for input in 0..rule.inputs.len() {
        let mut compiler = Compiler::new(rule, Site::Event, input);
        let typed = compiler.expr(expr)?;
        let uses = compiler.uses;
        if uses.prev {
            return compiler.error(
                Diagnostic::new(Code::WrongPlace, expr.span, "the key decides which event is the previous one")
                    .with_label("this looks at the previous event")
                    .with_help("make what it finds a field: a `stream:` rule that measures it, and a rule that reads that stream"),
            );
        }
        if compiler.uses.element {
            return compiler.error(
                Diagnostic::new(Code::WrongPlace, expr.span, "the key decides whose event it is, before UNNEST takes it apart")
                    .with_label("an element")
                    .with_help("make the rule with UNNEST a `stream:` of its own; a rule that reads it may partition by the element"),
            );
        }
        if typed.is_null() {
            let stream = compiler.rule.inputs.get(input).map_or("", |input| &input.name).to_owned();
            return compiler.error(
                Diagnostic::new(Code::UnknownField, expr.span, format!("events of `{stream}` have no key"))
                    .with_label(format!("`{stream}` doesn't have this"))
                    .with_help("every stream of FROM must have what PARTITION BY names"),
            );
        }
        let typed = match typed.ty {
            // A fence's number changes with its set, its id doesn't.
            Type::Fence => compiler.output(typed),
            Type::Fences | Type::Geometry | Type::List => {
                let message = format!("{} can't be a component of the key", named(typed.ty));
                return compiler.error(Diagnostic::new(Code::WrongType, expr.span, message));
            }
            _ => typed,
        };
        let ty: Type = Typed::clone(&typed).ty;
        exprs.push(compiler.finish(&typed));
        found.get_or_insert((ty, uses.extra));
    }
    let (ty, through) = found?;
    Some((ty, through, exprs))
}

/// The name of a component that has none: the field's, `cell` for an H3 cell, else the function's.
pub(super) fn name_of(expr: &ast::Expr) -> String {
    match &expr.kind {
        ExprKind::Path(path) => path.parts.last().map(|part| part.text.clone()).unwrap_or_default(),
        ExprKind::Call(call) => {
            let name = call.name.text.to_ascii_lowercase();
            if matches!(name.as_str(), "h3" | "parent") { "cell".to_owned() } else { name }
        }
        _ => "key".to_owned(),
    }
}
