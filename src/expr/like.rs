//! SQL LIKE.

/// SQL LIKE in time linear in the product of both lengths at worst: on a mismatch only the last `%` is tried again.
pub(super) fn like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    let (mut at, mut in_pattern) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while at < text.len() {
        let (wanted, width) = match pattern.get(in_pattern) {
            Some('\\') => (pattern.get(in_pattern + 1), 2),
            other => (other, 1),
        };
        let literal = width == 2;
        match wanted {
            Some('%') if !literal => {
                retry = Some((at, in_pattern + 1));
                in_pattern += 1;
                continue;
            }
            Some('_') if !literal => {}
            Some(wanted) if text.get(at) == Some(wanted) => {}
            _ => {
                let Some((from, after)) = retry else { return false };
                retry = Some((from + 1, after));
                (at, in_pattern) = (from + 1, after);
                continue;
            }
        }
        at += 1;
        in_pattern += width;
    }
    pattern.get(in_pattern..).is_none_or(|rest| rest.iter().all(|&c| c == '%'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_follows_sql() {
        for (text, pattern, expected) in [
            ("harbour", "har%", true),
            ("harbour", "%bou_", true),
            ("harbour", "h_r", false),
            ("100%", "100\\%", true),
            ("100x", "100\\%", false),
            ("", "%", true),
            ("", "_", false),
            ("aaab", "%aab", true),
            ("é", "_", true),
        ] {
            assert_eq!(like(text, pattern), expected, "{text} LIKE {pattern}");
        }
    }
}
