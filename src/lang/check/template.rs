//! Annotations: what each placeholder means.

use crate::{
    lang::{
        diag::{Code, FileDiagnostic, nearest},
        file,
    },
    plan::{OutputField, Template, TemplatePart},
};
use std::ops::Range;

/// Resolves the annotations of a rule with these outputs; mistakes are pushed.
pub(super) fn annotations(
    rule: &file::Rule,
    outputs: &[OutputField],
    diagnostics: &mut Vec<FileDiagnostic>,
) -> Vec<(String, Template)> {
    let mut annotations = Vec::new();
    for (name, template) in &rule.annotations {
        let parts = template.parts.iter().filter_map(|part| match part {
            file::TemplatePart::Text(text) => Some(TemplatePart::Text(text.clone())),
            file::TemplatePart::Placeholder { path, range } => match placeholder(rule, outputs, path, range) {
                Ok(part) => Some(part),
                Err(diagnostic) => {
                    diagnostics.push(diagnostic);
                    None
                }
            },
        });
        annotations.push((name.clone(), Template { parts: parts.collect() }));
    }
    annotations
}

fn placeholder(
    rule: &file::Rule,
    outputs: &[OutputField],
    path: &[String],
    range: &Range<usize>,
) -> Result<TemplatePart, FileDiagnostic> {
    let error = |code, message: String, help: Option<String>| {
        let mut diagnostic = FileDiagnostic::new(code, range.clone(), message);
        diagnostic.help = help;
        diagnostic
    };
    match path {
        [labels, label] if labels == "labels" => match rule.labels.contains_key(label) {
            true => Ok(TemplatePart::Label(label.clone())),
            false => {
                let near = nearest(label, rule.labels.keys().map(String::as_str));
                let help = near.map(|near| format!("did you mean `labels.{near}`?"));
                Err(error(Code::UnknownField, format!("the rule has no label `{label}`"), help))
            }
        },
        [name] => {
            if let Some(slot) = outputs.iter().position(|output| output.name == *name) {
                return Ok(TemplatePart::Field(slot as u16));
            }
            match name.as_str() {
                "key" => Ok(TemplatePart::Key),
                "rule" => Ok(TemplatePart::Rule),
                "start" => Ok(TemplatePart::Start),
                "end" => Ok(TemplatePart::End),
                _ => {
                    let known = outputs.iter().map(|output| output.name.as_str());
                    let near = nearest(name, known.clone().chain(["key", "rule", "start", "end"]));
                    let help = match near {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => {
                            let mut all: Vec<&str> = known.collect();
                            all.extend(["key", "rule", "start", "end", "labels.…"]);
                            format!("there are {}", all.join(", "))
                        }
                    };
                    Err(error(Code::UnknownField, format!("the rule's outputs have no `{name}`"), Some(help)))
                }
            }
        }
        _ => Err(error(
            Code::Unsupported,
            format!("`{}` in an annotation is not supported yet", path.join(".")),
            Some(
                "measure it under a name of its own, `MEASURES enter.fence.name AS airport`, and write that name"
                    .to_owned(),
            ),
        )),
    }
}
