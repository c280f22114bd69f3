//! The proof that a folder's snapshot can be restored, as far as that shows without reading its data.

use super::{DEEPEST, node::Tree};
use crate::{
    codec::Decoder,
    error::VaultError,
    id::Id,
    index::Index,
    pack::Kind,
    repository::Vault,
    snapshot::{self, Saved},
};

/// Proves that each tree is there and whole, and each file's chunks are in packs that are, and of its size together.
pub(crate) fn prove(vault: &Vault, index: &Index, saved: &Saved) -> Result<(), VaultError> {
    let found = snapshot::find(vault, &saved.snapshot)?;
    let mut proof = Proof {
        vault,
        index,
        decoder: vault.decoder()?,
    };
    let bytes = proof.tree(&found.tree, 0)?;
    if bytes == saved.logical {
        return Ok(());
    }
    Err(VaultError::Damaged(format!(
        "snapshot {}: its files have {bytes} bytes, not {}",
        saved.snapshot, saved.logical
    )))
}

struct Proof<'a> {
    vault: &'a Vault,
    index: &'a Index,
    decoder: Decoder,
}

impl Proof<'_> {
    fn tree(&mut self, id: &Id, depth: usize) -> Result<u64, VaultError> {
        let damaged = |why: String| Err(VaultError::Damaged(format!("the tree {id}: {why}")));
        if depth > DEEPEST + 2 {
            return damaged("it lies deeper than any that was written".to_owned());
        }
        let mut bytes = 0;
        for node in Tree::load(self.vault, self.index, &mut self.decoder, id)?.nodes {
            if let Some(below) = &node.subtree {
                bytes += self.tree(below, depth + 1)?;
            }
            if !node.is_file() {
                continue;
            }
            let mut size = 0;
            for chunk in node.content.iter().flatten() {
                match self.index.find(Kind::Data, chunk) {
                    Some((_, blob)) => size += u64::from(blob.plain_length()),
                    None => return damaged(format!("chunk {chunk} is missing")),
                }
            }
            if size != node.size {
                return damaged(format!(
                    "a file of {} bytes has chunks of {size}",
                    node.size
                ));
            }
            bytes += size;
        }
        Ok(bytes)
    }
}
