//! What the operator needs of Kubernetes, and no more: a trait, so that a simulation can hold the objects in memory.
//!
//! Objects are JSON here. Whoever reads one decodes it, and one that doesn't decode is that one's problem: it never
//! ends a watch or hides the others.

use std::{collections::BTreeMap, error::Error, sync::Arc};

use async_trait::async_trait;
use k8s_openapi::api::core::v1 as core;
use kluis_client::Secret;
use kluis_plan::Event;
use serde_json::Value;

use crate::{
    kept::Kept,
    key::{Key, Kind},
    references::Machine,
};

/// Reading and writing objects. Writes name the version that they were decided on and fail when it is no longer the
/// one.
#[async_trait]
pub trait Objects: Send + Sync {
    /// The object as it is now, not as a cache remembers it: what is decided from its status must not be decided
    /// twice.
    async fn get(&self, key: &Key) -> Result<Option<Value>, ObjectsError>;

    /// The object as it is remembered: with all that we wrote ourselves, but perhaps without what others wrote a moment
    /// ago.
    async fn known(&self, key: &Key) -> Result<Option<Arc<Value>>, ObjectsError>;

    /// Every object of a kind, as it is remembered. For what can't be told from who names whom.
    async fn list(&self, kind: Kind) -> Result<Vec<Kept>, ObjectsError>;

    /// The objects of a kind that name `used` (see [`crate::references()`]), as they are remembered, by name.
    async fn users(&self, used: &Key, kind: Kind) -> Result<Vec<(Key, Kept)>, ObjectsError>;

    /// The ProtectedVMs that declare this machine in this vault, as they are remembered. A vault has a thousand of them, of which
    /// these are one as a rule.
    async fn declaring(
        &self,
        vault: &Key,
        machine: &Machine,
    ) -> Result<Vec<Arc<Value>>, ObjectsError>;

    /// Writes the whole status as ours, by server-side apply. `version` is the object's uid and resourceVersion.
    async fn apply_status(
        &self,
        key: &Key,
        version: &Version,
        status: &Value,
    ) -> Result<Version, ObjectsError>;

    /// Puts exactly these finalizers on the object.
    async fn set_finalizers(
        &self,
        key: &Key,
        version: &Version,
        finalizers: &[String],
    ) -> Result<Version, ObjectsError>;

    /// Deletes the object, if it is still that one.
    async fn delete(&self, key: &Key, version: &Version) -> Result<(), ObjectsError>;

    /// The labels of a namespace; none for a namespace that is not there.
    async fn namespace_labels(
        &self,
        name: &str,
    ) -> Result<Option<BTreeMap<String, String>>, ObjectsError>;

    /// One key of a Secret of the operator's own namespace; no other namespace can be named.
    async fn secret(&self, name: &str, key: &str) -> Result<SecretValue, ObjectsError>;

    /// Tells a person that something happened. An event that is lost changes nothing, so nothing is returned.
    async fn publish(&self, key: &Key, uid: &str, event: &Event);
}

/// What is in a Secret.
#[derive(Debug, Clone)]
pub enum SecretValue {
    Found(Secret),
    KeyMissing,
    SecretMissing,
}

impl SecretValue {
    /// A key of a Secret as it was read, without the line's end that an editor left. What is no text, or empty, is not
    /// there.
    pub(crate) fn of(secret: Option<&core::Secret>, key: &str) -> Self {
        let Some(secret) = secret else {
            return Self::SecretMissing;
        };
        let value = secret.data.as_ref().and_then(|data| data.get(key));
        let value = value.and_then(|bytes| std::str::from_utf8(&bytes.0).ok());
        match value.map(str::trim_end) {
            Some(text) if !text.is_empty() => Self::Found(Secret::new(text.to_owned())),
            Some(_) | None => Self::KeyMissing,
        }
    }

    /// The value, if there is one.
    pub fn found(self) -> Option<Secret> {
        match self {
            Self::Found(secret) => Some(secret),
            Self::KeyMissing | Self::SecretMissing => None,
        }
    }
}

/// Which object, and which state of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub uid: String,
    pub resource_version: String,
}

impl Version {
    /// Of an object that was read; empty parts for one that has none.
    pub fn of(object: &Value) -> Self {
        let part = |name: &str| {
            let value = object["metadata"][name].as_str();
            value.unwrap_or_default().to_owned()
        };
        Self {
            uid: part("uid"),
            resource_version: part("resourceVersion"),
        }
    }
}

/// What went wrong with Kubernetes. Each is met by coming back later.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ObjectsError {
    /// Somebody else wrote in between: what was decided may no longer hold.
    #[error("{0} was changed by somebody else in the meantime")]
    Conflict(Key),
    #[error("{0} is gone")]
    Gone(Key),
    /// Another replica may be acting now.
    #[error("{0} was left as it is: the lease is no longer ours")]
    Fenced(Key),
    /// `doing` is what was tried: "reading Vault shop/v".
    #[error("the API server failed while {doing}")]
    Failed {
        doing: String,
        #[source]
        source: Arc<dyn Error + Send + Sync>,
    },
}

impl ObjectsError {
    pub(crate) fn failed(doing: String, error: impl Error + Send + Sync + 'static) -> Self {
        Self::Failed {
            doing,
            source: Arc::new(error),
        }
    }
}
