//! The one driver: for every kind a watch, a queue and a runner, and from every change the ways to whoever it matters
//! to.
//!
//! The runner is kube's: an object is in its queue once and is worked on by one task at a time. It is told nothing but
//! the name. Objects are watched as plain JSON, so that one that doesn't decode cannot end a watch.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    convert::Infallible,
    sync::Arc,
    time::Duration,
};

use futures::{Stream, StreamExt, channel::mpsc, future::join_all};
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{
    Api, Client,
    api::DynamicObject,
    core::PartialObjectMeta,
    runtime::{
        Config, WatchStreamExt, applier,
        controller::Action,
        reflector::{self, ObjectRef, store::Writer},
        watcher,
    },
};
use tokio::sync::watch;

use crate::{
    ctx::Ctx,
    key::{KINDS, Key, Kind, key_behind, key_of, object_ref, resource},
    kubernetes::Stores,
    reconcile::reconcile_once,
    references::{Node, affected, references},
};

/// Reconciles of one kind at once. Most of their time is spent waiting for answers.
const AT_ONCE: u16 = 8;
/// Changes that come together are worked on together.
const DEBOUNCE: Duration = Duration::from_millis(50);
/// Names on their way to a queue, before a watch has to wait. The queues themselves hold each name once.
const ON_THE_WAY: usize = 1024;

/// Stores to fill, by kind.
pub(crate) type Writers = BTreeMap<Kind, Writer<DynamicObject>>;

/// Empty stores, and the ends that fill them.
pub(crate) fn stores() -> (Arc<Stores>, Writers) {
    let mut stores = Stores::new();
    let mut writers = Writers::new();
    for kind in KINDS {
        let writer = Writer::new(resource(kind));
        stores.insert(kind, writer.as_reader());
        writers.insert(kind, writer);
    }
    (Arc::new(stores), writers)
}

/// Watches and reconciles until `stop` is true, and then until what is under way has ended.
pub(crate) async fn run(
    client: Client,
    secrets_of: &str,
    ctx: Arc<Ctx>,
    stores: Arc<Stores>,
    writers: Writers,
    stop: watch::Receiver<bool>,
) {
    let mut senders = BTreeMap::new();
    let mut runners = Vec::new();
    for (kind, store) in stores.iter() {
        let (sender, queue) = mpsc::channel(ON_THE_WAY);
        senders.insert(*kind, sender);
        let queue = queue.take_until(stopped(stop.clone()));
        runners.push(runner(*kind, store.clone(), queue, Arc::clone(&ctx)));
    }
    let wake = Wake { senders, stores };
    let mut watches = Vec::new();
    for (kind, writer) in writers {
        let api = Api::all_with(client.clone(), &resource(kind));
        watches.push(tokio::spawn(watch_kind(kind, api, writer, wake.clone())));
    }
    let secrets = Api::namespaced(client.clone(), secrets_of);
    watches.push(tokio::spawn(watch_secrets(secrets, wake.clone())));
    let namespaces = Api::all(client);
    watches.push(tokio::spawn(watch_namespaces(namespaces, wake)));
    join_all(runners).await;
    // Nothing that a watch still sees matters now.
    watches.iter().for_each(tokio::task::JoinHandle::abort);
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error means that whoever could say stop is gone, which says it too.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Works off one kind's queue.
async fn runner(
    kind: Kind,
    store: reflector::Store<DynamicObject>,
    queue: impl Stream<Item = ObjectRef<DynamicObject>> + Send + 'static,
    ctx: Arc<Ctx>,
) {
    let config = Config::default().concurrency(AT_ONCE).debounce(DEBOUNCE);
    let reconcile = move |object: Arc<DynamicObject>, ctx: Arc<Ctx>| {
        let key = key_of(kind, &object);
        Box::pin(async move {
            let next = match key {
                Some(key) => reconcile_once(&key, &ctx).await.next,
                None => None,
            };
            Ok::<_, Infallible>(
                next.map_or_else(Action::await_change, |next| Action::requeue(unsigned(next))),
            )
        })
    };
    let never = |_, error: &Infallible, _| match *error {};
    let queue = queue.map(Ok::<_, Infallible>);
    applier(reconcile, never, ctx, store, queue, config)
        .for_each(async |result| match result {
            Ok((object, action)) => {
                tracing::debug!(object = %key_behind(kind, &object), ?action, "reconciled");
            }
            // An object that went between its name and its turn.
            Err(error) => tracing::debug!(%error, "not reconciled"),
        })
        .await;
}

fn unsigned(duration: SignedDuration) -> Duration {
    Duration::try_from(duration).unwrap_or(Duration::ZERO)
}

/// Ways into all queues.
#[derive(Clone)]
struct Wake {
    senders: BTreeMap<Kind, mpsc::Sender<ObjectRef<DynamicObject>>>,
    stores: Arc<Stores>,
}

impl Wake {
    async fn all(&mut self, keys: impl IntoIterator<Item = Key>) {
        for key in keys {
            if let Some(sender) = self.senders.get_mut(&key.kind) {
                // A closed queue is one that is stopping.
                let _ = futures::SinkExt::send(sender, object_ref(&key)).await;
            }
        }
    }

    /// Every object that is known, with what it names.
    fn nodes(&self) -> Vec<Node> {
        let mut nodes = Vec::new();
        for (kind, store) in self.stores.iter() {
            for object in store.state() {
                if let Some(key) = key_of(*kind, &object) {
                    let uses = uses(&key, &object);
                    nodes.push((key, uses));
                }
            }
        }
        nodes
    }
}

fn uses(key: &Key, object: &DynamicObject) -> Vec<Key> {
    let namespace = key.namespace.as_deref().unwrap_or_default();
    references(key.kind, namespace, &object.data)
}

/// What makes an object worth a look of its own: all but its status, which is ours; but of what ends, that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Face {
    uid: Option<String>,
    generation: Option<i64>,
    deleted: bool,
    finalizers: Option<Vec<String>>,
    /// The Succeeded condition: the item that a job or a restore used has something new to say.
    succeeded: Option<String>,
}

