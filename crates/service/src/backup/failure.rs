//! What a job says when it fails: Azure's form of an error, with the way out.
//!
//! Azure numbers its errors; those that only this service knows are numbered from 900001 on.

use kluis_vault::FailureCode;

use jiff::{SignedDuration, Timestamp};

use super::job_words;
use super::rows::Fault;
use crate::inventory::Disk;

fn fault(code: i64, title: &str, message: impl Into<String>, recommendations: &[&str]) -> Fault {
    Fault {
        code,
        title: title.to_owned(),
        message: message.into(),
        recommendations: recommendations
            .iter()
            .map(|&text| text.to_owned())
            .collect(),
    }
}

/// A mover gave up and said why.
pub(super) fn reported(code: FailureCode, message: &str, recommendation: &str) -> Fault {
    let (number, title) = match code {
        FailureCode::InvalidJob => (900_001, "InvalidJob"),
        FailureCode::WrongPassphrase => (900_002, "UserErrorVaultKeyMismatch"),
        FailureCode::NotAVault => (900_003, "UserErrorVaultRepositoryMissing"),
        FailureCode::NewerFormat => (900_004, "UserErrorVaultFormatNewer"),
        FailureCode::VaultExists => (900_005, "UserErrorVaultRepositoryExists"),
        FailureCode::NoSpace => (900_006, "UserErrorInsufficientSpace"),
        FailureCode::SourceUnreadable => (900_007, "UserErrorDiskUnreadable"),
        FailureCode::SourceChanged => (900_008, "UserErrorDiskSizeChanged"),
        FailureCode::VaultDamaged => (900_009, "VaultDataDamaged"),
        FailureCode::SnapshotNotFound => (900_010, "RecoveryPointDataNotFound"),
        FailureCode::TargetTaken => (900_011, "UserErrorTargetDiskExists"),
        FailureCode::TargetDamaged => (900_012, "UserErrorTargetDiskVerificationFailed"),
        FailureCode::Io => (900_013, "InputOutputError"),
        FailureCode::Internal => (900_014, "InternalError"),
        FailureCode::SourceTruncated => (900_023, "UserErrorDiskTruncated"),
        FailureCode::SourceFormat => (900_024, "UserErrorDiskFormatNotSupported"),
        FailureCode::ToolMissing => (900_025, "UserErrorProgramMissing"),
        FailureCode::VaultBusy => (900_030, "VaultBusy"),
        FailureCode::FileNotFound => (900_031, "UserErrorFileNotFound"),
        FailureCode::FileSystemUnreadable => (900_032, "UserErrorFileSystemNotReadable"),
        _ => (900_000, "UnknownError"),
    };
    let advice: &[&str] = if recommendation.is_empty() {
        &[]
    } else {
        &[recommendation]
    };
    fault(number, title, message, advice)
}

/// A job's mover ended without a word, again and again.
pub(super) fn crashed(code: Option<i32>, stderr: &str) -> Fault {
    let how = code.map_or_else(
        || "was ended by a signal or could not be started".to_owned(),
        |code| format!("ended with exit code {code}"),
    );
    let said = if stderr.trim().is_empty() {
        String::new()
    } else {
        format!(" Its last words: {}", stderr.trim())
    };
    fault(
        900_015,
        "MoverCrashed",
        format!("The process that moves the data {how}, repeatedly.{said}"),
        &[
            "Look for the cause in the service's log (memory, killed processes), then run the operation again.",
        ],
    )
}

/// A mover said that it was done without showing that it was.
pub(super) fn no_evidence(what: &str) -> Fault {
    fault(
        900_016,
        "NoEvidence",
        format!("The process that moves the data said that it was done, but not that {what}."),
        &[
            "Run the operation again; if it happens again, the service and its mover may be of different versions.",
        ],
    )
}

/// The machine is no longer there.
pub(super) fn vm_not_found(vm: &str, resource_group: &str) -> Fault {
    fault(
        400_094,
        "UserErrorVmNotFoundV2",
        format!("The virtual machine '{vm}' of resource group '{resource_group}' does not exist."),
        &[
            "If the machine was moved or renamed, protect it under its new name.",
            "If it was deleted, stop its protection; its recovery points stay until you delete them.",
        ],
    )
}

