//! Recovery points that are open: the last few stay so, because somebody who lists one folder lists the next.

use std::sync::{Arc, Mutex, PoisonError};

use kluis_vault::VaultError;
use kluis_vault::files::Explorer;

use super::super::keys::Keys;
use crate::backup::FilesSource;

/// Points that stay open. Each keeps up to 24 MiB of what was read, and 32 bytes for each MiB of disk.
const KEPT: usize = 4;

/// The open points, the most recent last.
#[derive(Default)]
pub(super) struct Shelf(Mutex<Vec<(FilesSource, Arc<Explorer>)>>);

impl Shelf {
    /// The point, open. Snapshot files are opened each time: they go when their days are over, and nobody may hold them.
    pub(super) fn explorer(
        &self,
        source: &FilesSource,
        keys: &Keys,
    ) -> Result<Arc<Explorer>, VaultError> {
        let (path, snapshot, vm) = match source {
            FilesSource::Images(images) => return Explorer::of_images(images).map(Arc::new),
            FilesSource::Vault { path, snapshot, vm } => (path, snapshot, vm),
        };
        if let Some(known) = self.take(source) {
            return Ok(known);
        }
        let opened = Arc::new(Explorer::open(path, &keys.of(path)?, snapshot, vm)?);
        self.put(source, &opened);
        Ok(opened)
    }

    fn take(&self, source: &FilesSource) -> Option<Arc<Explorer>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(known, _)| known == source)?;
        kept[at..].rotate_left(1);
        kept.last().map(|(_, explorer)| Arc::clone(explorer))
    }

    fn put(&self, source: &FilesSource, explorer: &Arc<Explorer>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(known, _)| known != source);
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        kept.push((source.clone(), Arc::clone(explorer)));
    }
}
