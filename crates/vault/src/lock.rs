//! Who may use a vault at a time: any number of jobs that write and read, or one that removes.
//!
//! The lock is the kernel's (`flock`, on the file `config`), so that it ends with its process and a crash leaves none
//! behind. Because a prune holds the vault alone, it may remove at once what nothing refers to: rustic's two-phase
//! deletion waits 23 hours of the machine's clock, which a recovery point's time, that may be virtual, knows nothing of.

use std::{fs::File, io::ErrorKind, path::Path};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use crate::error::VaultError;

/// Held for as long as it lives.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "the lock ends when the file is closed")] File);

impl Lock {
    /// Waits for a prune to end, if one is running, and lets none begin.
    pub(crate) fn shared(vault: &Path) -> Result<Self, VaultError> {
        let file = open(vault)?;
        retry(vault, || flock(&file, FlockOperation::LockShared))?;
        Ok(Self(file))
    }

    /// Lets no prune begin; [`VaultError::Busy`] if one is running, because somebody waits for an answer.
    pub(crate) fn shared_now(vault: &Path) -> Result<Self, VaultError> {
        let file = open(vault)?;
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(Self(file)),
            Err(Errno::WOULDBLOCK | Errno::INTR) => Err(VaultError::Busy(vault.to_owned())),
            Err(errno) => Err(VaultError::io("lock", vault, errno)),
        }
    }

    /// The vault for oneself; `None` if any other job is using it.
    pub(crate) fn alone(vault: &Path) -> Result<Option<Self>, VaultError> {
        let file = open(vault)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self(file))),
            Err(Errno::WOULDBLOCK | Errno::INTR) => Ok(None),
            Err(errno) => Err(VaultError::io("lock", vault, errno)),
        }
    }
}

/// Keeps a second process from running the same job file; waits until the first has ended.
pub(crate) fn hold_job(path: &Path) -> Result<File, VaultError> {
    let file = File::open(path).map_err(|source| VaultError::io("open", path, source))?;
    retry(path, || flock(&file, FlockOperation::LockExclusive))?;
    Ok(file)
}

/// Says that a mover of this job's service lives, for as long as the file is open: the next service begins when all of them
/// are gone. `None` where the job is of no service. Programs that the mover runs don't have it: what one of them leaves
/// running is nobody's to wait for.
///
/// Taken before the key is read, which the service hands over last: a mover that the next service doesn't find here has
/// done nothing yet, and will not.
pub(crate) fn of_service(job: &Path) -> Result<Option<File>, VaultError> {
    let Some(path) = job.parent().map(|jobs| jobs.with_extension("lock")) else {
        return Ok(None);
    };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(VaultError::io("open", path, source)),
    };
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(Some(file)),
        Err(Errno::WOULDBLOCK | Errno::INTR) => Err(VaultError::Internal(
            "the service that wanted the job has ended, and another has begun",
        )),
        Err(errno) => Err(VaultError::io("lock", path, errno)),
    }
}

fn open(vault: &Path) -> Result<File, VaultError> {
    let path = vault.join("config");
    File::open(&path).map_err(|source| VaultError::io("open", path, source))
}

fn retry(path: &Path, mut call: impl FnMut() -> rustix::io::Result<()>) -> Result<(), VaultError> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            done => return done.map_err(|errno| VaultError::io("lock", path, errno)),
        }
    }
}
