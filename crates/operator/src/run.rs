//! The operator as a process: connects, waits for its turn, reconciles, and ends when it is told to.

use std::{io, net::SocketAddr, sync::Arc};

use http::{Request, Response, StatusCode};
use kube::{
    Client,
    client::{Body, ClientBuilder, DynBody},
    config::InferConfigError,
};
use tokio::sync::watch;
use tower::util::{MapRequestLayer, MapResponseLayer};

use crate::{
    access,
    arm::News,
    backoff::Backoff,
    clock::{Ids, RandomIds, SystemClock},
    controller,
    crash::CrashHook,
    ctx::Ctx,
    fence::Fence,
    health::Health,
    key::Key,
    kubernetes::{FIELD_MANAGER, KubeObjects},
    lease::{Hold, Lost},
    metrics::Metrics,
    objects::Objects,
    services::{HttpsServices, Tell},
    store::Store,
    user_agent,
    wake::{Wake, way_in},
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
    Configuration(#[source] Box<InferConfigError>),
    #[error("the configuration of the cluster cannot be used")]
    Client(#[source] Box<kube::Error>),
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
    let cluster = kube::Config::infer()
        .await
        .map_err(|error| OperatorError::Configuration(Box::new(error)))?;
    let end = told_to_end()?;
    let metrics = Arc::new(Metrics::default());
    let client = client(user_agent::named(cluster, FIELD_MANAGER), &metrics)
        .map_err(|error| OperatorError::Client(Box::new(error)))?;
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

/// A client that counts what it asks for.
fn client(cluster: kube::Config, metrics: &Arc<Metrics>) -> Result<Client, kube::Error> {
    let (asked, refused) = (Arc::clone(metrics), Arc::clone(metrics));
    let count = move |request: Request<Body>| {
        let uri = request.uri();
        let query = uri.query().unwrap_or_default();
        access::count(&asked, request.method().as_str(), uri.path(), query);
        request
    };
    let notice = move |response: Response<Box<DynBody>>| {
        if response.status() == StatusCode::FORBIDDEN {
            refused.refused_by_kubernetes();
        }
        response
    };
    Ok(ClientBuilder::try_from(cluster)?
        .with_layer(&MapRequestLayer::new(count))
        .with_layer(&MapResponseLayer::new(notice))
        .build())
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
        return act(config, client, metrics, instance, Fence::open(), end).await;
    }
    let fence = Fence::closed();
    let mut hold = Hold::new(
        client.clone(),
        &config.namespace,
        instance.clone(),
        fence.clone(),
    );
    tokio::select! {
        () = hold.acquire() => {}
        () = &mut end => return Ok(()),
    }
    tracing::info!(instance, "this replica acts now");
    let acting = act(
        config,
        client,
        Arc::clone(&metrics),
        instance,
        fence.clone(),
        &mut end,
    );
    let result = tokio::select! {
        result = acting => result,
        lost = hold.keep() => Err(lost.into()),
    };
    metrics.leads(false);
    fence.close();
    hold.release().await;
    result
}

/// Reconciles until `end`, and lets what is under way come to its end.
async fn act(
    config: &OperatorConfig,
    client: Client,
    metrics: Arc<Metrics>,
    instance: String,
    fence: Fence,
    end: impl Future<Output = ()> + Send,
) -> Result<(), OperatorError> {
    metrics.leads(true);
    let store = Arc::new(Store::default());
    let (wake, calls) = way_in();
    let objects = Arc::new(KubeObjects::new(
        client.clone(),
        config.namespace.clone(),
        Arc::clone(&store),
        instance,
        fence.clone(),
    ));
    let _watching = controller::watch(&client, &config.namespace, &objects, &store, &wake);
    let clock = Arc::new(SystemClock);
    let services = HttpsServices::new(
        Arc::clone(&objects) as Arc<dyn Objects>,
        clock.clone(),
        Arc::clone(&metrics),
        teller(&store, wake),
    );
    let ctx = Arc::new(Ctx {
        objects,
        services: Arc::new(services),
        clock,
        ids: Arc::new(RandomIds),
        metrics,
        backoff: Backoff::default(),
        crash: CrashHook::from_env(),
        fence,
    });
    let (stop, stopping) = watch::channel(false);
    let running = controller::run(ctx, store, calls, stopping);
    let ending = async {
        end.await;
        tracing::info!("ending, when what is under way has ended");
        // The runner holds the other end for as long as this matters.
        let _ = stop.send(true);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = running => {}
        () = ending => {}
    }
    Ok(())
}

/// What a line to a service notices, passed on to the objects that it is about.
fn teller(store: &Arc<Store>, wake: Wake) -> Tell {
    let store = Arc::clone(store);
    Arc::new(move |service, news| match news {
        News::Item(id) => {
            let standing = store.standing_for(&id.to_string());
            standing.into_iter().for_each(|key| wake.now(key));
        }
        News::ClockSet => {
            let service = Key::service(service);
            let all = store.graph(|graph| graph.affected(&service));
            all.into_iter().for_each(|key| wake.now(key));
        }
    })
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
