//! Who else has an image open for writing: a copy of what is written meanwhile is no moment of the disk.
//!
//! QEMU says so itself, by locks on single bytes of the image that hold across users and containers. Of everybody else the
//! kernel tells: in the open files and the shared memory of the processes that this user may look at, in the list of loop
//! devices, and of a block device by what is mounted from it or built on it. A writer that none of these show, such as a machine on another host,
//! isn't found; what it wrote while the image was copied shows in the file's time.

use std::{
    ffi::OsStr,
    fs::{self, File, Metadata},
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::Path,
};

/// QEMU locks the byte of this number, and one more for each right: of a writer, the second.
const QEMU_FIRST: u64 = 100;
const QEMU_WRITER: u64 = 101;

/// Somebody who has the image at `path`, open as `file`, open for writing: in words; `None` if nobody is found.
pub(crate) fn find(path: &Path, file: &File) -> Option<String> {
    let metadata = file.metadata().ok()?;
    let found = process(path, &metadata).or_else(|| locked(&metadata));
    if metadata.file_type().is_block_device() {
        found.or_else(|| in_use_as_device(metadata.rdev()))
    } else {
        found.or_else(|| loop_device(path))
    }
}

/// Whether a lock says so, of those that the kernel lists: number, kind, mode, way, process, `major:minor:inode` (the first
/// two in hexadecimal digits), first and last byte. One for reading on the whole file, as a backup program takes, says
/// nothing of writing.
fn locked(image: &Metadata) -> Option<String> {
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let held = locks.lines().any(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let [_, "POSIX" | "OFDLCK", _, way, _, place, first, last] = fields[..] else {
            return false;
        };
        let first = first.parse::<u64>().unwrap_or_default();
        let last = last.parse().unwrap_or(u64::MAX);
        let is_of_a_writer = way == "WRITE" || first >= QEMU_FIRST;
        is_of_a_writer && (first..=last).contains(&QEMU_WRITER) && is_at(place, image)
    });
    held.then(|| "QEMU, as its lock on the image says".to_owned())
}

/// Whether a lock's place is this file's. A file system without a device of its own may have another number here.
fn is_at(place: &str, image: &Metadata) -> bool {
    let mut parts = place.split(':');
    let hex = |part: Option<&str>| u32::from_str_radix(part?, 16).ok();
    let (major, minor) = (hex(parts.next()), hex(parts.next()));
    let inode = parts.next().and_then(|inode| inode.parse::<u64>().ok());
    let own = (
        rustix::fs::major(image.dev()),
        rustix::fs::minor(image.dev()),
    );
    inode == Some(image.ino()) && (own.0 == 0 || (major, minor) == (Some(own.0), Some(own.1)))
}

fn process(path: &Path, image: &Metadata) -> Option<String> {
    let own = std::process::id().to_string();
    let real = fs::canonicalize(path).ok();
    let image_name = real.as_deref().and_then(Path::file_name);
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let name = entry.file_name();
        let Some(id) = name
            .to_str()
            .filter(|id| id.bytes().all(|b| b.is_ascii_digit()))
        else {
            continue;
        };
        if id == own {
            continue;
        }
        // Gone meanwhile, or another user's.
        let Ok(files) = fs::read_dir(entry.path().join("fd")) else {
            continue;
        };
        let mut files = files.flatten();
        let opened = files.any(|open| {
            let about = OpenFile::of(&entry.path().join("fdinfo").join(open.file_name()));
            about.writes
                && about.may_be(&open.path(), image_name, image)
                && fs::metadata(open.path()).is_ok_and(|found| is_same(&found, image))
        });
        if opened || maps(&entry.path().join("maps"), image_name, image) {
            let command = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            return Some(format!("process {id} ({})", command.trim()));
        }
    }
    None
}

/// What the kernel tells of an open file without asking the file's own file system, which may be dead.
struct OpenFile {
    writes: bool,
    /// Kernels before 5.14 do not tell it.
    inode: Option<u64>,
}

