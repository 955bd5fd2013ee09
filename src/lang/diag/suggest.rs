//! "Did you mean …?"

use strsim::damerau_levenshtein;

/// The candidate that `name` is most likely a misspelling of, or none that is near enough.
///
/// Near enough is one slip (a letter wrong, missing, added, or two swapped) for names of up to five letters, two up to
/// nine, three beyond; names of one or two letters have no near ones. Case counts for nothing. Of equally near ones the
/// first in the order of the alphabet is taken, so that the answer doesn't depend on the candidates' order.
/// Cost: the product of the lengths, per candidate; longer names than 64 letters have no near ones.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    let letters = wanted.chars().count();
    let slips = match letters {
        0..=2 => 0,
        3..=5 => 1,
        6..=9 => 2,
        10..=64 => 3,
        _ => return None,
    };
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        if candidate == name || candidate.chars().count().abs_diff(letters) > slips {
            continue;
        }
        let distance = damerau_levenshtein(&wanted, &candidate.to_lowercase());
        if distance <= slips && best.is_none_or(|found| (distance, candidate) < found) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slip_is_forgiven_in_a_short_name() {
        assert_eq!(nearest("sped", ["heading", "speed"]), Some("speed"));
        assert_eq!(nearest("pnigs", ["pings", "orders"]), Some("pings"));
        assert_eq!(nearest("Speed", ["speed"]), Some("speed"));
    }

    #[test]
    fn a_far_name_is_not_suggested() {
        assert_eq!(nearest("speed", ["heading", "draught"]), None);
        assert_eq!(nearest("b", ["a"]), None);
        assert_eq!(nearest("speed", ["speed"]), None);
    }

    #[test]
    fn the_order_of_the_candidates_does_not_matter() {
        assert_eq!(nearest("pins", ["pings", "pint"]), nearest("pins", ["pint", "pings"]));
    }
}
