//! Between a mover and the core: thins out progress, and asks the vault when a mover ends without a last word.

use std::iter;
use std::time::{Duration, Instant};

use kluis_vault::{Event, JobFile, MasterKey, Task, repository};

use crate::core::What;

/// Progress is written down at most this often: each time costs a durable commit.
const PROGRESS: Duration = Duration::from_millis(500);

/// Listens to one job's mover.
pub(in crate::shell) struct Witness {
    file: JobFile,
    key: MasterKey,
    last_word: bool,
    saved: bool,
    /// When progress was told last; at first, when the job began: a short one tells none.
    progress: Instant,
}

impl Witness {
    pub(in crate::shell) fn new(file: &JobFile, key: &MasterKey) -> Self {
        Self {
            file: file.clone(),
            key: key.clone(),
            last_word: false,
            saved: false,
            progress: Instant::now(),
        }
    }

    /// What the core should hear of this report: it, nothing, or more than it.
    pub(in crate::shell) fn heard(&mut self, what: What) -> Vec<What> {
        match &what {
            What::Event(Event::Progress { done, total }) if done < total => {
                if self.progress.elapsed() < PROGRESS {
                    return Vec::new();
                }
                self.progress = Instant::now();
            }
            What::Event(event) => {
                self.saved |= matches!(event, Event::Saved { .. });
                self.last_word |= event.is_last();
            }
            What::Exited { .. } if !self.last_word => {
                let mut found = self.clean_up();
                found.extend(self.in_the_vault());
                found.push(what);
                return found;
            }
            What::Exited { .. } | What::StandsStill { .. } => {}
        }
        vec![what]
    }

    /// What a restore had half written goes with its mover; nobody would ever finish it. Returns what is told of that.
    fn clean_up(&self) -> Vec<What> {
        let mut told = Vec::new();
        let mut tell = |event| told.push(What::Event(event));
        if let Err(error) = kluis_vault::mover::clean_up(&self.file, &mut tell) {
            tracing::warn!(job = %self.file.job, error = %kluis_vault::error::describe(&error), "a job left files behind");
        }
        told
    }

    /// A backup that died between saving its snapshot and saying so has still been made: the vault knows.
    fn in_the_vault(&self) -> Vec<What> {
        let is_straight = match &self.file.task {
            Task::Backup(_) => false,
            Task::Snapshot(task) if task.straight.is_some() => true,
            _ => return Vec::new(),
        };
        if self.saved {
            return vec![What::Event(Event::Finished)];
        }
        match repository::find_by_job(&self.file.vault, &self.key, &self.file.job) {
            Ok(Some(saved)) => {
                let (snapshot, logical, read, stored) =
                    (saved.snapshot, saved.logical, saved.read, saved.stored);
                let saved = What::Event(Event::Saved {
                    snapshot,
                    logical,
                    read,
                    stored,
                });
                // Of what went straight into the vault nobody knows yet whether all was told of its disks.
                let finished = (!is_straight).then_some(What::Event(Event::Finished));
                iter::once(saved).chain(finished).collect()
            }
            Ok(None) => Vec::new(),
            Err(error) => {
                tracing::warn!(job = %self.file.job, error = %kluis_vault::error::describe(&error), "the vault could not be asked about a lost job");
                Vec::new()
            }
        }
    }
}
