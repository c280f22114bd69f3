//! Snapshots of a machine's disks: files beside its images, as near to one moment as can be, before anything is transferred.
//!
//! Where the file system can't share an image's blocks, its disk goes straight into the vault ([`straight`]), if that was asked for.
//!
//! The order is what keeps the promises. The next dirty bitmap begins before the snapshot, so that no write falls between
//! them. Then the script before, all disks at once, the script after; only then is anything written out and named, so that
//! the machine is held up for as short as possible. A job that is cancelled or fails leaves nothing: hidden files, finished
//! files, the bitmaps it began, and a machine that its script had stopped are all put right, by the job itself or, when it
//! was killed, by [`clean_up`].

mod copy;
mod script;
mod stopped;
mod straight;

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    path::Path,
    thread,
    time::Duration,
};

use rustix::fs::{FlockOperation, flock};

use crate::{
    checkpoint::Checkpoint,
    error::{VaultError, describe},
    event::Event,
    job::{InUse, SnapshotSource, SnapshotTask, StraightTask},
    layout,
    meter::{Failure, Meter},
    qemu::{self, Marks},
    repository::Vault,
    source::ImageFile,
    target::{self, Found, Target},
    writers,
};

use copy::Copied;
use stopped::BetweenScripts;
use straight::Straight;

/// How often, and after how long, a writer is looked for again before it counts as one.
const MOMENTS: u32 = 4;
const MOMENT: Duration = Duration::from_millis(250);

/// One disk on its way into its snapshot file.
struct Disk<'a> {
    task: &'a SnapshotSource,
    image: ImageFile,
    target: Target,
    in_use: bool,
    checkpoint: Option<Checkpoint>,
}

impl Disk<'_> {
    /// What is told of it once it has been taken.
    fn taken(&self, copied: Copied) -> Event {
        Event::Snapshotted {
            disk: self.task.name.clone(),
            size: self.image.size,
            format: self.image.format(),
            method: copied.method,
            tracked: self.checkpoint.is_some(),
            touched: copied.touched,
            in_use: self.in_use,
            image: Some(self.image.id()),
            checkpoint: self.checkpoint.clone(),
        }
    }
}

/// Takes the snapshots. Nothing stays if it fails. A vault that can't be opened is the transfer's to tell of: the disks are copied.
pub(crate) fn run(
    job: &str,
    task: &SnapshotTask,
    vault: impl FnOnce() -> Result<Vault, VaultError>,
    emit: &mut dyn FnMut(Event),
) -> Result<(), VaultError> {
    check_task(task)?;
    clean_up(job, task, emit)?;
    let straight = task.straight.as_deref().map(|task| (task, vault));
    take(job, task, straight, emit).inspect_err(|_| {
        if let Err(error) = clean_up(job, task, emit) {
            let why = describe(&error);
            emit(Event::Note {
                message: format!("The snapshot that failed left something behind: {why}."),
            });
        }
    })
}

/// Puts right what a job left that was killed: its files, its bitmaps, and the machine if it is still held up by the script
/// before the snapshot, of which it tells. Waits for a tool that is still at work on an image.
pub(crate) fn clean_up(
    job: &str,
    task: &SnapshotTask,
    emit: &mut dyn FnMut(Event),
) -> Result<(), VaultError> {
    let mut done = stopped::release(job, task, emit);
    for disk in &task.disks {
        done = done.and(clean_up_disk(job, disk));
    }
    done
}

fn clean_up_disk(job: &str, disk: &SnapshotSource) -> Result<(), VaultError> {
    let hidden = target::hidden_path(&disk.to, job);
    let held = hidden.as_deref().and_then(|path| File::open(path).ok());
    if let Some(held) = &held {
        let locked = retry(|| flock(held, FlockOperation::LockExclusive));
        locked.map_err(|errno| VaultError::io("lock", &disk.to, errno))?;
    }
    if let Some(track) = &disk.track
        && (held.is_some() || disk.to.exists())
    {
        qemu::remove_bitmaps(&disk.path, |name| name == track, held.as_ref())?;
    }
    if let Ok(Found::Ours { path }) = Found::at(&disk.to, job) {
        fs::remove_file(&path).map_err(|source| VaultError::io("remove", path, source))?;
    }
    target::remove_hidden(&disk.to, job)
}

fn retry(mut call: impl FnMut() -> rustix::io::Result<()>) -> rustix::io::Result<()> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            done => return done,
        }
    }
}

