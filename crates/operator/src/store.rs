//! Every object of ours as the watches have seen it and our own writes have left it: once, and without what nobody
//! here reads.
//!
//! What a write of ours answered is in it at once, so that nothing is decided on what we have overwritten ourselves.
//! What others wrote a moment ago may not be; a step that changes anything outside reads the object again first.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use kube::{ResourceExt, api::DynamicObject};
use serde_json::Value;
use tokio::sync::watch;

use crate::{
    graph::Graph,
    kept::{Kept, digest},
    key::{KINDS, Key, Kind},
    references::{Machine, machine, references},
};

/// The objects, and who uses whom.
#[derive(Debug)]
pub(crate) struct Store {
    state: Mutex<State>,
    /// The kinds whose first list has come in: before that, everything would look absent.
    complete: watch::Sender<BTreeSet<Kind>>,
}

#[derive(Debug, Default)]
struct State {
    objects: HashMap<Key, Remembered>,
    graph: Graph,
    /// ProtectedVMs by the digest of what they are called in Azure, in lower case.
    by_azure_id: HashMap<u64, Key>,
    /// ProtectedVMs by the digest of the vault and the machine that they declare.
    by_machine: HashMap<u64, Vec<Key>>,
    /// What a list that is coming in has had so far.
    listed: BTreeMap<Kind, HashSet<Key>>,
    /// Labels, by namespace; none before they were listed.
    namespaces: Option<HashMap<String, BTreeMap<String, String>>>,
}

/// An object, and what it is told apart and found by.
#[derive(Debug)]
struct Remembered {
    kept: Kept,
    uid: u64,
    /// Versions of one object grow (KEP-5504). One that is no number is older than any.
    version: Option<u64>,
    azure_id: Option<u64>,
    machine: Option<u64>,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            complete: watch::Sender::new(BTreeSet::new()),
        }
    }
}

impl Store {
    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A list of the kind begins to come in.
    pub(crate) fn list_begins(&self, kind: Kind) {
        self.with(|state| state.listed.insert(kind, HashSet::new()));
    }

    /// One object of a list.
    pub(crate) fn listed(&self, key: &Key, object: DynamicObject) {
        let object = Arc::new(trimmed(object));
        let remembered = Remembered::of(key, &object);
        self.with(|state| {
            if let Some(listed) = state.listed.get_mut(&key.kind) {
                listed.insert(key.clone());
            }
            state.keep(key, &object, remembered);
        });
    }

    /// The list is complete: what was not in it is gone. The kind's objects, and those that are gone with what they
    /// used.
    pub(crate) fn list_ends(&self, kind: Kind) -> (Vec<Key>, Vec<(Key, Vec<Key>)>) {
        let found = self.with(|state| {
            let listed = state.listed.remove(&kind).unwrap_or_default();
            let known: Vec<Key> = state.of_kind(kind).cloned().collect();
            let (there, gone): (Vec<_>, Vec<_>) =
                known.into_iter().partition(|key| listed.contains(key));
            let gone = gone.into_iter().map(|key| {
                let uses = state.graph.uses(&key).to_vec();
                state.remove(&key);
                (key, uses)
            });
            let gone = gone.collect();
            (there, gone)
        });
        self.complete.send_modify(|complete| {
            complete.insert(kind);
        });
        found
    }

    /// An object that was made or changed, by whomever. What it named before, and names now.
    pub(crate) fn changed(&self, key: &Key, object: DynamicObject) -> (Arc<Value>, Vec<Key>) {
        let object = Arc::new(trimmed(object));
        let remembered = Remembered::of(key, &object);
        self.with(|state| {
            let mut uses = state.graph.uses(key).to_vec();
            state.keep(key, &object, remembered);
            uses.extend(state.graph.uses(key).iter().cloned());
            (object, uses)
        })
    }

    /// What a write of ours has left of an object.
    pub(crate) fn written(&self, key: &Key, object: DynamicObject) {
        let is_gone =
            object.metadata.deletion_timestamp.is_some() && object.finalizers().is_empty();
        if is_gone {
            self.removed(key);
        } else {
            let object = Arc::new(trimmed(object));
            let remembered = Remembered::of(key, &object);
            self.with(|state| state.keep(key, &object, remembered));
        }
    }

    /// An object is gone. What it used.
    pub(crate) fn removed(&self, key: &Key) -> Vec<Key> {
        self.with(|state| {
            let uses = state.graph.uses(key).to_vec();
            state.remove(key);
            uses
        })
    }

    /// One object.
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Value>> {
        self.kept(key).map(|kept| kept.object())
    }

    /// One object, for later.
    pub(crate) fn kept(&self, key: &Key) -> Option<Kept> {
        self.with(|state| Some(state.objects.get(key)?.kept.clone()))
    }

