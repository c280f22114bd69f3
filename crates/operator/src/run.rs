//! The operator as a process: connects, waits for its turn, reconciles, and ends when it is told to.

use std::{io, net::SocketAddr, sync::Arc};

use kube::Client;
use tokio::sync::watch;

use crate::{
    backoff::Backoff,
    clock::{Ids, RandomIds, SystemClock},
    controller,
    crash::CrashHook,
    ctx::Ctx,
    health::Health,
    kubernetes::KubeObjects,
    lease::{Hold, Lost},
    metrics::Metrics,
    objects::Objects,
    services::HttpsServices,
};

/// How to run.
#[derive(Debug, Clone)]
pub struct OperatorConfig {
    /// The operator's own namespace: its Lease and the Secrets with credentials are there.
    pub namespace: String,
    /// Whether replicas take turns.
    pub leader_election: bool,
    /// Where `/healthz` and `/metrics` are served, over plain HTTP; port 0 takes a free one.
    pub listen: SocketAddr,
}

/// Why the operator ended.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    #[error("no configuration for a cluster was found: set KUBECONFIG, or run inside a cluster")]
    Configuration(#[source] Box<kube::Error>),
    #[error("{address} cannot be listened on")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("signals cannot be waited for")]
    Signals(#[source] io::Error),
    /// Ending is the one safe answer: whatever is restarted waits for its turn.
    #[error(transparent)]
    LeaseLost(#[from] Lost),
}

/// Runs against the cluster of the current kubeconfig, or the one it runs in, until SIGTERM or ctrl-c.
///
/// # Errors
/// When it cannot begin, or lost its turn.
pub async fn run(config: OperatorConfig) -> Result<(), OperatorError> {
    let client = Client::try_default()
        .await
        .map_err(|error| OperatorError::Configuration(Box::new(error)))?;
    run_with(config, client, told_to_end()?).await
}

/// Runs against a cluster until `end`.
///
/// # Errors
/// As [`run`].
pub async fn run_with(
    config: OperatorConfig,
    client: Client,
    end: impl Future<Output = ()> + Send,
) -> Result<(), OperatorError> {
    let metrics = Arc::new(Metrics::default());
    let listening = |source| OperatorError::Listen {
        address: config.listen,
        source,
    };
    let health = Health::bind(config.listen, Arc::clone(&metrics))
        .await
        .map_err(listening)?;
    let address = health.address().map_err(listening)?;
    tracing::info!(%address, namespace = config.namespace, "serving /healthz and /metrics");
    let serving = tokio::spawn(health.serve());
    let result = take_part(&config, client, metrics, end).await;
    serving.abort();
    result
}

/// Waits for our turn, acts while we have it, and gives it back.
async fn take_part(
    config: &OperatorConfig,
    client: Client,
    metrics: Arc<Metrics>,
    end: impl Future<Output = ()> + Send,
) -> Result<(), OperatorError> {
    let mut end = std::pin::pin!(end);
    let instance = instance();
    if !config.leader_election {
        return act(config, client, metrics, instance, end).await;
    }
    let mut hold = Hold::new(client.clone(), &config.namespace, instance.clone());
    tokio::select! {
        () = hold.acquire() => {}
        () = &mut end => return Ok(()),
    }
    tracing::info!(instance, "this replica acts now");
    let result = tokio::select! {
        result = act(config, client, Arc::clone(&metrics), instance, &mut end) => result,
        lost = hold.keep() => Err(lost.into()),
    };
    metrics.leads(false);
    hold.release().await;
    result
}

/// Reconciles until `end`, and lets what is under way come to its end.
async fn act(
    config: &OperatorConfig,
    client: Client,
    metrics: Arc<Metrics>,
    instance: String,
    end: impl Future<Output = ()> + Send,
) -> Result<(), OperatorError> {
    metrics.leads(true);
    let (stores, writers) = controller::stores();
    let objects: Arc<dyn Objects> = Arc::new(KubeObjects::new(
        client.clone(),
        config.namespace.clone(),
        Arc::clone(&stores),
        instance,
    ));
    let clock = Arc::new(SystemClock);
    let services = HttpsServices::new(Arc::clone(&objects), clock.clone(), Arc::clone(&metrics));
    let ctx = Arc::new(Ctx {
        objects,
        services: Arc::new(services),
        clock,
        ids: Arc::new(RandomIds),
        metrics,
        backoff: Backoff::default(),
        crash: CrashHook::from_env(),
    });
    let (stop, stopping) = watch::channel(false);
    let running = controller::run(client, &config.namespace, ctx, stores, writers, stopping);
    let ending = async {
        end.await;
        tracing::info!("ending, when what is under way has ended");
        // The runners hold the other end for as long as this matters.
        let _ = stop.send(true);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = running => {}
        () = ending => {}
    }
    Ok(())
}

/// Who we are among replicas: the pod's name, or the machine's, and something that no restart repeats.
fn instance() -> String {
    let host = std::env::var("POD_NAME").or_else(|_| std::env::var("HOSTNAME"));
    let host = host.unwrap_or_else(|_| "kluis-operator".to_owned());
    let unique: String = RandomIds.unique().chars().take(8).collect();
    format!("{host}-{unique}")
}

fn told_to_end() -> Result<impl Future<Output = ()> + Send, OperatorError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(OperatorError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(OperatorError::Signals)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
