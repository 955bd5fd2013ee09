use super::*;
use std::{
    io::{Read, Write},
    net::TcpListener,
    thread::{self, JoinHandle},
};

/// A server that answers one connection each with these bytes, and says what it was asked.
pub(crate) fn answering(answers: &'static [&'static str]) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = thread::spawn(move || {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
            let mut request = Vec::new();
            // Until the client waits for the answer.
            let _ = stream.read_to_end(&mut request);
            let _ = stream.write_all(answer.as_bytes());
            asked.push(String::from_utf8_lossy(&request).into_owned());
        }
        asked
    });
    (address, serving)
}

/// How to post there.
pub(crate) fn plain(url: &str) -> PostOptions {
    PostOptions {
        url: url.to_owned(),
        headers: Vec::new(),
        timeout: Duration::from_secs(5),
        ca: None,
        retry: Vec::new(),
    }
}

fn options(url: &str) -> PostOptions {
    let headers = vec![("Authorization".to_owned(), "Bearer s3cret".to_owned())];
    PostOptions { url: url.to_owned(), headers, timeout: Duration::from_secs(1), ca: None, retry: vec![403] }
}

#[test]
fn a_wait_is_in_seconds_or_a_date_and_bounded() {
    assert_eq!(retry_after(" 7 "), Some(Duration::from_secs(7)));
    assert_eq!(retry_after("99999999999"), Some(AFTER_MAX));
    assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
    assert_eq!(retry_after("Tue, 31 Dec 2999 23:59:59 GMT"), Some(AFTER_MAX));
    assert_eq!(retry_after("soon"), None);
}

#[test]
fn statuses_are_taken_later_or_never() {
    let post = Post::new(options("http://localhost:1/hook")).unwrap();
    let judge = |code: u16| match post.judge(StatusCode::from_u16(code).unwrap(), Some(Duration::from_secs(3))) {
        Answer::Taken => "taken".to_owned(),
        Answer::Refused { .. } => "refused".to_owned(),
        Answer::Later { trouble, after, .. } => format!("{} {:?}", trouble.name(), after.map(|a| a.as_secs())),
    };
    let found: Vec<String> = [200, 204, 301, 308, 400, 401, 403, 408, 429, 500, 503].map(judge).into();
    let expected = [
        "taken",
        "taken",
        "refused",
        "refused",
        "refused",
        "refused",
        "refused None",
        "timeout None",
        "throttled Some(3)",
        "server None",
        "throttled Some(3)",
    ];
    assert_eq!(found, expected);
}

#[test]
fn what_can_never_be_asked_is_told_at_once_and_secrets_are_not() {
    for url in ["", "example.org", "ftp://example.org", "http://", "/path"] {
        assert!(matches!(Post::new(options(url)), Err(PostError::Url)), "{url}");
    }
    let mut bad = options("http://localhost");
    bad.headers.push(("X-Key".to_owned(), "a\nb-s3cret".to_owned()));
    let error = Post::new(bad).unwrap_err().to_string();
    assert!(error.contains("X-Key") && !error.contains("s3cret"), "{error}");
    let good = options("http://localhost/s3cret");
    assert!(!format!("{good:?}{:?}", Post::new(good.clone()).unwrap()).contains("s3cret"));
}

#[test]
fn whatever_is_on_the_other_side_there_is_an_answer() {
    const OK: &str = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
    const AWAY: &str =
        "HTTP/1.1 307 Away\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    const BUSY: &str = "HTTP/1.1 503 Busy\r\nRetry-After: 9\r\nContent-Length: 6\r\nConnection: close\r\n\r\ns3cret";
    const LONG: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    let (address, serving) = answering(&[OK, AWAY, BUSY, LONG, "what?\r\n\r\n", "", "no TLS here"]);
    let post = Post::new(options(&format!("http://{address}/hook?k=1"))).unwrap();
    let ask = || post.post("text/plain", Some("abc"), b"body");
    assert_eq!(ask(), Answer::Taken);
    assert!(matches!(ask(), Answer::Refused { .. }));
    let busy = ask();
    assert!(matches!(busy, Answer::Later { after: Some(after), .. } if after == Duration::from_secs(9)), "{busy:?}");
    assert!(!format!("{busy:?}").contains("s3cret"));
    assert_eq!(ask(), Answer::Taken);
    for _ in 0..2 {
        let answer = ask();
        assert!(matches!(answer, Answer::Later { trouble: Trouble::Server | Trouble::Connection, .. }), "{answer:?}");
    }
    let secure = Post::new(options(&format!("https://{address}"))).unwrap();
    let answer = secure.post("text/plain", None, b"body");
    assert!(matches!(answer, Answer::Later { trouble: Trouble::Tls | Trouble::Connection, .. }), "{answer:?}");
    let asked = serving.join().unwrap();
    let head = asked[0].to_ascii_lowercase();
    assert!(head.starts_with("post /hook?k=1 http/1.1") && head.ends_with("\r\n\r\nbody"), "{head}");
    for header in
        ["idempotency-key: abc", "authorization: bearer s3cret", "content-type: text/plain", "user-agent: geocep/"]
    {
        assert!(head.contains(header), "{head}");
    }
}

#[test]
fn who_never_answers_or_is_not_there_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let timeout = Duration::from_millis(150);
    let post = Post::new(PostOptions { timeout, ..plain(&format!("http://{address}")) }).unwrap();
    let answer = post.post("text/plain", None, b"body");
    assert!(matches!(answer, Answer::Later { trouble: Trouble::Timeout, .. }), "{answer:?}");
    drop(listener);
    let answer = post.post("text/plain", None, b"body");
    assert!(matches!(answer, Answer::Later { trouble: Trouble::Connection, .. }), "{answer:?}");
}

#[test]
fn certificates_have_to_be_some() {
    let dir = tempfile::tempdir().unwrap();
    for text in ["", "nonsense", "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n"] {
        let path = dir.path().join("ca.pem");
        fs::write(&path, text).unwrap();
        let error = Post::new(PostOptions { ca: Some(path), ..plain("https://localhost") }).unwrap_err();
        assert!(error.to_string().contains("ca.pem"), "{error}");
    }
    let ca = Some(dir.path().join("none.pem"));
    assert!(matches!(Post::new(PostOptions { ca, ..plain("https://localhost") }), Err(PostError::Ca { .. })));
}
