//! A blob's two forms: the plain text that its id is the hash of, and what lies in a pack: compressed, then encrypted.
//!
//! Both directions keep their buffers, so that a worker's memory does not grow with the work.

use std::io::{self, BufWriter, Write};

use zstd::bulk::{Compressor, Decompressor};

use crate::{
    error::VaultError,
    id::{Hasher, Id},
    key::{Cipher, MasterKey, NONCE_ROOM, OVERHEAD},
};

/// zstd's level. Measured: level 3 makes a vault no larger than stock restic's; higher ones cost more time than they save.
const LEVEL: i32 = 3;

/// A plain text that is longer is not held as a whole where that can be avoided, in bytes; and what is held instead.
const LARGE: usize = 4 << 20;
const PIECE: usize = 64 << 10;

/// The first byte of a compressed file (index, snapshot): format 2 tells it from JSON by it.
const COMPRESSED: u8 = 2;

/// Turns plain text into what is stored.
pub(crate) struct Encoder {
    cipher: Cipher,
    zstd: Compressor<'static>,
    sealed: Vec<u8>,
}

/// A blob as it goes into a pack.
pub(crate) struct Sealed<'a> {
    pub(crate) bytes: &'a [u8],
    /// The plain text's length if it is compressed; `None` if it is stored as it is.
    pub(crate) raw: Option<u32>,
}

impl Encoder {
    pub(crate) fn new(key: &MasterKey) -> Result<Self, VaultError> {
        let zstd = Compressor::new(LEVEL)
            .map_err(|source| VaultError::io("start compression", "", source))?;
        Ok(Self {
            cipher: key.cipher(),
            zstd,
            sealed: Vec::new(),
        })
    }

    /// Compresses, if that makes it smaller, and encrypts.
    pub(crate) fn seal(&mut self, plain: &[u8]) -> Result<Sealed<'_>, VaultError> {
        let length = u32::try_from(plain.len())
            .map_err(|_| VaultError::Internal("a blob of 4 GiB or more"))?;
        let start = NONCE_ROOM.len();
        self.sealed.clear();
        self.sealed
            .resize(start + zstd::zstd_safe::compress_bound(plain.len()), 0);
        let compressed = self
            .zstd
            .compress_to_buffer(plain, &mut self.sealed[start..])
            .map_err(|source| VaultError::io("compress a block", "", source))?;
        let raw = (compressed < plain.len()).then_some(length);
        if raw.is_some() {
            self.sealed.truncate(start + compressed);
        } else {
            self.sealed.truncate(start);
            self.sealed.extend_from_slice(plain);
        }
        self.cipher.seal(&mut self.sealed, 0)?;
        Ok(Sealed {
            bytes: &self.sealed,
            raw,
        })
    }

    /// As [`Encoder::seal`], of a plain text of `length` bytes that is written piece by piece and never there as a whole.
    pub(crate) fn seal_written(
        &mut self,
        length: u64,
        write: impl Fn(&mut dyn Write) -> io::Result<()>,
    ) -> Result<Sealed<'_>, VaultError> {
        let doing = |source| VaultError::io("compress a block", "", source);
        let length =
            u32::try_from(length).map_err(|_| VaultError::Internal("a blob of 4 GiB or more"))?;
        let mut sealed = std::mem::take(&mut self.sealed);
        sealed.clear();
        sealed.extend_from_slice(&NONCE_ROOM);
        let mut zstd = zstd::stream::write::Encoder::new(sealed, LEVEL).map_err(doing)?;
        zstd.set_pledged_src_size(Some(u64::from(length)))
            .map_err(doing)?;
        let mut buffered = BufWriter::with_capacity(PIECE, zstd);
        write(&mut buffered).map_err(doing)?;
        let zstd = buffered.into_inner().map_err(|error| doing(error.into()))?;
        self.sealed = zstd.finish().map_err(doing)?;
        let raw = (self.sealed.len() - NONCE_ROOM.len() < length as usize).then_some(length);
        if raw.is_none() {
            self.sealed.truncate(NONCE_ROOM.len());
            write(&mut self.sealed).map_err(doing)?;
        }
        self.cipher.seal(&mut self.sealed, 0)?;
        Ok(Sealed {
            bytes: &self.sealed,
            raw,
        })
    }

    /// A file of the vault that is not a pack: compressed JSON behind its mark, encrypted.
    pub(crate) fn seal_file(&mut self, json: &[u8]) -> Result<Vec<u8>, VaultError> {
        let compressed = self
            .zstd
            .compress(json)
            .map_err(|source| VaultError::io("compress a document", "", source))?;
        let mut sealed = Vec::with_capacity(compressed.len() + OVERHEAD + 1);
        sealed.extend_from_slice(&NONCE_ROOM);
        sealed.push(COMPRESSED);
        sealed.extend_from_slice(&compressed);
        self.cipher.seal(&mut sealed, 0)?;
        Ok(sealed)
    }
}

/// Turns what is stored into plain text again.
pub(crate) struct Decoder {
    cipher: Cipher,
    zstd: Decompressor<'static>,
    plain: Vec<u8>,
}

impl Decoder {
    pub(crate) fn new(key: &MasterKey) -> Result<Self, VaultError> {
        let zstd = Decompressor::new()
            .map_err(|source| VaultError::io("start decompression", "", source))?;
        Ok(Self {
            cipher: key.cipher(),
            zstd,
            plain: Vec::new(),
        })
    }

    /// Decrypts `sealed` in place, decompresses, and compares with `id`: `None` if it is not what it was.
    pub(crate) fn open<'a>(
        &'a mut self,
        id: &Id,
        sealed: &'a mut [u8],
        raw: Option<u32>,
    ) -> Option<&'a [u8]> {
        let plain = self.open_unnamed(sealed, raw)?;
        (Id::of(plain) == *id).then_some(plain)
    }

    /// Whether `sealed` is what `id` says, without the plain text being there as a whole.
    pub(crate) fn proves(&mut self, id: &Id, sealed: &mut [u8], raw: Option<u32>) -> bool {
        let Some(length) = raw.filter(|raw| *raw as usize > LARGE) else {
            return self.open(id, sealed, raw).is_some();
        };
        let mut hash = Hasher::default();
        self.cipher
            .unseal(sealed)
            .and_then(|body| zstd::stream::read::Decoder::with_buffer(body).ok())
            .and_then(|mut plain| io::copy(&mut plain, &mut hash).ok())
            .is_some_and(|read| read == u64::from(length) && hash.id() == *id)
    }

    /// [`Decoder::open`] without the comparison, for a caller that compares later.
    pub(crate) fn open_unnamed<'a>(
        &'a mut self,
        sealed: &'a mut [u8],
        raw: Option<u32>,
    ) -> Option<&'a [u8]> {
        let body = self.cipher.unseal(sealed)?;
        let Some(raw) = raw else { return Some(body) };
        self.plain.resize(raw as usize, 0);
        let length = self
            .zstd
            .decompress_to_buffer(body, &mut self.plain[..])
            .ok()?;
        (length == raw as usize).then_some(&self.plain[..])
    }

    /// The JSON of a file of the vault that is not a pack.
    pub(crate) fn open_file(&mut self, sealed: &mut [u8]) -> Option<Vec<u8>> {
        let body = self.cipher.unseal(sealed)?;
        match body.first()? {
            &COMPRESSED => zstd::stream::decode_all(&body[1..]).ok(),
            b'{' | b'[' => Some(body.to_vec()),
            _ => None,
        }
    }
}