fn check_task(task: &SnapshotTask) -> Result<(), VaultError> {
    let invalid = |why: &str| Err(VaultError::InvalidJob(why.to_owned()));
    if task.disks.is_empty() {
        return invalid("a snapshot needs a disk");
    }
    let mut names = BTreeSet::new();
    let mut targets = BTreeSet::new();
    for disk in &task.disks {
        layout::check_name("disk", &disk.name)?;
        if !names.insert(&disk.name) || !targets.insert(&disk.to) || disk.to == disk.path {
            return invalid("each disk of a snapshot needs a name and a file of its own");
        }
        if disk.track.as_deref().is_some_and(|track| {
            !track.starts_with(qemu::BITMAP) || layout::check_name("bitmap", track).is_err()
        }) {
            return invalid("a dirty bitmap's name begins with kluis- and is a plain one");
        }
    }
    if let Some(straight) = &task.straight {
        straight::check(&straight.backup, &names)?;
    }
    script::check(task.scripts.as_ref())
}

fn take(
    job: &str,
    task: &SnapshotTask,
    straight: Option<(&StraightTask, impl FnOnce() -> Result<Vault, VaultError>)>,
    emit: &mut dyn FnMut(Event),
) -> Result<(), VaultError> {
    let mut disks = open(job, task, emit)?;
    let straight = straight.filter(|_| straight::is_due(&disks));
    let straight = straight.and_then(|(task, vault)| Straight::enter(task, vault).ok());
    if straight.is_some() {
        emit(Event::Straight { goes: true });
    } else {
        copy::preflight(disks.iter().map(|disk| (&disk.image, &disk.target)))?;
    }
    for disk in &mut disks {
        disk.checkpoint = track(disk, emit)?;
    }
    let held = BetweenScripts::begin(job, task, emit)?;
    let begun = disks.iter_mut().try_for_each(|disk| disk.image.begin());
    if let (Ok(()), Some(straight)) = (&begun, straight) {
        let Err(error) = straight.store(job, &disks, held, emit) else {
            return Ok(());
        };
        tracing::warn!(%job, error = %describe(&error), "the disks did not go straight into the vault and are copied");
        emit(Event::Straight { goes: false });
        drop((disks, straight));
        clean_up(job, task, emit)?;
        let copies: Option<(_, fn() -> _)> = None;
        return take(job, task, copies, emit);
    }
    let copied = begun.and_then(|()| copy_all(&disks, emit));
    held.release(emit);
    let copied = copied?;
    for (disk, copied) in disks.iter_mut().zip(&copied) {
        settle(disk, copied, emit)?;
    }
    for disk in &mut disks {
        disk.target.keep()?;
    }
    for (disk, copied) in disks.iter().zip(copied) {
        emit(disk.taken(copied));
    }
    Ok(())
}

fn open<'a>(
    job: &str,
    task: &'a SnapshotTask,
    emit: &mut dyn FnMut(Event),
) -> Result<Vec<Disk<'a>>, VaultError> {
    let mut disks = Vec::new();
    for disk in &task.disks {
        let image = ImageFile::open(&disk.name, &disk.path)?;
        let in_use = check_writer(disk, &image, emit)?;
        let target = Target::open(Found::at(&disk.to, job)?, 0, job)?;
        // Whoever cleans up after this job waits for the tools that were handed this file.
        retry(|| flock(&target.file, FlockOperation::LockShared))
            .map_err(|errno| VaultError::io("lock", &disk.to, errno))?;
        emit(Event::Disk {
            name: disk.name.clone(),
            size: image.size,
        });
        disks.push(Disk {
            task: disk,
            image,
            target,
            in_use,
            checkpoint: None,
        });
    }
    Ok(disks)
}

/// Refuses an image that somebody else has open for writing, unless its owner wants it read all the same. Whether it is one.
fn check_writer(
    disk: &SnapshotSource,
    image: &ImageFile,
    emit: &mut dyn FnMut(Event),
) -> Result<bool, VaultError> {
    let Some(by) = patient_writer(&disk.path, image) else {
        return Ok(false);
    };
    if disk.in_use == InUse::Refuse {
        return Err(VaultError::SourceInUse {
            disk: disk.name.clone(),
            path: disk.path.clone(),
            by,
        });
    }
    emit(Event::Note {
        message: format!(
            "Disk {} was open for writing by {by} when it was copied, and was read on the inventory's word (inUse: Read): its snapshot is crash-consistent at best.",
            disk.name
        ),
    });
    Ok(true)
}

/// Somebody who writes. A tool that has the image for a moment, such as one that keeps its bitmaps, is waited for.
fn patient_writer(path: &Path, image: &ImageFile) -> Option<String> {
    for _ in 0..MOMENTS {
        writers::find(path, &image.file)?;
        thread::sleep(MOMENT);
    }
    writers::find(path, &image.file)
}

