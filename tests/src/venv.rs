//! Python with Microsoft's clients, in a virtual environment that is made once and kept.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::place::cache;
use crate::process::run;

/// Written last: an environment without it was interrupted in the making, and is made anew.
const COMPLETE: &str = "complete";

/// The Python of an environment that holds exactly what `requirements` pins. It is cached by the hash of that file and
/// of Python's own version, and made by one process at a time.
///
/// # Errors
/// Python 3 with its venv module is not there, or a package cannot be fetched.
pub fn python(requirements: &Path) -> Result<PathBuf> {
    let pins =
        fs::read(requirements).with_context(|| format!("reading {}", requirements.display()))?;
    let version = run(Command::new("python3").arg("--version"))
        .context("Python 3 is needed: apt-get install python3 python3-venv")?;
    let hash = hex::encode(
        Sha256::new()
            .chain_update(&pins)
            .chain_update(version)
            .finalize(),
    );
    let home = cache()?.join("venv");
    fs::create_dir_all(&home).with_context(|| format!("making {}", home.display()))?;
    let dir = home.join(&hash[..16]);
    let python = dir.join("bin/python");
    if dir.join(COMPLETE).exists() {
        return Ok(python);
    }
    let lock = File::create(dir.with_extension("lock"))?;
    lock.lock()
        .context("waiting for another process that makes the same environment")?;
    if dir.join(COMPLETE).exists() {
        return Ok(python);
    }
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&dir))
        .context("Python's venv module is needed: apt-get install python3-venv")?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-input",
        "--disable-pip-version-check",
        "--requirement",
    ];
    run(Command::new(&python).args(pip).arg(requirements))
        .context("fetching the packages from PyPI")?;
    File::create(dir.join(COMPLETE))?;
    Ok(python)
}
