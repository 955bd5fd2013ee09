//! Operators on truth: comparisons, AND, OR, NOT, IN, BETWEEN, LIKE, CASE.

use super::compile::{Compiler, Typed, first, named, two};
use crate::{
    expr::{Compare, Node, NodeId},
    lang::{
        ast::{self, BinaryOp, UnaryOp, WhenArm},
        diag::{Code, Diagnostic},
        span::{Span, Spanned},
    },
    model::{Type, Value},
};

impl Compiler<'_, '_> {
    pub(super) fn unary(&mut self, op: UnaryOp, operand: &ast::Expr, span: Span) -> Option<Typed> {
        let operand = self.expr(operand)?;
        match op {
            UnaryOp::Not => {
                let operand = self.want_bool(operand, "NOT takes a condition")?;
                Some(self.not(operand))
            }
            UnaryOp::Neg => {
                let ty = operand.ty;
                if !(ty.is_number() || ty == Type::Duration) {
                    let message = format!("can't take the negative of {}", self.describe(&operand));
                    return self.error(Diagnostic::new(Code::WrongType, span, message));
                }
                Some(self.node(&[&operand], ty, span, |ids| Node::Neg(first(ids))))
            }
        }
    }

    pub(super) fn not(&mut self, operand: Typed) -> Typed {
        let span = operand.span;
        self.node(&[&operand], Type::Bool, span, |ids| Node::Not(first(ids)))
    }

    pub(super) fn binary(
        &mut self,
        op: &Spanned<BinaryOp>,
        left: &ast::Expr,
        right: &ast::Expr,
        span: Span,
    ) -> Option<Typed> {
        if matches!(op.value, BinaryOp::And | BinaryOp::Or) {
            let mut parts = Vec::new();
            let whole = self.flatten(op.value, left, &mut parts) & self.flatten(op.value, right, &mut parts);
            return if whole { Some(self.all_or_any(op.value == BinaryOp::And, parts, span)) } else { None };
        }
        // Both sides are checked even if one is wrong: all mistakes at once.
        let (left, right) = (self.expr(left), self.expr(right));
        let (left, right) = (left?, right?);
        match comparison(op.value) {
            Some(compare) => self.compare(compare, left, right),
            None => self.arithmetic(op, left, right, span),
        }
    }

    /// Collects the operands of a chain of one operator; whether all are right.
    fn flatten(&mut self, op: BinaryOp, expr: &ast::Expr, parts: &mut Vec<Typed>) -> bool {
        match &expr.kind {
            ast::ExprKind::Binary { op: inner, left, right } if inner.value == op => {
                // Not `&&`: the right side's mistakes are told as well.
                self.flatten(op, left, parts) & self.flatten(op, right, parts)
            }
            _ => {
                let why = if op == BinaryOp::And { "AND joins conditions" } else { "OR joins conditions" };
                let part = self.expr(expr).and_then(|part| self.want_bool(part, why));
                part.map(|part| parts.push(part)).is_some()
            }
        }
    }

    /// AND or OR of several, constants folded.
    pub(super) fn all_or_any(&mut self, all: bool, parts: Vec<Typed>, span: Span) -> Typed {
        let decides = Value::Bool(!all);
        if parts.iter().any(|part| part.as_const() == Some(&decides)) {
            return Typed::constant(decides, Type::Bool, span);
        }
        let mut open: Vec<Typed> =
            parts.into_iter().filter(|part| part.as_const() != Some(&Value::Bool(all))).collect();
        match open.len() {
            0 => Typed::constant(Value::Bool(all), Type::Bool, span),
            1 => Typed { span, ty: Type::Bool, ..open.remove(0) },
            _ => {
                let children: Vec<&Typed> = open.iter().collect();
                self.node(&children, Type::Bool, span, |ids| {
                    let ids = ids.iter().copied().collect();
                    if all { Node::And(ids) } else { Node::Or(ids) }
                })
            }
        }
    }

