//! What is known about a BackupJob.

use jiff::Timestamp;
use kluis_api::BackupJob;

use super::work::Work;

/// A BackupJob and its surroundings.
#[derive(Clone, Debug, PartialEq)]
pub struct BackupJobWorld {
    pub now: Timestamp,
    pub job: BackupJob,
    pub work: Work,
}
