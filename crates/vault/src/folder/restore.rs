//! A folder's way back: directories first, files by many workers, the directories' modes and times last.

use std::{
    fs::File,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc::{SyncSender, sync_channel},
    },
    thread,
};

use rustix::fs::{Mode, OFlags};

use super::{
    DEEPEST, WAITING,
    node::{Node, Tree},
    outlet::{Outlet, Target, Work, batch_files},
};
use crate::{
    codec::Decoder,
    error::VaultError,
    event::Event,
    files::Kind,
    id::Id,
    index::Index,
    job::RestoreFolderTask,
    lock::Lock,
    meter::{Failure, Meter, workers},
    repository::Vault,
    restore_files::{self, Found, Place, Told},
    snapshot,
};

/// Threads that read back and compare.
const PROVERS: usize = 2;

pub(super) fn run(
    vault: &Vault,
    job: &str,
    task: &RestoreFolderTask,
    emit: &mut dyn FnMut(Event),
) -> Result<(), VaultError> {
    let _lock = Lock::shared(vault.path())?;
    let found = snapshot::find(vault, &task.snapshot)?;
    let index = Index::for_reading(vault)?;
    let mut decoder = vault.decoder()?;
    let top = Tree::load(vault, &index, &mut decoder, &found.tree)?;
    let node = top
        .nodes
        .into_iter()
        .find(|node| node.name().as_deref() == Some(task.name.as_bytes()));
    let tree = node.as_ref().and_then(|node| node.subtree);
    let (Some(node), Some(tree)) = (node, tree) else {
        return Err(VaultError::DiskNotFound {
            snapshot: task.snapshot.clone(),
            vm: task.name.clone(),
            disk: "folder".to_owned(),
        });
    };
    if let Found::Ours = Found::at(&task.to, job)? {
        // What this job finished before it was interrupted, and nobody was told of, is made again.
        restore_files::discard(&task.to, job)?;
    }
    restore_files::preflight(&task.to, found.saved.logical)?;
    let meter = Meter::new(found.saved.logical);
    let (told, failure) = (Told::default(), Failure::default());
    let outlet = Outlet {
        vault,
        index: &index,
        meter: &meter,
        told: &told,
        failure: &failure,
        files: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
    };
    let directories = meter.watch(emit, || {
        let place = Place::make(&task.to, job)?;
        let directories = write(&outlet, &node, &tree, place.path())?;
        place.keep()?;
        Ok(directories)
    })?;
    told.emit(emit);
    emit(Event::FilesRestored {
        files: outlet.files.load(Ordering::Relaxed),
        directories,
        bytes: outlet.bytes.load(Ordering::Relaxed),
    });
    Ok(())
}

/// Writes all of it below `root`, proves it, and returns how many directories there are.
fn write(outlet: &Outlet<'_>, node: &Node, tree: &Id, root: &Path) -> Result<u64, VaultError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = rustix::fs::open(root, flags, Mode::empty())
        .map_err(|errno| VaultError::io("open", root, errno))?;
    let (works, waiting) = sync_channel::<Work>(WAITING);
    let together = batch_files(PROVERS);
    let (written, proving) = sync_channel::<Arc<Target>>(together);
    let (waiting, proving) = (Mutex::new(waiting), Mutex::new(proving));
    let mut way = Way {
        outlet,
        decoder: outlet.vault.decoder()?,
        directories: 0,
    };
    let walked = thread::scope(|scope| {
        for _ in 0..workers() {
            let (waiting, written) = (&waiting, written.clone());
            scope.spawn(move || outlet.write(waiting, &written));
        }
        for _ in 0..PROVERS {
            scope.spawn(|| outlet.prove(&proving, together));
        }
        let filled = way.fill(tree, &open, root, 0, &works, &written);
        drop((works, written));
        filled
    });
    if let Some(error) = outlet.failure.first() {
        return Err(error);
    }
    walked?;
    way.finish(tree, &open, root, 0)?;
    let itself = node.plain();
    // Its mode stays ours: what is restored is opened by whoever looks at it first.
    let mine = crate::files::Node {
        mode: None,
        ..itself
    };
    restore_files::finish(&open, root, &mine, outlet.told)?;
    rustix::fs::syncfs(&open).map_err(|errno| VaultError::io("write", root, errno))?;
    Ok(way.directories)
}

struct Way<'a> {
    outlet: &'a Outlet<'a>,
    decoder: Decoder,
    directories: u64,
}

