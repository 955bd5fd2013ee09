//! Messages made bit by bit, samples that decoders everywhere agree on, and partitions that are cut anywhere.

use super::{AisDecoder, AisMessages};
use crate::{
    model::{Batch, RejectReason, StreamId, Value},
    wire::record::{FieldSource, PositionSource, RecordSchema, SlotSource},
};
use proptest::prelude::*;

const FIXTURE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/formats/ais.nmea"));

/// Every field a slot, in the order of [`AisMessages::fields`].
fn schema(messages: AisMessages) -> RecordSchema {
    let slot = |(name, kind): (&str, _)| {
        SlotSource::Field(FieldSource { name: name.into(), path: name.into(), kind, required: false })
    };
    let position = (messages == AisMessages::Positions).then(PositionSource::default);
    RecordSchema { position, slots: messages.fields().map(slot).collect(), ..RecordSchema::default() }
}

fn decoder(messages: AisMessages) -> AisDecoder {
    AisDecoder::new(&schema(messages), messages)
}

/// The value of a field in each event, or why there is none.
fn decoded(messages: AisMessages, field: &str, lines: &[&str]) -> Vec<Result<Value, RejectReason>> {
    let slot = messages.fields().position(|(name, _)| name == field).unwrap();
    let mut decoder = decoder(messages);
    let mut found = Vec::new();
    for (offset, line) in lines.iter().enumerate() {
        let mut batch = Batch::new(messages.fields().count());
        match decoder.decode(line.as_bytes(), 0, offset as u64, &mut batch) {
            Ok(true) => found.push(Ok(batch.event(StreamId(0), 0).unwrap().values[slot].clone())),
            Ok(false) => {}
            Err(reject) => found.push(Err(reject.reason)),
        }
        found.extend(decoder.take_lost().into_iter().map(|lost| Err(lost.reject.reason)));
    }
    found
}

/// A sentence with its checksum.
fn sentence(body: &str) -> String {
    format!("!{body}*{:02X}", body.bytes().fold(0, |sum, byte| sum ^ byte))
}

fn put(bits: &mut Vec<u8>, number: i64, width: usize) {
    bits.extend((0..width).rev().map(|bit| (number >> bit & 1) as u8));
}

/// Six bits a character.
fn armoured(bits: &[u8]) -> String {
    let six = |chunk: &[u8]| (0..6).fold(0, |number, at| number << 1 | chunk.get(at).copied().unwrap_or(0));
    bits.chunks(6).map(six).map(|value| char::from(if value < 40 { value + 48 } else { value + 56 })).collect()
}

#[test]
fn samples_of_the_protocols_descriptions_are_read_as_there() {
    let position = ["1428451253,!AIVDM,1,1,,B,177KQJ5000G?tO`K>RA1wUbN0TKH,0*5C"];
    let of = |field: &str| decoded(AisMessages::Positions, field, &position).remove(0).unwrap();
    assert_eq!((of("mmsi"), of("status"), of("second")), (Value::Int(477_553_000), Value::Int(5), Value::Int(15)));
    assert_eq!((of("sog"), of("cog"), of("heading")), (0.0.into(), 51.0.into(), 181.0.into()));
    let (Value::Float(lon), Value::Float(lat)) = (of("lon"), of("lat")) else { panic!() };
    assert!((lon + 122.345_832).abs() < 1e-5 && (lat - 47.582_833).abs() < 1e-5, "{lon} {lat}");
    assert_eq!(of("ts"), Value::Time(1_428_451_253_000));
    let voyage = [
        "1428451253,!AIVDM,2,1,1,A,55?MbV02;H;s<HtKR20EHE:0@T4@Dn2222222216L961O5Gf0NSQEp6ClRp8,0*1C",
        "!AIVDM,2,2,1,A,88888888880,2*25",
    ];
    let of = |field: &str| decoded(AisMessages::Static, field, &voyage).remove(0).unwrap();
    assert_eq!(
        (of("mmsi"), of("imo"), of("ship_type")),
        (Value::Int(351_759_000), Value::Int(9_134_270), Value::Int(70))
    );
    assert_eq!((of("callsign"), of("name")), (Value::text("3FOF8"), Value::text("EVER DIADEM")));
    assert_eq!((of("length"), of("beam"), of("draught")), (295.0.into(), 32.0.into(), 12.2.into()));
    assert_eq!((of("destination"), of("eta")), (Value::text("NEW YORK"), Value::text("05-15 14:00")));
}

