//! What can go wrong in a vault, told apart by what a person does about it.
//!
//! `Display` says what was being done and what stood in the way, never the source: [`describe`] joins the chain once, at
//! the edge.

use std::{error::Error, io, path::PathBuf};

use thiserror::Error;

use crate::event::FailureCode;

/// An error of the data plane.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum VaultError {
    #[error("the job cannot be done as it is written: {0}")]
    InvalidJob(String),
    #[error("the passphrase, or the key that was opened by it, does not open the vault at {}; its key file is whole", .0.display())]
    WrongPassphrase(PathBuf),
    #[error("the vault at {} has no key file left, neither in keys/ nor in copies/keys/", .0.display())]
    KeyMissing(PathBuf),
    #[error("every key file of the vault at {} is damaged", .0.display())]
    KeyDamaged(PathBuf),
    #[error("the config of the vault at {} is missing; the passphrase opens its key file", .0.display())]
    ConfigMissing(PathBuf),
    #[error("the config of the vault at {} is damaged, or another vault's; the passphrase opens its key file", .0.display())]
    ConfigDamaged(PathBuf),
    #[error("the master key is not in a form that a vault's key has")]
    BadKey,
    #[error("there is no vault at {}", .0.display())]
    NotAVault(PathBuf),
    #[error("the vault at {} has a format this version does not know", .0.display())]
    NewerFormat(PathBuf),
    #[error("a vault is already at {}", .0.display())]
    VaultExists(PathBuf),
    #[error("could not {doing} {}: no space is left", .path.display())]
    NoSpace {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("{} has {free} bytes free; {needed} are needed", .path.display())]
    TooSmall {
        path: PathBuf,
        needed: u64,
        free: u64,
    },
    #[error("disk {disk} could not be read from {}", .path.display())]
    SourceUnreadable {
        disk: String,
        path: PathBuf,
        source: io::Error,
    },
    #[error("disk {disk} at {} changed while it was read: {how}", .path.display())]
    SourceChanged {
        disk: String,
        path: PathBuf,
        how: String,
    },
    #[error("disk {disk} at {} is cut off: {how}", .path.display())]
    SourceTruncated {
        disk: String,
        path: PathBuf,
        how: String,
    },
    #[error("disk {disk} at {} is {format}, which is not read", .path.display())]
    SourceFormat {
        disk: String,
        path: PathBuf,
        format: &'static str,
    },
    #[error("disk {disk} at {} is open for writing by {by}", .path.display())]
    SourceInUse {
        disk: String,
        path: PathBuf,
        by: String,
    },
    #[error("{program} is needed to {doing} and is not installed")]
    ToolMissing {
        program: &'static str,
        doing: &'static str,
    },
    #[error("the vault is damaged: {0}")]
    Damaged(String),
    #[error("the vault has no snapshot {0}")]
    SnapshotNotFound(String),
    #[error("snapshot {snapshot} has no disk {disk} of {vm}")]
    DiskNotFound {
        snapshot: String,
        vm: String,
        disk: String,
    },
    #[error("the vault at {} is being cleaned up", .0.display())]
    Busy(PathBuf),
    #[error("there is no volume {0}")]
    VolumeNotFound(String),
    #[error("there is no {path} on volume {volume}")]
    PathNotFound { volume: String, path: String },
    #[error("{path} on volume {volume} is {is}")]
    PathOfWrongKind {
        volume: String,
        path: String,
        is: &'static str,
    },
    #[error("the {file_system} on volume {volume} cannot be read: {why}")]
    FileSystemUnreadable {
        volume: String,
        file_system: String,
        why: String,
    },
    #[error(
        "the {file_system} on volume {volume} is not supported by this reader: {why}; nothing says that it is damaged"
    )]
    FileSystemUnsupported {
        volume: String,
        file_system: String,
        why: String,
    },
    #[error("something is already at {}", .0.display())]
    TargetTaken(PathBuf),
    #[error("{} does not read back as it was written: {how}", .path.display())]
    TargetDamaged { path: PathBuf, how: String },
    #[error("could not {doing} {}", .path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("could not encrypt")]
    Cipher,
    #[error("could not {doing}: {message}")]
    Repository {
        doing: &'static str,
        message: String,
    },
    #[error("{0}")]
    Internal(&'static str),
}

