use crate::runtime::config::{AlertSinkConfig, Config, Delivery, Input, KafkaStart};
use crate::{io::sink::KafkaKey, wire::Format};
use std::path::Path;

fn source(more: &str, set: &[&str]) -> Result<crate::runtime::config::KafkaInput, String> {
    let text = format!("sources: {{ a: {{ kafka: {{ brokers: 'b:1', topic: t{more} }} }} }}");
    let set: Vec<String> = set.iter().map(|text| (*text).to_owned()).collect();
    let variable = |name: &str| (name == "SECRET").then(|| "hush".to_owned());
    let config = Config::parse(&text, Path::new("/etc"), &set, &variable).map_err(|error| error.to_string())?;
    match &config.sources["a"].input {
        Input::Kafka(kafka) => Ok(kafka.clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_password_comes_from_the_environment_or_a_file_and_is_never_shown() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    std::fs::write(&file, "hush\n").unwrap();
    let of_file = format!("password_file: '{}'", file.display());
    for password in ["password: '${SECRET}'", of_file.as_str()] {
        let kafka = source(&format!(", sasl: {{ username: me, {password} }}"), &[]).unwrap();
        assert_eq!(kafka.options["sasl.password"], "hush");
        assert_eq!(kafka.options["security.protocol"], "sasl_plaintext");
        assert_eq!(kafka.options["sasl.mechanism"], "PLAIN");
        assert!(!format!("{kafka:?}").contains("hush"));
    }
    for wrong in
        ["password: 31415", "password: { a: 31415 }", "password: x, password_file: y", "", "password_file: /nope"]
    {
        let error = source(&format!(", sasl: {{ username: me, {wrong} }}"), &[]).unwrap_err();
        assert!(!error.contains("31415") && error.contains("sasl") || error.contains("/nope"), "{error}");
    }
}

#[test]
fn without_tls_in_the_build_what_needs_it_is_refused_at_once() {
    for what in [
        "tls: true",
        "tls: { ca: ca.pem }",
        "sasl: { mechanism: scram_sha_512, username: me, password: x }",
        "options: { security.protocol: SASL_SSL }",
        "options: { ssl.ca.location: x }",
    ] {
        let found = source(&format!(", {what}"), &[]);
        assert_eq!(found.is_ok(), cfg!(feature = "tls"), "{what}: {found:?}");
        assert!(found.err().is_none_or(|error| error.contains("--features tls")), "{what}");
    }
    assert!(source(", tls: false", &[]).is_ok());
    if cfg!(feature = "tls") {
        let kafka = source(", tls: { ca: ca.pem }, sasl: { username: me, password: x }", &[]).unwrap();
        assert_eq!(kafka.options["ssl.ca.location"], "/etc/ca.pem");
        assert_eq!(kafka.options["security.protocol"], "sasl_ssl");
    }
}

#[test]
fn what_a_source_starts_with_and_reads_can_be_set_at_the_start() {
    let at = |text: &str| source("", &[&format!("sources.a.kafka.start={text}")]).map(|kafka| kafka.start);
    assert_eq!(at("latest"), Ok(KafkaStart::Latest));
    assert_eq!(at("2026-01-02T00:00:00Z"), Ok(KafkaStart::At(1_767_312_000_000)));
    assert!(at("yesterday").unwrap_err().contains("`earliest`, `latest` or a time"));
    let rows =
        source(", format: csv, columns: [ts, id], fields: { key: k, timestamp: sent, headers: { x-t: t } }", &[]);
    let layout = rows.unwrap().layout;
    assert_eq!((layout.format, layout.columns), (Some(Format::CSV), vec!["ts".to_owned(), "id".to_owned()]));
    assert_eq!((layout.key.as_deref(), layout.timestamp.as_deref()), (Some("k"), Some("sent")));
    assert_eq!(layout.headers["x-t"], "t");
    assert!(source(", format: csv", &[]).unwrap_err().contains("`sources.a.kafka.columns` is missing"));
    assert!(source(", columns: [a]", &[]).unwrap_err().contains("none but with `format: csv`"));
    assert!(source(", options: { group.id: x }", &[]).unwrap_err().contains("`group` is it"));
}

#[test]
fn a_sink_says_what_it_promises_and_what_its_keys_are() {
    let sink = |more: &str, set: &[&str]| {
        let text = format!("sinks: {{ alerts: [{{ kafka: {{ brokers: 'b:1', topic: t{more} }} }}] }}");
        let set: Vec<String> = set.iter().map(|text| (*text).to_owned()).collect();
        let config = Config::parse(&text, Path::new("/etc"), &set, &|_| None).map_err(|error| error.to_string())?;
        match &config.sinks.alerts[0] {
            AlertSinkConfig::Kafka(kafka) => Ok::<_, String>((kafka.key, kafka.delivery.clone())),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(sink("", &[]), Ok((KafkaKey::Entity, Delivery::AtLeastOnce)));
    let exactly = |id: &str| Delivery::ExactlyOnce { transactional_id: id.to_owned() };
    assert_eq!(sink(", key: rule, delivery: exactly_once", &[]), Ok((KafkaKey::Rule, exactly("geocep-t"))));
    let set = ["sinks.alerts.0.kafka.delivery=exactly_once", "sinks.alerts.0.kafka.transactional_id=mine"];
    assert_eq!(sink("", &set), Ok((KafkaKey::Entity, exactly("mine"))));
    assert!(sink(", delivery: exactly_once", &["state.enabled=false"]).unwrap_err().contains("state.enabled: false"));
    assert!(sink(", options: { transactional.id: x }", &[]).unwrap_err().contains("transactional_id"));
}
