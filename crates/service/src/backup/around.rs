//! Which request means what, below an existing vault, besides its policies, items, points and jobs.

use http::Method;

use super::items::Named;
use super::{containers, export_jobs, intents, usage_summaries, validate};
use crate::core::{Answer, Context, Refusal, Request, VaultPath, page};
use crate::store::Tx;
use crate::vaults::VaultRow;

/// Answers a request that [`super::route()`] has no name for.
///
/// # Errors
/// A refusal in ARM's form, which rolls the transaction back; 404 where nothing is served.
pub(super) fn route(
    request: &Request,
    at: &VaultPath,
    vault: &VaultRow,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Answer {
    let lower = at.lower();
    let path: Vec<&str> = lower.iter().map(String::as_str).collect();
    // Behind "backupFabrics/Azure": 2 is a collection, 3 a container or an intent, 5 an item.
    let written = |index: usize| at.rest.get(index).map(String::as_str).unwrap_or_default();
    match (&request.method, path.as_slice()) {
        (&Method::GET, ["backupusagesummaries"]) => usage_summaries::list(request, at, tx),
        (&Method::POST, ["backupjobsexport"]) => export_jobs::export(request, at, ctx, tx),
        (&Method::POST, ["backupvalidateoperation"]) => {
            validate::validate(request, at, vault, ctx, tx)
        }
        (&Method::POST, ["backuptriggervalidateoperation"]) => {
            validate::trigger(request, at, vault, ctx, tx)
        }
        (&Method::GET, ["backupprotectionintents"]) => intents::list(request, at, tx),
        (method, ["backupfabrics", _, "backupprotectionintent", _]) => match *method {
            Method::GET => intents::get(written(3), at, tx),
            Method::PUT => intents::put(request, written(3), at, vault, ctx, tx),
            Method::DELETE => intents::delete(written(3), at, tx),
            _ => Err(Refusal::wrong_method(method, &request.path)),
        },
        (&Method::DELETE, ["backupfabrics", _, "protectioncontainers", _]) => {
            containers::unregister(written(3), at, tx)
        }
        (&Method::GET, ["backupfabrics", _, "protectioncontainers", _, "items"]) => {
            containers::get(written(3), at, tx)?;
            Ok((page(request, [])?, Vec::new()))
        }
        (
            &Method::POST,
            [
                "backupfabrics",
                _,
                "protectioncontainers",
                _,
                "protecteditems",
                _,
                "recoverypointsrecommendedformove",
            ],
        ) => {
            Named::new(written(3), written(5))?.item(at, tx)?;
            Ok((page(request, [])?, Vec::new()))
        }
        _ => Err(Refusal::no_route(&request.path)),
    }
}
