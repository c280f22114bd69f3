//! The machine that is to be backed up is not there: each of its runs is going to fail.

use super::{Problem, Severity};
use crate::backup::rows::Item;
use crate::core::Context;
use crate::estate;
use crate::store::{StoreError, Tx};

pub(super) fn problems(
    ctx: &Context<'_>,
    tx: &Tx<'_>,
    item: &Item,
) -> Result<Vec<Problem>, StoreError> {
    let listed = ctx.inventory.vm(&item.resource_group, &item.vm).is_some();
    let is_there = listed || estate::made(ctx, tx, &item.resource_group, &item.vm)?.is_some();
    if is_there || !item.state.is_scheduled() {
        return Ok(Vec::new());
    }
    let message = format!(
        "The virtual machine '{}' of resource group '{}' does not exist: it is no longer backed up.",
        item.vm, item.resource_group
    );
    Ok(vec![Problem::new(
        400_094,
        Severity::Error,
        "UserErrorVmNotFoundV2",
        message,
        &[
            "If the machine was moved or renamed, protect it under its new name.",
            "If it was deleted, stop its protection; its recovery points stay until you delete them.",
        ],
    )])
}
