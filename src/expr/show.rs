//! Programs as text: for `explain`, for snapshots, never read back.

use super::{Arith, Compare, Expr, Node, NodeId, Pick, Turn, Var};
use crate::model::{TimeMs, Value, format_duration, format_time};
use std::fmt;

/// Writes the program with slots for names: `(< $2 5)`, `@0` a shared subexpression, `prev.1`, `v0.last.2`.
impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.show(self.root, f)
    }
}

impl Expr {
    fn show(&self, id: NodeId, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(node) = self.nodes.get(id.0 as usize) else { return f.write_str("?") };
        match node {
            Node::Const(value) => show_value(value, f),
            Node::Field(slot) => write!(f, "${slot}"),
            Node::Time => f.write_str("time"),
            Node::Extra(0) => f.write_str("passage"),
            Node::Extra(1) => f.write_str("fence"),
            Node::Extra(2) => f.write_str("dwell"),
            Node::Extra(3) => f.write_str("element"),
            Node::Extra(4) => f.write_str("encounter"),
            Node::Extra(5) => f.write_str("distance"),
            Node::Extra(6) => f.write_str("together"),
            Node::Extra(7) => f.write_str("position"),
            Node::Extra(8) => f.write_str("crossed_at"),
            Node::Extra(9) => f.write_str("crossing"),
            Node::Extra(slot) => write!(f, "added.{}", slot - 10),
            Node::Prev(slot) => write!(f, "prev.{slot}"),
            Node::PrevAt(slot, count) => write!(f, "prev-{count}.{slot}"),
            Node::PrevTime => f.write_str("prev.time"),
            Node::Computed(slot) => write!(f, "@{slot}"),
            Node::Var(var, slot) => {
                show_var(*var, f)?;
                write!(f, ".{slot}")
            }
            Node::VarTime(var) => {
                show_var(*var, f)?;
                f.write_str(".time")
            }
            Node::Aggregate(at) => write!(f, "aggregate.{at}"),
            Node::KeyPart(at) => write!(f, "key.{at}"),
            Node::SpanStart => f.write_str("start"),
            Node::SpanEnd => f.write_str("end"),
            Node::AtEnd(inner) => self.list("final", &[*inner], f),
            Node::Classifier => f.write_str("classifier"),
            Node::MatchNumber => f.write_str("match-number"),
            Node::Not(inner) => self.list("not", &[*inner], f),
            Node::And(all) => self.list("and", all, f),
            Node::Or(any) => self.list("or", any, f),
            Node::CompareFloat(op, a, b) | Node::CompareInt(op, a, b) | Node::CompareValue(op, a, b) => {
                self.list(compare_sign(*op), &[*a, *b], f)
            }
            Node::Arith(op, _, a, b) => self.list(arith_sign(*op), &[*a, *b], f),
            Node::Neg(inner) => self.list("-", &[*inner], f),
            Node::Scale(inner, factor) => self.list(&format!("scale {factor}"), &[*inner], f),
            Node::IsNull(inner) => self.list("is-null", &[*inner], f),
            Node::In(item, list) => {
                f.write_str("(in ")?;
                self.show(*item, f)?;
                for value in list {
                    f.write_str(" ")?;
                    show_value(value, f)?;
                }
                f.write_str(")")
            }
            Node::Like(item, pattern) => self.list(&format!("like '{pattern}'"), &[*item], f),
            Node::Case(arms, otherwise) => {
                f.write_str("(case")?;
                for (condition, value) in arms {
                    f.write_str(" ")?;
                    self.list("when", &[*condition, *value], f)?;
                }
                f.write_str(" ")?;
                self.show(*otherwise, f)?;
                f.write_str(")")
            }
            Node::Locate(set, position) => self.list(&format!("locate set.{set}"), &[*position], f),
            Node::Nearest(set, position) => self.list(&format!("nearest set.{set}"), &[*position], f),
            Node::DistanceTo(set, position, fence) => {
                let args: Vec<NodeId> = [*position].into_iter().chain(*fence).collect();
                self.list(&format!("distance_to set.{set}"), &args, f)
            }
            Node::Crossed(set, from, to, to_left) => {
                let side = to_left.map_or("", |left| if left { " left" } else { " right" });
                self.list(&format!("crossed set.{set}{side}"), &[*from, *to], f)
            }
            Node::Passed(set, from, to, turn, _) => {
                let turn = match turn {
                    Turn::In => " in",
                    Turn::Out => " out",
                    Turn::Any => "",
                };
                self.list(&format!("passed set.{set}{turn}"), &[*from, *to], f)
            }
            Node::FencesPlus(a, b) => self.list("with", &[*a, *b], f),
            Node::FencesMinus(a, b) => self.list("without", &[*a, *b], f),
            Node::HasFence(fences, None) => self.list("any", &[*fences], f),
            Node::HasFence(fences, Some(fence)) => self.list("has", &[*fences, *fence], f),
            Node::LowestFence(fences) => self.list("lowest", &[*fences], f),
            Node::FenceProperty(fence, name) => self.list(&format!("property {name}"), &[*fence], f),
            Node::FenceId(fence) => self.list("id", &[*fence], f),
            Node::TableRow(table, key) => self.list(&format!("row table.{table}"), key, f),
            Node::TableColumn(_, column, row) => self.list(&format!("column {column}"), &[*row], f),
            Node::Call(function, args) => self.list(function.name, args, f),
        }
    }

    fn list(&self, head: &str, args: &[NodeId], f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({head}")?;
        for &arg in args {
            f.write_str(" ")?;
            self.show(arg, f)?;
        }
        f.write_str(")")
    }
}

fn show_var(var: Var, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match var.var {
        Var::ANY => f.write_str("any")?,
        var => write!(f, "v{var}")?,
    }
    match var.pick {
        Pick::First(0) => f.write_str(".first"),
        Pick::Last(0) => f.write_str(".last"),
        Pick::First(n) => write!(f, ".first+{n}"),
        Pick::Last(n) => write!(f, ".last-{n}"),
    }
}

fn show_value(value: &Value, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let duration = |span_ms: TimeMs| format_duration(span_ms).replace(' ', "");
    match value {
        Value::Null => f.write_str("null"),
        Value::Bool(truth) => write!(f, "{truth}"),
        Value::Int(number) => write!(f, "{number}"),
        Value::Float(number) => write!(f, "{number}"),
        Value::Text(text) => write!(f, "'{text}'"),
        Value::Time(at) => f.write_str(&format_time(*at)),
        Value::Duration(span_ms) => f.write_str(&duration(*span_ms)),
        other => write!(f, "{other:?}"),
    }
}

fn compare_sign(op: Compare) -> &'static str {
    match op {
        Compare::Eq => "=",
        Compare::Ne => "!=",
        Compare::Lt => "<",
        Compare::Le => "<=",
        Compare::Gt => ">",
        Compare::Ge => ">=",
    }
}

fn arith_sign(op: Arith) -> &'static str {
    match op {
        Arith::Add => "+",
        Arith::Sub => "-",
        Arith::Mul => "*",
        Arith::Div => "/",
        Arith::Rem => "%",
    }
}
