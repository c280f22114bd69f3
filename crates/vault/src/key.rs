//! The vault's master key: what the passphrase opens, and what movers are given instead of it.
//!
//! Deriving it from the passphrase takes scrypt's 128 MiB and a third of a second, so it is done once and passed on. The
//! key never shows itself: not in `Debug`, not in a command line, not in a file of ours.

use std::fmt;

use aes256ctr_poly1305aes::{Aes256CtrPoly1305Aes, Nonce, aead::AeadInPlace};
use rustic_core::repofile;
use zeroize::{Zeroize, Zeroizing};

use crate::error::VaultError;

/// Bytes that encryption adds to what it encrypts: the nonce before, the authentication tag after.
pub(crate) const OVERHEAD: usize = NONCE + TAG;
const NONCE: usize = 16;
const TAG: usize = 16;
const LENGTH: usize = 64;

/// A vault's master key: AES-256-CTR with Poly1305-AES, as restic's format has it. Wiped when dropped.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; LENGTH]>);

impl MasterKey {
    /// The key as restic writes it, for handing it to a mover over a pipe.
    ///
    /// # Errors
    /// None that is known; serialisation is fallible by type.
    pub fn to_json(&self) -> Result<Zeroizing<String>, VaultError> {
        serde_json::to_string(&self.to_rustic())
            .map(Zeroizing::new)
            .map_err(|_| VaultError::BadKey)
    }

    /// Reads what [`MasterKey::to_json`] wrote.
    ///
    /// # Errors
    /// [`VaultError::BadKey`], which says nothing of the text.
    pub fn from_json(json: &str) -> Result<Self, VaultError> {
        let mut key: repofile::MasterKey =
            serde_json::from_str(json).map_err(|_| VaultError::BadKey)?;
        let parsed = Self::from_rustic(&key);
        key.encrypt.zeroize();
        key.mac.k.zeroize();
        key.mac.r.zeroize();
        parsed
    }

    pub(crate) fn from_rustic(key: &repofile::MasterKey) -> Result<Self, VaultError> {
        if (key.encrypt.len(), key.mac.k.len(), key.mac.r.len()) != (32, 16, 16) {
            return Err(VaultError::BadKey);
        }
        let mut bytes = Zeroizing::new([0; LENGTH]);
        bytes[..32].copy_from_slice(&key.encrypt);
        bytes[32..48].copy_from_slice(&key.mac.k);
        bytes[48..].copy_from_slice(&key.mac.r);
        Ok(Self(bytes))
    }

    pub(crate) fn to_rustic(&self) -> repofile::MasterKey {
        let mut key = repofile::MasterKey::new();
        key.encrypt.copy_from_slice(&self.0[..32]);
        key.mac.k.copy_from_slice(&self.0[32..48]);
        key.mac.r.copy_from_slice(&self.0[48..]);
        key
    }

    pub(crate) fn cipher(&self) -> Cipher {
        Cipher(Aes256CtrPoly1305Aes::new(self.0.as_slice().into()))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// Encrypts and decrypts what goes into a vault.
pub(crate) struct Cipher(Aes256CtrPoly1305Aes);

impl Cipher {
    /// Encrypts `buffer[start + 16..]` in place and appends the tag; `buffer[start..start + 16]` is room for the nonce,
    /// which is drawn from the operating system.
    pub(crate) fn seal(&self, buffer: &mut Vec<u8>, start: usize) -> Result<(), VaultError> {
        let mut nonce = Nonce::default();
        fill_random(&mut nonce)?;
        let (head, body) = buffer.split_at_mut(start + NONCE);
        let tag = self
            .0
            .encrypt_in_place_detached(&nonce, b"", body)
            .map_err(|_| VaultError::Cipher)?;
        head[start..].copy_from_slice(&nonce);
        buffer.extend_from_slice(&tag);
        Ok(())
    }

    /// Decrypts a sealed `buffer` in place and returns the part of it that is the plain text; `None` if it was not sealed
    /// with this key or is damaged.
    pub(crate) fn unseal<'a>(&self, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
        let (nonce, rest) = buffer.split_at_mut_checked(NONCE)?;
        let (body, tag) = rest.split_at_mut_checked(rest.len().checked_sub(TAG)?)?;
        let (nonce, tag) = (Nonce::clone_from_slice(nonce), (&*tag).into());
        self.0
            .decrypt_in_place_detached(&nonce, b"", body, tag)
            .ok()?;
        Some(body)
    }
}

/// Room for the nonce, to be put before what [`Cipher::seal`] encrypts.
pub(crate) const NONCE_ROOM: [u8; NONCE] = [0; NONCE];

pub(crate) fn fill_random(buffer: &mut [u8]) -> Result<(), VaultError> {
    let mut filled = 0;
    while filled < buffer.len() {
        filled +=
            rustix::rand::getrandom(&mut buffer[filled..], rustix::rand::GetRandomFlags::empty())
                .map_err(|source| {
                VaultError::io("draw random bytes from the operating system", "", source)
            })?;
    }
    Ok(())
}
