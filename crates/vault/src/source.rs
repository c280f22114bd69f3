//! A disk as it is read: its size, where it has data, what changed in it, and the proof that it stayed the same meanwhile.

use std::{
    fs::{File, Metadata},
    io,
    ops::Range,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use crate::{
    checkpoint::{Checkpoint, FileId, GRANULARITY},
    error::{VaultError, describe},
    format::{self, Kind, Qcow2Header},
    image::Image,
    job::{DiskFormat, DiskSource},
    layout,
    opening::open_image,
    qemu,
};

/// The least that a disk is made of, in bytes.
const SECTOR: u64 = 512;

/// An image's file, and what it is: all that is known without reading the disk.
#[derive(Debug)]
pub(crate) struct ImageFile {
    /// The disk's name.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) file: File,
    /// The disk's logical size in bytes.
    pub(crate) size: u64,
    /// What only a qcow2 image has.
    pub(crate) qcow2: Option<Qcow2Header>,
    id: FileId,
    mtime: Timestamp,
    /// Bytes of the file, as of the opening.
    length: u64,
}

impl ImageFile {
    /// Opens an image for reading. Refuses what is no whole image of a disk.
    pub(crate) fn open(name: &str, path: &Path) -> Result<Self, VaultError> {
        let unreadable = |source| VaultError::SourceUnreadable {
            disk: name.to_owned(),
            path: path.to_owned(),
            source,
        };
        let invalid = |kind, why: String| unreadable(io::Error::new(kind, why));
        let file = open_image(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        let length = length(&file).map_err(unreadable)?;
        let of_size = |size| {
            let why = format!("a disk of {size} bytes cannot be backed up");
            invalid(io::ErrorKind::InvalidData, why)
        };
        // Also what is a file in name alone, as those of the kernel: nothing is read of it.
        if length == 0 {
            return Err(of_size(0));
        }
        let (size, qcow2) = match format::of(&file).map_err(unreadable)? {
            Kind::Raw => (length, None),
            Kind::Qcow2(header) => (header.size, Some(header)),
            Kind::Unreadable(format) => {
                return Err(VaultError::SourceFormat {
                    disk: name.to_owned(),
                    path: path.to_owned(),
                    format,
                });
            }
        };
        if size == 0 || size > layout::LARGEST_DISK {
            return Err(of_size(size));
        }
        if size % SECTOR != 0 {
            return Err(VaultError::SourceTruncated {
                disk: name.to_owned(),
                path: path.to_owned(),
                how: format!("its {size} bytes end in the middle of a sector"),
            });
        }
        Ok(Self {
            name: name.to_owned(),
            path: path.to_owned(),
            file,
            size,
            qcow2,
            id: FileId::of(&metadata),
            mtime: mtime(&metadata),
            length,
        })
    }

    pub(crate) fn format(&self) -> DiskFormat {
        match self.qcow2 {
            Some(_) => DiskFormat::Qcow2,
            None => DiskFormat::Raw,
        }
    }

    /// Which file it is.
    pub(crate) fn id(&self) -> FileId {
        self.id
    }

    /// Bytes of the file: a raw disk's size, or what the qcow2 image takes.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Takes the file as it is now for what must not change from here on. The disk's size must still be what it was.
    pub(crate) fn begin(&mut self) -> Result<(), VaultError> {
        let now = Self::open(&self.name, &self.path)?;
        let is_same = match (self.qcow2, now.qcow2) {
            (None, None) => true,
            (Some(before), Some(now)) => now.is_of_the_same_disk(&before),
            _ => false,
        };
        if !is_same || now.size != self.size {
            return Err(self.changed(format!("it had {} bytes and has {}", self.size, now.size)));
        }
        *self = now;
        Ok(())
    }

    /// Refuses a disk that was resized since it was opened, and says whether it is untouched as far as its time tells: that
    /// of a block device does not move when it is written.
    pub(crate) fn check_unchanged(&self) -> Result<bool, VaultError> {
        let unreadable = |source| self.unreadable(source);
        let length = length(&self.file).map_err(unreadable)?;
        if self.qcow2.is_none() && length != self.length {
            return Err(self.changed(format!("it had {} bytes and has {length}", self.length)));
        }
        if let Some(before) = self.qcow2 {
            match format::of(&self.file).map_err(unreadable)? {
                Kind::Qcow2(now) if now.is_of_the_same_disk(&before) => {}
                _ => return Err(self.changed("its header is another".to_owned())),
            }
        }
        let metadata = self.file.metadata().map_err(unreadable)?;
        Ok(mtime(&metadata) == self.mtime && length == self.length)
    }

    pub(crate) fn unreadable(&self, source: io::Error) -> VaultError {
        VaultError::SourceUnreadable {
            disk: self.name.clone(),
            path: self.path.clone(),
            source,
        }
    }

    /// An error of the tools about an image is one about this disk.
    fn damaged(&self, error: VaultError) -> VaultError {
        match error {
            VaultError::Io { source, .. } => self.unreadable(source),
            error => error,
        }
    }

    pub(crate) fn changed(&self, how: String) -> VaultError {
        VaultError::SourceChanged {
            disk: self.name.clone(),
            path: self.path.clone(),
            how,
        }
    }
}

/// An open disk.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    /// Bytes, as of the opening.
    pub(crate) size: u64,
    pub(crate) mtime: Timestamp,
    file: ImageFile,
    image: Image,
    /// What the image's dirty bitmap says, if one was asked for: the chunks that were written to, or why that is not known.
    dirty: Option<Result<Vec<Range<u64>>, String>>,
}

impl Source {
    /// Opens a disk for reading, with its dirty bitmap if one is asked for.
    pub(crate) fn open(disk: &DiskSource) -> Result<Self, VaultError> {
        let file = ImageFile::open(&disk.name, &disk.path)?;
        if file.qcow2.is_some() {
            qemu::check_tables(&file.path).map_err(|error| file.damaged(error))?;
        }
        let bitmap = disk.bitmap.as_deref().filter(|_| disk.changed.is_none());
        let usable = bitmap.map(|bitmap| usable(&file, bitmap, disk));
        let (image, dirty) = match (file.qcow2, usable) {
            (None, usable) => {
                let raw = file
                    .file
                    .try_clone()
                    .map_err(|source| file.unreadable(source))?;
                (
                    Image::Raw(raw),
                    usable.map(|usable| usable.map(|_| Vec::new())),
                )
            }
            (Some(_), None) => (
                Image::qcow2(&file.path, None).map_err(|error| file.damaged(error))?,
                None,
            ),
            (Some(_), Some(Err(why))) => (
                Image::qcow2(&file.path, None).map_err(|error| file.damaged(error))?,
                Some(Err(why)),
            ),
            (Some(_), Some(Ok(bitmap))) => {
                match Image::qcow2(&file.path, Some(bitmap)).and_then(|image| {
                    let dirty = image.dirty().map_err(|source| file.unreadable(source))?;
                    Ok((image, dirty))
                }) {
                    Ok((image, dirty)) => {
                        let marked = disk
                            .checkpoint
                            .as_ref()
                            .is_some_and(|at| at.is_marked_in(&dirty));
                        let cleared = || {
                            format!(
                                "the dirty bitmap {bitmap} was cleared, or the image was resized"
                            )
                        };
                        (image, Some(marked.then_some(dirty).ok_or_else(cleared)))
                    }
                    Err(error) => (
                        Image::qcow2(&file.path, None).map_err(|error| file.damaged(error))?,
                        Some(Err(describe(&error))),
                    ),
                }
            }
        };
        let size = image.size().map_err(|source| file.unreadable(source))?;
        Ok(Self {
            name: disk.name.clone(),
            size,
            mtime: file.mtime,
            file,
            image,
            dirty,
        })
    }

    /// An image that is the source of a restore.
    pub(crate) fn of_snapshot(name: &str, path: &Path) -> Result<Self, VaultError> {
        Self::open(&DiskSource {
            name: name.to_owned(),
            path: path.to_owned(),
            lun: None,
            changed: None,
            bitmap: None,
            checkpoint: None,
            image: None,
            retire: None,
        })
    }

    /// What the dirty bitmap that was asked for says: the chunks that were written to, or why nobody knows.
    pub(crate) fn dirty(&self) -> Option<&Result<Vec<Range<u64>>, String>> {
        self.dirty.as_ref()
    }

    /// The file, if the disk's bytes are its own.
    pub(crate) fn raw_file(&self) -> Option<&File> {
        self.file.qcow2.is_none().then_some(&self.file.file)
    }

    /// The chunks that have data; everywhere else the disk reads as zeros.
    pub(crate) fn data(&self) -> Result<Vec<Range<u64>>, VaultError> {
        self.image
            .data(self.size)
            .map_err(|source| self.file.unreadable(source))
    }

    /// Fills `buffer` from `offset` on. Fewer bytes than asked for mean that the disk is not what it was.
    pub(crate) fn read(&self, buffer: &mut [u8], offset: u64) -> Result<(), VaultError> {
        self.image
            .read(buffer, offset)
            .map_err(|source| match (&self.image, source.kind()) {
                (Image::Raw(_), io::ErrorKind::UnexpectedEof) => self.file.changed(format!(
                    "it ends before byte {}",
                    offset + buffer.len() as u64
                )),
                _ => self.file.unreadable(source),
            })
    }

    /// Refuses a disk that is not what it was when it was opened, for whatever reason.
    pub(crate) fn check_untouched(&self) -> Result<(), VaultError> {
        if self.file.check_unchanged()? {
            return Ok(());
        }
        Err(self.file.changed("it was written to".to_owned()))
    }

    /// As [`ImageFile::check_unchanged`].
    pub(crate) fn check_unchanged(&self) -> Result<bool, VaultError> {
        self.file.check_unchanged()
    }
}

/// Whether an image has a bitmap that can be trusted; otherwise why not.
fn usable<'a>(file: &ImageFile, bitmap: &'a str, disk: &DiskSource) -> Result<&'a str, String> {
    let header = file.qcow2.filter(|header| header.keeps_bitmaps);
    let header = header.ok_or("an image of its format has no dirty bitmaps")?;
    let begun: &Checkpoint = disk.checkpoint.as_ref().ok_or_else(|| {
        format!("what the image was when the dirty bitmap {bitmap} was begun is not known")
    })?;
    let found = qemu::bitmaps(&file.path).map_err(|error| describe(&error))?;
    let found = found.iter().find(|found| found.name == bitmap);
    let found = found.ok_or_else(|| format!("the dirty bitmap {bitmap} is lost"))?;
    if !found.usable {
        return Err(format!(
            "the dirty bitmap {bitmap} is inconsistent, because the image was not closed"
        ));
    }
    if !found.records || found.granularity != GRANULARITY {
        return Err(format!(
            "the dirty bitmap {bitmap} is not as it was begun: somebody disabled it, or made another of its name"
        ));
    }
    match begun.refuted_by(disk.image, &header.header) {
        Some(why) => Err(format!("{why} since the dirty bitmap {bitmap} was begun")),
        None => Ok(bitmap),
    }
}

fn length(file: &File) -> io::Result<u64> {
    // By seeking, which tells a block device's, too.
    io::Seek::seek(&mut &*file, io::SeekFrom::End(0))
}

fn mtime(metadata: &Metadata) -> Timestamp {
    let nanoseconds = i32::try_from(metadata.mtime_nsec()).unwrap_or_default();
    Timestamp::new(metadata.mtime(), nanoseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}
