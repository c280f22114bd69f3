//! Kubernetes in memory, as far as the operator can tell: versions that conflict, generations that count edits of the
//! spec, finalizers that hold a deletion back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use kluis_client::Secret;
use kluis_operator::objects::{Objects, ObjectsError, SecretValue, Version};
use kluis_operator::{Graph, Kept, Key, Kind, Machine, machine, references};
use kluis_plan::Event;
use serde_json::{Value, json};

use super::Azure;

/// The objects.
pub(crate) struct Memory {
    azure: Arc<Azure>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<Key, Arc<Value>>,
    graph: Graph,
    versions: u64,
    events: Vec<String>,
}

impl State {
    fn next(&mut self) -> String {
        self.versions += 1;
        self.versions.to_string()
    }

    /// The object, if it is still that one and that version.
    fn guarded(&mut self, key: &Key, version: &Version) -> Result<&mut Value, ObjectsError> {
        let object = self.objects.get_mut(key);
        let object = object.ok_or_else(|| ObjectsError::Gone(key.clone()))?;
        if Version::of(object) == *version {
            Ok(Arc::make_mut(object))
        } else {
            Err(ObjectsError::Conflict(key.clone()))
        }
    }

    /// Gives the object a new version, or lets it go when it is deleted and nothing holds it.
    fn written(&mut self, key: &Key) -> Version {
        let version = self.next();
        let Some(object) = self.objects.get_mut(key) else {
            return Version::of(&Value::Null);
        };
        let object = Arc::make_mut(object);
        let metadata = &mut object["metadata"];
        metadata["resourceVersion"] = json!(version);
        let held = metadata["finalizers"]
            .as_array()
            .is_some_and(|held| !held.is_empty());
        let written = Version::of(object);
        if !object["metadata"]["deletionTimestamp"].is_null() && !held {
            self.graph.remove(key);
            self.objects.remove(key);
        } else {
            self.graph.set(key, references(key.kind, object));
        }
        written
    }
}

impl Memory {
    pub(super) fn new(azure: Arc<Azure>) -> Self {
        Self {
            azure,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every object, by kind and name.
    pub(crate) fn keys(&self) -> Vec<Key> {
        self.state().objects.keys().cloned().collect()
    }

    /// An object as it is.
    pub(crate) fn peek(&self, key: &Key) -> Option<Value> {
        self.shared(key).map(|object| Value::clone(&object))
    }

    /// The same, for who only looks.
    fn shared(&self, key: &Key) -> Option<Arc<Value>> {
        self.state().objects.get(key).cloned()
    }

    /// The objects of a kind that name this one.
    fn naming(&self, used: &Key, kind: Kind) -> Vec<(Key, Arc<Value>)> {
        let state = self.state();
        let users = state.graph.users(used).filter(|key| key.kind == kind);
        users
            .filter_map(|key| Some((key.clone(), Arc::clone(state.objects.get(key)?))))
            .collect()
    }

    /// All events so far.
    pub(crate) fn events(&self) -> Vec<String> {
        self.state().events.clone()
    }

    /// What a person applies: makes the object, or changes its spec.
    pub(crate) fn apply(&self, kind: Kind, manifest: &Value) -> Key {
        let key = Key {
            kind,
            namespace: manifest["metadata"]["namespace"]
                .as_str()
                .map(str::to_owned),
            name: manifest["metadata"]["name"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        };
        let mut state = self.state();
        let uid = state.next();
        let object = state.objects.entry(key.clone()).or_insert_with(|| {
            let mut object = manifest.clone();
            object["metadata"]["uid"] = json!(format!("uid-{uid}"));
            object["metadata"]["generation"] = json!(0);
            object["metadata"]["creationTimestamp"] = json!(self.azure.now().to_string());
            object["status"] = json!({ "observedGeneration": -1 });
            object["spec"] = Value::Null;
            Arc::new(object)
        });
        let object = Arc::make_mut(object);
        if object["spec"] != manifest["spec"] {
            object["spec"] = manifest["spec"].clone();
            edited(object);
        }
        state.written(&key);
        key
    }

    /// What a person deletes.
    pub(crate) fn delete_by_hand(&self, key: &Key) {
        let now = self.azure.now().to_string();
        let mut state = self.state();
        if let Some(object) = state.objects.get_mut(key) {
            let object = Arc::make_mut(object);
            object["metadata"]["deletionTimestamp"] = json!(now);
            edited(object);
        }
        state.written(key);
    }
}

fn edited(object: &mut Value) {
    let generation = object["metadata"]["generation"]
        .as_i64()
        .unwrap_or_default();
    object["metadata"]["generation"] = json!(generation + 1);
}

#[async_trait]
impl Objects for Memory {
    async fn get(&self, key: &Key) -> Result<Option<Value>, ObjectsError> {
        Ok(self.peek(key))
    }

    async fn known(&self, key: &Key) -> Result<Option<Arc<Value>>, ObjectsError> {
        Ok(self.shared(key))
    }

    async fn list(&self, kind: Kind) -> Result<Vec<Kept>, ObjectsError> {
        let state = self.state();
        let first = Key {
            kind,
            namespace: None,
            name: String::new(),
        };
        let from = state.objects.range(first..);
        let of_kind = from.take_while(|(key, _)| key.kind == kind);
        Ok(of_kind
            .map(|(_, object)| Arc::clone(object).into())
            .collect())
    }

    async fn users(&self, used: &Key, kind: Kind) -> Result<Vec<(Key, Kept)>, ObjectsError> {
        let users = self.naming(used, kind).into_iter();
        Ok(users.map(|(key, object)| (key, object.into())).collect())
    }

    async fn declaring(
        &self,
        vault: &Key,
        declared: &Machine,
    ) -> Result<Vec<Arc<Value>>, ObjectsError> {
        let items = self.naming(vault, Kind::ProtectedVM).into_iter();
        let items = items.map(|(_, object)| object);
        Ok(items
            .filter(|object| machine(object) == *declared)
            .collect())
    }

    async fn apply_status(
        &self,
        key: &Key,
        version: &Version,
        status: &Value,
    ) -> Result<Version, ObjectsError> {
        let mut state = self.state();
        state.guarded(key, version)?["status"] = status.clone();
        Ok(state.written(key))
    }

    async fn set_finalizers(
        &self,
        key: &Key,
        version: &Version,
        finalizers: &[String],
    ) -> Result<Version, ObjectsError> {
        let mut state = self.state();
        state.guarded(key, version)?["metadata"]["finalizers"] = json!(finalizers);
        Ok(state.written(key))
    }

    async fn delete(&self, key: &Key, version: &Version) -> Result<(), ObjectsError> {
        self.state().guarded(key, version)?;
        self.delete_by_hand(key);
        Ok(())
    }

    async fn namespace_labels(
        &self,
        name: &str,
    ) -> Result<Option<BTreeMap<String, String>>, ObjectsError> {
        let labels = BTreeMap::from([("team".to_owned(), name.to_owned())]);
        Ok(Some(labels))
    }

    async fn secret(&self, name: &str, key: &str) -> Result<SecretValue, ObjectsError> {
        Ok(match (name, key) {
            ("azure", "secret") => SecretValue::Found(Secret::new("hunter2")),
            ("azure", _) => SecretValue::KeyMissing,
            _ => SecretValue::SecretMissing,
        })
    }

    async fn publish(&self, key: &Key, _uid: &str, event: &Event) {
        let told = format!("{key}: {}: {}", event.reason, event.note);
        self.state().events.push(told);
    }
}
