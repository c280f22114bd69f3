//! The removal of recovery points: which are to go and why, and what went.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kluis_policy::Tier;
use serde::{Deserialize, Serialize};

/// A removal names this many items; the points of more are counted together.
const MOST_ITEMS: usize = 20;

/// Snapshots to be removed from the vault.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ForgetWork {
    pub(crate) points: Vec<Forgetting>,
    /// The items that go with their last point.
    pub(crate) items: Vec<String>,
    /// Whether a mover was started: from then on snapshots may be gone, and the removal has to be finished.
    pub(crate) begun: bool,
    /// What went, as far as there is evidence of it.
    #[serde(default)]
    pub(crate) removed: Removed,
}

/// A point to be removed: its row and its snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Forgetting {
    pub(crate) key: String,
    /// The vault's snapshot; `None` when the point never got there.
    pub(crate) snapshot: Option<String>,
    /// When the point was made, and why it goes; not written down of removals that an older version began.
    #[serde(default)]
    pub(crate) time: Option<Timestamp>,
    #[serde(default)]
    pub(crate) why: Over,
}

/// Why a point is kept no longer.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub(crate) enum Over {
    /// The retention of this tier, the longest that the point had, is over.
    Daily,
    Weekly,
    Monthly,
    Yearly,
    /// It was asked for until a time that has passed.
    OnDemand,
    /// The policy in force keeps it no longer; the one before would have.
    PolicyChanged,
    /// It never reached the vault, and the days of its snapshot are over.
    Snapshot,
    /// Its removal had begun before, when there was a reason.
    #[default]
    BegunBefore,
    /// The soft delete of its item is over.
    Purged,
    /// A person deleted its item's data.
    Deleted,
}

impl From<Tier> for Over {
    fn from(tier: Tier) -> Self {
        match tier {
            Tier::Daily => Self::Daily,
            Tier::Weekly => Self::Weekly,
            Tier::Monthly => Self::Monthly,
            Tier::Yearly => Self::Yearly,
        }
    }
}

impl Over {
    /// The reason in a person's words, behind a number of points.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Daily => "past their daily retention",
            Self::Weekly => "past their weekly retention",
            Self::Monthly => "past their monthly retention",
            Self::Yearly => "past their yearly retention",
            Self::OnDemand => "past the day that they were asked for until",
            Self::PolicyChanged => "no longer kept by the policy, which was changed",
            Self::Snapshot => {
                "that never reached the vault, past the days of instant restore of their snapshots"
            }
            Self::BegunBefore => "left by a removal that was begun before",
            Self::Purged => "of a soft-deleted item whose time is over",
            Self::Deleted => "deleted on request",
        }
    }
}

/// What a removal has removed. Bounded, however much that is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Removed {
    pub(crate) all: Lot,
    /// The same by item, the first [`MOST_ITEMS`] of them, by their names.
    pub(crate) items: Vec<(String, Lot)>,
}

/// Points that went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Lot {
    pub(crate) count: u64,
    pub(crate) oldest: Option<Timestamp>,
    pub(crate) newest: Option<Timestamp>,
    /// How many of them for which reason.
    pub(crate) whys: BTreeMap<Over, u64>,
}

impl Removed {
    /// Counts a point that is gone.
    pub(crate) fn add(&mut self, point: &Forgetting) {
        self.all.add(point);
        let name = point.machine();
        let known = self.items.iter().position(|(known, _)| known == name);
        let at = known.unwrap_or(self.items.len());
        if known.is_none() && at < MOST_ITEMS {
            self.items.push((name.to_owned(), Lot::default()));
        }
        if let Some((_, lot)) = self.items.get_mut(at) {
            lot.add(point);
        }
    }

    /// How many points went of items that are not named.
    pub(crate) fn of_others(&self) -> u64 {
        let named: u64 = self.items.iter().map(|(_, lot)| lot.count).sum();
        self.all.count.saturating_sub(named)
    }
}

impl Lot {
    fn add(&mut self, point: &Forgetting) {
        self.count += 1;
        *self.whys.entry(point.why).or_default() += 1;
        if let Some(time) = point.time {
            self.oldest = Some(self.oldest.map_or(time, |oldest| oldest.min(time)));
            self.newest = Some(self.newest.map_or(time, |newest| newest.max(time)));
        }
    }
}

impl Forgetting {
    /// `<resource group>/<machine>`, from the point's key.
    fn machine(&self) -> &str {
        let item = self.key.rsplit_once('/').map_or("", |(item, _)| item);
        // The vault's key is before it, which has a separator of its own.
        item.splitn(3, '/').nth(2).unwrap_or(item)
    }
}
