//! How much is in a vault, by kind.

use serde_json::{Value, json};

use crate::backup;
use crate::core::{Refusal, Request, Response, VaultPath, page};
use crate::store::Tx;

/// `GET V/usages`.
pub(super) fn list(request: &Request, at: &VaultPath, tx: &Tx<'_>) -> Result<Response, Refusal> {
    let contents = backup::contents(tx, &at.key)?;
    page(
        request,
        [
            count("ProtectedItemCount", "Backup items", contents.protected),
            count(
                "IaaSVMProtectedItemCount",
                "Azure Virtual Machines",
                contents.protected,
            ),
            count(
                "SoftDeletedItemCount",
                "Soft deleted items",
                contents.soft_deleted,
            ),
            count(
                "RegisteredContainersCount",
                "Registered containers",
                contents.containers,
            ),
        ],
    )
}

/// One count, as usages and summaries of usage have it; there is no limit to tell.
pub(crate) fn count(name: &str, shown: &str, value: u64) -> Value {
    json!({ "unit": "Count", "currentValue": value, "limit": -1, "name": { "value": name, "localizedValue": shown } })
}