    /// The objects of a kind that name `used`, by name.
    pub(crate) fn users(&self, used: &Key, kind: Kind) -> Vec<(Key, Kept)> {
        self.with(|state| {
            let users = state.graph.users(used).filter(|user| user.kind == kind);
            users
                .filter_map(|user| Some((user.clone(), state.objects.get(user)?.kept.clone())))
                .collect()
        })
    }

    /// The ProtectedVMs that declare a machine in a vault.
    pub(crate) fn declaring(&self, vault: &Key, machine: &Machine) -> Vec<Arc<Value>> {
        let found: Vec<Kept> = self.with(|state| {
            let keys = state.by_machine.get(&digest(&(vault, machine)));
            let objects = keys.into_iter().flatten();
            objects
                .filter_map(|key| Some(state.objects.get(key)?.kept.clone()))
                .collect()
        });
        found.iter().map(Kept::object).collect()
    }

    /// What is known of who uses whom.
    pub(crate) fn graph<T>(&self, ask: impl FnOnce(&Graph) -> T) -> T {
        self.with(|state| ask(&state.graph))
    }

    /// The objects of a namespace.
    pub(crate) fn within(&self, namespace: &str) -> Vec<Key> {
        self.with(|state| {
            let keys = state.objects.keys();
            keys.filter(|key| key.namespace.as_deref() == Some(namespace))
                .cloned()
                .collect()
        })
    }

    /// The objects of a kind.
    pub(crate) fn of_kind(&self, kind: Kind) -> Vec<Key> {
        self.with(|state| state.of_kind(kind).cloned().collect())
    }

    /// The object that stands for a resource in Azure.
    pub(crate) fn standing_for(&self, azure_id: &str) -> Option<Key> {
        self.with(|state| {
            state
                .by_azure_id
                .get(&digest(&azure_id.to_ascii_lowercase()))
                .cloned()
        })
    }

    /// Waits until every kind was listed.
    pub(crate) async fn is_complete(&self) {
        let mut complete = self.complete.subscribe();
        // The sender lives as long as we do.
        let _ = complete
            .wait_for(|complete| KINDS.iter().all(|kind| complete.contains(kind)))
            .await;
    }

    /// The labels of a namespace; nothing while they are not known, nothing inside when there is no such namespace.
    pub(crate) fn labels(&self, namespace: &str) -> Option<Option<BTreeMap<String, String>>> {
        self.with(|state| {
            let namespaces = state.namespaces.as_ref()?;
            Some(namespaces.get(namespace).cloned())
        })
    }

    /// All namespaces with their labels. Those whose labels are not what they were.
    pub(crate) fn namespaces(&self, now: HashMap<String, BTreeMap<String, String>>) -> Vec<String> {
        self.with(|state| {
            let before = state.namespaces.replace(now).unwrap_or_default();
            let now = state.namespaces.iter().flatten();
            now.filter(|(name, labels)| before.get(*name) != Some(labels))
                .map(|(name, _)| name.clone())
                .collect()
        })
    }

    /// One namespace, with its labels or gone. Whether that is news.
    pub(crate) fn namespace(&self, name: &str, labels: Option<&BTreeMap<String, String>>) -> bool {
        self.with(|state| {
            let Some(namespaces) = &mut state.namespaces else {
                return false;
            };
            let before = match labels {
                Some(labels) => namespaces.insert(name.to_owned(), labels.clone()),
                None => namespaces.remove(name),
            };
            before.as_ref() != labels
        })
    }
}

impl State {
    /// Keeps an object, unless a newer one is kept already.
    fn keep(&mut self, key: &Key, object: &Value, now: Remembered) {
        let before = self.objects.get(key);
        if before.is_some_and(|before| before.uid == now.uid && before.version > now.version) {
            return;
        }
        let machine_before = before.and_then(|before| before.machine);
        self.graph.set(key, references(key.kind, object));
        if let Some(id) = now.azure_id {
            self.by_azure_id.insert(id, key.clone());
        }
        if machine_before != now.machine {
            self.declares_no_more(machine_before, key);
            if let Some(machine) = now.machine {
                self.by_machine
                    .entry(machine)
                    .or_insert_with(|| Vec::with_capacity(1))
                    .push(key.clone());
            }
        }
        self.objects.insert(key.clone(), now);
    }

    fn remove(&mut self, key: &Key) {
        self.graph.remove(key);
        let Some(gone) = self.objects.remove(key) else {
            return;
        };
        self.declares_no_more(gone.machine, key);
        if let Some(id) = gone.azure_id
            && self.by_azure_id.get(&id) == Some(key)
        {
            self.by_azure_id.remove(&id);
        }
    }

