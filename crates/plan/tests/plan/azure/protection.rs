//! The protected item in the model: which verb its state takes, what that makes of it, and which points go as time passes.

use jiff::{SignedDuration, Timestamp};
use kluis_arm::id::ItemId;
use kluis_arm::item::{ProtectedItem, ProtectionState, VmItem};
use kluis_arm::policy::{Generation, Terms, parse};
use kluis_plan::{Action, Cause};
use kluis_policy::{Event, Origin, State};

use super::{Azure, key};

/// How long what was deleted can be had back.
const SOFT_DELETE_DAYS: u16 = 14;

impl Azure {
    /// Why an item's call is wrong now.
    pub(super) fn refusal(&mut self, action: &Action) -> Option<Cause> {
        let (id, event, policy) = match action {
            Action::PutItem { id, body, .. } => {
                let ProtectedItem::VirtualMachine(body) = &body.properties else {
                    return None;
                };
                (id, self.event(body), body.policy_id.clone())
            }
            Action::DeleteItem { id } => (id, delete(), None),
            _ => return None,
        };
        let state = self.state(&key(id));
        let why = match State::after(state, event, self.now) {
            Err(refusal) => Some(("UserErrorItemState", refusal.to_string())),
            Ok(_) if event == Event::Protect => self.downgrade(&key(id), policy.as_deref()),
            Ok(_) if event == delete() && self.is_immutable() && self.has_points(&key(id)) => {
                let message = "no data in an immutable vault are deleted";
                Some((
                    "UserErrorOperationDeniedOnImmutableItem",
                    message.to_owned(),
                ))
            }
            Ok(_) => None,
        };
        let (code, message) = why?;
        self.wrong.push(format!("{action}: {message}"));
        Some(Cause::Refused {
            status: 400,
            code: code.to_owned(),
            message,
        })
    }

    fn event(&self, body: &VmItem) -> Event {
        if body.is_rehydrate == Some(true) {
            return Event::Undelete;
        }
        match body.protection_state {
            Some(ProtectionState::ProtectionStopped) => Event::StopRetain,
            Some(ProtectionState::BackupsSuspended) => Event::Suspend {
                vault_immutable: self.is_immutable(),
            },
            _ => Event::Protect,
        }
    }

    fn downgrade(&self, id: &str, wanted: Option<&str>) -> Option<(&'static str, String)> {
        let is_enhanced = |policy: Option<&str>| {
            let terms = self.terms(policy?)?;
            Some(terms.generation == Generation::Enhanced)
        };
        let present = self
            .items
            .get(id)
            .and_then(|item| item.policy_id.as_deref());
        let is_wrong = is_enhanced(present) == Some(true) && is_enhanced(wanted) == Some(false);
        is_wrong.then(|| {
            (
                "UserErrorPolicyTier",
                "From Enhanced to Standard.".to_owned(),
            )
        })
    }

    /// The item's state, in the terms of the field.
    pub(crate) fn state(&self, id: &str) -> Option<State> {
        let item = self.items.get(id)?;
        let recoverable = self.has_points(id);
        let since = item
            .deferred_delete_time_in_utc
            .as_ref()
            .and_then(|time| time.moment().unwrap())
            .unwrap_or(self.now);
        if item.is_scheduled_for_deferred_delete == Some(true) {
            return Some(State::SoftDeleted {
                since,
                days: SOFT_DELETE_DAYS,
                recoverable,
            });
        }
        Some(match item.protection_state {
            Some(ProtectionState::ProtectionStopped) => State::Stopped { since, recoverable },
            Some(ProtectionState::BackupsSuspended) => State::Suspended { since, recoverable },
            Some(ProtectionState::IrPending) => State::IrPending,
            _ => State::Protected,
        })
    }

    fn has_points(&self, id: &str) -> bool {
        self.points.get(id).is_some_and(|points| !points.is_empty())
    }

    pub(crate) fn protect(&mut self, id: &ItemId, body: VmItem) {
        let has_points = self.has_points(&key(id));
        let item = self.items.entry(key(id)).or_default();
        let active = if has_points {
            ProtectionState::Protected
        } else {
            ProtectionState::IrPending
        };
        item.is_scheduled_for_deferred_delete = None;
        item.deferred_delete_time_in_utc = None;
        item.protection_state = Some(body.protection_state.unwrap_or(active));
        item.policy_id = body.policy_id;
        item.extended_properties = body.extended_properties.or(item.extended_properties.take());
    }

    pub(crate) fn unprotect(&mut self, id: &ItemId) {
        let now = self.now;
        let item = self.items.entry(key(id)).or_default();
        item.protection_state = Some(ProtectionState::ProtectionStopped);
        item.is_scheduled_for_deferred_delete = Some(true);
        item.deferred_delete_time_in_utc = Some(now.into());
        item.policy_id = Some(String::new());
    }

    /// How many points of an item a cleanup would take at this time.
    pub(crate) fn due_for_cleanup(&self, id: &str, at: Timestamp) -> usize {
        self.expired(id, at).len()
    }

    /// Takes what is due, as the service does by itself; and an item whose days after its deletion are over.
    pub(crate) fn clean_up(&mut self, id: &str) {
        let expired = self.expired(id, self.now);
        if let Some(points) = self.points.get_mut(id) {
            points.retain(|time| !expired.contains(time));
        }
        let purge = self.state(id).and_then(State::purge_at);
        if purge.is_some_and(|at| at <= self.now) {
            self.items.remove(id);
            self.points.remove(id);
        }
    }

    fn expired(&self, id: &str, at: Timestamp) -> Vec<Timestamp> {
        let (Some(item), Some(points)) = (self.items.get(id), self.points.get(id)) else {
            return Vec::new();
        };
        let in_force = matches!(
            item.protection_state,
            Some(
                ProtectionState::Protected
                    | ProtectionState::IrPending
                    | ProtectionState::BackupsSuspended
            )
        );
        let policy = item.policy_id.as_deref().filter(|_| in_force);
        let Some(terms) = policy.and_then(|policy| self.terms(policy)) else {
            return Vec::new();
        };
        let schedule = terms.schedule().unwrap();
        let judged: Vec<kluis_policy::Point> = points
            .iter()
            .map(|time| {
                let due = schedule.previous_at_or_before(*time).unwrap();
                let tags = terms.retention.tags(due, [], &schedule.zone);
                kluis_policy::Point {
                    time: due,
                    origin: Origin::Scheduled { tags },
                }
            })
            .collect();
        let verdicts = terms.retention.verdicts(&judged, &schedule.zone, at);
        // The newest one never goes by its age.
        let newest = points.iter().max();
        let expired = points.iter().zip(verdicts);
        expired
            .filter(|(time, verdict)| !verdict.is_kept() && Some(*time) != newest)
            .map(|(time, _)| *time)
            .collect()
    }

    fn terms(&self, policy: &str) -> Option<Terms> {
        let policy = self.policies.get(&key(policy))?;
        Some(parse(&policy.properties).unwrap())
    }

    /// Days go by, each with its cleanup, and with a backup where backups are made and `backups` says so.
    pub(crate) fn live(&mut self, id: &ItemId, days: u8, backups: bool) {
        for _ in 0..days {
            self.now += SignedDuration::from_hours(24);
            if backups && self.state(&key(id)).is_some_and(State::is_scheduled) {
                self.run_schedule(id);
            }
            self.clean_up(&key(id));
        }
    }
}

fn delete() -> Event {
    Event::Delete {
        soft_delete_days: Some(SOFT_DELETE_DAYS),
    }
}
