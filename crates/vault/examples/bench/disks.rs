//! The disks that are backed up, the same in each run, and what is written to them in between.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::FileExt,
    path::Path,
    process::Command,
};

use anyhow::Result;
use kluis_vault::Extent;

use crate::tools::succeed;

pub(crate) const MIB: u64 = 1 << 20;
const DISK: u64 = 4096 * MIB;

/// Used in 24 runs of 64 MiB with holes between, every second MiB compressible.
pub(crate) fn make_disk(path: &Path) -> Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    let file = File::create(path)?;
    file.set_len(DISK)?;
    let mut noise = Noise(1);
    for run in 0..24 {
        for number in 0..64 {
            let block = if number % 2 == 0 {
                noise.bytes(MIB)
            } else {
                noise.text(MIB)
            };
            file.write_all_at(&block, (run * 170 + number) * MIB)?;
        }
    }
    Ok(())
}

/// Writes 41 MiB anew in 20 runs, none at a chunk's boundary, and says where.
pub(crate) fn change(path: &Path, round: u64) -> Result<Vec<Extent>> {
    let file = File::options().write(true).open(path)?;
    let mut noise = Noise(round + 1);
    let runs = (0..20).map(|run| {
        let extent = Extent {
            offset: (run * 170 + 20) * MIB + run * 40_960,
            length: 41 * MIB / 20 / 4096 * 4096,
        };
        let block = if run % 2 == 0 {
            noise.bytes(extent.length)
        } else {
            noise.text(extent.length)
        };
        file.write_all_at(&block, extent.offset)?;
        Ok(extent)
    });
    runs.collect()
}

/// Writes 64 KiB anew at 655 places all over what is used, and says where: what a database does to its disk.
pub(crate) fn scatter(path: &Path, round: u64) -> Result<Vec<Extent>> {
    let file = File::options().write(true).open(path)?;
    let mut noise = Noise(round + 100);
    let writes = (0..655).map(|number| {
        let (run, place) = (number % 24, number / 24);
        let extent = Extent {
            offset: run * 170 * MIB + place * 2_400_256 / 4096 * 4096,
            length: 64 << 10,
        };
        file.write_all_at(&noise.bytes(extent.length), extent.offset)?;
        Ok(extent)
    });
    writes.collect()
}

/// A disk of `size` bytes with 1 GiB of data in 16 runs that are spread all over it.
pub(crate) fn make_spread(path: &Path, size: u64) -> Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    let file = File::create(path)?;
    file.set_len(size)?;
    let mut noise = Noise(7);
    for run in 0..16 {
        for number in 0..64 {
            let block = if number % 2 == 0 {
                noise.bytes(MIB)
            } else {
                noise.text(MIB)
            };
            file.write_all_at(&block, size / 16 * run + number * MIB)?;
        }
    }
    Ok(())
}

/// Whether two such disks have the same runs.
pub(crate) fn same_spread(a: &Path, b: &Path, size: u64) -> Result<bool> {
    let (a, b) = (File::open(a)?, File::open(b)?);
    let (mut left, mut right) = (vec![0; MIB as usize], vec![0; MIB as usize]);
    for place in (0..16).flat_map(|run| (0..64).map(move |number| size / 16 * run + number * MIB)) {
        a.read_exact_at(&mut left, place)?;
        b.read_exact_at(&mut right, place)?;
        if left != right {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A generator without surprises: xorshift.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, length: u64) -> Vec<u8> {
        (0..length / 8)
            .flat_map(|_| self.next().to_le_bytes())
            .collect()
    }

    /// Lines such as a log has.
    fn text(&mut self, length: u64) -> Vec<u8> {
        const WORDS: [&str; 16] = [
            "GET", "POST", "/index", "/orders/", "accepted", "refused", "user", "session",
            "timeout", "200", "404", "500", "from", "10.0.", "bytes", "in",
        ];
        let mut text = Vec::with_capacity(length as usize + 64);
        while (text.len() as u64) < length {
            let random = self.next();
            let word = |shift: u32| WORDS[(random >> shift) as usize % 16];
            let _ = writeln!(
                text,
                "{} {} {} {} {} {:x}",
                word(0),
                word(4),
                word(8),
                word(12),
                word(16),
                random >> 40
            );
        }
        text.truncate(length as usize);
        text
    }
}

/// Brings the disk into the page cache and writes out what is dirty.
pub(crate) fn settle(disk: &Path) -> Result<()> {
    io::copy(&mut File::open(disk)?, &mut io::sink())?;
    succeed(&mut Command::new("sync"))
}

pub(crate) fn same(a: &Path, b: &Path) -> Result<bool> {
    let (mut a, mut b) = (File::open(a)?, File::open(b)?);
    let (mut left, mut right) = (vec![0; MIB as usize], vec![0; MIB as usize]);
    loop {
        let length = a.read(&mut left)?;
        if length == 0 {
            return Ok(b.read(&mut right)? == 0);
        }
        b.read_exact(&mut right[..length])?;
        if left[..length] != right[..length] {
            return Ok(false);
        }
    }
}

/// Bytes of all files below a directory.
pub(crate) fn size(directory: &Path) -> Result<u64> {
    let mut size = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        size += if metadata.is_dir() {
            self::size(&entry.path())?
        } else {
            metadata.len()
        };
    }
    Ok(size)
}
