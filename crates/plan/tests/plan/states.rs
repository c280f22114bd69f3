//! The item's states, as a property: from any state in Azure, by any sequence of manifests, with crashes, time that passes and somebody
//! else's changes in between, the operator comes to what is declared or says what is in the way; it never uses a verb that the item's
//! state does not take; and no recovery point goes unless an object said so.
//!
//! A failing case prints the shortest sequence that fails; its seed is kept beside this file by proptest.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use kluis_api::{ConditionStatus, ConditionType, ItemDeletionPolicy, PolicyRef, ProtectedVM};
use kluis_arm::item::{DiskExclusion, ProtectionState, VmItem};
use kluis_arm::policy::Policy;
use kluis_plan::Kind;
use kluis_policy::State;
use proptest::prelude::*;

use crate::azure::{Azure, item_id, key};
use crate::cluster::{Cluster, ITEM, PERIOD, parse};

/// The policies that are in the vault, besides the one of the BackupPolicy.
const POLICIES: [&str; 3] = ["longer", "shorter", "enhanced"];
/// More rounds than any change takes.
const ROUNDS: usize = 14;

/// Where the item stands before anything is declared.
#[derive(Clone, Copy, Debug)]
enum Start {
    Absent,
    IrPending,
    Protected,
    Stopped,
    Suspended,
    SoftDeleted,
    ByAnotherPolicy,
    WithOtherDisks,
    BeingBackedUp,
}

/// What happens.
#[derive(Clone, Copy, Debug)]
enum Move {
    Declare,
    Withdraw(ItemDeletionPolicy),
    Policy(Option<usize>),
    Suspend(bool),
    Disks(u8),
    Days {
        count: u8,
        backups: bool,
    },
    /// The operator dies after so many more steps.
    Crash(usize),
    Elsewhere(Elsewhere),
}

/// What somebody else does, past the operator.
#[derive(Clone, Copy, Debug)]
enum Elsewhere {
    Stops,
    Suspends,
    Deletes,
    Protects(usize),
    ChoosesDisks,
    BacksUp,
}

fn starts() -> impl Strategy<Value = Start> {
    prop_oneof![
        Just(Start::Absent),
        Just(Start::IrPending),
        Just(Start::Protected),
        Just(Start::Stopped),
        Just(Start::Suspended),
        Just(Start::SoftDeleted),
        Just(Start::ByAnotherPolicy),
        Just(Start::WithOtherDisks),
        Just(Start::BeingBackedUp),
    ]
}

