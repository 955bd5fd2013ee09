//! Conditions as text of the rule language.
//!
//! The cases' logic has two values, the language's has three: where a comparison may be unknown and what is around it would
//! tell unknown from false, it is written `coalesce(…, FALSE)`. What can't be compared is decided here, since the checker
//! would refuse it.

use crate::case::{Case, Condition};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// What is known of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Number,
    Text,
    Bool,
    /// It differs from event to event.
    Mixed,
    /// Always null.
    Null,
}

/// A field of the events.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) kind: Kind,
    /// Some event lacks it.
    pub(crate) missing: bool,
}

/// The fields of a case's events.
pub(crate) fn fields(case: &Case) -> BTreeMap<String, Field> {
    let events = || case.events.iter().filter(|event| !event.contains_key("watermark"));
    let mut fields: BTreeMap<String, Field> = BTreeMap::new();
    for (name, value) in events().flatten() {
        let kind = kind_of(value);
        let field = fields.entry(name.clone()).or_insert(Field { kind, missing: false });
        field.kind = match (field.kind, kind) {
            (known, Kind::Null) => known,
            (Kind::Null, kind) => kind,
            (known, kind) if known == kind => kind,
            _ => Kind::Mixed,
        };
    }
    for (name, field) in &mut fields {
        field.missing = events().any(|event| event.get(name).is_none_or(Json::is_null));
    }
    fields
}

fn kind_of(value: &Json) -> Kind {
    match value {
        Json::Number(_) => Kind::Number,
        Json::String(_) => Kind::Text,
        Json::Bool(_) => Kind::Bool,
        _ => Kind::Null,
    }
}

/// A name in the language.
pub(crate) fn quoted(name: &str) -> String {
    format!("`{name}`")
}

/// A written value.
struct Written {
    text: String,
    kind: Kind,
    /// It may be null.
    nullable: bool,
}

impl Written {
    fn new(text: impl Into<String>, kind: Kind, nullable: bool) -> Self {
        Self { text: text.into(), kind, nullable }
    }

    fn null() -> Self {
        Self::new("NULL", Kind::Null, true)
    }

    fn no() -> Self {
        Self::new("FALSE", Kind::Bool, false)
    }
}

/// Writes conditions.
pub(crate) struct Writer<'c> {
    pub(crate) fields: &'c BTreeMap<String, Field>,
    /// What each variable of the case is called in the text, in order: several where it was taken apart. Those that must not
    /// occur have no events, and are left out.
    pub(crate) variables: &'c BTreeMap<String, Vec<String>>,
    /// The written variable whose event is under test; none in UNTIL.
    pub(crate) own: Option<&'c str>,
}

