//! Making, moving and removing vaults' repositories. All may be repeated: a restart asks again for what was under way.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::keys::Keys;

/// The first letters of a folder's name that is being removed.
pub(super) const REMOVED: &str = ".removed-";

/// Makes a vault's repository.
///
/// # Errors
/// The cause and the way out, in a person's words.
pub(super) fn create(keys: &Keys, path: &Path) -> Result<(), String> {
    keys.create(path).map_err(|error| {
        format!(
            "{}. {}",
            kluis_vault::error::describe(&error),
            error.recommendation()
        )
    })
}

/// Removes a vault's repository: at one stroke from its place, then byte by byte.
///
/// # Errors
/// Why it is still there, in a person's words.
pub(super) fn remove(keys: &Keys, vaults: &Path, path: &Path) -> Result<(), String> {
    keys.forget(path);
    let aside = vaults.join(format!("{REMOVED}{}", uuid::Uuid::new_v4()));
    match fs::rename(path, &aside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(format!(
                "The vault's repository {} could not be removed: {error}.",
                path.display()
            ));
        }
        Ok(()) => {}
    }
    discard(&aside);
    leave(path);
    Ok(())
}

/// Moves a repository, at one stroke.
///
/// # Errors
/// Why it is still where it was, in a person's words.
pub(super) fn relocate(keys: &Keys, from: &Path, to: &Path) -> Result<(), String> {
    keys.forget(from);
    if !from.exists() && to.join("config").exists() {
        return Ok(());
    }
    let moved = to
        .parent()
        .map_or(Ok(()), private_dirs)
        .and_then(|()| {
            if to.exists() {
                Err(io::ErrorKind::AlreadyExists.into())
            } else {
                Ok(())
            }
        })
        .and_then(|()| fs::rename(from, to));
    moved.map_err(|error| {
        format!(
            "The vault's repository {} could not be moved to {}: {error}.",
            from.display(),
            to.display()
        )
    })?;
    leave(from);
    Ok(())
}

fn private_dirs(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
}

/// The folder goes with its last vault, and not before.
fn leave(path: &Path) {
    if let Some(group) = path
        .parent()
        .filter(|group| fs::read_dir(group).is_ok_and(|mut entries| entries.next().is_none()))
    {
        fs::remove_dir(group)
            .unwrap_or_else(|error| tracing::debug!(%error, "an empty folder stays"));
    }
}

/// Removes what an earlier service had set aside and not finished removing.
pub(super) fn discard_leftovers(vaults: &Path) -> io::Result<()> {
    if !vaults.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(vaults)? {
        let entry = entry?;
        if entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(REMOVED.as_bytes())
        {
            discard(&entry.path());
        }
    }
    Ok(())
}

/// Says which folders below `vaults/` are no vault's: they are left alone, and nobody else would say so.
pub(super) fn tell_of_strangers(vaults: &Path, known: &[PathBuf]) {
    let folders = |path: &Path| {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let groups = folders(vaults).into_iter().filter(|group| {
        let name = group.file_name().unwrap_or_default().as_encoded_bytes();
        !name.starts_with(b".")
    });
    for path in groups.flat_map(|group| folders(&group)) {
        if path.join("config").exists() && !known.contains(&path) {
            tracing::warn!(path = %path.display(), "there is a repository of no vault that the state knows; it is left alone");
        }
    }
}

fn discard(path: &Path) {
    if let Err(error) = fs::remove_dir_all(path) {
        tracing::warn!(%error, path = %path.display(), "a removed vault's bytes are still there; the next start tries again");
    }
}
