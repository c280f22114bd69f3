//! Movers: what moves a job's bytes, as a process, as a thread, or as a script in tests.

mod process;
mod scripted;
mod stall;
mod thread;
mod witness;

use kluis_vault::{JobFile, MasterKey};

use crate::core::What;

pub(super) use process::{Processes, end_orphans};
pub use scripted::Scripted;
pub(super) use stall::{Progress, Watched};
pub use thread::Threads;
pub(super) use witness::Witness;

/// Where a mover's reports go. The last one is [`What::Exited`].
pub type Tell = Box<dyn FnMut(What) + Send>;

/// Ends a job that was started. Calling it after the job's end does nothing.
pub type Kill = Box<dyn FnMut() + Send>;

/// Starts jobs.
pub trait Mover: Send + Sync {
    /// Starts a job and returns at once; what it does is told to `tell`, from another thread if need be.
    ///
    /// # Errors
    /// Why it could not be started, in a person's words. Then nothing is told.
    fn start(&self, file: &JobFile, key: &MasterKey, tell: Tell) -> Result<Kill, String>;
}
