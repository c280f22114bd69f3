//! What this service offers beside Azure's protocol: files and folders straight out of a recovery point.
//!
//! Below `/kluis/v1` stands a recovery point's own path, as Azure's clients write it, and then what is wanted of it. Azure has
//! no such calls; that they are there is announced in `/metadata/endpoints`. Here it is decided who may ask what of which
//! point; reading the files is the shell's, which has the vaults' keys.

mod asked;
mod render;

pub use asked::{Asked, Export, Query, Verb, ask, exported};
pub use render::{Part, entry, page, part_of, volumes};

use crate::backup::{self, FilesSource};
use crate::core::{Answer, Context, Refusal, Request, Response, Role, decode};
use crate::health;
use crate::store::Tx;

/// What every path of the extension begins with.
pub const BASE: &str = "/kluis/v1";

/// Whether a path is one of the extension's about files. The core answers a vault's health by itself.
#[must_use]
pub fn is_of(path: &str) -> bool {
    path.strip_prefix(BASE)
        .is_some_and(|rest| rest.starts_with('/'))
        && !health::is_of(path)
}

/// `GET /kluis/v1/blobs/{account}/{container}/{name}`: a paper that a restore wrote, at the address that its job tells;
/// `None` if the request is for something else.
///
/// # Errors
/// 404 when there is none.
pub fn paper(request: &Request, tx: &Tx<'_>) -> Result<Option<Response>, Refusal> {
    let segments = request.path.get(BASE.len()..).and_then(decode);
    let Some([blobs, account, container, name]) = segments.as_deref() else {
        return Ok(None);
    };
    if blobs != "blobs" || request.method != http::Method::GET {
        return Ok(None);
    }
    match backup::paper(account, container, name, tx)? {
        Some(paper) => Ok(Some(Response::ok(paper))),
        None => Err(Refusal::no_route(&request.path)),
    }
}

/// Where the files are that a request asks for, and what it wants of them.
///
/// # Errors
/// A refusal in ARM's form: no such point, an item that is soft-deleted, a role that may not.
pub fn find(
    request: &Request,
    ctx: &Context<'_>,
    tx: &Tx<'_>,
) -> Result<(FilesSource, Asked), Refusal> {
    let asked = ask(request, ctx, tx)?;
    if matches!(asked.verb, Verb::Content | Verb::ExportFiles) {
        permitted(request, "read what is in files")?;
    }
    let source = backup::files_source(&asked.point, &asked.at, ctx, tx)?;
    Ok((source, asked))
}

/// `POST …/restoreFiles`: a job that restores files and folders.
///
/// # Errors
/// Those of [`find`], and what stands against the restore.
pub fn restore(request: &Request, ctx: &Context<'_>, tx: &mut Tx<'_>) -> Answer {
    // The answer's links are Azure's, and are followed with the version of the request.
    if kluis_arm::api_version::check(request.query.get("api-version")).is_err() {
        return Err(Refusal::bad_request(
            kluis_arm::error::code::MISSING_API_VERSION,
            "The api-version query parameter (?api-version=) is required for a restore.",
        ));
    }
    let asked = ask(request, ctx, tx)?;
    permitted(request, "restore files")?;
    let wanted = asked::wanted(request)?;
    backup::restore_files(
        request,
        &asked.point,
        &asked.at,
        &asked.vault,
        wanted,
        ctx,
        tx,
    )
}

/// A Reader sees that files are there; what is in them is for those who may restore, as at Azure.
fn permitted(request: &Request, what: &str) -> Result<(), Refusal> {
    if request.principal.role >= Role::Contributor {
        return Ok(());
    }
    Err(Refusal::new(
        403,
        kluis_arm::error::code::AUTHORIZATION_FAILED,
        format!(
            "The client '{}' does not have authorization to {what}: its role is Reader. Give it the role Contributor in the \
             inventory's identities.",
            request.principal.client_id
        ),
    ))
}