#[test]
fn times_stand_before_in_and_after_a_sentence_in_seconds_milliseconds_and_words() {
    let bare = sentence("AIVDM,1,1,,B,177KQJ5000G?tO`K>RA1wUbN0TKH,0");
    let lines = [
        format!("1428451253 {bare}"),
        format!("1428451253.25,{bare}"),
        format!("1428451253250;{bare}"),
        format!("2015-04-08T00:00:53.25Z\t{bare}"),
        format!("{bare},b003669710,1428451253"),
        format!("\\s:rx,c:1428451253*{:02X}\\{bare}", "s:rx,c:1428451253".bytes().fold(0, |sum, byte| sum ^ byte)),
        bare.clone(),
        format!("yesterday,{bare}"),
        format!("\\c:1428451253*00\\{bare}"),
        bare.replace(",0*", ",1*"),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let (whole, parts) = (Value::Time(1_428_451_253_000), Value::Time(1_428_451_253_250));
    let expected = [
        Ok(whole.clone()),
        Ok(parts.clone()),
        Ok(parts.clone()),
        Ok(parts),
        Ok(whole.clone()),
        Ok(whole),
        Err(RejectReason::MissingTime),
        Err(RejectReason::BadTime),
        Err(RejectReason::Syntax),
        Err(RejectReason::Syntax),
    ];
    assert_eq!(decoded(AisMessages::Positions, "ts", &lines), expected);
}

#[test]
fn parts_without_the_others_are_told_of_and_never_made_into_a_message() {
    let part = |number: u32, text: &str| sentence(&format!("AIVDM,3,{number},7,A,{text},0"));
    let (one, two, three) = (part(1, "55?MbV02;H"), part(2, "s<HtKR20EHE:0"), part(3, "@T4"));
    let said = |lines: &[&str]| decoded(AisMessages::Static, "mmsi", lines);
    let incomplete = || Err(RejectReason::Incomplete);
    assert_eq!(said(&[&two]), [incomplete()]);
    assert_eq!(said(&[&one, &three]), [incomplete(), incomplete()]);
    assert_eq!(said(&[&one, &one, &two]), [incomplete()]);
    // The rest never comes.
    let other = "1428451253,!AIVDM,1,1,,B,177KQJ5000G?tO`K>RA1wUbN0TKH,0*5C";
    let mut lines = vec![one.as_str()];
    lines.extend([other; 256]);
    assert_eq!(said(&lines), []);
    lines.push(other);
    assert_eq!(said(&lines), [incomplete()]);
    let mut decoder = decoder(AisMessages::Static);
    assert!(!decoder.decode(one.as_bytes(), 0, 4, &mut Batch::new(30)).unwrap());
    decoder.end();
    let lost = decoder.take_lost();
    assert_eq!((lost.len(), lost[0].offset, lost[0].record.as_slice()), (1, 4, one.as_bytes()));
    assert!(decoder.open().is_empty());
}

/// All events and rejects of the fixture, with a cut before a line: another decoder goes on.
fn played(messages: AisMessages, cut: usize, changed: &[(usize, usize)]) -> Vec<String> {
    let mut lines: Vec<&str> = FIXTURE.lines().collect();
    for (from, to) in changed {
        let (from, to) = (from % lines.len(), to % lines.len());
        lines.swap(from, to);
    }
    let mut decoder = decoder(messages);
    let mut said = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if at == cut {
            let open = decoder.open();
            decoder = self::decoder(messages);
            decoder.go_on(&open).unwrap();
            assert_eq!(decoder.open(), open);
        }
        let mut batch = Batch::new(messages.fields().count());
        match decoder.decode(line.as_bytes(), 0, at as u64, &mut batch) {
            Ok(true) => said.push(format!("{:?}", batch.event(StreamId(0), 0))),
            Ok(false) => {}
            Err(reject) => said.push(format!("{at} {reject:?}")),
        }
        said.extend(decoder.take_lost().into_iter().map(|lost| format!("{lost:?}")));
    }
    said
}

