//! Steps: what to bring about, with every id, body and precondition inside, so that taking one needs no decision.

use std::fmt;

use jiff::Timestamp;
use kluis_api::OperationKind;
use kluis_arm::api_version::{SENT, SOFTLY_DELETED_VAULTS};
use kluis_arm::backup::TriggerBackup;
use kluis_arm::deleted_vault::{Undelete, UndeleteProperties};
use kluis_arm::files::TriggerFilesRestore;
use kluis_arm::id::{ItemId, JobId, Name, PolicyId, RecoveryPointId, VaultId};
use kluis_arm::item::Item;
use kluis_arm::policy::Policy;
use kluis_arm::restore::TriggerRestore;
use kluis_arm::vault::Vault;
use serde::Serialize;
use serde_json::Value;

use crate::fingerprint::Fingerprint;
use crate::key::ObjectKey;
use crate::world::Want;

/// One thing to bring about, while what it was decided from still holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub action: Action,
    pub guard: Precondition,
    /// Where the status keeps the operation that this starts.
    pub slot: Option<Slot>,
}

/// What has to hold still when the step is taken (law 2). Azure offers no If-Match here: between this check and the write lies a window
/// of one round trip.
#[derive(Clone, Debug, PartialEq)]
pub struct Precondition {
    pub object: ObjectKey,
    /// The object's generation that the plan was made from.
    pub generation: i64,
    /// What to read again, and what it looked like.
    pub observed: Vec<(Want, Fingerprint)>,
    /// Of an edit of a policy: the room that is to be left for it.
    pub room: Option<EditRoom>,
}

/// Room for one more edit among those of a vault's policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditRoom {
    /// The Vault whose policies' statuses tell of edits.
    pub vault: ObjectKey,
    /// Edits from this moment on count.
    pub since: Timestamp,
    /// There have to be fewer than so many.
    pub most: usize,
}

impl EditRoom {
    /// Whether there still is room beside these edits.
    pub fn is_left(&self, edits: &[Timestamp]) -> bool {
        edits.iter().filter(|edit| **edit >= self.since).count() < self.most
    }
}

/// Where a status keeps an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot {
    /// `status.operation`.
    Operation,
    /// `status.backup` of a protected item.
    Backup,
    /// `status.vaults[name].operation` of a policy.
    PolicyVault(String),
}

/// What to bring about. The first three are Kubernetes', of the object in the precondition; the others are calls to ARM.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// The object has our finalizer.
    HoldFinalizer,
    /// The object has no finalizer of ours.
    ReleaseFinalizer,
    /// The object is gone (a finished BackupJob whose time is over).
    DeleteObject,
    CreateVault {
        id: VaultId,
        body: Box<Vault>,
    },
    UpdateVault {
        id: VaultId,
        body: Box<Vault>,
    },
    /// Softly, where the vault's soft delete is on: with what is softly deleted in it.
    DeleteVault {
        id: VaultId,
    },
    /// A vault that was softly deleted is there again, with all that was in it.
    UndeleteVault {
        id: VaultId,
        /// Its region, which lists it while it is deleted.
        location: String,
        /// What it is called there.
        deleted: Name,
    },
    PutPolicy {
        id: PolicyId,
        body: Box<Policy>,
    },
    DeletePolicy {
        id: PolicyId,
    },
    DiscoverContainers {
        vault: VaultId,
    },
    /// The item is as the body says; `kind` is what that amounts to.
    PutItem {
        id: ItemId,
        kind: OperationKind,
        body: Box<Item>,
    },
    DeleteItem {
        id: ItemId,
    },
    StartBackup {
        item: ItemId,
        body: Box<TriggerBackup>,
    },
    StartRestore {
        point: RecoveryPointId,
        body: Box<TriggerRestore>,
        /// Of a restore in place, by what the service's jobs can be recognised as its own ever after.
        request_id: Option<String>,
    },
    /// A restore of files, by the service's own extension, which is at `prefix`.
    StartFilesRestore {
        point: RecoveryPointId,
        prefix: String,
        body: Box<TriggerFilesRestore>,
    },
    /// The job ends before its work is done.
    CancelJob {
        job: JobId,
    },
}

/// A call to ARM.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub method: Method,
    /// The path, from `/subscriptions` on, not escaped.
    pub path: String,
    pub api_version: &'static str,
    pub body: Option<Value>,
    /// Sent as the client's own id of the request; one is made up where there is none.
    pub request_id: Option<String>,
}

/// The methods that write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Put,
    Patch,
    Post,
    Delete,
}

/// A body that cannot be written as JSON.
#[derive(Debug, thiserror::Error)]
#[error("writing the body of the call to {path}")]
pub struct CallError {
    pub path: String,
    pub source: serde_json::Error,
}

