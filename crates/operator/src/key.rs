//! Which object, as kube's queues and the API server name it.

use kluis_api as api;
pub use kluis_plan::{Kind, ObjectKey as Key};
use kube::{
    core::{ApiResource, DynamicObject},
    runtime::reflector::ObjectRef,
};

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

/// As kube's queues and stores name it.
pub(crate) fn object_ref(key: &Key) -> ObjectRef<DynamicObject> {
    let object = ObjectRef::new_with(&key.name, resource(key.kind));
    match &key.namespace {
        Some(namespace) => object.within(namespace),
        None => object,
    }
}

/// The key behind such a name.
pub(crate) fn key_behind(kind: Kind, object: &ObjectRef<DynamicObject>) -> Key {
    Key {
        kind,
        namespace: object.namespace.clone(),
        name: object.name.clone(),
    }
}
