//! `GET /kluis/v1{vault}/health`: what is wrong with a vault, as one document. Azure has no such call.

use http::Method;
use serde_json::{Value, json};

use super::{Problem, scrub, vault_problems};
use crate::backup;
use crate::core::{Answer, Context, Refusal, Request, Response, decode};
use crate::extension::BASE;
use crate::store::Tx;
use crate::vaults::VaultRow;

/// Whether a path is that of a vault's health.
#[must_use]
pub fn is_of(path: &str) -> bool {
    segments(path).is_some()
}

/// Answers it.
///
/// # Errors
/// 404 where there is no such vault, 405 for another method.
pub fn route(request: &Request, ctx: &Context<'_>, tx: &Tx<'_>) -> Answer {
    let Some([subscription, group, name]) = segments(&request.path) else {
        return Err(Refusal::no_route(&request.path));
    };
    if request.method != Method::GET {
        return Err(Refusal::wrong_method(&request.method, &request.path));
    }
    let is_ours = subscription.eq_ignore_ascii_case(ctx.subscription);
    let vault = if is_ours {
        tx.get::<VaultRow>(ctx.vault_key(&group, &name).as_str())?
    } else {
        None
    };
    let Some(vault) = vault else {
        let kind = "Microsoft.RecoveryServices/vaults";
        return Err(Refusal::resource_not_found(kind, &name, &group));
    };
    let problems = vault_problems(ctx, tx, &vault)?;
    let problems: Vec<Value> = problems.iter().map(Problem::to_json).collect();
    let body = json!({
        "problems": problems,
        "scrub": scrub::to_json(ctx, tx, &vault)?,
        "expiries": { "heldBack": backup::held_back(ctx, tx, Some(&vault.id_key()))? },
    });
    Ok((Response::ok(body), Vec::new()))
}

/// The subscription, the resource group and the vault that the path names.
fn segments(path: &str) -> Option<[String; 3]> {
    let segments = decode(path.strip_prefix(BASE)?)?;
    let lower: Vec<String> = segments.iter().map(|word| word.to_lowercase()).collect();
    let words: Vec<&str> = lower.iter().map(String::as_str).collect();
    match words.as_slice() {
        [
            "subscriptions",
            _,
            "resourcegroups",
            _,
            "providers",
            "microsoft.recoveryservices",
            "vaults",
            _,
            "health",
        ] => Some([1, 3, 7].map(|at| segments[at].clone())),
        _ => None,
    }
}
