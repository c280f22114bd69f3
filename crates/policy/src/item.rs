//! The states of a protected item, and what each event makes of them.
//!
//! `None` stands for an item that does not exist: before it is protected, and after its data is gone.

use jiff::{SignedDuration, Timestamp};

use crate::pruning::Pruning;

/// Where a protected item is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Protected, its first backup still to come.
    IrPending,
    /// Protected, with a first recovery point.
    Protected,
    /// No backups any more; every point stays until somebody resumes or deletes.
    Stopped { since: Timestamp, recoverable: bool },
    /// No backups any more; points expire by the policy. Only in an immutable vault.
    Suspended { since: Timestamp, recoverable: bool },
    /// Deleted, and to be had back until [`State::purge_at`].
    SoftDeleted {
        since: Timestamp,
        days: u16,
        recoverable: bool,
    },
}

/// What happens to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Protection is enabled, or given another policy, or resumed: one call on the wire, so one event.
    Protect,
    /// A backup made a recovery point.
    FirstPoint,
    /// Protection ends, the data is retained.
    StopRetain,
    /// Backups pause, points go on expiring.
    Suspend { vault_immutable: bool },
    /// Data is deleted: after `soft_delete_days`, or at once where the vault's soft delete is off.
    Delete { soft_delete_days: Option<u16> },
    /// A soft-deleted item comes back, stopped.
    Undelete,
    /// The time of a soft-deleted item is over.
    Purge,
}

/// Why an event cannot happen in this state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such item.
    NotProtected,
    /// The item is soft-deleted; it has to be undeleted first.
    SoftDeleted,
    /// Only a soft-deleted item can be undeleted or purged.
    NotDeleted,
    /// Only the items of an immutable vault can be suspended.
    VaultNotImmutable,
    /// A stopped item keeps every point; to suspend it would let them expire unasked. It has to be resumed first.
    Stopped,
    /// The item can still be had back until then.
    NotBefore(Timestamp),
}

impl State {
    /// The state after `event` at `now`, `None` when the item is gone.
    ///
    /// # Errors
    /// A [`Refusal`] when the event cannot happen in this state; the state is then as it was.
    pub fn after(
        state: Option<State>,
        event: Event,
        now: Timestamp,
    ) -> Result<Option<State>, Refusal> {
        let Some(state) = state else {
            return match event {
                Event::Protect => Ok(Some(State::IrPending)),
                _ => Err(Refusal::NotProtected),
            };
        };
        match event {
            Event::Undelete => state.undeleted(now).map(Some),
            Event::Purge => state.purged(now).map(|()| None),
            _ if matches!(state, State::SoftDeleted { .. }) => Err(Refusal::SoftDeleted),
            Event::Protect => Ok(Some(if state.is_recoverable() {
                State::Protected
            } else {
                State::IrPending
            })),
            Event::FirstPoint => Ok(Some(state.with_point())),
            Event::StopRetain => Ok(Some(match state {
                State::Stopped { .. } => state,
                _ => State::Stopped {
                    since: now,
                    recoverable: state.is_recoverable(),
                },
            })),
            Event::Suspend {
                vault_immutable: false,
            } => Err(Refusal::VaultNotImmutable),
            Event::Suspend {
                vault_immutable: true,
            } => match state {
                State::Suspended { .. } => Ok(Some(state)),
                State::Stopped { .. } => Err(Refusal::Stopped),
                _ => Ok(Some(State::Suspended {
                    since: now,
                    recoverable: state.is_recoverable(),
                })),
            },
            Event::Delete {
                soft_delete_days: None,
            } => Ok(None),
            Event::Delete {
                soft_delete_days: Some(days),
            } => Ok(Some(State::SoftDeleted {
                since: now,
                days,
                recoverable: state.is_recoverable(),
            })),
        }
    }

    /// Whether the schedule's runs are for this item.
    pub fn is_scheduled(self) -> bool {
        matches!(self, State::IrPending | State::Protected)
    }

    /// Whether a backup of this item was ever completed.
    pub fn is_recoverable(self) -> bool {
        match self {
            State::IrPending => false,
            State::Protected => true,
            State::Stopped { recoverable, .. }
            | State::Suspended { recoverable, .. }
            | State::SoftDeleted { recoverable, .. } => recoverable,
        }
    }

    /// How the item's points end. `source_gone` when what it protects no longer exists.
    pub fn pruning(self, source_gone: bool) -> Pruning {
        match self {
            State::Stopped { .. } | State::SoftDeleted { .. } => Pruning::KeepAll,
            State::IrPending | State::Protected | State::Suspended { .. } if source_gone => {
                Pruning::KeepNewest
            }
            State::IrPending | State::Protected | State::Suspended { .. } => Pruning::ByPolicy,
        }
    }

    /// When a soft-deleted item's data goes; `None` in any other state.
    pub fn purge_at(self) -> Option<Timestamp> {
        let State::SoftDeleted { since, days, .. } = self else {
            return None;
        };
        let kept = SignedDuration::from_hours(24 * i64::from(days));
        Some(since.checked_add(kept).unwrap_or(Timestamp::MAX))
    }

    fn with_point(self) -> State {
        match self {
            State::IrPending | State::Protected => State::Protected,
            State::Stopped { since, .. } => State::Stopped {
                since,
                recoverable: true,
            },
            State::Suspended { since, .. } => State::Suspended {
                since,
                recoverable: true,
            },
            State::SoftDeleted { since, days, .. } => State::SoftDeleted {
                since,
                days,
                recoverable: true,
            },
        }
    }

    fn undeleted(self, now: Timestamp) -> Result<State, Refusal> {
        match self {
            State::SoftDeleted { recoverable, .. } => Ok(State::Stopped {
                since: now,
                recoverable,
            }),
            _ => Err(Refusal::NotDeleted),
        }
    }

    fn purged(self, now: Timestamp) -> Result<(), Refusal> {
        match self.purge_at() {
            None => Err(Refusal::NotDeleted),
            Some(at) if now < at => Err(Refusal::NotBefore(at)),
            Some(_) => Ok(()),
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::NotProtected => f.write_str("the item is not protected; enable its protection first"),
            Refusal::SoftDeleted => f.write_str("the item is soft-deleted; undelete it first"),
            Refusal::NotDeleted => f.write_str("the item is not soft-deleted"),
            Refusal::VaultNotImmutable => {
                f.write_str("backups can only be suspended in an immutable vault; stop protection with the data retained instead")
            }
            Refusal::Stopped => f.write_str("the item is stopped; resume its protection before suspending it"),
            Refusal::NotBefore(at) => write!(f, "the item's data is kept until {at}"),
        }
    }
}

impl std::error::Error for Refusal {}
