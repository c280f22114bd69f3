//! What is wanted of a volume, found and counted before anything is written; and the way through a directory, which the
//! restore goes a second time.

use std::collections::BTreeMap;

use super::tell::Told;
use crate::{
    error::{VaultError, describe},
    files::{Components, Kind, Mounted, Node, components, join, text},
};

/// Entries of a directory that are held at a time.
const PAGE: usize = 1_000;

/// Directories within directories: each takes an open file while what is in it is written.
pub(crate) const DEEPEST: usize = 256;

/// What is wanted, and how much that is.
#[derive(Debug)]
pub(crate) struct Survey {
    /// Resolved paths, none below another, in the order of their components.
    pub(crate) wanted: Vec<(Components, Node)>,
    /// Bytes that the files may take.
    pub(crate) bytes: u64,
}

impl Survey {
    pub(crate) fn of(
        mounted: &Mounted<'_>,
        paths: &[String],
        told: &Told,
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
        let mut survey = Self {
            wanted: Vec::new(),
            bytes: 0,
        };
        for (path, node) in &wanted {
            survey.count(mounted, &mut path.clone(), node, 0, told)?;
        }
        survey.wanted = wanted;
        Ok(survey)
    }

    fn count(
        &mut self,
        mounted: &Mounted<'_>,
        path: &mut Components,
        node: &Node,
        depth: usize,
        told: &Told,
    ) -> Result<(), VaultError> {
        match node.kind {
            // A file that is larger than its volume is mostly holes, which take no room.
            Kind::File if node.size <= mounted.volume.size => self.bytes += node.size,
            Kind::Directory if depth < DEEPEST => {
                each(mounted, path, told, &mut |path, node| {
                    self.count(mounted, path, node, depth + 1, told)
                })?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// What is in a directory, page by page. One that is damaged is told of.
pub(crate) fn each(
    mounted: &Mounted<'_>,
    path: &mut Components,
    told: &Told,
    work: &mut dyn FnMut(&mut Components, &Node) -> Result<(), VaultError>,
) -> Result<(), VaultError> {
    let mut after: Option<Vec<u8>> = None;
    loop {
        let (nodes, more) = match mounted.list(path, after.as_deref(), PAGE) {
            Ok(listed) => listed,
            Err(error @ VaultError::FileSystemUnreadable { .. }) => {
                lost(told, path, &describe(&error));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        after = nodes.last().map(|(name, _)| name.clone());
        for (name, node) in nodes {
            let plain = !name.is_empty()
                && name != b"."
                && name != b".."
                && !name.contains(&b'/')
                && !name.contains(&0);
            path.push(name);
            if plain {
                work(path, &node)?;
            } else {
                lost(told, path, "no file can have this name");
            }
            path.pop();
        }
        if !more || after.is_none() {
            return Ok(());
        }
    }
}

/// Says of something that is never restored that it was there.
pub(crate) fn left_out(told: &Told, path: &[Vec<u8>], why: &str) {
    told.note(sentence(path, why));
}

/// Says of something that was to be restored that it is not.
pub(crate) fn lost(told: &Told, path: &[Vec<u8>], why: &str) {
    told.lost(sentence(path, why));
}

fn sentence(path: &[Vec<u8>], why: &str) -> String {
    format!("{} was left out: {why}.", text(&join(path)))
}
