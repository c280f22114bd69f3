//! The scripts that make a backup consistent for applications on Linux.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Azure's limit and usual value of a script's time, in seconds.
const LONGEST: u32 = 1_800;
const USUAL: u32 = 30;

/// A machine's scripts, by absolute paths.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scripts {
    /// Run before the snapshot.
    pub pre: Option<PathBuf>,
    /// Run after the snapshot.
    pub post: Option<PathBuf>,
    /// How long each may run.
    pub timeout_seconds: u32,
}

/// The scripts as they are written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    pre: Option<PathBuf>,
    post: Option<PathBuf>,
    timeout: Option<String>,
}

impl Written {
    /// The scripts, paths relative to `folder`; or a sentence about what is wrong.
    pub(super) fn understood(self, folder: &Path) -> Result<Scripts, String> {
        let timeout_seconds = match self.timeout.as_deref() {
            None => USUAL,
            Some(text) => seconds(text)
                .filter(|seconds| (1..=LONGEST).contains(seconds))
                .ok_or_else(|| {
                    format!(
                        "a script's timeout is like 60s or 5m, at most {LONGEST} s; it is '{text}'"
                    )
                })?,
        };
        Ok(Scripts {
            pre: self.pre.map(|path| folder.join(path)),
            post: self.post.map(|path| folder.join(path)),
            timeout_seconds,
        })
    }
}

/// `90`, `90s` or `5m` in seconds.
fn seconds(text: &str) -> Option<u32> {
    let text = text.trim();
    if let Some(minutes) = text.strip_suffix('m') {
        return minutes.trim().parse::<u32>().ok()?.checked_mul(60);
    }
    text.strip_suffix('s').unwrap_or(text).trim().parse().ok()
}
