//! Trees of files, as another reader sees them: to compare what came out of a vault with what is on a disk.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::disk::{START, digest, tool};
use crate::process::run;

/// What one path of a tree is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Folder,
    /// Its permissions and its SHA-256.
    File(u32, String),
    /// Where it leads.
    Link(PathBuf),
    Other,
}

/// Everything below a folder, by the path from there.
pub fn tree(folder: &Path) -> Result<BTreeMap<PathBuf, Found>> {
    let mut found = BTreeMap::new();
    gather(folder, folder, &mut found)?;
    Ok(found)
}

/// What debugfs takes out of the file system of a disk that [`crate::disk::make`] made: the tree that has the path's last name.
pub fn of_image(disk: &Path, path: &str) -> Result<BTreeMap<PathBuf, Found>> {
    let out = tempfile::tempdir()?;
    run(Command::new(tool("debugfs"))
        .arg("-R")
        .arg(format!("rdump \"{path}\" {}", out.path().display()))
        .arg(format!("{}?offset={START}", disk.display())))
    .with_context(|| format!("taking {path} out of {}", disk.display()))?;
    tree(out.path())
}

fn gather(root: &Path, folder: &Path, found: &mut BTreeMap<PathBuf, Found>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))? {
        let path = entry?.path();
        let metadata = fs::symlink_metadata(&path)?;
        let kind = metadata.file_type();
        let what = if kind.is_dir() {
            gather(root, &path, found)?;
            Found::Folder
        } else if kind.is_file() {
            Found::File(metadata.permissions().mode() & 0o777, digest(&path)?)
        } else if kind.is_symlink() {
            Found::Link(fs::read_link(&path)?)
        } else {
            Found::Other
        };
        found.insert(path.strip_prefix(root)?.to_path_buf(), what);
    }
    Ok(())
}
