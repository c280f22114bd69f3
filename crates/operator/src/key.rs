//! Which object, as the API server names it.

use kluis_api as api;
pub use kluis_plan::{Kind, ObjectKey as Key};
use kube::core::{ApiResource, DynamicObject};

/// Our kinds, in the order in which a person meets them.
pub const KINDS: [Kind; 6] = [
    Kind::BackupService,
    Kind::Vault,
    Kind::BackupPolicy,
    Kind::ProtectedVM,
    Kind::BackupJob,
    Kind::Restore,
];

/// How the API server serves a kind.
pub(crate) fn resource(kind: Kind) -> ApiResource {
    match kind {
        Kind::BackupService => ApiResource::erase::<api::BackupService>(&()),
        Kind::Vault => ApiResource::erase::<api::Vault>(&()),
        Kind::BackupPolicy => ApiResource::erase::<api::BackupPolicy>(&()),
        Kind::ProtectedVM => ApiResource::erase::<api::ProtectedVM>(&()),
        Kind::BackupJob => ApiResource::erase::<api::BackupJob>(&()),
        Kind::Restore => ApiResource::erase::<api::Restore>(&()),
    }
}

/// The key of an object as a watch gives it; none for one without a name.
pub(crate) fn key_of(kind: Kind, object: &DynamicObject) -> Option<Key> {
    Some(Key {
        kind,
        namespace: object.metadata.namespace.clone(),
        name: object.metadata.name.clone()?,
    })
}
