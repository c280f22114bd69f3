//! Real disks: a partition table, an ext4 file system, files from this machine.
//! Made without root and without mounting, by the tools that made them for
//! others: sfdisk, mke2fs, debugfs.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::process::run;

/// Where the one partition begins: 1 MiB, as every installer aligns it.
pub const START: u64 = 1 << 20;

/// What the second copy of the partition table takes at a disk's end.
const END: u64 = 1 << 20;

/// What a small file is, of which a disk has thousands; and the largest taken.
const SMALL: u64 = 64 << 10;
const LARGE: u64 = 4 << 20;

/// What a disk was filled with.
#[derive(Debug, Clone, Copy)]
pub struct Filled {
    pub files: usize,
    pub bytes: u64,
}

/// Makes a raw disk of `mib` MiB at `path`, GPT with one ext4 partition, and
/// fills it with up to `fill` bytes of this machine's own files.
pub fn make(path: &Path, mib: u64, fill: u64) -> Result<Filled> {
    let staging = tempfile::tempdir().context("making a folder for the disk's files")?;
    let filled = gather(staging.path(), fill)?;
    of_folder(path, mib, staging.path())?;
    Ok(filled)
}

/// Makes a raw disk of `mib` MiB at `path`, GPT with one ext4 partition that holds
/// what the folder holds.
pub fn of_folder(path: &Path, mib: u64, folder: &Path) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let disk = File::create(path).with_context(|| format!("making {}", path.display()))?;
    disk.set_len(mib << 20)?;
    drop(disk);
    partition(path)?;
    let kib = ((mib << 20) - START - END) >> 10;
    run(Command::new(tool("mke2fs"))
        .args([
            "-q",
            "-F",
            "-t",
            "ext4",
            "-L",
            "kluis",
            "-E",
            &format!("offset={START},nodiscard"),
            "-d",
        ])
        .arg(folder)
        .arg(path)
        .arg(format!("{kib}k")))
    .context("making the file system")?;
    Ok(())
}

/// Writes new files of random bytes into the disk's file system: about `bytes`,
/// in files of 1 MiB. The source of a changed disk is its own file system.
pub fn change(path: &Path, bytes: u64) -> Result<u64> {
    let staging = tempfile::tempdir()?;
    let count = bytes.div_ceil(1 << 20).max(1);
    let mut script = String::new();
    let mut random = File::open("/dev/urandom")?;
    let mark = uuid::Uuid::new_v4().simple().to_string();
    for number in 0..count {
        let mut block = vec![0; 1 << 20];
        random.read_exact(&mut block)?;
        let file = staging.path().join(number.to_string());
        fs::write(&file, &block)?;
        script += &format!("write {} {mark}-{number}\n", file.display());
    }
    let mut child = Command::new(tool("debugfs"))
        .args(["-w", "-f", "-"])
        .arg(format!("{}?offset={START}", path.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("starting debugfs")?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(script.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!(
            "debugfs on {}: {}",
            path.display(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let listed = run(Command::new(tool("debugfs"))
        .args(["-R", "ls -p /"])
        .arg(format!("{}?offset={START}", path.display())))?;
    let written = listed.lines().filter(|line| line.contains(&mark)).count();
    if written as u64 != count {
        bail!(
            "debugfs wrote {written} of {count} files into {}: is it full?",
            path.display()
        );
    }
    Ok(count << 20)
}

/// The SHA-256 of a whole disk.
pub fn digest(path: &Path) -> Result<String> {
    let mut file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let mut hash = Sha256::new();
    let mut block = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut block)?;
        if read == 0 {
            return Ok(hex::encode(hash.finalize()));
        }
        hash.update(&block[..read]);
    }
}

/// Compares two disks byte by byte and returns how many bytes they have.
///
/// # Errors
/// Says where the first difference is.
pub fn same(left: &Path, right: &Path) -> Result<u64> {
    let open =
        |path: &Path| File::open(path).with_context(|| format!("opening {}", path.display()));
    let (mut one, mut other) = (open(left)?, open(right)?);
    let (size, other_size) = (one.metadata()?.len(), other.metadata()?.len());
    if size != other_size {
        bail!(
            "{} has {size} bytes, {} has {other_size}",
            left.display(),
            right.display()
        );
    }
    let (mut a, mut b) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    let mut at = 0;
    while at < size {
        let want = usize::try_from((size - at).min(1 << 20))?;
        one.read_exact(&mut a[..want])?;
        other.read_exact(&mut b[..want])?;
        if let Some(offset) = a[..want].iter().zip(&b[..want]).position(|(x, y)| x != y) {
            bail!(
                "{} and {} differ at byte {}",
                left.display(),
                right.display(),
                at + offset as u64
            );
        }
        at += want as u64;
    }
    Ok(size)
}

/// Copies a disk's bytes aside, holes kept.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    run(Command::new("cp").arg("--sparse=always").arg(from).arg(to)).map(drop)
}

fn partition(path: &Path) -> Result<()> {
    let mut child = Command::new(tool("sfdisk"))
        .arg("--quiet")
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("starting sfdisk")?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(b"label: gpt\nstart=2048, type=linux\n")?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!(
            "sfdisk on {}: {}",
            path.display(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

/// Copies this machine's own files into `to` until `fill` bytes are there: small
/// ones by the thousand, then larger ones.
fn gather(to: &Path, fill: u64) -> Result<Filled> {
    let mut filled = Filled { files: 0, bytes: 0 };
    for (from, sizes, most) in [
        ("/usr/share", 1..=SMALL, 4000),
        ("/usr/lib", SMALL..=LARGE, usize::MAX),
    ] {
        let mut folders = vec![PathBuf::from(from)];
        let mut taken = 0;
        while let Some(folder) = folders.pop() {
            let Ok(entries) = fs::read_dir(&folder) else {
                continue;
            };
            let mut entries: Vec<_> = entries.flatten().collect();
            entries.sort_by_key(fs::DirEntry::file_name);
            for entry in entries {
                let Ok(found) = entry.metadata() else {
                    continue;
                };
                if found.is_dir() {
                    folders.push(entry.path());
                }
                let fits = filled.bytes + found.len() <= fill;
                if found.is_file() && sizes.contains(&found.len()) && fits && taken < most {
                    take(&entry.path(), to, &mut filled, found.len())?;
                    taken += 1;
                }
            }
            if taken >= most || filled.bytes + SMALL > fill {
                break;
            }
        }
    }
    Ok(filled)
}

/// Copies one file, under a name of its own, into a folder for every thousand of
/// them, as a mail store or a cache has them.
fn take(file: &Path, to: &Path, filled: &mut Filled, size: u64) -> Result<()> {
    let into = to.join((filled.files / 1000).to_string());
    fs::create_dir_all(&into)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    // What may not be read is somebody else's: there are enough others.
    if fs::copy(file, into.join(format!("{}-{name}", filled.files))).is_ok() {
        filled.files += 1;
        filled.bytes += size;
    }
    Ok(())
}

/// Debian keeps these out of a plain user's PATH.
pub fn tool(name: &str) -> PathBuf {
    let beside = Path::new("/usr/sbin").join(name);
    if beside.exists() {
        beside
    } else {
        PathBuf::from(name)
    }
}
