//! What is usual for a key: `baseline(x, 28 d)` and `baseline_mad(x, 28 d)`.

use super::{
    compile::{Compiler, Site, Typed, named},
    scope::{RuleScope, Table},
};
use crate::{
    expr::Node,
    lang::{
        ast::{Call, Expr},
        diag::{Code, Diagnostic},
        print::print_expr,
        span::Span,
    },
    model::{TimeMs, Type, Value},
    plan::Baseline,
};

const HOUR_MS: TimeMs = 3_600_000;
const DAY_MS: TimeMs = 24 * HOUR_MS;
/// The fewest days that can have three hours alike, and the most that a key is to keep: half a year.
const DAYS: std::ops::RangeInclusive<TimeMs> = 3..=182;

impl Compiler<'_, '_> {
    /// `baseline(x, d)`: the median of what x was; `baseline_mad(x, d)`: the median of the distances from it.
    pub(super) fn baseline(&mut self, call: &Call, name: &str, span: Span) -> Option<Typed> {
        let [arg, over] = call.args.as_slice() else {
            let message = format!("`{name}` takes a value and how far back it looks: `{name}(demand, 28 d)`");
            return self.error(Diagnostic::new(Code::WrongArguments, span, message));
        };
        if self.in_baseline {
            let message = "a baseline of a baseline: only one of events is kept";
            return self.error(
                Diagnostic::new(Code::WrongPlace, span, message)
                    .with_help("measure the first in a `stream:` rule, and compare in a rule that reads it"),
            );
        }
        self.needs_partition(&format!("{name}(…)"), span)?;
        let over_hours = self.over_hours(name, over)?;
        let (only, own) = (self.only, self.own);
        let text = print_expr(arg);
        let fence = self.fence.filter(|_| text.contains("fence")).map(|call| call.name.span.start);
        let (slot, ty) =
            self.shared(Table::Baseline, format!("{only:?}|{fence:?}|{text}|{over_hours}"), |compiler| {
                (compiler.only, compiler.own, compiler.in_baseline) = (only, own, true);
                let typed = compiler.expr(arg)?;
                let number =
                    matches!(typed.ty, Type::Int | Type::Float | Type::Quantity(_) | Type::Duration | Type::Any);
                if number {
                    return Some(typed);
                }
                let message = format!("`{name}` takes numbers, not {}", named(typed.ty));
                let label = format!("this is {}", named(typed.ty));
                compiler.error(Diagnostic::new(Code::WrongType, typed.span, message).with_label(label))
            })?;
        if usize::from(slot) == self.rule.baseline_hours.len() {
            self.rule.baseline_hours.push(over_hours);
        }
        let ty = if ty == Type::Int { Type::Float } else { ty };
        let at = Baseline::extra(slot).checked_add(u16::from(name == "baseline_mad"))?;
        Some(self.leaf(Node::Extra(at), ty, span))
    }

    fn over_hours(&mut self, name: &str, over: &Expr) -> Option<u32> {
        let mut compiler = Compiler::new(self.rule, Site::Constant, 0);
        let typed = compiler.expr(over)?;
        if let Some(Value::Duration(ms)) = typed.as_const()
            && ms % DAY_MS == 0
            && DAYS.contains(&(ms / DAY_MS))
        {
            return u32::try_from(ms / HOUR_MS).ok();
        }
        let message = format!("`{name}` looks back over a constant number of whole days, from 3 to 182");
        self.error(
            Diagnostic::new(Code::OutOfRange, over.span, message)
                .with_help("four weeks know each hour of the week: `28 d`; a week knows each hour of the day: `7 d`"),
        )
    }
}

/// The baselines of a rule whose expressions are all checked.
pub(super) fn baselines(rule: &RuleScope<'_>) -> Vec<Baseline> {
    let of_inputs: Vec<_> = (0..rule.inputs.len()).map(|input| rule.baseline.of_input(input)).collect();
    let hours = rule.baseline_hours.iter().enumerate();
    hours
        .map(|(at, &over_hours)| Baseline {
            args: of_inputs.iter().filter_map(|exprs| exprs.get(at).cloned()).collect(),
            over_hours,
        })
        .collect()
}
