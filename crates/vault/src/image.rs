//! An open disk image: the disk's bytes, whatever its file is.
//!
//! Offsets and lengths are the disk's. Of a raw image they are the file's own, and the file system says where its holes are;
//! of a qcow2 image QEMU says where they lie, and reads what does not lie in the file as it is.

use std::{
    fs::File,
    io::{self, Seek, SeekFrom},
    ops::Range,
    os::unix::fs::FileExt,
    path::Path,
};

use rustix::{fs::SeekFrom as Position, io::Errno};

use crate::{
    cluster_map::ClusterMap,
    error::VaultError,
    layout::{Runs, ZEROS},
    new_qcow2::NewQcow2,
    opening::open_image,
    qemu::{Access, Export},
};

/// What is looked at for zeros within a chunk, and left a hole: fine enough for file systems, coarse enough for few pieces.
const PIECE: usize = 64 << 10;

#[derive(Debug)]
pub(crate) enum Image {
    Raw(File),
    /// An image that is read; the map is missing where the image lies in too many pieces.
    Qcow2 {
        map: Option<ClusterMap>,
        export: Export,
    },
    /// An image that is written, and read back meanwhile.
    NewQcow2(NewQcow2),
}

impl Image {
    /// A qcow2 image at `path`, to be read; with `bitmap` it can be asked for what changed.
    pub(crate) fn qcow2(path: &Path, bitmap: Option<&str>) -> Result<Self, VaultError> {
        let file = open_image(path).map_err(|source| VaultError::io("open", path, source))?;
        Ok(Self::Qcow2 {
            export: Export::open(path, Access::Read { bitmap })?,
            map: ClusterMap::of(path, file)?,
        })
    }

    /// The disk's logical size in bytes.
    pub(crate) fn size(&self) -> io::Result<u64> {
        match self {
            // By seeking, which tells a block device's, too.
            Self::Raw(file) => (&mut &*file).seek(SeekFrom::End(0)),
            Self::Qcow2 { export, .. } => Ok(export.size),
            Self::NewQcow2(new) => Ok(new.size()),
        }
    }

    /// The chunks that the image's dirty bitmap, if one was asked for, says were written to.
    pub(crate) fn dirty(&self) -> io::Result<Vec<Range<u64>>> {
        match self {
            Self::Raw(_) | Self::NewQcow2(_) => Err(io::ErrorKind::Unsupported.into()),
            Self::Qcow2 { export, .. } => export.dirty().map(Runs::into_ranges),
        }
    }

    /// Fills `buffer` from `offset` on.
    pub(crate) fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            Self::Raw(file) => file.read_exact_at(buffer, offset),
            Self::Qcow2 { map: None, export } => export.read(buffer, offset),
            Self::Qcow2 {
                map: Some(map),
                export,
            } => map.read(buffer, offset, |buffer, offset| export.read(buffer, offset)),
            Self::NewQcow2(new) => new.read(buffer, offset),
        }
    }

    /// Writes a chunk where the image has only zeros yet: the pieces that are not zeros, neighbours together.
    pub(crate) fn write(&self, chunk: &[u8], offset: u64) -> io::Result<()> {
        let is_data = |piece: &[u8]| *piece != ZEROS[..piece.len()];
        let mut start = None;
        for (at, piece) in (0..).step_by(PIECE).zip(chunk.chunks(PIECE)) {
            match (start, is_data(piece)) {
                (None, true) => start = Some(at),
                (Some(from), false) => {
                    self.write_piece(&chunk[from..at], offset + from as u64)?;
                    start = None;
                }
                _ => {}
            }
        }
        start.map_or(Ok(()), |from| {
            self.write_piece(&chunk[from..], offset + from as u64)
        })
    }

    fn write_piece(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        match self {
            Self::Raw(file) => file.write_all_at(bytes, offset),
            Self::Qcow2 { .. } => Err(io::ErrorKind::Unsupported.into()),
            Self::NewQcow2(new) => new.write(bytes, offset),
        }
    }

    /// The chunks of a disk of `size` bytes that have data; all others read as zeros. A file system that cannot tell has
    /// data everywhere.
    pub(crate) fn data(&self, size: u64) -> io::Result<Vec<Range<u64>>> {
        let runs = match self {
            Self::Raw(file) => {
                let mut runs = Runs::new(size);
                each_extent(file, size, |offset, length| {
                    runs.add(offset, length);
                    Ok(())
                })?;
                runs
            }
            Self::Qcow2 { map: Some(map), .. } => map.data(size),
            Self::Qcow2 { map: None, export } => export.data()?,
            Self::NewQcow2(new) => return Ok(new.data()),
        };
        Ok(runs.into_ranges())
    }
}

/// Tells where a file of `size` bytes has data: offset and length, in order. One that ends earlier ends there.
pub(crate) fn each_extent(
    file: &File,
    size: u64,
    mut each: impl FnMut(u64, u64) -> io::Result<()>,
) -> io::Result<()> {
    let mut offset = 0;
    while offset < size {
        let Some(start) = next_data(file, offset)?.filter(|start| *start < size) else {
            break;
        };
        let end = match rustix::fs::seek(file, Position::Hole(start)) {
            Ok(end) => end.min(size),
            // The file became shorter since, which reading will find out; or it cannot tell.
            Err(Errno::NXIO | Errno::INVAL | Errno::OPNOTSUPP | Errno::NOTTY) => size,
            Err(errno) => return Err(errno.into()),
        };
        each(start, end - start)?;
        offset = end;
    }
    Ok(())
}

/// The first byte from `offset` on that is not in a hole, as far as the file system can tell; `None` if there is none.
fn next_data(file: &File, offset: u64) -> io::Result<Option<u64>> {
    match rustix::fs::seek(file, Position::Data(offset)) {
        Ok(data) => Ok(Some(data)),
        Err(Errno::NXIO) => Ok(None),
        Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOTTY) => Ok(Some(offset)),
        Err(errno) => Err(errno.into()),
    }
}
