//! A broker of a test's own, to be stopped, started and frozen.

use std::{
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Broker {
    dir: tempfile::TempDir,
    binary: String,
    port: u16,
    child: Child,
}

impl Broker {
    /// None where it isn't known how to start one.
    pub(crate) fn start() -> Option<Self> {
        let Ok(binary) = std::env::var("GEOCEP_TEST_BROKER") else {
            eprintln!("skipped: GEOCEP_TEST_BROKER is not set, so no broker can be stopped and started");
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(&binary);
        command.args(["start", "--only", "kafka", "--kafka-port", &port.to_string(), "--data-dir"]).arg(dir.path());
        // A group of its own, so that it can be frozen whole.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let broker = Self { dir, binary, port, child: command.spawn().unwrap() };
        broker.until_up();
        Some(broker)
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn until_up(&self) {
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(began.elapsed() < PATIENCE, "the broker doesn't answer");
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn tell(&self, what: &[&str]) {
        let mut command = Command::new(&self.binary);
        command.args(what).arg("--data-dir").arg(self.dir.path()).stdout(Stdio::null()).stderr(Stdio::null());
        assert!(command.status().unwrap().success(), "{what:?}");
    }

    /// Stops it in good order.
    pub(crate) fn stop(&self) {
        self.tell(&["stop", "kafka"]);
    }

    /// Starts it again, and waits until it answers.
    pub(crate) fn go_on(&self) {
        self.tell(&["start", "kafka"]);
        self.until_up();
    }

    /// Has it neither answer nor take anything, for so long.
    pub(crate) fn freeze(&self, span: Duration) {
        let signal = |name: &str| {
            let kill = format!("kill -{name} -{}", self.child.id());
            assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        };
        signal("STOP");
        thread::sleep(span);
        signal("CONT");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.tell(&["down"]);
        let _ = self.child.wait();
    }
}
