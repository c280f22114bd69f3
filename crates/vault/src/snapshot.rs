//! Snapshots: one for each recovery point, with the machine's disks as files in it.
//!
//! The document is restic's, with one object of ours in it that restic passes over: what the backup read and stored, so
//! that a job that crashed after saving can still say so.

use jiff::Timestamp;
use rustic_core::FileType;
use serde::{Deserialize, Serialize};

use crate::{damage::Defect, error::VaultError, id::Id, job::BackupTask, repository::Vault};

/// The host that a vault's snapshots carry.
pub(crate) const HOST: &str = "kluis";

/// What a backup can prove. All in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The snapshot's id, in full.
    pub snapshot: String,
    /// The disks' sizes together.
    pub logical: u64,
    /// What was read from the disks.
    pub read: u64,
    /// What the vault grew by.
    pub stored: u64,
}

/// The snapshots of a vault.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    /// Those that can be read, the oldest first.
    pub(crate) whole: Vec<Snapshot>,
    /// Those that are not what was written.
    pub(crate) damaged: Vec<Id>,
}

/// A snapshot as the vault lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The recovery point's time.
    pub time: Timestamp,
    pub tags: Vec<String>,
    pub description: String,
    /// What the backup's [`BackupTask::about`] was.
    pub about: Option<serde_json::Value>,
    pub saved: Saved,
    pub(crate) tree: Id,
    /// Whether it is of files, and not of disks.
    pub(crate) folder: bool,
    /// What it is of: the machine's or the folder's path in it.
    pub(crate) name: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Document {
    time: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent: Option<Id>,
    tree: Id,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    hostname: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    program_version: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    description: String,
    #[serde(default)]
    kluis: Evidence,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Evidence {
    logical: u64,
    read: u64,
    stored: u64,
    /// Whether it is of files, and not of disks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    folder: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    about: Option<serde_json::Value>,
}

/// What a new snapshot says beside its task.
pub(crate) struct Contents {
    pub(crate) about: Option<serde_json::Value>,
    pub(crate) tree: Id,
    pub(crate) parent: Option<Id>,
    pub(crate) logical: u64,
    pub(crate) read: u64,
    pub(crate) stored: u64,
    pub(crate) folder: bool,
}

/// Writes the snapshot: the last step of a backup. From here on the recovery point exists.
pub(crate) fn save(
    vault: &Vault,
    job: &str,
    task: &BackupTask,
    contents: &Contents,
) -> Result<Saved, VaultError> {
    let Contents {
        ref about,
        tree,
        parent,
        logical,
        read,
        stored,
        folder,
    } = *contents;
    let own = job_tag(job);
    let others = task.tags.iter().filter(|tag| **tag != own).cloned();
    let tags = [own.clone()].into_iter().chain(others).collect();
    let document = Document {
        time: task.time,
        parent,
        tree,
        paths: vec![format!("/{}", task.vm)],
        hostname: HOST.to_owned(),
        username: HOST.to_owned(),
        tags,
        program_version: concat!("kluis ", env!("CARGO_PKG_VERSION")).to_owned(),
        description: task.description.clone(),
        kluis: Evidence {
            logical,
            read,
            stored,
            folder,
            about: about.clone(),
        },
    };
    let json = serde_json::to_vec(&document)
        .map_err(|_| VaultError::Internal("a snapshot that is no JSON"))?;
    let (id, _) = vault.write_document(FileType::Snapshot, &json)?;
    Ok(Saved {
        snapshot: id.to_string(),
        logical,
        read,
        stored,
    })
}

/// A snapshot by its full id.
pub(crate) fn find(vault: &Vault, id: &str) -> Result<Snapshot, VaultError> {
    let not_found = || VaultError::SnapshotNotFound(id.to_owned());
    let parsed: Id = id.parse().map_err(|_| not_found())?;
    if !vault.store().path(FileType::Snapshot, &parsed).exists() {
        return Err(not_found());
    }
    match load(vault, &parsed) {
        // Forgotten in between.
        Err(VaultError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Err(not_found())
        }
        found => found,
    }
}

/// All snapshots. One that is damaged keeps nobody from the others.
pub(crate) fn list(vault: &Vault) -> Result<Listed, VaultError> {
    let mut listed = Listed::default();
    for (id, _) in vault.store().list(FileType::Snapshot)? {
        match load(vault, &id) {
            Ok(snapshot) => listed.whole.push(snapshot),
            Err(VaultError::Damaged(_)) => listed.damaged.push(id),
            Err(VaultError::Io { source, .. }) => match Defect::of(&source) {
                // Forgotten in between.
                Some(Defect::Missing) => {}
                Some(_) => listed.damaged.push(id),
                None => return Err(VaultError::io("read a snapshot of", vault.path(), source)),
            },
            Err(error) => return Err(error),
        }
    }
    listed
        .whole
        .sort_by(|a, b| (a.time, &a.saved.snapshot).cmp(&(b.time, &b.saved.snapshot)));
    Ok(listed)
}

/// The snapshot that a job saved.
pub(crate) fn of_job(vault: &Vault, job: &str) -> Result<Option<Snapshot>, VaultError> {
    let tag = job_tag(job);
    Ok(list(vault)?
        .whole
        .into_iter()
        .find(|snapshot| snapshot.tags.contains(&tag)))
}

pub(crate) fn load(vault: &Vault, id: &Id) -> Result<Snapshot, VaultError> {
    let Document {
        time,
        tree,
        paths,
        tags,
        description,
        kluis:
            Evidence {
                logical,
                read,
                stored,
                folder,
                about,
            },
        ..
    } = vault.document(FileType::Snapshot, id)?;
    Ok(Snapshot {
        time,
        tags,
        description,
        about,
        tree,
        folder,
        name: paths.into_iter().next().unwrap_or_default(),
        saved: Saved {
            snapshot: id.to_string(),
            logical,
            read,
            stored,
        },
    })
}

impl Snapshot {
    /// The value of the tag `name=…`.
    #[must_use]
    pub fn tag(&self, name: &str) -> Option<&str> {
        let mut values = self.tags.iter().filter_map(|tag| tag.split_once('='));
        values
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value)
    }
}

fn job_tag(job: &str) -> String {
    format!("job={job}")
}
