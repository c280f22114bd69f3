//! A list that many objects look at, remembered entry by entry.
//!
//! An entry that a write of ours was about is no longer known from the list: it is asked for by itself, and is known
//! again. So a thousand writes into a vault cost a thousand small reads and not a thousand lists.
//!
//! So is what a list of several pages does not tell of. Where a service pages by a count, an entry that goes while the list
//! is read moves the others up, and one that is there all the time is on no page.

use std::{collections::HashMap, hash::Hash};

use jiff::{SignedDuration, Timestamp};

/// When something was asked or done: a number that grows, because clocks have equal times.
pub(super) type Moment = u64;

/// An absence that was seen by itself is believed for so long while lists agree with it: what rests although it is not there
/// costs one read in that time and not one with each list, and what nobody asks for any more is forgotten.
const SEEN_BY_ITSELF: SignedDuration = SignedDuration::from_hours(1);

#[derive(Debug)]
pub(super) struct Listing<K, V> {
    /// When the list was asked for, by both measures; none before it was.
    listed: Option<Asked>,
    silence: Silence,
    entries: HashMap<K, Entry<V>>,
    /// When entries were last written, or a work on them ended.
    touched: HashMap<K, Moment>,
    /// The same of everything.
    all_touched: Moment,
}

/// What follows from a list for an entry that is not on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Silence {
    /// The list is of one moment: the entry was not there.
    IsAbsence,
    /// It came in several pages: the entry may be between them.
    SaysNothing,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) moment: Moment,
    pub(super) at: Timestamp,
}

/// An entry. A list has thousands, and of most nothing else is known than what it said.
#[derive(Debug)]
struct Entry<V> {
    /// None when it was asked for by itself and is not there.
    value: Option<V>,
    /// None when the list told of it last.
    by_itself: Option<Box<ByItself>>,
}

impl<V> Entry<V> {
    /// Whether it was asked for by itself after a list was.
    fn is_younger(&self, list: Asked) -> bool {
        let known = self.by_itself.as_deref();
        known.is_some_and(|known| known.asked.moment > list.moment)
    }
}

/// When an entry was asked for by itself.
#[derive(Debug, Clone, Copy)]
struct ByItself {
    /// As its last word counts: a list that agrees with an absence renews it.
    asked: Asked,
    seen: Timestamp,
}

/// What is known of an entry.
#[derive(Debug, PartialEq)]
pub(super) enum Known<V> {
    /// It is this, or it is not there.
    Is(Option<V>),
    /// The list can't tell: ask for the entry.
    AskForIt,
    /// The list is too old, or was never read.
    List,
}

impl<K, V> Default for Listing<K, V> {
    fn default() -> Self {
        Self {
            listed: None,
            silence: Silence::IsAbsence,
            entries: HashMap::new(),
            touched: HashMap::new(),
            all_touched: 0,
        }
    }
}

impl<K: Hash + Eq + Clone, V: PartialEq + Clone> Listing<K, V> {
    /// Looks an entry up. Nothing that is as old as `age` counts.
    pub(super) fn look(&self, key: &K, now: Timestamp, age: SignedDuration) -> Known<V> {
        let touched = self.touched.get(key).copied().unwrap_or_default();
        let touched = touched.max(self.all_touched);
        let counts = |asked: Asked| asked.moment > touched && is_younger(asked.at, now, age);
        let entry = self.entries.get(key);
        if let Some(entry) = entry.filter(|entry| self.asked(entry).is_some_and(counts)) {
            return Known::Is(entry.value.clone());
        }
        match self.listed {
            Some(listed)
                if entry.is_none() && counts(listed) && self.silence == Silence::IsAbsence =>
            {
                Known::Is(None)
            }
            Some(listed) if listed.moment > self.all_touched && is_younger(listed.at, now, age) => {
                Known::AskForIt
            }
            Some(_) | None => Known::List,
        }
    }

    /// All of it, where nothing of it was written since it was listed and it is younger than `age`.
    pub(super) fn whole(&self, now: Timestamp, age: SignedDuration) -> Option<Vec<(K, V)>> {
        let listed = self.listed?;
        let is_sound = listed.moment > self.all_touched
            && is_younger(listed.at, now, age)
            && self
                .touched
                .values()
                .all(|touched| *touched < listed.moment);
        is_sound.then(|| self.entries())
    }

