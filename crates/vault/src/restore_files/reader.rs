//! The reading side of a restore: goes through what is wanted of a volume, step by step. It can stop anywhere, say where it
//! is, and go on from there later, in another process even.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, VecDeque},
};

use serde::{Deserialize, Serialize};

use super::frame::{Frame, Omitted, Reason};
use crate::{
    error::{VaultError, describe},
    files::{self, Components, Kind, Mounted, Node, Piece, Unreadable, components, join, text},
};

/// Entries of a directory that are held at a time.
const PAGE: usize = 1_000;

/// Directories within directories: each takes an open file while what is in it is written.
const DEEPEST: usize = 1_000;

/// Bytes of a file that are read at a time.
const PIECE: usize = 256 << 10;

/// What is looked at for zeros, and left a hole.
const GRAIN: usize = 64 << 10;

/// Where what is wanted goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// By the path that it has on its volume.
    Paths,
    /// By its own name alone.
    Names,
}

/// Where a reader is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Cursor {
    /// How many of the wanted paths have begun.
    begun: usize,
    /// The directories that are open, from the outermost on, as text.
    open: Vec<String>,
    /// What was begun last in the innermost of them.
    last: Option<String>,
    /// How far the file of that name is, if it is not complete.
    offset: Option<u64>,
    /// Whether it was told what is wrong with that directory.
    #[serde(default)]
    told: bool,
    /// Files with more names that are still to come, and how many.
    links: Vec<(u64, u32)>,
}

pub(crate) struct Reader<'a> {
    mounted: &'a Mounted<'a>,
    layout: Layout,
    /// What is wanted: resolved, none below another, in the order of the paths.
    wanted: Vec<(Components, Node)>,
    begun: usize,
    open: Vec<Level>,
    /// What was begun last in the innermost directory; where none is open, beside it.
    last: Option<Vec<u8>>,
    /// Whether it was told what is wrong with the innermost directory, and nothing was begun in it since.
    told: bool,
    file: Option<(Node, u64)>,
    /// Files that are complete under one of their names, and how many more they have.
    links: BTreeMap<u64, u32>,
    most_links: usize,
    contents: bool,
    /// The first that the vault itself has lost.
    vault_damage: Option<VaultError>,
    buffer: Vec<u8>,
}

/// A directory that is being gone through.
struct Level {
    name: Vec<u8>,
    node: Node,
    /// What of it is wanted.
    holds: Holds,
    waiting: VecDeque<(Vec<u8>, Node)>,
    more: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// All of it, and itself.
    All,
    /// All of it, without itself: the volume's root.
    AllButItself,
    /// Only what lies on the way to something that is wanted.
    Way,
}

impl<'a> Reader<'a> {
    /// Looks for what is wanted.
    ///
    /// # Errors
    /// A path that does not exist or cannot be one; two that would become one.
    pub(crate) fn new(
        mounted: &'a Mounted<'a>,
        paths: &[String],
        layout: Layout,
    ) -> Result<Self, VaultError> {
        let mut found = BTreeMap::new();
        for path in paths {
            let names = components(path)
                .ok_or_else(|| VaultError::InvalidJob(format!("{path:?} is no path of a file")))?;
            let (path, node) = mounted.resolve(&names, false)?;
            found.insert(path, node);
        }
        let mut wanted: Vec<(Components, Node)> = Vec::new();
        for (path, node) in found {
            // What lies below another comes right after it.
            if !wanted
                .last()
                .is_some_and(|(above, _)| path.starts_with(above))
            {
                wanted.push((path, node));
            }
        }
        if layout == Layout::Names {
            let mut names = BTreeMap::new();
            for (path, _) in &wanted {
                if let Some(other) = names.insert(path.last(), path) {
                    return Err(VaultError::InvalidJob(format!(
                        "{} and {} have one name and would become one file; restore them one after the other, or by their paths",
                        text(&join(other)),
                        text(&join(path))
                    )));
                }
            }
        }
        Ok(Self {
            mounted,
            layout,
            wanted,
            begun: 0,
            open: Vec::new(),
            last: None,
            told: false,
            file: None,
            links: BTreeMap::new(),
            most_links: 1 << 20,
            contents: true,
            vault_damage: None,
            buffer: vec![0; PIECE],
        })
    }

    /// Bytes that the files may take; nothing is read of them.
    pub(crate) fn measure(mut self) -> Result<u64, VaultError> {
        self.contents = false;
        let (mut bytes, mut linked) = (0, BTreeSet::new());
        let volume = self.mounted.volume.size;
        while let Some(frame) = self.next()? {
            if let Frame::File { node, .. } = frame
                // A file that is larger than its volume is mostly holes, which take no room.
                && node.size <= volume
                && (node.links < 2 || linked.insert(node.place))
            {
                bytes += node.size;
            }
        }
        Ok(bytes)
    }