impl Action {
    /// The call that brings it about; None when it is Kubernetes' to do.
    ///
    /// # Errors
    /// When the body cannot be written as JSON.
    pub fn call(&self) -> Result<Option<Call>, CallError> {
        let call = match self {
            Self::HoldFinalizer | Self::ReleaseFinalizer | Self::DeleteObject => return Ok(None),
            Self::CreateVault { id, body } => write(Method::Put, id.to_string(), body)?,
            Self::UpdateVault { id, body } => write(Method::Patch, id.to_string(), body)?,
            Self::DeleteVault { id } => Call {
                api_version: SOFTLY_DELETED_VAULTS,
                ..bare(Method::Delete, id.to_string())
            },
            Self::UndeleteVault {
                id,
                location,
                deleted,
            } => {
                let body = Undelete {
                    properties: Some(UndeleteProperties {
                        recovery_resource_group_id: Some(id.group().to_string()),
                        ..UndeleteProperties::default()
                    }),
                    ..Undelete::default()
                };
                let path = format!(
                    "/subscriptions/{}/providers/Microsoft.RecoveryServices/locations/{location}/deletedVaults/{deleted}/undelete",
                    id.subscription
                );
                Call {
                    api_version: SOFTLY_DELETED_VAULTS,
                    ..write(Method::Post, path, &body)?
                }
            }
            Self::PutPolicy { id, body } => write(Method::Put, id.to_string(), body)?,
            Self::DeletePolicy { id } => bare(Method::Delete, id.to_string()),
            Self::DiscoverContainers { vault } => bare(
                Method::Post,
                format!(
                    "{vault}/backupFabrics/{}/refreshContainers",
                    kluis_arm::id::FABRIC
                ),
            ),
            Self::PutItem { id, kind: _, body } => write(Method::Put, id.to_string(), body)?,
            Self::DeleteItem { id } => bare(Method::Delete, id.to_string()),
            Self::StartBackup { item, body } => {
                write(Method::Post, format!("{item}/backup"), body)?
            }
            Self::StartRestore {
                point,
                body,
                request_id,
            } => Call {
                request_id: request_id.clone(),
                ..write(Method::Post, format!("{point}/restore"), body)?
            },
            Self::StartFilesRestore {
                point,
                prefix,
                body,
            } => write(Method::Post, format!("{prefix}{point}/restoreFiles"), body)?,
            Self::CancelJob { job } => bare(Method::Post, format!("{job}/cancel")),
        };
        Ok(Some(call))
    }

    /// The resource in Azure that it is about; empty when it is Kubernetes' to do.
    pub fn target(&self) -> String {
        match self {
            Self::HoldFinalizer | Self::ReleaseFinalizer | Self::DeleteObject => String::new(),
            Self::CreateVault { id, .. }
            | Self::UpdateVault { id, .. }
            | Self::UndeleteVault { id, .. }
            | Self::DeleteVault { id } => id.to_string(),
            Self::PutPolicy { id, .. } | Self::DeletePolicy { id } => id.to_string(),
            Self::DiscoverContainers { vault } => vault.to_string(),
            Self::PutItem { id, .. } | Self::DeleteItem { id } => id.to_string(),
            Self::StartBackup { item, .. } => item.to_string(),
            Self::StartRestore { point, .. } | Self::StartFilesRestore { point, .. } => {
                point.to_string()
            }
            Self::CancelJob { job } => job.to_string(),
        }
    }

    /// What kind of operation it starts; None when it starts none.
    pub fn operation(&self) -> Option<OperationKind> {
        match self {
            Self::HoldFinalizer
            | Self::ReleaseFinalizer
            | Self::DeleteObject
            | Self::DeletePolicy { .. }
            | Self::CancelJob { .. } => None,
            Self::CreateVault { .. } => Some(OperationKind::CreateVault),
            Self::UpdateVault { .. } => Some(OperationKind::UpdateVault),
            Self::DeleteVault { .. } => Some(OperationKind::DeleteVault),
            Self::UndeleteVault { .. } => Some(OperationKind::Undelete),
            Self::PutPolicy { .. } => Some(OperationKind::UpdatePolicy),
            Self::DiscoverContainers { .. } => Some(OperationKind::DiscoverContainers),
            Self::PutItem { kind, .. } => Some(*kind),
            Self::DeleteItem { .. } => Some(OperationKind::DeleteBackupData),
            Self::StartBackup { .. } => Some(OperationKind::Backup),
            Self::StartRestore { .. } | Self::StartFilesRestore { .. } => {
                Some(OperationKind::Restore)
            }
        }
    }

    /// Whether it starts work that is done twice when it is called twice.
    pub(crate) fn starts_work(&self) -> bool {
        matches!(
            self,
            Self::StartBackup { .. } | Self::StartRestore { .. } | Self::StartFilesRestore { .. }
        )
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        })
    }
}

fn bare(method: Method, path: String) -> Call {
    Call {
        method,
        path,
        api_version: SENT,
        body: None,
        request_id: None,
    }
}

fn write(method: Method, path: String, body: &impl Serialize) -> Result<Call, CallError> {
    match serde_json::to_value(body) {
        Ok(body) => Ok(Call {
            body: Some(body),
            ..bare(method, path)
        }),
        Err(source) => Err(CallError { path, source }),
    }
}
