//! The protected item, as the vault has it, in the terms that decisions are made in.

use jiff::Timestamp;
use kluis_api::ProtectionState;
use kluis_arm::id::PolicyId;
use kluis_arm::item::{DiskExclusion, Item, ProtectedItem, ProtectionState as WireState, VmItem};

/// A protected virtual machine in a vault.
pub(crate) struct Seen<'a> {
    pub(crate) item: &'a VmItem,
    pub(crate) state: ProtectionState,
    /// The policy it is protected by.
    pub(crate) policy: Option<PolicyId>,
    pub(crate) last_backup: Option<Timestamp>,
}

impl<'a> Seen<'a> {
    /// None when the item is not a virtual machine.
    pub(crate) fn of(item: &'a Item) -> Option<Self> {
        let ProtectedItem::VirtualMachine(item) = &item.properties else {
            return None;
        };
        Some(Self {
            item,
            state: state(item),
            policy: item.policy_id.as_deref().and_then(|id| id.parse().ok()),
            last_backup: item
                .last_backup_time
                .as_ref()
                .and_then(|time| time.moment().ok()?),
        })
    }

    pub(crate) fn policy_name(&self) -> Option<String> {
        self.policy.as_ref().map(|policy| policy.name.to_string())
    }

    /// The disks that were chosen; None when all are backed up.
    pub(crate) fn disks(&self) -> Option<&DiskExclusion> {
        let chosen = self
            .item
            .extended_properties
            .as_ref()?
            .disk_exclusion_properties
            .as_ref()?;
        let leaves_out_none = chosen.is_inclusion_list != Some(true)
            && chosen.disk_lun_list.as_ref().is_none_or(Vec::is_empty);
        (!leaves_out_none).then_some(chosen)
    }
}

fn state(item: &VmItem) -> ProtectionState {
    if item.is_scheduled_for_deferred_delete == Some(true) {
        return ProtectionState::SoftDeleted;
    }
    match item.protection_state {
        Some(WireState::IrPending) => ProtectionState::IrPending,
        Some(WireState::ProtectionStopped) => ProtectionState::ProtectionStopped,
        Some(WireState::BackupsSuspended | WireState::ProtectionPaused) => {
            ProtectionState::BackupsSuspended
        }
        Some(WireState::ProtectionError | WireState::Invalid) => ProtectionState::ProtectionError,
        // A state this version does not know is one in which the item is listed: it is not taken for unprotected.
        Some(WireState::Protected | WireState::Other(_)) | None => ProtectionState::Protected,
    }
}
