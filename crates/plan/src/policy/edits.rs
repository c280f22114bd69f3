//! Room among a vault's edits: Azure takes fifty edits of its policies by API in 24 hours (rule 38), from all clients together.
//!
//! What we edited stands in the statuses of the policies. Some of the fifty are left to people; what does not fit waits for the first
//! edit to be a day old. That others used up the rest shows when the service says so (429), and is obeyed then.

use jiff::{SignedDuration, Timestamp};

use crate::key::{Kind, ObjectKey};
use crate::step::EditRoom;
use crate::waiting::Waiting;
use crate::world::PolicyVaultFacts;

/// How many of the fifty are ours.
const OURS: usize = 45;
pub(super) const WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// The room for one more edit of a policy of the vault; `Err` until when there is none.
pub(super) fn room(facts: &PolicyVaultFacts, now: Timestamp) -> Result<EditRoom, Waiting> {
    // Times are kept to the second: the edit of this second a day ago still counts.
    let since = now.checked_sub(WITHIN).unwrap_or(Timestamp::MIN);
    let (namespace, name) = facts.name.split_once('/').unwrap_or(("", &facts.name));
    let room = EditRoom {
        vault: ObjectKey::new(Kind::Vault, namespace, name),
        since,
        most: OURS,
    };
    let mut counted: Vec<Timestamp> = facts
        .edits
        .iter()
        .filter(|edit| **edit >= since)
        .copied()
        .collect();
    counted.sort_unstable();
    let in_the_way = counted
        .len()
        .checked_sub(OURS)
        .and_then(|beyond| counted.get(beyond));
    let Some(in_the_way) = in_the_way else {
        return Ok(room);
    };
    let free = in_the_way.checked_add(WITHIN + SignedDuration::from_secs(1));
    Err(Waiting::EditsSpent {
        vault: name.to_owned(),
        made: counted.len(),
        until: free.unwrap_or(Timestamp::MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Access;
    use std::collections::BTreeMap;

    fn at(minute: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minute)
    }

    fn facts(edits: Vec<Timestamp>) -> PolicyVaultFacts {
        let access = Access {
            service: None,
            namespace_labels: BTreeMap::new(),
        };
        PolicyVaultFacts::new("shop/weu".to_owned(), None, access, Vec::new(), edits)
    }

    #[test]
    fn the_forty_sixth_edit_of_a_day_waits_for_the_first_to_be_a_day_old() {
        let now = at(24 * 60);
        let edits = |count: i64| facts((0..count).map(|edit| at(60 + edit)).collect());
        let room_for = |count| room(&edits(count), now);
        let left = room_for(44).unwrap();
        assert!(left.is_left(&edits(44).edits));
        assert!(!left.is_left(&edits(45).edits));
        let until = |count| match room_for(count) {
            Err(Waiting::EditsSpent { until, .. }) => until,
            other => panic!("{other:?}"),
        };
        let second = SignedDuration::from_secs(1);
        assert_eq!(until(45), at(25 * 60) + second);
        // What others found out about is in the way, too: two have to be a day old.
        assert_eq!(until(47), at(25 * 60 + 2) + second);
        // Older edits count no more.
        let old = facts((0..200).map(|edit| at(-1 - edit)).collect());
        assert!(room(&old, now).is_ok());
    }
}
