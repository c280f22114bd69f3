//! An open volume: what its reader says becomes what a person is told, and what its reader does wrong stays there.

use std::panic::{self, AssertUnwindSafe};

use super::{
    Entry, Page, Volume,
    device::Window,
    ext::Ext,
    fat::Fat,
    name,
    probe::Format,
    system::{self, FileSystem, Kind, Listed, Node, Piece, SystemError, Unreadable},
};
use crate::error::VaultError;

/// A volume whose file system is open. Its methods take paths as components.
pub(crate) struct Mounted<'a> {
    pub(crate) volume: &'a Volume,
    window: Window,
    system: Box<dyn FileSystem>,
}

impl<'a> Mounted<'a> {
    pub(crate) fn open(
        volume: &'a Volume,
        format: Format,
        window: Window,
    ) -> Result<Self, VaultError> {
        let reader = window.clone();
        let system = guarded(volume, &window, || {
            Ok(match format {
                Format::Ext(_) => Box::new(Ext::open(reader)?) as Box<dyn FileSystem>,
                Format::Fat(_) => Box::new(Fat::open(reader)?),
                Format::Closed(name) => {
                    return Err(SystemError::Unsupported(format!("{name} is not read here")));
                }
                Format::Empty => {
                    return Err(SystemError::Unsupported(
                        "there is nothing on it".to_owned(),
                    ));
                }
                Format::Unknown => {
                    let why = "what is on it is no file system that is known here";
                    return Err(SystemError::Unsupported(why.to_owned()));
                }
            })
        })?;
        Ok(Self {
            volume,
            window,
            system,
        })
    }

    /// What is at a path, and the path without `..` and symbolic links; a link at its end is followed if `last` says so.
    pub(crate) fn resolve(
        &self,
        path: &[Vec<u8>],
        last: bool,
    ) -> Result<(Vec<Vec<u8>>, Node), VaultError> {
        let found = self.guard(|| system::resolve(&*self.system, path, last))?;
        found.ok_or_else(|| VaultError::PathNotFound {
            volume: self.volume.name.clone(),
            path: name::text(&name::join(path)),
        })
    }

    pub(crate) fn is_there(&self, path: &str) -> bool {
        let path = name::split(path.as_bytes());
        let found = self.guard(|| system::resolve(&*self.system, &path, true));
        found.is_ok_and(|found| found.is_some())
    }

    /// What has a name in a directory.
    pub(crate) fn entry(&self, directory: &Node, name: &[u8]) -> Result<Option<Node>, VaultError> {
        self.guard(|| self.system.entry(directory, name))
    }

    /// Entries of a directory.
    pub(crate) fn list(
        &self,
        directory: &Node,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Listed, VaultError> {
        let mut listed = self.guard(|| self.system.list(directory, after, limit))?;
        for (name, node) in &mut listed.entries {
            if !name::can_be(name) {
                let why = "no file can have this name";
                *node = Node::unreadable(Unreadable::Damaged(why.to_owned()));
            }
        }
        Ok(listed)
    }

    /// A page of the directory at any path.
    pub(crate) fn page(
        &self,
        path: &[Vec<u8>],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Page, VaultError> {
        let (path, node) = self.resolve(path, true)?;
        if node.kind != Kind::Directory {
            return Err(self.wrong_kind(&path, "no directory"));
        }
        let listed = self.list(&node, after, limit)?;
        let next = listed
            .entries
            .last()
            .filter(|_| listed.more)
            .map(|(name, _)| name::text(name));
        let entries = listed.entries.into_iter().map(|(name, node)| {
            let mut full = path.clone();
            full.push(name);
            Entry::new(&full, node)
        });
        Ok(Page {
            entries: entries.collect(),
            next,
            damage: listed.damage.or(listed.twice),
        })
    }

    /// What a file has from `offset` on, as much as the buffer takes.
    pub(crate) fn read(
        &self,
        file: &Node,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<Piece, VaultError> {
        self.guard(|| self.system.read(file, offset, buffer))
    }

    pub(crate) fn wrong_kind(&self, path: &[Vec<u8>], is: &'static str) -> VaultError {
        VaultError::PathOfWrongKind {
            volume: self.volume.name.clone(),
            path: name::text(&name::join(path)),
            is,
        }
    }

    fn guard<T>(&self, work: impl FnOnce() -> Result<T, SystemError>) -> Result<T, VaultError> {
        guarded(self.volume, &self.window, work)
    }
}

/// Does something with a reader of a file system: its errors are told with the volume, and a panic is one of them.
fn guarded<T>(
    volume: &Volume,
    window: &Window,
    work: impl FnOnce() -> Result<T, SystemError>,
) -> Result<T, VaultError> {
    window.progressed();
    let (name, file_system) = (volume.name.clone(), volume.file_system.clone());
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    let error = match done {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(SystemError::Unsupported(why))) => VaultError::FileSystemUnsupported {
            volume: name,
            file_system,
            why,
        },
        Ok(Err(error)) => VaultError::FileSystemUnreadable {
            volume: name,
            file_system,
            why: error.to_string(),
        },
        Err(_) => VaultError::FileSystemUnsupported {
            volume: name,
            file_system,
            why: "its reader gave up on it".to_owned(),
        },
    };
    // If the vault could not be read, that is what went wrong, whatever became of it on the way up.
    Err(window.failure().unwrap_or(error))
}
