//! How fast a mover is beside stock restic: the same disk, the same machine, the same run.
//!
//! A disk is backed up, changed, backed up again, restored, and written to all over: by restic and by us in turn, three
//! times; the best of each counts. Before each step the disk is read once, so that both find it in the page cache, and what
//! is dirty is written out. Both write durably: restic syncs its packs as we do; it does not sync what it restores, so that
//! is done within its time. Restic derives its key from the passphrase in each run, as it always does; a mover is given the
//! key, as it always is. Then what holes cost, by ourselves: a disk of 1 TiB with 1 GiB of data beside that 1 GiB alone.
//!
//! Figures go to standard output, one a line; what is going on goes to standard error. With an argument, `whole`,
//! `files`, `sparse` or `scrub`, only that part is measured.

mod disks;
mod figures;
mod files;
mod scrub;
mod sparse;
mod tools;
mod whole;

use std::{
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::{Context, Result};
use kluis_vault::mover;

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, role, job] = &arguments[..]
        && role == "mover"
    {
        let code = mover::main(Path::new(job));
        eprintln!("{}", tools::peak_memory()?);
        return Ok(code);
    }
    let restic = Command::new("restic")
        .arg("version")
        .output()
        .context("stock restic is needed (apt-get install restic)")?;
    eprint!("against {}", String::from_utf8_lossy(&restic.stdout));
    let place = tempfile::Builder::new().prefix("kluis-bench").tempdir()?;
    let wanted = |part: &str| arguments.get(1).is_none_or(|only| only == part);
    if wanted("whole") {
        whole::run(place.path())?;
    }
    if wanted("files") {
        files::run(place.path())?;
    }
    if wanted("sparse") {
        sparse::run(place.path())?;
    }
    if wanted("scrub") {
        scrub::run(place.path())?;
    }
    Ok(ExitCode::SUCCESS)
}
