//! The disk that state and outputs are on is full: the daemon runs on and says so, and nothing is lost when there is room again.
//! The disk is a small tmpfs; where none may be mounted nothing is tested, and that is said.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_types,
    reason = "a test talks to people, to real processes and a real clock"
)]

#[path = "common/run.rs"]
mod run;

use run::{SCHEMA, SEEN, Scene, TOKEN, get, ping, post};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write,
    path::PathBuf,
    process::Command,
};

/// A file system of 2 MiB.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: PathBuf) -> Option<Self> {
        fs::create_dir(&at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(&at).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(at)),
            other => {
                eprintln!("no tmpfs can be mounted here (that takes root): a full disk isn't tested: {other:?}");
                None
            }
        }
    }

    /// Until not a byte fits.
    fn fill(&self) {
        let mut file = File::options().append(true).create(true).open(self.0.join("filler")).unwrap();
        while file.write_all(&[0; 4_096]).is_ok() {}
        while file.write_all(&[0]).is_ok() {}
    }

    fn make_room(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn on_a_full_disk_it_runs_on_and_says_so_and_loses_nothing() {
    let config = format!(
        "
sources: {{ pings: {{ http: , {SCHEMA} }} }}
rules: rules.yaml
sinks: {{ alerts: [{{ file: small/out.ndjson }}, {{ file: out.ndjson }}] }}
state: {{ dir: small/state, interval: 50 ms }}
api: {{ listen: '127.0.0.1:0', token: {TOKEN} }}
"
    );
    let scene = Scene::new(&config, SEEN);
    let Some(disk) = Disk::mount(scene.path("small")) else { return };
    let small = || scene.numbers_of("small/out.ndjson");
    let mut taken: BTreeSet<u64> = BTreeSet::new();
    let mut next = 0;
    // Posts until it is refused, or so often.
    let mut send = |address: &str, times: u64, taken: &mut BTreeSet<u64>| -> u16 {
        for _ in 0..times {
            let batch: Vec<u64> = (next..next + 20).collect();
            next += 20;
            let (status, answer) = post(address, &batch.iter().map(|&n| ping(n)).collect::<String>()).unwrap();
            if status != 200 {
                assert!(answer.contains("no line was accepted"), "{answer}");
                return status;
            }
            taken.extend(batch);
        }
        200
    };
    let mut daemon = scene.start(&[]);
    for kill in [false, true] {
        let address = daemon.api();
        assert_eq!(send(&address, 10, &mut taken), 200);
        scene.until("alerts", || taken.is_subset(&small()).then_some(()));
        disk.fill();
        // What is left of a page may still take a little.
        assert_eq!(send(&address, 2_000, &mut taken), 503);
        scene.until("that it says so", || {
            // Old checkpoints and segments that go make room.
            disk.fill();
            let (status, text) = get(&address, "/readyz");
            (status == 503 && text.contains("no checkpoint can be written")).then_some(())
        });
        scene.until("failed checkpoints", || {
            let text = get(&address, "/metrics").1;
            let failed = text.lines().find(|line| line.starts_with("geocep_checkpoints_total{result=\"failed\"}"))?;
            (failed.rsplit(' ').next()? != "0").then_some(())
        });
        assert_eq!(get(&address, "/healthz").0, 200, "it is of use");
        // The other sink's disk has room.
        scene.until("alerts beside it", || taken.is_subset(&scene.numbers()).then_some(()));
        if kill {
            daemon.kill();
            disk.make_room();
            daemon = scene.start(&[]);
        } else {
            disk.make_room();
        }
        let address = daemon.api();
        scene.until("that it takes records again", || (send(&address, 1, &mut taken) == 200).then_some(()));
        scene.until("all that was taken", || taken.is_subset(&small()).then_some(()));
        scene.until("that it is well", || (get(&address, "/readyz").0 == 200).then_some(()));
    }
    daemon.terminate();
    assert!(taken.is_subset(&small()) && taken.is_subset(&scene.numbers()));
}
