//! The writing side of a restore whose files are read somewhere else: into a folder that may hold other things, none of which
//! is touched. All is written into a hidden directory within it first, read back and compared, and then given its names.

use std::{
    fs,
    os::unix::{ffi::OsStrExt, fs::DirBuilderExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::{
    fs::{AtFlags, CWD, Mode, RenameFlags},
    io::Errno,
};

use super::{
    batch,
    frame::Frame,
    place::remove_tree,
    tell::Told,
    wire::{Last, Line},
    writer::{Counted, Outermost, Way, Writer},
};
use crate::{error::VaultError, meter::Meter};

/// The longest line that is taken: a path of a thousand names, each byte of which may take six.
const LONGEST_LINE: usize = 4 << 20;

/// Takes the pieces of a restore.
pub struct Receiver {
    into: PathBuf,
    hidden: PathBuf,
    writer: Option<Writer>,
    told: Arc<Told>,
    meter: Arc<Meter>,
    /// Directories that are open.
    depth: usize,
}

/// What came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Received {
    /// Symbolic links count as files.
    pub files: u64,
    pub directories: u64,
    pub bytes: u64,
    /// What was asked for and is not there: damaged, or refused by the folder's file system.
    pub damaged: u64,
    /// What was asked for and is not read by the service, though it is well.
    pub unsupported: u64,
    /// Devices, pipes and sockets.
    pub special: u64,
    /// What is left out or restored otherwise than it was, with the reason: at most a hundred sentences.
    pub remarks: Vec<String>,
    /// Remarks beyond these.
    pub more: u64,
}

impl Receiver {
    /// Prepares a folder, which must be there.
    ///
    /// # Errors
    /// [`VaultError::Io`] for a folder that nothing can be made in.
    pub fn new(into: &Path) -> Result<Self, VaultError> {
        let into =
            &fs::canonicalize(into).map_err(|source| VaultError::io("open", into, source))?;
        let mut random = [0; 8];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())
            .map_err(|errno| VaultError::io("make a name in", into, errno))?;
        let hidden = into.join(format!(".kluis-restore-{}", hex::encode(random)));
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&hidden)
            .map_err(|source| VaultError::io("create", &hidden, source))?;
        let (told, meter) = (Arc::new(Told::default()), Arc::new(Meter::new(0)));
        let mut receiver = Self {
            into: into.to_owned(),
            hidden,
            writer: None,
            told: Arc::clone(&told),
            meter: Arc::clone(&meter),
            depth: 0,
        };
        let outermost = Outermost::Kept(Vec::new());
        receiver.writer = Some(Writer::new(
            &receiver.hidden,
            Way::Write,
            outermost,
            meter,
            told,
        )?);
        Ok(receiver)
    }

    /// Takes a piece, whole; where the next one begins, as JSON, or `None` if that was the last.
    ///
    /// # Errors
    /// [`VaultError::TargetTaken`] for a name that is in the folder already; a piece that is not whole; what leaves no way on.
    pub fn take(&mut self, piece: &[u8]) -> Result<Option<String>, VaultError> {
        let mut rest = piece;
        loop {
            let end = rest
                .iter()
                .take(LONGEST_LINE)
                .position(|byte| *byte == b'\n')
                .ok_or_else(|| not_understood("it ends too early"))?;
            let (line, behind) = (&rest[..end], &rest[end + 1..]);
            let line: Line =
                serde_json::from_slice(line).map_err(|error| not_understood(&error.to_string()))?;
            let length = match &line {
                Line::Data { length, .. } => *length,
                _ => 0,
            };
            let (data, behind) = behind
                .split_at_checked(length)
                .ok_or_else(|| not_understood("it ends too early"))?;
            rest = behind;
            match line.frame(data) {
                Ok(frame) => self.frame(frame)?,
                Err(Last::End) => return Ok(None),
                Err(Last::More(after)) => {
                    return serde_json::to_string(&after)
                        .map(Some)
                        .map_err(|_| VaultError::Internal("a place to go on from is no JSON"));
                }
            }
        }
    }

    fn frame(&mut self, frame: Frame<'_>) -> Result<(), VaultError> {
        match &frame {
            Frame::Enter { name, .. }
            | Frame::File { name, .. }
            | Frame::HardLink { name, .. }
            | Frame::Symlink { name, .. }
                if self.depth == 0 =>
            {
                // Told before anything of it comes.
                let path = self.into.join(std::ffi::OsStr::from_bytes(name));
                if fs::symlink_metadata(&path).is_ok() {
                    return Err(VaultError::TargetTaken(path));
                }
            }
            _ => {}
        }
        match &frame {
            Frame::Enter { .. } => self.depth += 1,
            Frame::Leave => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.writer()?.take(frame)
    }

    fn writer(&mut self) -> Result<&mut Writer, VaultError> {
        self.writer
            .as_mut()
            .ok_or(VaultError::Internal("a restore goes on after its end"))
    }

    /// Files that came so far, and bytes of them.
    #[must_use]
    pub fn so_far(&self) -> (u64, u64) {
        let counted = self.writer.as_ref().map(Writer::counted);
        (counted.unwrap_or_default().files, self.meter.done())
    }

    /// Gives what came its names in the folder.
    ///
    /// # Errors
    /// [`VaultError::TargetTaken`] for a name that was taken meanwhile: what has its name by then stays, the rest goes.
    pub fn finish(mut self) -> Result<Received, VaultError> {
        let writer = self
            .writer
            .take()
            .ok_or(VaultError::Internal("a restore ends twice"))?;
        let (counted, outermost) = writer.finish()?;
        let Outermost::Kept(kept) = outermost else {
            return Err(VaultError::Internal("names that were to be kept are not"));
        };
        for (name, directory) in kept {
            let name = std::ffi::OsStr::from_bytes(&name);
            let (from, to) = (self.hidden.join(name), self.into.join(name));
            rename(&from, &to, directory.is_some())?;
            if let Some(node) = directory {
                let opened = rustix::fs::open(&to, batch::DIRECTORY, Mode::empty())
                    .map_err(|errno| VaultError::io("open", &to, errno))?;
                batch::finish(&opened, &to, &node, &self.told)?;
            }
        }
        let opened = rustix::fs::open(&self.into, batch::DIRECTORY, Mode::empty())
            .map_err(|errno| VaultError::io("open", &self.into, errno))?;
        rustix::fs::syncfs(&opened).map_err(|errno| VaultError::io("write", &self.into, errno))?;
        let Counted {
            files,
            directories,
            bytes,
        } = counted;
        let told = self.told.take();
        Ok(Received {
            files,
            directories,
            bytes,
            damaged: told.damaged,
            unsupported: told.unsupported,
            special: told.special,
            remarks: told.sentences,
            more: told.more,
        })
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = remove_tree(&self.hidden);
    }
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver")
            .field("into", &self.into)
            .finish_non_exhaustive()
    }
}

/// Gives something a name that nothing has. A file system that cannot do that at once does it by a link, which replaces
/// nothing either; a directory takes the place of an empty one and of nothing else.
fn rename(from: &Path, to: &Path, is_directory: bool) -> Result<(), VaultError> {
    let done = match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) if is_directory => {
            rustix::fs::renameat(CWD, from, CWD, to)
        }
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            rustix::fs::linkat(CWD, from, CWD, to, AtFlags::empty())
        }
        done => done,
    };
    done.map_err(|errno| match errno {
        Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR => VaultError::TargetTaken(to.to_owned()),
        errno => VaultError::io("name", to, errno),
    })
}

fn not_understood(why: &str) -> VaultError {
    VaultError::Repository {
        doing: "read what the service sent",
        message: why.to_owned(),
    }
}
