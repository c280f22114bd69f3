//! What a tree refers to: of disks, of files, whatever restic's format has.

use std::collections::HashSet;

use serde::Deserialize;

use crate::{
    blob_reader, codec::Decoder, error::VaultError, id::Id, index::Index, pack::Kind,
    repository::Vault,
};

/// Trees within trees that a snapshot may have: a folder's directories, and the two above them.
pub(crate) const DEEPEST: usize = 258;

/// A file or a directory, as far as it refers to blobs.
#[derive(Debug, Deserialize)]
pub(crate) struct Reference {
    pub(crate) name: String,
    #[serde(default, rename = "content", deserialize_with = "or_none")]
    pub(crate) chunks: Vec<Id>,
    #[serde(default)]
    pub(crate) subtree: Option<Id>,
}

#[derive(Deserialize)]
struct Tree {
    nodes: Vec<Reference>,
}

/// What is right below a tree.
///
/// # Errors
/// [`VaultError::Damaged`], which is remembered of the blob.
pub(crate) fn below(
    vault: &Vault,
    index: &Index,
    decoder: &mut Decoder,
    tree: &Id,
) -> Result<Vec<Reference>, VaultError> {
    let mut sealed = Vec::new();
    let plain = blob_reader::read_one(vault, index, (Kind::Tree, tree), decoder, &mut sealed)?;
    let found: Tree = serde_json::from_slice(plain).map_err(|error| {
        VaultError::Damaged(format!("the tree {tree} cannot be understood ({error})"))
    })?;
    Ok(found.nodes)
}

/// The packs in which everything lies that there is from a tree on. What cannot be read is passed over.
pub(crate) fn packs(
    vault: &Vault,
    index: &Index,
    decoder: &mut Decoder,
    tree: &Id,
    found: &mut Packs,
) {
    if !found.trees.insert(*tree) {
        return;
    }
    found.add(index, Kind::Tree, tree);
    for node in below(vault, index, decoder, tree).unwrap_or_default() {
        for chunk in &node.chunks {
            found.add(index, Kind::Data, chunk);
        }
        if let Some(subtree) = &node.subtree {
            packs(vault, index, decoder, subtree, found);
        }
    }
}

/// Packs, and the trees that were gone through.
#[derive(Debug, Default)]
pub(crate) struct Packs {
    pub(crate) packs: HashSet<Id>,
    trees: HashSet<Id>,
}

impl Packs {
    fn add(&mut self, index: &Index, kind: Kind, id: &Id) {
        self.packs
            .extend(index.find(kind, id).map(|(pack, _)| *pack));
    }
}

fn or_none<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<Id>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}
