//! Disk images that are not raw, by QEMU's own tools.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::run;

/// A qcow2 image of a raw disk.
pub fn qcow2_of(raw: &Path, image: &Path) -> Result<()> {
    run(Command::new("qemu-img")
        .args(["convert", "-f", "raw", "-O", "qcow2"])
        .arg(raw)
        .arg(image))
    .context("making a qcow2 image")?;
    Ok(())
}

/// What the image holds, as a raw disk.
pub fn raw_of(image: &Path, raw: &Path) -> Result<()> {
    run(Command::new("qemu-img")
        .args(["convert", "-O", "raw"])
        .arg(image)
        .arg(raw))
    .context("reading a disk image")?;
    Ok(())
}

/// Fills a range of the image with a byte, as its machine would.
pub fn write(image: &Path, offset: u64, length: u64, byte: u8) -> Result<()> {
    run(Command::new("qemu-io")
        .args([
            "-f",
            "qcow2",
            "-c",
            &format!("write -P {byte} {offset} {length}"),
        ])
        .arg(image))
    .context("writing into a qcow2 image")?;
    Ok(())
}

/// Whether two disks hold the same, whatever the formats of their images.
///
/// # Errors
/// Says where the first difference is.
pub fn same(one: &Path, other: &Path) -> Result<()> {
    run(Command::new("qemu-img").arg("compare").arg(one).arg(other))
        .with_context(|| format!("comparing {} with {}", one.display(), other.display()))?;
    Ok(())
}
