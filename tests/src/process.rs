//! Processes that run beside a test: started with their output in a file,
//! ended with their owner, and with the whole test run even when that is killed.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::until::{Look, seconds, until};

/// How long a process may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(60);

/// Whether a process ends with us or stays when we go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// The kernel kills it when we die, whatever we die of.
    WithUs,
    /// It stays, in a process group of its own so that a terminal's Ctrl-C passes it by.
    OnItsOwn,
}

/// A process beside us.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    child: Child,
    log: PathBuf,
    life: Life,
}

impl Daemon {
    /// Starts `command` with both outputs appended to `log`.
    pub fn start(name: &str, command: Command, log: &Path, life: Life) -> Result<Self> {
        let out = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("opening {}", log.display()))?;
        let err = out.try_clone()?;
        let mut command = match life {
            Life::WithUs => tied(&command),
            Life::OnItsOwn => command,
        };
        command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0);
        let child = spawn(command).with_context(|| format!("starting {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log: log.to_path_buf(),
            life,
        })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The log's last lines, for an error message.
    pub fn tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(25);
        format!(
            "the end of {}'s log ({}):\n{}",
            self.name,
            self.log.display(),
            lines[from..].join("\n")
        )
    }

    /// How it ended, when it has.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// An error with the log's end when the process is no longer there.
    pub fn check(&mut self) -> Result<()> {
        match self.ended()? {
            None => Ok(()),
            Some(status) => bail!("{} ended: {status}; {}", self.name, self.tail()),
        }
    }

    /// Waits for `ready`, and fails at once when the process ends before.
    pub fn ready<T>(
        &mut self,
        limit: Duration,
        mut ready: impl FnMut() -> Result<Look<T>>,
    ) -> Result<T> {
        let what = format!("{} to be ready", self.name);
        let found = until(&what, limit, || {
            self.check()?;
            ready()
        });
        found.map_err(|why| why.context(self.tail()))
    }

    /// kill -9, and gone when this returns.
    pub fn kill(&mut self) -> Result<()> {
        self.child
            .kill()
            .with_context(|| format!("killing {}", self.name))?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        if let Some(status) = self.ended()? {
            return Ok(status);
        }
        signal(self.id(), Signal::TERM)?;
        self.wait(GRACE)
    }

    /// Waits until it ends of itself.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let what = format!("{} to end", self.name);
        let ended = until(&what, limit, || {
            Ok(match self.child.try_wait()? {
                Some(status) => Look::Done(status),
                None => Look::NotYet("it is still running".to_owned()),
            })
        });
        ended.map_err(|why| why.context(self.tail()))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.life == Life::WithUs {
            // A process that has already gone is what is wanted here.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Sends `signal` to the process `id`.
pub fn signal(id: u32, signal: Signal) -> Result<()> {
    let pid = i32::try_from(id)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| anyhow!("{id} is no process id"))?;
    kill_process(pid, signal).with_context(|| format!("sending a signal to process {id}"))
}

/// Runs a command to its end and returns what it printed.
///
/// # Errors
/// Names the command, its exit code and what it wrote to its standard error.
pub fn run(command: &mut Command) -> Result<String> {
    let shown = shown(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("running {shown}: is it installed?"))?;
    if !output.status.success() {
        bail!(
            "{shown}: {}\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A loopback port nobody listens on at this moment.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("asking for a free port")?;
    Ok(listener.local_addr()?.port())
}

/// A deadline for a process to be ready on a machine where others are at work too.
pub fn patience() -> Duration {
    seconds(180)
}

fn shown(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let arguments: Vec<_> = command
        .get_args()
        .map(|argument| argument.to_string_lossy())
        .collect();
    format!("`{program} {}`", arguments.join(" "))
}

/// The same command, by way of `setpriv`, which asks the kernel to kill it when
/// the thread that started it is gone, and then becomes it: same process id.
/// (std offers this only by an unsafe hook between fork and exec.)
fn tied(command: &Command) -> Command {
    if !Path::new("/usr/bin/setpriv").exists() {
        let mut plain = Command::new(command.get_program());
        copy(command, &mut plain);
        return plain;
    }
    let mut tied = Command::new("/usr/bin/setpriv");
    tied.args(["--pdeathsig", "KILL", "--"])
        .arg(command.get_program());
    copy(command, &mut tied);
    tied
}

fn copy(from: &Command, to: &mut Command) {
    to.args(from.get_args());
    for (name, value) in from.get_envs() {
        match value {
            Some(value) => to.env(name, value),
            None => to.env_remove(name),
        };
    }
    if let Some(dir) = from.get_current_dir() {
        to.current_dir(dir);
    }
}

type Birth = (Command, Sender<std::io::Result<Child>>);

/// Starts a process from a thread that lives as long as we do. The kernel ties
/// a child to the thread that made it, and a test's own thread ends before
/// what it started for all of them may.
fn spawn(command: Command) -> Result<Child> {
    static NURSERY: OnceLock<Sender<Birth>> = OnceLock::new();
    let nursery = NURSERY.get_or_init(|| {
        let (sender, births) = mpsc::channel::<Birth>();
        thread::spawn(move || {
            for (mut command, answer) in births {
                // Nobody left to hear the answer is nobody left to start for.
                let _ = answer.send(command.spawn());
            }
        });
        sender
    });
    let (sender, answer) = mpsc::channel();
    nursery
        .send((command, sender))
        .map_err(|_| anyhow!("the thread that starts processes is gone"))?;
    Ok(answer
        .recv()
        .context("the thread that starts processes is gone")??)
}
