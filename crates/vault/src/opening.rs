//! Opening what a path may lead to: a disk's image is a file or a block device, and nothing else is opened at all.
//!
//! Opening a pipe waits for its other end, opening a terminal or a tape does something, and a read of either may wait for
//! ever. So the kind is looked at first, without opening; the opening itself does not wait; and the kind is looked at again,
//! because somebody may have put something else there in between.

use std::{
    fs::{self, File, Metadata},
    io,
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::Path,
};

use rustix::fs::OFlags;

/// Opens a file or a block device for reading, without ever waiting for what is there.
///
/// # Errors
/// What the system says, and [`io::ErrorKind::InvalidInput`] for what is neither.
pub fn open_image(path: &Path) -> io::Result<File> {
    check(&fs::metadata(path)?)?;
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::options()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

fn check(metadata: &Metadata) -> io::Result<()> {
    let kind = metadata.file_type();
    if kind.is_file() || kind.is_block_device() {
        return Ok(());
    }
    let what = if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a character device"
    };
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("it is {what}, neither a file nor a block device"),
    ))
}
