//! What movers tell of their work, where nothing goes wrong.

use kluis_vault::{DiskFormat, Event, ScriptOutcome, SnapshotMethod, Which};

pub(super) fn no_damage() -> Event {
    Event::Damage {
        blobs: 0,
        packs: 0,
        first: Vec::new(),
        snapshots: Vec::new(),
        repaired: 0,
        repaired_packs: Vec::new(),
    }
}

/// Every script succeeds.
pub(super) fn scripts(scripts: &kluis_vault::Scripts) -> Vec<Event> {
    let said = |which| Event::Script {
        which,
        outcome: ScriptOutcome::Succeeded,
        output: String::new(),
    };
    let pre = scripts.pre.iter().map(|_| said(Which::Pre));
    let post = scripts.post.iter().map(|_| said(Which::Post));
    pre.chain(post).collect()
}

pub(super) fn snapshotted(disk: &str, format: DiskFormat) -> Event {
    Event::Snapshotted {
        disk: disk.to_owned(),
        size: 1 << 30,
        format,
        method: SnapshotMethod::Copy,
        tracked: format == DiskFormat::Qcow2,
        touched: false,
        in_use: false,
        image: None,
        checkpoint: None,
    }
}
