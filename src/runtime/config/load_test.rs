use super::super::*;
use super::*;
use crate::{
    engine::{Limits, Policy},
    io::receiver::AlertmanagerOptions,
    model::{Field, Schema, Type, Unit},
    wire::{Format, SlotSource, TimeUnit},
};
use proptest::prelude::*;

fn parse(text: &str, overrides: &[&str]) -> Result<Config, String> {
    let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
    let variable = |name: &str| (name == "SECRET").then(|| "a:1 # b".to_owned());
    Config::parse(text, Path::new("/etc/geocep"), &overrides, &variable).map_err(|error| error.to_string())
}

const FULL: &str = "
schemas:
  ais:
    time: { field: t, unit: s }
    position: { lon: x, lat: y }
    id: msg
    strict: true
    fields:
      mmsi: int
      speed: { type: float, unit: kn, field: sog }
      waited: { type: duration, unit: min, required: true }
sources:
  pings:
    schema: ais
    file: { path: data/pings.csv.gz, format: csv, follow: true, start: end, poll: 1 s }
    disorder: 10 s
    idle_timeout: never
    record_bytes_max: 64 KiB
  orders:
    schema: { position: none, time: { unit: rfc3339 } }
    kafka: { brokers: '${SECRET}', topic: o$$rders, start: latest, options: { a.b: 3, c: true } }
  raw: { stdin: }
geofences:
  airports: fences/airports.geojson
  zones: { path: /abs/zones, id: code, lenient: true }
