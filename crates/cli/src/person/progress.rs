//! A progress bar on standard error: how much, how fast, how long still. Nothing where no person looks.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use kluis_arm::api_version::SENT;
use kluis_arm::id::ItemId;
use kluis_arm::job::{Job, JobDetail, VmJob, fact};
use kluis_client::{Arm, ArmClient, ArmRequest};

use super::connection::Reached;
use crate::answer;

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

    /// How often the service is asked how fast it is.
    pub(super) fn between_reads(self) -> Duration {
        match self {
            Self::Own => Duration::from_secs(2),
            Self::Azure => Duration::from_secs(60),
        }
    }
}

/// A bar that begins in percent and goes over to bytes when they are known.
pub(super) struct Progress {
    name: String,
    bar: ProgressBar,
}

impl Progress {
    pub(super) fn start(name: &str) -> Self {
        let name = &crate::output::shown(name);
        let bar = ProgressBar::new(100).with_message(name.to_owned());
        if !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        bar.set_style(style(
            "{msg} [{bar:30}] {percent}%, {elapsed} gone, {eta} left",
        ));
        Self {
            name: name.to_owned(),
            bar,
        }
    }

    /// For what is counted without knowing how much it will be.
    pub(super) fn counting() -> Self {
        let progress = Self::start("files");
        progress.bar.set_style(style("{msg}, {elapsed} gone"));
        progress
    }

    /// How much there is so far.
    pub(super) fn counted(&self, files: u64, bytes: u64) {
        let bytes = crate::output::bytes(bytes);
        self.bar.set_message(format!("{files} files, {bytes}"));
        self.bar.tick();
    }

    /// What an object's status says: `42%`, or `queue: 3` while it waits for its turn. Anything else changes nothing.
    pub(super) fn says(&self, text: Option<&str>) {
        let place = text.and_then(|text| text.strip_prefix("queue: "));
        self.bar.set_message(match place {
            Some(place) => format!("{} (number {place} in the queue)", self.name),
            None => self.name.clone(),
        });
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
        if let Some((done, total)) = amount(&detail) {
            self.bytes(done, total);
        }
    }

    /// Something that went wrong and is tried again, above the bar.
    pub(super) fn warn(&self, what: &str) {
        self.bar.suspend(|| answer::tell(what));
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// How many bytes of how many a job has moved, where it says.
fn amount(job: &VmJob) -> Option<(u64, u64)> {
    let megabytes = |name: &str| job.told(name)?.trim().parse::<u64>().ok();
    let total = megabytes(fact::TOTAL).filter(|total| *total > 0)?;
    let bytes = |count: u64| count.saturating_mul(MIB);
    Some((bytes(megabytes(fact::DONE)?), bytes(total)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// As the service tells it; the names are Azure's style, and nothing else finds out when they change.
    fn job(bag: &serde_json::Value) -> VmJob {
        serde_json::from_value(json!({ "extendedInfo": { "propertyBag": bag } })).unwrap()
    }

    #[test]
    fn a_bar_goes_over_to_bytes_when_they_are_known() {
        let progress = Progress::start("web-1-x7k2p");
        progress.says(Some("queue: 3"));
        assert_eq!(
            progress.bar.message(),
            "web-1-x7k2p (number 3 in the queue)"
        );
        assert_eq!(progress.bar.position(), 0);
        progress.says(Some("42%"));
        assert_eq!(progress.bar.message(), "web-1-x7k2p");
        assert_eq!(
            (progress.bar.position(), progress.bar.length()),
            (42, Some(100))
        );
        let (done, total) = amount(&job(&json!({
            "Data Transferred (in MB)": "10", "Data To Transfer (in MB)": "1024",
        })))
        .unwrap();
        progress.bytes(done, total);
        let position = (progress.bar.position(), progress.bar.length());
        assert_eq!(position, (10 << 20, Some(1 << 30)));
        // The object lags behind the service's own word.
        progress.says(Some("1%"));
        assert_eq!(progress.bar.position(), 10 << 20);
        progress.bytes(2 << 30, 1 << 30);
        assert_eq!(progress.bar.position(), 1 << 30);
    }

    #[test]
    fn what_a_job_does_not_say_is_no_amount() {
        for bag in [
            json!({}),
            json!({ "Data Transferred (in MB)": "10" }),
            json!({ "Data Transferred (in MB)": "0", "Data To Transfer (in MB)": "0" }),
            json!({ "Data Transferred (in MB)": "ten", "Data To Transfer (in MB)": "20" }),
        ] {
            assert_eq!(amount(&job(&bag)), None);
        }
    }

    #[test]
    fn a_service_of_ones_own_is_asked_often_and_azure_is_not() {
        assert!(Pace::Own.between_reads().as_secs() <= 2);
        // 150 reads of jobs an hour, of everybody.
        assert!(3600 / Pace::Azure.between_reads().as_secs() <= 75);
    }
}
