//! A pack: blobs one after another, then an encrypted header that names them, then the header's length.
//!
//! The bytes of restic's repository format, version 2. One pack holds data or trees, never both.

use crate::{
    codec::Sealed,
    error::VaultError,
    id::Id,
    key::{Cipher, NONCE_ROOM, OVERHEAD},
};

/// Bytes at which a pack is full. Restic's own default; one more chunk may fit in before it is noticed.
const FULL: usize = 16 << 20;

/// What a blob is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Data,
    Tree,
}

/// A blob's place in its pack. `raw` is its length before compression; `None` if it is not compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Blob {
    pub(crate) id: Id,
    pub(crate) kind: Kind,
    pub(crate) offset: u32,
    pub(crate) length: u32,
    pub(crate) raw: Option<u32>,
}

impl Blob {
    /// Bytes of the plain text.
    pub(crate) fn plain_length(&self) -> u32 {
        self.raw
            .unwrap_or_else(|| self.length.saturating_sub(OVERHEAD as u32))
    }

    fn header_length(&self) -> u64 {
        if self.raw.is_some() { 41 } else { 37 }
    }
}

/// The size of the file that holds these blobs, in bytes.
pub(crate) fn file_size(blobs: &[Blob]) -> u64 {
    let entries: u64 = blobs
        .iter()
        .map(|blob| u64::from(blob.length) + blob.header_length())
        .sum();
    entries + OVERHEAD as u64 + 4
}

/// A pack that is being filled.
#[derive(Debug, Default)]
pub(crate) struct Pack {
    bytes: Vec<u8>,
    blobs: Vec<Blob>,
}

impl Pack {
    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() >= FULL
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.blobs.is_empty()
    }

    pub(crate) fn add(
        &mut self,
        kind: Kind,
        id: Id,
        sealed: &Sealed<'_>,
    ) -> Result<(), VaultError> {
        let too_large = |_| VaultError::Internal("a pack of 4 GiB or more");
        if self.bytes.capacity() == 0 {
            self.bytes.reserve_exact(FULL + FULL / 8);
        }
        let offset = u32::try_from(self.bytes.len()).map_err(too_large)?;
        let length = u32::try_from(sealed.bytes.len()).map_err(too_large)?;
        self.bytes.extend_from_slice(sealed.bytes);
        self.blobs.push(Blob {
            id,
            kind,
            offset,
            length,
            raw: sealed.raw,
        });
        Ok(())
    }

    /// The file's bytes, with the header behind the blobs, and what is in it.
    pub(crate) fn finish(self, cipher: &Cipher) -> Result<(Vec<u8>, Vec<Blob>), VaultError> {
        let Self { mut bytes, blobs } = self;
        let start = bytes.len();
        bytes.extend_from_slice(&NONCE_ROOM);
        for blob in &blobs {
            let kind = match blob.kind {
                Kind::Data => 0,
                Kind::Tree => 1,
            };
            bytes.push(if blob.raw.is_some() { kind + 2 } else { kind });
            bytes.extend_from_slice(&blob.length.to_le_bytes());
            if let Some(raw) = blob.raw {
                bytes.extend_from_slice(&raw.to_le_bytes());
            }
            bytes.extend_from_slice(blob.id.bytes());
        }
        cipher.seal(&mut bytes, start)?;
        let header = u32::try_from(bytes.len() - start)
            .map_err(|_| VaultError::Internal("a header of 4 GiB or more"))?;
        bytes.extend_from_slice(&header.to_le_bytes());
        Ok((bytes, blobs))
    }
}
