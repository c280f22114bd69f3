//! What is to be looked at, and when: a value, without a clock or a task of its own.
//!
//! An object is in it once and is worked on by one task at a time. Work is shared out between services in turn, so
//! that one which answers slowly, or has thousands of objects, doesn't keep another's few from their turn; and of one
//! service's the few objects that others wait for (services, vaults, policies, jobs) come before the many.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    time::{Duration, Instant},
};

use crate::key::{Key, Kind};

/// Reconciles at once. Most of their time is spent waiting for answers.
const AT_ONCE: usize = 32;
/// Of these, what one service may have while no other wants any: one that hangs must leave room for those to come.
const ONE_SERVICE: usize = 24;
/// How long after it began an object is begun again that is only told of what others do, at least: a policy is told of each of
/// the thousand items that begin to use it.
const CALM: Duration = Duration::from_millis(500);
/// The same in times of what its last look took, and at most: a policy of ten thousand items takes long.
const CALM_TIMES: u32 = 10;
const CALM_LONGEST: Duration = Duration::from_secs(10);

/// The service that objects wait for; none for those that are about none, or about several.
pub(crate) type Lane = Option<Key>;

/// The queue.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    places: HashMap<Key, Place>,
    lanes: BTreeMap<Lane, Work>,
    /// The lane that was served last.
    served: Lane,
    due: BTreeSet<(Instant, Key)>,
    running: usize,
}

#[derive(Debug, Default)]
struct Work {
    few: VecDeque<Key>,
    many: VecDeque<Key>,
    running: usize,
}

impl Work {
    fn is_idle(&self) -> bool {
        self.few.is_empty() && self.many.is_empty() && self.running == 0
    }

    fn waits(&self) -> bool {
        !(self.few.is_empty() && self.many.is_empty())
    }
}

#[derive(Debug)]
struct Place {
    lane: Lane,
    stands: Stands,
    due: Option<Instant>,
    begun: Option<Instant>,
    calm: Duration,
}

#[derive(Debug, PartialEq, Eq)]
enum Stands {
    Resting,
    Waiting,
    Running { again: bool },
}

impl Queue {
    /// An object is to be looked at as soon as it is its turn.
    pub(crate) fn wake(&mut self, key: &Key, lane: Lane) {
        let place = self.place(key);
        match &mut place.stands {
            Stands::Waiting => {}
            Stands::Running { again } => *again = true,
            Stands::Resting => {
                place.stands = Stands::Waiting;
                place.lane.clone_from(&lane);
                let due = place.due.take();
                self.not_due(due, key);
                let work = self.lanes.entry(lane).or_default();
                match key.kind {
                    Kind::ProtectedVM => work.many.push_back(key.clone()),
                    Kind::BackupService
                    | Kind::Vault
                    | Kind::BackupPolicy
                    | Kind::BackupJob
                    | Kind::Restore => work.few.push_back(key.clone()),
                }
            }
        }
    }

    /// The same, though not right after it was begun.
    pub(crate) fn wake_calmly(&mut self, key: &Key, lane: Lane, now: Instant) {
        let place = self.place(key);
        let calm = place.begun.map(|begun| begun + place.calm);
        match calm.filter(|at| *at > now) {
            Some(at) => self.wake_at(key, at),
            None => self.wake(key, lane),
        }
    }

    /// An object is to be looked at by then, at the latest.
    fn wake_at(&mut self, key: &Key, at: Instant) {
        let place = self.place(key);
        if place.stands == Stands::Waiting || place.due.is_some_and(|due| due <= at) {
            return;
        }
        let before = place.due.replace(at);
        self.not_due(before, key);
        self.due.insert((at, key.clone()));
    }

    /// What is to be worked on next, if there is anything, and room. `lane_of` says what an object that has become due
    /// is about by now.
    pub(crate) fn take(&mut self, now: Instant, lane_of: impl Fn(&Key) -> Lane) -> Option<Key> {
        while let Some((_, key)) = self.due.first().filter(|(at, _)| *at <= now).cloned() {
            self.due.pop_first();
            self.place(&key).due = None;
            self.wake(&key, lane_of(&key));
        }
        if self.running >= AT_ONCE {
            return None;
        }
        let share = (AT_ONCE / self.lanes.len().max(1)).clamp(2, ONE_SERVICE);
        let has_turn = |work: &Work| work.waits() && work.running < share;
        let after = (
            std::ops::Bound::Excluded(&self.served),
            std::ops::Bound::Unbounded,
        );
        let next = self
            .lanes
            .range::<Lane, _>(after)
            .chain(self.lanes.range(..=&self.served))
            .find(|(_, work)| has_turn(work))
            .map(|(lane, _)| lane.clone())?;
        let work = self.lanes.get_mut(&next)?;
        let key = work.few.pop_front().or_else(|| work.many.pop_front())?;
        work.running += 1;
        self.running += 1;
        self.served = next;
        let place = self.place(&key);
        place.stands = Stands::Running { again: false };
        place.begun = Some(now);
        Some(key)
    }

