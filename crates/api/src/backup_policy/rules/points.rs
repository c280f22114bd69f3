//! How many recovery points a policy alone comes to, where they are snapshots and Azure counts them: those of disks, and those of shares
//! without instant restore. The days of the daily tier alone are counted; the longer tiers add to them, which `kluis validate` warns of.

use super::{Rule, Workload, of};
use Workload::{Disk, FileShare};

/// The most snapshots that a disk can have, and how many hours apart they may be.
const OF_DISK: u32 = 450;
const DISK_HOURS: [u32; 6] = [1, 2, 4, 6, 8, 12];

/// The most snapshots that a share can have.
const OF_SHARE: u32 = 200;

pub(super) fn rules() -> Vec<Rule> {
    vec![of_disk(), of_share()]
}

/// A disk's backups go round the clock.
fn of_disk() -> Rule {
    let mut most = format!("{OF_DISK}");
    for hours in DISK_HOURS.into_iter().rev() {
        most = format!(
            "self.schedule.hourly.every == '{hours}h' ? {} : {most}",
            OF_DISK * hours / 24
        );
    }
    of(
        &[Disk],
        &format!(
            "!has(self.retention.daily) || self.retention.daily.keep <= (has(self.schedule.hourly) ? ({most}) : {OF_DISK})"
        ),
        format!(
            "schedule.hourly.every and retention.daily.keep come to more than {OF_DISK} recovery points, the most that a disk can have: make or keep fewer (rule 18)"
        ),
    )
    .about("retention.daily.keep")
}

/// A share's have a window. One of 24 hours ends where the next day's begins.
fn of_share() -> Rule {
    let hours = |field: &str| format!("int(self.schedule.hourly.{field}.replace('h', ''))");
    let (every, window) = (hours("every"), hours("__for__"));
    of(
        &[FileShare],
        &format!(
            "has(self.instantRestore) || !has(self.retention.daily) || !has(self.schedule.hourly) || !has(self.schedule.hourly.__for__) || {every} == 0 || self.retention.daily.keep * (({window} < 23 ? {window} : 23) / {every} + 1) <= {OF_SHARE}"
        ),
        format!(
            "schedule.hourly and retention.daily.keep come to more than {OF_SHARE} recovery points, the most that a share can have as snapshots: make or keep fewer, or set instantRestore, which keeps them in the vault (rule 17)"
        ),
    )
    .about("retention.daily.keep")
}
