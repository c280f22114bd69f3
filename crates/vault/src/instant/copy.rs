//! One image becomes one snapshot file: shared by the file system where it can, else what is in use is copied.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::Path,
};

use rustix::io::Errno;

use crate::{
    error::VaultError,
    event::SnapshotMethod,
    image::{self, Image},
    layout::CHUNK,
    meter::{Failure, Meter},
    room,
    source::ImageFile,
    target::Target,
};

/// Bytes that are copied at a time: between two of them a job can stop.
const STEP: u64 = 64 << 20;

/// A snapshot file with all its bytes, though perhaps not yet on disk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Copied {
    pub(super) method: SnapshotMethod,
    /// Whether the image was written to meanwhile.
    pub(super) touched: bool,
}

/// Has the file system share the image's blocks, which takes a moment and is one; `None` if it cannot.
pub(super) fn share(image: &ImageFile, target: &Target) -> Result<Option<Copied>, VaultError> {
    match rustix::fs::ioctl_ficlone(&target.file, &image.file) {
        Ok(()) => Ok(Some(Copied {
            method: SnapshotMethod::Reflink,
            touched: false,
        })),
        // No such call, another file system, or files that cannot share: it is copied.
        Err(Errno::OPNOTSUPP | Errno::XDEV | Errno::INVAL | Errno::NOTTY | Errno::NOSYS)
        | Err(Errno::PERM | Errno::ACCESS | Errno::ISDIR | Errno::BADF | Errno::TXTBSY) => Ok(None),
        Err(errno) => Err(VaultError::io(
            "share the blocks for",
            target.place(),
            errno,
        )),
    }
}

/// Copies what is in use, and refuses an image that was resized meanwhile.
pub(super) fn copy(
    image: &ImageFile,
    target: &Target,
    meter: &Meter,
    failure: &Failure,
) -> Result<Copied, VaultError> {
    let length = image.length();
    let write = |source| VaultError::io("write", target.place(), source);
    target.file.set_len(length).map_err(write)?;
    let mut by_kernel = true;
    let mut told = 0;
    let mut result = Ok(());
    let listed = image::each_extent(&image.file, length, |offset, extent| {
        let mut at = offset;
        let end = offset + extent;
        while at < end && result.is_ok() && !failure.is_set() {
            let step = (end - at).min(STEP);
            result = copy_range(image, target, at, step, &mut by_kernel);
            at += step;
            meter.add(at - told);
            told = at;
        }
        Ok(())
    });
    result?;
    listed.map_err(|source| image.unreadable(source))?;
    meter.add(length.saturating_sub(told));
    Ok(Copied {
        method: SnapshotMethod::Copy,
        touched: !image.check_unchanged()?,
    })
}

/// Copies a range, by the kernel as long as it does.
fn copy_range(
    image: &ImageFile,
    target: &Target,
    offset: u64,
    length: u64,
    by_kernel: &mut bool,
) -> Result<(), VaultError> {
    let (mut from, mut to) = (offset, offset);
    let end = offset + length;
    while *by_kernel && from < end {
        let wanted = (end - from) as usize;
        let (source, file) = (&image.file, &target.file);
        match rustix::fs::copy_file_range(source, Some(&mut from), file, Some(&mut to), wanted) {
            Ok(0) => return Err(image.changed(format!("it ends before byte {end}"))),
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => {
                *by_kernel = false;
            }
            // Which of the two files it was about is not told: reading and writing will say.
            Err(Errno::IO) => *by_kernel = false,
            Err(errno) => return Err(VaultError::io("write", target.place(), errno)),
        }
    }
    read_and_write(image, target, from..end)
}

fn read_and_write(
    image: &ImageFile,
    target: &Target,
    range: std::ops::Range<u64>,
) -> Result<(), VaultError> {
    if range.is_empty() {
        return Ok(());
    }
    let write = |source| VaultError::io("write", target.place(), source);
    let sparse = Image::Raw(target.file.try_clone().map_err(write)?);
    let mut buffer = vec![0; CHUNK as usize];
    let mut at = range.start;
    while at < range.end {
        let length = (range.end - at).min(CHUNK) as usize;
        let chunk = &mut buffer[..length];
        image.file.read_exact_at(chunk, at).map_err(|source| {
            if source.kind() == io::ErrorKind::UnexpectedEof {
                image.changed(format!("it ends before byte {}", range.end))
            } else {
                image.unreadable(source)
            }
        })?;
        sparse.write(chunk, at).map_err(write)?;
        at += length as u64;
    }
    Ok(())
}

/// What is to be copied to one file system, somewhere on which `place` is.
struct Need<'a> {
    place: &'a Path,
    bytes: u64,
    disks: Vec<(&'a ImageFile, &'a Target)>,
}

/// Refuses to begin what cannot end: whether each file system has room for the copies that it has to hold.
pub(super) fn preflight<'a>(
    disks: impl Iterator<Item = (&'a ImageFile, &'a Target)>,
) -> Result<(), VaultError> {
    let mut needs: BTreeMap<u64, Need<'_>> = BTreeMap::new();
    for (image, target) in disks {
        let device = target.file.metadata();
        let device = device.map_err(|source| VaultError::io("look at", target.place(), source))?;
        let need = needs.entry(device.dev()).or_insert(Need {
            place: target.place(),
            bytes: 0,
            disks: Vec::new(),
        });
        need.bytes +=
            used(&image.file, image.length()).map_err(|source| image.unreadable(source))?;
        need.disks.push((image, target));
    }
    for Need {
        place,
        bytes,
        disks,
    } in needs.into_values()
    {
        // Blocks that are shared take no room. It is tried only where there is too little.
        if let Err(error) = room::check(place, bytes)
            && !all_share(disks.into_iter())
        {
            return Err(error);
        }
    }
    Ok(())
}

/// Whether the file system shares the blocks of all images. It is tried, and taken back.
pub(super) fn all_share<'a>(mut disks: impl Iterator<Item = (&'a ImageFile, &'a Target)>) -> bool {
    disks.all(|(image, target)| {
        let shares = share(image, target).is_ok_and(|shared| shared.is_some());
        shares && target.file.set_len(0).is_ok()
    })
}

/// Bytes of a file that are not in holes.
fn used(file: &File, length: u64) -> io::Result<u64> {
    let mut used = 0;
    image::each_extent(file, length, |_, extent| {
        used += extent;
        Ok(())
    })?;
    Ok(used)
}
