//! What an edit would cost: the recovery points that the next cleanup would delete, and those that it would delete sooner (law 3).
//!
//! What the policy in force and the wanted one make of a point is computed the same way for both ([`kluis_policy::loss`]), so that an edit
//! which only lengthens never looks like a loss; the end that the vault tells of a point shows where an earlier policy keeps it for longer.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use kluis_arm::policy::Terms;
use kluis_arm::recovery_point::RecoveryPoint;
use kluis_arm::zone;
use kluis_policy::loss::{Comparison, Cost, InForce, Listed, Ruling, Tagged};

use crate::conditions::moment;
use crate::point::{is_on_demand, is_snapshot_alone, is_usable, kept_until, own_end, time};

/// How many items a sentence names.
const NAMED: usize = 5;
/// What any tier of a machine's policy keeps at least (rule 3).
const LEAST_RETENTION: SignedDuration = SignedDuration::from_hours(24 * 7);

/// The points that an edit would cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Of all items together.
    pub total: Cost,
    /// Item by item, `<namespace>/<name>`, or `machine <group>/<name>` for one that is not managed here; only those that would lose any.
    /// Empty where it was counted earlier and only its summary was kept.
    pub items: Vec<ItemLoss>,
    /// How many items would lose any.
    pub losing: u32,
    /// Items whose points cannot be counted: the vault does not list the item for us, or not its points. All of them are taken to be at stake.
    pub uncounted: u32,
}

/// The points that one item would lose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemLoss {
    pub item: String,
    pub cost: Cost,
}

/// Of an item's points what an edit's cost is counted by. Times alone: a vault may hold millions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScheduledPoints {
    /// Those that a policy may prune, the oldest first; what somebody asked for is kept until the day that they said.
    pub listed: Vec<Listed>,
    /// Those that are a snapshot alone, each with the end that it has of its own.
    pub snapshots: Vec<Listed>,
    /// When the newest was made that can be used, whoever asked for it: no cleanup takes that one.
    pub newest: Option<Timestamp>,
    /// How many have a time that cannot be read, or none.
    pub undated: u32,
}

/// What keeps the points now.
pub(crate) enum Present<'a> {
    /// A policy.
    Terms(&'a Terms),
    /// Nothing prunes them: protection is stopped with its data retained.
    ForEver(Tagged),
}

impl Loss {
    /// Whether nothing would be lost.
    pub fn is_none(&self) -> bool {
        self.losing == 0 && self.uncounted == 0
    }

    /// Counts one item in.
    pub(crate) fn add(&mut self, item: String, cost: Cost) {
        if cost.deleted == 0 && cost.shortened == 0 {
            return;
        }
        self.total = sum(&self.total, &cost);
        self.losing = self.losing.saturating_add(1);
        self.items.push(ItemLoss { item, cost });
    }

    /// The same, of several vaults.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.total = sum(&self.total, &other.total);
        self.losing = self.losing.saturating_add(other.losing);
        self.uncounted = self.uncounted.saturating_add(other.uncounted);
        self.items.extend(other.items);
        self
    }
}

/// What is counted of these points.
pub(crate) fn scheduled(points: &[RecoveryPoint]) -> ScheduledPoints {
    let scheduled = || points.iter().filter(|point| !is_on_demand(point));
    let dated = scheduled().filter_map(|point| {
        let listed = Listed {
            made: time(point)?,
            until: kept_until(point),
        };
        Some((listed, is_snapshot_alone(point)))
    });
    let (snapshots, mut listed): (Vec<_>, Vec<_>) = dated.partition(|(_, alone)| *alone);
    listed.sort_unstable_by_key(|(point, _)| point.made);
    let plain = |points: Vec<(Listed, bool)>| points.into_iter().map(|(point, _)| point).collect();
    let dated = snapshots.len().saturating_add(listed.len());
    ScheduledPoints {
        undated: count(scheduled().count().saturating_sub(dated)),
        listed: plain(listed),
        snapshots: plain(snapshots),
        newest: newest(points),
    }
}

/// What the end of "for ever" costs of the points that have an end of their own: nothing pruned them meanwhile, and those whose
/// day is over go at once.
pub(crate) fn overdue(points: &[RecoveryPoint], now: Timestamp) -> Cost {
    let newest = newest(points);
    let over = points
        .iter()
        .filter(|point| own_end(point).is_some_and(|until| until <= now));
    let mut times: Vec<Timestamp> = over
        .filter_map(time)
        .filter(|time| newest.is_some_and(|newest| *time < newest))
        .collect();
    times.sort_unstable();
    everything(&times)
}

fn newest(points: &[RecoveryPoint]) -> Option<Timestamp> {
    let usable = points.iter().filter(|point| is_usable(point));
    usable.filter_map(time).max()
}

