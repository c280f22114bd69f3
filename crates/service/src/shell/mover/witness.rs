//! Between a mover and the core: thins out progress, and asks the vault when a mover ends without a last word.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use kluis_vault::{Event, JobFile, MasterKey, Task, repository};

use crate::core::What;

/// Progress is written down at most this often: each time costs a durable commit.
const PROGRESS: Duration = Duration::from_millis(500);

/// Listens to one job's mover.
pub(in crate::shell) struct Witness {
    job: String,
    vault: PathBuf,
    key: MasterKey,
    is_backup: bool,
    last_word: bool,
    saved: bool,
    progress: Option<Instant>,
}

impl Witness {
    pub(in crate::shell) fn new(file: &JobFile, key: &MasterKey) -> Self {
        Self {
            job: file.job.clone(),
            vault: file.vault.clone(),
            key: key.clone(),
            is_backup: matches!(file.task, Task::Backup(_)),
            last_word: false,
            saved: false,
            progress: None,
        }
    }

    /// What the core should hear of this report: it, nothing, or more than it.
    pub(in crate::shell) fn heard(&mut self, what: What) -> Vec<What> {
        match &what {
            What::Event(Event::Progress { done, total }) if done < total => {
                let due = self.progress.is_none_or(|last| last.elapsed() >= PROGRESS);
                if !due {
                    return Vec::new();
                }
                self.progress = Some(Instant::now());
            }
            What::Event(event) => {
                self.saved |= matches!(event, Event::Saved { .. });
                self.last_word |= event.is_last();
            }
            What::Exited { .. } if !self.last_word && self.is_backup => {
                let mut found = self.in_the_vault();
                found.push(what);
                return found;
            }
            What::Exited { .. } => {}
        }
        vec![what]
    }

    /// A backup that died between saving its snapshot and saying so has still been made: the vault knows.
    fn in_the_vault(&self) -> Vec<What> {
        if self.saved {
            return vec![What::Event(Event::Finished)];
        }
        match repository::find_by_job(&self.vault, &self.key, &self.job) {
            Ok(Some(saved)) => {
                let (snapshot, logical, read, stored) =
                    (saved.snapshot, saved.logical, saved.read, saved.stored);
                vec![
                    What::Event(Event::Saved {
                        snapshot,
                        logical,
                        read,
                        stored,
                    }),
                    What::Event(Event::Finished),
                ]
            }
            Ok(None) => Vec::new(),
            Err(error) => {
                tracing::warn!(job = %self.job, error = %kluis_vault::error::describe(&error), "the vault could not be asked about a lost job");
                Vec::new()
            }
        }
    }
}
