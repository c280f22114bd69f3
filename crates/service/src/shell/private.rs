//! Files that nobody else may read: keys, secrets, the passphrase.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::owner;

/// Writes a file that only its owner may read, whole or not at all: a crash leaves the old one.
pub(super) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let fresh = path.with_file_name(name);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    // An older file of this name may have had other permissions.
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    path.parent()
        .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Reads a secret; `None` when there is none. Others are kept from it from now on.
pub(super) fn read(path: &Path) -> io::Result<Option<String>> {
    read_if(path, owner::secret)
}

/// Reads what is no secret but must not be others' to write; `None` when there is none.
pub(super) fn read_believed(path: &Path) -> io::Result<Option<String>> {
    read_if(path, owner::believed)
}

/// Reads what a person wrote, which must not be others' to write, and stays as it is; `None` when there is none.
pub(super) fn read_persons(path: &Path) -> io::Result<Option<String>> {
    read_if(path, owner::persons)
}

fn read_if(path: &Path, fit: fn(&File, &Path) -> io::Result<()>) -> io::Result<Option<String>> {
    // Whatever it is: opening a pipe would wait for a writer.
    let mut file = match OpenOptions::new()
        .read(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
    {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    if !file.metadata()?.is_file() {
        let why = "it is no file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    fit(&file, path)?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(Some(text))
}

/// Opens a file to lock it; what it holds doesn't matter.
pub(super) fn lock_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = options
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    owner::secret(&file, path)?;
    Ok(file)
}

/// Makes the service's own folder, or sees that it is the service's alone.
pub(super) fn own_folder(path: &Path) -> io::Result<()> {
    folder(path)?;
    owner::folder(path)
}

/// Keeps others from files that are there already, where they are.
pub(super) fn narrow<'a>(paths: impl IntoIterator<Item = &'a Path>) -> io::Result<()> {
    for path in paths {
        match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            file => owner::secret(&file?, path)?,
        }
    }
    Ok(())
}

/// Makes a folder, and those above it, for the owner alone.
pub(super) fn folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

/// 256 bits that nobody can guess, as 64 hexadecimal digits.
pub(super) fn secret() -> String {
    // A version 4 GUID holds 122 random bits from the system's generator; three make more than 256, and the hash spreads them.
    use sha2::{Digest, Sha256};
    let seed: String = (0..3)
        .map(|_| uuid::Uuid::new_v4().simple().to_string())
        .collect();
    hex::encode(Sha256::digest(seed.as_bytes()))
}
