//! Expressions, with the parentheses that they need and no others.

use std::fmt::Write;

use super::Printer;
use crate::lang::{
    ast::{BinaryOp, Call, Expr, ExprKind, Name, Number, Quantity, Ratio, Semantics, UnaryOp},
    parse::needs_back_ticks,
};

/// Binding strengths, as in the parser.
const ANY: u8 = 0;
const NOT: u8 = 3;
const COMPARISON: u8 = 4;
const PRIMARY: u8 = 8;

impl Printer {
    /// An expression, wherever one of any strength may stand.
    pub(super) fn expr(&mut self, expr: &Expr) {
        self.strong(expr, ANY);
    }

    /// An expression that binds at least as strongly as `weakest`, else in parentheses.
    pub(super) fn strong(&mut self, expr: &Expr, weakest: u8) {
        if strength(&expr.kind) >= weakest {
            self.bare(expr);
        } else {
            self.put("(");
            self.bare(expr);
            self.glue(")");
        }
    }

    fn bare(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Number(q) => self.quantity(q),
            ExprKind::String(text) => self.put(&quoted(text)),
            ExprKind::Bool(true) => self.put("TRUE"),
            ExprKind::Bool(false) => self.put("FALSE"),
            ExprKind::Null => self.put("NULL"),
            ExprKind::Time(text) => {
                self.put("TIME");
                self.put(&quoted(&text.value));
            }
            ExprKind::Path(path) => {
                for (n, part) in path.parts.iter().enumerate() {
                    if n == 0 {
                        self.name(part);
                    } else {
                        self.glue(".");
                        self.glue(&back_ticked(part));
                    }
                }
            }
            ExprKind::Call(call) => self.call(call),
            ExprKind::Unary { op, operand } => match op.value {
                UnaryOp::Not => {
                    self.put("NOT");
                    self.strong(operand, NOT);
                }
                UnaryOp::Neg => {
                    // A number would take the sign into itself, and two signs side by side begin a comment.
                    let alone = matches!(operand.kind, ExprKind::Path(_) | ExprKind::Call(_));
                    let signed = matches!(&operand.kind, ExprKind::Unary { op, .. } if op.value == UnaryOp::Neg);
                    self.put(if alone || signed { "-" } else { "-(" });
                    let mut inner = Printer::default();
                    inner.expr(operand);
                    if signed {
                        self.put(&inner.text);
                    } else {
                        self.glue(&inner.text);
                        self.glue(if alone { "" } else { ")" });
                    }
                }
            },
            ExprKind::Binary { op, left, right } => {
                let level = level(op.value);
                // Comparisons don't chain, the others lean to the left.
                self.strong(left, if op.value.is_comparison() { level + 1 } else { level });
                self.put(op.value.text());
                self.strong(right, level + 1);
            }
            ExprKind::In { operand, list, negated } => {
                self.test(operand, *negated, "IN (");
                self.list(list, Self::expr);
                self.glue(")");
            }
            ExprKind::Between { operand, low, high, negated } => {
                self.test(operand, *negated, "BETWEEN");
                self.strong(low, COMPARISON + 1);
                self.put("AND");
                self.strong(high, COMPARISON + 1);
            }
            ExprKind::Like { operand, pattern, negated } => {
                self.test(operand, *negated, "LIKE");
                self.strong(pattern, COMPARISON + 1);
            }
            ExprKind::IsNull { operand, negated } => {
                self.strong(operand, COMPARISON + 1);
                self.put(if *negated { "IS NOT NULL" } else { "IS NULL" });
            }
            ExprKind::Case { arms, otherwise } => {
                self.put("CASE");
                for arm in arms {
                    self.put("WHEN");
                    self.expr(&arm.condition);
                    self.put("THEN");
                    self.expr(&arm.value);
                }
                if let Some(value) = otherwise {
                    self.put("ELSE");
                    self.expr(value);
                }
                self.put("END");
            }
        }
    }

    fn test(&mut self, operand: &Expr, negated: bool, word: &str) {
        self.strong(operand, COMPARISON + 1);
        if negated {
            self.put("NOT");
        }
        self.put(word);
    }

    fn call(&mut self, call: &Call) {
        match call.semantics.map(|s| s.value) {
            Some(Semantics::Running) => self.put("RUNNING"),
            Some(Semantics::Final) => self.put("FINAL"),
            None => {}
        }
        self.name(&call.name);
        self.glue("(");
        if call.star.is_some() {
            self.glue("*");
        }
        if call.distinct.is_some() {
            self.put("DISTINCT");
        }
        let mut args = Printer::default();
        args.list(&call.args, Self::expr);
        // `DISTINCT -x` would be a difference.
        let difference = call.distinct.is_some() && args.text.starts_with('-');
        if let (true, Some((first, rest))) = (difference, call.args.split_first()) {
            args = Printer::default();
            args.put("(");
            args.expr(first);
            args.glue(")");
            for arg in rest {
                args.glue(",");
                args.expr(arg);
            }
        }
        if !args.text.is_empty() {
            self.put(&args.text);
        }
        self.glue(")");
        if let Some(condition) = &call.filter {
            self.put("FILTER (");
            self.put("WHERE");
            self.expr(condition);
            self.glue(")");
        }
    }

    pub(super) fn name(&mut self, name: &Name) {
        if needs_back_ticks(&name.text) {
            self.put(&format!("`{}`", name.text));
        } else {
            self.put(&name.text);
        }
    }

    pub(super) fn quantity(&mut self, quantity: &Quantity) {
        self.number(quantity.value);
        // Of four letters there is no unit: set apart it could be taken for a misspelt clause.
        match &quantity.unit {
            Some(unit) if unit.value.len() >= 4 && !unit.value.contains('/') => self.glue(&unit.value),
            Some(unit) => self.put(&unit.value),
            None => {}
        }
    }

    pub(super) fn number(&mut self, number: Number) {
        let mut text = String::new();
        // `{:?}` of a float always has a point or an exponent, and reads back as the same float.
        let written = match number {
            Number::Int(i) => write!(text, "{i}"),
            Number::Float(f) => write!(text, "{f:?}"),
        };
        debug_assert!(written.is_ok(), "writing to a string never fails");
        self.put(&text);
    }

    pub(super) fn ratio(&mut self, ratio: &Ratio) {
        self.number(ratio.value);
        if ratio.percent {
            self.glue("%");
        }
    }
}

/// A text in quotes.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A name after a dot: there any word will do.
fn back_ticked(name: &Name) -> String {
    let plain = name.text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !name.text.starts_with(|c: char| c.is_ascii_digit());
    if plain { name.text.clone() } else { format!("`{}`", name.text) }
}

fn level(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Or => 1,
        BinaryOp::And => 2,
        BinaryOp::Add | BinaryOp::Sub => 5,
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem => 6,
        _ => COMPARISON,
    }
}

fn strength(kind: &ExprKind) -> u8 {
    match kind {
        ExprKind::Binary { op, .. } => level(op.value),
        ExprKind::Unary { op, .. } if op.value == UnaryOp::Not => NOT,
        ExprKind::Unary { .. } => PRIMARY - 1,
        ExprKind::In { .. } | ExprKind::Between { .. } | ExprKind::Like { .. } | ExprKind::IsNull { .. } => COMPARISON,
        _ => PRIMARY,
    }
}
