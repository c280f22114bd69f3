//! What keeps an item's points now, and what would keep them: a change of terms that would cost any is not sent before somebody has
//! approved it (law 3), and none goes from Enhanced to Standard.

use jiff::Timestamp;
use kluis_api::{
    BackupPolicy, LastTerms, OperationKind, PolicyVault, ProtectionState, Tier, Workload,
};
use kluis_arm::id::PolicyId;
use kluis_arm::policy::{Generation, ParseError, Policy, ProtectionPolicy, Terms, parse};
use kluis_policy::loss::Tagged;

use crate::approval::{self, Consent, Stake};
use crate::gate::Target;
use crate::ids;
use crate::loss::{self, Assessment, Loss, Present};
use crate::policy::following;
use crate::protected_vm::immutability;
use crate::seen::Seen;
use crate::terms::rendered;
use crate::waiting::Waiting;
use crate::world::{Observed, ProtectedVmWorld, Want};

/// Another policy, or an end to "for ever".
pub(super) struct Change {
    /// What prunes the item's points now; None when nothing does.
    present: Option<Terms>,
    wanted: Terms,
    tagged: Tagged,
    digest: String,
}

/// What still has to be read to know what the change would cost.
pub(super) fn wants(world: &ProtectedVmWorld, target: &Target<'_>, seen: &Seen<'_>) -> Vec<Want> {
    let present = present_policy(world, target, seen)
        .is_none()
        .then(|| {
            seen.policy
                .clone()
                .or_else(|| last_policy(world, target, seen))
        })
        .flatten()
        .map(Want::Policy);
    if let Some(present) = present {
        return vec![present];
    }
    if keeps_its_policy(world, target, seen) {
        return Vec::new();
    }
    let Ok(change) = Change::of(world, target, seen) else {
        return Vec::new();
    };
    let is_unread = world.points.is_none() && change.counted(world).is_none();
    is_unread
        .then(|| Want::Points(target.item.clone()))
        .into_iter()
        .collect()
}

/// What the change would cost; None when nothing.
pub(super) fn assess(
    world: &ProtectedVmWorld,
    target: &Target<'_>,
    seen: &Seen<'_>,
) -> Result<Option<Stake>, Waiting> {
    if !is_change_of_terms(world, target, seen) || keeps_its_policy(world, target, seen) {
        return Ok(None);
    }
    // What the vault is about to have of the policy is not what is read of it now.
    if is_policy_changing(world, target) {
        return Err(match world.policy.as_ref().and_then(super::stalled) {
            Some(message) => Waiting::PolicyNotReady {
                policy: world.policy_id(target)?.name.to_string(),
                message,
            },
            None => Waiting::OperationInProgress {
                kind: OperationKind::UpdatePolicy,
            },
        });
    }
    let change = Change::of(world, target, seen)?;
    if was_enhanced(world, &change) && change.wanted.generation != Generation::Enhanced {
        let last = world.status().and_then(|status| status.last_policy.clone());
        return Err(Waiting::ItemTierDowngrade {
            present: seen.policy_name().or(last).unwrap_or_default(),
            wanted: world.policy_id(target)?.name.to_string(),
        });
    }
    let (loss, counted_at) = match change.counted(world) {
        Some(counted) => counted,
        None => (change.cost(world)?, world.now),
    };
    let metadata = &target.vault.metadata;
    Ok((!loss.is_none()).then(|| Stake {
        vault: ids::qualified(metadata),
        approval: consent(world).to(&change.digest),
        digest: change.digest,
        loss,
        counted_at,
    }))
}

impl Change {
    fn of(world: &ProtectedVmWorld, target: &Target<'_>, seen: &Seen<'_>) -> Result<Self, Waiting> {
        let wanted = wanted_terms(world)?;
        let present = present_terms(world, target, seen)?;
        let in_force = approval::in_words(present.as_ref());
        let items = std::slice::from_ref(&target.item);
        let to = approval::in_words(Some(&wanted));
        Ok(Self {
            digest: approval::digest(&target.vault_id, items, &in_force, &to),
            tagged: tagged(world, &wanted),
            present,
            wanted,
        })
    }