    /// A comparison.
    pub(super) fn compare(&mut self, op: Compare, left: Typed, right: Typed) -> Option<Typed> {
        let span = left.span.to(right.span);
        if left.is_null() && left.ty == Type::Any || right.is_null() && right.ty == Type::Any {
            let wrong = if left.is_null() { left.span } else { right.span };
            self.rule.report(
                Diagnostic::new(Code::AlwaysSame, wrong, "a comparison with NULL is never true")
                    .with_help("write `x IS NULL` or `x IS NOT NULL`"),
            );
            return Some(Typed::constant(Value::Null, Type::Bool, span));
        }
        let unordered =
            |ty| matches!(ty, Type::Point | Type::Fence | Type::Fences | Type::Geometry | Type::List | Type::Bool);
        if !matches!(op, Compare::Eq | Compare::Ne) && (unordered(left.ty) || unordered(right.ty)) {
            let wrong = if unordered(left.ty) { &left } else { &right };
            let message = format!("{} has no order: it can be compared with = and != only", named(wrong.ty));
            return self.error(Diagnostic::new(Code::WrongType, wrong.span, message));
        }
        // Nobody knows what a field of an open stream holds: a whole number there may meet a fraction.
        let any = left.ty == Type::Any || right.ty == Type::Any;
        let (left, right) = match self.unify(left, right) {
            Ok(both) => both,
            Err((left, right)) => {
                let mut diagnostic = self.mismatch(&left, &right, "compare", span);
                if diagnostic.label.is_empty() {
                    diagnostic.label = format!("{} is expected on both sides", named(left.ty));
                }
                return self.error(diagnostic);
            }
        };
        if left.is_null() || right.is_null() {
            return Some(Typed::constant(Value::Null, Type::Bool, span));
        }
        let ty = left.ty;
        Some(self.node(&[&left, &right], Type::Bool, span, |ids| {
            let (a, b) = two(ids);
            match ty {
                Type::Float | Type::Quantity(_) => Node::CompareFloat(op, a, b),
                Type::Int if any => Node::CompareValue(op, a, b),
                Type::Int | Type::Time | Type::Duration => Node::CompareInt(op, a, b),
                _ => Node::CompareValue(op, a, b),
            }
        }))
    }

    pub(super) fn between(
        &mut self,
        operand: &ast::Expr,
        low: &ast::Expr,
        high: &ast::Expr,
        negated: bool,
        span: Span,
    ) -> Option<Typed> {
        let (operand, low, high) = (self.expr(operand), self.expr(low), self.expr(high));
        let operand = operand?;
        let above = low.and_then(|low| self.compare(Compare::Ge, operand.clone(), low));
        let below = high.and_then(|high| self.compare(Compare::Le, operand, high));
        let inside = self.all_or_any(true, vec![above?, below?], span);
        Some(if negated { self.not(inside) } else { inside })
    }

    pub(super) fn in_list(
        &mut self,
        operand: &ast::Expr,
        list: &[ast::Expr],
        negated: bool,
        span: Span,
    ) -> Option<Typed> {
        let operand = self.expr(operand);
        let choices: Vec<Option<Typed>> = list.iter().map(|choice| self.expr(choice)).collect();
        let mut operand = operand?;
        let choices: Vec<Typed> = choices.into_iter().collect::<Option<_>>()?;
        if operand.ty == Type::Fence && choices.iter().all(|choice| choice.ty == Type::Text) {
            operand = self.coerce(operand, Type::Text).ok()?;
        }
        let mut values = Vec::new();
        let mut others = Vec::new();
        for choice in choices {
            if choice.is_null() {
                self.error::<()>(
                    Diagnostic::new(Code::AlwaysSame, choice.span, "NULL in a list equals nothing")
                        .with_help("write `… OR x IS NULL`"),
                );
                continue;
            }
            // Only constants that fit without losing the type go into the table.
            let fits = choice.ty == operand.ty || operand.ty == Type::Any || choice.as_const().is_some();
            match self.coerce(choice, operand.ty) {
                Ok(choice) => match choice.as_const().filter(|_| fits) {
                    Some(value) => values.push(value.clone()),
                    None => others.push(choice),
                },
                Err(choice) if operand.ty == Type::Int && choice.ty == Type::Float => others.push(choice),
                Err(choice) => {
                    let diagnostic = self.mismatch(&operand, &choice, "compare", choice.span);
                    self.error::<()>(diagnostic);
                    return None;
                }
            }
        }
        let mut parts = Vec::new();
        if !values.is_empty() || others.is_empty() {
            parts.push(self.node(&[&operand], Type::Bool, span, |ids| Node::In(first(ids), values)));
        }
        for other in others {
            parts.push(self.compare(Compare::Eq, operand.clone(), other)?);
        }
        let found = self.all_or_any(false, parts, span);
        Some(if negated { self.not(found) } else { found })
    }

