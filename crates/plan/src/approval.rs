//! What has to be approved before it is sent, and whether it is.
//!
//! An edit that costs recovery points is named by a digest of the vault, the items and both policies, and not of the points: the line
//! `approvedLoss: <digest>` in a pull request still holds when it is merged tomorrow, and lapses when an item comes or goes or either
//! policy changes. Whoever may edit the object may approve: a separation of duties is the review in Git, not ours.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use kluis_api::{Approval, ChangeControl, ItemLoss as ShownLoss, Time};
use kluis_api::{ConditionStatus, ConditionType};
use kluis_arm::id::{ItemId, VaultId};
use kluis_arm::policy::{Terms, canonical};
use kluis_policy::Retention;
use kluis_policy::loss::Cost;
use sha2::{Digest as _, Sha256};

use crate::conditions::{Extra, moment};
use crate::loss::{ItemLoss, Loss};
use crate::report::{Event, EventKind};

/// Items that a status names.
const SHOWN: usize = 20;
/// How long what was counted is repeated before it is counted again: a thousand items are a thousand reads.
const COUNTED_FOR: SignedDuration = SignedDuration::from_hours(1);

/// An edit that costs recovery points, approved or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Stake {
    /// The Vault, `<namespace>/<name>`.
    pub vault: String,
    /// What the line that approves it says.
    pub digest: String,
    pub approval: Approved,
    pub loss: Loss,
    pub(crate) counted_at: Timestamp,
}

/// Whether it may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approved {
    /// Somebody has to approve it first.
    Needed,
    /// `spec.approvedLoss` holds its digest.
    Given,
    /// `spec.changeControl` is `Allow`.
    NotAsked,
}

/// What the spec says of losses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Consent<'a> {
    pub(crate) control: ChangeControl,
    pub(crate) approved: Option<&'a str>,
}

impl Consent<'_> {
    /// Whether a change of this digest may be sent.
    pub(crate) fn to(self, digest: &str) -> Approved {
        let mut given = self.approved.unwrap_or_default().split(',');
        if given.any(|given| given.trim().eq_ignore_ascii_case(digest)) {
            Approved::Given
        } else if self.control == ChangeControl::Allow {
            Approved::NotAsked
        } else {
            Approved::Needed
        }
    }
}

/// The name of a change: the vault, the items, and what is in force and what is wanted, each in one form only.
pub(crate) fn digest<Item: ToString>(
    vault: &VaultId,
    items: impl IntoIterator<Item = Item>,
    in_force: &str,
    wanted: &str,
) -> String {
    let mut items: Vec<String> = items
        .into_iter()
        .map(|item| item.to_string().to_ascii_lowercase())
        .collect();
    items.sort_unstable();
    items.dedup();
    let vault = vault.to_string().to_ascii_lowercase();
    let said = format!(
        "vault: {vault}\nitems: {}\nin force: {in_force}\nwanted: {wanted}\n",
        items.join(" ")
    );
    short(&said)
}

/// The condition of an object that has something to be approved.
pub(crate) fn required(message: &str) -> Extra {
    Extra {
        type_: ConditionType::ApprovalRequired,
        status: ConditionStatus::True,
        reason: "RecoveryPointsAtStake".into(),
        message: message.to_owned(),
    }
}

/// The condition of one that has nothing.
pub(crate) fn not_required() -> Extra {
    Extra {
        type_: ConditionType::ApprovalRequired,
        status: ConditionStatus::False,
        reason: "NothingAtStake".into(),
        message: String::new(),
    }
}

/// What a loss calls an item that no object here declares.
pub(crate) fn machine(item: &ItemId) -> String {
    item.name.vm().map_or_else(
        || item.name.to_string(),
        |(group, vm)| format!("machine {group}/{vm}"),
    )
}

/// What is in force, for the digest: a policy's terms, or nothing that prunes.
pub(crate) fn in_words(terms: Option<&Terms>) -> String {
    terms.map_or_else(|| "for ever".to_owned(), canonical)
}

/// The name of the days that a policy chooses for its long tiers, whatever it calls for besides: the tags that its points keep.
pub(crate) fn tags(terms: &Terms) -> String {
    let chosen = |tier: Option<String>| tier.unwrap_or_else(|| "none".to_owned());
    let Retention {
        daily: _,
        weekly,
        monthly,
        yearly,
    } = &terms.retention;
    let mut days: Vec<String> = weekly
        .iter()
        .flat_map(|weekly| &weekly.on)
        .map(|day| format!("{day:?}"))
        .collect();
    days.sort_unstable();
    let said = format!(
        "zone: {}\nweekly: {}\nmonthly: {}\nyearly: {}\n",
        kluis_arm::zone::to_azure(&terms.time_zone).unwrap_or(&terms.time_zone),
        days.join(" "),
        chosen(monthly.as_ref().map(|monthly| format!("{:?}", monthly.on))),
        chosen(
            yearly
                .as_ref()
                .map(|yearly| format!("{:?} {:?}", yearly.months, yearly.on))
        ),
    );
    short(&said)
}

fn short(said: &str) -> String {
    let digest = Sha256::digest(said.as_bytes());
    hex::encode(digest.get(..16).unwrap_or_default())
}

