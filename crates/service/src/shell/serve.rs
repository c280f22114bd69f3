//! Listening: the sockets, the runtime they live on, and the way down.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsAcceptor;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::oneshot;

use super::connections::{Admission, Connections};
use super::hands::Order;
use super::identity::Credentials;
use super::limits::Limits;
use super::renewal::{self, Renewal};
use super::startup::{self, Ready};
use super::{Config, ServiceError, certificates, http, metrics, private, ticker, upkeep};
use crate::inventory::Inventory;

/// How long requests under way may take once the service is told to stop.
const GRACE: Duration = Duration::from_secs(5);

/// More bytes than the head of a request has, tokens of other issuers and long filters included.
const LARGEST_HEAD: usize = 64 << 10;

/// A service that runs in threads of its own.
#[derive(Debug)]
pub struct Running {
    /// Where it is, for example `https://127.0.0.1:8443`.
    pub endpoint: String,
    /// Where the managed identity endpoint is, if there is one.
    pub http_endpoint: Option<String>,
    /// Where `/metrics` is, if anywhere, without the path.
    pub metrics_endpoint: Option<String>,
    /// How to sign in.
    pub credentials: Credentials,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), ServiceError>>>,
}

impl Running {
    /// Stops the service and waits until it has stopped. Movers are ended; their jobs run again at the next start.
    ///
    /// # Errors
    /// Why it had stopped before.
    pub fn shutdown(mut self) -> Result<(), ServiceError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), ServiceError> {
        drop(self.stop.take());
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(ServiceError::Stopped("its main thread panicked".to_owned())),
            None => Ok(()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::error!(error = %crate::store::chain(&error), "the service had stopped");
        }
    }
}

/// Runs the service until it is told to stop by SIGTERM or SIGINT. Says where it listens, one line an address on standard
/// output, once it is ready.
///
/// # Errors
/// Why it could not start, or why it stopped on its own.
pub fn run(config: Config) -> Result<(), ServiceError> {
    let runtime = tokio::runtime::Runtime::new().map_err(ServiceError::Threads)?;
    let server = Server::new(config)?;
    let mut out = std::io::stdout().lock();
    let said = server
        .addresses()
        .try_for_each(|address| writeln!(out, "kluis service listening on {address}"));
    let said = said.and_then(|()| out.flush());
    // A reader that has gone wanted no more than it read; the service goes on.
    let said = match said {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        said => said,
    };
    said.map_err(ServiceError::io("write to", Path::new("standard output")))?;
    drop(out);
    runtime.block_on(server.serve(async {
        use tokio::signal::unix::{SignalKind, signal};
        // Programs that rotate logs send it; the audit trail sees by itself that its file was moved.
        let _ignored = signal(SignalKind::hangup());
        match (
            signal(SignalKind::terminate()),
            signal(SignalKind::interrupt()),
        ) {
            (Ok(mut terminate), Ok(mut interrupt)) => {
                tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            }
            // Without signals there is nothing to wait for; the service runs until it is killed.
            _ => std::future::pending().await,
        }
    }))
}

/// Starts the service in threads of its own and returns once it is ready: for tests, with or without a runtime around them.
///
/// # Errors
/// Why it could not start.
pub fn start(config: Config) -> Result<Running, ServiceError> {
    let server = Server::new(config)?;
    let endpoint = server.endpoint.clone();
    let http_endpoint = server.plain.as_ref().map(url);
    let metrics_endpoint = server.metrics.as_ref().map(url);
    let credentials = server.ready.credentials.clone();
    let (stop, stopped) = oneshot::channel::<()>();
    let (up, is_up) = channel();
    let thread = std::thread::Builder::new()
        .name("kluis-service".to_owned())
        .spawn(move || {
            let runtime = tokio::runtime::Runtime::new().map_err(ServiceError::Threads);
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => return Err(error),
            };
            if up.send(()).is_err() {
                return Ok(());
            }
            runtime.block_on(server.serve(async {
                // Dropping the sender is the signal; nothing is ever sent.
                drop(stopped.await);
            }))
        });
    let thread = thread.map_err(ServiceError::Threads)?;
    let mut running = Running {
        endpoint,
        http_endpoint,
        metrics_endpoint,
        credentials,
        stop: Some(stop),
        thread: Some(thread),
    };
    // The sockets listen since they were bound: whoever connects from now on is answered.
    if is_up.recv().is_err() {
        running.end()?;
    }
    Ok(running)
}

/// A socket that listens, and where.
type Bound = (TcpListener, SocketAddr);

struct Server {
    endpoint: String,
    secure: TcpListener,
    plain: Option<Bound>,
    metrics: Option<Bound>,
    renewal: Arc<Renewal>,
    ready: Ready,
}

impl Server {
    fn new(config: Config) -> Result<Self, ServiceError> {
        if let Some(address) = config
            .listen_http
            .filter(|address| !address.ip().is_loopback())
        {
            return Err(ServiceError::NotLoopback(address));
        }
        let inventory = inventory(&config.inventory)?;
        let lock = startup::claim(&config.data_dir)?;
        let (secure, address) = bind(config.listen, "listen")?;
        let plain = config
            .listen_http
            .map(|address| bind(address, "listen-http"))
            .transpose()?;
        let metrics = config
            .metrics_listen
            .map(|address| bind(address, "metrics-listen"))
            .transpose()?;
        let endpoint = format!("https://{}", reachable(address));
        let dir = config.data_dir.clone();
        let ready = startup::prepare(config, inventory, lock, endpoint.clone())?;
        let times = ready.app.engine.clock.bounds();
        let renewal = Renewal::begin(dir, address, certificates::dates(times))?;
        Ok(Self {
            endpoint,
            secure,
            plain,
            metrics,
            renewal,
            ready,
        })
    }

