//! What is said about an object: its whole status, and events.

use kluis_api::{
    BackupJobStatus, BackupPolicyStatus, BackupServiceStatus, Condition, ProtectedVMStatus,
    RestoreStatus, VaultStatus,
};
use serde_json::Value;

use crate::key::ObjectKey;

/// What to write and tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub object: ObjectKey,
    /// The whole status, for one server-side apply. None when the object is about to be gone.
    pub status: Option<Status>,
    pub events: Vec<Event>,
}

/// A whole status.
#[derive(Clone, Debug, PartialEq)]
pub enum Status {
    Service(BackupServiceStatus),
    Vault(VaultStatus),
    Policy(BackupPolicyStatus),
    ProtectedVm(Box<ProtectedVMStatus>),
    BackupJob(BackupJobStatus),
    Restore(RestoreStatus),
}

/// A Kubernetes event about the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub kind: EventKind,
    /// One CamelCase word.
    pub reason: String,
    pub note: String,
}

/// Whether somebody should look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    Normal,
    Warning,
}

impl Event {
    pub(crate) fn warning(reason: &str, note: String) -> Self {
        Self {
            kind: EventKind::Warning,
            reason: reason.to_owned(),
            note,
        }
    }
}

impl Status {
    /// The status as JSON, for the apply.
    ///
    /// # Errors
    /// When a time is outside the years that JSON times can be written in.
    pub fn to_value(&self) -> Result<Value, serde_json::Error> {
        match self {
            Self::Service(status) => serde_json::to_value(status),
            Self::Vault(status) => serde_json::to_value(status),
            Self::Policy(status) => serde_json::to_value(status),
            Self::ProtectedVm(status) => serde_json::to_value(status),
            Self::BackupJob(status) => serde_json::to_value(status),
            Self::Restore(status) => serde_json::to_value(status),
        }
    }

    /// Its conditions.
    pub fn conditions(&self) -> &[Condition] {
        match self {
            Self::Service(status) => &status.conditions,
            Self::Vault(status) => &status.conditions,
            Self::Policy(status) => &status.conditions,
            Self::ProtectedVm(status) => &status.conditions,
            Self::BackupJob(status) => &status.conditions,
            Self::Restore(status) => &status.conditions,
        }
    }
}
