//! A region as measures see it: its own fields, the key, and aggregates over its cells.

use super::{
    compile::{Compiler, Site, Typed},
    scope::RuleScope,
};
use crate::{
    expr::{Builder, Node},
    lang::{
        ast::{Expr, ExprKind, Name, Path},
        diag::{Code, Diagnostic, nearest},
        print::print_expr,
    },
    plan::{OutputField, RegionField, Role},
};

impl Compiler<'_, '_> {
    /// A path in the measures of a cluster.
    pub(super) fn region_path(&mut self, head: &Name, rest: &[Name], path: &Path) -> Option<Typed> {
        if rest.is_empty() {
            if let Some(typed) = self.measure_named(head) {
                return typed;
            }
            if let Some(field) = RegionField::named(&head.text) {
                return Some(self.leaf(Node::Extra(field.slot()), field.ty(), path.span));
            }
        }
        let text = print_expr(&Expr { kind: ExprKind::Path(path.clone()), span: path.span });
        if let Some(typed) = self.key_component(&text, path.span) {
            return Some(typed);
        }
        let fields: Vec<String> = RegionField::ALL.iter().map(|field| format!("`{}`", field.name())).collect();
        let near = nearest(&head.text, RegionField::ALL.iter().map(|field| field.name()));
        if let Some(near) = near.filter(|_| rest.is_empty() && !self.is_of_events(&head.text)) {
            return self.error(
                Diagnostic::new(Code::UnknownField, path.span, format!("a region has no field `{text}`"))
                    .with_help(format!("did you mean `{near}`?")),
            );
        }
        // An unknown name is told as such, not as one that differs.
        let mut compiler = Compiler::new(self.rule, Site::Event, self.input);
        compiler.event_path(head, rest, path.span)?;
        self.error(
            Diagnostic::new(Code::WrongPlace, path.span, format!("`{text}` differs from cell to cell of the region"))
                .with_label("of a cell")
                .with_help(format!(
                    "aggregate it, `sum({text})`, `max({text})`; of the region itself there are {}",
                    fields.join(", ")
                )),
        )
    }

    /// Whether events of an input have a field, or may have it.
    fn is_of_events(&self, name: &str) -> bool {
        let streams = &self.rule.streams;
        let has = |stream| streams.field_type(stream, name).is_some() || streams.is_open(stream);
        name == "time" || self.rule.inputs.iter().any(|input| has(input.stream))
    }
}

/// The region's id, right after the key. Nothing else may have the names by which regions are told apart.
pub(super) fn identity(rule: &mut RuleScope<'_>, outputs: &mut Vec<OutputField>) {
    let taken = |name: &str| [RegionField::Region, RegionField::Transition].iter().any(|field| field.name() == name);
    let keys = rule.keys.iter().map(|key| (key.name.clone(), key.expr.span));
    let renamed = rule.measures.iter().filter(|measure| print_expr(&measure.expr) != measure.name.text);
    let renamed = renamed.map(|measure| (measure.name.text.clone(), measure.name.span));
    let wrong: Vec<_> = keys.chain(renamed).filter(|(name, _)| taken(name)).collect();
    for (name, span) in wrong {
        let message = format!("`{name}` is what the rule says of each region itself");
        rule.report(Diagnostic::new(Code::NameTwice, span, message).with_help("give this another name with `AS`"));
    }
    outputs.push(output(RegionField::Region, rule.inputs.len()));
}

/// The fields of the region that no measure took the name of.
pub(super) fn fields(inputs: usize, outputs: &mut Vec<OutputField>) {
    for &field in RegionField::ALL {
        if !outputs.iter().any(|output| output.name == field.name()) {
            outputs.push(output(field, inputs));
        }
    }
}

fn output(field: RegionField, inputs: usize) -> OutputField {
    let mut builder = Builder::new();
    let root = builder.push(Node::Extra(field.slot()));
    let role = match field {
        RegionField::Region => Role::Key,
        RegionField::Position | RegionField::Boundary => Role::Implicit,
        _ => Role::Measure,
    };
    let expr = builder.finish(root, field.ty());
    OutputField { name: field.name().to_owned(), ty: field.ty(), role, exprs: vec![expr; inputs] }
}
