//! What a job says of a machine that Azure could not back up.

use super::fault;
use crate::backup::rows::Fault;

/// A limit of Azure's that a machine is beyond.
pub(in crate::backup) enum Limit<'a> {
    Disks {
        vm: &'a str,
        has: usize,
        most: usize,
    },
    DiskSize {
        disk: &'a str,
        has: u64,
        most: u64,
    },
    DisksTogether {
        vm: &'a str,
        has: u64,
        most: u64,
    },
    MachineSize {
        vm: &'a str,
        cores: u32,
        memory_gib: f64,
        fewest_cores: u32,
        least_gib: f64,
    },
    Shared {
        disk: &'a str,
        lun: Option<u32>,
    },
    EnhancedOnly {
        disk: &'a str,
        sku: &'a str,
    },
    Kind {
        disk: &'a str,
        sku: &'a str,
    },
}

/// A machine that can't be backed up as it is.
pub(in crate::backup) fn limit(limit: &Limit<'_>) -> Fault {
    let tib = |bytes: u64| {
        let hundredths = u128::from(bytes) * 100 / (1 << 40);
        format!("{}.{:02}", hundredths / 100, hundredths % 100)
    };
    match limit {
        Limit::Disks { vm, has, most } => fault(
            900_050,
            "UserErrorDiskCountLimitExceeded",
            format!(
                "{has} disks of the virtual machine '{vm}' are to be backed up; no more than {most} can be (rule 22)."
            ),
            &["Leave some of its data disks out of the backup."],
        ),
        Limit::DiskSize { disk, has, most } => fault(
            900_051,
            "UserErrorDiskSizeLimitExceeded",
            format!(
                "The disk '{disk}' has {} TB; a disk of up to {} TB can be backed up (rule 23).",
                tib(*has),
                *most >> 40
            ),
            &["Leave the disk out of the backup, or spread its data over smaller disks."],
        ),
        Limit::DisksTogether { vm, has, most } => fault(
            900_052,
            "UserErrorTotalDiskSizeLimitExceeded",
            format!(
                "The disks of the virtual machine '{vm}' have {} TB together; up to {} TB can be backed up (rule 23).",
                tib(*has),
                *most >> 40
            ),
            &["Leave some of its data disks out of the backup."],
        ),
        Limit::MachineSize {
            vm,
            cores,
            memory_gib,
            fewest_cores,
            least_gib,
        } => fault(
            900_053,
            "UserErrorVmSizeNotSupported",
            format!(
                "The virtual machine '{vm}' has {cores} cores and {memory_gib} GB of memory; one that is backed up has at least {fewest_cores} cores and {least_gib} GB (rule 24)."
            ),
            &["Give the machine a larger size."],
        ),
        Limit::Shared { disk, lun } => {
            let advice = lun.map_or_else(
                || "Use an OS disk that one machine has for itself.".to_owned(),
                |lun| format!("Leave the disk out of the backup (LUN {lun})."),
            );
            fault(
                900_054,
                "UserErrorSharedDiskNotSupported",
                format!(
                    "The disk '{disk}' is shared by machines; shared disks can't be backed up with one of them (rule 25)."
                ),
                &[&advice],
            )
        }
        Limit::EnhancedOnly { disk, sku } => fault(
            900_055,
            "UserErrorDiskTypeNeedsEnhancedPolicy",
            format!(
                "The disk '{disk}' is of type {sku}, which only an enhanced policy (V2) backs up (rule 25)."
            ),
            &["Use an enhanced policy, or leave the disk out of the backup."],
        ),
        Limit::Kind { disk, sku } => fault(
            900_056,
            "UserErrorDiskTypeNotSupported",
            format!(
                "The disk '{disk}' is of type {sku}, which can't be backed up; Standard_*, StandardSSD_* and Premium_* can, and with an enhanced policy UltraSSD_* and PremiumV2_* (rule 25)."
            ),
            &["Leave the disk out of the backup."],
        ),
    }
}