    pub(super) fn like(
        &mut self,
        operand: &ast::Expr,
        pattern: &ast::Expr,
        negated: bool,
        span: Span,
    ) -> Option<Typed> {
        let (operand, pattern) = (self.expr(operand), self.expr(pattern));
        let (operand, pattern) = (operand?, pattern?);
        let Some(Value::Text(text)) = pattern.as_const().cloned() else {
            return self.error(Diagnostic::new(Code::WrongType, pattern.span, "LIKE takes a text between quotes"));
        };
        match self.coerce(operand, Type::Text) {
            Ok(operand) => {
                let found = self.node(&[&operand], Type::Bool, span, |ids| Node::Like(first(ids), text.to_string()));
                Some(if negated { self.not(found) } else { found })
            }
            Err(operand) => {
                let message = format!("LIKE compares text, not {}", self.describe(&operand));
                self.error(Diagnostic::new(Code::WrongType, operand.span, message))
            }
        }
    }

    pub(super) fn case(&mut self, arms: &[WhenArm], otherwise: Option<&ast::Expr>, span: Span) -> Option<Typed> {
        let checked: Vec<(Option<Typed>, Option<Typed>)> =
            arms.iter().map(|arm| (self.condition(&arm.condition), self.expr(&arm.value))).collect();
        let otherwise = match otherwise {
            Some(otherwise) => self.expr(otherwise),
            None => Some(Typed::constant(Value::Null, Type::Any, span)),
        };
        let mut conditions = Vec::new();
        let mut values = Vec::new();
        for (condition, value) in checked {
            conditions.push(condition?);
            values.push(value?);
        }
        values.push(otherwise?);
        let values = self.one_type(values, "give in one CASE", span)?;
        let ty = values.first()?.ty;
        let children: Vec<&Typed> = conditions.iter().chain(&values).collect();
        let arms = conditions.len();
        Some(self.node(&children, ty, span, |ids| {
            let at = |n: usize| ids.get(n).copied().unwrap_or(NodeId(0));
            Node::Case((0..arms).map(|n| (at(n), at(arms + n))).collect(), at(2 * arms))
        }))
    }

    /// Gives all one type: that of the first that isn't null, or what it becomes with the others.
    pub(super) fn one_type(&mut self, values: Vec<Typed>, doing: &str, span: Span) -> Option<Vec<Typed>> {
        let mut model = values.iter().find(|value| !value.is_null()).or(values.first())?.clone();
        for value in &values {
            match self.unify(model.clone(), value.clone()) {
                Ok((unified, _)) => model = unified,
                Err((a, b)) => {
                    let diagnostic = self.mismatch(&a, &b, doing, span);
                    return self.error(diagnostic);
                }
            }
        }
        let ty = model.ty;
        values.into_iter().map(|value| self.coerce(value, ty).ok()).collect()
    }
}

fn comparison(op: BinaryOp) -> Option<Compare> {
    Some(match op {
        BinaryOp::Eq => Compare::Eq,
        BinaryOp::Ne => Compare::Ne,
        BinaryOp::Lt => Compare::Lt,
        BinaryOp::Le => Compare::Le,
        BinaryOp::Gt => Compare::Gt,
        BinaryOp::Ge => Compare::Ge,
        _ => return None,
    })
}
