//! `${NAME}` in texts becomes the environment variable's value; `$$` is a dollar sign.

use super::ConfigError;
use serde_yaml::Value;

/// Expands every text of the tree. What a variable holds stays a text, whatever it looks like, and is not expanded again.
pub(super) fn expand(
    tree: &mut Value,
    path: &str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<(), ConfigError> {
    let inner = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match tree {
        Value::String(text) if text.contains('$') => *text = expand_text(text, path, variable)?,
        Value::Sequence(items) => {
            for (at, item) in items.iter_mut().enumerate() {
                expand(item, &inner(&at.to_string()), variable)?;
            }
        }
        Value::Mapping(map) => {
            for (key, value) in map.iter_mut() {
                expand(value, &inner(key.as_str().unwrap_or("?")), variable)?;
            }
        }
        Value::Tagged(tagged) => expand(&mut tagged.value, path, variable)?,
        _ => {}
    }
    Ok(())
}

fn expand_text(text: &str, path: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, ConfigError> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        rest = if let Some(after) = after.strip_prefix('$') {
            expanded.push('$');
            after
        } else if let Some((name, after)) = after.strip_prefix('{').and_then(|after| after.split_once('}')) {
            let value = variable(name);
            let missing = || ConfigError::Environment { path: path.to_owned(), name: name.to_owned() };
            expanded.push_str(&value.ok_or_else(missing)?);
            after
        } else {
            let expected = "`${NAME}`, or `$$` for a dollar sign".to_owned();
            return Err(ConfigError::Value { path: path.to_owned(), found: format!("`{text}`"), expected });
        };
    }
    expanded.push_str(rest);
    Ok(expanded)
}