impl OpenFile {
    /// The flags are in octal digits; their last two bits are the way the file was opened.
    fn of(information: &Path) -> Self {
        let text = fs::read_to_string(information).unwrap_or_default();
        let field = |name| text.lines().find_map(|line| line.strip_prefix(name));
        let flags = field("flags:").and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
        Self {
            writes: flags.is_some_and(|flags| flags & 0o3 != 0),
            inode: field("ino:").and_then(|inode| inode.trim().parse().ok()),
        }
    }

    /// Whether its inode, or else its name, leaves it possible that it is the image.
    fn may_be(&self, open: &Path, name: Option<&OsStr>, image: &Metadata) -> bool {
        if let Some(inode) = self.inode
            && image.is_file()
        {
            return inode == image.ino();
        }
        let Ok(target) = fs::read_link(open) else {
            return false;
        };
        image.nlink() > 1
            || image.file_type().is_block_device() && target.starts_with("/dev")
            || target.file_name() == name
    }
}

/// Whether a process has the image in its memory to write to it: that needs no open file, and moves the file's time late or
/// never. A line has range, rights, offset, device, inode and path; where a file system has no device of its own, other files have
/// the same inode, and the name has to say that it is this one.
fn maps(maps: &Path, name: Option<&OsStr>, image: &Metadata) -> bool {
    if !image.is_file() {
        return false;
    }
    let maps = fs::read_to_string(maps).unwrap_or_default();
    let name = name.and_then(OsStr::to_str);
    let has_device = rustix::fs::major(image.dev()) != 0;
    maps.lines().any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (Some(rights), _, Some(device), Some(inode)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return false;
        };
        let writes = rights.contains('w') && rights.ends_with('s');
        let is_named = name.is_some_and(|name| line.ends_with(&format!("/{name}")));
        writes && (has_device || is_named) && is_at(&format!("{device}:{inode}"), image)
    })
}

fn is_same(a: &Metadata, b: &Metadata) -> bool {
    if b.file_type().is_block_device() {
        return a.file_type().is_block_device() && a.rdev() == b.rdev();
    }
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// The loop device that an image is behind, if it may write.
fn loop_device(image: &Path) -> Option<String> {
    let image = fs::canonicalize(image).ok()?;
    for entry in fs::read_dir("/sys/block").ok()?.flatten() {
        let read = |name: &str| fs::read_to_string(entry.path().join(name)).unwrap_or_default();
        let backing = read("loop/backing_file");
        if Path::new(backing.trim_end_matches('\n')) == image && read("ro").trim() == "0" {
            return Some(format!("the loop device {}", entry.file_name().display()));
        }
    }
    None
}

/// What is mounted from a block device or one of its partitions, or built on it.
fn in_use_as_device(device: u64) -> Option<String> {
    let number = format!(
        "{}:{}",
        rustix::fs::major(device),
        rustix::fs::minor(device)
    );
    let directory = fs::canonicalize(Path::new("/sys/dev/block").join(&number)).ok()?;
    let parts = fs::read_dir(&directory).ok()?.flatten();
    let parts = parts.filter(|entry| entry.path().join("partition").exists());
    let mut numbers = vec![number];
    let mut places = vec![directory.clone()];
    for part in parts {
        numbers.extend(
            fs::read_to_string(part.path().join("dev")).map(|number| number.trim().to_owned()),
        );
        places.push(part.path());
    }
    let holder = places.iter().find_map(|place| {
        let mut holders = fs::read_dir(place.join("holders")).ok()?.flatten();
        holders.next().map(|holder| holder.file_name())
    });
    if let Some(holder) = holder {
        return Some(format!("the device {}", OsStr::display(&holder)));
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    mounts.lines().find_map(|line| {
        let fields: Vec<_> = line.split(' ').collect();
        let (number, at, options) = (fields.get(2)?, fields.get(4)?, fields.get(5)?);
        let writes = options.split(',').any(|option| option == "rw");
        (writes && numbers.iter().any(|known| known == number))
            .then(|| format!("the file system that is mounted at {at}"))
    })
}
