//! qcow2 images, read and written by QEMU's own tools as child processes.
//!
//! The format has features enough that a second implementation of it would be a second set of mistakes about somebody's
//! disks. `qemu-nbd` gives the logical bytes and says which of them are holes and which changed; `qemu-img` says where they lie,
//! checks images and keeps their dirty bitmaps. Which images are touched at all is decided by [`crate::format`], before either is started.

mod client;
mod directory;
mod export;
mod map;
mod marks;
mod tool;
mod wire;

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

pub(crate) use export::{Access, Export};
pub(crate) use map::each_run;
pub(crate) use marks::Marks;
pub use tool::remove_our_bitmaps;
pub(crate) use tool::{add_bitmap, bitmaps, check_tables, remove_bitmaps};

use serde_json::json;

use crate::{child, error::VaultError};

/// What the names of our own dirty bitmaps begin with.
pub(crate) const BITMAP: &str = "kluis-";

/// A program's path: where the environment says that programs are, else where systems have them.
fn find(program: &'static str, doing: &'static str) -> Result<PathBuf, VaultError> {
    let search = std::env::var_os("PATH").unwrap_or_else(|| child::PATH.into());
    let is_program = |path: &PathBuf| {
        path.metadata()
            .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(&search)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(Path::new(program)))
        .find(is_program)
        .ok_or(VaultError::ToolMissing { program, doing })
}

/// The image as QEMU is to open it for reading: without its locks, which would keep the machine from starting for as long as its disk is
/// read. Whoever reads looks for writers before and at what was written after. `None` for what is no file, or has a name that can't be said.
fn without_a_lock(image: &Path) -> Option<String> {
    let path = image.to_str().filter(|_| image.is_file())?;
    let file = json!({ "driver": "file", "filename": path, "locking": "off" });
    Some(format!(
        "json:{}",
        json!({ "driver": "qcow2", "file": file })
    ))
}
