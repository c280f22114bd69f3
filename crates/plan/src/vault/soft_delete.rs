//! Less soft delete: what is deleted from then on can be had back for a shorter time, or not at all. While the vault has recovery points
//! that is a loss like any other, and approved like one (law 3). What is softly deleted already keeps the days that it was given.
//!
//! A vault's soft delete is for everything in it, so that items of every kind count, also of those that no object here declares: file
//! shares and databases by their points, and what lists none here as a whole.

use kluis_api::{SoftDeleteState, Vault};
use kluis_arm::id::VaultId;
use kluis_arm::vault as wire;

use super::body;
use crate::approval::{self, Approved, Consent, Pending, Stake};
use crate::ids;
use crate::loss::Loss;
use crate::waiting::Waiting;
use crate::world::{Observed, VaultItem, VaultWorld, Want};

/// What has to be read to know what the change would cost.
pub(super) fn wants(world: &VaultWorld, id: &VaultId) -> Vec<Want> {
    let Some(weakening) = Weakening::of(world) else {
        return Vec::new();
    };
    match &world.items {
        None => vec![Want::Items(id.clone())],
        Some(Observed::Found(items)) => {
            let digest = weakening.digest(id, items);
            if weakening.counted(world, &digest).is_some() {
                return Vec::new();
            }
            let listed = items.iter().filter_map(|item| item.points.clone());
            let unread = listed.filter(|item| !world.points.contains_key(item));
            unread.map(Want::Points).collect()
        }
        Some(Observed::Absent | Observed::Unknown(_)) => Vec::new(),
    }
}

/// What the change costs, or would cost; None when nothing.
pub(super) fn assess(world: &VaultWorld, id: &VaultId) -> Result<Option<Stake>, Waiting> {
    let Some(weakening) = Weakening::of(world) else {
        return Ok(None);
    };
    let unknown = |failure: &crate::ArmFailure| Waiting::LossUnknown {
        failure: failure.clone(),
    };
    let unread = || Waiting::StillProvisioning {
        what: "the count of recovery points".to_owned(),
    };
    let items = match &world.items {
        Some(Observed::Found(items)) => items.as_slice(),
        Some(Observed::Unknown(failure)) => return Err(unknown(failure)),
        Some(Observed::Absent) => &[],
        None => return Err(unread()),
    };
    let digest = weakening.digest(id, items);
    let (loss, counted_at) = match weakening.counted(world, &digest) {
        Some(counted) => counted,
        None => {
            let mut loss = Loss::default();
            for item in items {
                let points = item.points.as_ref().map(|points| world.points.get(points));
                match points {
                    Some(Some(Observed::Found(cost))) => loss.add(item.name.clone(), *cost),
                    // Listed, and its points are not: they are not taken for none.
                    None | Some(Some(Observed::Absent)) => {
                        loss.uncounted = loss.uncounted.saturating_add(1);
                    }
                    Some(Some(Observed::Unknown(failure))) => return Err(unknown(failure)),
                    Some(None) => return Err(unread()),
                }
            }
            (loss, world.now)
        }
    };
    Ok((!loss.is_none()).then(|| Stake {
        vault: ids::qualified(&world.vault.metadata),
        approval: consent(&world.vault).to(&digest),
        digest,
        loss,
        counted_at,
    }))
}

/// What has to be approved first, in words; None when nothing has.
pub(super) fn pending(world: &VaultWorld, stake: Option<&Stake>) -> Option<Waiting> {
    let needed = stake.filter(|stake| stake.approval == Approved::Needed);
    let weakening = Weakening::of(world)?;
    let pending = Pending::of(needed)?;
    Some(Waiting::ApprovalRequired(Box::new(Pending {
        what: format!(
            "soft delete {} instead of {}, once they are deleted,",
            weakening.wanted, weakening.present
        ),
        ..pending
    })))
}

/// Less soft delete than there is, in words.
struct Weakening {
    present: String,
    wanted: String,
}

impl Weakening {
    /// None when there is to be no less than there is.
    fn of(world: &VaultWorld) -> Option<Self> {
        let found = world.arm.as_ref()?.found()?;
        let settings = body::soft_delete(found)?;
        let is_on = matches!(
            settings.soft_delete_state,
            Some(wire::SoftDeleteState::Enabled | wire::SoftDeleteState::AlwaysOn)
        );
        let wanted = &world.vault.spec.soft_delete;
        let is_off = wanted.state == SoftDeleteState::Disabled;
        let days = settings
            .soft_delete_retention_period_in_days
            .and_then(|days| u32::try_from(days).ok());
        let is_shorter = days.is_some_and(|days| wanted.retention_days < days);
        (is_on && (is_off || is_shorter)).then(|| Self {
            present: body::soft_delete_in_words(found).unwrap_or_default(),
            wanted: match wanted.state {
                SoftDeleteState::Disabled => "Disabled".to_owned(),
                state => format!("{state:?}, {} days", wanted.retention_days),
            },
        })
    }

    fn digest(&self, id: &VaultId, items: &[VaultItem]) -> String {
        let said = |words: &str| format!("soft delete {words}");
        let items = items.iter().map(|item| &item.id);
        approval::digest(id, items, &said(&self.present), &said(&self.wanted))
    }

    fn counted(&self, world: &VaultWorld, digest: &str) -> Option<(Loss, jiff::Timestamp)> {
        let before = world.vault.status.as_ref()?.approval.as_ref();
        let given = consent(&world.vault).to(digest);
        approval::counted(before, digest, given, world.now)
    }
}

fn consent(vault: &Vault) -> Consent<'_> {
    Consent {
        control: vault.spec.change_control,
        approved: vault.spec.approved_loss.as_deref(),
    }
}