fn face(object: &DynamicObject) -> Face {
    let metadata = &object.metadata;
    let conditions = object.data["status"]["conditions"].as_array();
    let succeeded = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == "Succeeded");
    Face {
        uid: metadata.uid.clone(),
        generation: metadata.generation,
        deleted: metadata.deletion_timestamp.is_some(),
        finalizers: metadata.finalizers.clone(),
        succeeded: succeeded.and_then(|condition| condition["status"].as_str().map(str::to_owned)),
    }
}

/// Follows one kind: wakes each object that changed, and whoever it matters to.
async fn watch_kind(
    kind: Kind,
    api: Api<DynamicObject>,
    writer: Writer<DynamicObject>,
    mut wake: Wake,
) {
    let events = watcher(api, watcher::Config::default())
        .default_backoff()
        .reflect(writer);
    let mut events = std::pin::pin!(events);
    let mut faces: HashMap<Key, Face> = HashMap::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(watcher::Event::Init | watcher::Event::InitApply(_)) => {}
            // Only now does the store have them all.
            Ok(watcher::Event::InitDone) => {
                let known = wake.stores.get(&kind).map(reflector::Store::state);
                let known: Vec<_> = known.into_iter().flatten().collect();
                faces = known
                    .iter()
                    .filter_map(|object| Some((key_of(kind, object)?, face(object))))
                    .collect();
                wake.all(faces.keys().cloned().collect::<Vec<_>>()).await;
            }
            Ok(watcher::Event::Apply(object)) => {
                let Some(key) = key_of(kind, &object) else {
                    continue;
                };
                let now = face(&object);
                let changed = faces.insert(key.clone(), now.clone()) != Some(now);
                let mut keys = affected(&key, &wake.nodes());
                if changed {
                    keys.extend(uses(&key, &object));
                    keys.insert(key);
                }
                wake.all(keys).await;
            }
            Ok(watcher::Event::Delete(object)) => {
                let Some(key) = key_of(kind, &object) else {
                    continue;
                };
                faces.remove(&key);
                let mut keys = affected(&key, &wake.nodes());
                keys.extend(uses(&key, &object));
                wake.all(keys).await;
            }
            Err(error) => tracing::warn!(%kind, %error, "a watch failed and begins again"),
        }
    }
}

/// A Secret that changes may be a credential.
async fn watch_secrets(api: Api<PartialObjectMeta<Secret>>, mut wake: Wake) {
    let mut touched = std::pin::pin!(
        watcher(api, watcher::Config::default())
            .default_backoff()
            .touched_objects()
    );
    while let Some(event) = touched.next().await {
        let Ok(secret) = event else { continue };
        let name = secret.metadata.name.unwrap_or_default();
        let services = wake
            .stores
            .get(&Kind::BackupService)
            .map(reflector::Store::state);
        let users: Vec<Key> = services
            .into_iter()
            .flatten()
            .filter(|service| {
                service.data["spec"]["credential"]["secretRef"]["name"] == name.as_str()
            })
            .filter_map(|service| key_of(Kind::BackupService, &service))
            .collect();
        wake.all(users).await;
    }
}

/// A namespace's labels say which services its objects may use.
async fn watch_namespaces(api: Api<PartialObjectMeta<Namespace>>, mut wake: Wake) {
    let mut touched = std::pin::pin!(
        watcher(api, watcher::Config::default())
            .default_backoff()
            .touched_objects()
    );
    let mut labels = HashMap::new();
    while let Some(event) = touched.next().await {
        let Ok(namespace) = event else { continue };
        let name = namespace.metadata.name.clone();
        let now = namespace.metadata.labels.clone();
        if labels.insert(name.clone(), now.clone()) == Some(now) {
            continue;
        }
        let within: BTreeSet<Key> = wake
            .nodes()
            .into_iter()
            .map(|(key, _)| key)
            .filter(|key| key.namespace == name)
            .collect();
        wake.all(within).await;
    }
}
