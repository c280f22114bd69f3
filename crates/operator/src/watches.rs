//! What is seen of the cluster: from every change the ways to whoever it matters to.
//!
//! Objects are watched as plain JSON, so that one that doesn't decode cannot end a watch. Of Secrets and namespaces
//! the metadata is all that is watched.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{
    Api,
    api::DynamicObject,
    core::PartialObjectMeta,
    runtime::{WatchStreamExt, watcher},
};

use crate::{
    face::{Bearing, Face},
    key::{Key, Kind, key_of},
    kubernetes::KubeObjects,
    store::Store,
    wake::Wake,
};

/// Objects of one page of a first list. A thousand items of 4 KB are read without holding all of them twice.
const PAGE: u32 = 250;

fn config() -> watcher::Config {
    watcher::Config::default().page_size(PAGE)
}

/// Follows one kind: wakes each object that changed, and whoever it matters to.
pub(crate) async fn watch_kind(kind: Kind, api: Api<DynamicObject>, store: Arc<Store>, wake: Wake) {
    let mut events = std::pin::pin!(watcher(api, config()).default_backoff());
    let mut known: HashMap<Key, (Face, Bearing)> = HashMap::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(watcher::Event::Init) => store.list_begins(kind),
            Ok(watcher::Event::InitApply(object)) => {
                if let Some(key) = key_of(kind, &object) {
                    store.listed(&key, object);
                }
            }
            Ok(watcher::Event::InitDone) => {
                let (there, gone) = store.list_ends(kind);
                known = there
                    .iter()
                    .filter_map(|key| {
                        let object = store.get(key)?;
                        let seen = (Face::of(&object), Bearing::of(kind, &object));
                        Some((key.clone(), seen))
                    })
                    .collect();
                wake.all(there).await;
                for (key, uses) in gone {
                    is_gone(&key, uses, &store, &wake).await;
                }
            }
            Ok(watcher::Event::Apply(object)) => {
                let Some(key) = key_of(kind, &object) else {
                    continue;
                };
                let (object, uses) = store.changed(&key, object);
                let seen = (Face::of(&object), Bearing::of(kind, &object));
                let before = known.insert(key.clone(), seen);
                if before.map(|(_, bearing)| bearing) != Some(seen.1) {
                    let affected = store.graph(|graph| graph.affected(&key));
                    wake.all_calmly(affected).await;
                }
                if before.map(|(face, _)| face) != Some(seen.0) {
                    // Who asks for the ones that use it only until they are gone hears of those that go, or go elsewhere.
                    let now = store.graph(|graph| graph.uses(&key).to_vec());
                    let told = uses
                        .into_iter()
                        .filter(|used| !(holds(used.kind) && now.contains(used)));
                    wake.all_calmly(told).await;
                    wake.all([key]).await;
                }
            }
            Ok(watcher::Event::Delete(object)) => {
                let Some(key) = key_of(kind, &object) else {
                    continue;
                };
                known.remove(&key);
                let uses = store.removed(&key);
                is_gone(&key, uses, &store, &wake).await;
            }
            Err(error) => tracing::warn!(%kind, %error, "a watch failed and begins again"),
        }
    }
}

/// Whether all that objects of a kind want to know of their users is that they go.
fn holds(kind: Kind) -> bool {
    match kind {
        Kind::BackupService | Kind::Vault => true,
        Kind::BackupPolicy | Kind::ProtectedVM | Kind::BackupJob | Kind::Restore => false,
    }
}

/// What used it, and what it used, may go on now; and its own counts are forgotten.
async fn is_gone(key: &Key, uses: Vec<Key>, store: &Store, wake: &Wake) {
    let affected = store.graph(|graph| graph.affected(key));
    wake.all_calmly(affected.into_iter().chain(uses)).await;
    wake.all([key.clone()]).await;
}

/// A Secret that changes may be a credential.
pub(crate) async fn watch_secrets(
    api: Api<PartialObjectMeta<Secret>>,
    objects: Arc<KubeObjects>,
    store: Arc<Store>,
    wake: Wake,
) {
    let mut touched = std::pin::pin!(watcher(api, config()).default_backoff().touched_objects());
    while let Some(event) = touched.next().await {
        let Ok(secret) = event else { continue };
        let name = secret.metadata.name.unwrap_or_default();
        objects.forget_secret(&name);
        let services = store.of_kind(Kind::BackupService);
        let users = services.into_iter().filter(|key| {
            store.get(key).is_some_and(|service| {
                service["spec"]["credential"]["secretRef"]["name"] == name.as_str()
            })
        });
        wake.all(users).await;
    }
}

/// A namespace's labels say which services its objects may use.
pub(crate) async fn watch_namespaces(
    api: Api<PartialObjectMeta<Namespace>>,
    store: Arc<Store>,
    wake: Wake,
) {
    let mut events = std::pin::pin!(watcher(api, config()).default_backoff());
    let mut listed: HashMap<String, BTreeMap<String, String>> = HashMap::new();
    while let Some(event) = events.next().await {
        let changed = match event {
            Ok(watcher::Event::Init) => {
                listed.clear();
                continue;
            }
            Ok(watcher::Event::InitApply(namespace)) => {
                let metadata = namespace.metadata;
                let labels = metadata.labels.unwrap_or_default();
                listed.insert(metadata.name.unwrap_or_default(), labels);
                continue;
            }
            Ok(watcher::Event::InitDone) => store.namespaces(std::mem::take(&mut listed)),
            Ok(watcher::Event::Apply(namespace)) => {
                let metadata = namespace.metadata;
                let name = metadata.name.unwrap_or_default();
                let labels = metadata.labels.unwrap_or_default();
                let news = store.namespace(&name, Some(&labels));
                news.then_some(name).into_iter().collect()
            }
            Ok(watcher::Event::Delete(namespace)) => {
                let name = namespace.metadata.name.unwrap_or_default();
                let news = store.namespace(&name, None);
                news.then_some(name).into_iter().collect()
            }
            Err(error) => {
                tracing::warn!(%error, "the watch of namespaces failed and begins again");
                continue;
            }
        };
        for namespace in changed {
            wake.all(store.within(&namespace)).await;
        }
    }
}
