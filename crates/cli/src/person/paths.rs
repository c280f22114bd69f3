//! Paths in a recovery point as they are typed: bytes, which need not be UTF-8.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// A path as the service is told it. What was copied from the service's own answers is taken as it is.
pub(super) fn text(path: &OsStr) -> String {
    match path.to_str() {
        Some(text) => text.to_owned(),
        None => kluis_vault::files::text(path.as_bytes()),
    }
}
