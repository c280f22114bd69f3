//! The cluster's objects with manifests laid over them: what the cluster would have if they were applied.
//!
//! Everything is read once, when it begins. It never writes: what would, is refused.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use kluis_api as api;
use kluis_plan::Event;
use kube::{
    Api, Client,
    api::{DynamicObject, ListParams},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    cluster,
    kept::Kept,
    key::{KINDS, Key, Kind, key_of, resource},
    objects::{Objects, ObjectsError, SecretValue, Version},
    references::Machine,
    store::Store,
};

/// How many objects the API server is asked for at once.
const PAGE: u32 = 500;

/// Objects of a cluster, and what manifests make of them.
pub struct Overlay {
    client: Client,
    /// The operator's namespace: Secrets are read from there alone.
    namespace: String,
    store: Store,
}

/// A manifest, laid over what the cluster has.
#[derive(Debug, Clone)]
pub struct Laid {
    pub key: Key,
    /// The spec that the cluster has, with every default filled in; none for an object that is not there.
    pub before: Option<Value>,
    /// The spec as it would be.
    pub after: Value,
    /// The object as the cluster has it.
    pub present: Option<Arc<Value>>,
}

/// Why a manifest cannot be laid over the cluster's objects.
#[derive(Debug, thiserror::Error)]
pub enum LayError {
    #[error("there is no kind {0} here")]
    Kind(String),
    #[error("a {0} needs a name")]
    Name(Kind),
    #[error("{key} cannot be read")]
    Undecodable {
        key: Key,
        #[source]
        source: serde_json::Error,
    },
}

impl Overlay {
    /// Reads every object of our kinds, as whoever `client` is.
    ///
    /// # Errors
    /// When the API server doesn't let them be listed, or doesn't answer.
    pub async fn read(client: Client, operator_namespace: &str) -> Result<Self, ObjectsError> {
        let store = Store::default();
        for kind in KINDS {
            store.list_begins(kind);
            let all = Api::<DynamicObject>::all_with(client.clone(), &resource(kind));
            let mut page = ListParams::default().limit(PAGE);
            loop {
                let list = all.list(&page).await;
                let list = list.map_err(|error| {
                    ObjectsError::failed(format!("listing every {kind}"), error)
                })?;
                let next = list.metadata.continue_.filter(|token| !token.is_empty());
                for mut object in list.items {
                    // A list's entries don't say of which kind they are.
                    object.types = Some(resource_types(kind));
                    if let Some(key) = key_of(kind, &object) {
                        store.listed(&key, object);
                    }
                }
                match next {
                    Some(token) => page.continue_token = Some(token),
                    None => break,
                }
            }
            store.list_ends(kind);
        }
        Ok(Self {
            client,
            namespace: operator_namespace.to_owned(),
            store,
        })
    }

    /// Lays a manifest over: its spec replaces the one that is there, and its labels and annotations join those that
    /// are. An object without a namespace gets `namespace`; one that is not there is new as of `now`.
    ///
    /// # Errors
    /// A manifest that is of no kind of ours, has no name, or doesn't decode.
    pub fn lay(
        &self,
        manifest: &Value,
        namespace: &str,
        now: jiff::Timestamp,
    ) -> Result<Laid, LayError> {
        let key = key(manifest, namespace)?;
        let undecodable = |source| LayError::Undecodable {
            key: key.clone(),
            source,
        };
        let present = self.store.get(&key);
        let after = whole_spec(key.kind, manifest).map_err(undecodable)?;
        // What is there and doesn't decode is replaced by what does.
        let before = present.as_deref().map(|present| {
            whole_spec(key.kind, present).unwrap_or_else(|_| present["spec"].clone())
        });
        let mut object = match present.as_deref() {
            Some(present) => present.clone(),
            None => json!({
                "apiVersion": manifest["apiVersion"], "kind": manifest["kind"],
                "metadata": {
                    "name": key.name, "namespace": key.namespace, "generation": 0, "resourceVersion": "",
                    "uid": format!("not-made-yet:{key}"), "creationTimestamp": now.to_string(),
                },
            }),
        };
        object["spec"] = manifest["spec"].clone();
        forget_counts(&mut object["status"]);
        if before.as_ref() != Some(&after) {
            let generation = object["metadata"]["generation"]
                .as_i64()
                .unwrap_or_default();
            object["metadata"]["generation"] = json!(generation + 1);
        }
        for field in ["labels", "annotations"] {
            for (name, value) in manifest["metadata"][field]
                .as_object()
                .into_iter()
                .flatten()
            {
                object["metadata"][field][name] = value.clone();
            }
        }
        let object: DynamicObject = serde_json::from_value(object).map_err(undecodable)?;
        self.store.written(&key, object);
        Ok(Laid {
            before,
            after,
            present,
            key,
        })
    }