/// What keeps the points now and what is to, ready for item after item.
pub(crate) enum Assessment {
    Compared(Box<Comparison>),
    /// A zone that is not known prunes nothing that could be foreseen: everything is at stake.
    Everything,
}

impl Assessment {
    pub(crate) fn of(present: &Present<'_>, wanted: &Terms, now: Timestamp) -> Self {
        let Ok(schedule) = wanted.schedule() else {
            return Self::Everything;
        };
        let ruling = Ruling {
            schedule: &schedule,
            retention: &wanted.retention,
        };
        let compare = |in_force| Self::Compared(Box::new(Comparison::new(&in_force, &ruling, now)));
        match present {
            Present::ForEver(tagged) => compare(InForce::ForEver(*tagged)),
            Present::Terms(terms) => match terms.schedule() {
                Ok(schedule) => compare(InForce::Ruling(Ruling {
                    schedule: &schedule,
                    retention: &terms.retention,
                })),
                Err(_) => Self::Everything,
            },
        }
    }

    /// What it costs one item that has these points.
    pub(crate) fn cost(&self, points: &ScheduledPoints) -> Cost {
        let undated = undated(points.undated);
        let Self::Compared(comparison) = self else {
            let all = points.listed.iter().chain(&points.snapshots);
            let mut times: Vec<Timestamp> = all.map(|point| point.made).collect();
            times.sort_unstable();
            return sum(&everything(&times), &undated);
        };
        let listed = sum(&comparison.cost(&points.listed, points.newest), &undated);
        let snapshots = points
            .snapshots
            .iter()
            .map(|point| of_snapshot(comparison, *point, points.newest));
        snapshots.fold(listed, |all, one| sum(&all, &one))
    }
}

/// What an edit costs a point that goes with its snapshot: nothing where a policy keeps it only for a shorter time than before, for that is
/// still longer than the snapshot lasts.
fn of_snapshot(comparison: &Comparison, point: Listed, newest: Option<Timestamp>) -> Cost {
    let cost = comparison.cost(&[point.made], newest);
    let lasts = point.until.map(|until| until.duration_since(point.made));
    let is_short = lasts.is_some_and(|lasts| lasts <= LEAST_RETENTION);
    match cost.deleted == 0 && is_short {
        true => Cost::default(),
        false => cost,
    }
}

/// Whether any point, at any time, could be kept for a shorter time under the wanted terms: only then are points read. Another zone has
/// other days.
pub(crate) fn could_cost(present: &Terms, wanted: &Terms) -> bool {
    wanted.retention.is_shorter_than(&present.retention)
        || zone::to_azure(&present.time_zone).ok() != zone::to_azure(&wanted.time_zone).ok()
}

/// Every one of the points kept for a shorter time, those of no time that can be read, too.
pub(crate) fn all_shortened(points: &[RecoveryPoint]) -> Cost {
    let times = || points.iter().filter_map(time);
    Cost {
        deleted: 0,
        shortened: count(points.len()),
        oldest: times().min(),
        newest: times().max(),
    }
}

/// Of points whose time cannot be read the worst is assumed.
fn undated(points: u32) -> Cost {
    Cost {
        deleted: points,
        ..Cost::default()
    }
}

fn everything(times: &[Timestamp]) -> Cost {
    Cost {
        deleted: count(times.len()),
        shortened: 0,
        oldest: times.first().copied(),
        newest: times.last().copied(),
    }
}

