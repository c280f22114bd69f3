//! Where in the file of a qcow2 image the bytes of its disk lie.
//!
//! QEMU says where ([`crate::qemu::each_run`]); what lies in the file as it is on the disk is read from there, without a
//! second process and a socket in between. Everything else, compressed clusters above all, goes through QEMU.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

use crate::{error::VaultError, layout::Runs, qemu};

/// Runs that are kept in memory, 40 MiB of them; an image that lies in more pieces is read through QEMU.
const MOST: usize = 1 << 20;

/// Neighbouring clusters of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClusterRun {
    /// The first byte, of the disk.
    pub(crate) start: u64,
    /// Bytes.
    pub(crate) length: u64,
    /// Where in the file the first byte lies; `None` if the bytes are nowhere in it as they are.
    pub(crate) host: Option<u64>,
    /// Whether all of it is known to read as zeros.
    pub(crate) is_zero: bool,
}

impl ClusterRun {
    fn end(&self) -> u64 {
        self.start + self.length
    }
}

/// An image's runs, in order, and the file that they lie in.
#[derive(Debug)]
pub(crate) struct ClusterMap {
    file: File,
    runs: Vec<ClusterRun>,
}

impl ClusterMap {
    /// What QEMU says of an image; `None` if that is more than is kept.
    pub(crate) fn of(image: &Path, file: File) -> Result<Option<Self>, VaultError> {
        let mut runs = Vec::new();
        let mut fits = true;
        qemu::each_run(image, &mut |run| {
            fits = fits && runs.len() < MOST;
            if fits {
                runs.push(run);
            }
        })?;
        Ok(fits.then_some(Self { file, runs }))
    }

    /// The chunks of a disk of `size` bytes that are not known to be zeros.
    pub(crate) fn data(&self, size: u64) -> Runs {
        let mut data = Runs::new(size);
        for run in self.runs.iter().filter(|run| !run.is_zero) {
            data.add(run.start, run.length);
        }
        data
    }

    /// Fills `buffer` from `offset` of the disk on; what is not in the file comes from `elsewhere`.
    pub(crate) fn read(
        &self,
        buffer: &mut [u8],
        offset: u64,
        elsewhere: impl Fn(&mut [u8], u64) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut at = 0;
        for (run, part) in self.parts(offset, buffer.len()) {
            let wanted = &mut buffer[at..at + part];
            let from = offset + at as u64;
            match run {
                Some(ClusterRun { is_zero: true, .. }) => wanted.fill(0),
                Some(ClusterRun {
                    start,
                    host: Some(host),
                    ..
                }) => {
                    match self.file.read_exact_at(wanted, host + (from - start)) {
                        // The file may end within its last cluster.
                        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                            elsewhere(wanted, from)?;
                        }
                        read => read?,
                    }
                }
                _ => elsewhere(wanted, from)?,
            }
            at += part;
        }
        Ok(())
    }

    /// The pieces of `length` bytes from `offset` on, each with the run that it lies in, if there is one.
    fn parts(
        &self,
        offset: u64,
        length: usize,
    ) -> impl Iterator<Item = (Option<&ClusterRun>, usize)> {
        let end = offset + length as u64;
        let first = self.runs.partition_point(|run| run.end() <= offset);
        let mut runs = self.runs[first..].iter().peekable();
        let mut at = offset;
        std::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            let run = runs.next_if(|run| run.start <= at);
            let until = match (run, runs.peek()) {
                (Some(run), _) => run.end(),
                (None, Some(next)) => next.start,
                (None, None) => end,
            };
            let part = until.min(end) - at;
            at += part;
            Some((run, part as usize))
        })
    }
}
