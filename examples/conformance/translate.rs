//! From a case to a rule's text.
//!
//! Three habits of Flink's compiler are spelled out, as no user would expect them: the loop at the head of a group has the
//! contiguity of the group's own repetitions, a group whose first element is a group follows strictly, and of absences in a
//! row only the last holds, unless an element comes after them that takes an event.

use crate::{
    case::{Case, Condition, Element, Quantifier},
    condition::{self, Field, Kind, Writer, quoted},
    unroll::{self, Unrolled},
};
use geocep::lang::{parse::parse_query, print::print_query};
use std::collections::{BTreeMap, BTreeSet};

/// The stream that the rule reads.
pub(crate) const STREAM: &str = "events";

/// A case in the language.
#[derive(Debug)]
pub(crate) struct Translated {
    /// The rule's expression, in canonical form.
    pub(crate) text: String,
    /// Of each variable in the text the case's.
    pub(crate) variables: BTreeMap<String, String>,
    /// The fields of the events.
    pub(crate) fields: BTreeMap<String, Field>,
}

/// How a pattern is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// As it says.
    Plain,
    /// Without what Flink ignores.
    Flink,
}

/// A case as text.
///
/// # Errors
/// What no text could be found for.
pub(crate) fn translate(case: &Case, reading: Reading) -> Result<Translated, String> {
    let fields = condition::fields(case);
    let mut names = Names::default();
    names.collect(case, &case.pattern);
    let translator = Translator { fields: &fields, names: &names, reading };
    let mut defines = Vec::new();
    let pattern = translator.sequence(&case.pattern, None, &mut defines)?;
    let mut text = format!("FROM {STREAM}");
    if fields.contains_key("key") {
        text.push_str(" PARTITION BY `key`");
    }
    text.push_str(&format!(" PATTERN {pattern} WITHIN "));
    match case.within_ms.filter(|ms| *ms > 0) {
        Some(ms) => text.push_str(&format!("{ms} ms")),
        None => text.push_str("UNBOUNDED"),
    }
    text.push_str(" ON TIMEOUT");
    if !defines.is_empty() {
        text.push_str(&format!(" DEFINE {}", defines.join(", ")));
    }
    text.push_str(&format!(" AFTER MATCH {}", translator.skip(case)?));
    let (query, _) = parse_query(&text);
    let text = query.map_or(text, |query| print_query(&query));
    Ok(Translated { text, variables: names.originals(), fields })
}

/// What the variables of a case are called in the text.
#[derive(Debug, Default)]
struct Names {
    /// Those that take events.
    taking: BTreeMap<String, Vec<String>>,
    unrolled: BTreeMap<String, Unrolled>,
    all: BTreeSet<String>,
}

impl Names {
    fn collect(&mut self, case: &Case, elements: &[Element]) {
        for element in elements {
            if let Some(group) = &element.group {
                self.collect(case, group);
            }
            let Some(var) = &element.var else { continue };
            self.all.insert(var.clone());
            if element.is_negated() {
                continue;
            }
            let names = match unroll::plan(case, element) {
                Some(unrolled) => {
                    let names = unrolled.names(var);
                    self.unrolled.insert(var.clone(), unrolled);
                    names
                }
                None => vec![written(var)],
            };
            self.taking.insert(var.clone(), names);
        }
    }

    fn originals(&self) -> BTreeMap<String, String> {
        let of = |(var, names): (&String, &Vec<String>)| {
            names.iter().map(|name| (name.clone(), var.clone())).collect::<Vec<_>>()
        };
        self.taking.iter().flat_map(of).collect()
    }
}

/// A name that can stand between back-ticks.
fn written(name: &str) -> String {
    name.replace(['`', '\n', '\r', '\t'], "_")
}

struct Translator<'c> {
    fields: &'c BTreeMap<String, Field>,
    names: &'c Names,
    reading: Reading,
}

