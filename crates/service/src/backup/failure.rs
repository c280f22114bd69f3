//! What a job says when it fails: Azure's form of an error, with the way out.
//!
//! Azure numbers its errors; those that only this service knows are numbered from 900001 on.

mod limits;

use kluis_vault::FailureCode;

use jiff::{SignedDuration, Timestamp};

use super::job_words;
use super::rows::Fault;
use crate::core::OnDemand;
use crate::inventory::Disk;

pub(super) use limits::{Limit, limit};

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
        FailureCode::KeyMissing => (900_080, "UserErrorVaultKeyMissing"),
        FailureCode::KeyDamaged => (900_081, "UserErrorVaultKeyDamaged"),
        FailureCode::ConfigMissing => (900_082, "UserErrorVaultConfigMissing"),
        FailureCode::ConfigDamaged => (900_083, "UserErrorVaultConfigDamaged"),
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
        FailureCode::Stalled => (900_132, "JobStalled"),
        FailureCode::SourceInUse => (900_130, "UserErrorDiskInUse"),
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

/// Files or folders that were asked for and could not be restored.
/// Those that are not supported are no damage.
pub(super) fn files_left_out(count: u64, unsupported: u64, first: &[String]) -> Fault {
    let what = if count == 1 {
        "1 file or folder that was asked for is".to_owned()
    } else {
        format!("{count} files or folders that were asked for are")
    };
    let mut said = match (unsupported, count - unsupported.min(count)) {
        (0, _) => String::new(),
        (_, 0) => " Nothing is damaged: they are not supported by this reader.".to_owned(),
        (some, rest) => format!(
            " {some} of them are not supported by this reader, {rest} are damaged or refused."
        ),
    };
    for sentence in first {
        if said.len() + sentence.len() > LONGEST_LIST {
            said.push_str(" …");
            break;
        }
        said.push(' ');
        said.push_str(sentence);
    }
    fault(
        900_033,
        "UserErrorFilesLeftOut",
        format!("{what} not among the restored ones:{said}"),
        &[
            "Restore them from another recovery point, or restore the disk and mend its file system.",
        ],
    )
}

/// A message names no more than so many bytes of files.
const LONGEST_LIST: usize = 1_000;

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
pub(super) fn many_on_demand(count: usize, limits: OnDemand) -> Fault {
    let OnDemand { advised, most } = limits;
    fault(
        900_020,
        "UserErrorFrequentOnDemandBackups",
        format!(
            "This is on-demand backup {count} of this machine within a day; no more than {advised} are advised and no more than {most} are taken (rule 7)."
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

/// What was called unchanged of a disk was found not to be.
pub(super) fn diverged(disk: &str, chunks: u64) -> Fault {
    fault(
        900_131,
        "DiskChangedUnnoticed",
        format!(
            "Disk {disk} differs from its last recovery point in {chunks} MiB or more that its dirty bitmap (or list of changes) called unchanged. It was read whole now: this recovery point is right. Points since it was last read whole may hold older data in places."
        ),
        &[
            "Find out what changes the image without QEMU's knowledge: a tool that writes to its file, a copy put in its place, a bitmap that somebody cleared, disabled or replaced.",
            "Restore this point or a later one where you can; the earlier ones say which of their disks are in doubt.",
        ],
    )
}

/// A restore of disks has something to say of where they came from.
pub(super) fn restore_remark(message: &str) -> Fault {
    fault(
        900_064,
        "RestoreRemark",
        message,
        &[
            "What was restored was compared all the same. Look after the disks that the vaults and the snapshots lie on: something there is gone or damaged.",
        ],
    )
}

/// The script that was to let a machine go on, after a snapshot that was killed, did not succeed.
pub(super) fn not_released(end: &str, output: &str) -> Fault {
    fault(
        900_065,
        "UserErrorMachineMayBeHeldUp",
        format!(
            "The snapshot was interrupted after the pre-script, and the post-script that was to put that right {end}: the applications of the machine may still be held up.{}",
            said(output)
        ),
        &["Run the post-script by hand, or start the applications again; then mend the script."],
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
    fault(
        SCRIPT,
        "UserErrorConsistencyScriptFailed",
        format!(
            "The {name} {end}: the recovery point is not application consistent.{}",
            said(output)
        ),
        &["Mend the script, or give it more time with the inventory's scripts.timeout."],
    )
}

fn said(output: &str) -> String {
    if output.is_empty() {
        String::new()
    } else {
        format!(" It said: {output}")
    }
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

const NO_AGENT: i64 = 900_060;
const SCRIPT: i64 = 900_061;
const DISK_SKIPPED: i64 = 900_062;
const LUNS_MISSING: i64 = 900_063;
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    /// A client goes by the number of an error: it says one thing.
    #[test]
    fn no_number_is_given_twice() {
        let mut given = BTreeSet::new();
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let files = ["backup/failure", "health"].map(|folder| own.join(folder).read_dir().unwrap());
        let mut files: Vec<_> = files
            .into_iter()
            .flatten()
            .map(|file| file.unwrap().path())
            .collect();
        files.push(own.join("backup/failure.rs"));
        let texts = files
            .iter()
            .map(|file| std::fs::read_to_string(file).unwrap());
        for text in texts {
            for (at, _) in text.match_indices("900_") {
                let number: String = text[at..].chars().take(7).collect();
                if number[4..].chars().all(|digit| digit.is_ascii_digit()) {
                    assert!(given.insert(number.clone()), "{number} is given twice");
                }
            }
        }
        assert!(given.len() > 40, "{given:?}");
    }
}
