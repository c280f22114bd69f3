//! How the operation in a status stands, whatever it is that it changes.

use kluis_api::{Operation, OperationKind};

use crate::waiting::Waiting;
use crate::world::{Observed, Progress};

/// `Err` while the operation is under way, or when it failed; else the kind of the one that has just ended, if there was
/// one. `progress` is what the service says of it.
pub(crate) fn ended(
    operation: Option<&Operation>,
    progress: Option<&Observed<Progress>>,
) -> Result<Option<OperationKind>, Waiting> {
    let Some(kind) = operation.map(|operation| operation.kind) else {
        return Ok(None);
    };
    let failed = |code: &str, message: &str| Waiting::OperationFailed {
        kind,
        code: code.to_owned(),
        message: message.to_owned(),
    };
    match progress {
        None | Some(Observed::Absent) => Ok(None),
        Some(Observed::Unknown(failure)) => Err(Waiting::Arm(failure.clone())),
        Some(Observed::Found(progress)) => match progress {
            Progress::Succeeded { .. } => Ok(Some(kind)),
            Progress::InProgress { .. } => Err(Waiting::OperationInProgress { kind }),
            Progress::Failed { code, message, .. } => Err(failed(code, message)),
            Progress::Cancelled => Err(failed("Cancelled", "It was cancelled.")),
        },
    }
}