impl Translator<'_> {
    fn condition(&self, condition: &Condition, own: Option<&str>) -> String {
        Writer { fields: self.fields, variables: &self.names.taking, own }.condition(condition)
    }

    /// A sequence; `group`: how the group repeats that it is in.
    fn sequence(
        &self,
        elements: &[Element],
        group: Option<&Quantifier>,
        defines: &mut Vec<String>,
    ) -> Result<String, String> {
        let mut text = String::new();
        for (at, element) in elements.iter().enumerate() {
            if is_forgotten(elements, at, group.is_none()) && !follows_loop(elements, at) {
                continue;
            }
            let ends_group = group.is_some()
                && elements.iter().skip(at).all(|element| element.rel.as_deref() == Some("notFollowedBy"));
            if ends_group && self.reading == Reading::Flink {
                continue;
            }
            // Between two elements nothing but what follows ends an absence: a bound of its own means nothing in Flink.
            let between = at + 1 < elements.len() && element.rel.as_deref() == Some("notFollowedBy");
            let inner = match group.filter(|_| at == 0 && element.var.is_some()) {
                Some(group) => group.inner.as_deref(),
                None => element.quant.inner.as_deref(),
            };
            if at > 0 {
                text.push_str(connector(element)?);
            }
            let previous = element.within_prev_ms.filter(|_| !between);
            let ends = group.is_none() && at + 1 == elements.len();
            text.push_str(&self.element(element, inner, previous, ends, defines)?);
        }
        Ok(text)
    }

    fn element(
        &self,
        element: &Element,
        inner: Option<&str>,
        previous: Option<i64>,
        ends: bool,
        defines: &mut Vec<String>,
    ) -> Result<String, String> {
        let inner = if begins_with_group(element) { Some("strict") } else { inner };
        // A step has one bound.
        let ignored = self.reading == Reading::Flink && (element.group.is_some() || element.is_quantified());
        let previous = previous.filter(|ms| *ms > 0 && !ignored && window(element).is_none());
        let previous = previous.map(|ms| format!(" WITHIN {ms} ms OF PREVIOUS")).unwrap_or_default();
        let what = match (&element.var, &element.group) {
            (Some(var), _) => {
                let condition = element.condition.clone();
                let condition = condition.unwrap_or(Condition::Literal { lit: true.into() });
                let names = self.names.taking.get(var).filter(|_| !element.is_negated());
                let names = names.cloned().unwrap_or_else(|| vec![written(var)]);
                for name in &names {
                    let own = (!element.is_negated()).then_some(name.as_str());
                    defines.push(format!("{} AS {}", quoted(name), self.condition(&condition, own)));
                }
                if let Some(unrolled) = self.names.unrolled.get(var) {
                    return Ok(unrolled.text(&names));
                }
                quoted(&written(var))
            }
            (None, Some(group)) => format!("({})", self.sequence(group, Some(&element.quant), defines)?),
            (None, None) => return Err("an element that is neither a variable nor a group".to_owned()),
        };
        if element.is_negated() {
            // Flink takes no quantifier here, nor do we: what the case says is said.
            return Ok(format!("!{what}{}{previous}", counted(&element.quant).0));
        }
        let words = self.words(element, inner, ends);
        let (count, wrapped) = counted(&element.quant);
        Ok(match wrapped {
            // "Twice or more, or not at all" takes two quantifiers.
            true => format!("({what}{count}{words}{previous})? EACH"),
            false => format!("{what}{count}{words}{previous}"),
        })
    }

    /// The words on a step.
    fn words(&self, element: &Element, inner: Option<&str>, ends: bool) -> String {
        let quantifier = &element.quant;
        let repeats = quantifier.max != Some(1) && element.is_quantified();
        let mut words = String::new();
        // Of what occurs once at most there is no contiguity, unless the case itself says it.
        let own = quantifier.inner.as_deref().is_some_and(|inner| inner != "relaxed") && !element.is_quantified();
        match inner {
            Some("strict") if repeats || own => words.push_str(" STRICT"),
            Some("any") if repeats || own => words.push_str(" ANY"),
            _ => {}
        }
        // On a single step EACH says that its bound is Flink's: not looked at where the step before is a loop that goes on.
        let bounded = element.within_prev_ms.is_some() && element.group.is_none();
        // Of a greedy loop at the end of the pattern every prefix is a match in Flink as well.
        if (!quantifier.greedy || ends) && (bounded || !counted(quantifier).0.is_empty()) {
            words.push_str(" EACH");
        }
        if let Some(until) = &quantifier.until {
            words.push_str(&format!(" UNTIL ({})", self.condition(until, None)));
        }
        let ignored = self.reading == Reading::Flink && element.group.is_some();
        if let Some(ms) = window(element).filter(|_| !ignored) {
            words.push_str(&format!(" WITHIN {ms} ms"));
        }
        words
    }

    fn skip(&self, case: &Case) -> Result<String, String> {
        let Some(skip) = &case.skip else { return Ok("NO SKIP".to_owned()) };
        let fail = if skip.throw_on_miss { " OR FAIL" } else { "" };
        let var = skip.var.as_deref().unwrap_or_default();
        let names = self.names.taking.get(var);
        let first = names.and_then(|names| names.first()).cloned().unwrap_or_else(|| written(var));
        let last = names.and_then(|names| names.last()).cloned().unwrap_or_else(|| written(var));
        Ok(match skip.kind.as_str() {
            "no_skip" => "NO SKIP".to_owned(),
            "skip_to_next" => "SKIP TO NEXT ROW".to_owned(),
            "skip_past_last" => "SKIP PAST LAST ROW".to_owned(),
            "skip_to_first" => format!("SKIP TO FIRST {}{fail}", quoted(&first)),
            "skip_to_last" => format!("SKIP TO LAST {}{fail}", quoted(&last)),
            other => return Err(format!("unknown skip `{other}`")),
        })
    }
}

