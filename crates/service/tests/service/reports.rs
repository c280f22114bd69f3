//! Between movers and the core: a job that runs again can still be ended.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use kluis_service::Movers;
use kluis_service::core::What;
use kluis_service::shell::{Kill, Mover, Tell};
use kluis_vault::{JobFile, MasterKey};
use serde_json::Value;

use crate::movers::Site;

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