impl VaultError {
    /// A refusal of the operating system while `doing` something with `path`; a full file system has its own variant.
    pub(crate) fn io(
        doing: &'static str,
        path: impl Into<PathBuf>,
        source: impl Into<io::Error>,
    ) -> Self {
        let (path, source) = (path.into(), source.into());
        match source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::NoSpace {
                doing,
                path,
                source,
            },
            _ => Self::Io {
                doing,
                path,
                source,
            },
        }
    }

    /// What of [`FailureCode`] this is.
    #[must_use]
    pub fn code(&self) -> FailureCode {
        match self {
            Self::InvalidJob(_) => FailureCode::InvalidJob,
            Self::WrongPassphrase(_) | Self::BadKey => FailureCode::WrongPassphrase,
            Self::KeyMissing(_) => FailureCode::KeyMissing,
            Self::KeyDamaged(_) => FailureCode::KeyDamaged,
            Self::ConfigMissing(_) => FailureCode::ConfigMissing,
            Self::ConfigDamaged(_) => FailureCode::ConfigDamaged,
            Self::NotAVault(_) => FailureCode::NotAVault,
            Self::NewerFormat(_) => FailureCode::NewerFormat,
            Self::VaultExists(_) => FailureCode::VaultExists,
            Self::NoSpace { .. } | Self::TooSmall { .. } => FailureCode::NoSpace,
            Self::SourceUnreadable { .. } => FailureCode::SourceUnreadable,
            Self::SourceChanged { .. } => FailureCode::SourceChanged,
            Self::SourceTruncated { .. } => FailureCode::SourceTruncated,
            Self::SourceFormat { .. } => FailureCode::SourceFormat,
            Self::SourceInUse { .. } => FailureCode::SourceInUse,
            Self::ToolMissing { .. } => FailureCode::ToolMissing,
            Self::Damaged(_) => FailureCode::VaultDamaged,
            Self::SnapshotNotFound(_) | Self::DiskNotFound { .. } => FailureCode::SnapshotNotFound,
            Self::Busy(_) => FailureCode::VaultBusy,
            Self::VolumeNotFound(_) | Self::PathNotFound { .. } | Self::PathOfWrongKind { .. } => {
                FailureCode::FileNotFound
            }
            Self::FileSystemUnreadable { .. } | Self::FileSystemUnsupported { .. } => {
                FailureCode::FileSystemUnreadable
            }
            Self::TargetTaken(_) => FailureCode::TargetTaken,
            Self::TargetDamaged { .. } => FailureCode::TargetDamaged,
            Self::Io { .. } => FailureCode::Io,
            Self::Cipher | Self::Repository { .. } | Self::Internal(_) => FailureCode::Internal,
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn recommendation(&self) -> &'static str {
        match self.code() {
            FailureCode::InvalidJob => "Correct the request; nothing was read or written.",
            FailureCode::WrongPassphrase => {
                "Use the passphrase that the vault was made with. Without it nobody can read the vault."
            }
            FailureCode::KeyMissing => {
                "Put the vault's key file back into keys/, from a copy of the vault's folder: its name is the SHA-256 of what it holds. The passphrase alone does not open the vault."
            }
            FailureCode::KeyDamaged => {
                "Check the vault's volume, and put its key file back into keys/, from a copy of the vault's folder: its name is the SHA-256 of what it holds. The passphrase is not what is wrong."
            }
            FailureCode::ConfigMissing => {
                "Put the file config back into the vault's folder, from a copy of it. The passphrase and the key file are not what is wrong."
            }
            FailureCode::ConfigDamaged => {
                "Check the vault's volume, and put the vault's own config back, from a copy of its folder. The passphrase and the key file are not what is wrong."
            }
            FailureCode::NotAVault => {
                "Check the path and that its volume is mounted; restore the vault's directory if it was moved."
            }
            FailureCode::NewerFormat => {
                "Use the version of the software that wrote this vault, or a newer one."
            }
            FailureCode::VaultExists => "Open the vault that is there, or choose another place.",
            FailureCode::NoSpace => {
                "Free space or enlarge the volume, then run the job again. What was backed up before is untouched."
            }
            FailureCode::SourceUnreadable => {
                "Check that the disk's file exists, that it may be read, and the health of its volume; then run the job again."
            }
            FailureCode::SourceChanged => {
                "Let nothing resize or truncate the disk while it is backed up, then run the job again."
            }
            FailureCode::SourceTruncated => {
                "Put the whole image back: its copy was probably interrupted. If it is another disk, give it a name of its own."
            }
            FailureCode::SourceFormat => {
                "Convert the image and name the new one: qemu-img convert -O qcow2 IMAGE NEW."
            }
            FailureCode::SourceInUse => {
                "Stop the machine, then back it up again; or write inUse: Read beside the disk in the inventory: its points are then crash-consistent at best."
            }
            FailureCode::ToolMissing => {
                "Install it where the service runs (on Debian and Ubuntu: apt-get install qemu-utils), then run the job again."
            }
            FailureCode::VaultDamaged => {
                "Keep the vault as it is, check its volume, and use a copy or another recovery point; a new backup stores again what is missing."
            }
            FailureCode::SnapshotNotFound => {
                "Choose a recovery point that the vault lists; retention may have removed this one."
            }
            FailureCode::VaultBusy => "Try again in a moment: space is being given back.",
            FailureCode::FileNotFound => {
                "List the recovery point's volumes and directories, and name what is there."
            }
            FailureCode::FileSystemUnreadable => {
                "Choose another volume or recovery point, or restore the whole disk and read it with the system's own tools."
            }
            FailureCode::TargetTaken => {
                "Move away what is there or choose another target; nothing was overwritten."
            }
            FailureCode::TargetDamaged => {
                "Check the health of the target's volume, then restore again."
            }
            FailureCode::Stalled => {
                "Check the volumes that the job reads and writes, then run it again."
            }
            FailureCode::Io => {
                "Check the volume and the permissions of the path, then run the job again."
            }
            FailureCode::Internal => {
                "Run the job again; if it fails the same way, report it with this message."
            }
        }
    }
}

/// The error and its causes, outermost first, on one line.
#[must_use]
pub fn describe(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(&source.to_string());
        cause = source.source();
    }
    text
}