/// Whether Flink forgets an absence: it goes with the next element that takes an event, and there is none before the next
/// event is looked at, or before the end of the pattern.
pub(crate) fn is_forgotten(elements: &[Element], at: usize, top: bool) -> bool {
    let relaxed = |element: &Element| element.rel.as_deref() == Some("notFollowedBy");
    if !elements.get(at).is_some_and(relaxed) {
        return false;
    }
    match elements.iter().skip(at + 1).find(|element| !relaxed(element)) {
        Some(next) => next.is_negated(),
        None => top && at + 1 < elements.len(),
    }
}

/// Whether a loop comes right before an absence: while it repeats, it looks out for the absence by itself.
pub(crate) fn follows_loop(elements: &[Element], at: usize) -> bool {
    fn repeats(element: &Element) -> bool {
        let last = element.group.as_ref().and_then(|group| group.last());
        element.is_quantified() && element.quant.max != Some(1) || last.is_some_and(repeats)
    }
    let taking = elements.iter().take(at).rev().find(|element| element.rel.as_deref() != Some("notFollowedBy"));
    taking.is_some_and(repeats)
}

/// A loop's own window. Flink has none on what occurs once at most.
fn window(element: &Element) -> Option<i64> {
    let repeats = element.quant.max != Some(1) && element.is_quantified();
    element.quant.window_ms.filter(|ms| *ms > 0 && repeats)
}

/// In Flink a group whose head is a group follows strictly, whatever is said of it.
fn begins_with_group(element: &Element) -> bool {
    element.group.as_ref().and_then(|group| group.first()).is_some_and(|head| head.group.is_some())
}

fn connector(element: &Element) -> Result<&'static str, String> {
    Ok(match element.rel.as_deref() {
        _ if begins_with_group(element) => " ",
        Some("next" | "notNext") => " ",
        Some("followedBy" | "notFollowedBy") => " -> ",
        Some("followedByAny") => " ->> ",
        other => return Err(format!("unknown relation {other:?}")),
    })
}

/// The quantifier, and whether being optional takes a group around it.
fn counted(quantifier: &Quantifier) -> (String, bool) {
    let Some(min) = quantifier.min else {
        return (if quantifier.optional { "?" } else { "" }.to_owned(), false);
    };
    let wrapped = quantifier.optional && min > 1;
    let least = if quantifier.optional && !wrapped { 0 } else { min };
    let text = match (least, quantifier.max) {
        (0, None) => "*".to_owned(),
        (1, None) => "+".to_owned(),
        (least, None) => format!("{{{least},}}"),
        (0, Some(1)) => "?".to_owned(),
        (0, Some(most)) => format!("{{,{most}}}"),
        (1, Some(1)) => String::new(),
        (least, Some(most)) if least == most => format!("{{{most}}}"),
        (least, Some(most)) => format!("{{{least},{most}}}"),
    };
    (text, wrapped)
}

/// The type of a field, for the schema.
pub(crate) fn type_of(kind: Kind) -> Option<geocep::model::Type> {
    match kind {
        Kind::Number => Some(geocep::model::Type::Float),
        Kind::Text => Some(geocep::model::Type::Text),
        Kind::Bool => Some(geocep::model::Type::Bool),
        Kind::Mixed | Kind::Null => None,
    }
}
