//! A raw disk as it is read: its size, where it has data, and the proof that it stayed the same while it was read.

use std::{
    fs::{File, Metadata},
    io::{self, Seek, SeekFrom},
    os::unix::fs::{FileExt, FileTypeExt, MetadataExt},
    path::PathBuf,
};

use jiff::Timestamp;
use rustix::{fs::SeekFrom as Position, io::Errno};

use crate::{
    error::VaultError,
    job::{DiskSource, Extent},
    layout,
};

/// The least that a disk is made of, in bytes.
const SECTOR: u64 = 512;

/// An open disk.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    /// Bytes, as of the opening.
    pub(crate) size: u64,
    pub(crate) mtime: Timestamp,
    path: PathBuf,
    file: File,
}

impl Source {
    pub(crate) fn open(disk: &DiskSource) -> Result<Self, VaultError> {
        let unreadable = |source| VaultError::SourceUnreadable {
            disk: disk.name.clone(),
            path: disk.path.clone(),
            source,
        };
        let file = File::open(&disk.path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() && !metadata.file_type().is_block_device() {
            return Err(unreadable(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is neither a file nor a block device",
            )));
        }
        let size = size(&file).map_err(unreadable)?;
        if size == 0 || size > layout::LARGEST_DISK {
            let why = format!("a disk of {size} bytes cannot be backed up");
            return Err(unreadable(io::Error::new(io::ErrorKind::InvalidData, why)));
        }
        if let Some(format) = container(&file).map_err(unreadable)? {
            return Err(VaultError::SourceFormat {
                disk: disk.name.clone(),
                path: disk.path.clone(),
                format,
            });
        }
        if size % SECTOR != 0 {
            return Err(VaultError::SourceTruncated {
                disk: disk.name.clone(),
                path: disk.path.clone(),
                how: format!("its {size} bytes end in the middle of a sector"),
            });
        }
        Ok(Self {
            name: disk.name.clone(),
            size,
            mtime: mtime(&metadata),
            path: disk.path.clone(),
            file,
        })
    }

    /// Where the disk has data; everywhere else it reads as zeros. A file system that cannot tell has data everywhere.
    pub(crate) fn data(&self) -> Result<Vec<Extent>, VaultError> {
        let mut extents = Vec::new();
        let mut offset = 0;
        while offset < self.size {
            let start = match rustix::fs::seek(&self.file, Position::Data(offset)) {
                Ok(start) => start,
                Err(Errno::NXIO) => break,
                Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOTTY) => {
                    return Ok(vec![Extent {
                        offset: 0,
                        length: self.size,
                    }]);
                }
                Err(errno) => return Err(self.unreadable(errno.into())),
            };
            let end = match rustix::fs::seek(&self.file, Position::Hole(start)) {
                Ok(end) => end,
                // The file became shorter since: reading will find out.
                Err(Errno::NXIO) => self.size,
                Err(errno) => return Err(self.unreadable(errno.into())),
            };
            extents.push(Extent {
                offset: start,
                length: end - start,
            });
            offset = end;
        }
        Ok(extents)
    }

    /// Fills `buffer` from `offset` on. Fewer bytes than asked for mean that the disk is not what it was.
    pub(crate) fn read(&self, buffer: &mut [u8], offset: u64) -> Result<(), VaultError> {
        self.file
            .read_exact_at(buffer, offset)
            .map_err(|source| match source.kind() {
                io::ErrorKind::UnexpectedEof => self.changed(format!(
                    "it ends before byte {}",
                    offset + buffer.len() as u64
                )),
                _ => self.unreadable(source),
            })
    }

    /// Refuses a disk that was resized since it was opened, and says whether it is untouched as far as its time tells: that
    /// of a block device does not move when it is written.
    pub(crate) fn check_unchanged(&self) -> Result<bool, VaultError> {
        let size = size(&self.file).map_err(|source| self.unreadable(source))?;
        if size != self.size {
            return Err(self.changed(format!("it had {} bytes and has {size}", self.size)));
        }
        let metadata = self
            .file
            .metadata()
            .map_err(|source| self.unreadable(source))?;
        Ok(mtime(&metadata) == self.mtime)
    }

    /// Refuses a disk that is smaller than it was: disks grow, and images are cut off, but disks never shrink.
    pub(crate) fn check_not_cut_off(&self, before: u64) -> Result<(), VaultError> {
        if self.size >= before {
            return Ok(());
        }
        Err(VaultError::SourceTruncated {
            disk: self.name.clone(),
            path: self.path.clone(),
            how: format!(
                "it had {before} bytes at its last recovery point and has {}",
                self.size
            ),
        })
    }

    fn unreadable(&self, source: io::Error) -> VaultError {
        VaultError::SourceUnreadable {
            disk: self.name.clone(),
            path: self.path.clone(),
            source,
        }
    }

    fn changed(&self, how: String) -> VaultError {
        VaultError::SourceChanged {
            disk: self.name.clone(),
            path: self.path.clone(),
            how,
        }
    }
}

/// The format of an image whose file is not the disk itself. Stored as it is, it would come back as a disk that it is not.
fn container(file: &File) -> io::Result<Option<&'static str>> {
    const MAGIC: [(u64, &[u8], &str); 5] = [
        (0, b"QFI\xfb", "qcow2"),
        (0, b"vhdxfile", "VHDX"),
        (0, b"conectix", "VHD"),
        (0, b"KDMV", "VMDK"),
        (64, &[0x7f, 0x10, 0xda, 0xbe], "VDI"),
    ];
    let mut head = [0; 72];
    let length = file.read_at(&mut head, 0)?;
    let is = |(offset, magic, _): &&(u64, &[u8], &str)| {
        let start = *offset as usize;
        head[..length].get(start..start + magic.len()) == Some(*magic)
    };
    Ok(MAGIC.iter().find(is).map(|(_, _, format)| *format))
}

/// The size by seeking, which tells a block device's, too.
fn size(mut file: &File) -> io::Result<u64> {
    file.seek(SeekFrom::End(0))
}

fn mtime(metadata: &Metadata) -> Timestamp {
    let nanoseconds = i32::try_from(metadata.mtime_nsec()).unwrap_or_default();
    Timestamp::new(metadata.mtime(), nanoseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}