    fn declares_no_more(&mut self, machine: Option<u64>, key: &Key) {
        let Some(machine) = machine else { return };
        if let Some(keys) = self.by_machine.get_mut(&machine) {
            keys.retain(|other| other != key);
            if keys.is_empty() {
                self.by_machine.remove(&machine);
            }
        }
    }

    fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Key> {
        self.objects.keys().filter(move |key| key.kind == kind)
    }
}

impl Remembered {
    fn of(key: &Key, object: &Arc<Value>) -> Self {
        let is_item = key.kind == Kind::ProtectedVM;
        let metadata = &object["metadata"];
        let version = metadata["resourceVersion"].as_str();
        let azure_id = object["status"]["azureId"].as_str();
        let vault = references(key.kind, object).into_iter();
        let vault = vault.filter(|used| is_item && used.kind == Kind::Vault);
        Self {
            kept: Kept::of(key.kind, object),
            uid: digest(&metadata["uid"]),
            version: version.and_then(|version| version.parse().ok()),
            azure_id: azure_id
                .filter(|_| is_item)
                .map(|id| digest(&id.to_ascii_lowercase())),
            machine: vault
                .map(|vault| digest(&(&vault, &machine(object))))
                .next(),
        }
    }
}

/// The object without who wrote which field, and without kubectl's copy of it.
pub(crate) fn trimmed(mut object: DynamicObject) -> Value {
    object.metadata.managed_fields = None;
    if let Some(annotations) = &mut object.metadata.annotations {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
    // Only a map with keys that are no text could fail, and there is none in it.
    serde_json::to_value(object).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(version: u64, vault: &str) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "kluis.dev/v1alpha1", "kind": "ProtectedVM",
            "metadata": { "namespace": "shop", "name": "web-1", "uid": "u", "resourceVersion": version.to_string(),
                "annotations": { "kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "x" },
                "managedFields": [{ "manager": "kubectl" }] },
            "spec": { "vaultRef": { "name": vault } },
            "status": { "azureId": "/Subscriptions/S/x" },
        }))
        .unwrap()
    }

    fn key() -> Key {
        Key::new(Kind::ProtectedVM, "shop", "web-1")
    }

    #[test]
    fn an_older_version_does_not_undo_a_write_of_ours() {
        let store = Store::default();
        store.changed(&key(), object(1, "a"));
        store.written(&key(), object(3, "c"));
        store.changed(&key(), object(2, "b"));
        let kept = store.get(&key()).unwrap();
        assert_eq!(kept["spec"]["vaultRef"]["name"], "c");
        let vault = |name| Key::new(Kind::Vault, "shop", name);
        assert_eq!(store.users(&vault("c"), Kind::ProtectedVM).len(), 1);
        assert!(store.users(&vault("a"), Kind::ProtectedVM).is_empty());
        assert_eq!(store.standing_for("/subscriptions/s/X"), Some(key()));
    }

    #[test]
    fn who_declares_a_machine_in_a_vault_is_found_by_it() {
        let store = Store::default();
        store.changed(&key(), object(1, "a"));
        let vault = |name| Key::new(Kind::Vault, "shop", name);
        let declared = machine(&store.get(&key()).unwrap());
        let count = |name| store.declaring(&vault(name), &declared).len();
        assert_eq!((count("a"), count("b")), (1, 0));
        store.written(&key(), object(2, "b"));
        store.changed(&key(), object(2, "b"));
        assert_eq!((count("a"), count("b")), (0, 1));
        store.removed(&key());
        assert_eq!((count("a"), count("b")), (0, 0));
    }

    #[test]
    fn what_nobody_reads_is_not_kept() {
        let store = Store::default();
        store.changed(&key(), object(1, "a"));
        let kept = store.get(&key()).unwrap();
        assert_eq!(kept["metadata"]["annotations"], json!({ "mine": "x" }));
        assert!(kept["metadata"].get("managedFields").is_none());
    }

    #[test]
    fn a_new_list_forgets_what_is_gone() {
        let store = Store::default();
        store.changed(&key(), object(1, "a"));
        store.list_begins(Kind::ProtectedVM);
        let (there, gone) = store.list_ends(Kind::ProtectedVM);
        assert!(there.is_empty());
        assert_eq!(gone, [(key(), vec![Key::new(Kind::Vault, "shop", "a")])]);
        assert!(store.get(&key()).is_none());
        assert_eq!(store.standing_for("/subscriptions/s/x"), None);
    }

    #[test]
    fn a_write_that_lets_go_of_a_deleted_object_leaves_nothing() {
        let store = Store::default();
        store.changed(&key(), object(1, "a"));
        let mut gone = object(2, "a");
        gone.metadata.deletion_timestamp = Some(
            k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::UNIX_EPOCH),
        );
        store.written(&key(), gone);
        assert!(store.get(&key()).is_none());
    }
}
