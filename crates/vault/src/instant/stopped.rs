//! The mark that a machine may be held up by its script: what the script before the snapshot stopped, the script after it
//! must start again, even if the job that was in between was killed.

use std::{
    ffi::OsStr,
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
};

use super::{parent_of, script::Script};
use crate::{
    error::VaultError,
    event::{Event, ScriptOutcome},
    job::SnapshotTask,
    store, target,
};

/// A machine between its two scripts.
#[derive(Debug)]
pub(super) struct BetweenScripts<'a> {
    /// The script that is still to be run.
    post: Option<Script<'a>>,
    stopped: Option<Stopped>,
    /// Whether no script failed yet.
    is_well: bool,
}

impl<'a> BetweenScripts<'a> {
    /// Runs the script before the snapshot, if there is one. The one after it is not run where that could not be started.
    pub(super) fn begin(
        job: &str,
        task: &'a SnapshotTask,
        emit: &mut dyn FnMut(Event),
    ) -> Result<Self, VaultError> {
        let scripts = task.scripts.as_ref();
        let mut held = Self {
            post: Script::post(scripts),
            stopped: None,
            is_well: true,
        };
        if let Some(pre) = Script::pre(scripts) {
            let stopped = Stopped::mark(job, task)?;
            let outcome = pre.run(emit);
            held.is_well = outcome == ScriptOutcome::Succeeded;
            if matches!(outcome, ScriptOutcome::NotStarted { .. }) {
                stopped.forget();
                held.post = None;
            } else {
                held.stopped = Some(stopped);
            }
        }
        Ok(held)
    }

    /// Runs the script after the snapshot. Whether no script failed.
    pub(super) fn release(self, emit: &mut dyn FnMut(Event)) -> bool {
        let after = self.post.map(|post| post.run(emit));
        if let Some(stopped) = self.stopped {
            stopped.forget();
        }
        self.is_well && after.is_none_or(|outcome| outcome == ScriptOutcome::Succeeded)
    }
}

/// A mark beside the first disk's place, from before the first script begins until the second has ended.
#[derive(Debug)]
struct Stopped(PathBuf);

impl Stopped {
    fn mark(job: &str, task: &SnapshotTask) -> Result<Self, VaultError> {
        let path = path(job, task)?;
        let made = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .and_then(|file| file.sync_all());
        made.map_err(|source| VaultError::io("create", &path, source))?;
        path.parent().map_or(Ok(()), store::sync_directory)?;
        Ok(Self(path))
    }

    /// The machine goes on, or was never stopped.
    fn forget(self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "the mark of a script stays");
        }
    }
}

/// Runs the script after the snapshot if a job that was killed had run the one before and not that. The mark stays where it
/// did not succeed: the job's next run tries again.
pub(super) fn release(
    job: &str,
    task: &SnapshotTask,
    emit: &mut dyn FnMut(Event),
) -> Result<(), VaultError> {
    let path = path(job, task)?;
    if !path.exists() {
        return Ok(());
    }
    if let Some(post) = Script::post(task.scripts.as_ref()) {
        let (outcome, output) = post.outcome();
        let succeeded = outcome == ScriptOutcome::Succeeded;
        emit(Event::Released { outcome, output });
        if !succeeded {
            return Ok(());
        }
    }
    Stopped(path).forget();
    Ok(())
}

fn path(job: &str, task: &SnapshotTask) -> Result<PathBuf, VaultError> {
    let first = task.disks.first().map(|disk| &disk.to);
    let place = first.ok_or(VaultError::Internal("a snapshot without a disk"))?;
    let directory: io::Result<_> = parent_of(place);
    let directory = directory.map_err(|source| VaultError::io("look at", place, source))?;
    Ok(directory.join(target::hidden_name(OsStr::new("/script"), job)))
}