fn moves() -> impl Strategy<Value = Move> {
    let wishes = prop_oneof![
        Just(ItemDeletionPolicy::RetainData),
        Just(ItemDeletionPolicy::DeleteData),
        Just(ItemDeletionPolicy::Suspend),
        Just(ItemDeletionPolicy::Orphan),
    ];
    let elsewhere = prop_oneof![
        Just(Elsewhere::Stops),
        Just(Elsewhere::Suspends),
        Just(Elsewhere::Deletes),
        (0..POLICIES.len()).prop_map(Elsewhere::Protects),
        Just(Elsewhere::ChoosesDisks),
        Just(Elsewhere::BacksUp),
    ];
    prop_oneof![
        2 => Just(Move::Declare),
        2 => wishes.prop_map(Move::Withdraw),
        2 => prop::option::of(0..POLICIES.len()).prop_map(Move::Policy),
        2 => any::<bool>().prop_map(Move::Suspend),
        1 => (0_u8..4).prop_map(Move::Disks),
        2 => (1_u8..40, any::<bool>()).prop_map(|(count, backups)| Move::Days { count, backups }),
        2 => (0_usize..5).prop_map(Move::Crash),
        2 => elsewhere.prop_map(Move::Elsewhere),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn it_comes_to_what_is_declared(
        start in starts(),
        is_immutable in any::<bool>(),
        moves in prop::collection::vec(moves(), 1..9),
    ) {
        let mut story = Story::beginning(start, is_immutable);
        story.settle();
        story.check()?;
        for next in moves {
            story.go(next);
            story.settle();
            story.check()?;
        }
    }
}

/// The world, and what has to be remembered of it to judge.
struct Story {
    cluster: Cluster,
    /// The object as it is declared, also where a deletion has not come to its end.
    is_declared: bool,
    /// The state that a deletion found.
    found: Option<State>,
    wish: ItemDeletionPolicy,
    /// What a cleanup would take, before the operator acted.
    due: usize,
    /// Whether the object was there before the operator acted.
    was_there: bool,
    /// Somebody said that the points may go.
    was_told_to_delete: bool,
    log: Vec<String>,
}

impl Story {
    fn beginning(start: Start, is_immutable: bool) -> Self {
        let mut cluster = Cluster::applied();
        cluster.item = None;
        for _ in 0..ROUNDS {
            for kind in [Kind::BackupService, Kind::Vault] {
                cluster.reconcile(kind);
            }
            cluster.azure.tick(PERIOD);
        }
        cluster.azure.policies = KNOWN.clone();
        cluster.azure.is_immutable = is_immutable;
        begin(&mut cluster.azure, start);
        cluster.azure.calls.clear();
        cluster.item = Some(parse(ITEM));
        Self {
            cluster,
            is_declared: true,
            found: None,
            wish: ItemDeletionPolicy::RetainData,
            due: 0,
            was_there: true,
            was_told_to_delete: matches!(start, Start::SoftDeleted),
            log: Vec::new(),
        }
    }

    fn go(&mut self, next: Move) {
        self.cluster.log.clear();
        match next {
            Move::Declare if self.cluster.item.is_none() => {
                self.cluster.item = Some(parse(ITEM));
                self.is_declared = true;
                self.was_told_to_delete = false;
                self.cluster.azure.calls.clear();
            }
            Move::Declare => {}
            Move::Withdraw(wish) if self.is_declared && self.cluster.item.is_some() => {
                self.cluster
                    .edit_item(|item| item.spec.deletion_policy = wish);
                self.found = self.state();
                self.cluster.delete(Kind::ProtectedVM);
                self.is_declared = false;
                self.wish = wish;
                self.was_told_to_delete |= wish == ItemDeletionPolicy::DeleteData;
            }
            Move::Withdraw(_) => {}
            Move::Policy(which) => self.edit(|item| {
                item.spec.policy_ref = match which {
                    Some(index) => PolicyRef {
                        name: None,
                        azure_name: Some(POLICIES[index].to_owned()),
                    },
                    None => PolicyRef {
                        name: Some("daily".to_owned()),
                        azure_name: None,
                    },
                };
            }),
            Move::Suspend(suspend) => self.edit(|item| item.spec.suspend = suspend),
            Move::Disks(which) => self.edit(|item| {
                item.spec.disks = match which {
                    0 => None,
                    1 => Some(parse("{ exclude: [0] }")),
                    2 => Some(parse("{ include: [0] }")),
                    _ => Some(parse("{ osDiskOnly: true }")),
                };
            }),
            Move::Days { count, backups } => {
                self.cluster.azure.live(&item_id(), count, backups);
            }
            Move::Crash(steps) => self.cluster.crash_after = Some(steps),
            Move::Elsewhere(what) => {
                self.was_told_to_delete |= elsewhere(&mut self.cluster.azure, what);
            }
        }
        self.was_there = self.cluster.item.is_some();
        // A newer point takes the place of the newest, which did not go by its age.
        let is_followed = matches!(next, Move::Elsewhere(Elsewhere::BacksUp));
        // By the end of what comes next: what goes by the passing of time alone is no deed of the operator.
        let azure = &self.cluster.azure;
        let end = azure.now + PERIOD * (2 * i32::try_from(ROUNDS).unwrap_or(i32::MAX));
        self.due = azure.due_for_cleanup(&key(&item_id()), end) + usize::from(is_followed);
        self.log.push(format!("{next:?}"));
    }

    /// An edit of the manifest, where there is one.
    fn edit(&mut self, edit: impl FnOnce(&mut ProtectedVM)) {
        if self.is_declared && self.cluster.item.is_some() {
            self.cluster.edit_item(edit);
        }
    }

    /// Lets the operator act, past a crash, and all that it began come to its end.
    fn settle(&mut self) {
        for _ in 0..ROUNDS {
            self.cluster.reconcile(Kind::ProtectedVM);
            self.cluster.azure.tick(PERIOD);
        }
        self.cluster.crash_after = None;
        for _ in 0..ROUNDS {
            self.cluster.reconcile(Kind::ProtectedVM);
            self.cluster.azure.tick(PERIOD);
        }
    }

    fn state(&self) -> Option<State> {
        self.cluster.azure.state(&key(&item_id()))
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        let azure = &self.cluster.azure;
        let context = || format!("after {:?}:\n{}", self.log, self.cluster.log);
        let due = azure.due_for_cleanup(&key(&item_id()), azure.now);
        prop_assert!(
            due <= self.due,
            "{due} points would go, {} before; {}",
            self.due,
            context()
        );
        let deletes = azure.calls.iter().any(|call| call.starts_with("delete"));
        prop_assert!(
            !deletes || self.was_told_to_delete,
            "{:?}; {}",
            azure.calls,
            context()
        );
        prop_assert!(azure.wrong.is_empty(), "{:?}; {}", azure.wrong, context());
        match &self.cluster.item {
            None if !self.was_there => {}
            None => {
                prop_assert!(!self.is_declared, "{}", context());
                prop_assert!(
                    self.has_ended_as_wished(),
                    "{:?} is {:?}; {}",
                    self.wish,
                    self.state(),
                    context()
                );
            }
            Some(item) => {
                let status = item.status.as_ref().unwrap();
                let of = |type_| {
                    let mut conditions = status.conditions.iter();
                    conditions.find(|one| one.type_ == type_).unwrap()
                };
                let stalled = of(ConditionType::Stalled);
                if stalled.status == ConditionStatus::True {
                    let blocked = [
                        "ApprovalRequired",
                        "TierDowngrade",
                        "VaultNotImmutable",
                        "VaultImmutable",
                        "RetentionImmutable",
                    ];
                    prop_assert!(
                        blocked.contains(&stalled.reason.as_str()) && !stalled.message.is_empty(),
                        "{stalled:?}; {}",
                        context()
                    );
                    let is_wished = |wish| self.wish == wish && !self.is_declared;
                    let is_in_the_way = match stalled.reason.as_str() {
                        "VaultNotImmutable" => {
                            is_wished(ItemDeletionPolicy::Suspend) && !azure.is_immutable
                        }
                        "VaultImmutable" => {
                            is_wished(ItemDeletionPolicy::DeleteData) && azure.is_immutable
                        }
                        "RetentionImmutable" => azure.is_immutable,
                        _ => true,
                    };
                    prop_assert!(is_in_the_way, "{stalled:?}; {}", context());
                } else {
                    prop_assert!(
                        self.is_declared,
                        "it is still there, and does not say why; {}",
                        context()
                    );
                    prop_assert_eq!(
                        of(ConditionType::Ready).status,
                        ConditionStatus::True,
                        "{}",
                        context()
                    );
                    prop_assert!(
                        self.is_as_declared(item),
                        "{:?}; {}",
                        azure.items,
                        context()
                    );
                }
            }
        }
        Ok(())
    }

    /// Whether the vault has what the object says.
    fn is_as_declared(&self, item: &ProtectedVM) -> bool {
        let state = self.state();
        if item.spec.suspend {
            return matches!(state, None | Some(State::Stopped { .. }));
        }
        let found = &self.cluster.azure.items[&key(&item_id())];
        let policy = &item.spec.policy_ref;
        let named = policy.azure_name.as_ref().or(policy.name.as_ref()).unwrap();
        let by = found.policy_id.as_deref().unwrap_or_default();
        state.is_some_and(State::is_scheduled)
            && by.ends_with(&format!("/{named}"))
            && chosen(found) == wanted(item)
    }

    /// Whether what the object left is what it said it would leave.
    fn has_ended_as_wished(&self) -> bool {
        let state = self.state();
        let has_gone = matches!(state, None | Some(State::SoftDeleted { .. }));
        match self.wish {
            ItemDeletionPolicy::RetainData => {
                matches!(state, Some(State::Stopped { .. })) || has_gone
            }
            ItemDeletionPolicy::DeleteData => has_gone,
            ItemDeletionPolicy::Suspend => {
                matches!(state, Some(State::Stopped { .. } | State::Suspended { .. })) || has_gone
            }
            ItemDeletionPolicy::Orphan => {
                let kind = |state: Option<State>| state.map(|state| std::mem::discriminant(&state));
                kind(state) == kind(self.found)
            }
        }
    }
}

/// The disks that the vault leaves out or takes; None when it takes all.
fn chosen(item: &VmItem) -> Option<(Vec<i32>, bool)> {
    let properties = item.extended_properties.as_ref()?;
    let choice = properties.disk_exclusion_properties.as_ref()?;
    let luns = choice.disk_lun_list.clone().unwrap_or_default();
    let only_these = choice.is_inclusion_list.unwrap_or_default();
    (only_these || !luns.is_empty()).then_some((luns, only_these))
}

fn wanted(item: &ProtectedVM) -> Option<(Vec<i32>, bool)> {
    let choice = item.spec.disks.as_ref()?;
    let luns = |luns: &Vec<u32>| {
        luns.iter()
            .map(|lun| i32::try_from(*lun).unwrap())
            .collect()
    };
    Some(match (&choice.exclude, &choice.include) {
        (Some(exclude), _) => (luns(exclude), false),
        (None, Some(include)) => (luns(include), true),
        (None, None) => (Vec::new(), true),
    })
}

/// Brings about where the item stands.
fn begin(azure: &mut Azure, start: Start) {
    let id = item_id();
    if matches!(start, Start::Absent) {
        return;
    }
    azure.protect(&id, by("daily"));
    if matches!(start, Start::IrPending) {
        return;
    }
    azure.live(&id, 3, true);
    match start {
        Start::Stopped => {
            elsewhere(azure, Elsewhere::Stops);
        }
        Start::Suspended => {
            azure.is_immutable = true;
            elsewhere(azure, Elsewhere::Suspends);
        }
        Start::SoftDeleted => azure.unprotect(&id),
        Start::ByAnotherPolicy => azure.protect(&id, by("longer")),
        Start::WithOtherDisks => {
            elsewhere(azure, Elsewhere::ChoosesDisks);
        }
        Start::BeingBackedUp => {
            elsewhere(azure, Elsewhere::BacksUp);
        }
        Start::Absent | Start::IrPending | Start::Protected => {}
    }
}

/// Does it, where the item's state takes it; whether it says that points may go.
fn elsewhere(azure: &mut Azure, what: Elsewhere) -> bool {
    let id = item_id();
    let state = azure.state(&key(&id));
    let is_there = !matches!(state, None | Some(State::SoftDeleted { .. }));
    let is_active = state.is_some_and(State::is_scheduled);
    match what {
        Elsewhere::Stops if is_there => {
            let stop = VmItem {
                protection_state: Some(ProtectionState::ProtectionStopped),
                policy_id: Some(String::new()),
                ..VmItem::default()
            };
            azure.protect(&id, stop);
        }
        Elsewhere::Suspends if is_active && azure.is_immutable => {
            let present = azure.items[&key(&id)].policy_id.clone();
            let suspend = VmItem {
                protection_state: Some(ProtectionState::BackupsSuspended),
                policy_id: present,
                ..VmItem::default()
            };
            azure.protect(&id, suspend);
        }
        Elsewhere::Deletes if is_there && !azure.is_immutable => {
            azure.unprotect(&id);
            return true;
        }
        Elsewhere::Protects(which) if is_there => azure.protect(&id, by(POLICIES[which])),
        Elsewhere::ChoosesDisks if is_there => {
            let item = azure.items.get_mut(&key(&id)).unwrap();
            let properties = item.extended_properties.get_or_insert_default();
            properties.disk_exclusion_properties = Some(DiskExclusion {
                disk_lun_list: Some(vec![3]),
                is_inclusion_list: Some(false),
                ..DiskExclusion::default()
            });
        }
        Elsewhere::BacksUp if is_active => azure.back_up(&id),
        _ => {}
    }
    false
}

/// A request for protection by a policy of the vault.
fn by(policy: &str) -> VmItem {
    let id = item_id();
    let vault = id.vault();
    VmItem {
        policy_id: Some(format!("{vault}/backupPolicies/{policy}")),
        ..VmItem::default()
    }
}

/// `daily` keeps 30 days; the others as they are called, and `enhanced` is of the other generation.
static KNOWN: LazyLock<BTreeMap<String, Policy>> = LazyLock::new(|| {
    let made = [
        ("daily", 30),
        ("longer", 60),
        ("shorter", 7),
        ("enhanced", 30),
    ];
    let made = made.into_iter().flat_map(|(name, keep)| {
        let mut cluster = Cluster::applied();
        cluster.edit_policy(|policy| {
            policy.metadata.name = Some(name.to_owned());
            policy.spec.retention.daily = Some(kluis_api::DailyRetention { keep });
            if name == "enhanced" {
                policy.spec.tier = kluis_api::Tier::Enhanced;
            }
        });
        cluster.edit_item(|item| item.spec.policy_ref.name = Some(name.to_owned()));
        cluster.converge(&crate::cluster::ALL);
        cluster.azure.policies
    });
    made.collect()
});
