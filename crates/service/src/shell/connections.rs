//! Who is connected, and who goes when there are too many: nobody shuts others out by being connected and silent.
//!
//! A connection is kept for as long as a request is worked on for somebody who has signed in. Any other may be closed for the
//! sake of a new one when a limit is reached: first those that never brought such a request, of these the one that has been
//! silent for longest, and of an address that has most of them. A new connection is refused only when each that counts
//! against it is at work.

use std::collections::HashMap;
use std::future::{Future, Ready, ready};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};

use super::limits::Limits;
use super::metrics::Counters;

/// The connections of a listener.
#[derive(Debug)]
pub(super) struct Connections {
    pub(super) limits: Limits,
    counters: Counters,
    open: Mutex<HashMap<SocketAddr, Entry>>,
}

#[derive(Debug)]
struct Entry {
    /// Whether a request of somebody who had signed in came by it.
    known: bool,
    /// How many such requests are worked on.
    busy: usize,
    /// When it was opened, or last at work.
    since: Instant,
    /// Dropped to have it closed.
    _close: oneshot::Sender<()>,
}

impl Connections {
    pub(super) fn new(limits: Limits, counters: Counters) -> Arc<Self> {
        Arc::new(Self {
            limits,
            counters,
            open: Mutex::default(),
        })
    }

    /// Keeps a connection until what is returned is dropped: somebody who has signed in is served.
    pub(super) fn at_work(self: &Arc<Self>, peer: SocketAddr) -> AtWork {
        self.change(peer, |entry| {
            entry.known = true;
            entry.busy += 1;
        });
        AtWork(Arc::clone(self), peer)
    }

    fn change(&self, peer: SocketAddr, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.open().get_mut(&peer) {
            change(entry);
            entry.since = Instant::now();
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<SocketAddr, Entry>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes room for one more of this address, and takes it.
    fn admit(&self, peer: SocketAddr) -> Option<oneshot::Receiver<()>> {
        let mut open = self.open();
        let own = |open: &HashMap<SocketAddr, Entry>| {
            open.keys().filter(|other| same(**other, peer)).count()
        };
        while own(&open) >= self.limits.connections_per_address {
            let silent = silent(&open, |other| same(other, peer))?;
            self.close(&mut open, silent);
        }
        while open.len() >= self.limits.connections {
            let mut crowds: HashMap<IpAddr, usize> = HashMap::new();
            for other in open.keys() {
                *crowds.entry(network(other.ip())).or_default() += 1;
            }
            let largest = crowds.values().max();
            let silent = silent(&open, |other| crowds.get(&network(other.ip())) == largest)
                .or_else(|| silent(&open, |_| true))?;
            self.close(&mut open, silent);
        }
        let (close, closed) = oneshot::channel();
        let entry = Entry {
            known: false,
            busy: 0,
            since: Instant::now(),
            _close: close,
        };
        open.insert(peer, entry);
        Some(closed)
    }

    fn close(&self, open: &mut HashMap<SocketAddr, Entry>, peer: SocketAddr) {
        open.remove(&peer);
        self.counters.closed_for_others();
    }
}

/// The one to be closed among those that may be, by how long it has been silent.
fn silent(
    open: &HashMap<SocketAddr, Entry>,
    among: impl Fn(SocketAddr) -> bool,
) -> Option<SocketAddr> {
    let idle = open
        .iter()
        .filter(|(peer, entry)| entry.busy == 0 && among(**peer));
    idle.min_by_key(|(_, entry)| (entry.known, entry.since))
        .map(|(peer, _)| *peer)
}

/// Whether two addresses count as one: in IPv6 a network has 64 bits to choose from.
fn same(one: SocketAddr, other: SocketAddr) -> bool {
    network(one.ip()) == network(other.ip())
}

/// What an address is counted by.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}

/// A connection that is kept, for as long as this is.
#[derive(Debug)]
pub(super) struct AtWork(Arc<Connections>, SocketAddr);

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0
            .change(self.1, |entry| entry.busy = entry.busy.saturating_sub(1));
    }
}

/// Takes connections in as far as there is room.
#[derive(Debug, Clone)]
pub(super) struct Admission(pub(super) Arc<Connections>);

impl<S> Accept<TcpStream, S> for Admission {
    type Stream = Guarded;
    type Service = S;
    type Future = Ready<io::Result<(Guarded, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        ready(self.guarded(stream).map(|stream| (stream, service)))
    }
}

