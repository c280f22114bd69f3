//! What is read off a recovery point as the vault lists it.

use jiff::Timestamp;
use kluis_api::{Consistency, StorageTier};
use kluis_arm::recovery_point::{
    Consistency as WireConsistency, RecoveryPoint, RecoveryPointDetail, Tier, TierDetail,
    TierStatus, VmRecoveryPoint,
};
use kluis_arm::time::WireTime;
use serde_json::Value;

/// When the point was made.
pub(crate) fn time(point: &RecoveryPoint) -> Option<Timestamp> {
    match &point.properties {
        RecoveryPointDetail::VirtualMachine(point) => {
            point.recovery_point_time.as_ref()?.moment().ok()?
        }
        // Those of file shares and of databases.
        RecoveryPointDetail::Other(point) => ["recoveryPointTime", "recoveryPointTimeInUTC"]
            .iter()
            .find_map(|field| WireTime::from(point.get(*field)?.as_str()?).moment().ok()?),
    }
}

/// Whether something can come back from it. A point that is being removed is still listed, in no tier that it can be used from; one that
/// says nothing of tiers is taken at its word.
pub(crate) fn is_usable(point: &RecoveryPoint) -> bool {
    let Some(point) = of_vm(point) else {
        return true;
    };
    tiers(point).is_empty() || tiers(point).iter().any(can_be_used)
}

/// Whether a restore in place made it of what it replaced. Such a point comes back by its name alone, and is no success of a backup.
pub(crate) fn is_before_replacing(point: &RecoveryPoint) -> bool {
    of_vm(point).is_some_and(VmRecoveryPoint::is_before_replacing)
}

/// Where it can be had from; None where it does not say.
pub(crate) fn tier(point: &RecoveryPoint) -> Option<StorageTier> {
    let usable = tiers(of_vm(point)?)
        .iter()
        .filter(|tier| can_be_used(tier))
        .filter_map(|tier| tier.tier.as_ref());
    let usable: Vec<&Tier> = usable.collect();
    let is_in = |tier: &Tier| usable.contains(&tier);
    match (is_in(&Tier::InstantRp), is_in(&Tier::HardenedRp)) {
        (true, true) => Some(StorageTier::SnapshotAndVault),
        (true, false) => Some(StorageTier::Snapshot),
        (false, true) => Some(StorageTier::Vault),
        (false, false) if is_in(&Tier::ArchivedRp) => Some(StorageTier::Archive),
        (false, false) => None,
    }
}

/// What it is good for; None where it does not say.
pub(crate) fn consistency(point: &RecoveryPoint) -> Option<Consistency> {
    match of_vm(point)?.recovery_point_type.as_ref()? {
        WireConsistency::AppConsistent => Some(Consistency::Application),
        WireConsistency::FileSystemConsistent => Some(Consistency::FileSystem),
        WireConsistency::CrashConsistent => Some(Consistency::Crash),
        WireConsistency::Other(_) => None,
    }
}

/// Whether it is of a machine with Windows; where it does not say, it is not known to be.
pub(crate) fn is_of_windows(point: &RecoveryPoint) -> bool {
    let system = of_vm(point).and_then(|point| point.os_type.as_deref());
    system.is_some_and(|system| system.eq_ignore_ascii_case("Windows"))
}

/// Whether somebody asked for it and said until when to keep it: no policy prunes it. Where the rule that keeps a point is not told, it
/// is taken for a scheduled one.
pub(crate) fn is_on_demand(point: &RecoveryPoint) -> bool {
    is_kept_by(point, "OnDemand")
}

/// Whether it is a snapshot that never reached the vault: it goes with its snapshot, whatever the policy would have kept it for.
pub(crate) fn is_snapshot_alone(point: &RecoveryPoint) -> bool {
    is_kept_by(point, "Snapshot")
}

