//! A mover as a process of its own: `kluis mover JOBFILE`, the key over its standard input, events from its standard output.
//!
//! A mover must not outlive its service, else the next one would start the same job beside it. It notices that nobody reads
//! its events any more; to be sure, its process id is written beside its job file before it gets its key, and it takes a lock
//! before it reads that, which the next service waits for after it has ended those that are left ([`end_orphans`]).

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use kluis_vault::{Event, JobFile, MasterKey};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::{Kill, Mover, Tell};
use crate::core::What;
use crate::shell::private;

/// How much of a line is read, in bytes; a mover's events are far shorter.
const LONGEST_LINE: u64 = 16 << 20;
/// How many lines of a mover's error output are kept.
const LAST_LINES: usize = 20;

/// Runs each job in a process.
#[derive(Debug)]
pub(in crate::shell) struct Processes {
    program: PathBuf,
    jobs: PathBuf,
    /// Shared with the movers of this process, each of which locks it by itself.
    _lock: File,
}

impl Processes {
    /// Movers of this program; their job files go to `jobs`. `lock` comes from [`end_orphans`].
    pub(in crate::shell) fn new(program: PathBuf, jobs: PathBuf, lock: File) -> Self {
        Self {
            program,
            jobs,
            _lock: lock,
        }
    }
}

impl Mover for Processes {
    fn start(&self, file: &JobFile, key: &MasterKey, tell: Tell) -> Result<Kill, String> {
        let (mut child, paths) = self.spawn(file, key)?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        // Not by the child itself: whoever ends it must not wait for who waits for its end.
        let handle = pidfd_open(Pid::from_child(&child), PidfdFlags::empty());
        let handle = match handle {
            Ok(handle) => handle,
            Err(error) => {
                let _ = child.kill();
                return Err(format!("the mover could not be held on to: {error}"));
            }
        };
        let follow = move || follow(stdout, stderr, child, &paths, tell);
        if let Err(error) = std::thread::Builder::new()
            .name("mover".to_owned())
            .spawn(follow)
        {
            end(&handle);
            return Err(format!(
                "no thread could be started to follow the mover: {error}"
            ));
        }
        Ok(Box::new(move || end(&handle)))
    }
}

impl Processes {
    fn spawn(&self, file: &JobFile, key: &MasterKey) -> Result<(Child, [PathBuf; 2]), String> {
        let said = |doing: &str, error: &dyn std::fmt::Display| {
            format!("the mover could not be started ({doing}): {error}")
        };
        let key = key
            .to_json()
            .map_err(|error| said("handing over the key", &error))?;
        let name: String = file
            .job
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
            .collect();
        let paths = [
            self.jobs.join(format!("{name}.json")),
            self.jobs.join(format!("{name}.pid")),
        ];
        let text = serde_json::to_vec_pretty(file)
            .map_err(|error| said("writing its job file", &error))?;
        private::write(&paths[0], &text).map_err(|error| said("writing its job file", &error))?;
        let mut child = Command::new(&self.program)
            .arg("mover")
            .arg(&paths[0])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| said(&format!("running {}", self.program.display()), &error))?;
        let handed = private::write(&paths[1], child.id().to_string().as_bytes()).and_then(|()| {
            let mut stdin = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
            stdin.write_all(key.as_bytes())
        });
        // A mover that ends before it has read its key says why on its error output, which is what the job should tell.
        if let Err(error) = handed.or_else(|error| {
            if error.kind() == io::ErrorKind::BrokenPipe {
                Ok(())
            } else {
                Err(error)
            }
        }) {
            child
                .kill()
                .and_then(|()| child.wait())
                .map_err(|error| said("ending it", &error))?;
            return Err(said("handing over the key", &error));
        }
        Ok((child, paths))
    }
}

fn end(mover: &OwnedFd) {
    match pidfd_send_signal(mover, Signal::KILL) {
        // Gone already.
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => tracing::warn!(%error, "a mover could not be ended"),
    }
}

