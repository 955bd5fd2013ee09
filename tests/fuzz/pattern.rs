//! Pattern rules as text: mostly in order, of every construct.

use proptest::prelude::*;

/// A condition of a pattern variable, on variables that are there or not.
fn condition() -> impl Strategy<Value = String> {
    let term = proptest::sample::select(
        &[
            "TRUE",
            "speed > 40 km/h",
            "speed < 20 km/h",
            "speed > prev(speed)",
            "speed >= a.speed",
            "speed < avg(b.speed)",
            "count(b) < 3",
            "gap() > 5 s",
            "speed() > 100 km/h",
            "distance(position, a.position) > 1000 km",
            "prev(speed) IS NULL",
            "time - a.time > 10 s",
            "last(b.speed) < speed",
            "h3(position, 2) = h3(a.position, 2)",
            "max(c.speed) > 50 km/h",
            "speed BETWEEN 10 km/h AND 60 km/h",
            "heading() < 90 deg",
            "id IN ('v0', 'v1')",
            "coalesce(first(b.speed, 1), speed) > 3 km/h",
        ][..],
    );
    (term.clone(), proptest::option::of((proptest::sample::select(&["AND", "OR", "AND NOT"][..]), term))).prop_map(
        |(one, other)| match other {
            Some((word, other)) => format!("{one} {word} {other}"),
            None => one.to_owned(),
        },
    )
}

/// A pattern rule that is mostly in order.
pub(crate) fn pattern_rule() -> impl Strategy<Value = String> {
    let quantifier = proptest::sample::select(
        &[
            "",
            "",
            "",
            "+",
            "*",
            "?",
            "{2}",
            "{1,3}",
            "{2,}",
            "+?",
            "+ STRICT",
            "+ ANY",
            "+ EACH",
            "{2,4} STRICT",
            "*?",
            "{2} WITHIN 20 s",
        ][..],
    );
    let joint = proptest::sample::select(&[" -> ", " -> ", " ", " ->> "][..]);
    let form =
        proptest::sample::select(&["{}", "{}", "{}", "{}", "({} -> x)", "({} | y)", "({} & y)", "({} -> x)+"][..]);
    let steps =
        proptest::collection::vec((joint, form, quantifier, prop_oneof![6 => Just(""), 1 => Just("!n -> ")]), 1..5);
    let skip = proptest::sample::select(
        &[
            "",
            "AFTER MATCH NO SKIP",
            "AFTER MATCH SKIP TO NEXT ROW",
            "AFTER MATCH SKIP PAST LAST ROW",
            "AFTER MATCH SKIP TO FIRST a",
            "AFTER MATCH SKIP TO LAST a",
        ][..],
    );
    let end = proptest::sample::select(&["", "", "", " -> !z FOR 15 s", " !z"][..]);
    let measures = proptest::sample::select(
        &[
            "",
            "MEASURES count(a) AS n",
            "MEASURES avg(a.speed) AS mean, last(a.time) - first(a.time) AS span",
            "MEASURES path_length(a) AS way",
            "MEASURES first(a.position) AS begin, max(a.speed) AS top, distinct(a.speed) AS values",
        ][..],
    );
    (steps, skip, end, measures, any::<bool>(), 1..400u32, proptest::collection::vec(condition(), 7)).prop_map(
        |(steps, skip, end, measures, timeout, within, conditions)| {
            let mut pattern = String::new();
            for (at, (joint, form, quantifier, not)) in steps.iter().enumerate() {
                if at > 0 {
                    pattern.push_str(joint);
                    pattern.push_str(if *joint == " -> " { not } else { "" });
                }
                let variable = ["a", "b", "c", "d"][at];
                pattern.push_str(&form.replace("{}", &format!("{variable}{quantifier}")).replace(['x', 'y'], &format!("{variable}2")));
            }
            pattern.push_str(end);
            let named = |name: &&str| pattern.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == *name);
            let names = ["a", "b", "c", "d", "n", "z", "a2", "b2", "c2", "d2"];
            let defines: Vec<String> = names
                .iter()
                .filter(|name| named(name))
                .zip(conditions.iter().cycle())
                .map(|(name, condition)| format!("{name} AS {condition}"))
                .collect();
            let timeout = if timeout { "ON TIMEOUT" } else { "" };
            let defines = defines.join(", ");
            format!(
                "FROM pings PARTITION BY id PATTERN {pattern} WITHIN {within} s DEFINE {defines} {measures} {skip} {timeout}"
            )
        },
    )
}
