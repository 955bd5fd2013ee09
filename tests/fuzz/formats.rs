//! AIS, and files that are one document.

use super::{
    config, schema, try_records,
    words::{change, changed},
};
use geocep::model::Batch;
use geocep::wire::{AisMessages, Chunk, Decoder, Document, Format, document::expand};
use proptest::{prelude::*, sample::Index};

const AIS_WORDS: &[&str] = &[
    "!AIVDM,2,1,3,B,",
    "!AIVDM,2,2,3,B,",
    "*00",
    "\\c:1772431200*46\\",
    "\\",
    ",",
    "1772431200,",
    "\n",
    "$",
    "wwww",
    "@",
    "g:1-2-3",
];

const GEO_WORDS: &[&str] = &[
    "\u{1e}",
    "{",
    "}",
    "[",
    "]",
    "\"",
    ",",
    "\n",
    "\"type\":\"Feature\"",
    "\"datetimes\":[",
    "1e999",
    "null",
    "\"temporalGeometry\":{\"type\":\"MovingPoint\"",
    "\"temporalProperties\":[{",
    "\"interpolation\":\"Step\"",
    "\"features\":",
];

const XML_WORDS: &[&str] = &[
    "<trkpt lat=\"1\" lon=\"2\">",
    "</trkpt>",
    "<time>",
    "</time>",
    "<",
    ">",
    "&amp;",
    "&#x0;",
    "&",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<!DOCTYPE x [<!ENTITY y \"z\">]>",
    "<?",
    "?>",
    "<trk>",
    "</trk>",
    "\"",
    "lat='91'",
    "xmlns:a=''",
];

fn try_document(document: Document, bytes: &[u8]) {
    let mut chunk = Chunk::new();
    expand(document, bytes, 0, 4_096, &mut chunk);
    let schema = schema();
    let mut decoder = Decoder::new(&schema, Format::Document(document));
    let mut batch = Batch::new(schema.slots.len());
    for record in chunk.records() {
        let before = batch.len();
        let events = usize::from(decoder.decode(&record, &mut batch).unwrap_or(false));
        assert_eq!(batch.len(), before + events);
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn sentences_are_events_or_rejected(
        changes in proptest::collection::vec(change(AIS_WORDS), 0..10),
        random in proptest::collection::vec(any::<u8>(), 0..300),
        cut in any::<Index>(),
    ) {
        let seed = include_bytes!("../../fixtures/formats/ais.nmea");
        for bytes in [changed(seed, &changes), random] {
            for messages in [AisMessages::Positions, AisMessages::Static] {
                try_records(&bytes, Format::Ais(messages), cut.index(bytes.len() + 1));
            }
        }
    }

    #[test]
    fn features_of_a_sequence_are_events_or_rejected(
        changes in proptest::collection::vec(change(GEO_WORDS), 0..10),
        random in proptest::collection::vec(any::<u8>(), 0..300),
        cut in any::<Index>(),
    ) {
        let seed = include_bytes!("../../fixtures/formats/points.geojsonseq");
        for bytes in [changed(seed, &changes), random] {
            try_records(&bytes, Format::GeoJson, cut.index(bytes.len() + 1));
        }
    }

    #[test]
    fn documents_are_records_or_faults(
        geo in proptest::collection::vec(change(GEO_WORDS), 0..6),
        xml in proptest::collection::vec(change(XML_WORDS), 0..6),
        random in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let moving = include_bytes!("../../fixtures/formats/moving.mfjson");
        let points = include_bytes!("../../fixtures/formats/points.geojson");
        let rides = include_bytes!("../../fixtures/formats/rides.gpx");
        try_document(Document::MovingFeatures, &changed(moving, &geo));
        try_document(Document::Features, &changed(points, &geo));
        try_document(Document::Gpx, &changed(rides, &xml));
        for document in [Document::MovingFeatures, Document::Features, Document::Gpx] {
            try_document(document, &random);
        }
    }
}
