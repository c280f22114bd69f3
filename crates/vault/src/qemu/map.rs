//! `qemu-img map`: where in an image's file the bytes of its disk lie.

use std::{path::Path, time::Duration};

use serde::Deserialize;

use super::{find, tool::said, without_a_lock};
use crate::{child, cluster_map::ClusterRun, error::VaultError};

/// How long it may take: an image's tables are read once.
const LONG: Duration = Duration::from_secs(1800);

/// A line of the answer, in bytes: it has six numbers and words of a fixed length.
const LONGEST_LINE: usize = 1000;

#[derive(Deserialize)]
struct Line {
    start: u64,
    length: u64,
    zero: bool,
    offset: Option<u64>,
}

/// Tells the runs of an image's clusters, in order and without a gap, from its first byte to its last.
pub(crate) fn each_run(image: &Path, each: &mut dyn FnMut(ClusterRun)) -> Result<(), VaultError> {
    let program = find("qemu-img", "find the bytes of a qcow2 image")?;
    let io = |source| VaultError::io("map the clusters of", image, source);
    let image = std::path::absolute(image).map_err(io)?;
    let mut command = child::leashed(&program);
    command.args(["map", "--output=json"]);
    match without_a_lock(&image) {
        Some(description) => command.arg("--").arg(description),
        None => command.args(["--format=qcow2", "--"]).arg(&image),
    };
    let mut line = Vec::new();
    let mut is_understood = true;
    let ended = child::listen(command, LONG, &mut |said| {
        for byte in said {
            if *byte != b'\n' && line.len() < LONGEST_LINE {
                line.push(*byte);
                continue;
            }
            match run_of(&line) {
                Some(run) => each(run),
                None => is_understood = false,
            }
            line.clear();
        }
    });
    said(ended.map_err(io)?).map_err(io)?;
    if is_understood && line.is_empty() {
        return Ok(());
    }
    Err(io(std::io::Error::other(
        "qemu-img's map of it is not understood",
    )))
}

/// A line is an entry of a list, with a bracket or a comma about it.
fn run_of(line: &[u8]) -> Option<ClusterRun> {
    let entry = line.trim_ascii();
    let entry = entry.strip_prefix(b"[").unwrap_or(entry);
    let entry = entry
        .strip_suffix(b",")
        .or(entry.strip_suffix(b"]"))
        .unwrap_or(entry);
    let line: Line = serde_json::from_slice(entry).ok()?;
    Some(ClusterRun {
        start: line.start,
        length: line.length,
        host: line.offset,
        is_zero: line.zero,
    })
}