/// Begins the dirty bitmap that was asked for, if the image can have one. Where that fails, as for an image that a running
/// machine holds, the next backup reads the disk whole, and that is said.
fn track(disk: &Disk<'_>, emit: &mut dyn FnMut(Event)) -> Result<Option<Checkpoint>, VaultError> {
    let Some(bitmap) = &disk.task.track else {
        return Ok(None);
    };
    let header = disk.image.qcow2.filter(|header| header.keeps_bitmaps);
    let Some(header) = header else {
        return Ok(None);
    };
    let (path, held) = (&disk.task.path, Some(&disk.target.file));
    let stale = |name: &str| disk.task.keep.as_deref() != Some(name);
    let begin = || {
        qemu::remove_bitmaps(path, stale, held)?;
        let marks = Marks::make(header.size)?;
        qemu::add_bitmap(path, bitmap, Some(&marks), held)?;
        Ok(Checkpoint {
            file: disk.image.id(),
            header: header.header,
            marks: marks.places,
        })
    };
    match begin() {
        Ok(checkpoint) => Ok(Some(checkpoint)),
        Err(error @ VaultError::ToolMissing { .. }) => Err(error),
        Err(error) => {
            let (name, why) = (&disk.task.name, describe(&error));
            let message = format!(
                "What changes in disk {name} from here on is not tracked, so the next backup reads it whole: {why}."
            );
            emit(Event::Note { message });
            Ok(None)
        }
    }
}

/// Copies the disks side by side: those that the file system shares first and at once, so that they are of one moment.
fn copy_all(disks: &[Disk<'_>], emit: &mut dyn FnMut(Event)) -> Result<Vec<Copied>, VaultError> {
    let mut copied: Vec<Option<Copied>> = Vec::new();
    for disk in disks {
        copied.push(copy::share(&disk.image, &disk.target)?);
    }
    let rest = disks
        .iter()
        .zip(&copied)
        .filter(|(_, copied)| copied.is_none());
    let total = rest.map(|(disk, _)| disk.image.length()).sum();
    emit(Event::Progress { done: 0, total });
    let meter = Meter::new(total);
    let failure = Failure::default();
    meter.watch(emit, || {
        thread::scope(|scope| {
            for (disk, copied) in disks.iter().zip(&mut copied) {
                let (meter, failure) = (&meter, &failure);
                if copied.is_none() {
                    scope.spawn(move || {
                        failure.watch(|| {
                            *copied = Some(copy::copy(&disk.image, &disk.target, meter, failure)?);
                            Ok(())
                        });
                    });
                }
            }
        });
        failure.first().map_or(Ok(()), Err)
    })?;
    let all = copied.into_iter().collect::<Option<Vec<_>>>();
    all.ok_or(VaultError::Internal("a disk was not copied"))
}

/// Has a snapshot written out, and says if the image was written to while it was copied. A qcow2 image that was may be
/// torn: its tables must agree, and what its bitmaps say is not believed.
fn settle(
    disk: &mut Disk<'_>,
    copied: &Copied,
    emit: &mut dyn FnMut(Event),
) -> Result<(), VaultError> {
    let Disk {
        image,
        target,
        in_use,
        ..
    } = disk;
    let at = target.place().to_owned();
    if copied.touched {
        emit(Event::Note {
            message: format!(
                "Disk {} was written to while it was copied: its snapshot is no single moment of it.",
                image.name
            ),
        });
    }
    if (copied.touched || *in_use) && image.qcow2.is_some() {
        qemu::check_tables(&at).map_err(|error| match error {
            VaultError::Io { source, .. } => image.changed(describe(&source)),
            error => error,
        })?;
        qemu::remove_bitmaps(&at, |_| true, None)?;
    }
    let io = |source| VaultError::io("write", &at, source);
    let modified = image
        .file
        .metadata()
        .and_then(|metadata| metadata.modified());
    // The time of the last write to the disk; only a listing shows it.
    let _ = modified.and_then(|time| target.file.set_modified(time));
    target.file.sync_all().map_err(io)?;
    let length = target.file.metadata().map_err(io)?.len();
    if !copied.touched && length != image.length() {
        return Err(VaultError::TargetDamaged {
            path: at,
            how: format!("it has {length} bytes, not {}", image.length()),
        });
    }
    Ok(())
}

/// A directory must be there for a file in it to be hidden.
fn parent_of(path: &Path) -> io::Result<&Path> {
    path.parent()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it has no directory"))
}
