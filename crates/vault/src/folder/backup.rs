//! The way through a directory: what is there, in which order, and what of it the parent has already.
//!
//! Every step goes through the directory above it, opened without following links: what somebody puts in its place in the
//! meantime leads nowhere else.

use std::{
    fs::File,
    os::fd::OwnedFd,
    sync::{
        Arc, Mutex,
        mpsc::{SyncSender, sync_channel},
    },
    thread,
};

use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat},
    io::Errno,
};

use super::{
    DEEPEST, WAITING,
    directory::{Directory, Storing},
    node::{Node, Tree},
    proof,
    read::{Open, Reader, Work},
};
use crate::{
    codec::{Decoder, Encoder},
    error::VaultError,
    event::Event,
    files,
    id::Id,
    index::Index,
    job::{BackupFolderTask, BackupTask},
    layout,
    lock::Lock,
    meter::{Meter, workers},
    pack::Kind,
    packer::Packer,
    repository::Vault,
    restore_files::Told,
    snapshot::{self, Contents, Saved},
};

pub(super) fn run(
    vault: &Vault,
    job: &str,
    task: &BackupFolderTask,
    emit: &mut dyn FnMut(Event),
) -> Result<(), VaultError> {
    layout::check_name("folder", &task.name)?;
    if job.is_empty() || task.tags.iter().any(|tag| tag.contains(',')) || job.contains(',') {
        return Err(VaultError::InvalidJob(
            "a job's id must not be empty, and neither it nor a tag may have a comma".to_owned(),
        ));
    }
    if let Some(_alone) = Lock::alone(vault.path())? {
        vault.store().remove_temporaries()?;
    }
    let _lock = Lock::shared(vault.path())?;
    let saved = match snapshot::of_job(vault, job)? {
        Some(found) => found.saved,
        None => back_up(vault, job, task, emit)?,
    };
    proof::prove(vault, &Index::load(vault)?, &saved)?;
    let Saved {
        snapshot,
        logical,
        read,
        stored,
    } = saved;
    emit(Event::Saved {
        snapshot,
        logical,
        read,
        stored,
    });
    Ok(())
}

