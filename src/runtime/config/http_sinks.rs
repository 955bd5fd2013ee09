//! Sinks that post alerts to a receiver: webhooks and Alertmanagers, each with an outbox.

use super::{
    ConfigError, FileSinkConfig, Secret,
    node::{Fields, Node},
    sinks::read_lines,
};
use crate::io::receiver::{Alertmanager, AlertmanagerOptions, WebhookBody};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// A sink that posts.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpSinkConfig {
    /// What it, its figures and its outbox are called; unique among such sinks.
    pub name: String,
    /// What is posted.
    pub kind: HttpSinkKind,
    /// Where: as a whole, since addresses of webhooks often hold a secret.
    pub url: Secret,
    /// Further headers.
    pub headers: Vec<(String, HeaderSource)>,
    /// How long a request may take, milliseconds; default 10 s.
    pub timeout_ms: u64,
    /// Certificates of those who may vouch for the receiver.
    pub ca: Option<PathBuf>,
    /// For how long a receiver that fails is tried.
    pub retry: RetryConfig,
    /// What waits for it.
    pub outbox: OutboxConfig,
    /// Where alerts go that it never takes; `None`: `dead.ndjson` in the outbox.
    pub dead_letter: Option<FileSinkConfig>,
}

/// What is posted.
#[derive(Clone, Debug, PartialEq)]
pub enum HttpSinkKind {
    /// Alerts as they are.
    Webhook {
        /// How a request's body holds them.
        body: WebhookBody,
        /// How many a request may have.
        batch: usize,
    },
    /// Alerts as Alertmanager has them.
    Alertmanager(AlertmanagerOptions),
}

/// A header's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderSource {
    /// As it is.
    Text(Secret),
    /// The content of a file, without blanks at its ends; read at the start.
    File(PathBuf),
}

/// For how long a receiver that fails is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryConfig {
    /// After so many attempts an alert goes to the dead letters; `None`: never for that.
    pub attempts: Option<u64>,
    /// After so long in the outbox, milliseconds; `None`: never for that. Default 1 d.
    pub age_ms: Option<i64>,
    /// The longest pause between two attempts, milliseconds; default 30 s.
    pub longest_ms: u64,
    /// Statuses that are worth another attempt beside those that always are.
    pub statuses: Vec<u16>,
}

/// How much waits for a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxConfig {
    /// How many bytes of alerts may wait; default 1 GiB.
    pub bytes: u64,
    /// What happens then; default: the engine waits.
    pub full: WhenFull,
    /// How much of what is settled is kept on disk; default 64 MiB.
    pub keep_bytes: u64,
}

/// What happens when an outbox is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// The engine waits, and with it all else: nothing is lost.
    Wait,
    /// The oldest alerts make room, and are counted.
    DropOldest,
}

/// The sink under `webhook` or `alertmanager`; none: it is another.
pub(super) fn read(node: &Node<'_>, base: &Path) -> Result<Option<HttpSinkConfig>, ConfigError> {
    let mut fields = node.fields()?;
    let kinds = [("webhook", fields.given("webhook")), ("alertmanager", fields.given("alertmanager"))];
    let (kind, sink) = match kinds {
        [(_, None), (_, None)] => return Ok(None),
        [(kind, Some(sink)), (_, None)] | [(_, None), (kind, Some(sink))] => (kind, sink),
        _ => return Err(node.wrong("a mapping with one of `webhook`, `alertmanager`")),
    };
    fields.done()?;
    let mut fields = sink.fields()?;
    let name = fields.get("name").map(|name| read_name(&name)).transpose()?;
    let url = fields.need("url")?.name()?.to_owned();
    let batch = fields.get("batch").map(|batch| batch.number(1, 10_000)).transpose()?.map(|batch| batch as usize);
    let (kind, url) = match kind {
        "webhook" => (webhook(&mut fields, batch)?, url),
        _ => (alertmanager(&mut fields, batch)?, Alertmanager::address(&url)),
    };
    let headers = fields.get("headers").map_or(Ok(Vec::new()), |node| {
        node.named()?.into_iter().map(|(name, value)| Ok((name, read_header(&value, base)?))).collect()
    })?;
    let timeout_ms = fields.get("timeout").map_or(Ok(10_000), |node| span(&node, 10, 600_000, "10 ms to 10 min"))?;
    let ca = fields.get("ca").map(|ca| ca.name().map(|path| base.join(path))).transpose()?;
    let retry = read_retry(fields.get("retry").as_ref())?;
    let outbox = read_outbox(fields.get("outbox").as_ref())?;
    let dead_letter = fields.get("dead_letter").map(|letters| read_lines(&letters, base)).transpose()?;
    fields.done()?;
    let default_name = if matches!(kind, HttpSinkKind::Webhook { .. }) { "webhook" } else { "alertmanager" };
    let name = name.unwrap_or_else(|| default_name.to_owned());
    let url = Secret::new(url);
    Ok(Some(HttpSinkConfig { name, kind, url, headers, timeout_ms, ca, retry, outbox, dead_letter }))
}

