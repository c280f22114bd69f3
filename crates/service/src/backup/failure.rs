//! What a job says when it fails: Azure's form of an error, with the way out.
//!
//! Azure numbers its errors; those that only this service knows are numbered from 900001 on.

use kluis_vault::FailureCode;

use super::rows::Fault;

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
            "This is on-demand backup {count} of this machine within a day; no more than 3 are advised and no more than 9 are taken."
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
