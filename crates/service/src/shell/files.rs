//! The core's questions about files, answered by this machine; and new ids.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::core::{Facts, Ids};

/// This machine's file systems.
#[derive(Debug, Default)]
pub(super) struct Files;

impl Facts for Files {
    fn exists(&self, path: &Path) -> bool {
        // A link that leads nowhere takes the name all the same.
        path.symlink_metadata().is_ok()
    }

    fn size(&self, path: &Path) -> Option<u64> {
        let mut file = File::open(path).ok()?;
        let mut head = [0_u8; 32];
        let length = file
            .metadata()
            .ok()
            .filter(std::fs::Metadata::is_file)?
            .len();
        // A qcow2 image says in its header how large the disk inside is: magic, version, backing file (12), cluster bits, size.
        if file.read_exact(&mut head).is_ok() && head.starts_with(b"QFI\xfb") {
            return head.get(24..32)?.try_into().ok().map(u64::from_be_bytes);
        }
        Some(length)
    }

    fn is_qcow2(&self, path: &Path) -> bool {
        let mut magic = [0_u8; 4];
        File::open(path).is_ok_and(|mut file| file.read_exact(&mut magic).is_ok())
            && magic == *b"QFI\xfb"
    }
}

/// Random GUIDs.
#[derive(Debug, Default)]
pub(super) struct RandomIds;

impl Ids for RandomIds {
    fn guid(&self) -> String {
        uuid::Uuid::new_v4().to_string()
    }
}
