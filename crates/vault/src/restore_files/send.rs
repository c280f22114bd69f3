//! The reading side of a restore whose files are written somewhere else: a bounded piece of it at a time, each of which says
//! where the next begins, so that nothing is kept here in between.

use super::{
    reader::{Cursor, Layout, Reader},
    wire::Line,
};
use crate::{error::VaultError, files::Explorer};

/// Files whose other names are kept in mind from one piece to the next. Of others the content is sent with each name, and
/// the writer makes one file of them.
const MOST_LINKS: usize = 4096;

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// The one with the system's root if it is not said.
    pub volume: Option<&'a str>,
    pub paths: &'a [String],
    /// Whether what is restored lies by the path that it has on its volume, and not by its name alone.
    pub keep_paths: bool,
    /// What the last line of the piece before said: `after`, as JSON. `None` for the first.
    pub after: Option<&'a str>,
}

/// The next piece, of about `limit` bytes: at most 256 KiB more.
///
/// # Errors
/// [`VaultError::InvalidJob`] for paths that cannot be and an `after` that is of something else; those of [`Explorer::list`].
pub fn send(explorer: &Explorer, wanted: &Wanted<'_>, limit: usize) -> Result<Vec<u8>, VaultError> {
    let layout = if wanted.keep_paths {
        Layout::Paths
    } else {
        Layout::Names
    };
    let after: Option<Cursor> = wanted
        .after
        .map(serde_json::from_str)
        .transpose()
        .map_err(|error| VaultError::InvalidJob(format!("'after' is not understood: {error}")))?;
    explorer.with(wanted.volume, |mounted| {
        let mut reader = Reader::new(mounted, wanted.paths, layout)?.with_links(MOST_LINKS);
        if let Some(after) = &after {
            reader.go_to(after)?;
        }
        let mut out = Vec::with_capacity(limit.min(1 << 20));
        loop {
            if out.len() >= limit {
                let after = reader.cursor();
                put(&mut out, &Line::More { after })?;
                return Ok(out);
            }
            let Some(frame) = reader.next()? else {
                put(&mut out, &Line::End)?;
                return Ok(out);
            };
            put(&mut out, &Line::of(&frame))?;
            if let super::frame::Frame::Data { bytes, .. } = &frame {
                out.extend_from_slice(bytes);
            }
        }
    })
}

fn put(out: &mut Vec<u8>, line: &Line) -> Result<(), VaultError> {
    serde_json::to_writer(&mut *out, line)
        .map_err(|_| VaultError::Internal("a step of a restore is no JSON"))?;
    out.push(b'\n');
    Ok(())
}