/// Reads a mover's events to their end, then what it leaves behind.
fn follow(
    stdout: Option<impl Read>,
    stderr: Option<impl Read + Send + 'static>,
    mut child: Child,
    paths: &[PathBuf],
    mut tell: Tell,
) {
    let errors = stderr.map(|stderr| std::thread::spawn(move || last_lines(stderr)));
    for line in stdout
        .map(|stdout| Lines(BufReader::new(stdout)))
        .into_iter()
        .flatten()
    {
        match serde_json::from_str::<Event>(&line) {
            Ok(event) => tell(What::Event(event)),
            Err(error) => tracing::warn!(%error, "a mover said something that is no event"),
        }
    }
    let code = child.wait().ok().and_then(|status| status.code());
    let stderr = errors
        .and_then(|errors| errors.join().ok())
        .unwrap_or_default();
    for path in paths {
        if let Err(error) = fs::remove_file(path) {
            tracing::warn!(%error, path = %path.display(), "a job's file could not be removed");
        }
    }
    tell(What::Exited { code, stderr });
}

/// Lines of at most [`LONGEST_LINE`] bytes; a longer one comes in pieces, none of which is an event.
struct Lines<R>(BufReader<R>);

impl<R: Read> Iterator for Lines<R> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let mut line = Vec::new();
        let read = self
            .0
            .by_ref()
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)
            .ok()?;
        (read > 0).then(|| String::from_utf8_lossy(&line).trim_end().to_owned())
    }
}

fn last_lines(stderr: impl Read) -> String {
    let mut last = VecDeque::new();
    for line in Lines(BufReader::new(stderr)) {
        tracing::debug!(mover = %line);
        last.push_back(line.chars().take(500).collect::<String>());
        if last.len() > LAST_LINES {
            last.pop_front();
        }
    }
    Vec::from(last).join("\n")
}

/// What an earlier service's movers left in their folder.
#[derive(Debug)]
pub(in crate::shell) struct Orphans {
    files: Vec<PathBuf>,
}

/// Ends the movers that an earlier service left behind and waits until they are gone. Returns the lock that this service's
/// movers will hold, and what is left of the others.
pub(in crate::shell) fn end_orphans(jobs: &Path) -> io::Result<(File, Orphans)> {
    private::folder(jobs)?;
    let left: Vec<PathBuf> = fs::read_dir(jobs)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()?;
    left.iter()
        .filter(|path| has_extension(path, "pid"))
        .for_each(|path| kill_orphan(path));
    let lock = private::lock_file(&jobs.with_extension("lock"))?;
    // Until the last of them is gone: a killed process goes in a moment, and one that hangs must not be joined by another.
    lock.lock()?;
    // Nobody else can begin meanwhile: the data folder is this service's already.
    lock.lock_shared()?;
    let files = left.into_iter().filter(|path| path.is_file()).collect();
    Ok((lock, Orphans { files }))
}

impl Orphans {
    /// Removes what the jobs left half done that `is_half_done`. What a job had finished, and was heard to have, is somebody's
    /// by now: a mover that was not there any more to take its job file along left no less for that. Returns what is told of
    /// it, with the jobs.
    pub(in crate::shell) fn clean_up<E>(
        self,
        is_half_done: impl Fn(&JobFile) -> Result<bool, E>,
    ) -> Result<Vec<(String, Event)>, E> {
        let mut told = Vec::new();
        for path in self.files {
            let file = has_extension(&path, "json").then(|| read(&path)).flatten();
            if let Some(file) = file
                && is_half_done(&file)?
                && let Err(error) = kluis_vault::mover::clean_up(&file, &mut |event| {
                    told.push((file.job.clone(), event));
                })
            {
                tracing::warn!(error = %kluis_vault::error::describe(&error), "a job left files behind");
            }
            // The next start asks the same of it again.
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(%error, path = %path.display(), "a job's file could not be removed");
            }
        }
        Ok(told)
    }
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

/// A job file; one that a crash cut off was never read by a mover either.
fn read(path: &Path) -> Option<JobFile> {
    fs::read(path)
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
}

/// Ends the process whose id is in this file, if it still is a mover of this job: ids are given again.
fn kill_orphan(path: &Path) {
    let pid = private::read(path)
        .ok()
        .flatten()
        .and_then(|text| text.trim().parse().ok())
        .and_then(Pid::from_raw);
    let Some(pid) = pid else { return };
    let command = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
    let job_file = path.with_extension("json");
    let is_ours = command
        .split(|byte| *byte == 0)
        .any(|argument| argument == job_file.as_os_str().as_encoded_bytes());
    if is_ours {
        tracing::info!(
            pid = pid.as_raw_nonzero(),
            "ending a mover that an earlier service left behind"
        );
        if let Err(error) = rustix::process::kill_process(pid, Signal::KILL) {
            tracing::warn!(%error, "it could not be ended");
        }
    }
}