    fn counted(&self, world: &ProtectedVmWorld) -> Option<(Loss, Timestamp)> {
        let before = world.status()?.approval.as_ref();
        let given = consent(world).to(&self.digest);
        approval::counted(before, &self.digest, given, world.now)
    }

    fn cost(&self, world: &ProtectedVmWorld) -> Result<Loss, Waiting> {
        let points = match &world.points {
            Some(Observed::Found(points)) => points.as_slice(),
            Some(Observed::Absent) => &[],
            Some(Observed::Unknown(failure)) => {
                return Err(Waiting::LossUnknown {
                    failure: failure.clone(),
                });
            }
            None => {
                return Err(Waiting::StillProvisioning {
                    what: "the count of recovery points".to_owned(),
                });
            }
        };
        let present = match &self.present {
            Some(terms) => Present::Terms(terms),
            None => Present::ForEver(self.tagged),
        };
        let assessment = Assessment::of(&present, &self.wanted, world.now);
        let mut cost = assessment.cost(&loss::scheduled(points));
        if matches!(present, Present::ForEver(_)) {
            cost = loss::sum(&cost, &loss::overdue(points, world.now));
        }
        let mut loss = Loss::default();
        loss.add(ids::qualified(&world.item.metadata), cost);
        Ok(loss)
    }
}

/// What the policy that is in force for the item makes of its points that stays with them.
pub(super) fn last_terms(in_force: &Terms) -> LastTerms {
    LastTerms {
        tier: match in_force.generation {
            Generation::Standard => Tier::Standard,
            Generation::Enhanced => Tier::Enhanced,
        },
        tags: approval::tags(in_force),
    }
}

/// Whether the wanted policy chooses the same days for its long tiers as the one that made a stopped item's points. Azure forgets which
/// that was; what was not seen, or was edited since, may have chosen none.
fn tagged(world: &ProtectedVmWorld, wanted: &Terms) -> Tagged {
    let last = world.status().and_then(|status| status.last_terms.as_ref());
    match last {
        Some(last) if last.tags == approval::tags(wanted) => Tagged::AsWanted,
        Some(_) | None => Tagged::Otherwise,
    }
}

/// Whether the item is, or was before it was stopped, protected by an Enhanced policy. Of one that nobody saw running the service alone
/// knows, and refuses what it may not do.
fn was_enhanced(world: &ProtectedVmWorld, change: &Change) -> bool {
    let last = world.status().and_then(|status| status.last_terms.as_ref());
    match &change.present {
        Some(present) => present.generation == Generation::Enhanced,
        None => last.is_some_and(|last| last.tier == Tier::Enhanced),
    }
}

fn is_policy_changing(world: &ProtectedVmWorld, target: &Target<'_>) -> bool {
    in_vault(world, target).is_some_and(|known| known.operation.is_some())
}

/// What the policy's status says of the item's vault.
fn in_vault<'a>(world: &'a ProtectedVmWorld, target: &Target<'_>) -> Option<&'a PolicyVault> {
    let status = world.policy.as_ref()?.status.as_ref()?;
    let vault = ids::qualified(&target.vault.metadata);
    status.vaults.iter().find(|known| known.name == vault)
}

fn consent(world: &ProtectedVmWorld) -> Consent<'_> {
    Consent {
        control: world.item.spec.change_control,
        approved: world.item.spec.approved_loss.as_deref(),
    }
}

