//! Which snapshots lean on what is lost, and what of it they want.

use std::collections::{HashMap, HashSet};

use crate::{
    codec::Decoder,
    error::VaultError,
    event::DamagedSnapshot,
    id::Id,
    index::Index,
    pack::Kind,
    references::{self, Reference},
    repository::Vault,
    snapshot::{self, Snapshot},
};

/// The damage as a person who restores meets it.
#[derive(Debug, Default)]
pub(crate) struct DamagedPoints {
    pub(crate) snapshots: Vec<DamagedSnapshot>,
    /// The blobs that a snapshot wants and the vault has no whole copy of.
    pub(crate) lost: HashSet<Id>,
}

/// Goes through all snapshots. What is shared among them is gone through once.
pub(crate) fn find(vault: &Vault, index: &Index) -> Result<DamagedPoints, VaultError> {
    let listed = snapshot::list(vault)?;
    let mut search = Search {
        vault,
        index,
        decoder: vault.decoder()?,
        machines: HashMap::new(),
        trees: HashMap::new(),
        lost: HashSet::new(),
    };
    let unreadable = listed.damaged.iter().map(|id| DamagedSnapshot {
        snapshot: id.to_string(),
        disks: Vec::new(),
    });
    let mut snapshots: Vec<DamagedSnapshot> = unreadable.collect();
    for snapshot in &listed.whole {
        snapshots.extend(search.snapshot(snapshot)?.map(|disks| DamagedSnapshot {
            snapshot: snapshot.saved.snapshot.clone(),
            disks,
        }));
    }
    Ok(DamagedPoints {
        snapshots,
        lost: search.lost,
    })
}

struct Search<'a> {
    vault: &'a Vault,
    index: &'a Index,
    decoder: Decoder,
    /// The damaged disks of each machine's tree; nothing of those trees that are damaged themselves.
    machines: HashMap<Id, Option<Vec<String>>>,
    /// Whether all is there from a tree on.
    trees: HashMap<Id, bool>,
    lost: HashSet<Id>,
}

impl Search<'_> {
    /// The damaged disks of a snapshot, none of them named where more than disks is damaged; `None` of one that is whole.
    fn snapshot(&mut self, snapshot: &Snapshot) -> Result<Option<Vec<String>>, VaultError> {
        if snapshot.folder {
            return Ok((!self.is_whole(&snapshot.tree, 0)?).then(Vec::new));
        }
        let Some(root) = self.below(&snapshot.tree)? else {
            return Ok(Some(Vec::new()));
        };
        let mut damaged = Vec::new();
        for machine in root.iter().filter_map(|node| node.subtree) {
            match self.machine(&machine)? {
                Some(disks) => damaged.extend(disks),
                None => return Ok(Some(Vec::new())),
            }
        }
        Ok((!damaged.is_empty()).then_some(damaged))
    }

    fn machine(&mut self, id: &Id) -> Result<Option<Vec<String>>, VaultError> {
        if let Some(known) = self.machines.get(id) {
            return Ok(known.clone());
        }
        let mut damaged = None;
        if let Some(disks) = self.below(id)? {
            let names = damaged.insert(Vec::new());
            for disk in disks {
                if !self.has(&disk, 1)? {
                    let name = disk.name.strip_suffix(".raw").unwrap_or(&disk.name);
                    names.push(name.to_owned());
                }
            }
        }
        self.machines.insert(*id, damaged.clone());
        Ok(damaged)
    }

    fn is_whole(&mut self, id: &Id, depth: usize) -> Result<bool, VaultError> {
        if let Some(known) = self.trees.get(id) {
            return Ok(*known);
        }
        let mut is_whole = depth <= references::DEEPEST;
        match self.below(id)?.filter(|_| is_whole) {
            Some(nodes) => {
                for node in nodes {
                    is_whole &= self.has(&node, depth)?;
                }
            }
            None => is_whole = false,
        }
        self.trees.insert(*id, is_whole);
        Ok(is_whole)
    }

    /// Whether all of a file or of a directory is there. What is not is remembered, each of it.
    fn has(&mut self, node: &Reference, depth: usize) -> Result<bool, VaultError> {
        let mut is_whole = true;
        for chunk in &node.chunks {
            if self.index.find(Kind::Data, chunk).is_none() {
                self.lost.insert(*chunk);
                is_whole = false;
            }
        }
        if let Some(subtree) = &node.subtree {
            is_whole &= self.is_whole(subtree, depth + 1)?;
        }
        Ok(is_whole)
    }

    fn below(&mut self, id: &Id) -> Result<Option<Vec<Reference>>, VaultError> {
        match references::below(self.vault, self.index, &mut self.decoder, id) {
            Ok(found) => Ok(Some(found)),
            Err(VaultError::Damaged(_)) => {
                self.lost.insert(*id);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