fn back_up(
    vault: &Vault,
    job: &str,
    task: &BackupFolderTask,
    emit: &mut dyn FnMut(Event),
) -> Result<Saved, VaultError> {
    let unreadable = |source: Errno| VaultError::SourceUnreadable {
        disk: task.name.clone(),
        path: task.path.clone(),
        source: source.into(),
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(&task.path, flags, Mode::empty()).map_err(unreadable)?;
    let stat = rustix::fs::fstat(&root).map_err(unreadable)?;
    let meter = Meter::new(measure(&root, 0));
    let index = Index::load(vault)?;
    let packer = Packer::new(vault, &index);
    let told = Told::default();
    let parent = task.parent.as_deref().and_then(|id| {
        let found = parent_of(vault, &index, id, &task.name);
        if let Err(error) = &found {
            told.note(format!(
                "The parent snapshot cannot be used, so everything is read: {error}."
            ));
        }
        found.ok()
    });
    let (sender, works) = sync_channel::<Work>(WAITING);
    let works = Mutex::new(works);
    let reader = Reader::new(&packer, &meter, &told);
    let written = meter.watch(emit, || {
        packer.while_writing(|full| {
            let storing = Storing {
                packer: &packer,
                full,
            };
            let top = thread::scope(|scope| {
                for _ in 0..workers() {
                    scope.spawn(|| reader.work(&works, &storing));
                }
                let mut walk = Walk {
                    vault,
                    index: &index,
                    decoder: vault.decoder()?,
                    encoder: packer.encoder()?,
                    storing: &storing,
                    sender,
                    told: &told,
                    reader: &reader,
                };
                let itself = Node::new(b"/", &stat);
                walk.directory(
                    &root,
                    itself,
                    None,
                    parent.map(|(_, tree)| tree),
                    &mut Vec::new(),
                )
            })?;
            if let Some(error) = packer.failure.first() {
                return Err(error);
            }
            let tree = top
                .tree()
                .ok_or(VaultError::Internal("a directory that was never done"))?;
            let top = Tree {
                nodes: vec![Node::top(&task.name, &Node::new(b"/", &stat), tree)],
            };
            let bytes = top.to_bytes()?;
            let id = Id::of(&bytes);
            packer.add(Kind::Tree, id, &bytes, &mut packer.encoder()?, full)?;
            Ok(id)
        })
    });
    let tree = written.inspect_err(|_| packer.discard())?;
    told.emit(emit);
    let stored = packer.seal()?;
    let about = BackupTask {
        vm: task.name.clone(),
        time: task.time,
        tags: task.tags.clone(),
        description: task.description.clone(),
        sample: None,
        about: None,
        parent: None,
        disks: Vec::new(),
    };
    let (logical, read) = reader.counted();
    let parent = task.parent.as_deref().and_then(|id| id.parse().ok());
    let contents = Contents {
        about: None,
        tree,
        parent,
        logical,
        read,
        stored,
        folder: true,
    };
    snapshot::save(vault, job, &about, &contents)
}

/// The parent's snapshot, and the folder's tree in it.
fn parent_of(vault: &Vault, index: &Index, id: &str, name: &str) -> Result<(Id, Tree), VaultError> {
    let found = snapshot::find(vault, id)?;
    let mut decoder = vault.decoder()?;
    let top = Tree::load(vault, index, &mut decoder, &found.tree)?;
    let subtree = top
        .nodes
        .iter()
        .find(|node| node.name().as_deref() == Some(name.as_bytes()))
        .and_then(|node| node.subtree)
        .ok_or_else(|| VaultError::SnapshotNotFound(id.to_owned()))?;
    Ok((
        id.parse()?,
        Tree::load(vault, index, &mut decoder, &subtree)?,
    ))
}

/// Bytes of all files below a directory, for the progress alone: what cannot be read is told of later.
fn measure(directory: &OwnedFd, depth: usize) -> u64 {
    let mut bytes = 0;
    for (name, stat) in list(directory).unwrap_or_default() {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => bytes += u64::try_from(stat.st_size).unwrap_or_default(),
            FileType::Directory if depth < DEEPEST => {
                bytes += enter(directory, &name).map_or(0, |below| measure(&below, depth + 1));
            }
            _ => {}
        }
    }
    bytes
}

/// What is in a directory, in the order of the names' bytes, as trees have it.
fn list(directory: &OwnedFd) -> rustix::io::Result<Vec<(Vec<u8>, Stat)>> {
    let mut found = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => found.push((name.to_bytes().to_vec(), stat)),
            // Removed since the directory was read.
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    found.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    Ok(found)
}

fn enter(directory: &OwnedFd, name: &[u8]) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(directory, name, flags, Mode::empty())
}

struct Walk<'a> {
    vault: &'a Vault,
    index: &'a Index,
    decoder: Decoder,
    encoder: Encoder,
    storing: &'a Storing<'a>,
    sender: SyncSender<Work>,
    told: &'a Told,
    reader: &'a Reader<'a>,
}