/// The terms of the policy that is declared: as the vault has it, or, where it isn't in the vault yet or is about to keep points there for
/// a shorter time, as it is to be written there.
fn wanted_terms(world: &ProtectedVmWorld) -> Result<Terms, Waiting> {
    match (&world.arm_policy, &world.policy) {
        (Some(Observed::Found(there)), _) => {
            let there = parse(&there.properties).map_err(|error| unreadable(&error))?;
            Ok(about_to_be(world, &there).unwrap_or(there))
        }
        (_, Some(policy)) => declared(policy, world.now),
        (_, None) => Err(Waiting::StillProvisioning {
            what: "the policy".to_owned(),
        }),
    }
}

/// `Err` while the vault's copy of the policy keeps points for longer than is declared: the edit that is to come is judged by what the
/// policy prunes then, and what came under it in between would not have been.
pub(super) fn up_to_date(
    world: &ProtectedVmWorld,
    target: &Target<'_>,
    seen: &Seen<'_>,
) -> Result<(), Waiting> {
    let there = world.arm_policy.as_ref().and_then(Observed::found);
    let Some(there) = there.and_then(|there| parse(&there.properties).ok()) else {
        return Ok(());
    };
    let Some(wanted) = about_to_be(world, &there) else {
        return Ok(());
    };
    if keeps_its_policy(world, target, seen) || is_without_loss(world, &there, &wanted) {
        return Ok(());
    }
    let policy = world.policy_id(target)?.name.to_string();
    Err(match world.policy.as_ref().and_then(super::stalled) {
        Some(message) => Waiting::PolicyNotReady { policy, message },
        None => Waiting::PolicyOutOfDate {
            policy,
            vault: target.vault_id.name.to_string(),
            why: in_vault(world, target).and_then(|there| there.message.clone()),
        },
    })
}

/// Whether the policy's edit, when it comes, will cost none of the item's points, and is approved by nothing that names its items: then the
/// item need not wait for it.
fn is_without_loss(world: &ProtectedVmWorld, there: &Terms, wanted: &Terms) -> bool {
    let is_unasked = world
        .policy
        .as_ref()
        .is_some_and(|policy| policy.spec.approved_loss.is_none());
    let Some(Observed::Found(points)) = world.points.as_ref().filter(|_| is_unasked) else {
        return false;
    };
    let assessment = Assessment::of(&Present::Terms(there), wanted, world.now);
    let mut loss = Loss::default();
    loss.add(String::new(), assessment.cost(&loss::scheduled(points)));
    loss.is_none()
}

/// What is to be written over the policy in the vault, where that could cost points. A policy that is going is written no more.
fn about_to_be(world: &ProtectedVmWorld, there: &Terms) -> Option<Terms> {
    let policy = world.policy.as_ref()?;
    let is_written = policy.metadata.deletion_timestamp.is_none()
        && policy.spec.workload == Workload::VirtualMachine
        && world.item.spec.policy_ref.azure_name.is_none();
    let declared = is_written
        .then(|| declared(policy, world.now).ok())
        .flatten()?;
    loss::could_cost(there, &declared).then_some(declared)
}

/// The same, as it is to be written.
pub(crate) fn to_be_written(world: &ProtectedVmWorld) -> Option<ProtectionPolicy> {
    let there = world.arm_policy.as_ref()?.found()?;
    let there = parse(&there.properties).ok()?;
    rendered(&about_to_be(world, &there)?).ok()
}

/// What the BackupPolicy says, as it is read back from the wire.
fn declared(policy: &BackupPolicy, now: Timestamp) -> Result<Terms, Waiting> {
    let terms = following::terms_at(&policy.spec, now)?;
    parse(&rendered(&terms)?).map_err(|error| unreadable(&error))
}

fn unreadable(error: &ParseError) -> Waiting {
    Waiting::PolicyNotExpressible {
        message: error.to_string(),
    }
}

