//! Chains of backups: what a database backup cannot be restored without, and how long that keeps its base.
//!
//! A virtual machine's points stand alone and have no chain. Databases have: a differential needs its full, a log needs
//! everything back to a full. Here is what retention must know of that and no more; choosing the points of a restore
//! to a point in time belongs to the workload that comes with databases.
//!
//! Azure's own example: fulls every Monday, logs every two hours, all kept 30 days. The full of 16 November would go on
//! 16 December; its last log is made on 22 November and kept until 22 December, and so is the full. A log is of no use
//! without the logs before it, back to the full, so they stay for it as well.

use jiff::Timestamp;

/// The kind of a backup, by what it is based on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// How long a backup is to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// For its own sake and for all that needs it.
    pub until: Timestamp,
    /// The index of the backup that keeps it beyond its own time; `None` when its own time is the longest.
    pub by: Option<usize>,
}

/// The index of the backup that the one at `index` is based on, in `chain`, oldest first. `None` for fulls, and for a
/// backup whose base is not there, which then cannot be restored.
pub fn base(chain: &[Link], index: usize) -> Option<usize> {
    bases(chain).nth(index).flatten()
}

/// How long each backup of `chain`, oldest first, is to be kept, and for which other's sake: a full goes no sooner than
/// the last log or differential based on it, and a log no sooner than the log after it.
pub fn needs(chain: &[Link]) -> Vec<Need> {
    let bases: Vec<Option<usize>> = bases(chain).collect();
    let own = |link: &Link| Need {
        until: link.until,
        by: None,
    };
    let mut needs: Vec<Need> = chain.iter().map(own).collect();
    for (index, base) in bases.into_iter().enumerate().rev() {
        let (before, from_here) = needs.split_at_mut(index);
        let (Some(base), Some(need)) = (base.and_then(|at| before.get_mut(at)), from_here.first())
        else {
            continue;
        };
        if need.until > base.until {
            base.until = need.until;
            base.by = need.by.or(Some(index));
        }
    }
    needs
}

/// The instants of [`needs`].
pub fn kept_until(chain: &[Link]) -> Vec<Timestamp> {
    needs(chain).into_iter().map(|need| need.until).collect()
}

/// What each backup of a chain is based on, in one walk.
fn bases(chain: &[Link]) -> impl Iterator<Item = Option<usize>> + '_ {
    let (mut full, mut step, mut any) = (None, None, None);
    chain.iter().enumerate().map(move |(index, link)| {
        let base = match link.kind {
            Kind::Full | Kind::CopyOnlyFull => None,
            Kind::Differential => full,
            Kind::Incremental => step,
            Kind::Log => any,
        };
        let here = Some(index);
        match link.kind {
            Kind::CopyOnlyFull => {}
            Kind::Full => (full, step, any) = (here, here, here),
            Kind::Differential | Kind::Incremental => (step, any) = (here, here),
            Kind::Log => any = here,
        }
        base
    })
}
