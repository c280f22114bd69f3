//! A progress bar on standard error: how much, how fast, how long still. Nothing where no person looks.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use kluis_arm::api_version::SENT;
use kluis_arm::id::ItemId;
use kluis_arm::job::{Job, JobDetail};
use kluis_client::{Arm, ArmClient, ArmRequest};

use super::connection::Reached;

/// What the service says of a job's bytes, in MiB.
const DONE: &str = "Data Transferred (in MB)";
const TOTAL: &str = "Data To Transfer (in MB)";
const MIB: u64 = 1 << 20;

/// Whose patience is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// A service of our own.
    Own,
    /// Azure: 150 reads of jobs an hour.
    Azure,
}

impl Pace {
    pub(super) fn of(reached: Option<&Reached>) -> Self {
        match reached {
            Some(reached) if !reached.arm.is_public_azure() => Self::Own,
            _ => Self::Azure,
        }
    }
}

/// A bar that begins in percent and goes over to bytes when they are known.
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub(super) fn start(name: &str) -> Self {
        let bar = ProgressBar::new(100).with_message(name.to_owned());
        if !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        bar.set_style(style(
            "{msg} [{bar:30}] {percent}%, {elapsed} gone, {eta} left",
        ));
        Self { bar }
    }

    /// A bar for bytes whose number is known from the start.
    pub(super) fn of_bytes(name: &str, total: u64) -> Self {
        let progress = Self::start(name);
        progress.bytes(0, total);
        progress
    }

    /// `42%` of an object's status; what is not a percentage changes nothing.
    pub(super) fn percent(&self, text: Option<&str>) {
        let percent = text.and_then(|text| text.trim_end_matches('%').parse::<u64>().ok());
        if let Some(percent) = percent
            && self.bar.length() == Some(100)
        {
            self.bar.set_position(percent.min(100));
        }
    }

    /// How many bytes of how many.
    pub(super) fn bytes(&self, done: u64, total: u64) {
        if self.bar.length() != Some(total) {
            self.bar.set_length(total);
            self.bar.set_style(style(
                "{msg} [{bar:30}] {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left",
            ));
        }
        self.bar.set_position(done.min(total));
    }

    /// Asks the service's job; an answer that can't be had leaves the bar as it is.
    pub(super) async fn look(&self, arm: &ArmClient, item: &ItemId, job: &str) {
        let request = ArmRequest::get(format!("{}/backupJobs/{job}", item.vault()), SENT);
        let Ok(answer) = arm.call(&request).await else {
            return;
        };
        let job = answer
            .body
            .and_then(|body| serde_json::from_value::<Job>(body).ok());
        let Some(JobDetail::VirtualMachine(detail)) = job.map(|job| job.properties) else {
            return;
        };
        let facts = detail
            .extended_info
            .and_then(|info| info.property_bag)
            .unwrap_or_default();
        let fact = |name: &str| facts.get(name).and_then(|text| text.parse::<u64>().ok());
        if let (Some(done), Some(total)) = (fact(DONE), fact(TOTAL).filter(|total| *total > 0)) {
            self.bytes(done.saturating_mul(MIB), total.saturating_mul(MIB));
        }
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
