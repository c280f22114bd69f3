//! Where Azure's published specifications and recorded exchanges lie, for tests that read them in place. They are not
//! part of the project: a machine without them skips those tests, and says so.

use std::env;
use std::path::PathBuf;

use crate::place::workspace;

/// The folder with `specs/` and `traces/`: `KLUIS_AZURE_DIR`, else the one beside the work tree. `None`, and a line that
/// says why, where there is none.
pub fn folder() -> Option<PathBuf> {
    let found = match env::var_os("KLUIS_AZURE_DIR") {
        Some(given) => PathBuf::from(given),
        None => workspace().join("../shared/azure"),
    };
    if found.join("traces").is_dir() {
        return Some(found);
    }
    eprintln!(
        "skipped: {} has no traces/; KLUIS_AZURE_DIR says where they are",
        found.display()
    );
    None
}