impl Way<'_> {
    fn tree(&mut self, id: &Id, depth: usize) -> Result<Tree, VaultError> {
        if depth > DEEPEST {
            return Err(VaultError::Damaged(format!(
                "the tree {id} lies deeper than any that was written"
            )));
        }
        Tree::load(self.outlet.vault, self.outlet.index, &mut self.decoder, id)
    }

    /// Makes what is in a directory, and has its files written.
    fn fill(
        &mut self,
        tree: &Id,
        at: &OwnedFd,
        path: &Path,
        depth: usize,
        works: &SyncSender<Work>,
        written: &SyncSender<Arc<Target>>,
    ) -> Result<(), VaultError> {
        for node in self.tree(tree, depth)?.nodes {
            if self.outlet.failure.is_set() {
                return Ok(());
            }
            let Some((name, path)) = place_of(&node, path) else {
                self.left_out(path, "something in it has a name that no file can have");
                continue;
            };
            let plain = node.plain();
            match plain.kind {
                Kind::Directory => {
                    rustix::fs::mkdirat(at, &*name, Mode::RWXU)
                        .map_err(|errno| VaultError::io("create", &path, errno))?;
                    self.directories += 1;
                    let below = enter(at, &name, &path)?;
                    if let Some(subtree) = &node.subtree {
                        self.fill(subtree, &below, &path, depth + 1, works, written)?;
                    }
                }
                Kind::File => self.file(node, at, &name, path, works, written)?,
                Kind::Symlink => {
                    let target = plain.target.clone().unwrap_or_default();
                    rustix::fs::symlinkat(&*target, at, &*name)
                        .map_err(|errno| VaultError::io("create", &path, errno))?;
                    restore_files::finish_link(at, &name, &path, &plain, self.outlet.told)?;
                    let read = rustix::fs::readlinkat(at, &*name, Vec::new())
                        .map_err(|errno| VaultError::io("read back", &path, errno))?;
                    if read.as_bytes() != target {
                        return Err(VaultError::TargetDamaged {
                            path,
                            how: "the symbolic link is not the one that was made".to_owned(),
                        });
                    }
                    self.outlet.files.fetch_add(1, Ordering::Relaxed);
                }
                _ => self.left_out(&path, "devices, pipes and sockets are not restored"),
            }
        }
        Ok(())
    }

    fn file(
        &self,
        node: Node,
        at: &OwnedFd,
        name: &[u8],
        path: PathBuf,
        works: &SyncSender<Work>,
        written: &SyncSender<Arc<Target>>,
    ) -> Result<(), VaultError> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(at, name, flags, Mode::RUSR | Mode::WUSR)
            .map(File::from)
            .map_err(|errno| VaultError::io("create", &path, errno))?;
        let target = Arc::new(Target::new(file, path, node, self.outlet.index)?);
        if target.parts() == 0 {
            return self.outlet.hand_on(target, written);
        }
        for part in 0..target.parts() {
            let target = Arc::clone(&target);
            works
                .send(Work { target, part })
                .map_err(|_| VaultError::Internal("the writers ended before the work did"))?;
        }
        Ok(())
    }

    /// Gives the directories what they had, the deepest first: nothing comes into them any more.
    fn finish(
        &mut self,
        tree: &Id,
        at: &OwnedFd,
        path: &Path,
        depth: usize,
    ) -> Result<(), VaultError> {
        for node in self.tree(tree, depth)?.nodes {
            let (Some(subtree), Some((name, path))) = (&node.subtree, place_of(&node, path)) else {
                continue;
            };
            let below = enter(at, &name, &path)?;
            self.finish(subtree, &below, &path, depth + 1)?;
            restore_files::finish(&below, &path, &node.plain(), self.outlet.told)?;
        }
        Ok(())
    }

    fn left_out(&self, path: &Path, why: &str) {
        self.outlet
            .told
            .note(format!("{} was left out: {why}.", path.display()));
    }
}

fn place_of(node: &Node, above: &Path) -> Option<(Vec<u8>, PathBuf)> {
    let name = node.name()?;
    let path = above.join(std::ffi::OsStr::from_bytes(&name));
    Some((name, path))
}

fn enter(at: &OwnedFd, name: &[u8], path: &Path) -> Result<OwnedFd, VaultError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(at, name, flags, Mode::empty())
        .map_err(|errno| VaultError::io("open", path, errno))
}
