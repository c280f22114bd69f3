//! The machine's one disk: sparse, with bytes that nothing compresses, and changed a little now and then.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use sha2::{Digest, Sha256};

const MIB: usize = 1 << 20;
const LENGTH: usize = 8 * MIB;

/// The machine's disk, and what each version of it was.
pub(super) struct Disk {
    file: File,
    bytes: Vec<u8>,
    state: u64,
    /// By the first day that saw it, the digest.
    versions: BTreeMap<i64, String>,
}

impl Disk {
    pub(super) fn new(path: &Path) -> Self {
        let file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .open(path)
            .unwrap();
        file.set_len(LENGTH as u64).unwrap();
        let mut disk = Self {
            file,
            bytes: vec![0; LENGTH],
            state: 42,
            versions: BTreeMap::new(),
        };
        // A quarter of it is in use.
        disk.write(0, MIB);
        disk.write(5 * MIB, MIB);
        disk
    }

    /// Bytes that nothing compresses.
    fn write(&mut self, at: usize, length: usize) {
        for place in (at..at + length).step_by(8) {
            let word = self.random().to_le_bytes();
            self.bytes[place..place + 8].copy_from_slice(&word);
        }
        self.file
            .write_all_at(&self.bytes[at..at + length], at as u64)
            .unwrap();
    }

    pub(super) fn random(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    /// A little changes: some kilobytes somewhere, at times a whole chunk more.
    pub(super) fn change(&mut self) {
        let at = [0, 5 * MIB][usize::try_from(self.random() % 2).unwrap()];
        let within = 4_096 * usize::try_from(self.random() % 250).unwrap();
        if self.random().is_multiple_of(20) {
            self.write(at, MIB);
        } else {
            self.write(at + within, 16 << 10);
        }
    }

    pub(super) fn seen(&mut self, day: i64) {
        self.versions
            .insert(day, hex::encode(Sha256::digest(&self.bytes)));
    }

    /// What the run of a day found.
    pub(super) fn digest(&self, day: i64) -> &str {
        self.versions.range(..=day).next_back().unwrap().1
    }
}