rules: [rules, more/*.yaml]
sinks:
  alerts: [stdout, { file: { path: out/alerts.ndjson, rotate: 100 MB, keep: 3 } }, { kafka: { brokers: b, topic: t } }]
  late: late.ndjson
  dead_letter: { file: dead.ndjson }
api: { listen: '0.0.0.0:9000', enabled: false }
engine: { shards: 2, seed: 7, key_groups: 64 }
reload: { watch: 5 s, drain: 2 h }
";

#[test]
fn every_key_is_read() {
    let config = parse(FULL, &[]).unwrap();
    let pings = &config.sources["pings"];
    assert_eq!((pings.disorder_ms, pings.idle_timeout_ms, pings.record_bytes_max), (10_000, None, 65_536));
    let Input::File(file) = &pings.input else { panic!() };
    let path = PathBuf::from("/etc/geocep/data/pings.csv.gz");
    let start = TailStart::End;
    assert_eq!(*file, FileInput { path, format: Some(Format::CSV), follow: true, start, poll_ms: 1_000 });
    let orders = &config.sources["orders"];
    assert_eq!(
        (&orders.schema.position, orders.schema.time.unit, orders.schema.open),
        (&None, TimeUnit::Rfc3339, true)
    );
    let Input::Kafka(kafka) = &orders.input else { panic!() };
    assert_eq!((kafka.brokers.as_str(), kafka.topic.as_str(), kafka.group.as_str()), ("a:1 # b", "o$rders", "geocep"));
    assert_eq!((kafka.start, kafka.options["a.b"].as_str()), (KafkaStart::Latest, "3"));
    assert_eq!(config.sources["raw"].input, Input::Stdin { format: None });
    assert_eq!(config.sources["raw"].idle_timeout_ms, Some(30_000));
    assert_eq!(config.geofences["zones"].path, PathBuf::from("/abs/zones"));
    assert_eq!(config.rules, [PathBuf::from("/etc/geocep/rules"), PathBuf::from("/etc/geocep/more/*.yaml")]);
    assert_eq!(config.sinks.alerts.len(), 3);
    let Some(AlertSinkConfig::File(file)) = config.sinks.alerts.get(1) else { panic!() };
    assert_eq!((file.rotate_bytes, file.keep), (Some(100_000_000), 3));
    assert_eq!(config.sinks.late.unwrap().path, PathBuf::from("/etc/geocep/late.ndjson"));
    assert_eq!(config.sinks.dead_letter.unwrap().path, PathBuf::from("/etc/geocep/dead.ndjson"));
    assert_eq!(config.api.listen.port(), 9000);
    assert_eq!(config.engine, EngineConfig { shards: Some(2), seed: 7, key_groups: 64 });
}

#[test]
fn without_a_file_the_defaults_hold() {
    let here = Config::parse("", Path::new(""), &[], &|_| None).unwrap();
    assert_eq!(here, Config::embedded());
    // State is beside the file that says so, or says nothing.
    assert_eq!(parse("", &[]).unwrap().state.dir, PathBuf::from("/etc/geocep/geocep-state"));
    assert_eq!(Config::embedded().sinks.alerts, [AlertSinkConfig::Stdout]);
    assert_eq!(Config::embedded().api.listen.to_string(), "127.0.0.1:8080");
}

#[test]
fn what_is_set_at_start_wins_over_the_file() {
    let config = parse(
        FULL,
        &[
            "sources.orders.kafka.brokers=other:9092",
            "engine.shards=5",
            "sinks.alerts.1.file.path=x",
            "sinks.late=",
            "sources.new.file=a=b.csv",
        ],
    )
    .unwrap();
    let Input::Kafka(kafka) = &config.sources["orders"].input else { panic!() };
    assert_eq!((kafka.brokers.as_str(), config.engine.shards), ("other:9092", Some(5)));
    assert_eq!((config.reload.watch_ms, config.reload.drain_ms), (Some(5_000), 7_200_000));
    let never = parse("reload: { watch: never }", &[]).unwrap();
    assert_eq!((never.reload.watch_ms, Config::default().reload.watch_ms), (None, Some(1_000)));
    let Some(AlertSinkConfig::File(file)) = config.sinks.alerts.get(1) else { panic!() };
    assert_eq!((file.path.as_path(), config.sinks.late), (Path::new("/etc/geocep/x"), None));
    assert!(matches!(&config.sources["new"].input, Input::File(file) if file.path.ends_with("a=b.csv")));
    for (text, why) in [
        ("engine", "`--set engine`: expected KEY=VALUE"),
        ("engine..seed=1", "`--set engine..seed=1`: a key is empty"),
        ("sinks.alerts.9=stdout", "`--set sinks.alerts.9=stdout`: `9` is no place in a list of 3"),
        ("engine.sed=1", "`engine.sed` is no known key; did you mean `seed`?"),
    ] {
        assert_eq!(parse(FULL, &[text]).unwrap_err(), why);
    }
}

#[test]
fn a_mistake_is_told_with_its_path_and_what_was_expected() {
    for (text, why) in [
        ("sorces: {}", "`sorces` is no known key; did you mean `sources`?"),
        (
            "sources: { a: { stdin: {}, disordr: 3 s } }",
            "`sources.a.disordr` is no known key; did you mean `disorder`?",
        ),
        (
            "sources: { a: {} }",
            "`sources.a` is a mapping, expected a source with one of `file`, `stdin`, `kafka`, `http`, `mqtt`",
        ),
        (
            "sources: { a: { stdin: {}, file: x } }",
            "`sources.a` is a mapping, expected a source with one of `file`, `stdin`, `kafka`, `http`, `mqtt`",
        ),
        ("sources: { a: { kafka: { topic: t } } }", "`sources.a.kafka.brokers` is missing"),
        ("sources: { a: { stdin: {}, schema: no } }", "`sources.a.schema` is `no`, expected one of the schemas "),
        (
            "sources: { a: { stdin: {}, disorder: 10 } }",
            "`sources.a.disorder` is `10`, expected a duration such as `250 ms`, `10 s`, `5 min`, `2 h` or `1 d`",
        ),
        (
            "schemas: { s: { fields: { v: flaot } } }",
            "`schemas.s.fields.v` is `flaot`, expected a type: any, bool, int, float, string, time, duration, length, speed, angle, area, point, cell, list (did you mean `float`?)",
        ),
        (
            "schemas: { s: { fields: { v: { type: speed, unit: m } } } }",
            "`schemas.s.fields.v.unit` is `m`, expected a unit of speed: m/s, km/h, mph, kn, fpm",
        ),
        (
            "schemas: { s: { fields: { v: { type: string, unit: m } } } }",
            "`schemas.s.fields.v.unit` is `m`, expected no unit: a field of type `string` has none",
        ),
        (
            "schemas: { s: { time: { unit: h } } }",
            "`schemas.s.time.unit` is `h`, expected one of `auto`, `ms`, `s`, `us`, `rfc3339`",
        ),
        ("reload: { watch: 1 ms }", "`reload.watch` is `1 ms`, expected a duration from 10 ms to 1 h, or `never`"),
        ("engine: { shards: 0 }", "`engine.shards` is `0`, expected a whole number from 1 to 1024"),
        ("rules: [{}]", "`rules.0` is a mapping, expected a text"),
        ("[1]", "`the file` is a list, expected a mapping"),
        ("api: { listen: '${NOPE}' }", "`api.listen` needs the environment variable `NOPE`, which is not set"),
        ("api: { listen: 'a$b' }", "`api.listen` is `a$b`, expected `${NAME}`, or `$$` for a dollar sign"),
        (
            "api: { listen: localhost }",
            "`api.listen` is `localhost`, expected an address and port such as `127.0.0.1:8080`",
        ),
    ] {
        assert_eq!(parse(text, &[]).unwrap_err(), why, "{text}");
    }
    assert!(parse("a: [", &[]).unwrap_err().contains("line "));
    assert!(parse("api: {}\napi: {}", &[]).unwrap_err().contains("duplicate"));
}

#[test]
fn a_schema_tells_the_check_what_there_is_and_the_decoder_where() {
    let config = parse(FULL, &[]).unwrap();
    let schema = &config.sources["pings"].schema;
    let catalog = schema.catalog();
    let fields: Vec<_> = catalog.fields.iter().map(|field| (field.name.as_str(), field.ty)).collect();
    let expected = [
        ("mmsi", Type::Int),
        ("speed", Type::Quantity(Unit::Knot)),
        ("waited", Type::Duration),
        ("msg", Type::Any),
        ("x", Type::Float),
        ("y", Type::Float),
        ("position", Type::Point),
    ];
    assert_eq!(fields, expected);
    assert_eq!((catalog.position, catalog.id, catalog.open), (Some(6), Some(3), false));

    let field = |name: &str, ty| Field { name: name.to_owned(), ty };
    let fields =
        vec![field("speed", Type::Quantity(Unit::Knot)), field("position", Type::Point), field("x", Type::Float)];
    let records = schema.record_schema(&Schema { fields, position: Some(1), id: None, open: false });
    let SlotSource::Field(speed) = &records.slots[0] else { panic!() };
    assert_eq!((speed.path.as_str(), &records.slots[1]), ("sog", &SlotSource::Position));
    let checks: Vec<_> = records.checks.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(checks, ["mmsi", "waited"]);
}

#[test]
fn nothing_declared_is_an_open_schema() {
    let schema = StreamSchema::default();
    assert!(schema.catalog().open);
    let names: Vec<_> = schema.catalog().fields.into_iter().map(|field| field.name).collect();
    assert_eq!(names, ["lon", "lat", "position"]);
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[a-z{}\\[\\]:,\"'$ \\n#&*!|>-]{0,80}", set in "[a-z.0-9=\\[\\]{}]{0,20}") {
        let _ = parse(&text, &[]);
        let _ = parse(FULL, &[&set]);
    }

    #[test]
    fn nor_do_strange_values_under_known_keys(
        path in "(sources|schemas|geofences|sinks|api|engine|state|reload|rules)(\\.(pings|ais|fields|file|kafka|time|position|alerts|0|late|speed|unit)){0,3}",
        value in "(\\[\\]|\\{\\}|~|-1|1e400|x|\\[\\[a\\]\\]|\\{a: b\\}|!t x|'')",
    ) {
        let _ = parse(FULL, &[&format!("{path}={value}")]);
    }
}

#[test]
fn the_example_in_the_docs_is_read_and_its_defaults_are_the_defaults() {
    let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md")).unwrap();
    let example = docs.split("```yaml").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let variable = |name: &str| match name {
        "KAFKA" => Some("host:9092".to_owned()),
        "HOOK" | "TOKEN" => Some("s3cret".to_owned()),
        _ => None,
    };
    let config = Config::parse(example, Path::new(""), &[], &variable).unwrap();
    let bare = "sources: { vessels: { file: data/ais.csv.gz }, orders: { kafka: { brokers: 'host:9092', topic: orders } }, pipe: { stdin: } }";
    let bare = parse(bare, &[]).unwrap();
    let (shown, default) = (&config.sources["vessels"], &bare.sources["vessels"]);
    assert_eq!((shown.disorder_ms, shown.idle_timeout_ms), (default.disorder_ms, default.idle_timeout_ms));
    assert_eq!(shown.record_bytes_max, default.record_bytes_max);
    let (Input::File(shown), Input::File(default)) = (&shown.input, &default.input) else { panic!() };
    assert_eq!(*shown, FileInput { path: "data/ais.csv.gz".into(), ..default.clone() });
    assert_eq!(config.sources["orders"], bare.sources["orders"]);
    assert_eq!(config.sources["pipe"], bare.sources["pipe"]);
    assert_eq!(config.sources["taps"].input, Input::Http(HttpInput::default()));
    let shown = parse(
        "sources: { buses: { mqtt: { broker: mqtt.example, topics: fleet/+/pings, topic_field: topic, client: geocep-buses } } }",
        &[],
    );
    assert_eq!(config.sources["buses"], shown.unwrap().sources["buses"]);
    assert_eq!(
        (config.limits.keys, config.limits.bytes, config.limits.policy),
        (Some(10_000_000), Some(8 << 30), Policy::default())
    );
    assert_eq!(Config::embedded().limits, Limits::default());
    let bare = "sinks: { alerts: [{ webhook: { url: x } }, { alertmanager: { url: 'http://alertmanager:9093' } }] }";
    let bare: Vec<HttpSinkConfig> = parse(bare, &[]).unwrap().sinks.http().cloned().collect();
    let shown: Vec<HttpSinkConfig> = config.sinks.http().cloned().collect();
    let HttpSinkConfig { url, headers, .. } = shown[0].clone();
    assert_eq!(shown[0], HttpSinkConfig { url, headers, ..bare[0].clone() });
    let HttpSinkKind::Alertmanager(options) = &shown[1].kind else { panic!() };
    let mut plain = shown[1].clone();
    plain.kind = HttpSinkKind::Alertmanager(AlertmanagerOptions { labels: Vec::new(), ..options.clone() });
    assert_eq!((plain, options.labels.len()), (bare[1].clone(), 1));
    assert_eq!((config.api, config.engine.seed), (Config::embedded().api, 0));
    assert_eq!(config.engine.key_groups, EngineConfig::default().key_groups);
    assert_eq!(config.state, Config::embedded().state);
    assert_eq!(config.reload, ReloadConfig::default());
}

#[test]
fn checkpoints_are_configured_by_four_keys() {
    let config = parse("state: { enabled: false, dir: here, interval: 250 ms, retain: 7 }", &[]).unwrap().state;
    assert_eq!((config.enabled, config.interval_ms, config.retain), (false, 250, 7));
    assert_eq!(config.dir, PathBuf::from("/etc/geocep/here"));
    for wrong in ["interval=1 ms", "retain=0", "dir=", "often=1"] {
        let expected = wrong != "dir=";
        assert_eq!(parse("", &[&format!("state.{wrong}")]).is_err(), expected, "{wrong}");
    }
}

#[test]
fn a_store_on_disk_has_a_place_and_a_bound_and_without_it_they_are_refused() {
    let spill = |text: &str| parse(&format!("state: {{ {text} }}"), &[]).map(|config| config.state.spill);
    assert_eq!(spill("backend: heap").unwrap(), None);
    let default = spill("dir: here, backend: disk").unwrap().unwrap();
    assert_eq!((default.dir, default.resident_keys), (PathBuf::from("/etc/geocep/here/spill"), 1_000_000));
    let own = spill("backend: disk, resident_keys: 5, spill: /fast/disk, enabled: false").unwrap().unwrap();
    assert_eq!((own.dir, own.resident_keys), (PathBuf::from("/fast/disk"), 5));
    for wrong in ["resident_keys: 5", "backend: heap, spill: here", "backend: ssd", "backend: disk, resident_keys: 0"] {
        assert!(spill(wrong).is_err(), "{wrong}");
    }
    let both = parse("{ limits: { keys: 5 }, state: { backend: disk } }", &[]).unwrap_err().to_string();
    assert!(both.contains("`state.resident_keys`"), "{both}");
    let error = spill("resident_keys: 5").unwrap_err().to_string();
    assert!(error.contains("`backend: disk`"), "{error}");
}

#[test]
fn what_is_pushed_and_what_may_be_held_is_told_with_its_path_where_it_is_wrong() {
    for (text, why) in [
        (
            "sources: { a: { http: { token: maybe } } }",
            "`sources.a.http.token` is `maybe`, expected one of `required`, `none`",
        ),
        ("sources: { a: { http: { queu: 1 } } }", "`sources.a.http.queu` is no known key; did you mean `queue`?"),
        ("sources: { a: { mqtt: { broker: b } } }", "`sources.a.mqtt.topics` is missing"),
        (
            "sources: { a: { mqtt: { broker: 'b:x', topics: t } } }",
            "`sources.a.mqtt.broker` is `b:x`, expected a host, or a host and port as in `broker:1883`",
        ),
        (
            "sources: { a: { mqtt: { broker: 'mqtts://b', topics: t } } }",
            "`sources.a.mqtt.broker` is `mqtts://b`, expected a host and port without a scheme, as in `broker:8883`, and beside it `tls: true`",
        ),
        (
            "sinks: { alerts: { mqtt: { broker: b, topic: t, tls: { certificate: me.pem } } } }",
            "`sinks.alerts.mqtt.tls` is a mapping, expected `certificate` and `key`, or neither",
        ),
        (
            "sources: { a: { mqtt: { broker: b, topics: 'a/#/b' } } }",
            "`sources.a.mqtt.topics` is `a/#/b`, expected a topic; `+` and `#` are whole levels, and `#` is the last",
        ),
        (
            "sources: { a: { mqtt: { broker: b, topics: t, qos: 2 } } }",
            "`sources.a.mqtt.qos` is `2`, expected a whole number from 0 to 1",
        ),
        (
            "sinks: { alerts: { mqtt: { broker: b, topic: 'a/+' } } }",
            "`sinks.alerts.mqtt.topic` is `a/+`, expected a topic without wildcards; `{rule}` stands for the rule's name",
        ),
        ("limits: { bytes: 10 KiB }", "`limits.bytes` is `10 KiB`, expected a size of 1 MiB or more"),
        ("limits: { shed: oldest }", "`limits.shed` is `oldest`, expected one of `reject`, `evict`"),
    ] {
        assert_eq!(parse(text, &[]).unwrap_err(), why, "{text}");
    }
    // A password is shown by nothing.
    let secret = parse("sources: { a: { mqtt: { broker: b, topics: t, user: u, password: hunter2 } } }", &[]).unwrap();
    assert!(!format!("{secret:?}").contains("hunter2"));
    let error = parse("sources: { a: { mqtt: { broker: b, topics: t, password: [hunter2] } } }", &[]).unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
}
