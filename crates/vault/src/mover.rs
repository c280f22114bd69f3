//! The mover: one job, from its file to its last event.
//!
//! `kluis mover` is a process of its own for each job, so that its memory goes back with it, cancelling is killing, and a
//! crash ends one job. It is not for people.

use std::{
    fs::File,
    io::{self, Read, Write},
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    process::{self, ExitCode},
    thread,
};

use rustix::event::{PollFd, PollFlags, poll};
use zeroize::Zeroizing;

use crate::{
    aftermath, backup, check, document,
    error::{VaultError, describe},
    event::Event,
    folder, forget, instant,
    job::{FolderTask, JobFile, Task},
    key::MasterKey,
    lock,
    repository::Vault,
    restore, restore_files, scrub, target,
};

/// Why a job failed.
pub type MoverError = VaultError;

/// A job file's and a key's greatest size: a list of changed blocks of a large disk is long.
const LARGEST_JOB: u64 = 256 << 20;
const LARGEST_KEY: u64 = 4 << 10;

/// Does the job and tells of it, from [`Event::Started`] to [`Event::Finished`] or [`Event::Failed`].
///
/// # Errors
/// What `Failed` said, for a caller in the same process.
pub fn run(job: &JobFile, key: MasterKey, emit: &mut dyn FnMut(Event)) -> Result<(), MoverError> {
    perform(job, Some(key), emit)
}

fn perform(
    job: &JobFile,
    key: Option<MasterKey>,
    emit: &mut dyn FnMut(Event),
) -> Result<(), MoverError> {
    emit(Event::Started { pid: process::id() });
    // A panic, of ours or of a library's, is a failed job like any other and not a silence.
    let again = key.clone();
    let done = panic::catch_unwind(AssertUnwindSafe(|| {
        let done = work(job, key, emit);
        if let Some(key) = again {
            aftermath::tell(job, key, &done, emit);
        }
        done
    }));
    let done = done.unwrap_or(Err(VaultError::Internal("the job panicked")));
    match &done {
        Ok(()) => emit(Event::Finished),
        Err(error) => emit(failed(error)),
    }
    done
}

/// Removes what a job that was cancelled left half done outside its vault: a restore's hidden files, a snapshot with its
/// dirty bitmaps; and runs the script after a snapshot if only the one before it was run, and tells how it ended. What it
/// left inside the vault, the next backup and the next prune remove. Not while its mover still runs.
///
/// # Errors
/// A file that cannot be removed.
pub fn clean_up(job: &JobFile, emit: &mut dyn FnMut(Event)) -> Result<(), MoverError> {
    match &job.task {
        Task::Restore(task) => {
            let disks = task.disks.iter().map(|disk| &disk.path);
            let documents = task.documents.iter().map(|document| &document.path);
            disks
                .chain(documents)
                .try_for_each(|path| target::remove_hidden(path, &job.job))
        }
        Task::Snapshot(task) => instant::clean_up(&job.job, task, emit),
        Task::RestoreFiles(task) => restore_files::remove_hidden(&task.to, &job.job),
        Task::Folder(FolderTask::Restore(task)) => restore_files::remove_hidden(&task.to, &job.job),
        Task::Backup(_) | Task::Folder(_) | Task::Forget(_) | Task::Check | Task::Scrub(_) => {
            Ok(())
        }
    }
}

/// Removes the files that a restore had finished before it was given up, and the folders that are empty then; or the folder
/// that it had restored files to. What another job made, or nobody says who, stays. Not while the job's mover still runs.
///
/// # Errors
/// A file that cannot be removed.
pub fn discard(job: &str, paths: &[PathBuf]) -> Result<(), MoverError> {
    paths.iter().try_for_each(|path| {
        if path.is_dir() {
            restore_files::discard(path, job)
        } else {
            target::discard(path, job)
        }
    })
}

/// The process: the job file by its path, the key from standard input, events to standard output.
#[must_use]
pub fn main(path: &Path) -> ExitCode {
    end_with_the_reader();
    let mut tell = |event| {
        if tell(&event).is_err() {
            // Nobody hears of the job any more: it stops like one that was killed, and is run again.
            process::exit(1);
        }
    };
    let read = lock::of_service(path).and_then(|service| {
        let held = lock::hold_job(path)?;
        let job = read_job(path, &held)?;
        // Also where none is needed: it is the last word of a service that has written down who its mover is.
        let key = read_key()?;
        let needs_none = matches!(&job.task, Task::Snapshot(task) if task.straight.is_none());
        let key = (!needs_none).then_some(key);
        Ok((job, key, (service, held)))
    });
    match read {
        Ok((job, key, _held)) => match perform(&job, key, &mut tell) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(error) => {
            tell(failed(&error));
            ExitCode::FAILURE
        }
    }
}

fn work(
    job: &JobFile,
    key: Option<MasterKey>,
    emit: &mut dyn FnMut(Event),
) -> Result<(), VaultError> {
    let path = &job.vault;
    let key = key.ok_or(VaultError::Internal("a vault's job without a key"));
    let open = |key: Result<MasterKey, VaultError>| Vault::open(path, key?);
    match &job.task {
        Task::Snapshot(task) => instant::run(&job.job, task, || open(key), emit),
        Task::Backup(task) => backup::run(&open(key)?, &job.job, task, emit),
        Task::Restore(task) => {
            if !task.disks.is_empty() || task.documents.is_empty() {
                restore::run(|| open(key), &job.job, task, emit)?;
            }
            document::write(&task.documents, &job.job, emit)
        }
        Task::RestoreFiles(task) => restore_files::run(path, &key?, &job.job, task, emit),
        Task::Folder(task) => folder::run(&open(key)?, &job.job, task, emit),
        Task::Forget(task) => forget::run(&open(key)?, task, emit),
        Task::Check => check::run(&open(key)?, emit),
        Task::Scrub(task) => scrub::run(&open(key)?, task, emit),
    }
}

fn failed(error: &VaultError) -> Event {
    Event::Failed {
        code: error.code(),
        message: describe(error),
        recommendation: error.recommendation().to_owned(),
    }
}

fn tell(event: &Event) -> io::Result<()> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}

fn read_job(path: &Path, file: &File) -> Result<JobFile, VaultError> {
    let mut text = String::new();
    file.take(LARGEST_JOB)
        .read_to_string(&mut text)
        .map_err(|source| VaultError::io("read", path, source))?;
    serde_json::from_str(&text).map_err(|error| VaultError::InvalidJob(error.to_string()))
}

fn read_key() -> Result<MasterKey, VaultError> {
    let mut text = Zeroizing::new(String::with_capacity(LARGEST_KEY as usize));
    io::stdin()
        .take(LARGEST_KEY)
        .read_to_string(&mut text)
        .map_err(|source| VaultError::io("read", "the key", source))?;
    MasterKey::from_json(&text)
}

/// Ends the process when whoever reads its events has gone, even in the middle of work that says nothing: otherwise a
/// service that was killed and started again would run the job a second time beside this one.
fn end_with_the_reader() {
    thread::spawn(|| {
        let out = io::stdout();
        loop {
            let mut waiting = [PollFd::new(&out, PollFlags::empty())];
            match poll(&mut waiting, None) {
                Ok(_)
                    if waiting[0]
                        .revents()
                        .intersects(PollFlags::ERR | PollFlags::HUP) =>
                {
                    process::exit(1)
                }
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
        }
    });
}
