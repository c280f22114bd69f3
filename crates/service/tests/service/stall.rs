//! What does not answer holds nobody up: disks that are no disks, movers that stand still, and those that can't be ended.

use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use kluis_service::shell::{Kill, Mover, Tell, Threads};
use kluis_service::{Config, Movers, start};
use kluis_vault::{DiskFormat, Event, JobFile, MasterKey, SnapshotMethod, Task};
use serde_json::{Value, json};

use crate::movers::{Site, script};
use crate::shell::config;

fn site(dir: &Path, movers: Movers, stalled_after: Duration) -> Site<'_> {
    let running = start(Config {
        movers,
        stalled_after,
        ..config(dir)
    })
    .unwrap();
    Site::of(running, dir)
}

fn title(job: &Value) -> &str {
    job["errorDetails"][0]["errorTitle"]
        .as_str()
        .unwrap_or_default()
}

#[test]
fn a_disk_that_is_a_pipe_is_asked_about_and_backed_up_without_waiting_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let made = Command::new("mkfifo")
        .arg(dir.join("web-2-os.raw"))
        .status();
    assert!(made.unwrap().success());
    let site = site(
        dir,
        Movers::Own(Box::new(Threads)),
        Duration::from_secs(1800),
    );
    site.protect();
    let job = site.back_up();
    assert_eq!(
        (&job["status"], title(&job)),
        (&json!("Failed"), "UserErrorDiskUnreadable")
    );
    assert!(job["errorDetails"].to_string().contains("a pipe"), "{job}");
    site.running.shutdown().unwrap();
}

#[test]
fn a_mover_that_stands_still_is_ended_its_job_has_failed_and_the_item_is_free() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::write(dir.join("web-2-os.raw"), vec![1; 1 << 20]).unwrap();
    let pids = dir.join("pids");
    // Alive, and stopped: it can say nothing, and do nothing.
    let stopped = script(
        dir,
        &format!(
            "echo '{{\"event\":\"started\",\"pid\":'$$'}}'\necho $$ >> {}\nkill -STOP $$",
            pids.display()
        ),
    );
    let site = site(dir, Movers::Program(stopped), Duration::from_secs(2));
    site.protect();
    for _ in 0..2 {
        let job = site.back_up();
        assert_eq!(
            (&job["status"], title(&job)),
            (&json!("Failed"), "JobStalled"),
            "{job}"
        );
    }
    let pids = std::fs::read_to_string(pids).unwrap();
    assert_eq!(pids.lines().count(), 2);
    for pid in pids.lines() {
        assert!(!Path::new("/proc").join(pid).exists(), "{pid} is gone");
    }
    site.running.shutdown().unwrap();
}

#[test]
fn a_mover_that_says_nothing_and_moves_bytes_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::write(dir.join("web-2-os.raw"), vec![1; 1 << 20]).unwrap();
    let last = json!({ "event": "failed", "code": "Io", "message": "done at last", "recommendation": "-" });
    let slow = script(
        dir,
        &format!(
            "echo '{{\"event\":\"started\",\"pid\":'$$'}}'\nfor n in 1 2 3 4 5 6 7 8 9; do head -c 9999 /dev/zero >/dev/null; sleep 1; done\necho '{last}'"
        ),
    );
    let site = site(dir, Movers::Program(slow), Duration::from_secs(6));
    site.protect();
    let job = site.back_up();
    assert!(
        job["errorDetails"].to_string().contains("done at last"),
        "{job}"
    );
    site.running.shutdown().unwrap();
}

/// Takes snapshots, and hangs in the transfer as in a dead disk: no signal ends it.
#[derive(Default)]
struct Hangs(Mutex<Vec<Tell>>);

impl Mover for Hangs {
    fn start(&self, file: &JobFile, _: &MasterKey, mut tell: Tell) -> Result<Kill, String> {
        use kluis_service::core::What;
        tell(What::Event(Event::Started { pid: u32::MAX }));
        if let Task::Snapshot(task) = &file.task {
            for disk in &task.disks {
                tell(What::Event(Event::Snapshotted {
                    disk: disk.name.clone(),
                    size: 1 << 20,
                    format: DiskFormat::Raw,
                    method: SnapshotMethod::Copy,
                    tracked: false,
                    touched: false,
                    in_use: false,
                    image: None,
                    checkpoint: None,
                }));
            }
            tell(What::Event(Event::Finished));
            tell(What::Exited {
                code: Some(0),
                stderr: String::new(),
            });
        } else {
            self.0.lock().unwrap().push(tell);
        }
        Ok(Box::new(|| {}))
    }
}

#[test]
fn a_job_that_hangs_in_its_transfer_can_be_cancelled_though_nothing_ends_its_mover() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::write(dir.join("web-2-os.raw"), vec![1; 1 << 20]).unwrap();
    let site = site(
        dir,
        Movers::Own(Box::<Hangs>::default()),
        Duration::from_secs(6),
    );
    site.protect();
    let job = site.begin_backup();
    let says_so = |job: &Value| job.to_string().contains("no byte was moved");
    while !says_so(&site.get(&format!("/backupJobs/{job}"))) {
        std::thread::yield_now();
    }
    let cancelled = site.call("POST", &format!("/backupJobs/{job}/cancel"), &Value::Null);
    assert_eq!(cancelled.status, 202, "{}", cancelled.body);
    assert_eq!(site.end_of(&job)["status"], "Cancelled");

    // And one that nobody cancels has failed in time.
    let job = site.back_up();
    assert_eq!(
        (&job["status"], title(&job)),
        (&json!("Failed"), "JobStalled"),
        "{job}"
    );
    site.running.shutdown().unwrap();
}
