//! The writing side of a restore, the only one that makes files: every step goes through the directory above it, opened
//! without following links, and makes what was not there. What the place refuses of one name is left out and told; what it
//! refuses altogether (no space, an error of its disk) ends the restore.

use std::{
    collections::HashMap,
    fs::File,
    os::{
        fd::OwnedFd,
        unix::{ffi::OsStrExt, fs::FileExt},
    },
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use rustix::{
    fs::{AtFlags, Mode, OFlags},
    io::Errno,
};

use super::{
    batch::{self, Batch, Directory, Item},
    frame::{Frame, Omitted, Reason},
    sum::{SparseSum, sum_of},
    tell::Told,
};
use crate::{
    error::VaultError,
    files::{Components, Node, can_be, join},
    layout::ZEROS,
    meter::Meter,
};

/// What is looked at for zeros, and left a hole.
const PIECE: usize = 64 << 10;

/// The mode's bits by which an owner reads, changes and enters a directory.
const ALL_OF_OWNER: u32 = 0o700;

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

pub(crate) struct Writer {
    root: Directory,
    root_path: PathBuf,
    way: Way,
    batch: Batch,
    counted: Counted,
    /// The directories that are open, the innermost last.
    open: Vec<Open>,
    /// Directories within one that could not be made, which come and go unheeded.
    skipped: usize,
    file: Option<Writing>,
    /// Where files with more names are that are complete, by what those have in common.
    links: HashMap<u64, Linked>,
    /// Directories that their owner may not enter, list or change: they get their modes last, because further names of files may still
    /// lead through them. Those within others come first.
    shut: Vec<(Components, Node)>,
    /// What lies right below the root, whose directories get their modes when it has found its place.
    outermost: Outermost,
    meter: Arc<Meter>,
    told: Arc<Told>,
}

/// When the outermost directories are finished.
#[derive(Debug)]
pub(crate) enum Outermost {
    /// Like all others.
    Like,
    /// By the caller, who gives them other names first.
    Kept(Vec<(Vec<u8>, Option<Node>)>),
}

struct Open {
    name: Vec<u8>,
    itself: Directory,
    node: Node,
}

/// A file whose content comes.
struct Writing {
    name: Vec<u8>,
    node: Node,
    /// `None` if it is not written: it could not be made, or is there by another name.
    file: Option<(File, SparseSum)>,
    /// Whether it should have been there to be compared, and is not.
    missing: bool,
    at: u64,
}

struct Linked {
    path: Components,
    /// Names that are still to come.
    left: u32,
}

impl Writer {
    pub(crate) fn new(
        root: &Path,
        way: Way,
        outermost: Outermost,
        meter: Arc<Meter>,
        told: Arc<Told>,
    ) -> Result<Self, VaultError> {
        let opened = rustix::fs::open(root, batch::DIRECTORY, Mode::empty())
            .map_err(|errno| VaultError::io("open", root, errno))?;
        batch::raise_open_files();
        Ok(Self {
            root: Rc::new(opened),
            root_path: root.to_owned(),
            way,
            batch: Batch::default(),
            counted: Counted::default(),
            open: Vec::new(),
            skipped: 0,
            file: None,
            links: HashMap::new(),
            shut: Vec::new(),
            outermost,
            meter,
            told,
        })
    }

    /// Does the next step.
    ///
    /// # Errors
    /// What leaves no way on, or frames that are in no order.
    pub(crate) fn take(&mut self, frame: Frame<'_>) -> Result<(), VaultError> {
        if self.skipped > 0 {
            match frame {
                Frame::Enter { .. } => self.skipped += 1,
                Frame::Leave => self.skipped -= 1,
                Frame::Omitted(omitted) => self.told.omit(&omitted),
                _ => {}
            }
            return Ok(());
        }
        match frame {
            Frame::Data { offset, bytes } => return self.data(offset, &bytes),
            Frame::Done => return self.done(),
            Frame::Omitted(omitted) => return self.omitted(&omitted),
            _ if self.file.is_some() => return Err(out_of_order()),
            _ => {}
        }
        let name = match &frame {
            Frame::Enter { name, .. }
            | Frame::File { name, .. }
            | Frame::HardLink { name, .. }
            | Frame::Symlink { name, .. } => name.as_slice(),
            _ => b"-",
        };
        if !can_be(name) {
            return Err(out_of_order());
        }
        match frame {
            Frame::Enter { name, node } => self.enter(name, node),
            Frame::Leave => self.leave(),
            Frame::File { name, node } => self.file(name, node),
            Frame::HardLink { name, node } => self.hard_link(&name, &node),
            Frame::Symlink { name, node } => self.symlink(&name, &node),
            Frame::Data { .. } | Frame::Done | Frame::Omitted(_) => Err(out_of_order()),
        }
    }

    /// Brings the rest to disk and compares it.
    ///
    /// # Errors
    /// Those of the steps; [`VaultError::Internal`] where something is still open.
    pub(crate) fn finish(mut self) -> Result<(Counted, Outermost), VaultError> {
        if !self.open.is_empty() || self.file.is_some() || self.skipped > 0 {
            return Err(out_of_order());
        }
        if self.way == Way::Write {
            self.batch.prove(&self.root, &self.root_path, &self.told)?;
            for (path, node) in std::mem::take(&mut self.shut) {
                let (above, name) = self.open_above(&path)?;
                let shown = self.shown(&path);
                let itself = rustix::fs::openat(&*above, name, batch::DIRECTORY, Mode::empty())
                    .map_err(|errno| VaultError::io("open", &shown, errno))?;
                batch::finish(itself, &shown, &node, &self.told)?;
            }
            rustix::fs::syncfs(&*self.root)
                .map_err(|errno| VaultError::io("write", &self.root_path, errno))?;
        }
        Ok((self.counted, self.outermost))
    }

    /// What there is so far.
    pub(crate) fn counted(&self) -> Counted {
        self.counted
    }

    fn here(&self) -> Directory {
        Rc::clone(self.open.last().map_or(&self.root, |open| &open.itself))
    }

    fn enter(&mut self, name: Vec<u8>, node: Node) -> Result<(), VaultError> {
        let here = self.here();
        if self.way == Way::Write
            && let Err(errno) = rustix::fs::mkdirat(&*here, name.as_slice(), Mode::RWXU)
        {
            self.skipped = 1;
            return self.refused(&name, "create", errno);
        }
        let opened = rustix::fs::openat(&*here, name.as_slice(), batch::DIRECTORY, Mode::empty())
            .map_err(|errno| VaultError::io("open", self.target(&name), errno))?;
        self.counted.directories += 1;
        self.open.push(Open {
            name,
            itself: Rc::new(opened),
            node,
        });
        Ok(())
    }

    fn leave(&mut self) -> Result<(), VaultError> {
        let Some(Open { name, itself, node }) = self.open.pop() else {
            return Err(out_of_order());
        };
        if self.way == Way::Compare {
            return Ok(());
        }
        let path = self.target(&name);
        if self.open.is_empty()
            && let Outermost::Kept(kept) = &mut self.outermost
        {
            kept.push((name, Some(node)));
            return Ok(());
        }
        if !batch::is_root()
            && node
                .mode
                .is_some_and(|mode| mode & ALL_OF_OWNER != ALL_OF_OWNER)
        {
            self.shut.push((self.components(&name), node));
            return Ok(());
        }
        self.add(Item::Directory { itself, path, node })
    }

    fn add(&mut self, item: Item) -> Result<(), VaultError> {
        if self.batch.add(item) {
            self.batch.prove(&self.root, &self.root_path, &self.told)?;
        }
        Ok(())
    }

    /// Something is there that is no directory.
    fn made(&mut self, name: &[u8]) {
        self.counted.files += 1;
        if self.open.is_empty()
            && let Outermost::Kept(kept) = &mut self.outermost
        {
            kept.push((name.to_vec(), None));
        }
    }

    fn symlink(&mut self, name: &[u8], node: &Node) -> Result<(), VaultError> {
        if node.links > 1 && self.links.contains_key(&node.place) {
            return self.hard_link(name, node);
        }
        let (here, target) = (self.here(), node.target.clone().unwrap_or_default());
        if self.way == Way::Write {
            if let Err(errno) = rustix::fs::symlinkat(target.as_slice(), &*here, name) {
                return self.refused(name, "create", errno);
            }
            batch::finish_link(&here, name, &self.target(name), node, &self.told)?;
        }
        let read = rustix::fs::readlinkat(&*here, name, Vec::new())
            .map_err(|errno| VaultError::io("read back", self.target(name), errno))?;
        if read.as_bytes() != target {
            return Err(self.differs(name));
        }
        self.made(name);
        self.remember(name, node);
        Ok(())
    }

    /// Remembers what may get more names.
    fn remember(&mut self, name: &[u8], node: &Node) {
        if node.links > 1 {
            let linked = Linked {
                path: self.components(name),
                left: node.links - 1,
            };
            self.links.insert(node.place, linked);
        }
    }

    fn file(&mut self, name: Vec<u8>, node: Node) -> Result<(), VaultError> {
        if node.links > 1 && self.links.contains_key(&node.place) {
            // It is told once more, because whoever tells does not know what is here.
            self.hard_link(&name, &node)?;
            return self.begin(name, node, None);
        }
        let here = self.here();
        let file = match self.way {
            Way::Compare => match batch::open(&here, &name) {
                Ok(file) => file,
                // Unless it cannot be read and so was left out.
                Err(Errno::NOENT) => {
                    self.begin(name, node, None)?;
                    if let Some(writing) = &mut self.file {
                        writing.missing = true;
                    }
                    return Ok(());
                }
                Err(errno) => {
                    return Err(VaultError::io("read back", self.target(&name), errno));
                }
            },
            Way::Write => {
                let flags = OFlags::RDWR
                    | OFlags::CREATE
                    | OFlags::EXCL
                    | OFlags::NOFOLLOW
                    | OFlags::CLOEXEC;
                match rustix::fs::openat(&*here, name.as_slice(), flags, Mode::RUSR | Mode::WUSR) {
                    Ok(file) => File::from(file),
                    Err(errno) => {
                        self.refused(&name, "create", errno)?;
                        return self.begin(name, node, None);
                    }
                }
            }
        };
        if self.way == Way::Write
            && let Err(error) = file.set_len(node.size)
        {
            drop(file);
            self.remove(&name)?;
            let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
            // A size that no file can have here, for which there is no room to be made.
            let why = if errno == Errno::FBIG {
                Errno::INVAL
            } else {
                errno
            };
            self.refused(&name, "size", why)?;
            return self.begin(name, node, None);
        }
        self.begin(name, node, Some((file, SparseSum::new())))
    }

    fn begin(
        &mut self,
        name: Vec<u8>,
        node: Node,
        file: Option<(File, SparseSum)>,
    ) -> Result<(), VaultError> {
        self.file = Some(Writing {
            name,
            node,
            file,
            missing: false,
            at: 0,
        });
        Ok(())
    }

    fn data(&mut self, offset: u64, bytes: &[u8]) -> Result<(), VaultError> {
        let Some(writing) = &mut self.file else {
            return Err(out_of_order());
        };
        let end = offset.checked_add(bytes.len() as u64);
        let Some(end) = end.filter(|end| offset >= writing.at && *end <= writing.node.size) else {
            return Err(out_of_order());
        };
        self.meter.add(end - writing.at);
        writing.at = end;
        let Some((file, sum)) = &mut writing.file else {
            return Ok(());
        };
        sum.add(offset, bytes);
        if self.way == Way::Compare {
            return Ok(());
        }
        for (at, piece) in (offset..).step_by(PIECE).zip(bytes.chunks(PIECE)) {
            if *piece != ZEROS[..piece.len()]
                && let Err(source) = file.write_all_at(piece, at)
            {
                let name = writing.name.clone();
                return Err(VaultError::io("write", self.target(&name), source));
            }
        }
        Ok(())
    }

    fn done(&mut self) -> Result<(), VaultError> {
        let Some(Writing {
            name,
            node,
            file,
            missing,
            at,
        }) = self.file.take()
        else {
            return Err(out_of_order());
        };
        self.meter.add(node.size - at);
        if missing {
            return Err(self.differs(&name));
        }
        let Some((file, sum)) = file else {
            return Ok(());
        };
        let sum = sum.finish();
        self.made(&name);
        self.counted.bytes += node.size;
        self.remember(&name, &node);
        if self.way == Way::Write {
            let (at, path) = (self.here(), self.target(&name));
            return self.add(Item::File {
                at,
                name,
                path,
                sum,
                node,
            });
        }
        let found = sum_of(&file)
            .map_err(|source| VaultError::io("read back", self.target(&name), source))?;
        if found == (node.size, sum) {
            Ok(())
        } else {
            Err(self.differs(&name))
        }
    }

    fn hard_link(&mut self, name: &[u8], node: &Node) -> Result<(), VaultError> {
        let Some(linked) = self.links.get_mut(&node.place) else {
            self.told.omit(&Omitted {
                path: join(&self.components(name)),
                reason: Reason::Target,
                why: "the file that it is another name of could not be restored".to_owned(),
            });
            return Ok(());
        };
        linked.left = linked.left.saturating_sub(1);
        let (path, is_last) = (linked.path.clone(), linked.left == 0);
        let (there, first) = self.open_above(&path)?;
        let here = self.here();
        if self.way == Way::Write
            && let Err(errno) = rustix::fs::linkat(&*there, first, &*here, name, AtFlags::empty())
        {
            return self.refused(name, "link", errno);
        }
        let inode = |at: &OwnedFd, name: &[u8]| {
            rustix::fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW)
                .map(|stat| (stat.st_dev, stat.st_ino))
                .map_err(|errno| VaultError::io("look at", self.target(name), errno))
        };
        if inode(&there, first)? != inode(&here, name)? {
            return Err(self.differs(name));
        }
        if is_last {
            self.links.remove(&node.place);
        }
        self.made(name);
        Ok(())
    }

    /// The directory that something which was made is in, and its name there.
    fn open_above<'p>(&self, path: &'p Components) -> Result<(Directory, &'p [u8]), VaultError> {
        let mut at = Rc::clone(&self.root);
        let (name, above) = path
            .split_last()
            .ok_or(VaultError::Internal("a file without a name"))?;
        for (depth, name) in above.iter().enumerate() {
            let opened = rustix::fs::openat(&*at, name.as_slice(), batch::DIRECTORY, Mode::empty())
                .map_err(|errno| VaultError::io("open", self.shown(&above[..=depth]), errno))?;
            at = Rc::new(opened);
        }
        Ok((at, name.as_slice()))
    }

    fn omitted(&mut self, omitted: &Omitted) -> Result<(), VaultError> {
        if let Some(writing) = self.file.take()
            && writing.file.is_some()
            && self.way == Way::Write
        {
            self.remove(&writing.name)?;
        }
        self.told.omit(omitted);
        Ok(())
    }

    fn remove(&self, name: &[u8]) -> Result<(), VaultError> {
        rustix::fs::unlinkat(&*self.here(), name, AtFlags::empty())
            .map_err(|errno| VaultError::io("remove", self.target(name), errno))
    }

    /// What the place refuses: of one name it is told of and left out, else there is no way on.
    fn refused(
        &mut self,
        name: &[u8],
        doing: &'static str,
        errno: Errno,
    ) -> Result<(), VaultError> {
        let why = match errno {
            Errno::NAMETOOLONG => "its name is too long for the place it goes to",
            Errno::EXIST => "something of that name is there already",
            Errno::INVAL | Errno::ILSEQ => "the place it goes to takes no such name, size or link",
            Errno::PERM | Errno::OPNOTSUPP | Errno::MLINK | Errno::XDEV => {
                "the place it goes to has no files of this kind"
            }
            errno => return Err(VaultError::io(doing, self.target(name), errno)),
        };
        self.told.omit(&Omitted {
            path: join(&self.components(name)),
            reason: Reason::Target,
            why: why.to_owned(),
        });
        Ok(())
    }

    fn differs(&self, name: &[u8]) -> VaultError {
        VaultError::TargetDamaged {
            path: self.target(name),
            how: "it is not what the recovery point has".to_owned(),
        }
    }

    /// Where something in the innermost directory is, from the root on.
    fn components(&self, name: &[u8]) -> Components {
        let open = self.open.iter().map(|open| open.name.clone());
        open.chain([name.to_vec()]).collect()
    }

    /// The same for people.
    fn target(&self, name: &[u8]) -> PathBuf {
        self.shown(&self.components(name))
    }

    /// A path from the root on, for people.
    fn shown(&self, path: &[Vec<u8>]) -> PathBuf {
        let below = path.iter().map(|name| std::ffi::OsStr::from_bytes(name));
        self.root_path.join(below.collect::<PathBuf>())
    }
}

fn out_of_order() -> VaultError {
    VaultError::Repository {
        doing: "read the files that came",
        message: "they do not follow each other as they must".to_owned(),
    }
}
