//! `/healthz` and `/metrics`, over plain HTTP: two fixed pages, for a kubelet and a Prometheus.
//!
//! It reads one request line and answers, with limits on time, size and number: it needs no more of HTTP than that,
//! and nothing that a stranger sends gets further than the comparison with two paths.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};

use crate::metrics::Metrics;

const MOST_AT_ONCE: usize = 16;
const MOST_BYTES: u64 = 8 << 10;
const PATIENCE: Duration = Duration::from_secs(5);

/// A page server that is bound and not yet serving.
pub(crate) struct Health {
    listener: TcpListener,
    metrics: Arc<Metrics>,
}

impl Health {
    /// # Errors
    /// When the address is taken or not this machine's.
    pub(crate) async fn bind(address: SocketAddr, metrics: Arc<Metrics>) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self { listener, metrics })
    }

    /// Where it is, with the port that was given for port 0.
    ///
    /// # Errors
    /// When the socket is broken.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until it is dropped.
    pub(crate) async fn serve(self) {
        let places = Arc::new(Semaphore::new(MOST_AT_ONCE));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            let Ok((stream, _)) = self.listener.accept().await else {
                // Out of descriptors, most likely: wait for some to come free rather than spin.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let metrics = Arc::clone(&self.metrics);
            tokio::spawn(async move {
                // A client that is slow or gone is its own trouble.
                let _ = timeout(PATIENCE, answer(stream, &metrics)).await;
                drop(place);
            });
        }
    }
}

async fn answer(mut stream: TcpStream, metrics: &Metrics) -> io::Result<()> {
    let (read, mut write) = stream.split();
    let mut lines = BufReader::new(read.take(MOST_BYTES)).lines();
    let first = lines.next_line().await?.unwrap_or_default();
    // The rest of the head is read and forgotten: closing on unread bytes resets the connection.
    while lines
        .next_line()
        .await?
        .is_some_and(|line| !line.is_empty())
    {}
    let (status, body) = page(&first, metrics);
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    write.write_all(head.as_bytes()).await?;
    write.write_all(body.as_bytes()).await?;
    write.shutdown().await
}

fn page(request_line: &str, metrics: &Metrics) -> (&'static str, String) {
    let mut words = request_line.split(' ');
    let (method, target) = (words.next(), words.next());
    let path = target.unwrap_or_default().split('?').next();
    match (method, path) {
        (Some("GET"), Some("/healthz")) => ("200 OK", "ok\n".to_owned()),
        (Some("GET"), Some("/metrics")) => ("200 OK", metrics.render()),
        (Some("GET"), _) => (
            "404 Not Found",
            "there are /healthz and /metrics\n".to_owned(),
        ),
        _ => ("405 Method Not Allowed", "only GET\n".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn it_answers_what_probes_ask() {
        let free = "127.0.0.1:0".parse().unwrap();
        let health = Health::bind(free, Arc::default()).await.unwrap();
        let address = health.address().unwrap();
        let serving = tokio::spawn(health.serve());
        let healthz = ask(address, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(healthz.starts_with("HTTP/1.1 200 OK\r\n") && healthz.ends_with("\r\n\r\nok\n"));
        let metrics = ask(address, "GET /metrics HTTP/1.1\r\n\r\n").await;
        assert!(metrics.contains("\nkluis_leader 0\n"), "{metrics}");
        assert!(
            ask(address, "GET /etc HTTP/1.1\r\n\r\n")
                .await
                .starts_with("HTTP/1.1 404")
        );
        assert!(
            ask(address, "POST /healthz HTTP/1.1\r\n\r\n")
                .await
                .starts_with("HTTP/1.1 405")
        );
        serving.abort();
    }
}
