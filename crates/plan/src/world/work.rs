//! What is known about work that ends: the part that a BackupJob's world and a Restore's have in common.

use kluis_api::{ItemRef, Operation, ProtectedVM, Vault};
use kluis_arm::id::ItemId;
use kluis_arm::item::Item;
use kluis_arm::job::{Job, JobOperation};
use kluis_arm::recovery_point::RecoveryPoint;

use super::fact::{Fact, Want};
use super::observed::{Access, Observed, Progress};
use crate::errand::Errand;
use crate::gate::{self, Target};
use crate::plan::Basis;
use crate::step::Precondition;
use crate::waiting::Waiting;

/// The item that work is about, and how the work stands in ARM.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// The ProtectedVM that the object names; None when there is none.
    pub item: Option<ProtectedVM>,
    /// The Vault that the item names; None when there is none.
    pub vault: Option<Vault>,
    /// Of the vault's service, for the object's namespace.
    pub access: Access,
    /// From ARM: the protected item.
    pub arm: Option<Observed<Box<Item>>>,
    /// From ARM: the item's recovery points.
    pub points: Option<Observed<Vec<RecoveryPoint>>>,
    /// From ARM: how `status.operation` stands.
    pub progress: Option<Observed<Progress>>,
    /// From ARM: the job.
    pub job: Option<Observed<Box<Job>>>,
    /// From ARM: the vault's jobs of this kind since the intent, to find ours after a crash.
    pub jobs: Option<Observed<Vec<Job>>>,
}

impl Work {
    /// Nothing read yet.
    pub fn about(item: Option<ProtectedVM>, vault: Option<Vault>, access: Access) -> Self {
        Self {
            item,
            vault,
            access,
            arm: None,
            points: None,
            progress: None,
            job: None,
            jobs: None,
        }
    }

    /// Takes in what was read. A fact that is not of the work itself comes back.
    pub(crate) fn fill(&mut self, fact: Fact) -> Option<Fact> {
        match fact {
            Fact::Item(item) => self.arm = Some(item),
            Fact::Progress(progress) => self.progress = Some(progress),
            Fact::Job(job) => self.job = Some(job),
            Fact::Jobs(jobs) => self.jobs = Some(jobs),
            Fact::Points(points) => self.points = Some(points),
            other => return Some(other),
        }
        None
    }

    /// Everything that the item comes down to. What was begun is followed even where nothing could be begun.
    pub(crate) fn target(
        &self,
        named: &ItemRef,
        namespace: &str,
        operation: Option<&Operation>,
    ) -> Result<Target<'_>, Waiting> {
        gate::item_target(
            named,
            self.item.as_ref(),
            self.vault.as_ref(),
            &self.access,
            namespace,
            gate::Need::of(operation.is_some()),
        )
    }

    /// The work, as far as it is known.
    pub(crate) fn errand<'a>(
        &'a self,
        operation: Option<&'a Operation>,
        does: JobOperation,
        item: &ItemId,
    ) -> Errand<'a> {
        Errand {
            operation,
            does,
            item: item.clone(),
            progress: self.progress.as_ref(),
            job: self.job.as_ref(),
            jobs: self.jobs.as_ref(),
        }
    }

    /// A step is taken only while the item is as it was read.
    pub(crate) fn guard(&self, basis: &Basis, item: &ItemId) -> Precondition {
        basis.seen([(Want::Item(item.clone()), self.arm.clone().map(Fact::Item))])
    }

    /// The points that were read, if they were.
    pub(crate) fn known_points(&self) -> &[RecoveryPoint] {
        self.points
            .as_ref()
            .and_then(Observed::found)
            .map_or(&[], Vec::as_slice)
    }
}