impl Writer<'_> {
    /// A condition; unknown stands for no.
    pub(crate) fn condition(&self, condition: &Condition) -> String {
        self.truth(condition).text
    }

    /// Whether it is true: a truth value, perhaps unknown.
    fn truth(&self, condition: &Condition) -> Written {
        let value = self.value(condition);
        match value.kind {
            Kind::Bool => value,
            Kind::Mixed => Written::new(format!("({} = TRUE)", value.text), Kind::Bool, true),
            Kind::Number | Kind::Text | Kind::Null => Written::no(),
        }
    }

    fn value(&self, condition: &Condition) -> Written {
        match condition {
            Condition::Literal { lit } => literal(lit),
            Condition::Field { field } => self.field(field),
            Condition::Aggregate { agg, var, field_of } => self.aggregate(agg, var, field_of.as_deref()),
            Condition::Operation { op, args } => self.operation(op, args),
        }
    }

    fn field(&self, name: &str) -> Written {
        match self.fields.get(name) {
            None | Some(Field { kind: Kind::Null, .. }) => Written::null(),
            Some(field) => Written::new(quoted(name), field.kind, field.missing),
        }
    }

    fn operation(&self, op: &str, args: &[Condition]) -> Written {
        match (op, args) {
            ("and" | "or", _) => {
                let parts: Vec<Written> = args.iter().map(|arg| self.truth(arg)).collect();
                let nullable = parts.iter().any(|part| part.nullable);
                let parts: Vec<String> = parts.into_iter().map(|part| part.text).collect();
                let text = match parts.as_slice() {
                    [] => if op == "and" { "TRUE" } else { "FALSE" }.to_owned(),
                    parts => format!("({})", parts.join(if op == "and" { " AND " } else { " OR " })),
                };
                Written::new(text, Kind::Bool, nullable)
            }
            ("not", [arg]) => Written::new(format!("(NOT {})", certain(self.truth(arg))), Kind::Bool, false),
            ("neg", [arg]) => match self.value(arg) {
                arg if arg.kind == Kind::Number => Written::new(format!("(-{})", arg.text), Kind::Number, arg.nullable),
                _ => Written::null(),
            },
            ("+" | "-" | "*" | "/" | "%", [a, b]) => match (self.value(a), self.value(b)) {
                (a, b) if a.kind == Kind::Number && b.kind == Kind::Number => {
                    let nullable = a.nullable || b.nullable || matches!(op, "/" | "%");
                    Written::new(format!("({} {op} {})", a.text, b.text), Kind::Number, nullable)
                }
                _ => Written::null(),
            },
            ("contains" | "startsWith" | "endsWith", [a, b]) => {
                let (a, b) = (self.value(a), self.value(b));
                if a.kind != Kind::Text || b.kind != Kind::Text {
                    return Written::no();
                }
                let function = match op {
                    "contains" => "contains",
                    "startsWith" => "starts_with",
                    _ => "ends_with",
                };
                Written::new(format!("{function}({}, {})", a.text, b.text), Kind::Bool, a.nullable || b.nullable)
            }
            (_, [a, b]) => compare(op, &self.value(a), &self.value(b)),
            _ => Written::no(),
        }
    }

    fn aggregate(&self, agg: &str, var: &str, field: Option<&str>) -> Written {
        let names = self.variables.get(var).map(Vec::as_slice).unwrap_or_default();
        let known = field.and_then(|name| self.fields.get(name).filter(|field| field.kind != Kind::Null));
        let mixed = known.is_some_and(|field| field.kind == Kind::Mixed);
        let number = mixed || known.is_some_and(|field| field.kind == Kind::Number);
        let each = |function: &str| -> Vec<String> {
            let of = |name: &String| match field {
                // What is no number is null in a sum, and so is left out.
                Some(field) if function != "count" && mixed => {
                    format!("{function}({}.{} + 0)", quoted(name), quoted(field))
                }
                Some(field) if function != "count" => format!("{function}({}.{})", quoted(name), quoted(field)),
                _ => format!("count({})", quoted(name)),
            };
            names.iter().map(of).collect()
        };
        let total = |parts: &[String]| match parts {
            [] => "0".to_owned(),
            [one] => one.clone(),
            several => format!("({})", several.join(" + ")),
        };
        let one_of = |function: &str, parts: &[String]| match parts {
            [one] => one.clone(),
            several => format!("{function}({})", several.join(", ")),
        };
        match agg {
            "count" => Written::new(total(&each("count")), Kind::Number, false),
            "sum" if number => Written::new(total(&each("sum")), Kind::Number, false),
            "sum" => Written::new("0", Kind::Number, false),
            _ if names.is_empty() => Written::null(),
            "avg" if number && names.len() == 1 && known.is_some_and(|field| !field.missing && !mixed) => {
                Written::new(total(&each("avg")), Kind::Number, true)
            }
            // Over all events, also those that lack the field; null where there are none.
            "avg" => {
                let sum = if number { total(&each("sum")) } else { "0".to_owned() };
                Written::new(format!("({sum} / {})", total(&each("count"))), Kind::Number, true)
            }
            "min" if number => Written::new(one_of("least", &each("min")), Kind::Number, true),
            "max" if number => Written::new(one_of("greatest", &each("max")), Kind::Number, true),
            "first" | "last" => match (known, field) {
                (Some(known), Some(field)) => {
                    let mut parts: Vec<String> = names.iter().map(|name| self.pick(agg, name, field)).collect();
                    if agg == "last" {
                        parts.reverse();
                    }
                    Written::new(one_of("coalesce", &parts), known.kind, true)
                }
                _ => Written::null(),
            },
            _ => Written::null(),
        }
    }

    /// In its own condition the event under test counts as the variable's last, and as its first if there is none before.
    fn pick(&self, agg: &str, name: &str, field: &str) -> String {
        let path = format!("{}.{}", quoted(name), quoted(field));
        match (agg, self.own == Some(name)) {
            ("first", true) => format!("(CASE WHEN count({}) > 0 THEN first({path}) END)", quoted(name)),
            (_, true) => format!("last({path}, 1)"),
            (agg, false) => format!("{agg}({path})"),
        }
    }
}

fn literal(lit: &Json) -> Written {
    match lit {
        Json::Bool(true) => Written::new("TRUE", Kind::Bool, false),
        Json::Bool(false) => Written::no(),
        Json::Number(number) => match number.to_string() {
            text if text.starts_with('-') => Written::new(format!("({text})"), Kind::Number, false),
            text => Written::new(text, Kind::Number, false),
        },
        Json::String(text) => Written::new(format!("'{}'", text.replace('\'', "''")), Kind::Text, false),
        _ => Written::null(),
    }
}

/// Unknown made false.
fn certain(value: Written) -> String {
    if value.nullable { format!("coalesce({}, FALSE)", value.text) } else { value.text }
}

fn compare(op: &str, a: &Written, b: &Written) -> Written {
    let sign = match op {
        "==" => "=",
        other => other,
    };
    if a.kind == Kind::Null || b.kind == Kind::Null {
        return Written::no();
    }
    let nullable = a.nullable || b.nullable;
    let both = format!("({} IS NOT NULL AND {} IS NOT NULL)", a.text, b.text);
    let mixed = a.kind == Kind::Mixed || b.kind == Kind::Mixed;
    let text = match op {
        // Values of two kinds are not equal, and have no order.
        "!=" if mixed => format!("coalesce({} != {}, {both})", a.text, b.text),
        "!=" if a.kind != b.kind && nullable => return Written::new(both, Kind::Bool, false),
        "!=" if a.kind != b.kind => return Written::new("TRUE", Kind::Bool, false),
        _ if !mixed && a.kind != b.kind => return Written::no(),
        "<" | "<=" | ">" | ">=" if a.kind == Kind::Bool || b.kind == Kind::Bool => return Written::no(),
        _ => format!("({} {sign} {})", a.text, b.text),
    };
    Written::new(text, Kind::Bool, nullable || mixed)
}
