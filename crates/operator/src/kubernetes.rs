//! The API server as [`Objects`].

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use k8s_openapi::api::core::v1::{self as core, ObjectReference};
use kluis_api::{GROUP, VERSION};
use kluis_client::Secret;
use kluis_plan::{Event, EventKind};
use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions},
    core::PartialObjectMeta,
    runtime::{
        events::{self, Recorder, Reporter},
        reflector::Store,
    },
};
use serde_json::{Value, json};

use crate::{
    key::{Key, Kind, resource},
    objects::{Objects, ObjectsError, SecretValue, Version},
};

/// Who wrote a field, as the API server keeps it.
const FIELD_MANAGER: &str = "kluis-operator";
/// The API server takes no more in an event.
const MOST_OF_A_NOTE: usize = 1024;

/// What the watches have seen, by kind.
pub(crate) type Stores = BTreeMap<Kind, Store<DynamicObject>>;

/// Objects of a cluster.
pub(crate) struct KubeObjects {
    client: Client,
    /// The operator's own namespace: Secrets are read from there alone.
    namespace: String,
    stores: Arc<Stores>,
    recorder: Recorder,
}

impl KubeObjects {
    pub(crate) fn new(
        client: Client,
        namespace: String,
        stores: Arc<Stores>,
        instance: String,
    ) -> Self {
        let reporter = Reporter {
            controller: format!("{GROUP}/operator"),
            instance: Some(instance),
        };
        Self {
            recorder: Recorder::new(client.clone(), reporter),
            client,
            namespace,
            stores,
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
        let found = found.map_err(|error| failed(format!("reading {key}"), error))?;
        found.map(|object| as_json(key.kind, &object)).transpose()
    }

    async fn list(&self, kind: Kind) -> Result<Vec<Value>, ObjectsError> {
        let Some(store) = self.stores.get(&kind) else {
            return Ok(Vec::new());
        };
        // Before the first list has come in everything would look absent.
        let ready = store.wait_until_ready().await;
        ready.map_err(|error| failed(format!("watching every {kind}"), error))?;
        let objects = store.state();
        objects.iter().map(|object| as_json(kind, object)).collect()
    }

    async fn apply_status(
        &self,
        key: &Key,
        version: &Version,
        status: &Value,
    ) -> Result<Version, ObjectsError> {
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
        written
            .map(|object| version_of(&object))
            .map_err(|error| not_written(key, "writing the status of", error))
    }

    async fn set_finalizers(
        &self,
        key: &Key,
        version: &Version,
        finalizers: &[String],
    ) -> Result<Version, ObjectsError> {
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
        written
            .map(|object| version_of(&object))
            .map_err(|error| not_written(key, "writing the finalizers of", error))
    }

    async fn delete(&self, key: &Key, version: &Version) -> Result<(), ObjectsError> {
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
        let namespaces = Api::<PartialObjectMeta<core::Namespace>>::all(self.client.clone());
        let found = namespaces.get_opt(name).await;
        let found =
            found.map_err(|error| failed(format!("reading the namespace {name}"), error))?;
        Ok(found.map(|namespace| namespace.metadata.labels.unwrap_or_default()))
    }

    async fn secret(&self, name: &str, key: &str) -> Result<SecretValue, ObjectsError> {
        let secrets = Api::<core::Secret>::namespaced(self.client.clone(), &self.namespace);
        let doing = || {
            format!(
                "reading the Secret {name} of the namespace {}",
                self.namespace
            )
        };
        let found = secrets.get_opt(name).await;
        let Some(secret) = found.map_err(|error| failed(doing(), error))? else {
            return Ok(SecretValue::SecretMissing);
        };
        let value = secret.data.and_then(|mut data| data.remove(key));
        let value = value.and_then(|bytes| String::from_utf8(bytes.0).ok());
        Ok(match value.as_deref().map(str::trim_end) {
            Some(text) if !text.is_empty() => SecretValue::Found(Secret::new(text.to_owned())),
            Some(_) | None => SecretValue::KeyMissing,
        })
    }

    async fn publish(&self, key: &Key, uid: &str, event: &Event) {
        let about = ObjectReference {
            api_version: Some(format!("{GROUP}/{VERSION}")),
            kind: Some(key.kind.to_string()),
            namespace: key.namespace.clone(),
            name: Some(key.name.clone()),
            uid: Some(uid.to_owned()),
            ..ObjectReference::default()
        };
        let event = events::Event {
            type_: match event.kind {
                EventKind::Normal => events::EventType::Normal,
                EventKind::Warning => events::EventType::Warning,
            },
            reason: event.reason.clone(),
            note: Some(shortened(&event.note)),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        if let Err(error) = self.recorder.publish(&event, &about).await {
            tracing::warn!(object = %key, %error, reason = event.reason, "an event was lost");
        }
    }
}

fn as_json(kind: Kind, object: &DynamicObject) -> Result<Value, ObjectsError> {
    serde_json::to_value(object).map_err(|error| failed(format!("reading a {kind}"), error))
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
        _ => failed(format!("{doing} {key}"), error),
    }
}

fn failed(doing: String, error: impl std::error::Error + Send + Sync + 'static) -> ObjectsError {
    ObjectsError::Failed {
        doing,
        source: Arc::new(error),
    }
}

fn shortened(note: &str) -> String {
    let mut end = note.len().min(MOST_OF_A_NOTE);
    while !note.is_char_boundary(end) {
        end -= 1;
    }
    note[..end].to_owned()
}
