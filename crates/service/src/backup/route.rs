//! Which request means what, below an existing vault.

use http::Method;

use super::items::Named;
use super::{
    around, cancel, containers, discovery, items, job_reads, on_demand, points, policies,
    protection, removal, restore,
};
use crate::core::{Answer, Context, Refusal, Request, VaultPath};
use crate::store::Tx;
use crate::vaults::VaultRow;

/// Answers a request for what is in a vault: policies, containers, items, recovery points, jobs.
///
/// # Errors
/// A refusal in ARM's form, which rolls the transaction back.
pub fn route(
    request: &Request,
    at: &VaultPath,
    vault: &VaultRow,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Answer {
    let lower = at.lower();
    let path: Vec<&str> = lower.iter().map(String::as_str).collect();
    let method = &request.method;
    match (method, path.as_slice()) {
        (&Method::GET, ["backuppolicies"]) => policies::list(request, at, tx),
        (_, ["backuppolicies", _]) => one_policy(request, &at.rest[1], at, ctx, tx),
        (&Method::GET, ["backupprotectableitems"]) => discovery::list(request, at, vault, ctx, tx),
        (&Method::GET, ["backupprotectioncontainers"]) => containers::list(request, at, tx),
        (&Method::GET, ["backupdeletedprotectioncontainers"]) => {
            containers::list_deleted(request, at, tx)
        }
        (&Method::GET, ["backupprotecteditems"]) => items::list(request, at, ctx, tx),
        (&Method::GET, ["backupjobs"]) => job_reads::list(request, at, ctx, tx),
        (&Method::GET, ["backupjobs", _]) => job_reads::get(&at.rest[1], at, ctx, tx),
        (&Method::POST, ["backupjobs", _, "cancel"]) => {
            cancel::cancel(request, &at.rest[1], at, ctx, tx)
        }
        (_, ["backupfabrics", "azure", rest @ ..]) => fabric(request, rest, at, vault, ctx, tx),
        (_, ["backupfabrics", ..]) => Err(Refusal::not_found(
            "FabricNotFound",
            "The one fabric of a vault is 'Azure'.",
        )),
        (
            _,
            [
                "backuppolicies"
                | "backupprotectableitems"
                | "backupprotectioncontainers"
                | "backupprotecteditems"
                | "backupdeletedprotectioncontainers",
            ]
            | ["backupjobs"]
            | ["backupjobs", _]
            | ["backupjobs", _, "cancel"],
        ) => Err(Refusal::wrong_method(method, &request.path)),
        _ => around::route(request, at, vault, ctx, tx),
    }
}

fn one_policy(
    request: &Request,
    name: &str,
    at: &VaultPath,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Answer {
    match request.method {
        Method::GET => policies::get(name, at, tx),
        Method::PUT => policies::put(request, name, at, ctx, tx),
        Method::DELETE => policies::delete(name, at, tx),
        _ => Err(Refusal::wrong_method(&request.method, &request.path)),
    }
}

/// Below `backupFabrics/Azure`; `path` is in lower case, names are taken as the client wrote them.
fn fabric(
    request: &Request,
    path: &[&str],
    at: &VaultPath,
    vault: &VaultRow,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Answer {
    let method = &request.method;
    // Behind "backupFabrics/Azure": 2 is "protectionContainers", 3 the container, 5 the item, 7 the recovery point.
    let written = |index: usize| at.rest.get(index).map(String::as_str).unwrap_or_default();
    let named = || Named::new(written(3), written(5));
    match (method, path) {
        (&Method::POST, ["refreshcontainers"]) => discovery::refresh(request, at, ctx, tx),
        (&Method::GET, ["protectioncontainers", _]) => containers::get(written(3), at, tx),
        (&Method::GET, ["protectioncontainers", _, "protecteditems", _]) => {
            items::get(request, &named()?, at, ctx, tx)
        }
        (&Method::PUT, ["protectioncontainers", _, "protecteditems", _]) => {
            protection::put(request, &named()?, at, vault, ctx, tx)
        }
        (&Method::DELETE, ["protectioncontainers", _, "protecteditems", _]) => {
            removal::delete(request, &named()?, at, vault, ctx, tx)
        }
        (&Method::POST, ["protectioncontainers", _, "protecteditems", _, "backup"]) => {
            on_demand::trigger(request, &named()?, at, ctx, tx)
        }
        (
            &Method::GET,
            [
                "protectioncontainers",
                _,
                "protecteditems",
                _,
                "recoverypoints",
            ],
        ) => points::list(request, &named()?, at, ctx, tx),
        (
            &Method::GET,
            [
                "protectioncontainers",
                _,
                "protecteditems",
                _,
                "recoverypoints",
                _,
            ],
        ) => points::get(&named()?, written(7), at, ctx, tx),
        (
            &Method::POST,
            [
                "protectioncontainers",
                _,
                "protecteditems",
                _,
                "recoverypoints",
                _,
                "restore",
            ],
        ) => restore::trigger(request, &named()?, written(7), at, vault, ctx, tx),
        _ => around::route(request, at, vault, ctx, tx),
    }
}
