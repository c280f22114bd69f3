//! A pack: blobs one after another, then an encrypted header that names them, then the header's length.
//!
//! The bytes of restic's repository format, version 2. One pack holds data or trees, never both.

use std::{fs::File, os::unix::fs::FileExt};

use rustic_core::FileType;

use crate::{
    codec::Sealed,
    damage::Defect,
    error::VaultError,
    id::Id,
    key::{Cipher, NONCE_ROOM, OVERHEAD},
    repository::Vault,
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

/// What a pack on disk says is in it; `None` if its header is not what was written, or does not make `size` bytes.
pub(crate) fn read_header(
    vault: &Vault,
    pack: &Id,
    size: u64,
) -> Result<Option<Vec<Blob>>, VaultError> {
    let path = vault.store().path(FileType::Pack, pack);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(source) if Defect::of(&source).is_some() => return Ok(None),
        Err(source) => return Err(VaultError::io("open", path, source)),
    };
    let read = |buffer: &mut [u8], offset: u64| file.read_exact_at(buffer, offset).is_ok();
    let mut length = [0; 4];
    let Some(end) = size.checked_sub(4).filter(|end| read(&mut length, *end)) else {
        return Ok(None);
    };
    let length = u32::from_le_bytes(length);
    let Some(start) = end.checked_sub(u64::from(length)) else {
        return Ok(None);
    };
    let mut sealed = vec![0; length as usize];
    if !read(&mut sealed, start) {
        return Ok(None);
    }
    Ok(header(&mut sealed, &vault.key().cipher()).filter(|blobs| file_size(blobs) == size))
}

/// The blobs that a sealed header names.
pub(crate) fn header(sealed: &mut [u8], cipher: &Cipher) -> Option<Vec<Blob>> {
    let mut rest = cipher.unseal(sealed)?;
    let (mut blobs, mut offset) = (Vec::new(), 0_u32);
    while let Some((kind, behind)) = rest.split_first() {
        let (length, behind) = behind.split_first_chunk()?;
        let length = u32::from_le_bytes(*length);
        let (raw, behind) = if *kind >= 2 {
            let (raw, behind) = behind.split_first_chunk()?;
            (Some(u32::from_le_bytes(*raw)), behind)
        } else {
            (None, behind)
        };
        let (id, behind) = behind.split_first_chunk::<32>()?;
        let kind = match kind {
            0 | 2 => Kind::Data,
            1 | 3 => Kind::Tree,
            _ => return None,
        };
        blobs.push(Blob {
            id: Id::from(*id),
            kind,
            offset,
            length,
            raw,
        });
        offset = offset.checked_add(length)?;
        rest = behind;
    }
    Some(blobs)
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
