//! One layer: a tree of files as a compressed tar. Nothing of the machine that
//! packs it gets in: no times, no owners, no order but that of the names.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

use super::archive::digest;

/// A layer's bytes, and the two digests that an image names it by.
#[derive(Debug)]
pub struct Layer {
    /// Compressed, as it is stored and moved.
    pub blob: Vec<u8>,
    /// Of the blob.
    pub digest: String,
    /// Of the tar in it: what the files are, however they were compressed.
    pub diff_id: String,
}

enum Node {
    Directory { mode: u32, owner: u32 },
    File { mode: u32, content: Vec<u8> },
}

/// Files by their path, without a slash in front. The folders above them are
/// made as they are needed.
#[derive(Default)]
pub struct Tree(BTreeMap<String, Node>);

impl Tree {
    /// Puts a file of root's there.
    pub fn file(&mut self, path: &str, mode: u32, content: Vec<u8>) {
        self.above(path);
        self.0.insert(path.to_owned(), Node::File { mode, content });
    }

    /// Puts a folder there, with the same number as owner and group.
    pub fn directory(&mut self, path: &str, mode: u32, owner: u32) {
        self.above(path);
        self.0
            .insert(path.to_owned(), Node::Directory { mode, owner });
    }

    /// Packs it.
    pub fn layer(self) -> Result<Layer> {
        let tar = self.tar().context("packing a layer")?;
        // The header's default has neither a name nor a time.
        let mut gzip = GzBuilder::new().write(Vec::new(), Compression::default());
        gzip.write_all(&tar)?;
        let blob = gzip.finish()?;
        Ok(Layer {
            digest: digest(&blob),
            diff_id: digest(&tar),
            blob,
        })
    }

    fn above(&mut self, path: &str) {
        for (at, _) in path.match_indices('/') {
            self.0
                .entry(path[..at].to_owned())
                .or_insert(Node::Directory {
                    mode: 0o755,
                    owner: 0,
                });
        }
    }

    fn tar(self) -> Result<Vec<u8>> {
        let mut tar = Builder::new(Vec::new());
        for (path, node) in self.0 {
            let mut header = Header::new_gnu();
            let (name, content) = match node {
                Node::Directory { mode, owner } => {
                    header.set_entry_type(EntryType::Directory);
                    header.set_mode(mode);
                    header.set_uid(owner.into());
                    header.set_gid(owner.into());
                    (format!("{path}/"), Vec::new())
                }
                Node::File { mode, content } => {
                    header.set_entry_type(EntryType::Regular);
                    header.set_mode(mode);
                    header.set_uid(0);
                    header.set_gid(0);
                    (path, content)
                }
            };
            header.set_mtime(0);
            header.set_size(content.len() as u64);
            tar.append_data(&mut header, name, content.as_slice())?;
        }
        Ok(tar.into_inner()?)
    }
}
