//! What rustic_core sees of a vault's files, and what its errors are to us.

use std::{error::Error, io, path::Path};

use bytes::Bytes;
use rustic_core::{
    BytesList, ErrorKind, FileType, ReadBackend, RusticError, RusticResult, WriteBackend,
};

use crate::{error::VaultError, id::Id, store::Store};

impl ReadBackend for Store {
    fn location(&self) -> String {
        format!("local:{}", self.root().display())
    }

    fn list_with_size(&self, kind: FileType) -> RusticResult<Vec<(rustic_core::Id, u32)>> {
        if kind == FileType::Config {
            let there = self.root().join("config").try_exists();
            let there =
                there.map_err(|source| wrap(VaultError::io("look at", self.root(), source)))?;
            return Ok(if there {
                vec![(rustic_core::Id::default(), 0)]
            } else {
                Vec::new()
            });
        }
        let files = self.list(kind).map_err(wrap)?;
        files
            .into_iter()
            .map(|(id, size)| {
                let size = u32::try_from(size).map_err(|_| {
                    wrap(VaultError::Damaged(format!(
                        "{} {id} has {size} bytes",
                        kind.dirname()
                    )))
                })?;
                Ok((rustic_core::Id::new(*id.bytes()), size))
            })
            .collect()
    }

    fn read_full(&self, kind: FileType, id: &rustic_core::Id) -> RusticResult<Bytes> {
        self.read(kind, &ours(id)?).map(Bytes::from).map_err(wrap)
    }

    fn read_partial(
        &self,
        kind: FileType,
        id: &rustic_core::Id,
        _cacheable: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        let id = ours(id)?;
        let mut buffer = vec![0; length as usize];
        let file = self.open(kind, &id).map_err(wrap)?;
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut buffer, u64::from(offset))
            .map_err(|source| wrap(VaultError::io("read", self.path(kind, &id), source)))?;
        Ok(buffer.into())
    }

    fn warmup_path(&self, kind: FileType, id: &rustic_core::Id) -> String {
        format!("{}/{}", kind.dirname(), id.to_hex().as_str())
    }
}

impl WriteBackend for Store {
    fn create(&self) -> RusticResult<()> {
        self.make_directories().map_err(wrap)
    }

    fn write_bytes(
        &self,
        kind: FileType,
        id: &rustic_core::Id,
        _cacheable: bool,
        content: BytesList,
    ) -> RusticResult<()> {
        let bytes = content.slice().concat();
        self.write(kind, &ours(id)?, &bytes).map_err(wrap)
    }

    fn remove(&self, kind: FileType, id: &rustic_core::Id, _cacheable: bool) -> RusticResult<()> {
        Store::remove(self, kind, &ours(id)?)
            .map(|_| ())
            .map_err(wrap)
    }
}

/// What an error of rustic_core's is, met while `doing` something with the vault at `path`.
pub(crate) fn unwrap(doing: &'static str, path: &Path, error: &RusticError) -> VaultError {
    if error.is_incorrect_password() || error.is_code("C001") {
        return VaultError::WrongPassphrase(path.to_owned());
    }
    let mut cause = error.source();
    while let Some(source) = cause {
        if let Some(refused) = source.downcast_ref::<io::Error>() {
            return VaultError::io(doing, path, copy(refused));
        }
        if let Some(VaultError::Damaged(what)) = source.downcast_ref::<VaultError>() {
            return VaultError::Damaged(what.clone());
        }
        cause = source.source();
    }
    // Its texts are laid out in paragraphs, with headings; an event's message is one line.
    let message: Vec<_> = error
        .display_log()
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    VaultError::Repository {
        doing,
        message: message.join(" "),
    }
}

fn copy(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(
        || io::Error::new(error.kind(), error.to_string()),
        io::Error::from_raw_os_error,
    )
}

fn wrap(error: VaultError) -> Box<RusticError> {
    RusticError::with_source(
        ErrorKind::Backend,
        "The vault's files could not be used.",
        error,
    )
}

fn ours(id: &rustic_core::Id) -> RusticResult<Id> {
    id.to_hex().as_str().parse().map_err(wrap)
}
