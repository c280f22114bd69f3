//! Between movers and the core: a job that runs again can still be ended, and a report that can't be written is not lost.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use kluis_service::Movers;
use kluis_service::core::What;
use kluis_service::shell::{Kill, Mover, Scripted, Tell};
use kluis_vault::{DiskFormat, Event, JobFile, MasterKey, SnapshotMethod, Task};
use serde_json::{Value, json};

use crate::movers::Site;

/// How long something is watched that must not happen.
const WATCHED: Duration = Duration::from_millis(300);
/// How long something may take that must happen.
const PATIENCE: Duration = Duration::from_secs(60);

fn exited() -> What {
    What::Exited {
        code: None,
        stderr: String::new(),
    }
}

/// Its first mover ends without a word; the next ones go on until they are ended.
struct Relay {
    starts: AtomicU32,
    begun: Sender<u32>,
    ended: Sender<u32>,
}

impl Mover for Relay {
    fn start(&self, _: &JobFile, _: &MasterKey, mut tell: Tell) -> Result<Kill, String> {
        let start = self.starts.fetch_add(1, Ordering::SeqCst) + 1;
        if start == 1 {
            tell(exited());
        }
        self.begun.send(start).unwrap();
        let (ended, mut tell) = (self.ended.clone(), Some(tell));
        Ok(Box::new(move || {
            ended.send(start).unwrap();
            if let Some(mut tell) = tell.take() {
                tell(exited());
            }
        }))
    }
}

#[test]
fn a_job_that_runs_again_can_still_be_cancelled() {
    let dir = tempfile::tempdir().unwrap();
    let ((begun, starts), (ended, ends)) = (channel(), channel());
    let relay = Relay {
        starts: AtomicU32::new(0),
        begun,
        ended,
    };
    let site = Site::start(dir.path(), Movers::Own(Box::new(relay)));
    site.protect();
    let job = site.begin_backup();
    assert_eq!(starts.recv_timeout(PATIENCE), Ok(1));
    assert_eq!(starts.recv_timeout(PATIENCE), Ok(2));
    let asked = site.call("POST", &format!("/backupJobs/{job}/cancel"), &Value::Null);
    assert_eq!(asked.status, 202, "{}", asked.body);
    assert_eq!(site.end_of(&job)["status"], "Cancelled");
    assert_eq!(
        ends.try_iter().collect::<Vec<_>>(),
        [2],
        "the mover that ran was ended"
    );
    site.running.shutdown().unwrap();
}

#[test]
fn a_job_that_runs_again_is_ended_with_its_service() {
    let dir = tempfile::tempdir().unwrap();
    let ((begun, starts), (ended, ends)) = (channel(), channel());
    let relay = Relay {
        starts: AtomicU32::new(0),
        begun,
        ended,
    };
    let site = Site::start(dir.path(), Movers::Own(Box::new(relay)));
    site.protect();
    site.begin_backup();
    assert_eq!(starts.recv_timeout(PATIENCE), Ok(1));
    assert_eq!(starts.recv_timeout(PATIENCE), Ok(2));
    site.running.shutdown().unwrap();
    assert_eq!(ends.try_iter().collect::<Vec<_>>(), [2]);
}

/// Lets every write of `table` that `when` speaks of fail, as on a full disk, until [`room`] is made.
fn fill(dir: &Path, table: &str, when: &str) {
    let sql = format!(
        "CREATE TRIGGER full BEFORE INSERT ON {table} WHEN {when} BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
    );
    state(dir).execute_batch(&sql).unwrap();
}

fn room(dir: &Path) {
    state(dir).execute_batch("DROP TRIGGER full").unwrap();
}

fn state(dir: &Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(dir.join("data/state.db")).unwrap();
    connection.busy_timeout(PATIENCE).unwrap();
    connection
}

/// Does a backup's work in a moment in which the state can't be written, and says when it was heard.
struct Unheard {
    dir: std::path::PathBuf,
    begun: Sender<()>,
    heard: Sender<()>,
}

