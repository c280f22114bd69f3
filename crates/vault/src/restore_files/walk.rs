//! The way through what is wanted: it is written, or compared with what an earlier run had finished.

use std::{
    collections::BTreeMap,
    fs::File,
    os::{
        fd::OwnedFd,
        unix::{ffi::OsStrExt, fs::FileExt},
    },
    path::{Path, PathBuf},
    rc::Rc,
};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};
use sha2::{Digest, Sha256};

use super::{
    batch::{self, Batch, Directory, Item},
    survey::{DEEPEST, Survey, each, left_out, lost},
    tell::Told,
};
use crate::{
    error::{VaultError, describe},
    files::{Kind, Mounted, Node},
    layout::ZEROS,
    meter::Meter,
};

/// What is looked at for zeros, and left a hole.
const PIECE: usize = 64 << 10;

/// What was restored. Symbolic links count as files, and directories above what was asked for count, too.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counted {
    pub(crate) files: u64,
    pub(crate) directories: u64,
    pub(crate) bytes: u64,
}

/// Whether files are made, or those that are there are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Write,
    Compare,
}

pub(crate) struct Walk<'a> {
    mounted: &'a Mounted<'a>,
    root: Directory,
    root_path: PathBuf,
    way: Way,
    batch: Batch,
    counted: Counted,
    meter: &'a Meter,
    told: &'a Told,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(
        mounted: &'a Mounted<'a>,
        root: &Path,
        way: Way,
        meter: &'a Meter,
        told: &'a Told,
    ) -> Result<Self, VaultError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::open(root, flags, Mode::empty())
            .map_err(|errno| VaultError::io("open", root, errno))?;
        Ok(Self {
            mounted,
            root: Rc::new(opened),
            root_path: root.to_owned(),
            way,
            batch: Batch::default(),
            counted: Counted::default(),
            meter,
            told,
        })
    }

    /// Goes all the way; on return everything is on disk and compared.
    pub(crate) fn go(mut self, survey: &Survey) -> Result<Counted, VaultError> {
        // The directories above what is wanted, which get their modes and times when nothing more comes into them.
        let mut above: BTreeMap<Vec<Vec<u8>>, Directory> = BTreeMap::new();
        for (path, node) in &survey.wanted {
            let mut at = Rc::clone(&self.root);
            for depth in 1..path.len() {
                let parent = path[..depth].to_vec();
                at = match above.get(&parent) {
                    Some(known) => Rc::clone(known),
                    None => {
                        let made = self.enter(&at, &parent)?;
                        above.insert(parent, Rc::clone(&made));
                        made
                    }
                };
            }
            let mut path = path.clone();
            if path.is_empty() {
                self.directory(&mut path, &at, 0)?;
            } else {
                self.one(&mut path, node, &at, 0)?;
            }
        }
        // The deepest first.
        let mut above: Vec<_> = above.into_iter().collect();
        above.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        for (path, itself) in above {
            let (_, node) = self.mounted.resolve(&path, false)?;
            self.leave(&path, itself, &node)?;
        }
        if self.way == Way::Write {
            self.batch.prove(&self.root, &self.root_path)?;
            rustix::fs::syncfs(&*self.root)
                .map_err(|errno| VaultError::io("write", &self.root_path, errno))?;
        }
        Ok(self.counted)
    }

    fn directory(
        &mut self,
        path: &mut Vec<Vec<u8>>,
        at: &Directory,
        depth: usize,
    ) -> Result<(), VaultError> {
        let (mounted, told) = (self.mounted, self.told);
        each(mounted, path, told, &mut |path, node| {
            self.one(path, node, at, depth)
        })
    }

    /// Restores what is at a path into the directory that is open at `at`.
    fn one(
        &mut self,
        path: &mut Vec<Vec<u8>>,
        node: &Node,
        at: &Directory,
        depth: usize,
    ) -> Result<(), VaultError> {
        match node.kind {
            Kind::File => self.file(path, node, at),
            Kind::Directory if depth >= DEEPEST => {
                let why = format!(
                    "it lies below more than {DEEPEST} directories; restore it by its own path"
                );
                lost(self.told, path, &why);
                Ok(())
            }
            Kind::Directory => {
                let itself = self.enter(at, path)?;
                self.directory(path, &itself, depth + 1)?;
                self.leave(path, itself, node)
            }
            Kind::Symlink => self.link(path, node, at),
            Kind::Device | Kind::Fifo | Kind::Socket => {
                left_out(
                    self.told,
                    path,
                    "devices, pipes and sockets are not restored",
                );
                Ok(())
            }
            Kind::Unreadable => {
                lost(self.told, path, "the file system is damaged there");
                Ok(())
            }
        }
    }

    fn enter(&mut self, at: &OwnedFd, path: &[Vec<u8>]) -> Result<Directory, VaultError> {
        let name = name_of(path);
        if self.way == Way::Write {
            rustix::fs::mkdirat(at, name, Mode::RWXU)
                .map_err(|errno| VaultError::io("create", self.target(path), errno))?;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(at, name, flags, Mode::empty())
            .map_err(|errno| self.gone_or(path, errno))?;
        self.counted.directories += 1;
        Ok(Rc::new(opened))
    }

    fn leave(
        &mut self,
        path: &[Vec<u8>],
        itself: Directory,
        node: &Node,
    ) -> Result<(), VaultError> {
        if self.way == Way::Compare {
            return Ok(());
        }
        self.add(Item::Directory {
            itself,
            path: self.target(path),
            node: node.clone(),
        })
    }

    fn add(&mut self, item: Item) -> Result<(), VaultError> {
        if self.batch.add(item) {
            self.batch.prove(&self.root, &self.root_path)?;
        }
        Ok(())
    }

    fn link(&mut self, path: &[Vec<u8>], node: &Node, at: &Directory) -> Result<(), VaultError> {
        let (name, target) = (name_of(path), node.target.clone().unwrap_or_default());
        let io = |doing| {
            let path = self.target(path);
            move |errno: Errno| VaultError::io(doing, path, errno)
        };
        if self.way == Way::Write {
            rustix::fs::symlinkat(target.as_slice(), &**at, name).map_err(io("create"))?;
            batch::finish_link(at, name, &self.target(path), node)?;
        }
        let read = rustix::fs::readlinkat(&**at, name, Vec::new()).map_err(io("read back"))?;
        if read.as_bytes() != target {
            return Err(self.differs(path));
        }
        self.counted.files += 1;
        Ok(())
    }

    fn file(&mut self, path: &[Vec<u8>], node: &Node, at: &Directory) -> Result<(), VaultError> {
        let name = name_of(path);
        let target = self.target(path);
        let file = match self.way {
            Way::Compare => batch::open(at, name, &target)?,
            Way::Write => {
                let flags = OFlags::RDWR
                    | OFlags::CREATE
                    | OFlags::EXCL
                    | OFlags::NOFOLLOW
                    | OFlags::CLOEXEC;
                rustix::fs::openat(&**at, name, flags, Mode::RUSR | Mode::WUSR)
                    .map(File::from)
                    .map_err(|errno| VaultError::io("create", &target, errno))?
            }
        };
        let sum = match self.contents(path, node, &file, &target) {
            Ok(sum) => sum,
            // The vault is well: it is the file that is damaged on its volume.
            Err(error @ VaultError::FileSystemUnreadable { .. }) => {
                if self.way == Way::Write {
                    rustix::fs::unlinkat(&**at, name, rustix::fs::AtFlags::empty())
                        .map_err(|errno| VaultError::io("remove", &target, errno))?;
                }
                lost(self.told, path, &describe(&error));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.counted.files += 1;
        self.counted.bytes += node.size;
        if self.way == Way::Write {
            return self.add(Item::File {
                at: Rc::clone(at),
                name: name.to_vec(),
                path: target,
                sum,
                node: node.clone(),
            });
        }
        if batch::sum_of(&file, &target)? == (node.size, sum) {
            Ok(())
        } else {
            Err(self.differs(path))
        }
    }

    /// Goes through a file's bytes on its volume, and writes them if that is the way; their SHA-256.
    fn contents(
        &mut self,
        path: &[Vec<u8>],
        node: &Node,
        file: &File,
        target: &Path,
    ) -> Result<[u8; 32], VaultError> {
        let (mut offset, mut hash) = (0, Sha256::new());
        let (write, meter) = (self.way == Way::Write, self.meter);
        self.mounted.read(path, 0, node.size, &mut |bytes| {
            hash.update(bytes);
            if write {
                for (at, piece) in (offset..).step_by(PIECE).zip(bytes.chunks(PIECE)) {
                    if *piece != ZEROS[..piece.len()] {
                        file.write_all_at(piece, at)
                            .map_err(|source| VaultError::io("write", target, source))?;
                    }
                }
            }
            offset += bytes.len() as u64;
            meter.add(bytes.len() as u64);
            Ok(())
        })?;
        if offset != node.size {
            return Err(VaultError::FileSystemUnreadable {
                volume: self.mounted.volume.name.clone(),
                file_system: self.mounted.volume.file_system.clone(),
                why: format!("a file of {} bytes ends after {offset}", node.size),
            });
        }
        if write {
            file.set_len(node.size)
                .map_err(|source| VaultError::io("size", target, source))?;
        }
        Ok(hash.finalize().into())
    }

    fn differs(&self, path: &[Vec<u8>]) -> VaultError {
        VaultError::TargetDamaged {
            path: self.target(path),
            how: "it is not what the recovery point has".to_owned(),
        }
    }

    fn gone_or(&self, path: &[Vec<u8>], errno: Errno) -> VaultError {
        VaultError::io("open", self.target(path), errno)
    }

    /// Where something goes, for people.
    fn target(&self, path: &[Vec<u8>]) -> PathBuf {
        let below = path.iter().map(|name| std::ffi::OsStr::from_bytes(name));
        self.root_path.join(below.collect::<PathBuf>())
    }
}

fn name_of(path: &[Vec<u8>]) -> &[u8] {
    path.last().map(Vec::as_slice).unwrap_or_default()
}
