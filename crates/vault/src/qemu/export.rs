//! A qcow2 image as the disk that it is: qemu-nbd as a child process, and connections to it.
//!
//! The connections are made before the child is started, to a socket that it is handed already listening and that nobody
//! else can reach any more: its name is gone by then. qemu-nbd ends when its last client does, so it ends with this process,
//! however that ends, and there is no moment in which it could be left alone.

use std::{
    fs::File,
    io::{self, Read, Seek},
    os::unix::{
        net::{UnixListener, UnixStream},
        process::CommandExt,
    },
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::MemfdFlags,
    process::{Pid, PidfdFlags},
};

use super::{
    client::{self, Client},
    directory::Directory,
    find, without_a_lock,
};
use crate::{error::VaultError, layout::Runs, meter::workers};

const ALLOCATION: &str = "base:allocation";

/// How long qemu-nbd may take to write out and close an image.
const CLOSING: Duration = Duration::from_secs(300);

/// Hands the listening socket over as the protocol of socket activation wants it: as descriptor 3, meant for this process.
const HAND_OVER: &str = r#"exec 3<&0 </dev/null
export LISTEN_PID=$$ LISTEN_FDS=1
exec "$0" "$@""#;

/// What is done with an image.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Access<'a> {
    Read {
        /// The dirty bitmap that is asked for, too.
        bitmap: Option<&'a str>,
    },
    Write,
}

/// An image that is being served.
#[derive(Debug)]
pub(crate) struct Export {
    /// The disk's size in bytes.
    pub(crate) size: u64,
    clients: Mutex<Vec<Client>>,
    returned: Condvar,
    server: Server,
    bitmap: Option<String>,
}

impl Export {
    pub(crate) fn open(image: &Path, access: Access<'_>) -> Result<Self, VaultError> {
        let program = find("qemu-nbd", "read and write qcow2 images")?;
        let io = |source| VaultError::io("open as a qcow2 image", image, source);
        let image = std::path::absolute(image).map_err(io)?;
        let count = workers();
        let (listener, streams) = connect(count).map_err(io)?;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", HAND_OVER]).arg(&program);
        command.arg(format!("--shared={count}"));
        let mut contexts = vec![ALLOCATION.to_owned()];
        let mut context = None;
        let mut named = image.clone().into_os_string();
        match access {
            Access::Read { bitmap } => {
                command.arg("--read-only");
                match without_a_lock(&image) {
                    Some(description) => named = description.into(),
                    None => {
                        command.arg("--format=qcow2");
                    }
                }
                if let Some(bitmap) = bitmap {
                    command.arg(format!("--bitmap={bitmap}"));
                    context = Some(format!("qemu:dirty-bitmap:{bitmap}"));
                    contexts.extend(context.clone());
                }
            }
            Access::Write => {
                command.args(["--format=qcow2", "--discard=unmap"]);
            }
        }
        command.arg("--").arg(&named);
        let mut server = Server::start(command, listener).map_err(io)?;
        let greeted = streams
            .into_iter()
            .map(|stream| Client::greet(stream, &contexts))
            .collect::<io::Result<Vec<_>>>();
        let clients = match greeted {
            Ok(clients) => clients,
            Err(error) => return Err(io(server.last_words(error))),
        };
        Ok(Self {
            size: clients.first().map_or(0, |client| client.size),
            clients: Mutex::new(clients),
            returned: Condvar::new(),
            server,
            bitmap: context,
        })
    }

    pub(crate) fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.with(|client| client.read(buffer, offset))
    }

    pub(crate) fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.with(|client| client.write(bytes, offset))
    }

    /// The chunks that are not known to be zeros without being read.
    pub(crate) fn data(&self) -> io::Result<Runs> {
        self.runs(ALLOCATION, |flags| flags & client::IS_ZERO == 0)
    }

    /// The chunks that the bitmap says were written to.
    pub(crate) fn dirty(&self) -> io::Result<Runs> {
        let context = self.bitmap.as_deref().ok_or(io::ErrorKind::NotFound)?;
        self.runs(context, |flags| flags & client::IS_DIRTY != 0)
    }

    fn runs(&self, context: &str, wanted: impl Fn(u32) -> bool) -> io::Result<Runs> {
        let mut runs = Runs::new(self.size);
        self.with(|client| {
            client.extents(context, |offset, length, flags| {
                if wanted(flags) {
                    runs.add(offset, length);
                }
            })
        })?;
        Ok(runs)
    }

    /// Has everything written out and the image closed; returns after qemu-nbd has ended, and ended well.
    pub(crate) fn close(self) -> io::Result<()> {
        let Self {
            clients, server, ..
        } = self;
        let mut clients = clients.into_inner().unwrap_or_else(PoisonError::into_inner);
        for client in &mut clients {
            client.flush()?;
        }
        for client in clients {
            client.leave()?;
        }
        server.end()
    }

    /// Lends a connection that nobody uses.
    fn with<T>(&self, work: impl FnOnce(&mut Client) -> io::Result<T>) -> io::Result<T> {
        let mut free = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let mut client = loop {
            match free.pop() {
                Some(client) => break client,
                None => {
                    free = self
                        .returned
                        .wait(free)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            }
        };
        drop(free);
        let done = work(&mut client);
        self.clients
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(client);
        self.returned.notify_one();
        done
    }
}

/// The child process. Dropped, it is killed: it has nothing that would be lost.
#[derive(Debug)]
struct Server {
    child: Child,
    said: File,
}

impl Server {
    fn start(mut command: Command, listener: UnixListener) -> io::Result<Self> {
        let said = rustix::fs::memfd_create("qemu-nbd", MemfdFlags::CLOEXEC)?;
        let child = command
            .env_clear()
            .env("PATH", crate::child::PATH)
            .env("LC_ALL", "C")
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(listener)))
            .stdout(Stdio::null())
            .stderr(Stdio::from(said.try_clone()?))
            .spawn()?;
        Ok(Self {
            child,
            said: File::from(said),
        })
    }

    /// What went wrong, in the child's words if it had any.
    fn last_words(&mut self, error: io::Error) -> io::Error {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let mut words = Vec::new();
        let read = self
            .said
            .rewind()
            .and_then(|()| (&self.said).take(1000).read_to_end(&mut words));
        match (read, String::from_utf8_lossy(&words).trim()) {
            (Ok(_), said) if !said.is_empty() => {
                io::Error::new(error.kind(), said.replace('\n', " "))
            }
            _ => error,
        }
    }

    /// Waits for the child to end by itself.
    fn end(mut self) -> io::Result<()> {
        let process =
            rustix::process::pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty())?;
        let patience = Timespec::try_from(CLOSING).map_err(io::Error::other)?;
        let mut ended = [PollFd::new(&process, PollFlags::IN)];
        while let Err(errno) = poll(&mut ended, Some(&patience)) {
            if errno != rustix::io::Errno::INTR {
                return Err(errno.into());
            }
        }
        let status = self.child.try_wait()?;
        if status.is_some_and(|status| status.success()) {
            return Ok(());
        }
        Err(self.last_words(io::Error::other("qemu-nbd did not close the image")))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A listening socket, and connections to it that wait to be accepted. Its name exists only within this function, in a
/// directory that only this user can enter.
fn connect(count: usize) -> io::Result<(UnixListener, Vec<UnixStream>)> {
    let directory = Directory::new()?;
    let path = directory.path().join("nbd");
    let listener = UnixListener::bind(&path)?;
    let streams = (0..count).map(|_| UnixStream::connect(&path));
    let streams = streams.collect::<io::Result<Vec<_>>>()?;
    Ok((listener, streams))
}