fn webhook(fields: &mut Fields<'_>, batch: Option<usize>) -> Result<HttpSinkKind, ConfigError> {
    let bodies = [("single", WebhookBody::Single), ("json", WebhookBody::Json), ("ndjson", WebhookBody::Ndjson)];
    let body = fields.get("body").map_or(Ok(WebhookBody::Single), |body| body.choice(&bodies))?;
    Ok(HttpSinkKind::Webhook { body, batch: batch.unwrap_or(100) })
}

fn alertmanager(fields: &mut Fields<'_>, batch: Option<usize>) -> Result<HttpSinkKind, ConfigError> {
    let day = 86_400_000;
    let active = fields.get("active_for").map_or(Ok(300_000), |node| span(&node, 1_000, 30 * day, "1 s to 30 d"))?;
    let resend = match fields.get("resend") {
        Some(node) if node.is_text() && node.text()? == "never" => None,
        Some(node) => Some(span(&node, 1_000, day, "1 s to 1 d, or `never`")?),
        None => Some(60_000),
    };
    let labels = fields.get("labels").map_or(Ok(Vec::new()), |node| {
        node.named()?.into_iter().map(|(name, value)| Ok((name, value.scalar()?))).collect()
    })?;
    let generator_url = fields.get("generator_url").map(|url| url.name().map(str::to_owned)).transpose()?;
    Ok(HttpSinkKind::Alertmanager(AlertmanagerOptions {
        active_ms: active as i64,
        resend: resend.map(Duration::from_millis),
        labels,
        generator_url,
        batch: batch.unwrap_or(64),
    }))
}

/// A name that can be that of a directory.
fn read_name(node: &Node<'_>) -> Result<String, ConfigError> {
    let name = node.name()?;
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) && name.len() <= 64;
    if plain { Ok(name.to_owned()) } else { Err(node.wrong("a name of 1 to 64 letters, digits, `-` and `_`")) }
}

fn read_header(node: &Node<'_>, base: &Path) -> Result<HeaderSource, ConfigError> {
    if node.is_mapping() {
        let mut fields = node.fields()?;
        let path = base.join(fields.need("file")?.name()?);
        fields.done()?;
        return Ok(HeaderSource::File(path));
    }
    node.scalar().map(|text| HeaderSource::Text(Secret::new(text)))
}

fn read_retry(node: Option<&Node<'_>>) -> Result<RetryConfig, ConfigError> {
    let mut retry = RetryConfig { attempts: None, age_ms: Some(86_400_000), longest_ms: 30_000, statuses: Vec::new() };
    let Some(node) = node else { return Ok(retry) };
    let mut fields = node.fields()?;
    retry.attempts = fields.get("attempts").map(|attempts| attempts.number(1, 1_000_000)).transpose()?;
    match fields.get("age") {
        Some(node) if node.is_text() && node.text()? == "never" => retry.age_ms = None,
        Some(node) => retry.age_ms = Some(node.span_ms()?),
        None => {}
    }
    if let Some(longest) = fields.get("longest") {
        retry.longest_ms = span(&longest, 100, 3_600_000, "100 ms to 1 h")?;
    }
    if let Some(statuses) = fields.get("statuses") {
        let status = |node: &Node<'_>| node.number(300, 599).map(|status| status as u16);
        retry.statuses = statuses.items().iter().map(status).collect::<Result<_, _>>()?;
    }
    fields.done()?;
    Ok(retry)
}

