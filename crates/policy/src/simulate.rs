//! What a policy will make and keep: every recovery point of the years to come, if every backup succeeds.
//!
//! A point is made at its `due` and **exists at an instant `at` when `due <= at < until`**. The newest point exists
//! besides, whatever its age: a machine whose backups stopped does not lose its last copy by waiting. `until` has the
//! needs of the chain in it: the logs that are still to be made keep their full.
//!
//! Points are given out in order of time and not collected: of a database, those since the last full are held until the
//! next one closes their chain; of everything else, none.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use jiff::Timestamp;

use crate::backups::{later, own_days};
use crate::beat::{Beat, Runs};
use crate::chain::{self, Kind, Link};
use crate::clock::{Clock, floor};
use crate::day::{Day, SECONDS};
use crate::follow;
use crate::pruning::Reason;
use crate::retention::Tags;
use crate::schedule::Frequency;
use crate::strategy::{Between, Strategy};
use crate::tiers::Tiers;

/// A recovery point that a policy makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    /// The time of its run.
    pub due: Timestamp,
    pub kind: Kind,
    /// The long-term tiers it is chosen for. Differentials, incrementals and logs have none.
    pub tags: Tags,
    /// When it goes, for its own sake or that of what needs it. `None` when nothing keeps it: it goes at once.
    pub until: Option<Timestamp>,
    /// What keeps it until then.
    pub reason: Reason,
}

/// Every point that the strategy makes from `from` (inclusive) up to `to` (exclusive), in order of time.
///
/// What needs a full before it is made from the first full on. Two of one time come as full, differential, incremental,
/// log. With [`DaylightSaving::Follow`](crate::DaylightSaving::Follow) the policy is edited at every
/// [`follow::next_edit`]; where one of its times can't follow, it says what was declared.
pub fn timeline(
    strategy: &Strategy,
    from: Timestamp,
    to: Timestamp,
) -> impl Iterator<Item = Made> + use<> {
    Timeline::new(strategy, from, to)
}

/// The points that exist at `at`, the moment included, when the strategy has been at work since `from`: in order of time,
/// the newest among them whatever its age, then with the reason [`Reason::Newest`].
pub fn existing(strategy: &Strategy, from: Timestamp, at: Timestamp) -> Vec<Made> {
    let after = at
        .checked_add(jiff::SignedDuration::from_nanos(1))
        .unwrap_or(at);
    let mut points = timeline(strategy, from, after).peekable();
    let mut existing = Vec::new();
    while let Some(made) = points.next() {
        if made.until.is_some_and(|until| at < until) {
            existing.push(made);
        } else if points.peek().is_none() {
            existing.push(Made {
                reason: Reason::Newest,
                ..made
            });
        }
    }
    existing
}

/// Each point as it is made, with how many there are then, it among them. In the memory of the points that exist at once.
///
/// `made` is in order of time, as [`timeline`] gives it.
pub fn counted(made: impl Iterator<Item = Made>) -> impl Iterator<Item = (Made, usize)> {
    let mut ends = BinaryHeap::new();
    made.map(move |made| {
        while ends.peek().is_some_and(|Reverse(end)| *end <= made.due) {
            ends.pop();
        }
        ends.extend(made.until.map(Reverse));
        // What nothing keeps is there while it is the newest.
        (made, ends.len() + usize::from(made.until.is_none()))
    })
}

/// The walk behind [`timeline`]. Instants are whole seconds since 1970.
struct Timeline {
    clock: Clock,
    tiers: Tiers,
    strategy: Strategy,
    tracks: Vec<Track>,
    /// The first second that is not asked for any more.
    end: i64,
    /// The day of the policy's clock whose first full was given out last.
    tagged: Option<i64>,
    /// What was made since the last full, that included: a later backup may need it.
    open: Vec<Made>,
    ready: VecDeque<Made>,
    over: bool,
}

/// The runs of one kind of backup.
struct Track {
    kind: Kind,
    /// What the policy says, and from when on: one entry where daylight saving time is ignored.
    says: Vec<(i64, Beat)>,
    now: usize,
    runs: Runs,
    next: Option<i64>,
}

impl Timeline {
    fn new(strategy: &Strategy, from: Timestamp, to: Timestamp) -> Timeline {
        let tiers = Tiers::new(&strategy.retention);
        let clock = Clock::over(&strategy.zone, from, tiers.horizon(to));
        let begin = ceiling(from);
        let kinds = kinds(strategy);
        let frequencies: Vec<Frequency> = kinds.iter().map(|(_, it)| it.clone()).collect();
        let editions = follow::editions(strategy, &frequencies, from, to);
        let track = |(index, (kind, _)): (usize, &(Kind, Frequency))| {
            let says = editions.iter().filter_map(|(start, frequencies)| {
                let (second, _) = floor(*start);
                Some((second, Beat::new(frequencies.get(index)?)))
            });
            Track::new(*kind, says.collect(), &clock, begin)
        };
        let tracks = kinds.iter().enumerate().filter_map(track).collect();
        Timeline {
            tiers,
            tracks,
            clock,
            strategy: strategy.clone(),
            end: ceiling(to),
            tagged: None,
            open: Vec::new(),
            ready: VecDeque::new(),
            over: false,
        }
    }

