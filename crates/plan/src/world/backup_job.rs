//! What is known about a BackupJob.

use jiff::Timestamp;
use kluis_api::BackupJob;

use super::work::Work;

/// A BackupJob and its surroundings.
#[derive(Clone, Debug, PartialEq)]
pub struct BackupJobWorld {
    pub now: Timestamp,
    /// Whether the operator's own clock bears `now` out: what goes by age alone goes when it does.
    pub clocks_agree: bool,
    pub job: BackupJob,
    pub work: Work,
}
