//! Requests: POST with a time limit, no redirects, no proxy, a bounded look at the answer.

use super::{Answer, Trouble};
use jiff::fmt::rfc2822;
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use ureq::{
    Agent, Error,
    http::{HeaderName, HeaderValue, StatusCode, Uri},
    tls::{PemItem, RootCerts, TlsConfig, parse_pem},
};

/// So much of an answer's body is read, so that the connection can be used again; the rest is left, and the connection closed.
const BODY_BYTES: u64 = 64 << 10;
/// No receiver can silence us for longer.
const AFTER_MAX: Duration = Duration::from_secs(3_600);

/// How to post.
#[derive(Clone)]
pub struct PostOptions {
    /// Where: an `http` or `https` address.
    pub url: String,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// How long a request may take, from the look-up of the address to the end of the answer.
    pub timeout: Duration,
    /// Certificates of those who may vouch for the receiver, as PEM; without: Mozilla's list.
    pub ca: Option<PathBuf>,
    /// Statuses that are worth another attempt beside those that always are.
    pub retry: Vec<u16>,
}

impl fmt::Debug for PostOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostOptions").field("timeout", &self.timeout).field("ca", &self.ca).finish_non_exhaustive()
    }
}

/// Why no request can ever be made.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// The address.
    #[error("the url is no address that begins with `http://` or `https://` and names a host")]
    Url,
    /// A header.
    #[error("the header `{name}` has a name or a value that can't stand in a request")]
    Header {
        /// Its name.
        name: String,
    },
    /// The file of a header's value.
    #[error("the header `{name}` from `{}`: {error}", .path.display())]
    HeaderFile {
        /// Its name.
        name: String,
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file of certificates.
    #[error("the certificates `{}`: {error}", .path.display())]
    Ca {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// Posts to one address, over a connection that is kept.
pub struct Post {
    agent: Agent,
    uri: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
    retry: Vec<u16>,
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post").finish_non_exhaustive()
    }
}

impl Post {
    /// Checks the options; nothing is connected to yet.
    ///
    /// # Errors
    /// See [`PostError`].
    pub fn new(options: PostOptions) -> Result<Self, PostError> {
        let PostOptions { url, headers, timeout, ca, retry } = options;
        let uri: Uri = url.parse().map_err(|_| PostError::Url)?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
            return Err(PostError::Url);
        }
        let header = |(name, value): (String, String)| match (name.parse(), HeaderValue::from_str(&value)) {
            (Ok(parsed), Ok(mut value)) => {
                value.set_sensitive(true);
                Ok((parsed, value))
            }
            _ => Err(PostError::Header { name }),
        };
        let headers = headers.into_iter().map(header).collect::<Result<_, _>>()?;
        let roots = ca.as_deref().map_or(Ok(RootCerts::WebPki), certificates)?;
        let config = Agent::config_builder()
            .timeout_global(Some(timeout))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .proxy(None)
            .user_agent(concat!("geocep/", env!("CARGO_PKG_VERSION")))
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .build();
        Ok(Self { agent: config.new_agent(), uri, headers, retry })
    }

    /// Makes a request.
    pub fn post(&self, content_type: &str, idempotency_key: Option<&str>, body: &[u8]) -> Answer {
        let mut request = self.agent.post(self.uri.clone()).content_type(content_type);
        if let Some(key) = idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(headers) = request.headers_mut() {
            for (name, value) in &self.headers {
                headers.insert(name.clone(), value.clone());
            }
        }
        let mut response = match request.send(body) {
            Ok(response) => response,
            Err(error) => return failed(&error),
        };
        let status = response.status();
        let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()).and_then(retry_after);
        // Read to its end a connection can be used again. What it says is none of our business, and how it ends changes nothing.
        let mut body = response.body_mut().with_config().limit(BODY_BYTES).reader();
        let _ = io::copy(&mut body, &mut io::sink());
        self.judge(status, after)
    }

    fn judge(&self, status: StatusCode, after: Option<Duration>) -> Answer {
        let code = status.as_u16();
        let why = match status.canonical_reason() {
            Some(reason) => format!("it answered {code} {reason}"),
            None => format!("it answered {code}"),
        };
        let trouble = match code {
            200..=299 => return Answer::Taken,
            429 | 503 => Trouble::Throttled,
            500.. => Trouble::Server,
            408 => Trouble::Timeout,
            425 => Trouble::Throttled,
            _ if self.retry.contains(&code) => Trouble::Refused,
            300..=399 => return Answer::Refused { why: format!("{why}: redirects are not followed") },
            _ => return Answer::Refused { why },
        };
        Answer::Later { trouble, why, after: after.filter(|_| trouble == Trouble::Throttled) }
    }
}

/// What went wrong before there was an answer. The client's own texts may repeat an address.
fn failed(error: &Error) -> Answer {
    let (trouble, why) = match error {
        Error::RedirectFailed | Error::TooManyRedirects => {
            return Answer::Refused { why: "it redirects: redirects are not followed".to_owned() };
        }
        Error::Timeout(_) => (Trouble::Timeout, "there was no answer in time".to_owned()),
        Error::HostNotFound => (Trouble::Connection, "its host can't be found".to_owned()),
        Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
            (Trouble::Timeout, "there was no answer in time".to_owned())
        }
        Error::Io(error) => (Trouble::Connection, format!("no connection: {}", error.kind())),
        Error::ConnectionFailed => (Trouble::Connection, "no connection".to_owned()),
        Error::Tls(_) | Error::Rustls(_) | Error::Pem(_) => {
            (Trouble::Tls, "no secure connection: its certificate isn't trusted, or it speaks no TLS".to_owned())
        }
        _ => (Trouble::Server, "its answer is no proper HTTP".to_owned()),
    };
    Answer::Later { trouble, why, after: None }
}

/// The value of `Retry-After`: seconds, or a date (RFC 9110, 10.2.3). A date is taken relative to now by the machine's clock.
fn retry_after(value: &str) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(AFTER_MAX));
    }
    let at = rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    let left = at.as_millisecond().saturating_sub(jiff::Timestamp::now().as_millisecond());
    Some(Duration::from_millis(u64::try_from(left).unwrap_or(0)).min(AFTER_MAX))
}

fn certificates(path: &Path) -> Result<RootCerts, PostError> {
    let failed = |error| PostError::Ca { path: path.to_owned(), error };
    let pem = fs::read(path).map_err(failed)?;
    let mut found = Vec::new();
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => found.push(certificate),
            Ok(_) => {}
            Err(_) => return Err(failed(io::Error::other("it is no PEM"))),
        }
    }
    if found.is_empty() {
        return Err(failed(io::Error::other("no certificate is in it")));
    }
    Ok(RootCerts::Specific(Arc::new(found)))
}

#[cfg(test)]
#[path = "post_test.rs"]
pub(super) mod tests;
