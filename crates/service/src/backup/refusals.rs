//! What this part of the service refuses, in Azure's codes where they are known.

use kluis_arm::error::code;
use kluis_arm::filter::Filter;

use super::rows::{Item, Job};
use crate::core::{Refusal, Request};
use crate::store::{Row as _, Tx};

/// 400: a value of the request can't be.
pub(super) fn invalid_input(message: impl Into<String>) -> Refusal {
    Refusal::bad_request("BMSUserErrorInvalidInput", message)
}

/// 400: the body of an item's PUT can't be.
pub(super) fn invalid_protection(message: impl Into<String>) -> Refusal {
    Refusal::bad_request("BMSUserErrorInvalidConfigureProtectionRequest", message)
}

/// 400: an item of a kind that is not offered, whatever is asked of it; the answer that its container gets.
pub(super) fn not_offered(container: &str, item: &str) -> Refusal {
    Refusal::bad_request(
        code::NOT_SUPPORTED,
        format!(
            "'{item}' in '{container}' is no virtual machine; file shares, databases and hosts are not offered yet."
        ),
    )
}

/// 404: nothing is protected there.
pub(super) fn item_not_found(vm: &str, vault: &str) -> Refusal {
    Refusal::not_found(
        code::ITEM_NOT_FOUND,
        format!(
            "Item not found: the vault '{vault}' protects no virtual machine '{vm}', and has no data of one."
        ),
    )
}

/// 409: one operation an item at a time.
pub(super) fn locked(job: &Job) -> Refusal {
    Refusal::conflict(
        code::OBJECT_LOCKED,
        format!(
            "Another operation is in progress on the selected item: job {} ({}). Try again once it has ended.",
            job.id,
            job.kind.word()
        ),
    )
}

/// Refuses while another job holds the item.
pub(super) fn unlocked(tx: &Tx<'_>, item: &Item) -> Result<(), Refusal> {
    Job::holding(tx, &item.key())?.map_or(Ok(()), |job| Err(locked(&job)))
}

/// The request's filter, if it asks for nothing but these fields: what is not understood must not be ignored.
pub(super) fn filter(request: &Request, fields: &[&str]) -> Result<Filter, Refusal> {
    let filter = Filter::parse(request.query.filter().unwrap_or_default())
        .map_err(|error| invalid_input(error.to_string()))?;
    match filter.unknown(fields).first() {
        None => Ok(filter),
        Some(field) => Err(invalid_input(format!(
            "This list can't be filtered by '{field}', only by {}.",
            fields.join(", ")
        ))),
    }
}