    /// What is known to be there.
    pub(super) fn entries(&self) -> Vec<(K, V)> {
        let there = self.entries.iter();
        there
            .filter_map(|(key, entry)| Some((key.clone(), entry.value.clone()?)))
            .collect()
    }

    /// Takes in the whole list. The entries that are not what they were when they were last known, if they were.
    pub(super) fn learn(&mut self, asked: Asked, silence: Silence, entries: Vec<(K, V)>) -> Vec<K> {
        if self
            .listed
            .is_some_and(|listed| listed.moment > asked.moment)
        {
            return Vec::new();
        }
        let mut before = std::mem::take(&mut self.entries);
        self.entries.reserve(entries.len());
        let mut changed = Vec::new();
        for (key, value) in entries {
            let known = before.remove(&key);
            // What was asked for by itself while the list came in is younger than the list.
            let known = match known {
                Some(known) if known.is_younger(asked) => {
                    self.entries.insert(key, known);
                    continue;
                }
                known => known,
            };
            if known.is_some_and(|known| known.value.as_ref() != Some(&value)) {
                changed.push(key.clone());
            }
            let entry = Entry {
                value: Some(value),
                by_itself: None,
            };
            self.entries.insert(key, entry);
        }
        for (key, entry) in before {
            if entry.is_younger(asked) {
                self.entries.insert(key, entry);
            } else if entry.value.is_some() {
                changed.push(key);
            } else if silence == Silence::SaysNothing
                && let Some(seen) = self.still_absent_since(&key, &entry, asked)
            {
                let entry = Entry {
                    value: None,
                    by_itself: Some(Box::new(ByItself { asked, seen })),
                };
                self.entries.insert(key, entry);
            }
        }
        self.touched.retain(|_, touched| *touched > asked.moment);
        self.listed = Some(asked);
        self.silence = silence;
        changed
    }

    /// When an absence was seen by itself that still counts when a list agrees with it: what was written since may have come.
    fn still_absent_since(&self, key: &K, entry: &Entry<V>, listed: Asked) -> Option<Timestamp> {
        let touched = self.touched.get(key).copied().unwrap_or_default();
        let known = entry.by_itself.as_deref()?;
        let counts = known.asked.moment > touched.max(self.all_touched)
            && is_younger(known.seen, listed.at, SEEN_BY_ITSELF);
        counts.then_some(known.seen)
    }

    /// Takes in one entry that was asked for by itself.
    pub(super) fn learn_one(&mut self, key: K, asked: Asked, value: Option<V>) {
        let is_newer = |entry: &Entry<V>| {
            self.asked(entry)
                .is_some_and(|known| known.moment > asked.moment)
        };
        if !self.entries.get(&key).is_some_and(is_newer) {
            let by_itself = ByItself {
                asked,
                seen: asked.at,
            };
            let entry = Entry {
                value,
                by_itself: Some(Box::new(by_itself)),
            };
            self.entries.insert(key, entry);
        }
    }

    /// When an entry was asked for: by itself, or with the list.
    fn asked(&self, entry: &Entry<V>) -> Option<Asked> {
        let by_itself = entry.by_itself.as_deref();
        by_itself.map(|known| known.asked).or(self.listed)
    }

    /// An entry was written, or a work on it has ended.
    pub(super) fn touch(&mut self, key: K, moment: Moment) {
        self.touched.insert(key, moment);
    }

    /// Anything may have changed.
    pub(super) fn touch_all(&mut self, moment: Moment) {
        self.all_touched = moment;
        self.touched.clear();
    }

    /// Whether the list was read at all, and not too long ago.
    pub(super) fn is_of_use(&self, now: Timestamp, age: SignedDuration) -> bool {
        self.listed
            .is_some_and(|listed| is_younger(listed.at, now, age))
    }
}

