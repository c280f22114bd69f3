//! What a file system is read from: any disk by offset, and the part of it that a volume is.

use std::{
    cell::{Cell, RefCell},
    fs::File,
    os::unix::fs::FileExt,
    path::PathBuf,
    rc::Rc,
    sync::Arc,
};

use crate::error::VaultError;

/// A disk that can be read anywhere, by many at once.
pub(crate) trait Device: Send + Sync {
    /// Bytes.
    fn size(&self) -> u64;

    /// Fills `buffer` from `offset` on, all of which is within the disk. Returns what that cost: about a microsecond each.
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<u64, VaultError>;
}

/// What a file system's structures are read from.
pub(crate) trait Bytes {
    /// Fills `buffer` from the byte `offset` of the volume on.
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), WindowError>;

    /// A few bytes.
    fn take<const N: usize>(&self, offset: u64) -> Result<[u8; N], WindowError>
    where
        Self: Sized,
    {
        let mut bytes = [0; N];
        self.read(offset, &mut bytes)?;
        Ok(bytes)
    }
}

/// A raw image in a file.
pub(crate) struct Image {
    pub(crate) file: File,
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
}

impl Device for Image {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<u64, VaultError> {
        self.file
            .read_exact_at(buffer, offset)
            .map_err(|source| VaultError::io("read", &self.path, source))?;
        Ok(10 + (buffer.len() >> 10) as u64)
    }
}

/// What reading may cost before anything comes of it: a minute or so. A damaged file system can send its reader in circles.
const PATIENCE: u64 = 60_000_000;

/// A part of a disk, as the reader of a file system is given it. One reader, one thread.
#[derive(Clone)]
pub(crate) struct Window(Rc<Inner>);

struct Inner {
    device: Arc<dyn Device>,
    start: u64,
    size: u64,
    spent: Cell<u64>,
    failure: RefCell<Option<VaultError>>,
}

/// Why a window gave no bytes. What the vault said of it is kept in the window: the readers' own errors would lose it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WindowError {
    #[error("it refers to what lies beyond its end")]
    Beyond,
    #[error("reading it leads to no end")]
    Circles,
    #[error("the disk could not be read")]
    Device,
}

impl Window {
    /// The `size` bytes of a disk from `start` on; as many of them as the disk has.
    pub(crate) fn new(device: Arc<dyn Device>, start: u64, size: u64) -> Self {
        let size = size.min(device.size().saturating_sub(start));
        Self(Rc::new(Inner {
            device,
            start,
            size,
            spent: Cell::new(0),
            failure: RefCell::default(),
        }))
    }

    pub(crate) fn size(&self) -> u64 {
        self.0.size
    }

    /// Something came of the reading: there is patience for more.
    pub(crate) fn progressed(&self) {
        self.0.spent.set(0);
    }

    /// What the disk itself refused, if it did; told once.
    pub(crate) fn failure(&self) -> Option<VaultError> {
        self.0.failure.borrow_mut().take()
    }
}

impl Bytes for Window {
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), WindowError> {
        let inner = &*self.0;
        let end = offset.checked_add(buffer.len() as u64);
        if end.is_none_or(|end| end > inner.size) {
            return Err(WindowError::Beyond);
        }
        if inner.spent.get() > PATIENCE {
            return Err(WindowError::Circles);
        }
        match inner.device.read(inner.start + offset, buffer) {
            Ok(cost) => {
                inner.spent.set(inner.spent.get().saturating_add(cost));
                Ok(())
            }
            Err(error) => {
                inner.failure.borrow_mut().get_or_insert(error);
                Err(WindowError::Device)
            }
        }
    }
}