    /// Keeps no more than so many files in mind for their other names; the content of others comes with each of them.
    pub(crate) fn with_links(mut self, most: usize) -> Self {
        self.most_links = most;
        self
    }

    /// Where it is, to go on from there.
    pub(crate) fn cursor(&self) -> Cursor {
        let open = self.open.iter().filter(|level| level.is_told());
        Cursor {
            begun: self.begun,
            open: open.map(|level| text(&level.name)).collect(),
            last: self.last.as_deref().map(text),
            offset: self.file.as_ref().map(|(_, offset)| *offset),
            told: self.told,
            links: self.links.iter().map(|(id, left)| (*id, *left)).collect(),
        }
    }

    /// Goes to where another reader of the same paths was.
    ///
    /// # Errors
    /// A cursor that is none of this volume's.
    pub(crate) fn go_to(&mut self, cursor: &Cursor) -> Result<(), VaultError> {
        let lost = || VaultError::InvalidJob("the place to go on from is not there".to_owned());
        let links = cursor.links.iter().take(self.most_links);
        self.links = links.copied().collect();
        self.begun = cursor.begun.min(self.wanted.len());
        let before = self.begun.checked_sub(1).map(|at| self.wanted[at].clone());
        let next = self.wanted.get(self.begun).cloned();
        // The directories that are open lead to what was begun last, or to what comes next.
        let leads = |(path, _): &(Components, Node)| {
            let open = cursor.open.iter().map(|name| files::bytes(name));
            self.layout == Layout::Names || path.iter().zip(open).all(|(name, open)| *name == open)
        };
        let Some((path, node)) = before.filter(leads).or(next.filter(leads)) else {
            return if cursor.open.is_empty() {
                Ok(())
            } else {
                Err(lost())
            };
        };
        if cursor.open.is_empty() && self.begun == 0 {
            return Ok(());
        }
        if path.is_empty() {
            self.open
                .push(Level::new(Vec::new(), node.clone(), Holds::AllButItself));
        }
        let mut names = cursor.open.iter().map(|name| files::bytes(name)).peekable();
        if let (Layout::Names, false, Some(name)) = (self.layout, path.is_empty(), names.peek()) {
            if path.last() != Some(name) {
                return Err(lost());
            }
            self.open
                .push(Level::new(name.clone(), node.clone(), Holds::All));
            names.next();
        }
        for name in names {
            let above = match self.open.last() {
                Some(level) => level.node.clone(),
                None => self.mounted.resolve(&[], false)?.1,
            };
            let below = self.mounted.entry(&above, &name)?.ok_or_else(lost)?;
            if let Some(level) = self.open.last_mut()
                && level.holds != Holds::Way
            {
                level.begin_after(self.mounted, Some(&name))?;
            }
            let on_the_way = self.layout == Layout::Paths && self.open.len() + 1 < path.len();
            let holds = if on_the_way { Holds::Way } else { Holds::All };
            self.open.push(Level::new(name, below, holds));
        }
        self.last = cursor.last.as_deref().map(files::bytes);
        self.told = cursor.told;
        if let Some(level) = self.open.last_mut()
            && level.holds != Holds::Way
        {
            match level.begin_after(self.mounted, self.last.as_deref()) {
                // What is wrong with it is told by the next step, or was told by the last.
                Err(_) if self.last.is_none() => level.more = !self.told,
                done => done?,
            }
            if self.last.is_none() && !self.told {
                level.waiting.clear();
                level.more = true;
            }
        }
        if let Some(offset) = cursor.offset {
            let name = self.last.clone().ok_or_else(lost)?;
            let file = match self.open.last() {
                Some(level) => self.mounted.entry(&level.node, &name)?,
                None => Some(node),
            };
            let file = file
                .filter(|node| node.kind == Kind::File)
                .ok_or_else(lost)?;
            self.file = Some((file, offset));
        }
        Ok(())
    }

