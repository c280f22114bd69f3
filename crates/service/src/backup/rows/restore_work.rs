//! What a restore has to do, and what it has shown to be done.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::PointDisk;
use crate::estate::{Attached, MadeMachine};

/// Disks to be made from a recovery point, and what becomes of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RestoreWork {
    /// The key of the recovery point, which cleanup leaves alone meanwhile.
    pub(crate) point: String,
    /// The machine's name in the vault's snapshot.
    pub(crate) vm: String,
    /// The machine's ARM id.
    #[serde(default)]
    pub(crate) vm_id: String,
    /// The recovery point's time.
    pub(crate) time: Timestamp,
    /// Where the disks go, as the inventory writes it.
    pub(crate) resource_group: String,
    pub(crate) location: String,
    /// The zone that they are asked for in.
    #[serde(default)]
    pub(crate) zone: Option<String>,
    pub(crate) disks: Vec<RestoreDisk>,
    /// Whether somebody chose them of the point's.
    #[serde(default)]
    pub(crate) chosen: bool,
    #[serde(default)]
    pub(crate) goal: Goal,
    /// What is written beside the disks, for whoever makes a machine of them.
    #[serde(default)]
    pub(crate) papers: Option<Papers>,
    /// What was to be is: the rows that show it were written together.
    #[serde(default)]
    pub(crate) done: bool,
}

/// What becomes of restored disks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub(crate) enum Goal {
    /// They stay as they are, for a person to use.
    #[default]
    Disks,
    /// A new machine has them.
    Machine(Box<MadeMachine>),
    /// The machine they are of has them from then on.
    InPlace(InPlace),
}

/// Disks that take the place of a machine's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InPlace {
    /// The backup of the disks that are there now: it has to have made its recovery point first.
    pub(crate) before: String,
    /// The disks that are there now.
    pub(crate) replaces: Vec<Attached>,
}

/// One disk to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RestoreDisk {
    /// The disk in the recovery point.
    pub(crate) disk: PointDisk,
    /// The name that it is given.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// Its size in bytes, as it was written.
    #[serde(default)]
    pub(crate) bytes: u64,
    /// The sum of what was written and read back; the evidence that this disk is done.
    pub(crate) sha256: Option<String>,
}

/// Texts that a restore leaves beside its disks, as Azure leaves them in the staging account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Papers {
    /// The staging account that they are said to be in.
    pub(crate) account: String,
    /// The folder below the resource group's, which is the container's name too.
    pub(crate) container: String,
    /// The address under which the client reached the service: what their URIs begin with.
    pub(crate) origin: String,
    /// The template that makes a machine of the disks.
    pub(crate) template: Paper,
    /// What the machine was.
    pub(crate) config: Paper,
}

/// One text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Paper {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    /// A mover wrote it and read it back.
    pub(crate) written: bool,
}

/// Files to be made from a recovery point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FilesWork {
    /// The key of the recovery point, which cleanup leaves alone meanwhile.
    pub(crate) point: String,
    /// The machine's name in the vault's snapshot.
    pub(crate) vm: String,
    /// The volume they are on; `None` is the one with the system's root.
    pub(crate) volume: Option<String>,
    /// Absolute paths on it.
    pub(crate) paths: Vec<String>,
    /// The folder they go to.
    pub(crate) to: PathBuf,
    /// The mover's evidence.
    pub(crate) made: Option<FilesMade>,
}

/// What a mover said once the files were at their place and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FilesMade {
    pub(crate) files: u64,
    pub(crate) directories: u64,
    /// Bytes of the files' contents.
    pub(crate) bytes: u64,
}

impl RestoreWork {
    /// What there is no evidence of yet.
    pub(crate) fn missing(&self) -> Option<&'static str> {
        if self.done {
            None
        } else if self.disks.iter().any(|disk| disk.sha256.is_none()) {
            Some("every disk was written and compared")
        } else if !self.is_proven() {
            Some("the template was written and read back")
        } else {
            Some("the machine has the restored disks")
        }
    }

    /// Whether a mover has shown every file that the restore makes.
    pub(crate) fn is_proven(&self) -> bool {
        let mut papers = self.papers.iter().flat_map(Papers::all);
        self.disks.iter().all(|disk| disk.sha256.is_some()) && papers.all(|paper| paper.written)
    }

    /// Every file that the restore makes.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let papers = self.papers.iter().flat_map(Papers::all);
        let papers = papers.map(|paper| paper.path.clone());
        let disks = self.disks.iter().map(|disk| disk.path.clone());
        disks.chain(papers).collect()
    }
}

impl Papers {
    /// Both of them.
    pub(crate) fn all(&self) -> [&Paper; 2] {
        [&self.template, &self.config]
    }

    /// The one with this path.
    pub(crate) fn at(&mut self, path: &std::path::Path) -> Option<&mut Paper> {
        [&mut self.template, &mut self.config]
            .into_iter()
            .find(|paper| paper.path == path)
    }

    /// The address at which one of them can be read.
    pub(crate) fn uri(&self, paper: &Paper) -> String {
        format!(
            "{}/kluis/v1/blobs/{}/{}/{}",
            self.origin, self.account, self.container, paper.name
        )
    }
}
