//! How far a job is, and how its threads stop when one of them cannot go on.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use crate::{error::VaultError, event::Event};

/// The shortest time between two progress events.
const INTERVAL: Duration = Duration::from_millis(100);

/// Bytes done of bytes to do.
#[derive(Debug)]
pub(crate) struct Meter {
    done: AtomicU64,
    total: AtomicU64,
}

impl Meter {
    pub(crate) fn new(total: u64) -> Self {
        Self {
            done: AtomicU64::new(0),
            total: AtomicU64::new(total),
        }
    }

    /// There is more to do than it seemed.
    pub(crate) fn extend(&self, bytes: u64) {
        self.total.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Does `work` on a thread of its own and tells meanwhile how far it is.
    pub(crate) fn watch<T: Send>(
        &self,
        emit: &mut dyn FnMut(Event),
        work: impl FnOnce() -> Result<T, VaultError> + Send,
    ) -> Result<T, VaultError> {
        thread::scope(|scope| {
            let (finished, wait) = mpsc::channel::<()>();
            let worker = scope.spawn(move || {
                let _finished = finished;
                work()
            });
            let mut told = None;
            while wait.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                self.tell(&mut told, emit);
            }
            let result = worker
                .join()
                .unwrap_or(Err(VaultError::Internal("a thread of the job panicked")));
            if result.is_ok() {
                self.tell(&mut told, emit);
            }
            result
        })
    }

    fn tell(&self, told: &mut Option<u64>, emit: &mut dyn FnMut(Event)) {
        let total = self.total.load(Ordering::Relaxed);
        let done = self.done.load(Ordering::Relaxed).min(total);
        if *told != Some(done) {
            *told = Some(done);
            emit(Event::Progress { done, total });
        }
    }
}

/// The first error of any thread; the others stop when they see that there is one.
#[derive(Debug, Default)]
pub(crate) struct Failure {
    failed: AtomicBool,
    first: Mutex<Option<VaultError>>,
}

impl Failure {
    pub(crate) fn is_set(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    fn set(&self, error: VaultError) {
        self.first
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(error);
        self.failed.store(true, Ordering::Release);
    }

    /// Does `work` on the thread that calls, and keeps its error, or that it panicked: nobody waits for what will not come.
    pub(crate) fn watch(&self, work: impl FnOnce() -> Result<(), VaultError>) {
        let done = panic::catch_unwind(AssertUnwindSafe(work));
        if let Err(error) =
            done.unwrap_or(Err(VaultError::Internal("a thread of the job panicked")))
        {
            self.set(error);
        }
    }

    /// The first error, if there was one; it is given out once.
    pub(crate) fn first(&self) -> Option<VaultError> {
        self.first
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

/// Threads for work that uses a core each.
pub(crate) fn workers() -> usize {
    thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 8))
}
