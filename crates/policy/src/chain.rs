//! Chains of backups: what a database backup cannot be restored without, and how long that keeps its base.
//!
//! A virtual machine's points stand alone and have no chain. Databases have: a differential needs its full, a log needs
//! everything back to a full. Here is what retention must know of that and no more; choosing the points of a restore
//! to a point in time belongs to the workload that comes with databases.

use jiff::Timestamp;

/// The kind of a backup, by what it is based on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Everything.
    Full,
    /// Everything, outside the chain: nothing is ever based on it.
    CopyOnlyFull,
    /// What changed since the last full.
    Differential,
    /// What changed since the last full, differential or incremental.
    Incremental,
    /// The transactions since the backup before it, of whichever kind but a copy.
    Log,
}

/// A backup in a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    pub kind: Kind,
    /// How long it is to be kept for its own sake.
    pub until: Timestamp,
}

/// The index of the backup that the one at `index` is based on, in `chain`, oldest first. `None` for fulls, and for a
/// backup whose base is not there, which then cannot be restored.
pub fn base(chain: &[Link], index: usize) -> Option<usize> {
    let kind = chain.get(index)?.kind;
    chain[..index].iter().rposition(|link| match kind {
        Kind::Full | Kind::CopyOnlyFull => false,
        Kind::Differential => link.kind == Kind::Full,
        Kind::Incremental => matches!(
            link.kind,
            Kind::Full | Kind::Differential | Kind::Incremental
        ),
        Kind::Log => link.kind != Kind::CopyOnlyFull,
    })
}

/// How long each backup of `chain`, oldest first, is to be kept for its own sake and for all that needs it: a full goes
/// no sooner than the last log or differential based on it.
pub fn kept_until(chain: &[Link]) -> Vec<Timestamp> {
    let mut until: Vec<Timestamp> = chain.iter().map(|link| link.until).collect();
    for index in (0..chain.len()).rev() {
        if let Some(base) = base(chain, index) {
            until[base] = until[base].max(until[index]);
        }
    }
    until
}
