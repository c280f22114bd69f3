//! Small texts that a restore leaves beside its disks, for people and programs: hidden until they are whole, never in the
//! place of anything that the same job did not write.

use std::{fs, io::Write, path::Path};

use crate::{
    error::VaultError,
    event::Event,
    job::Document,
    target::{Found, Target},
};

/// Writes each, reads it back, gives it its name and says so.
pub(crate) fn write(
    documents: &[Document],
    job: &str,
    emit: &mut dyn FnMut(Event),
) -> Result<(), VaultError> {
    for document in documents {
        let path = &document.path;
        let found = Found::at(path, job)?;
        if matches!(found, Found::Ours { .. }) {
            // A run of this job that was cut off gave it its name, and so had read it back.
            compare(path, document)?;
        } else {
            let mut target = Target::open(found, document.text.len() as u64, job)?;
            let written = target.file.write_all(document.text.as_bytes());
            written
                .and_then(|()| target.file.sync_all())
                .map_err(|source| VaultError::io("write", path, source))?;
            target.keep()?;
            compare(path, document)?;
        }
        emit(Event::Written {
            path: path.clone(),
            bytes: document.text.len() as u64,
        });
    }
    Ok(())
}

fn compare(path: &Path, document: &Document) -> Result<(), VaultError> {
    let read = fs::read(path).map_err(|source| VaultError::io("read", path, source))?;
    if read == document.text.as_bytes() {
        return Ok(());
    }
    Err(VaultError::TargetDamaged {
        path: path.to_owned(),
        how: "it does not hold the text that was written".to_owned(),
    })
}
