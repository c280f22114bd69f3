//! What reading can come to, and what every kind's world has in common.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use kluis_api::BackupService;

use crate::failure::ArmFailure;

/// What reading something came to. Not knowing is not the same as absence.
#[derive(Clone, Debug, PartialEq)]
pub enum Observed<T> {
    Found(T),
    Absent,
    Unknown(ArmFailure),
}

impl<T> Observed<T> {
    /// What was found, if anything was.
    pub fn found(&self) -> Option<&T> {
        match self {
            Self::Found(found) => Some(found),
            Self::Absent | Self::Unknown(_) => None,
        }
    }

    /// Whether it is known not to be there.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// The same, of something else.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Observed<U> {
        match self {
            Self::Found(found) => Observed::Found(change(found)),
            Self::Absent => Observed::Absent,
            Self::Unknown(failure) => Observed::Unknown(failure),
        }
    }
}

/// How a long-running operation stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// Under way; the service says when to ask again.
    InProgress {
        retry_after: Option<SignedDuration>,
    },
    /// Done. The job that follows, where there is one: a backup's operation ends when its job has begun.
    Succeeded {
        job: Option<String>,
    },
    /// It came to nothing.
    Failed {
        code: String,
        message: String,
        job: Option<String>,
    },
    Cancelled,
}

/// The service that a namespace's object wants to use, and what the cluster says of the namespace.
#[derive(Clone, Debug, PartialEq)]
pub struct Access {
    /// The BackupService that is named; None when there is none of that name.
    pub service: Option<BackupService>,
    /// The labels of the object's namespace.
    pub namespace_labels: BTreeMap<String, String>,
}
