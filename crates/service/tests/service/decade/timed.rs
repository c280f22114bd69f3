//! Movers in threads, timed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kluis_service::core::What;
use kluis_service::shell::{Kill, Mover, Tell, Threads};
use kluis_vault::{JobFile, MasterKey, Task};

/// How many jobs there were of what was done, and how long they took together.
pub(super) type Spent = Arc<Mutex<BTreeMap<&'static str, (u32, Duration)>>>;

/// Movers in threads, and how long they took by what they did.
#[derive(Default)]
pub(super) struct Timed {
    threads: Threads,
    pub(super) spent: Spent,
}

impl Mover for Timed {
    fn start(&self, file: &JobFile, key: &MasterKey, mut tell: Tell) -> Result<Kill, String> {
        let what = match file.task {
            Task::Snapshot(_) => "snapshots",
            Task::Backup(_) => "transfers",
            _ => "removals",
        };
        let (began, spent) = (Instant::now(), Arc::clone(&self.spent));
        let told: Tell = Box::new(move |heard| {
            if matches!(heard, What::Exited { .. }) {
                let mut spent = spent.lock().unwrap();
                let (count, length) = spent.entry(what).or_default();
                *count += 1;
                *length += began.elapsed();
            }
            tell(heard);
        });
        self.threads.start(file, key, told)
    }
}