proptest! {
    #[test]
    fn what_a_position_report_is_made_of_comes_out_of_it(
        mmsi in 0u32..1_000_000_000, lon in -180.0..=180.0f64, lat in -90.0..=90.0f64, sog in 0u32..=1_023, cog in 0u32..4_096,
        rot in -128i64..128, class_b: bool,
    ) {
        let mut bits = Vec::new();
        let (lon, lat) = ((lon * 600_000.0).round(), (lat * 600_000.0).round());
        let head = if class_b { [(18, 6), (0, 2), (i64::from(mmsi), 30), (0, 8)] } else { [(1, 6), (0, 2), (i64::from(mmsi), 30), (0, 4)] };
        head.into_iter().for_each(|(number, width)| put(&mut bits, number, width));
        if !class_b {
            put(&mut bits, rot, 8);
        }
        for (number, width) in [(i64::from(sog), 10), (1, 1), (lon as i64, 28), (lat as i64, 27), (i64::from(cog), 12), (511, 9), (60, 6)] {
            put(&mut bits, number, width);
        }
        bits.resize(168, 0);
        let line = format!("7,{}", sentence(&format!("AIVDM,1,1,,A,{},0", armoured(&bits))));
        let of = |field: &str| decoded(AisMessages::Positions, field, &[&line]).remove(0).unwrap();
        prop_assert_eq!(of("mmsi"), Value::Int(mmsi.into()));
        prop_assert_eq!((of("lon"), of("lat")), ((lon / 600_000.0).into(), (lat / 600_000.0).into()));
        let expected = if sog == 1_023 { Value::Null } else { (f64::from(sog) / 10.0).into() };
        prop_assert_eq!(of("sog"), expected);
        let expected = if cog >= 3_600 { Value::Null } else { (f64::from(cog) / 10.0).into() };
        prop_assert_eq!(of("cog"), expected);
        prop_assert_eq!((of("heading"), of("second"), of("accurate")), (Value::Null, Value::Null, Value::Bool(true)));
        match of("rot") {
            Value::Null => prop_assert!(class_b || rot.abs() >= 127),
            Value::Float(turn) => prop_assert!(turn.abs() <= 720.0 / 60.0 && (turn < 0.0) == (rot < 0)),
            other => prop_assert!(false, "{other:?}"),
        }
    }

    #[test]
    fn another_decoder_goes_on_wherever_a_partition_is_cut(
        cut in 0usize..30, changed in prop::collection::vec((0usize..30, 0usize..30), 0..8), voyages: bool,
    ) {
        let messages = if voyages { AisMessages::Static } else { AisMessages::Positions };
        prop_assert_eq!(played(messages, cut, &changed), played(messages, usize::MAX, &changed));
    }

    #[test]
    fn broken_parts_are_an_error_and_never_a_panic(
        garbage in prop::collection::vec(any::<u8>(), 0..60), at in 0.0..1.0, byte in any::<u8>(),
    ) {
        let mut decoder = decoder(AisMessages::Static);
        let _ = decoder.go_on(&garbage);
        decoder.go_on(&[]).unwrap();
        let first = FIXTURE.lines().next().unwrap();
        let _ = decoder.decode(first.as_bytes(), 0, 0, &mut Batch::new(30));
        let mut open = decoder.open();
        prop_assert!(!open.is_empty());
        let place = (at * open.len() as f64) as usize;
        prop_assert!(decoder.go_on(&open[..place]).is_err() || place == 0);
        open[place] = byte;
        let _ = decoder.go_on(&open);
    }
}