fn is_younger(at: Timestamp, now: Timestamp, than: SignedDuration) -> bool {
    let age = now.duration_since(at);
    age >= SignedDuration::ZERO && age < than
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: SignedDuration = SignedDuration::from_mins(1);

    fn at(second: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
    }

    fn asked(moment: Moment, second: i64) -> Asked {
        Asked {
            moment,
            at: at(second),
        }
    }

    fn is(value: u8) -> Known<u8> {
        Known::Is(Some(value))
    }

    #[test]
    fn a_list_tells_of_all_its_entries_for_a_while() {
        let mut list = Listing::default();
        assert_eq!(list.look(&"a", at(0), MINUTE), Known::List);
        list.learn(asked(1, 0), Silence::IsAbsence, vec![("a", 1)]);
        assert_eq!(list.look(&"a", at(59), MINUTE), is(1));
        assert_eq!(list.look(&"b", at(59), MINUTE), Known::Is(None));
        assert_eq!(list.look(&"a", at(60), MINUTE), Known::List);
        assert_eq!(list.look(&"b", at(60), MINUTE), Known::List);
    }

    #[test]
    fn what_was_written_is_asked_for_by_itself() {
        let mut list = Listing::default();
        list.learn(asked(1, 0), Silence::IsAbsence, vec![("a", 1), ("b", 2)]);
        list.touch("a", 2);
        assert_eq!(list.look(&"a", at(1), MINUTE), Known::AskForIt);
        assert_eq!(list.look(&"b", at(1), MINUTE), is(2));
        list.learn_one("a", asked(3, 1), Some(9));
        assert_eq!(list.look(&"a", at(2), MINUTE), is(9));
        // A list that was asked for before the write knows nothing of it.
        assert_eq!(
            list.learn(asked(0, 2), Silence::IsAbsence, vec![("a", 1), ("b", 2)]),
            [""; 0]
        );
        assert_eq!(list.look(&"a", at(2), MINUTE), is(9));
        list.touch_all(4);
        assert_eq!(list.look(&"a", at(2), MINUTE), Known::List);
    }

    #[test]
    fn a_new_list_says_what_has_changed() {
        let mut list = Listing::default();
        assert_eq!(
            list.learn(
                asked(1, 0),
                Silence::IsAbsence,
                vec![("a", 1), ("b", 2), ("c", 3)]
            ),
            [""; 0]
        );
        let changed = list.learn(
            asked(2, 0),
            Silence::IsAbsence,
            vec![("a", 1), ("b", 9), ("d", 4)],
        );
        assert_eq!(changed, ["b", "c"]);
    }

    #[test]
    fn an_absence_that_was_asked_for_is_known() {
        let mut list = Listing::<_, u8>::default();
        list.learn(asked(1, 0), Silence::IsAbsence, Vec::new());
        list.touch("a", 2);
        list.learn_one("a", asked(3, 0), None);
        assert_eq!(list.look(&"a", at(1), MINUTE), Known::Is(None));
    }

    #[test]
    fn what_several_pages_do_not_tell_of_is_asked_for_by_itself() {
        let mut list = Listing::default();
        let several = Silence::SaysNothing;
        list.learn(asked(1, 0), several, vec![("a", 1), ("b", 2)]);
        assert_eq!(list.look(&"a", at(1), MINUTE), is(1));
        assert_eq!(list.look(&"c", at(1), MINUTE), Known::AskForIt);
        // One that was there and is on no page is news, and is asked for.
        let changed = list.learn(asked(2, 2), several, vec![("a", 1)]);
        assert_eq!(changed, ["b"]);
        assert_eq!(list.look(&"b", at(3), MINUTE), Known::AskForIt);
        list.learn_one("b", asked(3, 3), Some(2));
        assert_eq!(list.look(&"b", at(4), MINUTE), is(2));
    }

    #[test]
    fn an_absence_that_was_seen_by_itself_is_believed_while_lists_agree() {
        let mut list = Listing::<_, u8>::default();
        let several = Silence::SaysNothing;
        list.learn(asked(1, 0), several, Vec::new());
        list.learn_one("a", asked(2, 0), None);
        for second in [100, 1000, 3599] {
            let moment = u64::try_from(second).unwrap();
            assert_eq!(
                list.learn(asked(moment, second), several, Vec::new()),
                [""; 0]
            );
            assert_eq!(list.look(&"a", at(second), MINUTE), Known::Is(None));
        }
        list.touch("a", 3600);
        list.learn(asked(3601, 3599), several, Vec::new());
        assert_eq!(
            list.look(&"a", at(3599), MINUTE),
            Known::AskForIt,
            "written since"
        );
        list.learn_one("a", asked(3602, 3599), None);
        list.learn(asked(9000, 9000), several, Vec::new());
        assert_eq!(
            list.look(&"a", at(9000), MINUTE),
            Known::AskForIt,
            "too long ago"
        );
        assert_eq!(list.entries.len(), 0, "and forgotten");
    }
}
