//! Building with Go: what Kubernetes is written in. A build that takes minutes
//! says that it is still at it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::process::run;

/// How often a build says that it is still at it.
const PULSE: Duration = Duration::from_secs(20);

/// The hash of all that decides what a build will be: Go's version, files, words.
pub fn key(files: &[PathBuf], words: &[String]) -> Result<String> {
    let go =
        run(Command::new("go").arg("version")).context("Go 1.26 or later is needed: install it")?;
    let mut hash = Sha256::new();
    for path in files {
        hash.update(fs::read(path).with_context(|| format!("reading {}", path.display()))?);
    }
    for word in words {
        hash.update(word.as_bytes());
    }
    hash.update(go.as_bytes());
    Ok(hex::encode(hash.finalize()))
}

/// `go`, set to build programs that depend on nothing of this machine.
pub fn go(directory: &Path) -> Command {
    let mut command = Command::new("go");
    command
        .current_dir(directory)
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "-trimpath");
    command
}

/// Runs a build to its end.
///
/// # Errors
/// It could not be started, or it failed; what it said is on standard error.
pub fn build(what: &str, mut command: Command) -> Result<()> {
    let begun = Instant::now();
    let mut child = command
        .spawn()
        .with_context(|| format!("starting the build of {what}"))?;
    let mut said = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            if status.success() {
                return Ok(());
            }
            bail!("the build of {what} ended with {status}");
        }
        if said.elapsed() >= PULSE {
            said = Instant::now();
            say(&format!(
                "still building {what}, {} s",
                begun.elapsed().as_secs()
            ));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Straight to standard error: a test's captured output would hide minutes of work.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