impl Walk<'_> {
    /// Goes through a directory that is open; `before` is what the parent has of it.
    fn directory(
        &mut self,
        open: &OwnedFd,
        mut itself: Node,
        place: Option<(Arc<Directory>, usize)>,
        before: Option<Tree>,
        path: &mut Vec<Vec<u8>>,
    ) -> Result<Arc<Directory>, VaultError> {
        let entries = match list(open) {
            Ok(entries) => entries,
            Err(errno) => {
                self.left_out(path, &format!("what is in it cannot be listed ({errno})"));
                Vec::new()
            }
        };
        itself.set_attributes(&attributes(open));
        let directory = Directory::new(itself, place, entries.len());
        directory.close_if_empty(self.storing, &mut self.encoder)?;
        let before = before.unwrap_or_default();
        for (number, (name, stat)) in entries.into_iter().enumerate() {
            if self.storing.packer.failure.is_set() {
                break;
            }
            path.push(name);
            self.one(open, &directory, number, &stat, &before, path)?;
            path.pop();
        }
        Ok(directory)
    }

    fn one(
        &mut self,
        open: &OwnedFd,
        directory: &Arc<Directory>,
        number: usize,
        stat: &Stat,
        before: &Tree,
        path: &mut Vec<Vec<u8>>,
    ) -> Result<(), VaultError> {
        let name = path.last().cloned().unwrap_or_default();
        let mut node = Node::new(&name, stat);
        let before = before.nodes.iter().find(|known| known.is_called(&node));
        let done = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => return self.file(open, directory, number, node, before, path),
            FileType::Directory if path.len() > DEEPEST => {
                Err(format!("it lies below more than {DEEPEST} directories"))
            }
            FileType::Directory => match enter(open, &name) {
                Ok(below) => {
                    let known = before.and_then(|node| node.subtree).and_then(|tree| {
                        Tree::load(self.vault, self.index, &mut self.decoder, &tree).ok()
                    });
                    let place = Some((Arc::clone(directory), number));
                    self.directory(&below, node, place, known, path)?;
                    return Ok(());
                }
                Err(errno) => Err(errno.to_string()),
            },
            FileType::Symlink => match rustix::fs::readlinkat(open, &*name, Vec::new()) {
                Ok(target) => {
                    node.set_target(target.as_bytes());
                    Ok(node)
                }
                Err(errno) => Err(errno.to_string()),
            },
            _ => Ok(node),
        };
        let node = done.map_err(|why| self.left_out(path, &why)).ok();
        directory.set(number, node, self.storing, &mut self.encoder)
    }

    fn file(
        &mut self,
        open: &OwnedFd,
        directory: &Arc<Directory>,
        number: usize,
        mut node: Node,
        before: Option<&Node>,
        path: &[Vec<u8>],
    ) -> Result<(), VaultError> {
        let name = path.last().map(Vec::as_slice).unwrap_or_default();
        // Whoever replaced it by a pipe in the meantime must not make us wait.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(open, name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(errno) => {
                self.left_out(path, &errno.to_string());
                return directory.set(number, None, self.storing, &mut self.encoder);
            }
        };
        node.set_attributes(&attributes(&file));
        let known = before
            .filter(|before| node.is_untouched(before))
            .and_then(|before| before.content.clone())
            .filter(|ids| {
                ids.iter()
                    .all(|id| self.index.find(Kind::Data, id).is_some())
            });
        if let Some(ids) = known {
            self.reader.add_known(node.size);
            node.content = Some(ids);
            return directory.set(number, Some(node), self.storing, &mut self.encoder);
        }
        if node.size == 0 {
            node.content = Some(Vec::new());
            return directory.set(number, Some(node), self.storing, &mut self.encoder);
        }
        let shown = files::text(&files::join(path));
        let open = Arc::new(Open::new(file, node, Arc::clone(directory), number, shown));
        for part in 0..open.parts() {
            let work = Work {
                file: Arc::clone(&open),
                part,
            };
            self.sender
                .send(work)
                .map_err(|_| VaultError::Internal("the readers ended before the work did"))?;
        }
        Ok(())
    }

    fn left_out(&self, path: &[Vec<u8>], why: &str) {
        let path = files::text(&files::join(path));
        self.told.note(format!("{path} was left out: {why}."));
    }
}

/// The extended attributes, as far as there are any and they can be read. Bounded: 64 KiB of names, 64 KiB a value.
fn attributes(of: impl std::os::fd::AsFd) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut names = vec![0_u8; 64 << 10];
    let Ok(length) = rustix::fs::flistxattr(&of, &mut names[..]) else {
        return Vec::new();
    };
    let names = names.get(..length).unwrap_or_default();
    let mut value = vec![0_u8; if length == 0 { 0 } else { 64 << 10 }];
    names
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .filter_map(|name| {
            let length = rustix::fs::fgetxattr(&of, name, &mut value[..]).ok()?;
            Some((name.to_vec(), value.get(..length)?.to_vec()))
        })
        .collect()
}
