//! How the operation in a vault's status stands.

use jiff::SignedDuration;
use kluis_api::OperationKind;
use kluis_arm::error::classify;

use crate::operation;
use crate::plan::Next;
use crate::waiting::Waiting;
use crate::world::{Observed, Progress, VaultWorld};

/// How soon an operation is asked after when the service does not say.
const POLL: SignedDuration = SignedDuration::from_secs(5);

/// `Err` while it is under way, or when it failed; else the kind of the one that has just ended.
pub(super) fn of(world: &VaultWorld) -> Result<Option<OperationKind>, Waiting> {
    let status = world.vault.status.as_ref();
    let operation = status.and_then(|status| status.operation.as_ref());
    operation::ended(operation, world.progress.as_ref())
}

/// When to ask after it again; None when there is nothing to ask after.
pub(super) fn delay(world: &VaultWorld) -> Option<Next> {
    match &world.progress {
        Some(Observed::Found(Progress::InProgress { retry_after })) => {
            Some(Next::After(retry_after.unwrap_or(POLL)))
        }
        Some(Observed::Found(Progress::Failed { code, .. })) => {
            Some(Next::After(match classify(code, 200) {
                kluis_arm::error::Class::RetryAfter => SignedDuration::from_secs(30),
                kluis_arm::error::Class::Blocked | kluis_arm::error::Class::Terminal => {
                    SignedDuration::from_mins(5)
                }
            }))
        }
        _ => None,
    }
}