/// What the machine's disks hold could not be kept before they were to be replaced.
pub(super) fn not_backed_up_before(vm: &str, why: &str) -> Fault {
    fault(
        900_040,
        "UserErrorBackupBeforeReplacingFailed",
        format!(
            "The disks of '{vm}' were not replaced: what they hold now could not be backed up first. {why}"
        ),
        &[
            "Mend what kept the backup from being made, then restore again; or restore to a new machine.",
        ],
    )
}

/// The machine no longer has the disks that were to be replaced.
pub(super) fn disks_changed(vm: &str) -> Fault {
    fault(
        900_041,
        "UserErrorDisksChangedBeforeReplacing",
        format!(
            "'{vm}' no longer has the disks that it had when they were to be replaced; none was touched."
        ),
        &["Look at the machine's disks, then restore again."],
    )
}

/// The recovery point went before its restore had its turn, or has no data to restore from.
pub(super) fn point_has_no_data(point: &str) -> Fault {
    fault(
        900_042,
        "RecoveryPointDataNotFound",
        format!("The recovery point '{point}' has no data to restore from any more."),
        &["Restore another recovery point."],
    )
}

/// The choice of disks leaves nothing to back up.
pub(super) fn no_disks(vm: &str) -> Fault {
    fault(
        900_017,
        "UserErrorNoDisksToProtect",
        format!("The virtual machine '{vm}' has no disk that is to be backed up."),
        &["Give the machine a disk, or change which disks its protection leaves out."],
    )
}

/// The item has as many recovery points as there can be.
pub(super) fn too_many_points(limit: usize) -> Fault {
    fault(
        900_018,
        "UserErrorRecoveryPointLimitReached",
        format!("The item has {limit} recovery points, as many as an item can have."),
        &["Shorten the retention of the policy so that older points are removed."],
    )
}

/// The vault went away under a queued job.
pub(super) fn vault_gone() -> Fault {
    fault(
        900_019,
        "ResourceNotFound",
        "The vault or the item that the job was for no longer exists.",
        &[],
    )
}

/// More on-demand backups in a day than Azure advises.
pub(super) fn many_on_demand(count: usize) -> Fault {
    fault(
        900_020,
        "UserErrorFrequentOnDemandBackups",
        format!(
            "This is on-demand backup {count} of this machine within a day; no more than 3 are advised and no more than 9 are taken (rule 7)."
        ),
        &["Schedule more frequent backups with an enhanced policy instead."],
    )
}

/// A run of the schedule that began later than it should have.
pub(super) fn late(message: String) -> Fault {
    fault(
        900_021,
        "ScheduledBackupStartedLate",
        message,
        &["Check that the service was running and that earlier jobs end in time."],
    )
}

/// A backup's mover has something to say of what it read, such as a disk that was written to meanwhile.
pub(super) fn remark(message: &str) -> Fault {
    fault(
        900_022,
        "BackupRemark",
        message,
        &[
            "If a disk was in use while it was read, back the machine up again while it is shut down, or from snapshots of its disks.",
        ],
    )
}

/// The agent in the machine does not answer, so that nobody in it is asked before its snapshots.
pub(super) fn no_agent(vm: &str, consistency: &str) -> Fault {
    fault(
        NO_AGENT,
        "UserErrorGuestAgentStatusUnavailable",
        format!(
            "The agent of the virtual machine '{vm}' does not answer: the recovery point is {consistency} only."
        ),
        &["Install or restart the agent in the machine, then back it up again."],
    )
}

/// A script failed: the point is less consistent than it was to be.
pub(super) fn script(name: &str, end: &str, output: &str) -> Fault {
    let said = if output.is_empty() {
        String::new()
    } else {
        format!(" It said: {output}")
    };
    fault(
        SCRIPT,
        "UserErrorConsistencyScriptFailed",
        format!(
            "The {name} {end}: the recovery point is file-system consistent, not application consistent.{said}"
        ),
        &["Mend the script, or give it more time with the inventory's scripts.timeout."],
    )
}