    /// The objects that name this one, or that it names.
    pub fn around(&self, key: &Key) -> Vec<Key> {
        self.store.graph(|graph| {
            let users = graph.users(key).cloned();
            graph.uses(key).iter().cloned().chain(users).collect()
        })
    }
}

/// What an edit costs is counted anew: of an earlier count the status keeps the sum and a few items.
fn forget_counts(status: &mut Value) {
    let forget = |part: &mut Value| {
        part.as_object_mut()
            .and_then(|part| part.remove("approval"))
    };
    forget(status);
    if let Some(vaults) = status.get_mut("vaults").and_then(Value::as_array_mut) {
        vaults.iter_mut().for_each(|vault| {
            forget(vault);
        });
    }
}

/// Which object a manifest is about. One with a generated name is called by what it begins with.
fn key(manifest: &Value, namespace: &str) -> Result<Key, LayError> {
    let text = manifest["kind"].as_str().unwrap_or_default();
    let kind = KINDS.into_iter().find(|kind| kind.to_string() == text);
    let kind = kind.ok_or_else(|| LayError::Kind(text.to_owned()))?;
    let metadata = &manifest["metadata"];
    let name = metadata["name"].as_str().map(str::to_owned);
    let name = name.or_else(|| Some(format!("{}…", metadata["generateName"].as_str()?)));
    let name = name.ok_or(LayError::Name(kind))?;
    Ok(match kind {
        Kind::BackupService => Key::service(name),
        _ => Key::new(
            kind,
            metadata["namespace"].as_str().unwrap_or(namespace),
            name,
        ),
    })
}

/// The spec with its defaults, so that what means the same is the same.
fn whole_spec(kind: Kind, object: &Value) -> Result<Value, serde_json::Error> {
    fn through<T: DeserializeOwned + Serialize>(spec: &Value) -> Result<Value, serde_json::Error> {
        serde_json::to_value(T::deserialize(spec)?)
    }
    let spec = &object["spec"];
    match kind {
        Kind::BackupService => through::<api::BackupServiceSpec>(spec),
        Kind::Vault => through::<api::VaultSpec>(spec),
        Kind::BackupPolicy => {
            let spec = api::BackupPolicySpec::deserialize(spec)?;
            serde_json::to_value(spec.in_one_spelling())
        }
        Kind::ProtectedVM => through::<api::ProtectedVMSpec>(spec),
        Kind::BackupJob => through::<api::BackupJobSpec>(spec),
        Kind::Restore => through::<api::RestoreSpec>(spec),
    }
}

fn resource_types(kind: Kind) -> kube::api::TypeMeta {
    let resource = resource(kind);
    kube::api::TypeMeta {
        api_version: resource.api_version,
        kind: resource.kind,
    }
}

#[async_trait]
impl Objects for Overlay {
    async fn get(&self, key: &Key) -> Result<Option<Value>, ObjectsError> {
        Ok(self.store.get(key).map(|object| Value::clone(&object)))
    }

    async fn known(&self, key: &Key) -> Result<Option<Arc<Value>>, ObjectsError> {
        Ok(self.store.get(key))
    }

    async fn list(&self, kind: Kind) -> Result<Vec<Kept>, ObjectsError> {
        let keys = self.store.of_kind(kind);
        Ok(keys.iter().filter_map(|key| self.store.kept(key)).collect())
    }

    async fn users(&self, used: &Key, kind: Kind) -> Result<Vec<(Key, Kept)>, ObjectsError> {
        Ok(self.store.users(used, kind))
    }

    async fn declaring(
        &self,
        vault: &Key,
        machine: &Machine,
    ) -> Result<Vec<Arc<Value>>, ObjectsError> {
        Ok(self.store.declaring(vault, machine))
    }

    async fn apply_status(
        &self,
        key: &Key,
        _: &Version,
        _: &Value,
    ) -> Result<Version, ObjectsError> {
        Err(ObjectsError::Fenced(key.clone()))
    }

    async fn set_finalizers(
        &self,
        key: &Key,
        _: &Version,
        _: &[String],
    ) -> Result<Version, ObjectsError> {
        Err(ObjectsError::Fenced(key.clone()))
    }

    async fn delete(&self, key: &Key, _: &Version) -> Result<(), ObjectsError> {
        Err(ObjectsError::Fenced(key.clone()))
    }

    async fn namespace_labels(
        &self,
        name: &str,
    ) -> Result<Option<BTreeMap<String, String>>, ObjectsError> {
        cluster::namespace_labels(&self.client, name).await
    }

    async fn secret(&self, name: &str, key: &str) -> Result<SecretValue, ObjectsError> {
        let secret = cluster::secret(&self.client, &self.namespace, name).await?;
        Ok(SecretValue::of(secret.as_ref(), key))
    }

    async fn publish(&self, _: &Key, _: &str, _: &Event) {}
}
