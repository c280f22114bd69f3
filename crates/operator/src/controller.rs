//! The one driver: a queue of what is to be looked at, and tasks that look.
//!
//! A task is told nothing but the name. How many there are at once, and whose turn it is, the queue decides.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::SignedDuration;
use kube::{Api, Client};
use tokio::{
    sync::{mpsc, watch},
    task::{AbortHandle, Id, JoinSet},
};

use crate::{
    ctx::Ctx,
    key::{KINDS, Key, resource},
    kubernetes::KubeObjects,
    queue::Queue,
    reconcile::reconcile_once,
    store::Store,
    wake::{Call, Wake},
    watches::{watch_kind, watch_namespaces, watch_secrets},
};

/// How soon an object is looked at again whose reconcile was cut off by an error of ours.
const AFTER_A_PANIC: SignedDuration = SignedDuration::from_mins(1);
/// How long to wait when nothing is due at all.
const LONG: Duration = Duration::from_secs(3600);

/// Follows the cluster, until it is dropped.
pub(crate) struct Watching(Vec<AbortHandle>);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

/// Begins to follow the cluster.
pub(crate) fn watch(
    client: &Client,
    secrets_of: &str,
    objects: &Arc<KubeObjects>,
    store: &Arc<Store>,
    wake: &Wake,
) -> Watching {
    let spawn = |task| tokio::spawn(task).abort_handle();
    let mut tasks: Vec<AbortHandle> = KINDS
        .into_iter()
        .map(|kind| {
            let api = Api::all_with(client.clone(), &resource(kind));
            let task = watch_kind(kind, api, Arc::clone(store), wake.clone());
            tokio::spawn(task).abort_handle()
        })
        .collect();
    tasks.push(spawn(watch_secrets(
        Api::namespaced(client.clone(), secrets_of),
        Arc::clone(objects),
        Arc::clone(store),
        wake.clone(),
    )));
    let namespaces = Api::all(client.clone());
    let task = watch_namespaces(namespaces, Arc::clone(store), wake.clone());
    tasks.push(tokio::spawn(task).abort_handle());
    Watching(tasks)
}

/// Reconciles until `stop` is true, and then until what is under way has ended. What is under way ends at once when
/// this is dropped.
pub(crate) async fn run(
    ctx: Arc<Ctx>,
    store: Arc<Store>,
    mut calls: mpsc::Receiver<Call>,
    mut stop: watch::Receiver<bool>,
) {
    let mut queue = Queue::default();
    let mut tasks = Tasks::default();
    // Before all was listed, much would look absent. Who is woken meanwhile waits in the queue.
    let mut complete = std::pin::pin!(store.is_complete());
    let mut began = false;
    loop {
        let lane_of = |key: &Key| store.graph(|graph| graph.service_of(key));
        while began && let Some(key) = queue.take(Instant::now(), lane_of) {
            tasks.begin(key, &ctx);
        }
        ctx.metrics.waiting(queue.waiting());
        let due = queue.next_due().filter(|_| began);
        let due = due.unwrap_or_else(|| Instant::now() + LONG);
        tokio::select! {
            () = &mut complete, if !began => began = true,
            Some(call) = calls.recv() => {
                let now = Instant::now();
                let mut next = Some(call);
                // All that is there is taken in before anything is begun.
                while let Some(call) = next {
                    match call {
                        Call::Now(key) => queue.wake(&key, lane_of(&key)),
                        Call::Calmly(key) => queue.wake_calmly(&key, lane_of(&key), now),
                    }
                    next = calls.try_recv().ok();
                }
            }
            Some((key, next)) = tasks.end() => {
                let now = Instant::now();
                let next = next.map(|next| now + unsigned(next));
                queue.done(&key, now, next, lane_of(&key));
            }
            () = tokio::time::sleep_until(due.into()) => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    while tasks.end().await.is_some() {}
}

fn unsigned(duration: SignedDuration) -> Duration {
    Duration::try_from(duration).unwrap_or(Duration::ZERO)
}

/// Reconciles under way.
#[derive(Default)]
struct Tasks {
    running: JoinSet<Option<SignedDuration>>,
    keys: HashMap<Id, Key>,
}

impl Tasks {
    fn begin(&mut self, key: Key, ctx: &Arc<Ctx>) {
        let (ctx, about) = (Arc::clone(ctx), key.clone());
        let task = async move { reconcile_once(&about, &ctx).await.next };
        let id = self.running.spawn(task).id();
        self.keys.insert(id, key);
    }

    /// Waits for one to end; nothing when there is none. What it was about, and when to look at that again.
    async fn end(&mut self) -> Option<(Key, Option<SignedDuration>)> {
        let (id, next) = match self.running.join_next_with_id().await? {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(%error, "a reconcile was cut off");
                (error.id(), Some(AFTER_A_PANIC))
            }
        };
        let key = self.keys.remove(&id)?;
        tracing::debug!(object = %key, ?next, "reconciled");
        Some((key, next))
    }
}
