//! For tests of restarts: ends the service as `kill -9` would, at a moment that a test names.
//!
//! `KLUIS_CRASH_ON_MOVER_EVENT=before:Saved` aborts when the first such event of a mover arrives, `after:Saved` just after it is
//! committed. Nobody sets it in earnest; it can only ever end this process.

use std::sync::OnceLock;

use kluis_vault::Event;

use crate::core::{MoverReport, What};

static WHEN: OnceLock<Option<(String, String)>> = OnceLock::new();

/// Aborts if this is the moment.
pub(super) fn at(side: &str, report: &MoverReport) {
    let Some((wanted_side, wanted_event)) = WHEN.get_or_init(read) else {
        return;
    };
    if wanted_side == side && name(&report.what).eq_ignore_ascii_case(wanted_event) {
        tracing::error!(side, event = %wanted_event, "aborting as KLUIS_CRASH_ON_MOVER_EVENT says");
        std::process::abort();
    }
}

fn read() -> Option<(String, String)> {
    let text = std::env::var("KLUIS_CRASH_ON_MOVER_EVENT").ok()?;
    text.split_once(':')
        .map(|(side, event)| (side.to_owned(), event.to_owned()))
}

fn name(what: &What) -> &'static str {
    match what {
        What::Exited { .. } => "Exited",
        What::StandsStill { .. } => "StandsStill",
        What::Event(event) => match event {
            Event::Started { .. } => "Started",
            Event::Disk { .. } => "Disk",
            Event::Progress { .. } => "Progress",
            Event::Note { .. } => "Note",
            Event::Script { .. } => "Script",
            Event::Released { .. } => "Released",
            Event::Straight { .. } => "Straight",
            Event::Snapshotted { .. } => "Snapshotted",
            Event::Compared { .. } => "Compared",
            Event::Diverged { .. } => "Diverged",
            Event::Saved { .. } => "Saved",
            Event::Restored { .. } => "Restored",
            Event::Written { .. } => "Written",
            Event::LeftOut { .. } => "LeftOut",
            Event::FilesRestored { .. } => "FilesRestored",
            Event::Forgotten { .. } => "Forgotten",
            Event::Checked { .. } => "Checked",
            Event::Scrubbed { .. } => "Scrubbed",
            Event::SnapshotGone { .. } => "SnapshotGone",
            Event::Damage { .. } => "Damage",
            Event::Failed { .. } => "Failed",
            Event::Finished => "Finished",
        },
    }
}
