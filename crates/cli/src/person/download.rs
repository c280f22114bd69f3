//! Files and folders of a recovery point, brought here: the service reads them, and what writes them is the writer of the
//! service's own restores. Nothing that is here is overwritten, and no name from the service leads out of the folder.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use kluis_client::{ArmRequest, Failure};
use kluis_vault::restore_files::{Received, Receiver};
use tokio::signal::unix::{SignalKind, signal};

use super::extension::Browser;
use super::progress::Progress;

/// How often a piece is asked for that does not come.
const TRIES: u32 = 6;

/// What is to be brought.
pub(super) struct Wanted<'a> {
    pub(super) volume: Option<&'a str>,
    pub(super) paths: &'a [String],
    /// By their paths, and not by their names alone.
    pub(super) keep_paths: bool,
    pub(super) into: &'a Path,
}

/// Brings what is at the paths into the folder. A person who ends it half-way finds the folder as it was.
pub(super) async fn bring(browser: &Browser<'_>, wanted: &Wanted<'_>) -> Result<Received> {
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for signals")?;
    let mut terminate = signal(SignalKind::terminate()).context("listening for signals")?;
    tokio::select! {
        brought = brought(browser, wanted) => brought,
        _ = interrupt.recv() => Err(ended()),
        _ = terminate.recv() => Err(ended()),
    }
}

fn ended() -> anyhow::Error {
    anyhow!("ended before all had come: nothing was restored, and what had come is removed")
}

async fn brought(browser: &Browser<'_>, wanted: &Wanted<'_>) -> Result<Received> {
    let mut receiver = Receiver::new(wanted.into)?;
    let progress = Progress::counting();
    let mut after = None;
    loop {
        let request = browser.export(wanted.volume, wanted.paths, wanted.keep_paths, after)?;
        let piece = piece(browser, &request, &progress).await?;
        after = receiver.take(&piece)?;
        let (files, bytes) = receiver.so_far();
        progress.counted(files, bytes);
        if after.is_none() {
            break;
        }
    }
    progress.finish();
    Ok(receiver.finish()?)
}

/// A piece, asked for again while the service is busy or the connection breaks.
async fn piece(
    browser: &Browser<'_>,
    request: &ArmRequest,
    progress: &Progress,
) -> Result<Vec<u8>> {
    let mut tries = 0;
    loop {
        let failure = match browser.arm.piece(request).await {
            Ok(piece) => return Ok(piece),
            Err(failure) => failure,
        };
        tries += 1;
        if tries >= TRIES || !passes(&failure) {
            return Err(failure).context("reading the files");
        }
        progress.warn(&format!("{failure}; trying again"));
        tokio::time::sleep(Duration::from_secs(1 << tries)).await;
    }
}

fn passes(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::Unreachable { .. } | Failure::Unreadable { .. }
    ) || matches!(failure.status(), Some(429 | 502..=504))
}
