//! Where the files of a recovery point can be read: in the vault, or in the snapshot files while it is nowhere else.

use std::path::PathBuf;

use kluis_arm::error::code;

use super::items::Named;
use super::points;
use super::restore::files::{self, FilesRequest};
use super::restore::{self, preflight};
use super::rows::{Item, Point};
use crate::core::{Answer, Context, Refusal, Request, VaultPath};
use crate::estate;
use crate::store::Tx;
use crate::vaults::VaultRow;

/// A recovery point as a path names it, in the client's case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesPoint {
    /// The container's name.
    pub container: String,
    /// The item's name.
    pub item: String,
    /// The point's own name.
    pub name: String,
}

/// Where a point's files are read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FilesSource {
    /// In the vault.
    Vault {
        /// The repository's folder.
        path: PathBuf,
        /// The snapshot, its id in full.
        snapshot: String,
        /// The machine's name in it.
        vm: String,
    },
    /// In raw snapshot files: each disk's name, and its file.
    Images(Vec<(String, PathBuf)>),
}

/// Where the files of a point are.
///
/// # Errors
/// 404 when there is no such point; 400 or 409 when it is soft-deleted, going, encrypted, or a snapshot that can't be read yet.
pub fn files_source(
    named: &FilesPoint,
    at: &VaultPath,
    ctx: &Context<'_>,
    tx: &Tx<'_>,
) -> Result<FilesSource, Refusal> {
    let (item, point) = find(named, at, tx)?;
    if item.is_soft_deleted() {
        return Err(Refusal::bad_request(
            "UserErrorItemInSoftDeletedState",
            format!(
                "'{}' is soft-deleted; undelete it before reading its files.",
                item.vm
            ),
        ));
    }
    let machine = estate::vm(ctx, tx, &item.resource_group, &item.vm)?;
    preflight::files(&point, machine.as_ref())?;
    if point.removing {
        return Err(Refusal::conflict(
            code::POINT_GOES,
            format!(
                "The recovery point '{}' is no longer kept and is being removed; choose a newer one.",
                point.name
            ),
        ));
    }
    preflight::there(&point)?;
    if let Some(hardened) = &point.hardened.as_ref().filter(|_| point.lost.is_none()) {
        return Ok(FilesSource::Vault {
            path: ctx.vault_path(&at.resource_group, &at.name),
            snapshot: hardened.snapshot.clone(),
            vm: point.vm.clone(),
        });
    }
    let images = restore::images(&point);
    images.map(|images| {
        let images = images.into_iter().map(|image| (image.name, image.path));
        FilesSource::Images(images.collect())
    })
    .ok_or_else(|| {
        Refusal::conflict(
            "RecoveryPointNotInVault",
            format!(
                "The recovery point '{}' is a snapshot that is not in the vault yet; wait until its backup has ended.",
                point.name
            ),
        )
    })
}

/// `POST …/restoreFiles`: a job that writes files of a point.
///
/// # Errors
/// What stands against it, in ARM's form.
pub fn restore_files(
    request: &Request,
    named: &FilesPoint,
    at: &VaultPath,
    vault: &VaultRow,
    wanted: FilesRequest,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Answer {
    let (item, point) = find(named, at, tx)?;
    files::trigger(request, at, vault, &item, &point, wanted, ctx, tx)
}

fn find(named: &FilesPoint, at: &VaultPath, tx: &Tx<'_>) -> Result<(Item, Point), Refusal> {
    let item = Named::new(&named.container, &named.item)?.item(at, tx)?;
    let point = points::find(&item, &named.name, tx)?;
    Ok((item, point))
}
