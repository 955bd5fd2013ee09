use super::*;
use crate::wire::{
    FieldKind, FieldSource, PositionSource, RecordSchema, SlotSource, TimeSource, TimeUnit, json::JsonDecoder,
};
use proptest::prelude::*;

fn decoder() -> JsonDecoder {
    let kinds = [("a", FieldKind::Any), ("b", FieldKind::Point), ("c", FieldKind::Time(TimeUnit::Auto))];
    let field = |(name, kind): (&str, FieldKind)| {
        SlotSource::Field(FieldSource { name: name.into(), path: name.into(), kind, required: false })
    };
    JsonDecoder::new(&RecordSchema {
        time: TimeSource::default(),
        position: Some(PositionSource::default()),
        slots: kinds.into_iter().map(field).collect(),
        checks: Vec::new(),
    })
}

/// What the scanner makes of a record, if it takes it.
fn glance(decoder: &mut JsonDecoder, text: &str) -> Option<Vec<Raw>> {
    decoder.glance(text)
}

#[test]
fn flat_records_are_taken_whatever_the_order_of_their_keys() {
    let mut decoder = decoder();
    for text in [
        "{}",
        " { } ",
        r#"{"ts":1,"lon":-58.597883,"lat":0.5,"a":"x","other":"é\u007f","b":null}"#.replace("\\u007f", "\u{7f}").as_str(),
        r#"{"ts":1,"lat":1,"lon":2,"a":true}"#,
        r#"{ "a" : -0.0 , "a" : 999999999999999999,"c":"2026-01-01T00:00:00Z" }"#,
        r#"{"c":"2026-13-01","ts":-12.25}"#,
        r#"{"a":1e5,"lon":-73.98201751708984375,"lat":-0.0E-3,"ts":9007199254740993.5,"x":0e+0}"#,
    ] {
        let found = glance(&mut decoder, text).expect(text);
        let parsed = decoder.parsed(text).expect(text);
        assert_eq!(format!("{found:?}"), format!("{parsed:?}"), "{text}");
    }
}

#[test]
fn what_is_not_flat_or_not_sure_is_left_to_the_parser() {
    let mut decoder = decoder();
    for text in [
        "",
        "{",
        "[]",
        "{}}",
        "{,}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{"a":1 "b":2}"#,
        r#"{"a":[1]}"#,
        r#"{"x":{}}"#,
        r#"{"a":"\n"}"#,
        "{\"a\":\"\n\"}",
        r#"{"\u0061":1}"#,
        r#"{"a":01}"#,
        r#"{"a":-}"#,
        r#"{"a":1.}"#,
        r#"{"a":.5}"#,
        r#"{"a":1e}"#,
        r#"{"a":1e+}"#,
        r#"{"a":1e999}"#,
        r#"{"a":1.e5}"#,
        r#"{"a":-0}"#,
        r#"{"a":1234567890123456789}"#,
        r#"{"a":tru}"#,
        r#"{"a":nullx}"#,
        "{} x",
    ] {
        assert_eq!(glance(&mut decoder, text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn what_the_scanner_takes_is_what_the_parser_reads(
        texts in prop::collection::vec(
            r#" ?\{("(ts|lon|a|b|c|x|é)" ?: ?(-?[0-9]{1,19}(\.[0-9]{0,18})?|[0-9.eE+-]{1,5}|"[a-zé\\"]{0,3}"|\{\}|null|true|false),? ?){0,5}\} ?"#,
            1..4,
        ),
    ) {
        let mut decoder = decoder();
        for text in &texts {
            if let Some(found) = glance(&mut decoder, text) {
                let parsed = decoder.parsed(text);
                prop_assert!(parsed.is_ok(), "{text}: {parsed:?}");
                // As text, since minus zero equals zero.
                prop_assert_eq!(format!("{found:?}"), format!("{:?}", parsed.unwrap()), "{}", text);
            }
        }
    }

    #[test]
    fn the_short_ways_read_what_the_long_ways_read(number in "-?[0-9]{0,20}(\\.{1,2}[0-9]{0,10})?[eE]?", tail in "[,}.:/0-9]{0,3}", room in 0usize..24) {
        let text = format!("{number}{tail}{}", &" ,\"next\":0123456789abcdef"[..room]);
        let text = text.as_bytes();
        if let Some((number, rest)) = decimal(text) {
            prop_assert_eq!(format!("{:?}", scalar(text)), format!("{:?}", Some((Scalar::Float(number), rest))));
        }
        if let Some((number, rest)) = whole(text) {
            prop_assert_eq!(scalar(text), Some((Scalar::Int(number), rest)));
        }
        if let Some(rest) = skip_short(text) {
            prop_assert_eq!(skip_any(text), Some(rest));
        }
    }

    #[test]
    fn usual_numbers_are_read_the_short_way(degrees in 0u32..180_000_000, places in 1usize..9, ts in 10_000_000u64..1 << 49, whole in 0u32..1_000) {
        let text = format!("-{:.places$}, and what comes next", f64::from(degrees) / 1e6);
        prop_assert!(decimal(text.as_bytes()).is_some(), "{}", text);
        let (text, short) = (format!("{ts},\"and what comes next"), format!("{whole}.5,     "));
        prop_assert_eq!(super::whole(text.as_bytes()).map(|(number, _)| number as u64), Some(ts));
        prop_assert_eq!(skip_short(short.as_bytes()), Some(&b",     "[..]));
    }

    #[test]
    fn decimals_are_the_nearest_floats(whole in 0u64..1 << 40, fraction in "[0-9]{1,9}", negative: bool) {
        let text = format!("{}{whole}.{fraction}", if negative { "-" } else { "" });
        let mut decoder = decoder();
        let found = glance(&mut decoder, &format!("{{\"a\":{text}}}"));
        if let Some(cells) = found {
            let a = decoder.cell_of("a");
            prop_assert_eq!(&cells[a], &Raw::Float(text.parse().unwrap()));
        }
    }
}
