//! Long-running operations: one table, reachable from every scope under which Azure's clients poll.
//!
//! An operation is a row: it outlives a restart, and the deletion of the vault it belongs to. It knows no clock and does no
//! work; whoever began it says when it is over.

mod poll;
mod scope;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::core::{Context, Refusal, VaultKey};
use crate::store::{Row, StoreError, Tx};

pub use poll::poll;
pub use scope::Scope;

/// How many operations of a vault are remembered; the oldest finished ones go first.
const REMEMBERED: usize = 500;

/// How far an operation is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum Progress {
    /// Under way.
    InProgress,
    /// Done. `result` is the body that the operation's result answers with 200; without one it answers 204.
    Succeeded {
        /// The result's body.
        result: Option<Value>,
    },
    /// Not done.
    Failed {
        /// ARM's error code.
        code: String,
        /// The cause and the way out.
        message: String,
    },
    /// Ended by a person.
    Cancelled,
}

/// One long-running operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Its name in URLs: a GUID, or Base64 text for operations on vaults.
    pub id: String,
    /// The vault it belongs to.
    pub vault: VaultKey,
    /// The job that does the work, if any: clients read it from the status document.
    pub job: Option<String>,
    /// When it began.
    pub start: Timestamp,
    /// When it ended.
    pub end: Option<Timestamp>,
    /// How far it is.
    pub progress: Progress,
}

impl Row for Operation {
    const TABLE: &'static str = "operations";

    fn key(&self) -> String {
        self.id.to_lowercase()
    }

    fn vault(&self) -> String {
        self.vault.as_str().to_owned()
    }
}

/// Begins an operation of a vault, under way; `job` is the job that does the work.
///
/// # Errors
/// When the store fails; so for every function here.
pub fn begin(
    tx: &mut Tx<'_>,
    ctx: &Context<'_>,
    vault: &VaultKey,
    job: Option<&str>,
) -> Result<Operation, StoreError> {
    start(tx, ctx, vault, job, ctx.new_id(), Progress::InProgress)
}

/// Records an operation that is done already: its first poll says so.
pub fn done(
    tx: &mut Tx<'_>,
    ctx: &Context<'_>,
    vault: &VaultKey,
    job: Option<&str>,
    result: Option<Value>,
) -> Result<Operation, StoreError> {
    start(
        tx,
        ctx,
        vault,
        job,
        ctx.new_id(),
        Progress::Succeeded { result },
    )
}

/// Begins an operation under a name of the caller's.
pub(crate) fn start(
    tx: &mut Tx<'_>,
    ctx: &Context<'_>,
    vault: &VaultKey,
    job: Option<&str>,
    id: String,
    progress: Progress,
) -> Result<Operation, StoreError> {
    let end = (progress != Progress::InProgress).then_some(ctx.now);
    let operation = Operation {
        id,
        vault: vault.clone(),
        job: job.map(str::to_owned),
        start: ctx.now,
        end,
        progress,
    };
    tx.put(&operation)?;
    forget_old(tx, vault)?;
    Ok(operation)
}

/// Ends an operation. One that has ended already, or that is not known any more, stays as it is.
pub fn finish(
    tx: &mut Tx<'_>,
    ctx: &Context<'_>,
    id: &str,
    progress: Progress,
) -> Result<(), StoreError> {
    if let Some(mut operation) = tx.get::<Operation>(&id.to_lowercase())?
        && operation.progress == Progress::InProgress
    {
        operation.progress = progress;
        operation.end = Some(ctx.now);
        tx.put(&operation)?;
    }
    Ok(())
}

/// Ends an operation in a failure, with the code and message of a refusal.
pub fn fail(
    tx: &mut Tx<'_>,
    ctx: &Context<'_>,
    id: &str,
    refusal: &Refusal,
) -> Result<(), StoreError> {
    finish(
        tx,
        ctx,
        id,
        Progress::Failed {
            code: refusal.code.clone(),
            message: refusal.message.clone(),
        },
    )
}

fn forget_old(tx: &mut Tx<'_>, vault: &VaultKey) -> Result<(), StoreError> {
    if tx.count::<Operation>(vault.as_str())? <= REMEMBERED as u64 {
        return Ok(());
    }
    let mut ended: Vec<Operation> = tx
        .list::<Operation>(vault.as_str())?
        .into_iter()
        .filter(|operation| operation.end.is_some())
        .collect();
    ended.sort_by_key(|operation| operation.end);
    // A tenth at once, so that this is not done at each new operation.
    for operation in ended.iter().take(REMEMBERED / 10) {
        tx.delete::<Operation>(&operation.key())?;
    }
    Ok(())
}
