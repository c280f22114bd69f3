//! An open volume: what its reader says becomes what a person is told, and what its reader does wrong stays there.

use std::panic::{self, AssertUnwindSafe};

use super::{
    Entry, Page, Volume,
    device::Window,
    ext::Ext,
    fat::Fat,
    name,
    probe::Format,
    system::{self, FileSystem, Kind, Listed, Node, Sink, SystemError},
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
                    return Err(SystemError::Damaged(format!("{name} is not read here")));
                }
                Format::Empty => {
                    return Err(SystemError::Damaged("there is nothing on it".to_owned()));
                }
                Format::Unknown => {
                    let why = "what is on it is no file system that is known here";
                    return Err(SystemError::Damaged(why.to_owned()));
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

    /// Entries of the directory at a resolved path.
    pub(crate) fn list(
        &self,
        path: &[Vec<u8>],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Listed, VaultError> {
        self.guard(|| self.system.list(path, after, limit))
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
        let (nodes, more) = self.list(&path, after, limit)?;
        let next = nodes
            .last()
            .filter(|_| more)
            .map(|(name, _)| name::text(name));
        let entries = nodes.into_iter().map(|(name, node)| {
            let mut full = path.clone();
            full.push(name);
            Entry::new(&full, node)
        });
        Ok(Page {
            entries: entries.collect(),
            next,
        })
    }

    /// The bytes of the file at a resolved path.
    pub(crate) fn read(
        &self,
        path: &[Vec<u8>],
        offset: u64,
        length: u64,
        out: &mut Sink<'_>,
    ) -> Result<(), VaultError> {
        self.guard(|| self.system.read(path, offset, length, out))
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
    let unreadable = |why: String| VaultError::FileSystemUnreadable {
        volume: volume.name.clone(),
        file_system: volume.file_system.clone(),
        why,
    };
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    let error = match done {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(SystemError::Out(error))) => return Err(error),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "its reader gave up on it".to_owned(),
    };
    // If the vault could not be read, that is what went wrong, whatever became of it on the way up.
    Err(window.failure().unwrap_or_else(|| unreadable(error)))
}
