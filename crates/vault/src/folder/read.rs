//! Files become chunks: many workers read, hash and store, a few chunks of a file at a time.

use std::{
    fs::File,
    io::ErrorKind,
    os::unix::fs::FileExt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::Receiver,
    },
};

use super::{
    PART,
    directory::{Directory, Storing},
    node::Node,
};
use crate::{
    codec::Encoder,
    error::VaultError,
    id::Id,
    layout::{self, CHUNK},
    meter::Meter,
    pack::Kind,
    packer::Packer,
    restore_files::Told,
};

/// A file that is being stored.
pub(super) struct Open {
    file: File,
    size: u64,
    ids: Mutex<Vec<Id>>,
    parts_left: AtomicUsize,
    /// Why it cannot be stored.
    failed: Mutex<Option<String>>,
    node: Mutex<Option<Node>>,
    directory: Arc<Directory>,
    number: usize,
    shown: String,
}

/// A few chunks of a file.
pub(super) struct Work {
    pub(super) file: Arc<Open>,
    pub(super) part: usize,
}

impl Open {
    pub(super) fn new(
        file: File,
        node: Node,
        directory: Arc<Directory>,
        number: usize,
        shown: String,
    ) -> Self {
        let size = node.size;
        let chunks = layout::chunk_count(size) as usize;
        Self {
            file,
            size,
            ids: Mutex::new(vec![Id::from([0; 32]); chunks]),
            parts_left: AtomicUsize::new(chunks.div_ceil(PART)),
            failed: Mutex::default(),
            node: Mutex::new(Some(node)),
            directory,
            number,
            shown,
        }
    }

    pub(super) fn parts(&self) -> usize {
        (layout::chunk_count(self.size) as usize).div_ceil(PART)
    }
}

/// What the workers share.
pub(super) struct Reader<'a> {
    packer: &'a Packer<'a>,
    meter: &'a Meter,
    told: &'a Told,
    logical: AtomicU64,
    read: AtomicU64,
}

impl<'a> Reader<'a> {
    pub(super) fn new(packer: &'a Packer<'a>, meter: &'a Meter, told: &'a Told) -> Self {
        Self {
            packer,
            meter,
            told,
            logical: AtomicU64::new(0),
            read: AtomicU64::new(0),
        }
    }

    /// Bytes of the files that are stored, and bytes that were read for it.
    pub(super) fn counted(&self) -> (u64, u64) {
        (
            self.logical.load(Ordering::Relaxed),
            self.read.load(Ordering::Relaxed),
        )
    }

    /// A file's bytes are in the vault already.
    pub(super) fn add_known(&self, bytes: u64) {
        self.logical.fetch_add(bytes, Ordering::Relaxed);
        self.meter.add(bytes);
    }

    /// Works until there is no more. After a failure the queue is still emptied: whoever fills it may be waiting.
    pub(super) fn work(&self, works: &Mutex<Receiver<Work>>, storing: &Storing<'_>) {
        let mut tools: Option<(Encoder, Vec<u8>)> = None;
        loop {
            let next = works.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(work) = next else { return };
            if self.packer.failure.is_set() {
                continue;
            }
            self.packer.failure.watch(|| {
                let (encoder, buffer) = match &mut tools {
                    Some(tools) => tools,
                    none => none.insert((self.packer.encoder()?, vec![0; CHUNK as usize])),
                };
                self.part(&work, storing, encoder, buffer)
            });
        }
    }

    fn part(
        &self,
        work: &Work,
        storing: &Storing<'_>,
        encoder: &mut Encoder,
        buffer: &mut [u8],
    ) -> Result<(), VaultError> {
        let open = &*work.file;
        let chunks = layout::chunk_count(open.size);
        let first = (work.part * PART) as u64;
        for number in first..(first + PART as u64).min(chunks) {
            let chunk = &mut buffer[..layout::chunk_length(open.size, number)];
            if let Err(error) = open.file.read_exact_at(chunk, number * CHUNK) {
                let why = if error.kind() == ErrorKind::UnexpectedEof {
                    "it became shorter while it was read".to_owned()
                } else {
                    error.to_string()
                };
                lock(&open.failed).get_or_insert(why);
                break;
            }
            self.read.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            self.meter.add(chunk.len() as u64);
            let id = Id::of(chunk);
            self.packer
                .add(Kind::Data, id, chunk, encoder, storing.full)?;
            if let Some(place) = lock(&open.ids).get_mut(number as usize) {
                *place = id;
            }
        }
        if open.parts_left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.finish(open, storing, encoder)?;
        }
        Ok(())
    }

    /// The last part of a file is stored.
    fn finish(
        &self,
        open: &Open,
        storing: &Storing<'_>,
        encoder: &mut Encoder,
    ) -> Result<(), VaultError> {
        let mut node = lock(&open.node).take();
        if let Some(why) = lock(&open.failed).take() {
            self.told
                .note(format!("{} was left out: {why}.", open.shown));
            node = None;
        }
        if let Some(node) = &mut node {
            node.content = Some(std::mem::take(&mut *lock(&open.ids)));
            self.logical.fetch_add(open.size, Ordering::Relaxed);
        }
        open.directory.set(open.number, node, storing, encoder)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