    fn addresses(&self) -> impl Iterator<Item = String> + '_ {
        let metrics = self.metrics.iter().map(|bound| url(bound) + "/metrics");
        std::iter::once(self.endpoint.clone())
            .chain(self.plain.iter().map(url))
            .chain(metrics)
    }

    async fn serve(self, stop: impl Future<Output = ()>) -> Result<(), ServiceError> {
        let Ready {
            app,
            hands,
            incoming,
            lock,
            ..
        } = self.ready;
        let (keys, kept) = (Arc::clone(&hands.keys), Arc::clone(&hands.keys));
        let (orders, engine) = (hands.orders.clone(), Arc::clone(&app.engine));
        let (alive, gone) = oneshot::channel::<()>();
        let working = std::thread::Builder::new()
            .name("hands".to_owned())
            .spawn(move || {
                // Dropped however the thread ends: a service whose effects nobody carries out would only look alive.
                let _alive = alive;
                hands.work(&incoming);
            });
        let working = working.map_err(ServiceError::Threads)?;
        let ticking = tokio::spawn(ticker::tick(Arc::clone(&engine)));
        let renewing = tokio::spawn(renewal::watch(
            Arc::clone(&self.renewal),
            Arc::clone(&engine),
        ));
        let upkeep = tokio::spawn(upkeep::look_after(Arc::clone(&engine), keys));
        let handles = [Handle::new(), Handle::new(), Handle::new()];
        let failed = |error: std::io::Error| ServiceError::Stopped(error.to_string());
        let limits = app.limits;
        let acceptor = RustlsAcceptor::new(self.renewal.tls.clone())
            .handshake_timeout(limits.handshake)
            .acceptor(Admission(Arc::clone(&app.connections)));
        let mut tls = axum_server::from_tcp(self.secure)
            .map_err(failed)?
            .acceptor(acceptor)
            .http1_only()
            .handle(handles[0].clone());
        patient(tls.http_builder(), &limits);
        let secure = tls.serve(
            http::secure(Arc::clone(&app)).into_make_service_with_connect_info::<SocketAddr>(),
        );
        let pages = |bound, pages, handle| {
            let connections = Connections::new(limits.of_pages(), app.counters.clone());
            in_the_clear(bound, pages, connections, handle)
        };
        let metrics = metrics::Metrics::new(&app, self.renewal);
        let plain = pages(
            self.plain,
            http::plain(Arc::clone(&app)),
            handles[1].clone(),
        );
        let scraped = pages(self.metrics, metrics::pages(metrics), handles[2].clone());
        let ended = {
            tokio::pin!(secure, plain, scraped);
            tokio::select! {
                ended = &mut secure => Err(ended),
                ended = &mut plain => Err(ended),
                ended = &mut scraped => Err(ended),
                _ = gone => Err(Err(std::io::Error::other("the thread that carries out effects ended"))),
                () = stop => {
                    engine.stop();
                    handles.iter().for_each(|handle| handle.graceful_shutdown(Some(GRACE)));
                    Ok(secure.await)
                }
            }
        };
        engine.stop();
        ticking.abort();
        renewing.abort();
        upkeep.abort();
        if orders.send(Order::Stop).is_ok()
            && tokio::task::spawn_blocking(move || working.join())
                .await
                .is_err()
        {
            tracing::error!("the thread that carries out effects could not be waited for");
        }
        // The last moment at which it is in memory.
        if tokio::task::spawn_blocking(move || kept.check_passphrase())
            .await
            .is_err()
        {
            tracing::error!("the passphrase's file could not be looked at");
        }
        drop(lock);
        match ended {
            Ok(result) => result.map_err(failed),
            Err(result) => Err(ServiceError::Stopped(
                result
                    .err()
                    .map_or_else(|| "a listener ended".to_owned(), |e| e.to_string()),
            )),
        }
    }
}

/// Serves without TLS until it fails; for ever where nothing is bound.
async fn in_the_clear(
    bound: Option<Bound>,
    pages: Router,
    connections: Arc<Connections>,
    handle: Handle<SocketAddr>,
) -> std::io::Result<()> {
    let Some((listener, _)) = bound else {
        return std::future::pending().await;
    };
    let limits = connections.limits;
    let mut server = axum_server::from_tcp(listener)?
        .acceptor(Admission(connections))
        .http1_only()
        .handle(handle);
    patient(server.http_builder(), &limits);
    server
        .serve(pages.into_make_service_with_connect_info::<SocketAddr>())
        .await
}

/// Closes connections that don't get on with a request's head: they cost a socket each.
fn patient(builder: &mut hyper_util::server::conn::auto::Builder<TokioExecutor>, limits: &Limits) {
    builder
        .http1()
        .timer(TokioTimer::new())
        .max_buf_size(LARGEST_HEAD)
        .header_read_timeout(limits.idle);
}

/// What there is to be protected, and who may do so: from a file that nobody but its owner can have written.
fn inventory(path: &Path) -> Result<Inventory, ServiceError> {
    let text = private::read_persons(path);
    let absent = || rustix::io::Errno::NOENT.into();
    Ok(Inventory::of_file(
        path,
        text.and_then(|text| text.ok_or_else(absent)),
    )?)
}

fn bind(address: SocketAddr, option: &'static str) -> Result<Bound, ServiceError> {
    let failed = |source| ServiceError::Listen {
        address,
        option,
        source,
    };
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

fn url((_, address): &Bound) -> String {
    format!("http://{}", reachable(*address))
}

/// An address that a client on this machine can use.
fn reachable(address: SocketAddr) -> String {
    let mut address = address;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    address.to_string()
}
