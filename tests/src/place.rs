//! Where things lie: the work tree, and the cache beside it that outlives it.

use std::path::{Path, PathBuf};
use std::sync::Once;
use std::{env, fs, process};

use anyhow::{Context, Result};

/// The root of the work tree.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// `$XDG_CACHE_HOME/kluis`, else `~/.cache/kluis`: what takes minutes to build
/// and is the same for every work tree.
pub fn cache() -> Result<PathBuf> {
    let base = match env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()) {
        Some(base) => PathBuf::from(base),
        None => {
            PathBuf::from(env::var_os("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?)
                .join(".cache")
        }
    };
    Ok(base.join("kluis"))
}

/// A directory that goes away with its owner. `KLUIS_KEEP_DIR=1` keeps it, for
/// looking at what a failed test left behind; its path is then printed.
pub fn scratch(name: &str) -> Result<Scratch> {
    static SWEPT: Once = Once::new();
    SWEPT.call_once(sweep);
    let prefix = format!("{PREFIX}{}-{name}-", process::id());
    let dir = tempfile::Builder::new()
        .prefix(&prefix)
        .tempdir()
        .context("making a scratch directory")?;
    Ok(Scratch {
        path: dir.path().to_path_buf(),
        dir: Some(dir),
    })
}

const PREFIX: &str = "kluis-test-";

/// In a directory that is to outlive its owner.
const KEPT: &str = "kept";

/// A scratch directory; see [`scratch`].
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    dir: Option<tempfile::TempDir>,
}

impl Scratch {
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves the directory where it is when this value goes.
    pub fn keep(&mut self) {
        if let Some(dir) = self.dir.take() {
            self.path = dir.keep();
            // Without the mark the next run sweeps it away: no more than untidy.
            let _ = fs::write(self.path.join(KEPT), "");
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if env::var_os("KLUIS_KEEP_DIR").is_some() {
            self.keep();
            eprintln!("kept {}", self.path.display());
        }
    }
}

/// Removes what runs that were killed, or that hold a cluster in a static, left
/// behind. A name carries its owner's process id; a live owner's is left alone.
fn sweep() {
    let Ok(entries) = fs::read_dir(env::temp_dir()) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX))
            .and_then(|rest| rest.split('-').next());
        let Some(owner) = owner.and_then(|owner| owner.parse::<u32>().ok()) else {
            continue;
        };
        let alive = Path::new(&format!("/proc/{owner}")).exists();
        if !alive && !entry.path().join(KEPT).exists() {
            // Another run may be sweeping too; what is gone is gone.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