impl Admission {
    fn guarded(&self, stream: TcpStream) -> io::Result<Guarded> {
        let peer = stream.peer_addr()?;
        let Some(closed) = self.0.admit(peer) else {
            self.0.counters.refused_connection();
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        let patience = self.0.limits.stalled;
        let (all, stalled) = (Arc::clone(&self.0), None);
        Ok(Guarded {
            stream,
            peer,
            closed: Some(closed),
            all,
            patience,
            stalled,
        })
    }
}

/// A connection that ends when its place goes to another, or when what is written to it is not read.
#[derive(Debug)]
pub(super) struct Guarded {
    stream: TcpStream,
    peer: SocketAddr,
    /// None once it is to be closed.
    closed: Option<oneshot::Receiver<()>>,
    all: Arc<Connections>,
    patience: Duration,
    /// Runs while something waits to be read on the other side.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // One that was closed for another is not there any more, and its port has not been given again while it is open here.
        self.all.open().remove(&self.peer);
    }
}

impl Guarded {
    fn alive(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let ended = match &mut self.closed {
            Some(closed) => Pin::new(closed).poll(cx).is_ready(),
            None => true,
        };
        if ended {
            self.closed = None;
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    /// What came of a write, or the end of it when it has waited for too long.
    fn patient<T>(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        self.alive(cx)?;
        let written = write(Pin::new(&mut self.stream), cx);
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(sleep(patience)));
        match stalled.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.alive(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.patient(cx, |stream, cx| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.patient(cx, |stream, cx| stream.poll_write_vectored(cx, bytes))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.patient(cx, AsyncWrite::poll_flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.patient(cx, AsyncWrite::poll_shutdown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(connections: usize, connections_per_address: usize) -> Arc<Connections> {
        let limits = Limits {
            connections,
            connections_per_address,
            ..Limits::default()
        };
        Connections::new(limits, Counters::default())
    }

    fn peer(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn is_open(all: &Connections, at: &str) -> bool {
        all.open().contains_key(&peer(at))
    }

    #[test]
    fn the_silent_make_room_and_those_at_work_stay() {
        let all = connections(3, 3);
        let _kept = [
            all.admit(peer("10.0.0.1:1")).unwrap(),
            all.admit(peer("10.0.0.1:2")).unwrap(),
            all.admit(peer("10.0.0.1:3")).unwrap(),
        ];
        let at_work = all.at_work(peer("10.0.0.1:1"));
        let another = all.admit(peer("10.0.0.2:1"));
        assert!(
            another.is_some() && !is_open(&all, "10.0.0.1:2"),
            "the oldest silent one went"
        );
        drop(at_work);
        let third = all.admit(peer("10.0.0.2:2"));
        assert!(
            third.is_some() && !is_open(&all, "10.0.0.1:3"),
            "who is known is kept longer"
        );
        let busy: Vec<AtWork> = ["10.0.0.1:1", "10.0.0.2:1", "10.0.0.2:2"]
            .map(|at| all.at_work(peer(at)))
            .into();
        assert!(
            all.admit(peer("10.0.0.3:1")).is_none(),
            "nobody is cut off at work"
        );
        drop(busy);
        assert!(all.admit(peer("10.0.0.3:1")).is_some());
    }

    #[test]
    fn an_address_has_its_share_and_a_crowd_makes_room_for_others() {
        let all = connections(4, 3);
        let mut kept: Vec<_> = (1..=4)
            .map(|port| {
                all.admit(SocketAddr::new([10, 0, 0, 1].into(), port))
                    .unwrap()
            })
            .collect();
        assert_eq!(
            all.open().len(),
            3,
            "the fourth took the place of the first"
        );
        kept.push(all.admit(peer("10.0.0.2:1")).unwrap());
        kept.push(all.admit(peer("10.0.0.3:1")).unwrap());
        assert!(
            is_open(&all, "10.0.0.2:1"),
            "the crowd goes first, though this one is as silent"
        );
        assert!(same(peer("[2001:db8::1]:1"), peer("[2001:db8::2]:2")));
        assert!(!same(peer("[2001:db8:0:1::1]:1"), peer("[2001:db8::1]:1")));
        assert!(same(peer("[::ffff:10.0.0.1]:1"), peer("10.0.0.1:2")));
    }
}
