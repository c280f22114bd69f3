//! A mover in a thread of this process: for tests, and where no binary is at hand.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kluis_vault::{JobFile, MasterKey};

use super::{Kill, Mover, Tell};
use crate::core::What;

/// Runs each job in a thread.
///
/// A thread can't be ended from outside: a killed job's thread goes on silently to its end, and what it still saves nobody
/// refers to. Processes don't have that flaw.
#[derive(Debug, Default)]
pub struct Threads;

impl Mover for Threads {
    fn start(&self, file: &JobFile, key: &MasterKey, tell: Tell) -> Result<Kill, String> {
        let killed = Arc::new(AtomicBool::new(false));
        let (file, key, mut tell, silent) = (file.clone(), key.clone(), tell, Arc::clone(&killed));
        let run = move || {
            let ended = catch_unwind(AssertUnwindSafe(|| {
                kluis_vault::mover::run(&file, key, &mut |event| {
                    if !silent.load(Ordering::Acquire) {
                        tell(What::Event(event));
                    }
                })
            }));
            let (code, stderr) = match ended {
                _ if silent.load(Ordering::Acquire) => (None, "it was ended on request".to_owned()),
                Ok(Ok(())) => (Some(0), String::new()),
                Ok(Err(error)) => (Some(1), crate::store::chain(&error)),
                Err(_) => (None, "it panicked".to_owned()),
            };
            tell(What::Exited { code, stderr });
        };
        std::thread::Builder::new()
            .name("mover".to_owned())
            .spawn(run)
            .map_err(|error| error.to_string())?;
        Ok(Box::new(move || killed.store(true, Ordering::Release)))
    }
}
