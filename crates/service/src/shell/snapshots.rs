//! Removing snapshot files that no recovery point has any more.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// Removes the snapshot files of one recovery point. What can't be removed is found again at the next start.
pub(super) fn remove(folder: &Path) {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, folder = %folder.display(), "snapshot files that nothing needs are still there; the next start tries again");
        }
        _ => {}
    }
    // The vault's folder and its resource group's go with their last snapshot, and not before.
    for parent in folder.ancestors().skip(1).take(2) {
        if std::fs::remove_dir(parent).is_err() {
            break;
        }
    }
}

/// Removes these folders of recovery points' snapshots, but those to keep: what a crash left behind.
pub(super) fn sweep(found: Vec<PathBuf>, keep: &BTreeSet<PathBuf>) {
    for point in found.into_iter().filter(|point| !keep.contains(point)) {
        tracing::info!(folder = %point.display(), "removing snapshot files that no recovery point has");
        remove(&point);
    }
}

/// The folders in a folder; none where that is not there.
pub(super) fn folders(of: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(of) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}