/// The terms that prune the item's points now; None when nothing does.
fn present_terms(
    world: &ProtectedVmWorld,
    target: &Target<'_>,
    seen: &Seen<'_>,
) -> Result<Option<Terms>, Waiting> {
    if seen.state == ProtectionState::ProtectionStopped || seen.policy.is_none() {
        return Ok(None);
    }
    match present_policy(world, target, seen) {
        Some(Observed::Found(policy)) => parse(&policy.properties)
            .map(Some)
            .map_err(|error| unreadable(&error)),
        Some(Observed::Unknown(failure)) => Err(Waiting::LossUnknown {
            failure: failure.clone(),
        }),
        // A policy that is gone prunes nothing.
        Some(Observed::Absent) => Ok(None),
        None => Err(Waiting::StillProvisioning {
            what: "the present policy".to_owned(),
        }),
    }
}

/// The policy that a stopped item had, where a vault with immutability holds the next one to it; None where that is not known.
fn last_policy(world: &ProtectedVmWorld, target: &Target<'_>, seen: &Seen<'_>) -> Option<PolicyId> {
    let is_asked =
        seen.state == ProtectionState::ProtectionStopped && immutability::is_known(world);
    let last = world
        .status()
        .filter(|_| is_asked)?
        .last_policy
        .as_deref()?;
    let last = target
        .vault_id
        .policy(ids::name("status.lastPolicy", last).ok()?);
    let is_declared = world
        .policy_id(target)
        .is_ok_and(|declared| declared == last);
    (!is_declared).then_some(last)
}

/// Whether the policy that is declared keeps points for a shorter time than the one in force, or than the last one of an item that is stopped, as
/// far as that one is known.
pub(super) fn keeps_less(
    world: &ProtectedVmWorld,
    target: &Target<'_>,
    seen: &Seen<'_>,
) -> Result<bool, Waiting> {
    if !is_change_of_terms(world, target, seen) || keeps_its_policy(world, target, seen) {
        return Ok(false);
    }
    let before = match present_terms(world, target, seen)? {
        Some(present) => Some(present),
        None => {
            let last = world.present_policy.as_ref().and_then(Observed::found);
            last.and_then(|last| parse(&last.properties).ok())
        }
    };
    let wanted = wanted_terms(world)?;
    Ok(before.is_some_and(|before| wanted.retention.is_shorter_than(&before.retention)))
}

/// The policy that the item has now: of an item that was stopped or suspended it may be the declared one, which is read anyway.
pub(super) fn present_policy<'a>(
    world: &'a ProtectedVmWorld,
    target: &Target<'_>,
    seen: &Seen<'_>,
) -> Option<&'a Observed<Box<Policy>>> {
    match world.policy_id(target) {
        Ok(declared) if seen.policy.as_ref() == Some(&declared) => world.arm_policy.as_ref(),
        Ok(_) | Err(_) => world.present_policy.as_ref(),
    }
}

/// Whether the item is only to be backed up again by the policy that prunes it all the while: its backups were suspended. Whatever that
/// policy is about to become, its own edit counts the item's points, and asks for them: once is enough.
fn keeps_its_policy(world: &ProtectedVmWorld, target: &Target<'_>, seen: &Seen<'_>) -> bool {
    seen.state != ProtectionState::ProtectionStopped
        && world
            .policy_id(target)
            .is_ok_and(|wanted| seen.policy.as_ref() == Some(&wanted))
}

/// The terms in force for an item that is protected, as far as they were read.
pub(super) fn in_force(world: &ProtectedVmWorld) -> Option<Terms> {
    let (target, seen) = (world.target().ok()?, world.seen()?);
    present_terms(world, &target, &seen).ok().flatten()
}

/// Whether what keeps the item's points would be another thing than now, or is to be used again.
pub(super) fn is_change_of_terms(
    world: &ProtectedVmWorld,
    target: &Target<'_>,
    seen: &Seen<'_>,
) -> bool {
    let is_stopped = matches!(
        seen.state,
        ProtectionState::ProtectionStopped | ProtectionState::BackupsSuspended
    );
    is_stopped
        || world
            .policy_id(target)
            .is_ok_and(|wanted| seen.policy.as_ref() != Some(&wanted))
}
