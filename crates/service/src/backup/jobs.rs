//! New jobs, and the names that come with them.

use sha2::{Digest, Sha256};

use super::rows::{Copied, Item, Job, Kind, Outcome, Sequence, Stage, Work};
use crate::core::{Context, VaultKey};
use crate::store::{Row as _, StoreError, Tx};

/// A job for an item, queued but not written yet.
pub(super) fn for_item(
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    item: &Item,
    kind: Kind,
    work: Work,
) -> Result<Job, StoreError> {
    let mut job = for_vault(ctx, tx, &item.vault, kind, work)?;
    job.item = Some(item.key());
    job.vm.clone_from(&item.vm);
    job.container = item.short_name();
    job.state("VM Name", item.vm.clone());
    Ok(job)
}

/// A job for a vault, queued but not written yet.
pub(super) fn for_vault(
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    vault: &VaultKey,
    kind: Kind,
    work: Work,
) -> Result<Job, StoreError> {
    Ok(Job {
        id: ctx.new_id(),
        vault: vault.clone(),
        item: None,
        vm: String::new(),
        container: String::new(),
        kind,
        stage: Stage::Queued,
        began: ctx.now,
        sequence: Sequence::next(tx)?,
        activity: ctx.new_id(),
        crashes: 0,
        stands_still: false,
        cancel: None,
        copied: Copied::default(),
        facts: Vec::new(),
        warnings: Vec::new(),
        fault: None,
        work,
    })
}

/// Records a job that was over as soon as it was asked for: one that changes rows and moves nothing.
pub(super) fn done(
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    item: &Item,
    kind: Kind,
    facts: &[(&str, &str)],
) -> Result<Job, StoreError> {
    let mut job = for_item(ctx, tx, item, kind, Work::Nothing)?;
    facts
        .iter()
        .for_each(|(name, value)| job.state(name, *value));
    job.stage = Stage::Ended {
        when: ctx.now,
        outcome: Outcome::Completed,
    };
    job.keep(tx)?;
    Ok(job)
}

/// A recovery point's name: fifteen digits, as Azure's are, made of a new id.
pub(super) fn point_name(id: &str) -> String {
    let digest = Sha256::digest(id.as_bytes());
    let number = digest
        .iter()
        .take(8)
        .fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    (100_000_000_000_000 + number % 900_000_000_000_000).to_string()
}
