//! A reference's parameters in a rule file's text.

/// The number that follows `words`, as it is written.
pub(super) fn number_after<'a>(text: &'a str, words: &str) -> Option<&'a str> {
    let rest = text.split_once(words)?.1;
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    rest.get(..end).map(|number| number.trim_end_matches('.')).filter(|number| !number.is_empty())
}

/// The first span in the text, as rules write it: "more than 30 minutes" has `30 min`.
pub(super) fn span_in(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c == '-').collect();
    words.windows(2).find_map(|pair| {
        let [number, unit] = pair else { return None };
        let unit = match unit.trim_end_matches(['s', ',', '.']) {
            "second" => "s",
            "minute" | "min" => "min",
            "hour" => "h",
            "day" => "d",
            _ => return None,
        };
        number.parse::<f64>().ok().map(|_| format!("{number} {unit}"))
    })
}

/// The text with another parameter.
///
/// # Errors
/// When the parameter isn't there: somebody changed the rule file.
pub(super) fn replace(text: &str, from: &str, to: &str) -> Result<String, String> {
    if text.contains(from) { Ok(text.replace(from, to)) } else { Err(format!("the rule file has no `{from}`")) }
}

/// The same for several.
pub(super) fn replace_all(text: &str, pairs: &[(&str, &str)]) -> Result<String, String> {
    pairs.iter().try_fold(text.to_owned(), |text, (from, to)| replace(&text, from, to))
}
