//! The protected item's life: the whole table once, and what holds over every sequence of events.

use expect_test::expect;
use kluis_policy::{Event, Pruning, Refusal, State};
use proptest::prelude::*;

use crate::almanac::{DAY, second};

const EVENTS: [Event; 9] = [
    Event::Protect,
    Event::FirstPoint,
    Event::StopRetain,
    Event::Suspend {
        vault_immutable: true,
    },
    Event::Suspend {
        vault_immutable: false,
    },
    Event::Delete {
        soft_delete_days: Some(14),
    },
    Event::Delete {
        soft_delete_days: None,
    },
    Event::Undelete,
    Event::Purge,
];

fn short(state: Option<State>) -> String {
    match state {
        None => "-".into(),
        Some(State::IrPending) => "pending".into(),
        Some(State::Protected) => "protected".into(),
        Some(State::Stopped { recoverable, .. }) => format!("stopped({recoverable})"),
        Some(State::Suspended { recoverable, .. }) => format!("suspended({recoverable})"),
        Some(State::SoftDeleted { recoverable, .. }) => format!("deleted({recoverable})"),
    }
}

#[test]
fn every_state_and_every_event() {
    let since = second(0);
    let states = [
        None,
        Some(State::IrPending),
        Some(State::Protected),
        Some(State::Stopped {
            since,
            recoverable: true,
        }),
        Some(State::Suspended {
            since,
            recoverable: true,
        }),
        Some(State::SoftDeleted {
            since,
            days: 14,
            recoverable: true,
        }),
    ];
    let mut table = String::new();
    for state in states {
        for event in EVENTS {
            let after = match State::after(state, event, second(DAY)) {
                Ok(after) if after == state => "same".into(),
                Ok(after) => short(after),
                Err(refusal) => format!("refused: {refusal}"),
            };
            table.push_str(&format!("{:<18}{event:?}: {after}\n", short(state)));
        }
    }
    expect![[r#"
        -                 Protect: pending
        -                 FirstPoint: refused: the item is not protected; enable its protection first
        -                 StopRetain: refused: the item is not protected; enable its protection first
        -                 Suspend { vault_immutable: true }: refused: the item is not protected; enable its protection first
        -                 Suspend { vault_immutable: false }: refused: the item is not protected; enable its protection first
        -                 Delete { soft_delete_days: Some(14) }: refused: the item is not protected; enable its protection first
        -                 Delete { soft_delete_days: None }: refused: the item is not protected; enable its protection first
        -                 Undelete: refused: the item is not protected; enable its protection first
        -                 Purge: refused: the item is not protected; enable its protection first
        pending           Protect: same
        pending           FirstPoint: protected
        pending           StopRetain: stopped(false)
        pending           Suspend { vault_immutable: true }: suspended(false)
        pending           Suspend { vault_immutable: false }: refused: backups can only be suspended in an immutable vault; stop protection with the data retained instead
        pending           Delete { soft_delete_days: Some(14) }: deleted(false)
        pending           Delete { soft_delete_days: None }: -
        pending           Undelete: refused: the item is not soft-deleted
        pending           Purge: refused: the item is not soft-deleted
        protected         Protect: same
        protected         FirstPoint: same
        protected         StopRetain: stopped(true)
        protected         Suspend { vault_immutable: true }: suspended(true)
        protected         Suspend { vault_immutable: false }: refused: backups can only be suspended in an immutable vault; stop protection with the data retained instead
        protected         Delete { soft_delete_days: Some(14) }: deleted(true)
        protected         Delete { soft_delete_days: None }: -
        protected         Undelete: refused: the item is not soft-deleted
        protected         Purge: refused: the item is not soft-deleted
        stopped(true)     Protect: protected
        stopped(true)     FirstPoint: same
        stopped(true)     StopRetain: same
        stopped(true)     Suspend { vault_immutable: true }: refused: the item is stopped; resume its protection before suspending it
        stopped(true)     Suspend { vault_immutable: false }: refused: backups can only be suspended in an immutable vault; stop protection with the data retained instead
        stopped(true)     Delete { soft_delete_days: Some(14) }: deleted(true)
        stopped(true)     Delete { soft_delete_days: None }: -
        stopped(true)     Undelete: refused: the item is not soft-deleted
        stopped(true)     Purge: refused: the item is not soft-deleted
        suspended(true)   Protect: protected
        suspended(true)   FirstPoint: same
        suspended(true)   StopRetain: stopped(true)
        suspended(true)   Suspend { vault_immutable: true }: same
        suspended(true)   Suspend { vault_immutable: false }: refused: backups can only be suspended in an immutable vault; stop protection with the data retained instead
        suspended(true)   Delete { soft_delete_days: Some(14) }: deleted(true)
        suspended(true)   Delete { soft_delete_days: None }: -
        suspended(true)   Undelete: refused: the item is not soft-deleted
        suspended(true)   Purge: refused: the item is not soft-deleted
        deleted(true)     Protect: refused: the item is soft-deleted; undelete it first
        deleted(true)     FirstPoint: refused: the item is soft-deleted; undelete it first
        deleted(true)     StopRetain: refused: the item is soft-deleted; undelete it first
        deleted(true)     Suspend { vault_immutable: true }: refused: the item is soft-deleted; undelete it first
        deleted(true)     Suspend { vault_immutable: false }: refused: the item is soft-deleted; undelete it first
        deleted(true)     Delete { soft_delete_days: Some(14) }: refused: the item is soft-deleted; undelete it first
        deleted(true)     Delete { soft_delete_days: None }: refused: the item is soft-deleted; undelete it first
        deleted(true)     Undelete: stopped(true)
        deleted(true)     Purge: refused: the item's data is kept until 1970-01-15T00:00:00Z
    "#]].assert_eq(&table);
}

proptest! {
    #![proptest_config(crate::cases(4_000))]

    #[test]
    fn no_sequence_of_events_loses_what_was_not_deleted(
        events in proptest::collection::vec((proptest::sample::select(EVENTS.to_vec()), 0..20i64), 1..40)
    ) {
        let (mut state, mut day) = (None, 0);
        for (event, days) in events {
            day += days;
            let now = second(day * DAY);
            let before = state;
            match State::after(state, event, now) {
                Ok(after) => state = after,
                Err(Refusal::NotBefore(at)) => prop_assert!(now < at),
                Err(_) => {}
            }
            // An item ends by a deletion without soft delete, or by a purge whose time has come.
            if before.is_some() && state.is_none() {
                let purge_at = before.and_then(State::purge_at);
                let purged = event == Event::Purge && purge_at.is_some_and(|at| at <= now);
                let deleted = event == Event::Delete { soft_delete_days: None };
                prop_assert!(purged || deleted);
            }
            if let (Some(before), Some(after)) = (before, state) {
                // A recovery point is not forgotten by any state.
                prop_assert!(after.is_recoverable() || !before.is_recoverable());
                // Out of soft delete leads undelete alone, and into a state that keeps everything.
                if before.purge_at().is_some() && after.purge_at().is_none() {
                    prop_assert_eq!(event, Event::Undelete);
                    prop_assert_eq!(after.pruning(true), Pruning::KeepAll);
                }
                // From keeping everything to expiring leads only a person's decision to protect again.
                if before.pruning(false) == Pruning::KeepAll && after.pruning(false) != Pruning::KeepAll {
                    prop_assert_eq!(event, Event::Protect);
                }
                // Backups begin by protecting, and by nothing else.
                if after.is_scheduled() && !before.is_scheduled() {
                    prop_assert_eq!(event, Event::Protect);
                }
            }
            // Asked twice, done once.
            if let Event::Protect | Event::FirstPoint | Event::StopRetain | Event::Suspend { .. } = event
                && let Ok(once) = State::after(state, event, now)
            {
                prop_assert_eq!(State::after(once, event, second((day + 1) * DAY)), Ok(once));
            }
        }
    }
}

#[test]
fn soft_delete_lasts_its_days_to_the_second() {
    let deleted = State::SoftDeleted {
        since: second(0),
        days: 14,
        recoverable: false,
    };
    let ask = |now| State::after(Some(deleted), Event::Purge, second(now));
    assert_eq!(ask(14 * DAY - 1), Err(Refusal::NotBefore(second(14 * DAY))));
    assert_eq!(ask(14 * DAY), Ok(None));
}

#[test]
fn a_lost_source_changes_the_ending_of_what_expires_and_of_nothing_else() {
    let since = second(0);
    let stopped = State::Stopped {
        since,
        recoverable: true,
    };
    let suspended = State::Suspended {
        since,
        recoverable: true,
    };
    assert_eq!(
        [false, true].map(|gone| State::Protected.pruning(gone)),
        [Pruning::ByPolicy, Pruning::KeepNewest]
    );
    assert_eq!(
        [false, true].map(|gone| suspended.pruning(gone)),
        [Pruning::ByPolicy, Pruning::KeepNewest]
    );
    assert_eq!(
        [false, true].map(|gone| stopped.pruning(gone)),
        [Pruning::KeepAll, Pruning::KeepAll]
    );
}
