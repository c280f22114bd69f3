//! What a request says beside what is restored and where to. What would be asked for and silently not given is refused by its
//! name; what says nothing, or what is so anyway, is taken.

use kluis_arm::error::code;
use kluis_arm::restore::{EncryptionDetails, TargetDiskNetworkAccess, VmRestoreRequest};
use serde_json::Value;

use super::super::rows::Point;
use super::super::{points, refusals};
use super::preflight;
use super::wanted::said;
use crate::core::{Context, Refusal};
use crate::inventory::VirtualMachine;
use crate::vaults::says_nothing;

/// Refuses what the body alone shows not to be done.
pub(super) fn done(wanted: &VmRestoreRequest) -> Result<(), Refusal> {
    if let Some(settings) = &wanted.target_disk_network_access_settings {
        network_access(settings)?;
    }
    let classic = "classic virtual machines, which this service does not have";
    for (name, text) in [
        (
            "targetDomainNameId",
            wanted.target_domain_name_id.as_deref(),
        ),
        ("affinityGroup", wanted.affinity_group.as_deref()),
    ] {
        if let Some(text) = said(text) {
            return Err(not_supported(&format!(
                "'{name}' is '{text}', which is of {classic}"
            )));
        }
    }
    if wanted.original_storage_account_option == Some(true) {
        let why = "no recovery point of this service offers it ('originalStorageAccountOption' of the point is false): restored disks are in \
                   no storage account";
        return Err(not_supported(&format!(
            "'originalStorageAccountOption' is true, and {why}"
        )));
    }
    match &wanted.extended_location {
        Some(place) if !says_nothing(place) => Err(not_supported(&format!(
            "'extendedLocation' is {place}; this service restores in the vault's region alone, which has no edge zones"
        ))),
        _ => Ok(()),
    }
}

/// Restored disks are as reachable as their source's. There is no private link by which they could be less so.
fn network_access(settings: &TargetDiskNetworkAccess) -> Result<(), Refusal> {
    const OPTION: &str = "targetDiskNetworkAccessSettings.targetDiskNetworkAccessOption";
    const PRIVATE: &str = "EnablePrivateAccessForAllDisks";
    const OTHERS: [&str; 2] = ["SameAsOnSourceDisks", "EnablePublicAccessForAllDisks"];
    if let Some(id) = said(settings.target_disk_access_id.as_deref()) {
        return Err(Refusal::bad_request(
            "UserErrorDiskAccessNotFound",
            format!(
                "There is no disk access '{id}', which 'targetDiskNetworkAccessSettings.targetDiskAccessId' names: the inventory has none, \
                 and what is restored would not be private by it. Leave it out."
            ),
        ));
    }
    match said(settings.target_disk_network_access_option.as_deref()) {
        Some(option) if option.eq_ignore_ascii_case(PRIVATE) => Err(not_supported(&format!(
            "'{OPTION}' is '{option}'; this service has no private links, and what is restored would not be private"
        ))),
        Some(option)
            if !OTHERS
                .iter()
                .any(|known| known.eq_ignore_ascii_case(option)) =>
        {
            Err(refusals::invalid_input(format!(
                "'{OPTION}' is '{option}'; it may be one of '{}'.",
                OTHERS.join("', '")
            )))
        }
        _ => Ok(()),
    }
}

/// What is said of a machine's encryption is what its recovery point says: nothing is encrypted by a restore, nor by another key.
pub(super) fn encryption(
    details: &EncryptionDetails,
    point: &Point,
    source: Option<&VirtualMachine>,
    ctx: &Context<'_>,
) -> Result<(), Refusal> {
    if details.encryption_enabled == Some(true) && !preflight::is_encrypted(point, source) {
        return Err(refusals::invalid_input(format!(
            "'encryptionDetails.encryptionEnabled' is true, but '{}' was not encrypted when the recovery point was made, and nothing is \
             encrypted by a restore. Leave it out.",
            point.vm
        )));
    }
    let keys = preflight::keys(point, source);
    let shown = keys.map_or(Value::Null, |keys| points::key_and_secret(keys, ctx));
    for (name, value, pointer) in [
        ("kekUrl", &details.kek_url, "/kekDetails/keyUrl"),
        (
            "kekVaultId",
            &details.kek_vault_id,
            "/kekDetails/keyVaultId",
        ),
        (
            "secretKeyUrl",
            &details.secret_key_url,
            "/bekDetails/secretUrl",
        ),
        (
            "secretKeyVaultId",
            &details.secret_key_vault_id,
            "/bekDetails/secretVaultId",
        ),
    ] {
        let Some(value) = said(value.as_deref()) else {
            continue;
        };
        let known = shown.pointer(pointer).and_then(Value::as_str);
        if !known.is_some_and(|known| is_of(value, known)) {
            let known = known.map_or_else(|| "none".to_owned(), |known| format!("'{known}'"));
            return Err(refusals::invalid_input(format!(
                "'encryptionDetails.{name}' is '{value}'; the recovery point of '{}' has {known} there, and a restore uses no other. Leave it out.",
                point.vm
            )));
        }
    }
    Ok(())
}

/// Whether it is this one, or a version of it.
fn is_of(value: &str, known: &str) -> bool {
    let (value, known) = (value.to_lowercase(), known.to_lowercase());
    value
        .strip_prefix(&known)
        .is_some_and(|version| version.is_empty() || version.starts_with('/'))
}

fn not_supported(what: &str) -> Refusal {
    Refusal::bad_request(code::NOT_SUPPORTED, format!("{what}. Leave it out."))
}
