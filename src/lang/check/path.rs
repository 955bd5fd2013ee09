//! Names: what a path means at its place.

use super::{
    compile::{Compiler, Site, Typed, first, named},
    convert::common,
    scope::Table,
};
use crate::{
    expr::{Node, Pick, Var, func},
    lang::{
        ast::{Expr, ExprKind, Measure, Name, Path},
        diag::{Code, Diagnostic, nearest},
        print::print_expr,
        span::Span,
    },
    model::{Type, Value},
    plan::Unnest,
};
use std::collections::BTreeSet;

/// Functions that compare consecutive events, look at fences or at a match: the compiler knows them, the library doesn't.
pub const SPECIAL: &[&str] = &[
    "prev",
    "gap",
    "speed",
    "heading",
    "acceleration",
    "turn_rate",
    "inside",
    "outside",
    "entered",
    "exited",
    "crossed",
    "nearest",
    "distance_to",
    "route_deviation",
    "dwell",
    "stopped",
    "teleported",
    "baseline",
    "baseline_mad",
];

/// Functions of a match.
pub(super) const MATCH_FUNCTIONS: &[&str] = &["classifier", "match_number"];

impl<'a> Compiler<'_, 'a> {
    pub(super) fn path(&mut self, path: &Path) -> Option<Typed> {
        let (head, rest) = path.parts.split_first()?;
        match self.site {
            Site::Constant => self.error(
                Diagnostic::new(Code::WrongPlace, path.span, "only constants can stand here")
                    .with_label("this depends on events"),
            ),
            Site::Event => self.event_path(head, rest, path.span),
            // A bare name is a field, also where a variable has the same name.
            Site::Define => match self.rule.variable(&head.text).filter(|_| !rest.is_empty()) {
                Some(var) => self.variable_path(var, head, rest, path.span),
                None => self.event_path(head, rest, path.span),
            },
            Site::Match => self.match_path(head, rest, path),
            Site::Window => self.window_path(head, rest, path),
            Site::Joined => self.joined_path(head, rest, path.span),
            Site::Region => self.region_path(head, rest, path),
            Site::Pair => self.pair_path(head, rest, path.span),
        }
    }

    /// A path at a place that looks at the event.
    pub(super) fn event_path(&mut self, head: &Name, rest: &[Name], span: Span) -> Option<Typed> {
        if let Some(at) = self.rule.lookup(&head.text).filter(|_| !rest.is_empty()) {
            return self.lookup_path(at, head, rest, span);
        }
        if let Some(var) = self.rule.variable(&head.text) {
            if self.own == Some(var) {
                return match rest.split_first() {
                    Some((field, rest)) => self.event_path(field, rest, span),
                    None => self.bare_variable(head),
                };
            }
            if !rest.is_empty() && self.rule.input(&head.text).is_none() {
                let message =
                    format!("`{}` is of another variable: only one variable's events are at hand here", head.text);
                return self.error(Diagnostic::new(Code::WrongPlace, span, message));
            }
        }
        if let (Some(input), Some((field, rest))) = (self.rule.input(&head.text), rest.split_first()) {
            let typed = self.input_field(input, field)?;
            return self.property_of(typed, rest);
        }
        let typed = self.event_name(head)?;
        self.property_of(typed, rest)
    }

    /// `.property` of a fence; anything else has none.
    pub(super) fn property_of(&mut self, typed: Typed, rest: &[Name]) -> Option<Typed> {
        let Some((property, deeper)) = rest.split_first() else { return Some(typed) };
        let span = typed.span.to(property.span);
        if !matches!(typed.ty, Type::Fence) {
            let message = match typed.ty {
                Type::Fences => "several fences have no property: `fence` is the one with the lowest id".to_owned(),
                ty => format!("{} has no properties", named(ty)),
            };
            let mut diagnostic = Diagnostic::new(Code::WrongType, property.span, message);
            if typed.ty == Type::Point && matches!(property.text.as_str(), "lon" | "lat" | "x" | "y") {
                let function = if matches!(property.text.as_str(), "lon" | "x") { "lon" } else { "lat" };
                diagnostic = diagnostic.with_help(format!("write `{function}(…)`"));
            }
            return self.error(diagnostic);
        }
        if let Some(deeper) = deeper.first() {
            return self.error(Diagnostic::new(
                Code::WrongType,
                deeper.span,
                "a property has no properties of its own",
            ));
        }
        let ty = self.fence_property_type(property)?;
        let name = property.text.clone();
        Some(self.node(&[&typed], ty, span, |ids| Node::FenceProperty(first(ids), name)))
    }

    /// The field of one input; null on events of others.
    pub(super) fn input_field(&mut self, input: usize, field: &Name) -> Option<Typed> {
        let stream = self.rule.stream_of(input)?;
        let ty = match self.rule.streams.field_type(stream, &field.text) {
            Some(ty) => Some(ty),
            None if field.text == "position" => self.rule.streams.position(stream).map(|(_, ty)| ty),
            None => None,
        };
        if ty.is_none() && field.text == "time" {
            return Some(match input == self.input {
                true => self.leaf(Node::Time, Type::Time, field.span),
                false => Typed::constant(Value::Null, Type::Time, field.span),
            });
        }
        if ty.is_none() && !self.rule.streams.is_open(stream) {
            let name = self.rule.streams.name(stream).to_owned();
            return self.unknown_field(field, &[input], &format!("`{name}` has no field `{}`", field.text));
        }
        if input == self.input {
            return self.slot(input, field);
        }
        Some(Typed::constant(Value::Null, ty.unwrap_or(Type::Any), field.span))
    }

    /// A field of the event at hand, by its slot.
    fn slot(&mut self, input: usize, field: &Name) -> Option<Typed> {
        let stream = self.rule.stream_of(input)?;
        let listed = self.rule.streams.field_type(stream, &field.text).is_some();
        let (slot, ty) = match self.rule.streams.position(stream) {
            Some(position) if !listed && field.text == "position" => position,
            _ => self.rule.streams.slot(stream, &field.text)?,
        };
        Some(self.leaf(Node::Field(slot), ty, field.span))
    }

    /// The inputs whose fields bare names mean.
    fn inputs_at_hand(&self) -> Vec<usize> {
        match self.only {
            Some(input) => vec![input],
            None => (0..self.rule.inputs.len()).collect(),
        }
    }

    /// A bare name.
    fn event_name(&mut self, name: &Name) -> Option<Typed> {
        let span = name.span;
        if self.rule.through.is_some() {
            let mut added = super::through::added(self.rule.interpolate.is_some());
            if let Some((_, slot, ty)) = added.find(|(added, ..)| *added == name.text) {
                self.uses.extra = true;
                return Some(self.leaf(Node::Extra(slot), ty, span));
            }
        }
        if let Some(typed) = self.measure_named(name) {
            return typed;
        }
        if let Some((element, ty)) = &self.rule.element
            && *element == name.text
        {
            let ty = *ty;
            if self.in_prev {
                let message = format!("`{}` is one of several of its event: there is no previous one", name.text);
                return self.error(Diagnostic::new(Code::WrongPlace, span, message));
            }
            self.uses.element = true;
            return Some(self.leaf(Node::Extra(Unnest::EXTRA), ty, span));
        }
        let inputs = self.inputs_at_hand();
        if let Some(ty) = self.common_type(name, &inputs)? {
            return self.field_of_any(name, &inputs, ty);
        }
        if name.text == "time" {
            return Some(self.leaf(Node::Time, Type::Time, span));
        }
        let open: Vec<usize> = inputs.iter().copied().filter(|&input| self.is_open(input)).collect();
        if matches!(name.text.as_str(), "fence" | "fences") && (self.fence.is_some() || open.is_empty()) {
            return self.bare_fence(name);
        }
        let key = self.rule.keys.iter().find(|key| key.name == name.text && !self.in_key).map(|key| key.expr);
        if let Some(key) = key {
            self.in_key = true;
            let typed = self.expr(key);
            self.in_key = false;
            return typed.map(|typed| Typed { span, ..typed });
        }
        if !open.is_empty() {
            return self.field_of_any(name, &open, Type::Any);
        }
        if self.rule.variable(&name.text).is_some() {
            return self.bare_variable(name);
        }
        self.unknown_name(name, &inputs)
    }

    fn is_open(&self, input: usize) -> bool {
        self.rule.stream_of(input).is_some_and(|stream| self.rule.streams.is_open(stream))
    }

    /// The type of a bare field over the inputs that list it: the first one's; `None` where none does. Types that don't
    /// go together are reported.
    fn common_type(&mut self, name: &Name, inputs: &[usize]) -> Option<Option<Type>> {
        let mut found: Option<(usize, Type)> = None;
        for &input in inputs {
            let Some(stream) = self.rule.stream_of(input) else { continue };
            let listed = match self.rule.streams.field_type(stream, &name.text) {
                Some(ty) => Some(ty),
                None if name.text == "position" => self.rule.streams.position(stream).map(|(_, ty)| ty),
                None => None,
            };
            let Some(ty) = listed else { continue };
            found = match found {
                None => Some((input, ty)),
                Some((before, known)) => match common(known, ty) {
                    Some(joined) => Some((before, joined)),
                    None => {
                        let called = |input: usize| self.rule.inputs.get(input).map_or("", |input| &input.name);
                        let message = format!(
                            "`{}` is {} in `{}` and {} in `{}`",
                            name.text,
                            named(known),
                            called(before),
                            named(ty),
                            called(input)
                        );
                        let help = format!("say which: `{}.{}`", called(before), name.text);
                        let diagnostic = Diagnostic::new(Code::AmbiguousName, name.span, message).with_help(help);
                        return self.error(diagnostic);
                    }
                },
            };
        }
        Some(found.map(|(_, ty)| ty))
    }

    /// A field that some inputs have, as type `ty`; null on events of the others.
    fn field_of_any(&mut self, name: &Name, inputs: &[usize], ty: Type) -> Option<Typed> {
        let stream = self.rule.stream_of(self.input)?;
        let listed = self.rule.streams.field_type(stream, &name.text).is_some()
            || (name.text == "position" && self.rule.streams.position(stream).is_some());
        if !(inputs.contains(&self.input) && (listed || self.is_open(self.input))) {
            return Some(Typed::constant(Value::Null, ty, name.span));
        }
        let typed = self.slot(self.input, name)?;
        self.coerce(typed, ty).ok()
    }

    /// The position of the event at hand, for functions that take it unasked.
    pub(super) fn position(&mut self, function: &str, span: Span) -> Option<Typed> {
        let name = Name { text: "position".to_owned(), span };
        let known = self.inputs_at_hand().into_iter().any(|input| {
            let stream = self.rule.stream_of(input);
            stream.is_some_and(|stream| {
                self.rule.streams.position(stream).is_some()
                    || self.rule.streams.field_type(stream, "position").is_some()
                    || self.rule.streams.is_open(stream)
            })
        });
        if known {
            // Where a schema names its position otherwise, `position` still means it.
            let stream = self.rule.stream_of(self.input)?;
            return match self.rule.streams.position(stream) {
                Some((slot, ty)) => Some(self.leaf(Node::Field(slot), ty, span)),
                None => self.event_name(&name),
            };
        }
        let streams: Vec<String> = self.rule.inputs.iter().map(|input| format!("`{}`", input.name)).collect();
        self.error(
            Diagnostic::new(
                Code::WrongPlace,
                span,
                format!("`{function}` needs a position, and {} has none", streams.join(", ")),
            )
            .with_help("declare the position in the stream's schema, or measure one `AS position`"),
        )
    }

    fn bare_variable<T>(&mut self, name: &Name) -> Option<T> {
        self.error(
            Diagnostic::new(
                Code::WrongPlace,
                name.span,
                format!("`{}` is a variable of the pattern, not a value", name.text),
            )
            .with_help(format!("name a field of it, `{0}.time`, or count its events, `count({0})`", name.text)),
        )
    }

    fn unknown_name<T>(&mut self, name: &Name, inputs: &[usize]) -> Option<T> {
        let measured = |measure: &Measure| measure.name.text == name.text && measure.name.span != name.span;
        if self.rule.measures.iter().any(measured) {
            return self.error(
                Diagnostic::new(Code::WrongPlace, name.span, format!("`{}` is a measure of this rule itself", name.text))
                    .with_help("measures don't see each other: write again what it is; HAVING and the rules that read this one may name it"),
            );
        }
        let of_match = MATCH_FUNCTIONS.contains(&name.text.to_ascii_lowercase().as_str());
        if of_match || SPECIAL.contains(&name.text.as_str()) || func::find(&name.text).is_some() {
            let call = if of_match || SPECIAL[1..6].contains(&name.text.as_str()) { "()" } else { "(…)" };
            return self.error(
                Diagnostic::new(
                    Code::UnknownField,
                    name.span,
                    format!("there is no field `{}`, but a function of that name", name.text),
                )
                .with_help(format!("functions take parentheses: `{}{call}`", name.text)),
            );
        }
        if let Some(at) = self.rule.lookup(&name.text) {
            self.lookup_path(at, name, &[], name.span);
            return None;
        }
        if self.rule.input(&name.text).is_some() {
            return self.error(
                Diagnostic::new(Code::WrongPlace, name.span, format!("`{}` is a stream, not a value", name.text))
                    .with_help(format!("name a field of it: `{}.…`", name.text)),
            );
        }
        let streams: Vec<String> =
            inputs.iter().filter_map(|&at| Some(format!("`{}`", self.rule.inputs.get(at)?.name))).collect();
        let message = format!("{} has no field `{}`", streams.join(" or "), name.text);
        self.unknown_field(name, inputs, &message)
    }

    fn unknown_field<T>(&mut self, name: &Name, inputs: &[usize], message: &str) -> Option<T> {
        let mut known = Vec::new();
        for &input in inputs {
            if let Some(stream) = self.rule.stream_of(input) {
                known.extend(self.rule.streams.fields(stream));
            }
        }
        let help = match nearest(&name.text, known.iter().map(String::as_str).chain(["time", "position"])) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                let mut met = BTreeSet::new();
                known.retain(|field| met.insert(field.clone()));
                let fields: Vec<String> = known.iter().map(|field| format!("`{field}`")).collect();
                format!("its fields are {}", fields.join(", "))
            }
        };
        let mut diagnostic = Diagnostic::new(Code::UnknownField, name.span, message);
        if !known.is_empty() {
            diagnostic.help = Some(help);
        }
        self.error(diagnostic)
    }

    /// A path in a pattern's measures: a variable's, a component of the key, or the match's last event's.
    fn match_path(&mut self, head: &Name, rest: &[Name], path: &Path) -> Option<Typed> {
        if let Some(var) = self.rule.variable(&head.text).filter(|_| !rest.is_empty()) {
            return self.variable_path(var, head, rest, path.span);
        }
        if rest.is_empty() {
            if let Some(typed) = self.measure_named(head) {
                return typed;
            }
            if let Some(typed) = self.key_component(&head.text, path.span) {
                return Some(typed);
            }
            let last = Var { var: Var::ANY, pick: Pick::Last(0) };
            if head.text == "time" && self.common_type(head, &self.inputs_at_hand())?.is_none() {
                return Some(self.leaf(Node::VarTime(last), Type::Time, path.span));
            }
        }
        let expr = Expr { kind: ExprKind::Path(path.clone()), span: path.span };
        self.retained_last(&expr)
    }

    /// An expression on events, of the match's last event.
    pub(super) fn retained_last(&mut self, expr: &Expr) -> Option<Typed> {
        let key = format!("None||{}", print_expr(expr));
        let (slot, ty) = self.shared(Table::Retained, key, |compiler| compiler.expr(expr))?;
        Some(self.leaf(Node::Var(Var { var: Var::ANY, pick: Pick::Last(0) }, slot), ty, expr.span))
    }

    fn window_path(&mut self, head: &Name, rest: &[Name], path: &Path) -> Option<Typed> {
        if rest.is_empty() {
            if let Some(typed) = self.measure_named(head) {
                return typed;
            }
            match head.text.as_str() {
                "window_start" => return Some(self.leaf(Node::SpanStart, Type::Time, path.span)),
                "window_end" => return Some(self.leaf(Node::SpanEnd, Type::Time, path.span)),
                _ => {}
            }
        }
        let text = print_expr(&Expr { kind: ExprKind::Path(path.clone()), span: path.span });
        if let Some(typed) = self.key_component(&text, path.span) {
            return Some(typed);
        }
        // An unknown name is told as such, not as one that isn't grouped.
        let mut compiler = Compiler::new(self.rule, Site::Event, self.input);
        compiler.event_path(head, rest, path.span)?;
        self.error(
            Diagnostic::new(
                Code::WrongPlace,
                path.span,
                format!("`{text}` differs from event to event of the window, and is no part of the key"),
            )
            .with_label("not grouped")
            .with_help(format!("use an aggregate: `first({text})`, `last({text})`, `max({text})`")),
        )
    }

    /// A component of the key by its name or its text.
    pub(super) fn key_component(&mut self, text: &str, span: Span) -> Option<Typed> {
        let at = self.rule.keys.iter().position(|key| key.text == text || key.name == text)?;
        let ty = self.rule.keys.get(at)?.ty;
        Some(self.leaf(Node::KeyPart(at as u16), ty, span))
    }

    /// In HAVING, a measure by its name: what it says, in its place.
    pub(super) fn measure_named(&mut self, name: &Name) -> Option<Option<Typed>> {
        if !self.having {
            return None;
        }
        let measure = self.rule.measures.iter().find(|measure| measure.name.text == name.text)?;
        self.having = false;
        let typed = self.expr(&measure.expr);
        self.having = true;
        Some(typed.map(|typed| Typed { span: name.span, ..typed }))
    }
}
