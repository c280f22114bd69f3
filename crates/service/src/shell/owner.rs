//! Whose a file is and who else may touch it, looked at as ssh looks at its keys: what is ours is narrowed to us, what is
//! root's is trusted, and what is anybody else's is refused.
//!
//! All is asked of what is opened, behind whatever links lead to it, and does not depend on the umask.

use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// Group and others.
const OTHERS: u32 = 0o077;
const OTHERS_WRITE: u32 = 0o022;
const WORLD: u32 = 0o007;
const WORLD_WRITES: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Whose something is, as far as that matters.
enum Owner {
    Us,
    Root,
    Another(u32),
}

fn owner(about: &Metadata) -> Owner {
    let us = rustix::process::geteuid().as_raw();
    match about.uid() {
        uid if uid == us => Owner::Us,
        0 => Owner::Root,
        uid => Owner::Another(uid),
    }
}

/// A secret: nobody else may read or write it.
///
/// # Errors
/// Why it can't be trusted, and what to do.
pub(super) fn secret(file: &File, path: &Path) -> io::Result<()> {
    narrowed(file, path, OTHERS)?;
    let about = file.metadata()?;
    if about.mode() & OTHERS != 0 {
        tracing::warn!(path = %path.display(), mode = mode(&about), "others than root and the service may read this secret");
    }
    Ok(())
}

/// What is no secret but is believed: nobody else may write it.
///
/// # Errors
/// As [`secret`].
pub(super) fn believed(file: &File, path: &Path) -> io::Result<()> {
    narrowed(file, path, OTHERS_WRITE)
}

/// What is told to us and to whoever looks after us: its group may read it, and nobody else may use it.
///
/// # Errors
/// As [`secret`].
pub(super) fn trail(file: &File, path: &Path) -> io::Result<()> {
    narrowed(file, path, OTHERS_WRITE | WORLD)
}

/// What a person wrote, and all is believed of: it stays as it is, is told of where it is somebody else's, and refused where others
/// than its owner can write it.
///
/// # Errors
/// As [`secret`].
pub(super) fn persons(file: &File, path: &Path) -> io::Result<()> {
    let about = file.metadata()?;
    let others = match owner(&about) {
        // Whoever started the service named it.
        Owner::Another(uid) => {
            tracing::warn!(path = %path.display(), uid, "this belongs to another user, and the service believes what it says");
            OTHERS_WRITE
        }
        // Root chose who is in the group that may.
        Owner::Root => WORLD_WRITES,
        Owner::Us => OTHERS_WRITE,
    };
    // Many systems make a group of the same number for each user, with nobody else in it.
    let others = match about.gid() == about.uid() {
        true => WORLD_WRITES,
        false => others,
    };
    if about.mode() & others == 0 {
        return Ok(());
    }
    Err(refused(format!(
        "others than its owner can write it (mode {}), and the service believes what it says; take that away with chmod go-w {}",
        mode(&about),
        path.display()
    )))
}

/// The service's own folder, and the way to it.
///
/// # Errors
/// As [`secret`]; also when anybody can put another folder in its place.
pub(super) fn folder(path: &Path) -> io::Result<()> {
    let about = fs::metadata(path)?;
    match owner(&about) {
        Owner::Another(uid) => return Err(anothers(uid)),
        Owner::Us if about.mode() & OTHERS != 0 => {
            let to = Permissions::from_mode(about.mode() & 0o7700);
            told(fs::set_permissions(path, to), path, &about);
        }
        Owner::Root if about.mode() & WORLD_WRITES != 0 => return Err(written_by_all(path)),
        Owner::Us | Owner::Root => {}
    }
    let absolute = std::path::absolute(path)?;
    let real = fs::canonicalize(path)?;
    for above in absolute.ancestors().skip(1).chain(real.ancestors().skip(1)) {
        let about = fs::metadata(above)?;
        if about.mode() & WORLD_WRITES != 0 && about.mode() & STICKY == 0 {
            return Err(written_by_all(above));
        }
    }
    Ok(())
}

fn narrowed(file: &File, path: &Path, away: u32) -> io::Result<()> {
    let about = file.metadata()?;
    let open = about.mode() & away != 0;
    match owner(&about) {
        Owner::Another(uid) => Err(anothers(uid)),
        Owner::Us if open => {
            let to = Permissions::from_mode(about.mode() & 0o7777 & !away);
            told(file.set_permissions(to), path, &about);
            Ok(())
        }
        Owner::Root if about.mode() & WORLD_WRITES != 0 => Err(written_by_all(path)),
        Owner::Us | Owner::Root => Ok(()),
    }
}

/// A file system that is read-only, or that knows no permissions, can't narrow any.
fn told(narrowed: io::Result<()>, path: &Path, about: &Metadata) {
    match narrowed {
        Ok(()) => {
            tracing::warn!(path = %path.display(), mode = mode(about), "others could use this; it is the service's alone now");
        }
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), mode = mode(about), "others can use this, and that can't be changed");
        }
    }
}

fn mode(about: &Metadata) -> String {
    format!("{:04o}", about.mode() & 0o7777)
}

fn anothers(uid: u32) -> io::Error {
    let us = rustix::process::geteuid().as_raw();
    refused(format!(
        "it belongs to the user {uid}, who could change it at any time, and the service runs as {us}; make it the service's with chown"
    ))
}

fn written_by_all(path: &Path) -> io::Error {
    refused(format!(
        "every user of this machine can write to {0}; take that away with chmod o-w {0}",
        path.display()
    ))
}

fn refused(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}