    /// The next run of any kind.
    fn run(&mut self) -> Option<(i64, Kind)> {
        let track = self
            .tracks
            .iter_mut()
            .filter(|track| track.next.is_some())
            .min_by_key(|track| (track.next, track.kind))?;
        let due = track.next?;
        track.advance(&self.clock);
        Some((due, track.kind))
    }

    fn full(&mut self, due: i64) -> Made {
        let local = self.clock.local(due);
        let number = local.div_euclid(SECONDS);
        let tags = if self.tagged.replace(number) == Some(number) {
            Tags::default()
        } else {
            self.tiers.tags(Day::of(number))
        };
        let kept = self.tiers.end(&self.clock, local, tags);
        Made {
            due: whole(due),
            kind: Kind::Full,
            tags,
            until: kept.map(|(until, _)| whole(until)),
            reason: kept.map_or(Reason::NoTier, |(_, tier)| Reason::Tier(tier)),
        }
    }

    fn dependent(&self, due: i64, kind: Kind) -> Made {
        let due = whole(due);
        let days = own_days(&self.strategy, kind).flatten();
        Made {
            due,
            kind,
            tags: Tags::default(),
            until: days.map(|days| later(due, days)),
            reason: Reason::Days,
        }
    }

    /// Nothing that is made from now on needs what is open.
    fn close(&mut self) {
        let links: Vec<Link> = self
            .open
            .iter()
            .map(|made| Link {
                kind: made.kind,
                until: made.until.unwrap_or(Timestamp::MIN),
            })
            .collect();
        let dues: Vec<Timestamp> = self.open.iter().map(|made| made.due).collect();
        let asked = self.end;
        let judged = self.open.drain(..).zip(chain::needs(&links));
        let ready = judged.filter(|(made, _)| floor(made.due).0 < asked);
        self.ready.extend(
            ready.map(|(made, need)| match need.by.and_then(|by| dues.get(by)) {
                Some(by) => Made {
                    until: Some(need.until),
                    reason: Reason::ChainNeeds(*by),
                    ..made
                },
                None => made,
            }),
        );
    }

    /// Takes up the next run of a strategy whose backups need each other.
    fn step(&mut self) {
        let Some((due, kind)) = self.run() else {
            self.over = true;
            return self.close();
        };
        let asked = due < self.end;
        if kind == Kind::Full {
            self.close();
            if asked {
                let full = self.full(due);
                self.open.push(full);
            }
            self.over = !asked;
        } else if !self.open.is_empty() && (asked || self.has_full_to_come()) {
            let made = self.dependent(due, kind);
            self.open.push(made);
        } else if !asked {
            self.over = true;
            self.close();
        }
    }

    fn has_full_to_come(&self) -> bool {
        let mut tracks = self.tracks.iter();
        tracks.any(|track| track.kind == Kind::Full && track.next.is_some())
    }
}

impl Iterator for Timeline {
    type Item = Made;

    fn next(&mut self) -> Option<Made> {
        if let [only] = self.tracks.as_mut_slice() {
            let due = only.next.filter(|due| *due < self.end)?;
            only.advance(&self.clock);
            return Some(self.full(due));
        }
        while self.ready.is_empty() && !self.over {
            self.step();
        }
        self.ready.pop_front()
    }
}

impl Track {
    /// `None` where the policy never says anything.
    fn new(kind: Kind, says: Vec<(i64, Beat)>, clock: &Clock, begin: i64) -> Option<Track> {
        let (_, first) = says.first()?;
        let mut track = Track {
            kind,
            runs: first.after(clock, begin - 1),
            says,
            now: 0,
            next: None,
        };
        track.advance(clock);
        Some(track)
    }

    fn advance(&mut self, clock: &Clock) {
        loop {
            let mut from_now_on = self.says.iter().skip(self.now);
            let now = from_now_on.next();
            let run = now.and_then(|(_, beat)| self.runs.next(beat, clock));
            match from_now_on.next() {
                Some((start, beat)) if run.is_none_or(|run| run >= *start) => {
                    self.runs = beat.after(clock, start - 1);
                    self.now += 1;
                }
                _ => {
                    self.next = run;
                    return;
                }
            }
        }
    }
}

/// The kinds of backups that a strategy makes, and when, as declared.
fn kinds(strategy: &Strategy) -> Vec<(Kind, Frequency)> {
    let full_days = Beat::new(&strategy.full).weekdays();
    let between = |between: &Between| Frequency::Weekly {
        on: between
            .on
            .iter()
            .copied()
            .filter(|on| full_days & 1 << on.to_monday_zero_offset() == 0)
            .collect(),
        at: between.at,
    };
    let (differential, incremental) = (&strategy.differential, &strategy.incremental);
    [
        Some((Kind::Full, strategy.full.clone())),
        differential
            .as_ref()
            .map(|it| (Kind::Differential, between(it))),
        incremental
            .as_ref()
            .map(|it| (Kind::Incremental, between(it))),
        strategy.log.map(|log| (Kind::Log, log.frequency())),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// An instant, the last one there is for what is kept beyond the calendar.
fn whole(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(Timestamp::MAX)
}

fn ceiling(at: Timestamp) -> i64 {
    let (second, nanosecond) = floor(at);
    second + i64::from(nanosecond > 0)
}
