//! `qemu-img`: makes images, checks them, and keeps their dirty bitmaps.

use std::{
    ffi::OsStr,
    fs::File,
    io,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use serde::Deserialize;

use super::{BITMAP, find, marks::Marks};
use crate::{
    checkpoint::GRANULARITY,
    child::{self, Ended},
    error::VaultError,
    format,
    opening::open_image,
};

/// How long a bitmap may take: it is a matter of metadata.
const QUICK: Duration = Duration::from_secs(60);

/// How long making or checking an image may take: its metadata is read once.
const LONG: Duration = Duration::from_secs(1800);

/// The longest list of bitmaps that is looked at, in bytes: of some thousands.
const LONGEST_ANSWER: usize = 1 << 20;

/// A persistent dirty bitmap of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bitmap {
    pub(crate) name: String,
    /// Not, if whoever had the image open last did not close it: what changed then is not in the bitmap.
    pub(crate) usable: bool,
    /// Whether it hears of what is written: one that was disabled does not.
    pub(crate) records: bool,
    /// Bytes of the disk that one bit stands for.
    pub(crate) granularity: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Info {
    format_specific: Option<Specific>,
}

#[derive(Deserialize)]
struct Specific {
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    #[serde(default)]
    bitmaps: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    name: String,
    #[serde(default)]
    flags: Vec<String>,
    #[serde(default)]
    granularity: u64,
}

/// The dirty bitmaps of an image.
pub(crate) fn bitmaps(image: &Path) -> Result<Vec<Bitmap>, VaultError> {
    let program = find("qemu-img", "list the dirty bitmaps of a qcow2 image")?;
    let io = |source| VaultError::io("list the dirty bitmaps of", image, source);
    let mut command = child::leashed(&program);
    command
        .args(["info", "--format=qcow2", "--output=json", "--"])
        .arg(std::path::absolute(image).map_err(io)?);
    let mut answer = Vec::new();
    let ended = child::listen(command, QUICK, &mut |said| {
        answer.extend(said.iter().take(LONGEST_ANSWER - answer.len()));
    });
    said(ended.map_err(io)?).map_err(io)?;
    let info: Info =
        serde_json::from_slice(&answer).map_err(|error| io(io::Error::other(error.to_string())))?;
    let listed = info.format_specific.and_then(|specific| specific.data);
    let listed = listed.map(|data| data.bitmaps).unwrap_or_default();
    let bitmap = |Listed {
                      name,
                      flags,
                      granularity,
                  }| Bitmap {
        usable: !flags.iter().any(|flag| flag == "in-use"),
        records: flags.iter().any(|flag| flag == "auto"),
        granularity,
        name,
    };
    Ok(listed.into_iter().map(bitmap).collect())
}

/// Begins a persistent bitmap, with marks in it if there are any. `held` is a file with a lock on it that the tool keeps until
/// it has ended, whatever becomes of this process: killing it in the middle would leave the image half written.
pub(crate) fn add_bitmap(
    image: &Path,
    bitmap: &str,
    marks: Option<&Marks>,
    held: Option<&File>,
) -> Result<(), VaultError> {
    let granularity = GRANULARITY.to_string();
    let mut more = vec![OsStr::new("-g"), OsStr::new(&granularity)];
    if let Some(marks) = marks {
        more.extend(marks.merged());
    }
    let command = change("--add", image, bitmap, held, &more)?;
    succeed(command, QUICK, "begin a dirty bitmap in", image)
}

/// Removes a bitmap. `held` as with [`add_bitmap`].
pub(crate) fn remove_bitmap(
    image: &Path,
    bitmap: &str,
    held: Option<&File>,
) -> Result<(), VaultError> {
    let command = change("--remove", image, bitmap, held, &[])?;
    succeed(command, QUICK, "remove a dirty bitmap from", image)
}

/// Removes those of our bitmaps that `goes` says, if the image is there and can have any.
pub(crate) fn remove_bitmaps(
    image: &Path,
    goes: impl Fn(&str) -> bool,
    held: Option<&File>,
) -> Result<(), VaultError> {
    let header = open_image(image).and_then(|file| format::of(&file));
    if !matches!(header, Ok(format::Kind::Qcow2(header)) if header.keeps_bitmaps) {
        return Ok(());
    }
    bitmaps(image)?
        .iter()
        .filter(|bitmap| bitmap.name.starts_with(BITMAP) && goes(&bitmap.name))
        .try_for_each(|bitmap| remove_bitmap(image, &bitmap.name, held))
}

/// Removes all dirty bitmaps of ours from an image. One that is gone has none.
///
/// # Errors
/// [`VaultError::Io`] when the image does not answer, can't be written, or somebody holds it; [`VaultError::ToolMissing`].
pub fn remove_our_bitmaps(image: &Path) -> Result<(), VaultError> {
    match open_image(image) {
        Ok(_) => remove_bitmaps(image, |_| true, None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(VaultError::io("look for dirty bitmaps in", image, source)),
    }
}

fn change(
    what: &str,
    image: &Path,
    bitmap: &str,
    held: Option<&File>,
    more: &[&OsStr],
) -> Result<Command, VaultError> {
    let io = |source| VaultError::io("change the dirty bitmaps of", image, source);
    let mut command = Command::new(find("qemu-img", "keep the dirty bitmaps of a qcow2 image")?);
    command
        .args(["bitmap", what])
        .args(more)
        .args(["-f", "qcow2", "--"])
        .arg(std::path::absolute(image).map_err(io)?)
        .arg(bitmap);
    command.stdin(match held {
        Some(held) => Stdio::from(held.try_clone().map_err(io)?),
        None => Stdio::null(),
    });
    Ok(command)
}

/// Makes an empty image of a disk of `size` bytes over the empty file at `image`.
pub(crate) fn create(image: &Path, size: u64) -> Result<(), VaultError> {
    let program = find("qemu-img", "make a qcow2 image")?;
    let io = |source| VaultError::io("create", image, source);
    let mut command = child::leashed(&program);
    command
        .args(["create", "-q", "-f", "qcow2", "-o", "compat=1.1", "--"])
        .arg(std::path::absolute(image).map_err(io)?)
        .arg(size.to_string());
    succeed(command, LONG, "make a qcow2 image at", image)
}

/// Refuses an image whose tables do not agree with each other or point beyond its end, which would read as zeros. Clusters
/// that nothing refers to are no matter.
pub(crate) fn check_tables(image: &Path) -> Result<(), VaultError> {
    const ONLY_LEAKS: i32 = 3;
    let program = find("qemu-img", "check a qcow2 image")?;
    let io = |source| VaultError::io("check the tables of", image, source);
    let mut command = child::leashed(&program);
    command
        .args(["check", "-f", "qcow2", "--"])
        .arg(std::path::absolute(image).map_err(io)?);
    let ended = child::run(command, LONG, child::LAST_WORDS).map_err(io)?;
    match ended.status.and_then(|status| status.code()) {
        Some(ONLY_LEAKS) => Ok(()),
        _ => said(ended).map(|_| ()).map_err(io),
    }
}

fn succeed(
    command: Command,
    timeout: Duration,
    doing: &'static str,
    image: &Path,
) -> Result<(), VaultError> {
    let io = |source| VaultError::io(doing, image, source);
    let ended = child::run(command, timeout, child::LAST_WORDS).map_err(io)?;
    said(ended).map(|_| ()).map_err(io)
}

/// What a program said that succeeded; otherwise that is the error.
pub(super) fn said(Ended { status, output }: Ended) -> io::Result<String> {
    match status {
        Some(status) if status.success() => Ok(output),
        Some(_) => Err(io::Error::other(output)),
        None => Err(io::Error::other("qemu-img took too long")),
    }
}
