//! The `kluis` binary that the suites drive.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, bail};

use crate::place::workspace;

/// The binary of this work tree, brought up to date once a process. `KLUIS_BIN`
/// names another one, which is then taken as it is.
pub fn kluis() -> Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| build().map_err(|why| format!("{why:#}")));
    built.clone().map_err(|why| anyhow!("{why}"))
}

fn build() -> Result<PathBuf> {
    if let Some(given) = env::var_os("KLUIS_BIN") {
        let given = PathBuf::from(given);
        if !given.is_file() {
            bail!("KLUIS_BIN names {}, which is no file", given.display());
        }
        return Ok(given);
    }
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(workspace())
        .args(["build", "--quiet", "--package", "kluis", "--bin", "kluis"])
        .status()
        .context("starting cargo")?;
    if !status.success() {
        bail!("the kluis binary does not build");
    }
    let target = match env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => workspace().join(dir),
        None => workspace().join("target"),
    };
    Ok(target.join("debug/kluis"))
}
