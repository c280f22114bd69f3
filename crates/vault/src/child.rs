//! Programs that a mover runs: bounded in time and in what is kept of their words, and never left behind.
//!
//! A program is started in a process group of its own by a shell that first starts a watcher beside it: the watcher reads
//! from a pipe that only the mover holds, and when that ends, because the mover was killed, it kills the group. So what a
//! mover started ends with it, however the mover ends. Whatever is left of the group goes when the program itself has ended.

use std::{
    io::{self, Read},
    os::unix::{fs::FileExt, process::CommandExt},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{MemfdFlags, OFlags, SealFlags},
    pipe::PipeFlags,
    process::{Pid, PidfdFlags, Signal},
};

/// The only thing that a program finds in its environment beside the language.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What is kept of a program's words where they are for a person: the last of them, in bytes.
pub(crate) const LAST_WORDS: usize = 1000;

/// Reads until the mover is gone, then ends the group; meanwhile the shell becomes the program.
const LEASH: &str = r#"exec 3<&0 </dev/null
(read -r _ <&3; kill -s KILL 0) >/dev/null 2>&1 &
exec "$0" "$@" 3<&-"#;

/// How a program ended, and the last that it said.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None` if it took too long and was killed.
    pub(crate) status: Option<ExitStatus>,
    pub(crate) output: String,
}

/// A program that ends with this process, to be given arguments and [`run`].
pub(crate) fn leashed(program: &Path) -> Command {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", LEASH])
        .arg(program)
        .stdin(Stdio::piped());
    command
}

/// Runs a program to its end, or to that of its time, and keeps the last of its words, in bytes. It finds an empty environment and the root as its directory.
pub(crate) fn run(command: Command, timeout: Duration, keep: usize) -> io::Result<Ended> {
    let mut last = Vec::new();
    let status = attend(command, None, timeout, &mut |said| {
        last.extend_from_slice(said);
        let surplus = last.len().saturating_sub(keep);
        last.drain(..surplus);
    })?;
    Ok(Ended {
        status,
        output: plain(&last),
    })
}

/// As [`run`], for a program whose answer is read by another: all of it is given to `heard` as it comes, and the words that are kept are
/// those beside the answer, on standard error.
pub(crate) fn listen(
    command: Command,
    timeout: Duration,
    heard: &mut dyn FnMut(&[u8]),
) -> io::Result<Ended> {
    // It can't grow: what is said beyond it is not kept.
    let beside = rustix::fs::memfd_create(
        "beside-the-answer",
        MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING,
    )?;
    let beside = std::fs::File::from(beside);
    beside.set_len(LAST_WORDS as u64)?;
    rustix::fs::fcntl_add_seals(&beside, SealFlags::GROW)?;
    let stderr = Stdio::from(beside.try_clone()?);
    let status = attend(command, Some(stderr), timeout, heard)?;
    let mut words = [0; LAST_WORDS];
    beside.read_exact_at(&mut words, 0)?;
    let said = words.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(Ended {
        status,
        output: plain(said),
    })
}

/// Runs a program to its end, or to that of its time: `None`. Without `stderr` of its own both its outputs are heard.
fn attend(
    mut command: Command,
    stderr: Option<Stdio>,
    timeout: Duration,
    heard: &mut dyn FnMut(&[u8]),
) -> io::Result<Option<ExitStatus>> {
    let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    rustix::fs::fcntl_setfl(&reader, OFlags::NONBLOCK)?;
    command
        .env_clear()
        .env("PATH", PATH)
        .env("LC_ALL", "C")
        .current_dir("/")
        .process_group(0)
        .stdout(Stdio::from(writer.try_clone()?))
        .stderr(stderr.unwrap_or_else(|| Stdio::from(writer)));
    let mut child = command.spawn()?;
    // It holds the pipe's other end.
    drop(command);
    let mut words = Words {
        pipe: std::fs::File::from(reader),
        heard,
        open: true,
    };
    let in_time = wait(&child, Instant::now() + timeout, &mut words);
    // Before it is waited for: until then its id, which is the group's, is nobody else's.
    if let Some(group) = Pid::from_raw(i32::try_from(child.id()).unwrap_or_default()) {
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
    }
    let status = child.wait()?;
    words.read();
    Ok(in_time?.then_some(status))
}

/// On one line, with nothing in it that a terminal would obey.
fn plain(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().map(plain).collect()
}

/// Waits until a process has ended, listening to it; false if it did not in time.
fn wait(child: &Child, deadline: Instant, words: &mut Words<'_>) -> io::Result<bool> {
    let process = rustix::process::pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    loop {
        let Some(left) = deadline.checked_duration_since(Instant::now()) else {
            return Ok(false);
        };
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        let ended = PollFd::new(&process, PollFlags::IN);
        let said = PollFd::new(&words.pipe, PollFlags::IN);
        let mut both = [ended, said];
        let watched = if words.open {
            &mut both[..]
        } else {
            &mut both[..1]
        };
        match poll(watched, Some(&left)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        if !both[0].revents().is_empty() {
            return Ok(true);
        }
        if !both[1].revents().is_empty() {
            words.read();
        }
    }
}

/// What a program says.
struct Words<'a> {
    pipe: std::fs::File,
    heard: &'a mut dyn FnMut(&[u8]),
    open: bool,
}

impl Words<'_> {
    /// Reads what there is, and does not wait for more.
    fn read(&mut self) {
        let mut buffer = [0; 4096];
        while self.open {
            match self.pipe.read(&mut buffer) {
                Ok(0) => self.open = false,
                Ok(length) => {
                    (self.heard)(&buffer[..length]);
                    if length < buffer.len() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.open = false,
            }
        }
    }
}
