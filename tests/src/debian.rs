//! A disk that a machine could start from: Debian's root file system, made once by debootstrap and kept.
//!
//! Where that can't run (it needs root and Debian's archive) a disk of this machine's own files stands in, and says so.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::disk;
use crate::place::cache;
use crate::process::run;

/// Debian 12, and the smallest set of packages that is a system.
const SUITE: &str = "bookworm";
const VARIANT: &str = "minbase";
const MIRROR: &str = "http://deb.debian.org/debian";
/// The set takes some 210 MiB.
const MIB: u64 = 640;
/// What stands in for it.
const STAND_IN_FILL: u64 = 160 << 20;

/// What is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    Debian,
    /// Files of this machine.
    StandIn,
}

impl Root {
    /// A file and a folder that are on it, by their paths.
    pub fn file_and_folder(self) -> (&'static str, &'static str) {
        match self {
            Self::Debian => ("/etc/debian_version", "/usr/share/perl5"),
            Self::StandIn => ("/0", "/0"),
        }
    }
}

/// Puts the disk at `path`, raw.
///
/// # Errors
/// The stand-in cannot be made either.
pub fn disk(path: &Path) -> Result<Root> {
    match kept() {
        Ok(image) => {
            disk::copy(&image, path)?;
            Ok(Root::Debian)
        }
        Err(why) => {
            eprintln!("no Debian root file system, this machine's files stand in: {why:#}");
            disk::make(path, MIB, STAND_IN_FILL)?;
            Ok(Root::StandIn)
        }
    }
}

/// The image in the cache, made now if it isn't there.
fn kept() -> Result<PathBuf> {
    let folder = cache()?.join("debian");
    fs::create_dir_all(&folder)?;
    let image = folder.join(format!("{SUITE}-{VARIANT}-{MIB}.raw"));
    let lock = File::create(image.with_extension("lock"))?;
    lock.lock()
        .context("waiting for another process that makes the same disk")?;
    if image.exists() {
        return Ok(image);
    }
    let root = tempfile::tempdir_in(&folder)?;
    run(Command::new(disk::tool("debootstrap"))
        .arg(format!("--variant={VARIANT}"))
        .arg(SUITE)
        .arg(root.path())
        .arg(MIRROR))
    .context("running debootstrap, which needs root and Debian's archive")?;
    let half = image.with_extension("half");
    disk::of_folder(&half, MIB, root.path())?;
    fs::rename(&half, &image)?;
    Ok(image)
}
