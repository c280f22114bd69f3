//! Observe: gathers a world. Objects come from Kubernetes, facts from ARM, and of these only what the world wants.

mod backup_job;
mod backup_policy;
mod backup_service;
mod compute;
mod lines;
mod objects;
mod protected_vm;
mod read;
mod rest;
mod restore;
mod rival;
mod vault;
mod vault_key;

use jiff::Timestamp;
use kluis_plan::{ArmFailure, World};
use serde_json::Value;

use crate::{
    ctx::Ctx,
    key::{Key, Kind},
    objects::ObjectsError,
};

pub(crate) use backup_policy::edits;
pub(crate) use lines::Lines;
pub(crate) use vault_key::VaultKey;

/// A world that wants nothing more, and the lines that it was read from.
pub(crate) struct Observation {
    pub world: Box<dyn World + Send + Sync>,
    pub lines: Lines,
    /// What could not be read, the worst of it: the world holds it too, where it was wanted.
    pub failure: Option<ArmFailure>,
}

/// Why there is no world.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ObserveError {
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// An object that the API server took does not fit our types: its definition is of another version, or had no rule for it.
    #[error(
        "{key} cannot be read: correct it, or apply the definitions of this version, which `kluis crds` prints"
    )]
    Undecodable {
        key: Key,
        #[source]
        source: serde_json::Error,
    },
}

/// Gathers the world around an object that was just read.
///
/// # Errors
/// When Kubernetes does not answer, or the object is not of our form. ARM's failures are facts of the world.
pub(crate) async fn observe(
    key: &Key,
    object: &Value,
    ctx: &Ctx,
) -> Result<Observation, ObserveError> {
    match key.kind {
        Kind::BackupService => backup_service::observe(key, object, ctx).await,
        Kind::Vault => vault::observe(key, object, ctx).await,
        Kind::BackupPolicy => backup_policy::observe(key, object, ctx).await,
        Kind::ProtectedVM => protected_vm::observe(key, object, ctx).await,
        Kind::BackupJob => backup_job::observe(key, object, ctx).await,
        Kind::Restore => restore::observe(key, object, ctx).await,
    }
}

/// Rounds of wants and reads. Worlds are done after three or four; more is a world that cannot be satisfied.
const MOST_ROUNDS: usize = 16;

/// Reads what the world wants until it wants nothing. Its `now` is the service's: the `Date` of the last answer.
async fn complete<W: World + Send + Sync + 'static>(
    mut world: W,
    set_now: fn(&mut W, Timestamp),
    mut lines: Lines,
) -> Observation {
    let mut failure = None;
    set_now(&mut world, lines.now());
    for _ in 0..MOST_ROUNDS {
        let wants = world.wants();
        if wants.is_empty() {
            break;
        }
        for want in wants {
            let (fact, failed) = lines.read(&want).await;
            world.fill(&want, fact);
            failure = failure.or(failed);
        }
        set_now(&mut world, lines.now());
    }
    Observation {
        world: Box::new(world),
        lines,
        failure,
    }
}
