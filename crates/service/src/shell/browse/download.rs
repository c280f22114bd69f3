//! A file on its way to a client, piece by piece: a thread reads, and waits for the client no longer than a minute a piece.
//!
//! Its length is told before, so that a client sees when it did not get all: what goes wrong on the way can't be said in a
//! status any more.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use kluis_vault::files::Explorer;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::timeout;

use super::super::http::App;
use crate::core::{Refusal, Response as Plain};
use crate::extension::{Asked, Part, part_of};

/// Pieces of at most 256 KiB that wait for the client.
const WAITING: usize = 4;

/// How long a client may take for a piece.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends a file of `size` bytes, or the part of it that `range` asks for.
pub(super) fn send(
    app: &App,
    explorer: Arc<Explorer>,
    asked: &Asked,
    size: u64,
    range: Option<&str>,
    reader: OwnedSemaphorePermit,
) -> Response {
    let part = part_of(range, size);
    if part == Part::Beyond {
        let refusal = Refusal::new(
            416,
            "InvalidRange",
            format!("The file has {size} bytes; the range asked for is beyond them."),
        );
        return app.respond(
            refusal
                .response()
                .with("Content-Range", format!("bytes */{size}")),
        );
    }
    let (offset, length) = match part {
        Part::Bytes { offset, length } => (offset, length),
        Part::Whole | Part::Beyond => (0, size),
    };
    let partial = matches!(part, Part::Bytes { .. });
    let (to_client, from_reader) = channel(WAITING);
    let (volume, path) = (asked.query.volume.clone(), asked.query.path.clone());
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        let _reader = reader;
        let mut pipe = Pipe { runtime, to_client };
        let read = explorer.read(volume.as_deref(), &path, offset, length, &mut pipe);
        let failed = match read {
            Ok(read) if read == length => return,
            Ok(read) => format!("it had {read} bytes instead of {length}"),
            Err(error) => kluis_vault::error::describe(&error),
        };
        tracing::warn!(path, failed, "a file was not sent whole");
        // The client hears of it by a body that ends too early.
        drop(pipe.tell(Err(io::Error::other(failed))));
    });
    let mut plain = Plain::empty(if partial { 206 } else { 200 })
        .with("Accept-Ranges", "bytes")
        .with("X-Content-Type-Options", "nosniff");
    if partial {
        let last = (offset + length).saturating_sub(1);
        plain = plain.with("Content-Range", format!("bytes {offset}-{last}/{size}"));
    }
    let mut response = app.respond(plain);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    *response.body_mut() = Body::from_stream(pieces(from_reader));
    response
}

/// Answers with a piece of files that are written elsewhere.
pub(super) fn piece(app: &App, piece: Vec<u8>) -> Response {
    let mut response = app.respond(Plain::empty(200).with("X-Content-Type-Options", "nosniff"));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    *response.body_mut() = Body::from(piece);
    response
}

fn pieces(
    from_reader: Receiver<io::Result<Bytes>>,
) -> impl futures::Stream<Item = io::Result<Bytes>> {
    futures::stream::unfold(from_reader, |mut from_reader| async move {
        from_reader.recv().await.map(|piece| (piece, from_reader))
    })
}

/// Where the reading thread writes.
struct Pipe {
    runtime: Handle,
    to_client: Sender<io::Result<Bytes>>,
}

impl Pipe {
    fn tell(&self, piece: io::Result<Bytes>) -> io::Result<()> {
        match self
            .runtime
            .block_on(timeout(PATIENCE, self.to_client.send(piece)))
        {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::Error::new(
                io::ErrorKind::BrokenPipe,
                "the client has gone",
            )),
            Err(_) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the client takes nothing",
            )),
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tell(Ok(Bytes::copy_from_slice(bytes)))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
