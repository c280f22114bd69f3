//! Listening: the sockets, the runtime they live on, and the way down.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::Duration;

use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::oneshot;

use super::hands::Order;
use super::identity::Credentials;
use super::startup::{self, Ready};
use super::{Config, ServiceError, certificates, http, ticker};
use crate::inventory::Inventory;

/// How long requests under way may take once the service is told to stop.
const GRACE: Duration = Duration::from_secs(5);

/// How long a connection may take to send the head of its next request, idle time included.
const HEAD: Duration = Duration::from_secs(75);

/// A service that runs in threads of its own.
#[derive(Debug)]
pub struct Running {
    /// Where it is, for example `https://127.0.0.1:8443`.
    pub endpoint: String,
    /// Where the managed identity endpoint is, if there is one.
    pub http_endpoint: Option<String>,
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
    said.map_err(ServiceError::io(
        "write to",
        std::path::Path::new("standard output"),
    ))?;
    drop(out);
    runtime.block_on(server.serve(async {
        use tokio::signal::unix::{SignalKind, signal};
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
    let http_endpoint = server
        .plain
        .as_ref()
        .map(|(_, address)| format!("http://{address}"));
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

struct Server {
    endpoint: String,
    secure: TcpListener,
    plain: Option<(TcpListener, SocketAddr)>,
    tls: RustlsConfig,
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
        let inventory = Inventory::read(&config.inventory)?;
        let lock = startup::claim(&config.data_dir)?;
        let (secure, address) = bind(config.listen, "listen")?;
        let plain = config
            .listen_http
            .map(|address| bind(address, "listen-http"))
            .transpose()?;
        let endpoint = format!("https://{}", reachable(address));
        let dir = config.data_dir.clone();
        let ready = startup::prepare(config, inventory, lock, endpoint.clone())?;
        let times = ready.app.engine.clock.bounds();
        let tls = RustlsConfig::from_config(certificates::server(&dir, address, times)?);
        Ok(Self {
            endpoint,
            secure,
            plain,
            tls,
            ready,
        })
    }

    fn addresses(&self) -> impl Iterator<Item = String> + '_ {
        let plain = self
            .plain
            .iter()
            .map(|(_, address)| format!("http://{address}"));
        std::iter::once(self.endpoint.clone()).chain(plain)
    }

    async fn serve(self, stop: impl Future<Output = ()>) -> Result<(), ServiceError> {
        let Ready {
            app,
            hands,
            incoming,
            lock,
            ..
        } = self.ready;
        let (orders, engine) = (hands.orders.clone(), std::sync::Arc::clone(&app.engine));
        let (alive, gone) = oneshot::channel::<()>();
        let working = std::thread::Builder::new()
            .name("hands".to_owned())
            .spawn(move || {
                // Dropped however the thread ends: a service whose effects nobody carries out would only look alive.
                let _alive = alive;
                hands.work(&incoming);
            });
        let working = working.map_err(ServiceError::Threads)?;
        let ticking = tokio::spawn(ticker::tick(std::sync::Arc::clone(&engine)));
        let handles = (Handle::new(), Handle::new());
        let failed = |error: std::io::Error| ServiceError::Stopped(error.to_string());
        let mut tls = axum_server::from_tcp_rustls(self.secure, self.tls)
            .map_err(failed)?
            .handle(handles.0.clone());
        patient(tls.http_builder());
        let secure = tls.serve(http::secure(std::sync::Arc::clone(&app)).into_make_service());
        let plain = self
            .plain
            .map(|(listener, _)| axum_server::from_tcp(listener))
            .transpose()
            .map_err(failed)?;
        let plain = async {
            match plain {
                Some(mut server) => {
                    patient(server.http_builder());
                    server
                        .handle(handles.1.clone())
                        .serve(http::plain(app).into_make_service())
                        .await
                }
                None => std::future::pending().await,
            }
        };
        let ended = {
            tokio::pin!(secure, plain);
            tokio::select! {
                ended = &mut secure => Err(ended),
                ended = &mut plain => Err(ended),
                _ = gone => Err(Err(std::io::Error::other("the thread that carries out effects ended"))),
                () = stop => {
                    engine.stop();
                    handles.0.graceful_shutdown(Some(GRACE));
                    handles.1.graceful_shutdown(Some(GRACE));
                    Ok(secure.await)
                }
            }
        };
        engine.stop();
        ticking.abort();
        if orders.send(Order::Stop).is_ok()
            && tokio::task::spawn_blocking(move || working.join())
                .await
                .is_err()
        {
            tracing::error!("the thread that carries out effects could not be waited for");
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

/// Closes connections that don't get on with a request's head: they cost a socket each.
fn patient(builder: &mut hyper_util::server::conn::auto::Builder<TokioExecutor>) {
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD);
}

fn bind(
    address: SocketAddr,
    option: &'static str,
) -> Result<(TcpListener, SocketAddr), ServiceError> {
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

/// An address that a client on this machine can use.
fn reachable(address: SocketAddr) -> String {
    let mut address = address;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    address.to_string()
}
