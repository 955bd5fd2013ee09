//! The match as measures see it: `RUNNING` and `FINAL`, `CLASSIFIER()`, `MATCH_NUMBER()`.

use super::{
    aggregate,
    compile::{Compiler, Site, Typed, first},
};
use crate::{
    expr::Node,
    lang::{
        ast::{Call, Expr, ExprKind, Semantics},
        diag::{Code, Diagnostic},
        span::Spanned,
    },
    model::Type,
};

impl Compiler<'_, '_> {
    /// An aggregate as of the row at hand, or as of the match's end.
    ///
    /// Where a match is one output the two are the same. Where every event is one, measures are as of its row unless they
    /// say otherwise.
    pub(super) fn as_of(&mut self, call: &Call, semantics: Spanned<Semantics>, expr: &Expr) -> Option<Typed> {
        let name = call.name.text.to_ascii_lowercase();
        let word = match semantics.value {
            Semantics::Running => "RUNNING",
            Semantics::Final => "FINAL",
        };
        if !matches!(self.site, Site::Match | Site::Define) {
            return self.error(
                Diagnostic::new(
                    Code::WrongPlace,
                    semantics.span,
                    format!("`{word}` belongs to the measures of a pattern"),
                )
                .with_help("it says whether a measure is as of the row at hand or as of the end of the match"),
            );
        }
        if !aggregate::is_aggregate(&name) {
            return self.error(
                Diagnostic::new(
                    Code::WrongPlace,
                    semantics.span,
                    format!("`{word}` says nothing of `{}`", call.name.text),
                )
                .with_help(format!(
                    "it stands before an aggregate, `first` or `last`: of a variable's last event `{word} last(v.x)`"
                )),
            );
        }
        if self.site == Site::Define && semantics.value == Semantics::Final {
            return self.error(
                Diagnostic::new(
                    Code::WrongPlace,
                    semantics.span,
                    "the end of a match isn't known while its events are tested",
                )
                .with_label("not known yet")
                .with_help("conditions see the match so far, RUNNING; FINAL stands in MEASURES"),
            );
        }
        let plain = Call { semantics: None, ..call.clone() };
        let plain = Expr { kind: ExprKind::Call(plain), span: expr.span };
        let typed = self.expr(&plain)?;
        if semantics.value == Semantics::Running || !self.rule.all_rows {
            return Some(typed);
        }
        let ty = typed.ty;
        Some(self.node(&[&typed], ty, expr.span, |ids| Node::AtEnd(first(ids))))
    }

    /// `CLASSIFIER()`, `MATCH_NUMBER()`.
    pub(super) fn of_match(&mut self, call: &Call, name: &str, expr: &Expr) -> Option<Typed> {
        self.no_arguments(call, expr)?;
        if self.site != Site::Match {
            let given = &call.name.text;
            let help = match self.site {
                Site::Define => "conditions are asked before an event belongs to a match",
                _ => "it stands in MEASURES or HAVING of a rule with PATTERN",
            };
            let message = format!("`{given}()` is of a match, and there is none here");
            return self.error(Diagnostic::new(Code::WrongPlace, expr.span, message).with_help(help));
        }
        Some(match name {
            "classifier" => self.leaf(Node::Classifier, Type::Text, expr.span),
            _ => self.leaf(Node::MatchNumber, Type::Int, expr.span),
        })
    }
}