pub(crate) fn sum(one: &Cost, other: &Cost) -> Cost {
    Cost {
        deleted: one.deleted.saturating_add(other.deleted),
        shortened: one.shortened.saturating_add(other.shortened),
        oldest: [one.oldest, other.oldest].into_iter().flatten().min(),
        newest: one.newest.max(other.newest),
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// What would be lost, without a full stop: `delete 23 recovery points and keep 4 for a shorter time, from … to … (shop/web-1: 20 and 4)`.
impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cost {
            deleted, shortened, ..
        } = self.total;
        match (deleted, shortened) {
            (0, 0) => {}
            (deleted, 0) => write!(f, "delete {}", points(deleted))?,
            (0, shortened) => write!(f, "keep {} for a shorter time", points(shortened))?,
            (deleted, shortened) => write!(
                f,
                "delete {} and keep {shortened} more for a shorter time",
                points(deleted)
            )?,
        }
        match (self.total.oldest, self.total.newest) {
            (Some(oldest), Some(newest)) if oldest != newest => {
                write!(
                    f,
                    ", the oldest of {}, the newest of {}",
                    at(oldest),
                    at(newest)
                )?;
            }
            (Some(only), _) => write!(f, ", of {}", at(only))?,
            (None, _) => {}
        }
        if !self.items.is_empty() {
            let mut most: Vec<&ItemLoss> = self.items.iter().collect();
            most.sort_by_key(|lost| std::cmp::Reverse((lost.cost.deleted, lost.cost.shortened)));
            let named = most.iter().take(NAMED);
            let named: Vec<String> = named.map(ToString::to_string).collect();
            write!(f, " ({}", named.join("; "))?;
            let more = self.losing.saturating_sub(count(NAMED));
            if more > 0 {
                write!(f, "; and {more} more items")?;
            }
            f.write_str(")")?;
        }
        if self.uncounted > 0 {
            let also = if self.losing == 0 {
                ""
            } else {
                "; besides, it would "
            };
            write!(
                f,
                "{also}shorten the retention of {} whose recovery points cannot be counted",
                items(self.uncounted)
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for ItemLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { item, cost } = self;
        match (cost.deleted, cost.shortened) {
            (deleted, 0) => write!(f, "{item}: {deleted} deleted"),
            (0, shortened) => write!(f, "{item}: {shortened} shortened"),
            (deleted, shortened) => write!(f, "{item}: {deleted} deleted, {shortened} shortened"),
        }
    }
}

fn points(count: u32) -> String {
    match count {
        1 => "1 recovery point".to_owned(),
        count => format!("{count} recovery points"),
    }
}

fn items(count: u32) -> String {
    match count {
        1 => "1 item".to_owned(),
        count => format!("{count} items"),
    }
}

fn at(time: Timestamp) -> String {
    moment(time).0.strftime("%Y-%m-%d %H:%MZ").to_string()
}

#[cfg(test)]
mod tests {
    use jiff::civil::Time;
    use kluis_arm::recovery_point::RecoveryPointDetail;
    use kluis_policy::{Daily, Frequency, Retention};

    use super::*;

    /// A point of a form that is not known: the edit that could cost it is held, not sent.
    #[test]
    fn a_point_without_a_time_that_can_be_read_is_at_stake() {
        let of_another_form: RecoveryPoint =
            serde_json::from_value(serde_json::json!({"properties": {"objectType": "Other"}}))
                .unwrap();
        let points = scheduled(&[of_another_form]);
        assert_eq!((points.listed.len(), points.undated), (0, 1));
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        let (long, short) = (daily(30), daily(7));
        let cost = Assessment::of(&Present::Terms(&long), &short, now).cost(&points);
        assert_eq!(cost.deleted, 1);
    }

    /// What goes with its snapshot tomorrow is not lost to a policy that keeps seven days of the thirty; to one that keeps none of its
    /// days it is.
    #[test]
    fn a_point_that_is_a_snapshot_alone_is_lost_only_where_it_would_go_before_its_snapshot() {
        let point = |rule: &str, until: &str| -> RecoveryPoint {
            serde_json::from_value(serde_json::json!({"properties": {
                "objectType": "IaasVMRecoveryPoint", "recoveryPointTime": "2026-11-21T22:30:00Z",
                "recoveryPointProperties": {"ruleName": rule, "expiryTime": until}}}))
            .unwrap()
        };
        let mut newest = point("Daily", "2026-12-22T09:00:00Z");
        if let RecoveryPointDetail::VirtualMachine(newest) = &mut newest.properties {
            newest.recovery_point_time = Some("2026-11-22T11:00:00Z".into());
        }
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        let (long, short) = (daily(30), daily(7));
        let none = Terms {
            retention: Retention::default(),
            ..daily(30)
        };
        let cost = |wanted: &Terms, older: RecoveryPoint| {
            let assessed = Assessment::of(&Present::Terms(&long), wanted, now);
            let cost = assessed.cost(&scheduled(&[older, newest.clone()]));
            (cost.deleted, cost.shortened)
        };
        let whole = || point("Daily", "2026-12-21T22:30:00Z");
        let snapshot = || point("Snapshot", "2026-11-23T22:30:00.0000000");
        assert_eq!(cost(&short, whole()), (0, 2), "it and the newest");
        assert_eq!(cost(&short, snapshot()), (0, 1), "the newest alone");
        assert_eq!(cost(&none, snapshot()).0, cost(&none, whole()).0);
        assert_ne!(cost(&none, snapshot()).0, 0);
    }

    fn daily(keep: u32) -> Terms {
        Terms {
            workload: kluis_policy::Workload::VirtualMachine,
            generation: kluis_arm::policy::Generation::Standard,
            frequency: Frequency::Daily {
                at: Time::constant(22, 30, 0, 0),
            },
            time_zone: "UTC".to_owned(),
            retention: Retention {
                daily: Some(Daily { keep }),
                ..Retention::default()
            },
            differential: None,
            incremental: None,
            log: None,
            instant_restore_days: Some(2),
            archive: None,
            compression: false,
        }
    }
}
