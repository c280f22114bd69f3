//! Whether a mover still moves anything, and how one ends that does not.
//!
//! Progress is bytes: those that a mover tells of, and those that the kernel counts for it and the programs it runs, because a
//! prune or a check tells of none for a long time. A thread that only says that it lives is no progress. Time is the machine's,
//! whatever the service's clock says.

use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kluis_vault::{Event, FailureCode, JobFile, Task};

use crate::core::What;

/// A mover whose process does not go within this time after it was killed hangs in the kernel.
const GOING: Duration = Duration::from_secs(30);

/// What is known of one mover's progress, by who hears it and by who watches it.
#[derive(Debug)]
pub(in crate::shell) struct Progress {
    limit: Duration,
    state: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    pid: Option<u32>,
    /// When something moved last.
    moved: Instant,
    /// What the kernel had counted then, and what the mover had told.
    counted: u64,
    told: u64,
    /// Whether the core was told that it stands still.
    stands_still: bool,
    /// When it was killed, and whether for standing still.
    killed: Option<(Instant, bool)>,
    /// Whether the core has heard its end.
    over: bool,
}

/// What is to be done about a mover now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::shell) enum Watched {
    /// Nothing.
    Fine,
    /// The core is to hear how long it has stood still; zero when it goes on.
    StandsStill(Duration),
    /// It is to be killed.
    Stalled,
    /// It was killed and is still there: its job ends without it.
    Hangs,
}

impl Progress {
    /// Of a mover that begins now. `after`: how long it may stand still beside what its scripts may take.
    pub(in crate::shell) fn new(file: &JobFile, after: Duration) -> Self {
        let scripts = match &file.task {
            Task::Snapshot(task) => task
                .scripts
                .as_ref()
                .map_or(0, |scripts| scripts.timeout_seconds),
            _ => 0,
        };
        Self {
            limit: after + Duration::from_secs(u64::from(scripts)),
            state: Mutex::new(Known {
                pid: None,
                moved: Instant::now(),
                counted: 0,
                told: 0,
                stands_still: false,
                killed: None,
                over: false,
            }),
        }
    }

    /// Takes in what a mover says.
    pub(in crate::shell) fn heard(&self, what: &What) {
        let mut known = self.known();
        match what {
            What::Event(Event::Progress { done, .. }) => {
                if *done <= known.told {
                    return;
                }
                known.told = *done;
            }
            What::Event(Event::Started { pid }) => known.pid = Some(*pid),
            What::Event(_) => known.told = 0,
            What::StandsStill { .. } | What::Exited { .. } => return,
        }
        known.moved = Instant::now();
    }

    /// Looks at it.
    pub(in crate::shell) fn watch(&self) -> Watched {
        let pid = self.known().pid;
        // Without the lock: who tells of the mover must not wait for the kernel.
        let counted = pid.map(counted).unwrap_or_default();
        let mut known = self.known();
        if known.over {
            return Watched::Fine;
        }
        if let Some((when, _)) = known.killed {
            if when.elapsed() < GOING.min(self.limit) {
                return Watched::Fine;
            }
            return Watched::Hangs;
        }
        if counted != known.counted {
            known.counted = counted;
            known.moved = Instant::now();
        }
        let still = known.moved.elapsed();
        if still >= self.limit {
            known.killed = Some((Instant::now(), true));
            return Watched::Stalled;
        }
        let stands_still = still >= self.limit / 6;
        if stands_still == known.stands_still {
            return Watched::Fine;
        }
        known.stands_still = stands_still;
        Watched::StandsStill(if stands_still { still } else { Duration::ZERO })
    }

    /// It is killed now, because somebody wants it.
    pub(in crate::shell) fn kill(&self) {
        self.known().killed.get_or_insert((Instant::now(), false));
    }

    /// Whether its process outlived its job.
    pub(in crate::shell) fn is_left(&self) -> bool {
        let known = self.known();
        known.over && known.killed.is_some()
    }

    /// What the core hears last, if it has not heard an end yet: `found` is what its end brought to light, and `what` that.
    pub(in crate::shell) fn end(&self, found: Vec<What>, what: What) -> Vec<What> {
        let mut known = self.known();
        if std::mem::replace(&mut known.over, true) {
            return Vec::new();
        }
        let stalled = known.killed.is_some_and(|(_, stalled)| stalled);
        let failed = stalled.then(|| What::Event(self.failed()));
        found.into_iter().chain(failed).chain([what]).collect()
    }

    fn failed(&self) -> Event {
        let minutes = self.limit.as_secs_f64() / 60.0;
        Event::Failed {
            code: FailureCode::Stalled,
            message: format!(
                "for {minutes:.1} min no byte was read or written; the job was ended so that it holds nobody up"
            ),
            recommendation: "Look at the volumes of the disks and of the vault: the system's log tells of devices that don't answer. Then run it again; a job that is only slow needs more time (kluis service --stalled-after MINUTES).".to_owned(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that the kernel counts as read and written by a process and those that it started, whatever they were.
fn counted(pid: u32) -> u64 {
    let mut all = vec![pid];
    let mut bytes = 0_u64;
    // Each is looked at once; a process has one parent.
    while let Some(pid) = all.pop() {
        bytes = bytes.wrapping_add(moved_by(pid));
        let tasks = fs::read_dir(format!("/proc/{pid}/task"));
        for task in tasks.into_iter().flatten().flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            all.extend(
                children
                    .split_whitespace()
                    .filter_map(|id| id.parse::<u32>().ok()),
            );
        }
    }
    bytes
}

fn moved_by(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let lines = text.lines().filter_map(|line| {
        let (name, bytes) = line.split_once(": ")?;
        matches!(name, "rchar" | "wchar").then(|| bytes.trim().parse::<u64>().ok())?
    });
    lines.fold(0, u64::wrapping_add)
}