/// A disk that nobody chose to leave out can't be backed up.
pub(super) fn disk_skipped(disk: &Disk) -> Fault {
    let lun = disk.lun.map(|lun| lun.to_string()).unwrap_or_default();
    let advice = format!(
        "Leave the disk out (LUN {lun}) if that is meant, or turn its write accelerator off."
    );
    fault(
        DISK_SKIPPED,
        "UserErrorWriteAcceleratedDiskSkipped",
        format!(
            "The disk '{}' has its write accelerator on and is not in the recovery point (rule 25).",
            disk.name
        ),
        &[&advice],
    )
}

/// A list of disks to take names some that the machine does not have.
pub(super) fn luns_missing(vm: &str, luns: &[u32]) -> Fault {
    let luns: Vec<_> = luns.iter().map(u32::to_string).collect();
    fault(
        LUNS_MISSING,
        "UserErrorSelectedDiskNotAttached",
        format!(
            "The virtual machine '{vm}' has no disk at LUN {}, which its protection lists: it is not in the recovery point.",
            luns.join(", ")
        ),
        &["Attach the disk, or take its LUN off the list of disks to back up."],
    )
}

/// Whether a warning came of the last attempt to take snapshots.
pub(super) fn is_of_snapshot(fault: &Fault) -> bool {
    [
        NO_AGENT,
        SCRIPT,
        DISK_SKIPPED,
        LUNS_MISSING,
        SNAPSHOTS_LOCKED,
    ]
    .contains(&fault.code)
}

const NO_AGENT: i64 = 900_040;
const SCRIPT: i64 = 900_041;
const DISK_SKIPPED: i64 = 900_042;
const LUNS_MISSING: i64 = 900_043;
const SNAPSHOTS_LOCKED: i64 = 900_047;

/// Snapshots whose days are over are still there, because their resource group is locked.
pub(super) fn snapshots_locked(group: &str, level: &str, count: usize, most: usize) -> Fault {
    fault(
        SNAPSHOTS_LOCKED,
        "UserErrorResourceGroupLocked",
        format!(
            "The resource group '{group}' is locked ({level}): {count} snapshots of older recovery points can't be removed (rule 34). Once there are {most}, backups fail."
        ),
        &["Remove the lock from the resource group."],
    )
}

/// There is no room for another snapshot, because a lock keeps the older ones.
pub(super) fn snapshots_full(group: &str, level: &str, most: usize) -> Fault {
    fault(
        400_190,
        "UserErrorRpCollectionLimitReached",
        format!(
            "The machine has {most} snapshots of recovery points, as many as it can have: the resource group '{group}' is locked ({level}), so that older ones can't be removed (rule 34)."
        ),
        &["Remove the lock from the resource group, then back the machine up again."],
    )
}

/// The snapshot files that a transfer was to read are gone.
pub(super) fn snapshots_gone() -> Fault {
    fault(
        900_044,
        "SnapshotNotFound",
        "The snapshots that were to be transferred to the vault are no longer there.",
        &["Back the machine up again."],
    )
}

/// The same failure of a backup whose snapshots are there all the same.
pub(super) fn left_as_snapshot(mut fault: Fault, until: Timestamp) -> Fault {
    fault.message.push_str(&format!(
        " The recovery point is not in the vault; it can be restored from its snapshot until {} UTC.",
        job_words::moment(until)
    ));
    fault
}

/// A run of a daily policy took longer than the day that the next one comes after.
pub(super) fn longer_than_a_day(took: SignedDuration) -> Fault {
    fault(
        900_045,
        "BackupExceededOneDay",
        format!(
            "The backup took {}, more than the 24 h from its snapshot to the vault that a daily policy allows (rule 36); the next run waited for it.",
            job_words::length(took)
        ),
        &[
            "Leave disks out, back up less often, or let the service have faster disks and more jobs at once (--max-jobs).",
        ],
    )
}

/// A limit of Azure's that a machine is beyond.
pub(super) enum Limit<'a> {
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
pub(super) fn limit(limit: &Limit<'_>) -> Fault {
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