fn read_outbox(node: Option<&Node<'_>>) -> Result<OutboxConfig, ConfigError> {
    let mut outbox = OutboxConfig { bytes: 1 << 30, full: WhenFull::Wait, keep_bytes: 64 << 20 };
    let Some(node) = node else { return Ok(outbox) };
    let mut fields = node.fields()?;
    if let Some(size) = fields.get("size") {
        outbox.bytes = size.bytes()?.max(1);
    }
    if let Some(full) = fields.get("full") {
        outbox.full = full.choice(&[("wait", WhenFull::Wait), ("drop_oldest", WhenFull::DropOldest)])?;
    }
    if let Some(keep) = fields.get("keep") {
        outbox.keep_bytes = keep.bytes()?;
    }
    fields.done()?;
    Ok(outbox)
}

fn span(node: &Node<'_>, low: u64, high: u64, range: &str) -> Result<u64, ConfigError> {
    match u64::try_from(node.span_ms()?) {
        Ok(span_ms) if (low..=high).contains(&span_ms) => Ok(span_ms),
        _ => Err(node.wrong(format!("a duration from {range}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::config::{AlertSinkConfig, Config};

    fn parse(sinks: &str) -> Result<Config, ConfigError> {
        let variable = |name: &str| (name == "TOKEN").then(|| "s3cret".to_owned());
        Config::parse(&format!("sinks:\n  alerts: {sinks}"), Path::new("/etc"), &[], &variable)
    }

    fn http(sinks: &str) -> HttpSinkConfig {
        match &parse(sinks).unwrap().sinks.alerts[0] {
            AlertSinkConfig::Http(http) => (**http).clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_not_said_has_a_default_and_secrets_stay_secret() {
        let text =
            "{ webhook: { url: 'https://example.org/${TOKEN}', headers: { A: 'Bearer ${TOKEN}', B: { file: k } } } }";
        let sink = http(text);
        assert_eq!((sink.name.as_str(), sink.timeout_ms), ("webhook", 10_000));
        assert_eq!(sink.kind, HttpSinkKind::Webhook { body: WebhookBody::Single, batch: 100 });
        assert_eq!(sink.url.reveal(), "https://example.org/s3cret");
        assert_eq!(sink.headers[1].1, HeaderSource::File(PathBuf::from("/etc/k")));
        assert_eq!(sink.retry.age_ms, Some(86_400_000));
        assert_eq!(sink.outbox, OutboxConfig { bytes: 1 << 30, full: WhenFull::Wait, keep_bytes: 64 << 20 });
        assert!(!format!("{sink:?}").contains("s3cret"));
        let manager =
            http("{ alertmanager: { url: 'http://am:9093/', active_for: 1 h, resend: never, labels: { a: 1 } } }");
        assert_eq!(manager.url.reveal(), "http://am:9093/api/v2/alerts");
        let HttpSinkKind::Alertmanager(options) = manager.kind else { panic!() };
        assert_eq!((options.active_ms, options.resend, options.batch), (3_600_000, None, 64));
        assert_eq!(options.labels, [("a".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let error = |sinks: &str| parse(sinks).unwrap_err().to_string();
        assert_eq!(error("[{ webhook: {} }]"), "`sinks.alerts.0.webhook.url` is missing");
        let text = error("[{ webhook: { url: x, batches: 1 } }]");
        assert!(text.contains("sinks.alerts.0.webhook.batches") && text.contains("`batch`"), "{text}");
        assert!(error("[{ webhook: { url: x, name: ../a } }]").contains("letters, digits"));
        assert!(error("[{ webhook: { url: x }, file: y }]").contains("`sinks.alerts.0.file` is no known key"));
        let text = error("[{ webhook: { url: x } }, { webhook: { url: y } }]");
        assert!(text.contains("`webhook`") && text.contains("name"), "{text}");
    }
}
