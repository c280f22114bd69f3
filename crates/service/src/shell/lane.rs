//! A lane: work of one sort, done in its order by threads of its own, so that it stands before no other sort.

use std::io;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

/// Work for a number of threads. Dropped, it waits for what was begun; what its owner gave it before is done, too, unless
/// the work itself asks whether it still should be.
pub(super) struct Lane<T> {
    work: Option<Sender<T>>,
    threads: Vec<JoinHandle<()>>,
}

impl<T: Send + 'static> Lane<T> {
    /// A lane of `threads` threads: so much of it is done at once.
    ///
    /// # Errors
    /// When a thread can't be started.
    pub(super) fn new(
        name: &str,
        threads: usize,
        work: impl Fn(T) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let (sender, receiver) = channel();
        let (receiver, work) = (Arc::new(Mutex::new(receiver)), Arc::new(work));
        let threads = (0..threads).map(|_| {
            let (receiver, work) = (Arc::clone(&receiver), Arc::clone(&work));
            Builder::new().name(name.to_owned()).spawn(move || {
                loop {
                    // One waits with the lock, the others wait for the lock; none holds it while it works.
                    let next = receiver
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .recv();
                    match next {
                        Ok(next) => work(next),
                        Err(_) => return,
                    }
                }
            })
        });
        let threads = threads.collect::<io::Result<_>>()?;
        Ok(Self {
            work: Some(sender),
            threads,
        })
    }

    /// Has it done when its turn comes.
    pub(super) fn push(&self, next: T) {
        if self
            .work
            .as_ref()
            .is_some_and(|work| work.send(next).is_err())
        {
            tracing::error!("a lane has ended; the next start does what it had to do");
        }
    }
}

impl<T> Drop for Lane<T> {
    fn drop(&mut self) {
        self.work = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a lane's thread had ended by itself");
            }
        }
    }
}
