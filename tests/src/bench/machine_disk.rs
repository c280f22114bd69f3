//! The disk of the machine that is backed up: the same in each run, and 1 % of it written anew in between.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::run;
use crate::qemu;

const MIB: u64 = 1 << 20;
const DISK: u64 = 4096 * MIB;
/// Runs of data with holes between them.
const RUNS: u64 = 24;
/// From one run to the next.
const STEP: u64 = DISK / RUNS / MIB * MIB;
/// What is written anew: 20 pieces, 1 % of the disk together, none at a boundary of anything.
const PIECES: u64 = 20;
const PIECE: u64 = 2 * MIB + 36_864;

/// What an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Raw,
    Qcow2,
}

impl Format {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
        }
    }
}

/// Makes a disk of 4 GiB with 1.5 GiB used, of which every second MiB can be compressed.
pub(super) fn make(image: &Path, format: Format) -> Result<()> {
    let raw = image.with_extension("making");
    let file = File::create(&raw).context("making a disk")?;
    file.set_len(DISK)?;
    let mut noise = Noise(1);
    for at in (0..RUNS).map(|run| run * STEP) {
        for number in 0..64 {
            let block = if number % 2 == 0 {
                noise.bytes(MIB)
            } else {
                noise.lines(MIB)
            };
            file.write_all_at(&block, at + number * MIB)?;
        }
    }
    drop(file);
    match format {
        Format::Raw => std::fs::rename(&raw, image)?,
        Format::Qcow2 => {
            qemu::qcow2_of(&raw, image)?;
            std::fs::remove_file(&raw)?;
        }
    }
    Ok(())
}

/// Writes 1 % of the disk anew, as its machine would.
pub(super) fn change(image: &Path, format: Format, round: u64) -> Result<()> {
    let mut noise = Noise(round + 100);
    let places = (0..PIECES).map(|piece| piece * STEP + 20 * MIB + piece * 40_960);
    match format {
        Format::Raw => {
            let file = File::options().write(true).open(image)?;
            for at in places {
                file.write_all_at(&noise.bytes(PIECE), at)?;
            }
        }
        Format::Qcow2 => {
            let piece = image.with_extension("piece");
            for at in places {
                std::fs::write(&piece, noise.bytes(PIECE))?;
                let write = format!("write -s {} {at} {PIECE}", piece.display());
                run(Command::new("qemu-io")
                    .args(["-f", "qcow2", "-c", &write])
                    .arg(image))?;
            }
            std::fs::remove_file(&piece)?;
        }
    }
    Ok(())
}

/// Brings the image into the page cache and has all that is dirty written, so that whoever comes next has what the one before had.
pub(super) fn settle(image: &Path) -> Result<()> {
    io::copy(&mut File::open(image)?, &mut io::sink())?;
    run(&mut Command::new("sync")).map(drop)
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
    fn lines(&mut self, length: u64) -> Vec<u8> {
        let mut text = Vec::new();
        while (text.len() as u64) < length {
            let random = self.next();
            let user = random % 1000;
            let took = random >> 54;
            let _ = writeln!(
                text,
                "INFO order accepted user={user} took={took}ms id={random:x}"
            );
        }
        text.truncate(length as usize);
        text
    }
}
