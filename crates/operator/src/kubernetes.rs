//! The API server as [`Objects`].

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use k8s_openapi::api::core::v1 as core;
use kluis_api::{GROUP, VERSION};
use kluis_plan::Event;
use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions},
};
use serde_json::{Value, json};

use crate::{
    cluster,
    events::Events,
    fence::Fence,
    kept::Kept,
    key::{Key, Kind, resource},
    objects::{Objects, ObjectsError, SecretValue, Version},
    references::Machine,
    store::Store,
};

/// Who wrote a field, as the API server keeps it.
pub(crate) const FIELD_MANAGER: &str = "kluis-operator";

/// Objects of a cluster.
pub(crate) struct KubeObjects {
    client: Client,
    /// The operator's own namespace: Secrets are read from there alone.
    namespace: String,
    store: Arc<Store>,
    /// Secrets as they were read, by name, until their watch says that they have changed.
    secrets: Mutex<HashMap<String, Arc<Option<core::Secret>>>>,
    events: Events,
    fence: Fence,
}

impl KubeObjects {
    pub(crate) fn new(
        client: Client,
        namespace: String,
        store: Arc<Store>,
        instance: String,
        fence: Fence,
    ) -> Self {
        Self {
            events: Events::begin(client.clone(), instance),
            client,
            namespace,
            store,
            secrets: Mutex::default(),
            fence,
        }
    }

    /// A Secret has changed, or is gone: what was read of it holds no longer.
    pub(crate) fn forget_secret(&self, name: &str) {
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.remove(name);
    }

    async fn read_secret(&self, name: &str) -> Result<Arc<Option<core::Secret>>, ObjectsError> {
        let known = {
            let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
            secrets.get(name).cloned()
        };
        if let Some(known) = known {
            return Ok(known);
        }
        let found = Arc::new(cluster::secret(&self.client, &self.namespace, name).await?);
        // One that is not there is asked for again: whoever makes it may do so before the watch has begun.
        if found.is_some() {
            let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
            secrets.insert(name.to_owned(), Arc::clone(&found));
        }
        Ok(found)
    }

    /// Whether a write is ours to make.
    fn may_write(&self, key: &Key) -> Result<(), ObjectsError> {
        match self.fence.is_open() {
            true => Ok(()),
            false => Err(ObjectsError::Fenced(key.clone())),
        }
    }

    /// What a write has left, remembered; or why there was none.
    fn wrote(
        &self,
        key: &Key,
        doing: &str,
        written: Result<DynamicObject, kube::Error>,
    ) -> Result<Version, ObjectsError> {
        match written {
            Ok(object) => {
                let version = version_of(&object);
                self.store.written(key, object);
                Ok(version)
            }
            Err(error) => {
                let failure = not_written(key, doing, error);
                if let ObjectsError::Gone(_) = &failure {
                    self.store.removed(key);
                }
                Err(failure)
            }
        }
    }

    fn api(&self, key: &Key) -> Api<DynamicObject> {
        let resource = resource(key.kind);
        match &key.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }
}

#[async_trait]
impl Objects for KubeObjects {
    async fn get(&self, key: &Key) -> Result<Option<Value>, ObjectsError> {
        let found = self.api(key).get_opt(&key.name).await;
        let found = found.map_err(|error| ObjectsError::failed(format!("reading {key}"), error))?;
        found.map(|object| as_json(key.kind, &object)).transpose()
    }

    async fn known(&self, key: &Key) -> Result<Option<Arc<Value>>, ObjectsError> {
        self.store.is_complete().await;
        Ok(self.store.get(key))
    }

    async fn list(&self, kind: Kind) -> Result<Vec<Kept>, ObjectsError> {
        self.store.is_complete().await;
        let keys = self.store.of_kind(kind);
        Ok(keys.iter().filter_map(|key| self.store.kept(key)).collect())
    }

    async fn users(&self, used: &Key, kind: Kind) -> Result<Vec<(Key, Kept)>, ObjectsError> {
        self.store.is_complete().await;
        Ok(self.store.users(used, kind))
    }

    async fn declaring(
        &self,
        vault: &Key,
        machine: &Machine,
    ) -> Result<Vec<Arc<Value>>, ObjectsError> {
        self.store.is_complete().await;
        Ok(self.store.declaring(vault, machine))
    }

    async fn apply_status(
        &self,
        key: &Key,
        version: &Version,
        status: &Value,
    ) -> Result<Version, ObjectsError> {
        self.may_write(key)?;
        let body = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": key.kind.to_string(),
            "metadata": { "name": key.name, "uid": version.uid, "resourceVersion": version.resource_version },
            "status": status,
        });
        let ours = PatchParams::apply(FIELD_MANAGER).force();
        let written = self
            .api(key)
            .patch_status(&key.name, &ours, &Patch::Apply(body))
            .await;
        self.wrote(key, "writing the status of", written)
    }

    async fn set_finalizers(
        &self,
        key: &Key,
        version: &Version,
        finalizers: &[String],
    ) -> Result<Version, ObjectsError> {
        self.may_write(key)?;
        let body = json!({ "metadata": {
            "uid": version.uid, "resourceVersion": version.resource_version, "finalizers": finalizers,
        }});
        let ours = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let written = self
            .api(key)
            .patch(&key.name, &ours, &Patch::Merge(body))
            .await;
        self.wrote(key, "writing the finalizers of", written)
    }

    async fn delete(&self, key: &Key, version: &Version) -> Result<(), ObjectsError> {
        self.may_write(key)?;
        let only_this = DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(version.uid.clone()),
                resource_version: Some(version.resource_version.clone()),
            }),
            ..DeleteParams::default()
        };
        let deleted = self.api(key).delete(&key.name, &only_this).await;
        deleted
            .map(|_| ())
            .map_err(|error| not_written(key, "deleting", error))
    }

    async fn namespace_labels(
        &self,
        name: &str,
    ) -> Result<Option<BTreeMap<String, String>>, ObjectsError> {
        if let Some(known) = self.store.labels(name) {
            return Ok(known);
        }
        cluster::namespace_labels(&self.client, name).await
    }

    async fn secret(&self, name: &str, key: &str) -> Result<SecretValue, ObjectsError> {
        let secret = self.read_secret(name).await?;
        Ok(SecretValue::of(secret.as_ref().as_ref(), key))
    }

    async fn publish(&self, key: &Key, uid: &str, event: &Event) {
        self.events.tell(key, uid, event);
    }
}

fn as_json(kind: Kind, object: &DynamicObject) -> Result<Value, ObjectsError> {
    serde_json::to_value(object)
        .map_err(|error| ObjectsError::failed(format!("reading a {kind}"), error))
}

fn version_of(object: &DynamicObject) -> Version {
    Version {
        uid: object.metadata.uid.clone().unwrap_or_default(),
        resource_version: object.metadata.resource_version.clone().unwrap_or_default(),
    }
}

/// A write that was refused because of what is there now is told apart from one that failed.
fn not_written(key: &Key, doing: &str, error: kube::Error) -> ObjectsError {
    match &error {
        kube::Error::Api(status) if status.code == 409 => ObjectsError::Conflict(key.clone()),
        kube::Error::Api(status) if status.code == 404 => ObjectsError::Gone(key.clone()),
        _ => ObjectsError::failed(format!("{doing} {key}"), error),
    }
}