fn is_kept_by(point: &RecoveryPoint, rule: &str) -> bool {
    let told = of_vm(point).and_then(|point| {
        point
            .recovery_point_properties
            .as_ref()?
            .rule_name
            .as_deref()
    });
    told.is_some_and(|told| told.eq_ignore_ascii_case(rule))
}

/// Until when it is kept, as far as the vault says.
pub(crate) fn kept_until(point: &RecoveryPoint) -> Option<Timestamp> {
    let properties = of_vm(point)?.recovery_point_properties.as_ref()?;
    let until = properties.expiry_time.as_deref()?;
    WireTime::from(until).moment().ok().flatten()
}

/// The end that it has whatever a policy says: the day until which somebody asked for it, or that of its snapshot where it is that alone.
/// None for any other point, and where it does not say.
pub(crate) fn own_end(point: &RecoveryPoint) -> Option<Timestamp> {
    kept_until(point).filter(|_| is_on_demand(point) || is_snapshot_alone(point))
}

/// The LUNs of the data disks that it holds; None where it does not say.
pub(crate) fn luns(point: &RecoveryPoint) -> Option<Vec<u32>> {
    Some(slots(point)?.into_iter().flatten().collect())
}

/// The LUNs of the disks that it holds, None for the OS disk, which has the LUN -1 on the wire; None where it does not say.
pub(crate) fn slots(point: &RecoveryPoint) -> Option<Vec<Option<u32>>> {
    let configuration = of_vm(point)?.recovery_point_disk_configuration.as_ref()?;
    let held = configuration.included_disk_list.as_ref()?;
    Some(
        held.iter()
            .filter_map(|disk| disk.lun)
            .map(|lun| u32::try_from(lun).ok())
            .collect(),
    )
}

/// Whether the machine's disks were encrypted inside it.
pub(crate) fn is_encrypted(point: &RecoveryPoint) -> bool {
    of_vm(point).is_some_and(|point| point.is_source_vm_encrypted == Some(true))
}

/// The ARM ids of the secret and the key that open an encrypted machine's disks, as far as it tells them.
pub(crate) fn keys(point: &RecoveryPoint) -> Vec<String> {
    let Some(told) = of_vm(point).and_then(|point| point.key_and_secret.as_ref()) else {
        return Vec::new();
    };
    let bek = &told["bekDetails"];
    let kek = &told["kekDetails"];
    [
        entry(&bek["secretVaultId"], "secrets", &bek["secretUrl"]),
        entry(&kek["keyVaultId"], "keys", &kek["keyUrl"]),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// An entry of a key vault by ARM, of the vault's id and the entry's own address: `https://<vault>.vault.azure.net/<kind>/<name>/<version>`.
fn entry(vault: &Value, kind: &str, address: &Value) -> Option<String> {
    let vault = vault.as_str()?.trim_end_matches('/');
    let (_, name) = address.as_str()?.split_once(&format!("/{kind}/"))?;
    let name = name.split('/').next().unwrap_or_default();
    let fits = |text: &str, more: &str| {
        text.chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || more.contains(c))
    };
    let usable =
        vault.starts_with("/subscriptions/") && fits(vault, "/._()") && !vault.contains("..");
    (usable && !name.is_empty() && fits(name, "")).then(|| format!("{vault}/{kind}/{name}"))
}

fn of_vm(point: &RecoveryPoint) -> Option<&VmRecoveryPoint> {
    match &point.properties {
        RecoveryPointDetail::VirtualMachine(point) => Some(point),
        RecoveryPointDetail::Other(_) => None,
    }
}

fn tiers(point: &VmRecoveryPoint) -> &[TierDetail] {
    point
        .recovery_point_tier_details
        .as_deref()
        .unwrap_or_default()
}

fn can_be_used(tier: &TierDetail) -> bool {
    !matches!(
        tier.status,
        Some(TierStatus::Disabled | TierStatus::Deleted | TierStatus::Invalid)
    )
}
