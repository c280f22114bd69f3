//! Bits that a new dirty bitmap has from its beginning, without a byte of the disk being written.
//!
//! An empty image of the same size is written to at the marks' places under a bitmap of its own, and that is merged into the
//! new one: `qemu-img` has no other way to set a bit.

use std::path::PathBuf;

use super::{
    directory::Directory,
    export::{Access, Export},
    tool,
};
use crate::{checkpoint, error::VaultError};

/// The bitmap's name in the image that is made for the marks.
const NAME: &str = "kluis-marks";

/// Marks for bitmaps of disks of one size.
#[derive(Debug)]
pub(crate) struct Marks {
    /// Offsets in bytes.
    pub(crate) places: Vec<u64>,
    image: PathBuf,
    _directory: Directory,
}

impl Marks {
    pub(crate) fn make(size: u64) -> Result<Self, VaultError> {
        let io =
            |source| VaultError::io("make", "an image for the marks of a dirty bitmap", source);
        let places = checkpoint::marks(size)?;
        let directory = Directory::new().map_err(io)?;
        let image = directory.path().join("marks.qcow2");
        tool::create(&image, size)?;
        tool::add_bitmap(&image, NAME, None, None)?;
        let export = Export::open(&image, Access::Write)?;
        for place in &places {
            export.write(&[1; 512], *place).map_err(io)?;
        }
        export.close().map_err(io)?;
        Ok(Self {
            places,
            image,
            _directory: directory,
        })
    }

    /// What `qemu-img bitmap` is told so that a new bitmap has them.
    pub(super) fn merged(&self) -> [&std::ffi::OsStr; 6] {
        let word = std::ffi::OsStr::new;
        [
            word("--merge"),
            word(NAME),
            word("-b"),
            self.image.as_os_str(),
            word("-F"),
            word("qcow2"),
        ]
    }
}
