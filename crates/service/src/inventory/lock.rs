//! A lock on a resource group: what Azure's administrators put there so that nobody deletes or changes what is in it.
//!
//! It holds for everybody, an Owner included, until it is taken off; here, where the inventory says it. What it means for
//! the snapshots of recovery points is the backup engine's business.

use http::Method;
use kluis_arm::error::code;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::core::{Context, Refusal, Request};

pub(super) const LOCK: &str = "Microsoft.Authorization/locks";

/// What may not be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Lock {
    /// Nothing may be deleted.
    CanNotDelete,
    /// Nothing may be deleted or changed.
    ReadOnly,
}

impl Lock {
    /// Azure's word for it.
    #[must_use]
    pub fn level(self) -> &'static str {
        match self {
            Self::CanNotDelete => "CanNotDelete",
            Self::ReadOnly => "ReadOnly",
        }
    }

    /// What a request would do that the lock forbids, in ARM's word.
    fn forbids(self, method: &Method) -> Option<&'static str> {
        match (self, method) {
            (_, &Method::DELETE) => Some("delete"),
            (Self::ReadOnly, &Method::PUT | &Method::PATCH | &Method::POST) => Some("write"),
            (Self::ReadOnly | Self::CanNotDelete, _) => None,
        }
    }
}

/// Refuses what the lock of the resource group forbids, 409 as ARM does.
pub(crate) fn permits(request: &Request, group: &str, ctx: &Context<'_>) -> Result<(), Refusal> {
    let group = ctx.inventory.resource_group(group);
    let locked = group.and_then(|group| Some((group, group.lock?.forbids(&request.method)?)));
    match locked {
        None => Ok(()),
        Some((group, operation)) => Err(Refusal::conflict(
            code::SCOPE_LOCKED,
            format!(
                "The scope '{}' cannot perform {operation} operation because following scope(s) are locked: \
                 '/subscriptions/{}/resourceGroups/{}'. Please remove the lock and try again.",
                request.path, ctx.subscription, group.name
            ),
        )),
    }
}

/// The lock as Azure lists it. The inventory gives it no name; people who look for it find it by this one.
pub(super) fn render(group: &str, lock: Lock, ctx: &Context<'_>) -> Value {
    const NAME: &str = "inventory";
    json!({
        "id": format!("/subscriptions/{}/resourceGroups/{group}/providers/{LOCK}/{NAME}", ctx.subscription),
        "name": NAME, "type": LOCK,
        "properties": { "level": lock.level(), "notes": "The service's inventory says so." },
    })
}