/// What was counted of the same change so short a time ago that it is repeated; None when it has to be counted.
pub(crate) fn counted(
    before: Option<&Approval>,
    digest: &str,
    approval: Approved,
    now: Timestamp,
) -> Option<(Loss, Timestamp)> {
    let before = before.filter(|before| before.digest == digest)?;
    let age = now.duration_since(before.counted_at.0);
    let is_fresh = age >= SignedDuration::ZERO && age < COUNTED_FOR;
    (is_fresh && approval == Approved::Needed)
        .then(|| (Loss::repeated(before), before.counted_at.0))
}

impl Stake {
    /// What the status says of it.
    pub(crate) fn status(&self) -> Approval {
        let time = |time: Option<Timestamp>| time.map(moment);
        let mut most: Vec<&ItemLoss> = self.loss.items.iter().collect();
        most.sort_by_key(|lost| std::cmp::Reverse((lost.cost.deleted, lost.cost.shortened)));
        let named = most.into_iter().take(SHOWN).map(|lost| ShownLoss {
            item: lost.item.clone(),
            deleted: lost.cost.deleted,
            shortened: lost.cost.shortened,
            oldest: time(lost.cost.oldest),
            newest: time(lost.cost.newest),
        });
        Approval {
            digest: self.digest.clone(),
            counted_at: moment(self.counted_at),
            deleted: self.loss.total.deleted,
            shortened: self.loss.total.shortened,
            oldest: time(self.loss.total.oldest),
            newest: time(self.loss.total.newest),
            items: named.collect(),
            items_total: self.loss.losing,
            uncounted: self.loss.uncounted,
        }
    }

    /// What is told when it is sent.
    pub(crate) fn told(&self) -> Option<Event> {
        let (kind, reason, by) = match self.approval {
            Approved::Needed => return None,
            Approved::Given => (
                EventKind::Normal,
                "LossApproved",
                "approvedLoss holds its digest",
            ),
            Approved::NotAsked => (EventKind::Warning, "LossAllowed", "changeControl is Allow"),
        };
        Some(Event {
            kind,
            reason: reason.to_owned(),
            note: format!("In {}: this edit is to {}; {by}.", self.vault, self.loss),
        })
    }
}

impl Loss {
    /// What a status says was lost: as much of it as was kept.
    fn repeated(before: &Approval) -> Self {
        let time = |time: &Option<Time>| time.as_ref().map(|time| time.0);
        let mut loss = Self {
            total: Cost {
                deleted: before.deleted,
                shortened: before.shortened,
                oldest: time(&before.oldest),
                newest: time(&before.newest),
            },
            ..Self::default()
        };
        for item in &before.items {
            loss.items.push(ItemLoss {
                item: item.item.clone(),
                cost: Cost {
                    deleted: item.deleted,
                    shortened: item.shortened,
                    oldest: time(&item.oldest),
                    newest: time(&item.newest),
                },
            });
        }
        loss.losing = before.items_total;
        loss.uncounted = before.uncounted;
        loss
    }
}

/// All that an object has to have approved before it goes on.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    /// What would cost them: `the edit`.
    pub what: String,
    pub digests: Vec<String>,
    pub loss: Loss,
}

impl Pending {
    /// Of stakes in several vaults; None when none of them has to be approved.
    pub(crate) fn of<'a>(stakes: impl IntoIterator<Item = &'a Stake>) -> Option<Self> {
        // One line approves all: what is approved already and not sent yet stays in it.
        let mut pending = Self {
            what: "the edit".to_owned(),
            digests: Vec::new(),
            loss: Loss::default(),
        };
        for stake in stakes {
            match stake.approval {
                Approved::NotAsked => continue,
                Approved::Given => {}
                Approved::Needed => pending.loss = pending.loss.and(stake.loss.clone()),
            }
            pending.digests.push(stake.digest.clone());
        }
        (!pending.loss.is_none()).then_some(pending)
    }
}

impl fmt::Display for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Not carried out: {} would {}. If that is meant, add to spec: `approvedLoss: \"{}\"`; if not, take the edit back.",
            self.what,
            self.loss,
            self.digests.join(",")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault() -> VaultId {
        "/subscriptions/s/resourceGroups/Shop-RG/providers/Microsoft.RecoveryServices/vaults/V"
            .parse()
            .unwrap()
    }

    fn item(name: &str) -> ItemId {
        let vm = format!(
            "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/{name}"
        );
        ItemId::for_vm(&vault(), &vm.parse().unwrap())
    }

    #[test]
    fn a_digest_names_the_change_and_not_how_it_is_written() {
        let one = digest(&vault(), [item("a"), item("b")], "old", "new");
        assert_eq!(one.len(), 32);
        assert_eq!(one, digest(&vault(), [item("B"), item("A")], "old", "new"));
        for other in [
            digest(&vault(), [item("a")], "old", "new"),
            digest(&vault(), [item("a"), item("b")], "new", "old"),
            digest(&vault(), [item("a"), item("b")], "old", "newer"),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn a_consent_is_to_the_digests_that_it_lists() {
        let to = |approved, control| Consent { control, approved }.to("0a1b");
        use ChangeControl::{Allow, Require};
        assert_eq!(to(None, Require), Approved::Needed);
        assert_eq!(to(Some("ffff, 0A1B"), Require), Approved::Given);
        assert_eq!(to(Some("0a1"), Require), Approved::Needed);
        assert_eq!(to(Some(""), Allow), Approved::NotAsked);
        assert_eq!(to(Some("0a1b"), Allow), Approved::Given);
    }
}
