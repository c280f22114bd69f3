//! Whether a file system has room for what is about to be written there.

use std::path::Path;

use crate::{error::VaultError, layout::CHUNK};

/// Refuses to begin what cannot end. `needed` bytes and a little for names must be free where `path` is.
pub(crate) fn check(path: &Path, needed: u64) -> Result<(), VaultError> {
    let volume =
        rustix::fs::statvfs(path).map_err(|errno| VaultError::io("look at", path, errno))?;
    let free = volume.f_bavail.saturating_mul(volume.f_frsize);
    if free >= needed.saturating_add(CHUNK) {
        return Ok(());
    }
    Err(VaultError::TooSmall {
        path: path.to_owned(),
        needed,
        free,
    })
}