/// What is told of the disks that went straight into the vault.
fn taken(file: &JobFile) -> Vec<What> {
    let disks = match &file.task {
        Task::Snapshot(task) => &task.disks[..],
        _ => &[],
    };
    let taken = disks.iter().map(|disk| Event::Snapshotted {
        disk: disk.name.clone(),
        size: 1 << 20,
        format: DiskFormat::Raw,
        method: SnapshotMethod::Vault,
        tracked: false,
        touched: false,
        in_use: false,
        image: None,
        checkpoint: None,
    });
    taken.map(What::Event).collect()
}

impl Mover for Unheard {
    fn start(&self, file: &JobFile, _: &MasterKey, mut tell: Tell) -> Result<Kill, String> {
        fill(&self.dir, "jobs", "1");
        self.begun.send(()).unwrap();
        let heard = self.heard.clone();
        let disks = taken(file);
        std::thread::spawn(move || {
            disks.into_iter().for_each(&mut tell);
            tell(What::Event(Event::Saved {
                snapshot: "5a7ed".to_owned(),
                logical: 1,
                read: 1,
                stored: 1,
            }));
            tell(What::Event(Event::Finished));
            tell(exited());
            heard.send(()).unwrap();
        });
        Ok(Box::new(|| {}))
    }
}

fn unheard(dir: &Path) -> (Unheard, [std::sync::mpsc::Receiver<()>; 2]) {
    let ((begun, began), (heard, hearing)) = (channel(), channel());
    let dir = dir.to_owned();
    (Unheard { dir, begun, heard }, [began, hearing])
}

#[test]
fn a_movers_report_is_written_once_it_can_be() {
    let dir = tempfile::tempdir().unwrap();
    let (mover, [_begun, heard]) = unheard(dir.path());
    let site = Site::start(dir.path(), Movers::Own(Box::new(mover)));
    site.protect();
    let job = site.begin_backup();
    assert!(heard.recv_timeout(WATCHED).is_err(), "the report was lost");
    room(dir.path());
    assert_eq!(heard.recv_timeout(PATIENCE), Ok(()));
    assert_eq!(site.end_of(&job)["status"], "Completed");
    let points = site.get(&format!("{}/recoveryPoints", site.item()));
    assert_eq!(points["value"].as_array().unwrap().len(), 1, "{points}");
    site.running.shutdown().unwrap();
}

#[test]
fn a_service_that_can_not_write_can_stop() {
    let dir = tempfile::tempdir().unwrap();
    let (mover, [begun, heard]) = unheard(dir.path());
    let site = Site::start(dir.path(), Movers::Own(Box::new(mover)));
    site.protect();
    site.begin_backup();
    assert_eq!(begun.recv_timeout(PATIENCE), Ok(()));
    site.running.shutdown().unwrap();
    assert_eq!(heard.recv_timeout(PATIENCE), Ok(()));
}

#[test]
fn a_repositorys_report_is_written_once_it_can_be() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let site = Site::start(dir, Movers::Own(Box::new(Scripted::new(|_| Vec::new()))));
    fill(
        dir,
        "vaults",
        r#"NEW.body LIKE '%"provisioningState":"Succeeded"%'"#,
    );
    let made = site.call("PUT", "", &json!({ "location": "westeurope" }));
    assert_eq!(made.status, 201, "{}", made.body);
    let state = || site.get("")["properties"]["provisioningState"].clone();
    let (config, begun) = (dir.join("data/vaults/shop-rg/v1/config"), Instant::now());
    while !config.exists() {
        assert!(begun.elapsed() < PATIENCE, "no repository was made");
        std::thread::yield_now();
    }
    let there = Instant::now();
    while there.elapsed() < WATCHED {
        assert_eq!(state(), "Provisioning");
    }
    room(dir);
    while state() != "Succeeded" {
        assert!(there.elapsed() < PATIENCE, "the report was lost");
        std::thread::yield_now();
    }
    site.running.shutdown().unwrap();
}
