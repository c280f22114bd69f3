//! How many items and containers of each kind a vault has.

use super::refusals;
use crate::core::{Answer, Request, VaultPath, page};
use crate::store::Tx;
use crate::vaults::count;

/// `GET V/backupUsageSummaries[?$filter=type eq 'BackupProtectionContainerCountSummary']`: of the items unless asked for the
/// containers.
pub(super) fn list(request: &Request, at: &VaultPath, tx: &Tx<'_>) -> Answer {
    let filter = refusals::filter(request, &["type"])?;
    let contents = super::contents(tx, &at.key)?;
    let wanted = filter.get("type").unwrap_or(ITEMS);
    let number = if wanted.eq_ignore_ascii_case(ITEMS) {
        contents.protected
    } else if wanted.eq_ignore_ascii_case(CONTAINERS) {
        contents.containers
    } else {
        return Err(refusals::invalid_input(format!(
            "There are no summaries of type '{wanted}', only '{ITEMS}' and '{CONTAINERS}'."
        )));
    };
    let machines = count("AzureIaasVM", "Azure Virtual Machine", number);
    Ok((page(request, [machines])?, Vec::new()))
}

const ITEMS: &str = "BackupProtectedItemCountSummary";
const CONTAINERS: &str = "BackupProtectionContainerCountSummary";
