//! The extension on the outside: recovery points' files over HTTP, read on threads of their own, a bounded number at once.

mod download;
mod shelf;

use std::sync::Arc;

use axum::response::Response;
use kluis_vault::files::{Explorer, Kind, Page};
use kluis_vault::restore_files::{self, Wanted};
use kluis_vault::{FailureCode, VaultError};
use tokio::sync::Semaphore;

use super::engine::Engine;
use super::http::App;
use super::keys::Keys;
use crate::backup::{self, FilesSource};
use crate::core::{Refusal, Request};
use crate::extension::{self, Asked, Verb};
use shelf::Shelf;

/// How many points are read at once; the next is told to try again.
const MOST_READERS: usize = 16;

/// Bytes of a piece of files that are written elsewhere, about.
const PIECE: usize = 8 << 20;

/// What reading points takes.
pub(super) struct Browser {
    keys: Arc<Keys>,
    shelf: Shelf,
    readers: Arc<Semaphore>,
}

/// What reading came to: an answer, or a file to be sent.
enum Found {
    Answer(crate::core::Response),
    File(Arc<Explorer>, Box<Asked>, u64),
    /// A piece of files that are written elsewhere.
    Piece(Vec<u8>),
}

impl Browser {
    pub(super) fn new(keys: Arc<Keys>) -> Self {
        Self {
            keys,
            shelf: Shelf::default(),
            readers: Arc::new(Semaphore::new(MOST_READERS)),
        }
    }

    /// Looks for what a request asks for. Blocks.
    fn find(&self, engine: &Engine, request: &Request) -> Result<Found, Refusal> {
        if let Some(paper) = engine.read(|_, tx| extension::paper(request, tx))? {
            return Ok(Found::Answer(paper));
        }
        let verb = engine
            .read(|ctx, tx| extension::ask(request, ctx, tx))?
            .verb;
        if verb == Verb::RestoreFiles {
            let answer = engine.write(|ctx, tx| extension::restore(request, ctx, tx));
            engine.wake.notify_one();
            return answer.map(Found::Answer);
        }
        let (source, asked) = engine.read(|ctx, tx| extension::find(request, ctx, tx))?;
        let refusal = |error: VaultError| {
            if error.code() == FailureCode::VaultDamaged {
                suspect(engine, &asked);
            }
            if let (VaultError::SnapshotNotFound(_), FilesSource::Vault { path, .. }) =
                (&error, &source)
            {
                // What is not there is told at once.
                self.keys.look_at(path);
            }
            refusal(error)
        };
        let explorer = self.shelf.explorer(&source, &self.keys).map_err(&refusal)?;
        let query = &asked.query;
        let volume = query.volume.as_deref();
        match asked.verb {
            Verb::Volumes => {
                let default = explorer.default_volume().ok();
                let default = default.map(|volume| volume.name.as_str());
                Ok(Found::Answer(extension::volumes(
                    explorer.volumes(),
                    default,
                )))
            }
            Verb::Files => {
                let found = explorer.look(volume, &query.path).map_err(&refusal)?;
                let page = if found.kind == Kind::Directory {
                    explorer
                        .list(volume, &query.path, query.after.as_deref(), query.top)
                        .map_err(&refusal)?
                } else {
                    Page {
                        entries: vec![found],
                        next: None,
                        damage: None,
                    }
                };
                Ok(Found::Answer(extension::page(request, &asked, &page)))
            }
            Verb::Content => {
                let found = explorer.look(volume, &query.path).map_err(&refusal)?;
                if found.kind != Kind::File {
                    return Err(Refusal::bad_request(
                        "NotAFile",
                        format!("'{}' is no file; only files have content.", found.path),
                    ));
                }
                Ok(Found::File(explorer, Box::new(asked), found.size))
            }
            Verb::ExportFiles => {
                let export = extension::exported(request)?;
                let wanted = Wanted {
                    volume: export.volume.as_deref(),
                    paths: &export.paths,
                    keep_paths: export.keep_paths,
                    after: export.after.as_deref(),
                };
                restore_files::send(&explorer, &wanted, PIECE)
                    .map(Found::Piece)
                    .map_err(refusal)
            }
            Verb::RestoreFiles => Err(Refusal::no_route(&request.path)),
        }
    }
}

/// Answers a request of the extension.
pub(super) async fn answer(app: &Arc<App>, request: Request) -> Response {
    let Ok(reader) = Arc::clone(&app.browser.readers).try_acquire_owned() else {
        return app.respond(
            busy("as many recovery points are being read as can be at once")
                .response()
                .with("Retry-After", "1"),
        );
    };
    let range = request.header("range").map(str::to_owned);
    let inner = Arc::clone(app);
    let found =
        tokio::task::spawn_blocking(move || inner.browser.find(&inner.engine, &request)).await;
    match found {
        Ok(Ok(Found::Answer(response))) => app.respond(response),
        Ok(Ok(Found::Piece(piece))) => download::piece(app, piece),
        Ok(Ok(Found::File(explorer, asked, size))) => {
            download::send(app, explorer, &asked, size, range.as_deref(), reader)
        }
        Ok(Err(refusal)) => {
            let response = refusal.response();
            app.respond(if refusal.status == 503 {
                response.with("Retry-After", "5")
            } else {
                response
            })
        }
        Err(error) => app.failed(&error),
    }
}

/// What a person met the vault looks at by itself.
fn suspect(engine: &Engine, asked: &Asked) {
    let vault = asked.vault_key();
    let told =
        engine.write(|ctx, tx| backup::suspect_damage(ctx, tx, vault).map(|()| ((), Vec::new())));
    if let Err(error) = told {
        tracing::warn!(error = %crate::store::chain(&error), "a scrub of a damaged vault could not be asked for");
    }
    engine.wake.notify_one();
}

fn busy(why: &str) -> Refusal {
    Refusal::new(503, "ServiceUnavailable", format!("Try again: {why}."))
}

/// What the vault says, in ARM's form.
fn refusal(error: VaultError) -> Refusal {
    let message = format!(
        "{}. {}",
        kluis_vault::error::describe(&error),
        error.recommendation()
    );
    match error {
        VaultError::PathNotFound { .. } => Refusal::not_found("PathNotFound", message),
        VaultError::VolumeNotFound(_) => Refusal::not_found("VolumeNotFound", message),
        VaultError::PathOfWrongKind { .. } => Refusal::bad_request("NotAFile", message),
        VaultError::FileSystemUnreadable { .. } => {
            Refusal::bad_request("FileSystemNotReadable", message)
        }
        VaultError::FileSystemUnsupported { .. } => {
            Refusal::bad_request("FileSystemNotSupported", message)
        }
        VaultError::InvalidJob(_) => Refusal::bad_request("BMSUserErrorInvalidInput", message),
        VaultError::SnapshotNotFound(_) | VaultError::DiskNotFound { .. } => {
            Refusal::not_found("RecoveryPointDataNotFound", message)
        }
        VaultError::Busy(_) => busy("the vault is giving back space"),
        error => {
            tracing::error!(error = %kluis_vault::error::describe(&error), "a recovery point's files could not be read");
            Refusal::new(500, "VaultDataDamaged", message)
        }
    }
}
