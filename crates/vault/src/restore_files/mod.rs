//! A restore of files: what is asked for appears below one directory, whole and compared, or nothing does.
//!
//! Everything lies below the target by the path it has on its volume, `/etc/hosts` at `<target>/etc/hosts`: the path that it
//! truly has, without symbolic links on the way. It is written into a hidden directory beside the target, read back from
//! disk, compared, and then given the target's name at once. Whatever names and links the volume holds, nothing is written
//! anywhere else: every step goes through the directory above it, opened without following links, and makes what was not
//! there. Modes and times are kept; owners too where we are root, and else no bit that would lend out our own rights. What
//! cannot be restored is told of and left out: devices, pipes and sockets, which are doors into the machine that they come to;
//! what is damaged; what is not read here.
//!
//! One side reads (`reader`), the other writes (`writer`); what passes between them are `frame`s. `kluis restore --files` has
//! the reading side in the service and the writing one where the person is.

mod batch;
mod frame;
mod place;
mod reader;
mod receive;
mod send;
mod sum;
mod tell;
mod wire;
mod writer;

use std::{io, path::Path, sync::Arc};

use crate::{
    error::VaultError, event::Event, files::Explorer, job::RestoreFilesTask, key::MasterKey,
    lock::Lock, meter::Meter,
};
use place::remove_tree;
use reader::{Layout, Reader};
use writer::{Outermost, Way, Writer};

pub(crate) use batch::{finish, finish_link};
pub(crate) use place::{Found, Place, discard, preflight, remove_hidden};
pub(crate) use tell::Told;
pub use {
    receive::{Received, Receiver},
    send::{Wanted, send},
};

pub(crate) fn run(
    vault: &Path,
    key: &MasterKey,
    job: &str,
    task: &RestoreFilesTask,
    emit: &mut dyn FnMut(Event),
) -> Result<(), VaultError> {
    check_task(task)?;
    let (explorer, _lock) = if task.images.is_empty() {
        let lock = Lock::shared(vault)?;
        let explorer = Explorer::open(vault, key, &task.snapshot, &task.vm)?;
        (explorer, Some(lock))
    } else {
        let images = task.images.iter();
        let images: Vec<_> = images
            .map(|image| (image.name.clone(), image.path.clone()))
            .collect();
        (Explorer::of_images(&images)?, None)
    };
    let found = Found::at(&task.to, job)?;
    let volume = task.volume.as_deref();
    let bytes = explorer.with(volume, |mounted| {
        Reader::new(mounted, &task.paths, Layout::Paths)?.measure()
    })?;
    if matches!(found, Found::Nothing) {
        preflight(&task.to, bytes)?;
    }
    let (meter, told) = (Arc::new(Meter::new(bytes)), Arc::new(Told::default()));
    let restore = |found: Found| {
        explorer.with(volume, |mounted| {
            let place = match found {
                Found::Ours => None,
                Found::Nothing => Some(Place::make(&task.to, job)?),
            };
            let root = place.as_ref().map_or(task.to.as_path(), Place::path);
            let way = if place.is_some() {
                Way::Write
            } else {
                Way::Compare
            };
            let mut reader = Reader::new(mounted, &task.paths, Layout::Paths)?;
            let mut writer = Writer::new(
                root,
                way,
                Outermost::Like,
                Arc::clone(&meter),
                Arc::clone(&told),
            )?;
            while let Some(frame) = reader.next()? {
                writer.take(frame)?;
            }
            let (counted, _) = writer.finish()?;
            if counted.files == 0
                && let Some(error) = reader.vault_damage()
            {
                return Err(error);
            }
            if let Some(place) = place {
                place.keep()?;
            }
            Ok(counted)
        })
    };
    let counted = meter.watch(emit, || match (found, restore(found)) {
        (Found::Ours, Err(VaultError::Io { path, source, .. }))
            if source.kind() == io::ErrorKind::PermissionDenied && path.starts_with(&task.to) =>
        {
            // What was finished has modes by which its owner may not read it.
            remove_tree(&task.to)?;
            told.take();
            preflight(&task.to, bytes)?;
            restore(Found::Nothing)
        }
        (_, restored) => restored,
    })?;
    told.emit(emit);
    let writer::Counted {
        files,
        directories,
        bytes,
    } = counted;
    emit(Event::FilesRestored {
        files,
        directories,
        bytes,
    });
    Ok(())
}

fn check_task(task: &RestoreFilesTask) -> Result<(), VaultError> {
    if task.paths.is_empty() {
        return Err(VaultError::InvalidJob(
            "a restore of files needs paths".to_owned(),
        ));
    }
    let up = |path: &&String| path.split('/').any(|name| name == "..");
    match task.paths.iter().find(up) {
        None => Ok(()),
        Some(path) => Err(VaultError::InvalidJob(format!(
            "the path {path:?} must be absolute, without '..'"
        ))),
    }
}