    /// The next step; `None` at the end.
    ///
    /// # Errors
    /// What leaves no way on; what is wrong with one thing is a step.
    pub(crate) fn next(&mut self) -> Result<Option<Frame<'_>>, VaultError> {
        if self.file.is_some() {
            return self.content().map(Some);
        }
        self.step()
    }

    fn step(&mut self) -> Result<Option<Frame<'static>>, VaultError> {
        loop {
            let Some(level) = self.open.last_mut() else {
                return self.next_wanted();
            };
            if level.holds == Holds::Way {
                return self.next_wanted();
            }
            if let Some((name, node)) = level.waiting.pop_front() {
                return self.begin(name, node).map(Some);
            }
            if level.more {
                if let Some(omitted) = self.fill()? {
                    return Ok(Some(Frame::Omitted(omitted)));
                }
                continue;
            }
            let Some(done) = self.open.pop() else {
                return self.next_wanted();
            };
            self.last = Some(done.name);
            self.told = false;
            if done.holds == Holds::All {
                return Ok(Some(Frame::Leave));
            }
        }
    }

    /// The next of the wanted paths, and the directories that lead to it.
    fn next_wanted(&mut self) -> Result<Option<Frame<'static>>, VaultError> {
        let next = self.wanted.get(self.begun).cloned();
        let above: &[Vec<u8>] = match (&next, self.layout) {
            (Some((path, _)), Layout::Paths) => &path[..path.len().saturating_sub(1)],
            _ => &[],
        };
        let shared = self
            .open
            .iter()
            .zip(above)
            .take_while(|(level, name)| level.name == **name)
            .count();
        if shared < self.open.len() {
            self.open.pop();
            return Ok(Some(Frame::Leave));
        }
        if let Some(name) = above.get(shared) {
            let (_, node) = self.mounted.resolve(&above[..=shared], false)?;
            self.open
                .push(Level::new(name.clone(), node.clone(), Holds::Way));
            return Ok(Some(Frame::Enter {
                name: name.clone(),
                node,
            }));
        }
        let Some((path, node)) = next else {
            return Ok(None);
        };
        self.begun += 1;
        if let Some(name) = path.last() {
            return self.begin(name.clone(), node).map(Some);
        }
        let mut root = Level::new(Vec::new(), node, Holds::AllButItself);
        root.more = true;
        self.open.push(root);
        self.last = None;
        self.step()
    }

    /// Reads the next page of the innermost directory; what of it cannot be read.
    fn fill(&mut self) -> Result<Option<Omitted>, VaultError> {
        let Some(level) = self.open.last_mut() else {
            return Ok(None);
        };
        let after = self.last.take();
        let listed = self.mounted.list(&level.node, after.as_deref(), PAGE);
        let listed = match listed.map_err(of_one) {
            Ok(listed) => listed,
            Err(Ok(error)) => {
                level.more = false;
                self.told = true;
                return Ok(Some(self.left_out(None, error)));
            }
            Err(Err(error)) => return Err(error),
        };
        level.more = listed.more && !listed.entries.is_empty();
        level.waiting = listed.entries.into();
        // Of the directory itself, told with the first page alone.
        let damage = listed.damage.filter(|_| after.is_none());
        let damage = damage.or(listed.twice);
        self.last = after;
        self.told |= damage.is_some();
        Ok(damage.map(|why| {
            let why = format!("{why}; what could be read of it is restored");
            self.omitted(None, Reason::Damaged, why)
        }))
    }

    /// Begins something in the innermost directory.
    fn begin(&mut self, name: Vec<u8>, node: Node) -> Result<Frame<'static>, VaultError> {
        self.last = Some(name.clone());
        self.told = false;
        let omit = |reader: &Self, reason, why: &str| {
            Ok(Frame::Omitted(reader.omitted(
                Some(&name),
                reason,
                why.to_owned(),
            )))
        };
        match node.kind {
            Kind::File => {
                if node.links > 1
                    && let Some(left) = self.links.get_mut(&node.place)
                {
                    *left -= 1;
                    if *left == 0 {
                        self.links.remove(&node.place);
                    }
                    return Ok(Frame::HardLink { name, node });
                }
                if self.contents {
                    self.file = Some((node.clone(), 0));
                }
                Ok(Frame::File { name, node })
            }
            Kind::Directory if self.open.len() >= DEEPEST => {
                let why = format!(
                    "it lies below more than {DEEPEST} directories; restore it by its own path"
                );
                omit(self, Reason::Unsupported, &why)
            }
            Kind::Directory
                if node.place != 0
                    && self.open.iter().any(|above| above.node.place == node.place) =>
            {
                omit(self, Reason::Damaged, "the directory is within itself")
            }
            Kind::Directory => {
                let mut level = Level::new(name.clone(), node.clone(), Holds::All);
                level.more = true;
                self.open.push(level);
                self.last = None;
                Ok(Frame::Enter { name, node })
            }
            Kind::Symlink => Ok(Frame::Symlink { name, node }),
            Kind::Device | Kind::Fifo | Kind::Socket => omit(
                self,
                Reason::Special,
                "devices, pipes and sockets are not restored",
            ),
            Kind::Unreadable => {
                let (reason, why) = match &node.why {
                    Some(why @ Unreadable::Unsupported(_)) => {
                        (Reason::Unsupported, why.to_string())
                    }
                    Some(why) => (Reason::Damaged, why.to_string()),
                    None => (
                        Reason::Damaged,
                        "the file system is damaged there".to_owned(),
                    ),
                };
                omit(self, reason, &why)
            }
        }
    }

    /// The next of the file that is open.
    fn content(&mut self) -> Result<Frame<'_>, VaultError> {
        let Some((node, mut offset)) = self.file.take() else {
            return Err(VaultError::Internal("a file that is not open is read"));
        };
        loop {
            let piece = self.mounted.read(&node, offset, &mut self.buffer);
            let count = match piece.map_err(of_one) {
                Ok(Piece::Data(count)) => count,
                Ok(Piece::Hole(count)) => {
                    offset += count;
                    continue;
                }
                Ok(Piece::End) if offset == node.size => {
                    if node.links > 1 && self.links.len() < self.most_links {
                        self.links.insert(node.place, node.links - 1);
                    }
                    return Ok(Frame::Done);
                }
                Ok(Piece::End) => {
                    let why = format!("a file of {} bytes ends after {offset}", node.size);
                    let name = self.last.as_deref();
                    return Ok(Frame::Omitted(self.omitted(name, Reason::Damaged, why)));
                }
                Err(Ok(error)) => {
                    let name = self.last.clone();
                    return Ok(Frame::Omitted(self.left_out(name.as_deref(), error)));
                }
                Err(Err(error)) => return Err(error),
            };
            let start = offset;
            offset += count as u64;
            let bytes = &self.buffer[..count];
            let is_zeros = |grain: &[u8]| grain.iter().all(|byte| *byte == 0);
            let Some(first) = bytes.chunks(GRAIN).position(|grain| !is_zeros(grain)) else {
                continue;
            };
            self.file = Some((node, offset));
            let first = first * GRAIN;
            return Ok(Frame::Data {
                offset: start + first as u64,
                bytes: Cow::Borrowed(&self.buffer[first..count]),
            });
        }
    }

    /// What the vault itself has lost, if that is why something was left out.
    pub(crate) fn vault_damage(self) -> Option<VaultError> {
        self.vault_damage
    }

    fn left_out(&mut self, name: Option<&[u8]>, error: VaultError) -> Omitted {
        let why = describe(&error);
        let reason = match error {
            VaultError::FileSystemUnsupported { .. } => Reason::Unsupported,
            VaultError::FileSystemUnreadable { .. } => Reason::Damaged,
            error => {
                self.vault_damage.get_or_insert(error);
                Reason::Vault
            }
        };
        self.omitted(name, reason, why)
    }

    /// Something in the innermost directory, or that itself.
    fn omitted(&self, name: Option<&[u8]>, reason: Reason, why: String) -> Omitted {
        let mut path: Components = match (self.layout, self.begun.checked_sub(1)) {
            (Layout::Names, Some(at)) => {
                let (path, _) = &self.wanted[at];
                path[..path.len().saturating_sub(1)].to_vec()
            }
            _ => Components::new(),
        };
        let open = self.open.iter().filter(|level| level.is_told());
        path.extend(open.map(|level| level.name.clone()));
        path.extend(name.map(<[u8]>::to_vec));
        Omitted {
            path: join(&path),
            reason,
            why,
        }
    }
}

impl Level {
    fn new(name: Vec<u8>, node: Node, holds: Holds) -> Self {
        Self {
            name,
            node,
            holds,
            waiting: VecDeque::new(),
            more: false,
        }
    }

    fn is_told(&self) -> bool {
        self.holds != Holds::AllButItself
    }

    /// Has what comes behind a name wait.
    fn begin_after(
        &mut self,
        mounted: &Mounted<'_>,
        name: Option<&[u8]>,
    ) -> Result<(), VaultError> {
        let listed = mounted.list(&self.node, name, PAGE)?;
        self.more = listed.more;
        self.waiting = listed.entries.into();
        Ok(())
    }
}

/// What is wrong with one thing alone, or with all of it.
fn of_one(error: VaultError) -> Result<VaultError, VaultError> {
    match error {
        VaultError::FileSystemUnreadable { .. }
        | VaultError::FileSystemUnsupported { .. }
        | VaultError::Damaged(_) => Ok(error),
        error => Err(error),
    }
}
