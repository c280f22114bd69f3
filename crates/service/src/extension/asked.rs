//! What a request of the extension asks for, by its path, its query and its body.

use http::Method;
use kluis_arm::files::{TriggerFilesExport, TriggerFilesRestore};

use super::BASE;
use crate::backup::{FilesPoint, FilesRequest};
use crate::core::{Context, Refusal, Request, VaultKey, VaultPath, decode};
use crate::store::Tx;
use crate::vaults::VaultRow;

/// Entries of a page, unless `$top` asks for fewer.
const PAGE: usize = 1_000;

/// The most that one restore takes, and the longest path in bytes.
const MOST_PATHS: usize = 1_000;
const LONGEST_PATH: usize = 4_096;

/// A request, understood.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What is wanted.
    pub verb: Verb,
    /// The vault.
    pub(super) vault: VaultRow,
    pub(super) at: VaultPath,
    /// The recovery point.
    pub(super) point: FilesPoint,
    /// Which of its files.
    pub query: Query,
}

impl Asked {
    /// The vault that the point is of.
    #[must_use]
    pub fn vault_key(&self) -> &VaultKey {
        &self.at.key
    }
}

/// What can be wanted of a recovery point's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// The list of volumes.
    Volumes,
    /// A page of a directory, or the one file at the path.
    Files,
    /// A file's bytes.
    Content,
    /// A job that writes them.
    RestoreFiles,
    /// What is to be written elsewhere.
    ExportFiles,
}

/// Which files are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// From the volume's root on.
    pub path: String,
    /// The one with the system's root if it is not said.
    pub volume: Option<String>,
    /// The name after which a page begins.
    pub after: Option<String>,
    /// The most entries of a page.
    pub top: usize,
}

/// Understands a request.
///
/// # Errors
/// 404 for a path that leads nowhere, 405 for another method, 400 for a query that can't be.
pub fn ask(request: &Request, ctx: &Context<'_>, tx: &Tx<'_>) -> Result<Asked, Refusal> {
    let nowhere = || Refusal::no_route(&request.path);
    let path = request.path.get(BASE.len()..).ok_or_else(nowhere)?;
    let segments = decode(path).ok_or_else(|| {
        Refusal::bad_request(
            "InvalidRequestUri",
            "The path is not one that could name a resource.",
        )
    })?;
    let lower: Vec<String> = segments.iter().map(|word| word.to_lowercase()).collect();
    let words: Vec<&str> = lower.iter().map(String::as_str).collect();
    let [
        "subscriptions",
        subscription,
        "resourcegroups",
        _,
        "providers",
        "microsoft.recoveryservices",
        "vaults",
        _,
        "backupfabrics",
        "azure",
        "protectioncontainers",
        _,
        "protecteditems",
        _,
        "recoverypoints",
        _,
        verb,
    ] = words.as_slice()
    else {
        return Err(nowhere());
    };
    let (verb, method) = match *verb {
        "volumes" => (Verb::Volumes, Method::GET),
        "files" => (Verb::Files, Method::GET),
        "content" => (Verb::Content, Method::GET),
        "restorefiles" => (Verb::RestoreFiles, Method::POST),
        "exportfiles" => (Verb::ExportFiles, Method::POST),
        _ => return Err(nowhere()),
    };
    if request.method != method {
        return Err(Refusal::wrong_method(&request.method, &request.path));
    }
    if *subscription != ctx.subscription.to_lowercase() {
        return Err(Refusal::not_found(
            "SubscriptionNotFound",
            format!(
                "The subscription '{}' could not be found; this service has '{}'.",
                segments[1], ctx.subscription
            ),
        ));
    }
    let key = ctx.vault_key(&segments[3], &segments[7]);
    let vault: VaultRow = tx.get(key.as_str())?.ok_or_else(|| {
        Refusal::resource_not_found(
            "Microsoft.RecoveryServices/vaults",
            &segments[7],
            &segments[3],
        )
    })?;
    let at = VaultPath {
        id: ctx.vault_id(&vault.resource_group, &vault.name),
        resource_group: vault.resource_group.clone(),
        name: vault.name.clone(),
        key,
        rest: segments[8..segments.len() - 1].to_vec(),
    };
    let point = FilesPoint {
        container: segments[11].clone(),
        item: segments[13].clone(),
        name: segments[15].clone(),
    };
    Ok(Asked {
        verb,
        vault,
        at,
        point,
        query: query(request)?,
    })
}

fn query(request: &Request) -> Result<Query, Refusal> {
    let said = |name| request.query.get(name).filter(|text| !text.is_empty());
    let path = said("path").unwrap_or("/");
    if path.len() > LONGEST_PATH {
        return Err(invalid(format!(
            "'path' must have no more than {LONGEST_PATH} bytes."
        )));
    }
    let top =
        match said("$top") {
            None => PAGE,
            Some(text) => text.parse().ok().filter(|top| *top > 0).ok_or_else(|| {
                invalid(format!("'$top' must be a number above 0; it is '{text}'."))
            })?,
        };
    Ok(Query {
        path: path.to_owned(),
        volume: said("volume").map(str::to_owned),
        after: said("$skipToken").map(str::to_owned),
        top: top.min(PAGE),
    })
}

/// What is to be written elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// Absolute paths on the volume, at least one.
    pub paths: Vec<String>,
    /// The one with the system's root if it is not said.
    pub volume: Option<String>,
    /// Whether they come by their paths.
    pub keep_paths: bool,
    /// Where to go on, as JSON.
    pub after: Option<String>,
}

/// The body of an export.
///
/// # Errors
/// 400 for paths that can't be.
pub fn exported(request: &Request) -> Result<Export, Refusal> {
    let body = request.parse::<TriggerFilesExport>()?.properties;
    Ok(Export {
        paths: checked(body.paths.unwrap_or_default())?,
        volume: body.volume.filter(|volume| !volume.is_empty()),
        keep_paths: body.keep_paths.unwrap_or_default(),
        after: body.after.map(|after| after.to_string()),
    })
}

fn checked(paths: Vec<String>) -> Result<Vec<String>, Refusal> {
    if paths.is_empty() || paths.len() > MOST_PATHS {
        return Err(invalid(format!(
            "'paths' must name 1 to {MOST_PATHS} files or folders; it names {}.",
            paths.len()
        )));
    }
    let wrong = paths.iter().find(|path| {
        !path.starts_with('/')
            || path.len() > LONGEST_PATH
            || path.split('/').any(|name| name == "..")
    });
    match wrong {
        None => Ok(paths),
        Some(path) => Err(invalid(format!(
            "'{path}' must be an absolute path without '..', of at most {LONGEST_PATH} bytes."
        ))),
    }
}

/// The body of a restore.
pub(super) fn wanted(request: &Request) -> Result<FilesRequest, Refusal> {
    let body = request.parse::<TriggerFilesRestore>()?.properties;
    let missing = |name: &str| invalid(format!("'{name}' is missing."));
    Ok(FilesRequest {
        paths: checked(body.paths.unwrap_or_default())?,
        volume: body.volume.filter(|volume| !volume.is_empty()),
        target_resource_group: body
            .target_resource_group
            .ok_or_else(|| missing("targetResourceGroup"))?,
        name: body.name.ok_or_else(|| missing("name"))?,
    })
}

fn invalid(message: String) -> Refusal {
    Refusal::bad_request("BMSUserErrorInvalidInput", message)
}
