//! A file's sum that holes cost nothing: the SHA-256 of its grains of 64 KiB that are not zeros, each with its number.

use std::{fs::File, io, os::unix::fs::FileExt};

use rustix::{fs::SeekFrom, io::Errno};
use sha2::{Digest, Sha256};

/// What is looked at for zeros.
const GRAIN: u64 = 64 << 10;

pub(crate) struct SparseSum {
    hash: Sha256,
    number: u64,
    grain: Vec<u8>,
}

impl SparseSum {
    pub(crate) fn new() -> Self {
        Self {
            hash: Sha256::new(),
            number: 0,
            grain: vec![0; GRAIN as usize],
        }
    }

    /// Takes bytes of the file, behind all that it took before.
    pub(crate) fn add(&mut self, mut offset: u64, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if offset / GRAIN != self.number {
                self.close();
                self.number = offset / GRAIN;
            }
            let within = (offset % GRAIN) as usize;
            let now = bytes.len().min(GRAIN as usize - within);
            let (piece, rest) = bytes.split_at(now);
            self.grain[within..within + now].copy_from_slice(piece);
            offset += now as u64;
            bytes = rest;
        }
    }

    fn close(&mut self) {
        if self.grain.iter().any(|byte| *byte != 0) {
            self.hash.update(self.number.to_le_bytes());
            self.hash.update(&self.grain);
            self.grain.fill(0);
        }
    }

    pub(crate) fn finish(mut self) -> [u8; 32] {
        self.close();
        self.hash.finalize().into()
    }
}

/// A file's size and its sum, as a reader sees it. What its file system knows to be a hole is not read.
pub(crate) fn sum_of(file: &File) -> io::Result<(u64, [u8; 32])> {
    let size = file.metadata()?.len();
    let mut sum = SparseSum::new();
    let mut buffer = vec![0; 4 * GRAIN as usize];
    let mut at = 0;
    while at < size {
        at = match rustix::fs::seek(file, SeekFrom::Data(at)) {
            Ok(data) => data,
            Err(Errno::NXIO) => break,
            // A file system that knows of no holes.
            Err(Errno::INVAL | Errno::OPNOTSUPP) => at,
            Err(errno) => return Err(errno.into()),
        };
        let end = match rustix::fs::seek(file, SeekFrom::Hole(at)) {
            Ok(hole) => hole.min(size),
            Err(Errno::INVAL | Errno::OPNOTSUPP) => size,
            Err(errno) => return Err(errno.into()),
        };
        while at < end {
            let most = buffer
                .len()
                .min(usize::try_from(end - at).unwrap_or(usize::MAX));
            match file.read_at(&mut buffer[..most], at) {
                Ok(0) => return Ok((at, sum.finish())),
                Ok(count) => {
                    sum.add(at, &buffer[..count]);
                    at += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok((size, sum.finish()))
}