    /// A look is over; the next one is due then. Without a next one, and without anything that has happened meanwhile,
    /// the object is forgotten until it is woken.
    pub(crate) fn done(&mut self, key: &Key, now: Instant, next: Option<Instant>, lane: Lane) {
        let Some(place) = self.places.get_mut(key) else {
            return;
        };
        let again = place.stands == Stands::Running { again: true };
        place.stands = Stands::Resting;
        let took = place
            .begun
            .map(|begun| now.saturating_duration_since(begun));
        place.calm = (took.unwrap_or_default() * CALM_TIMES).clamp(CALM, CALM_LONGEST);
        let was = place.lane.clone();
        let rests = place.due.is_none();
        self.running = self.running.saturating_sub(1);
        if let Some(work) = self.lanes.get_mut(&was) {
            work.running = work.running.saturating_sub(1);
            if work.is_idle() {
                self.lanes.remove(&was);
            }
        }
        match (again, next) {
            (true, _) => self.wake(key, lane),
            (false, Some(at)) => self.wake_at(key, at),
            (false, None) if rests => {
                self.places.remove(key);
            }
            (false, None) => {}
        }
    }

    /// When something becomes due by the passing of time.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// How many wait for their turn.
    pub(crate) fn waiting(&self) -> usize {
        let waiting = self.lanes.values();
        waiting.map(|work| work.few.len() + work.many.len()).sum()
    }

    fn place(&mut self, key: &Key) -> &mut Place {
        self.places.entry(key.clone()).or_insert(Place {
            lane: None,
            stands: Stands::Resting,
            due: None,
            begun: None,
            calm: CALM,
        })
    }

    fn not_due(&mut self, at: Option<Instant>, key: &Key) {
        if let Some(at) = at {
            self.due.remove(&(at, key.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str) -> Key {
        Key::new(Kind::ProtectedVM, "shop", name)
    }

    fn lane(name: &str) -> Lane {
        Some(Key::service(name))
    }

    fn none(_: &Key) -> Lane {
        None
    }

    #[test]
    fn an_object_is_worked_on_by_one_at_a_time_and_not_forgotten_meanwhile() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.wake(&item("a"), None);
        queue.wake(&item("a"), None);
        assert_eq!(queue.take(now, none), Some(item("a")));
        queue.wake(&item("a"), None);
        assert_eq!(queue.take(now, none), None);
        queue.done(&item("a"), now, None, None);
        assert_eq!(queue.take(now, none), Some(item("a")));
        queue.done(&item("a"), now, None, None);
        assert_eq!(queue.take(now, none), None);
        assert!(queue.places.is_empty() && queue.lanes.is_empty());
    }

    #[test]
    fn what_is_due_comes_when_it_is_and_the_sooner_of_two_times_counts() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        let at = |seconds| now + Duration::from_secs(seconds);
        queue.wake(&item("a"), None);
        assert_eq!(queue.take(now, none), Some(item("a")));
        queue.done(&item("a"), now, Some(at(60)), None);
        queue.wake_at(&item("a"), at(10));
        queue.wake_at(&item("a"), at(30));
        assert_eq!(queue.next_due(), Some(at(10)));
        assert_eq!(queue.take(at(9), none), None);
        assert_eq!(queue.take(at(10), none), Some(item("a")));
        assert_eq!(queue.next_due(), None);
    }

    #[test]
    fn a_wake_takes_the_place_of_a_time() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.wake_at(&item("a"), now + Duration::from_secs(60));
        queue.wake(&item("a"), None);
        assert_eq!(queue.take(now, none), Some(item("a")));
        assert_eq!(queue.next_due(), None);
    }

    #[test]
    fn a_service_that_hangs_leaves_room_for_another() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for number in 0..100 {
            queue.wake(&item(&format!("slow-{number}")), lane("slow"));
        }
        let mut begun = 0;
        while queue.take(now, none).is_some() {
            begun += 1;
        }
        assert_eq!(begun, ONE_SERVICE);
        queue.wake(&item("quick"), lane("quick"));
        assert_eq!(queue.take(now, none), Some(item("quick")));
    }

    #[test]
    fn services_take_turns_and_what_others_wait_for_comes_first() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for name in ["a-1", "a-2", "a-3"] {
            queue.wake(&item(name), lane("a"));
        }
        queue.wake(&item("b-1"), lane("b"));
        let vault = Key::new(Kind::Vault, "shop", "v");
        queue.wake(&vault, lane("a"));
        let order: Vec<String> = std::iter::from_fn(|| queue.take(now, none))
            .map(|key| key.name)
            .collect();
        assert_eq!(order, ["v", "b-1", "a-1", "a-2", "a-3"]);
    }

    #[test]
    fn what_is_told_of_others_again_and_again_is_looked_at_now_and_then() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        let policy = Key::new(Kind::BackupPolicy, "shop", "daily");
        queue.wake_calmly(&policy, None, now);
        assert_eq!(queue.take(now, none), Some(policy.clone()));
        queue.wake_calmly(&policy, None, now);
        queue.done(&policy, now, None, None);
        queue.wake_calmly(&policy, None, now);
        assert_eq!(queue.take(now, none), None);
        assert_eq!(queue.next_due(), Some(now + CALM));
        assert_eq!(queue.take(now + CALM, none), Some(policy));
    }

    #[test]
    fn what_takes_long_is_looked_at_less_often() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        let policy = Key::new(Kind::BackupPolicy, "shop", "daily");
        queue.wake(&policy, None);
        assert_eq!(queue.take(now, none), Some(policy.clone()));
        let ended = now + Duration::from_millis(800);
        let later = Some(now + Duration::from_secs(3600));
        queue.done(&policy, ended, later, None);
        queue.wake_calmly(&policy, None, ended);
        assert_eq!(queue.next_due(), Some(now + Duration::from_secs(8)));
    }
}
