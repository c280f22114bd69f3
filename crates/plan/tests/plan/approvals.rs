//! Edits that cost recovery points: what is asked for, what approves them, what makes an approval lapse, and what is looked at again right
//! before such an edit is sent.

use expect_test::expect;
use jiff::SignedDuration;
use kluis_api::{
    Approval, ChangeControl, ConditionStatus, ConditionType, DailyRetention, DaylightSaving,
    SoftDelete, SoftDeleteState, Weekday, WeeklyRetention, WeeklySchedule,
};
use kluis_plan::{Approved, Fingerprint, Kind, Plan};

use crate::azure::{Edits, item_id, key};
use crate::cluster::{ALL, Cluster};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A machine with twenty daily points.
fn backed_up() -> Cluster {
    let mut cluster = Cluster::converged();
    let id = item_id();
    for day in 1..=20 {
        cluster.azure.now = format!("2026-12-{day:02}T21:30:00Z").parse().unwrap();
        cluster.azure.run_schedule(&id);
    }
    cluster.converge(&ALL);
    cluster.azure.calls.clear();
    cluster
}

fn keep(cluster: &mut Cluster, days: u32) {
    cluster.edit_policy(|policy| {
        policy.spec.retention.daily = Some(DailyRetention { keep: days });
    });
    cluster.converge(&ALL);
}

fn approve(cluster: &mut Cluster, digest: &str) {
    cluster.edit_policy(|policy| policy.spec.approved_loss = Some(digest.to_owned()));
    cluster.converge(&ALL);
}

/// What the policy's status asks for.
fn asked(cluster: &Cluster) -> Option<Approval> {
    let status = cluster.policy.as_ref()?.status.as_ref()?;
    let condition = status
        .conditions
        .iter()
        .find(|condition| condition.type_ == ConditionType::ApprovalRequired)?;
    let approval = status.vaults.first()?.approval.clone();
    assert_eq!(
        condition.status == ConditionStatus::True,
        approval.is_some(),
        "{}",
        condition.message
    );
    if let Some(approval) = &approval {
        let line = format!("approvedLoss: \"{}\"", approval.digest);
        assert!(condition.message.contains(&line), "{}", condition.message);
    }
    approval
}

fn sent(cluster: &Cluster) -> String {
    cluster.azure.calls.join("\n")
}

const WRITTEN: &str = "write the policy daily into the vault shop-weu";

#[test]
fn an_edit_waits_for_the_line_that_approves_it() {
    let mut cluster = backed_up();
    keep(&mut cluster, 10);
    let approval = asked(&cluster).unwrap();
    assert_eq!((approval.deleted, approval.shortened), (10, 10));
    assert_eq!((approval.items.len(), approval.items_total), (1, 1));
    assert_eq!(approval.items[0].item, "shop/web-1");
    assert_eq!(
        approval.oldest.unwrap().0.to_string(),
        "2026-12-01T21:30:00Z"
    );
    assert_eq!(sent(&cluster), "");

    // Another digest, and half of one, approve nothing.
    for other in ["0".repeat(32), approval.digest[..31].to_owned()] {
        approve(&mut cluster, &other);
        assert_eq!(sent(&cluster), "");
    }
    approve(
        &mut cluster,
        &format!("{}, {}", "f".repeat(32), approval.digest),
    );
    assert_eq!(sent(&cluster), WRITTEN);
    assert_eq!(asked(&cluster), None);
}

#[test]
fn an_approval_still_holds_when_it_is_merged_the_next_day() {
    let mut cluster = backed_up();
    keep(&mut cluster, 10);
    let digest = asked(&cluster).unwrap().digest;
    cluster.azure.live(&item_id(), 1, true);
    cluster.converge(&ALL);
    let again = asked(&cluster).unwrap();
    assert_eq!(
        (again.digest.as_str(), again.deleted),
        (digest.as_str(), 11)
    );
    approve(&mut cluster, &digest);
    assert_eq!(sent(&cluster), WRITTEN);
}

#[test]
fn an_approval_lapses_with_either_policy_and_with_the_items() {
    let mut cluster = backed_up();
    keep(&mut cluster, 10);
    let digest = asked(&cluster).unwrap().digest;
    // Another wish.
    cluster.edit_policy(|policy| policy.spec.retention.daily = Some(DailyRetention { keep: 9 }));
    approve(&mut cluster, &digest);
    assert_ne!(asked(&cluster).unwrap().digest, digest);
    assert_eq!(sent(&cluster), "");

    // Another policy in force: somebody changed it past us.
    let mut cluster = backed_up();
    keep(&mut cluster, 10);
    let policy = cluster.azure.policies.values_mut().next().unwrap();
    let mut wire = serde_json::to_value(&policy.properties).unwrap();
    wire["retentionPolicy"]["dailySchedule"]["retentionDuration"]["count"] = 25.into();
    policy.properties = serde_json::from_value(wire).unwrap();
    approve(&mut cluster, &digest);
    assert_eq!(sent(&cluster), "");

    // Another item.
    let mut cluster = backed_up();
    keep(&mut cluster, 10);
    let other = key(&item_id()).replace("web-1", "far-1");
    let item = cluster.azure.items[&key(&item_id())].clone();
    cluster.azure.items.insert(other, item);
    approve(&mut cluster, &digest);
    assert_ne!(asked(&cluster).unwrap().digest, digest);
    assert_eq!(sent(&cluster), "");
}

#[test]
fn an_edit_that_is_taken_back_leaves_no_trace() {
    let mut cluster = backed_up();
    let before = cluster.policy.clone().unwrap().status.unwrap();
    keep(&mut cluster, 10);
    assert!(asked(&cluster).is_some());
    keep(&mut cluster, 30);
    assert_eq!(asked(&cluster), None);
    assert_eq!(sent(&cluster), "");
    let after = cluster.policy.unwrap().status.unwrap();
    let said = |status: &kluis_api::BackupPolicyStatus| {
        let said = status.conditions.iter();
        said.map(|one| {
            (
                one.type_,
                one.status,
                one.reason.clone(),
                one.message.clone(),
            )
        })
        .collect::<Vec<_>>()
    };
    assert_eq!(said(&after), said(&before));
    assert_eq!(after.vaults[0].approval, None);
}

/// From daily to weekly the daily points are cleaned up, although nothing that stays is kept for a shorter time.
#[test]
fn from_daily_to_weekly_is_a_loss() {
    let mut cluster = backed_up();
    weekly(&mut cluster);
    assert_eq!(sent(&cluster), "");
    assert!(asked(&cluster).unwrap().deleted >= 17, "{}", cluster.log);
}

/// The newest of all points stays. Where that is one that somebody asked for just before the edit, the last of the schedule goes.
#[test]
fn a_newer_point_on_demand_leaves_none_of_the_schedule_as_the_newest() {
    let mut counts = Vec::new();
    for is_asked in [false, true] {
        let mut cluster = backed_up();
        let id = item_id();
        cluster.azure.now = "2026-12-21T21:30:00Z".parse().unwrap();
        cluster.azure.run_schedule(&id);
        if is_asked {
            cluster.azure.now += SignedDuration::from_hours(1);
            cluster.azure.run_schedule(&id);
            cluster.azure.on_demand = vec!["rp-22".to_owned()];
        }
        weekly(&mut cluster);
        counts.push(asked(&cluster).unwrap().deleted);
    }
    assert_eq!(
        counts,
        [20, 21],
        "all but the newest, of days without a weekly tag"
    );
}

/// From daily to weekly.
fn weekly(cluster: &mut Cluster) {
    cluster.edit_policy(|policy| {
        let sunday = Some(vec![Weekday::Sunday]);
        policy.spec.schedule.daily = None;
        policy.spec.schedule.weekly = Some(WeeklySchedule {
            on: sunday.clone(),
            on_unquoted: None,
            at: "22:30".to_owned(),
        });
        policy.spec.retention.daily = None;
        policy.spec.retention.weekly = Some(WeeklyRetention {
            keep: 52,
            on: sunday,
            on_unquoted: None,
        });
        policy.spec.instant_restore = None;
    });
    cluster.converge(&ALL);
}

#[test]
fn what_only_lengthens_is_not_asked_for() {
    let mut cluster = backed_up();
    keep(&mut cluster, 60);
    assert_eq!(sent(&cluster), WRITTEN);
    assert_eq!(asked(&cluster), None);
}

#[test]
fn a_policy_may_do_without_approvals() {
    let mut cluster = backed_up();
    cluster.edit_policy(|policy| policy.spec.change_control = ChangeControl::Allow);
    cluster.converge(&ALL);
    cluster.edit_policy(|policy| policy.spec.retention.daily = Some(DailyRetention { keep: 10 }));
    let plan = cluster.reconcile(Kind::BackupPolicy).unwrap().plan;
    assert_eq!(plan.stakes[0].approval, Approved::NotAsked);
    assert_eq!(plan.stakes[0].loss.items[0].cost.deleted, 10);
    let told: Vec<String> = plan.report.events.iter().map(ToString::to_string).collect();
    expect!["! LossAllowed In shop/shop-weu: this edit is to delete 10 recovery points and keep 10 more for a shorter time, the oldest of 2026-12-01 21:30Z, the newest of 2026-12-20 21:30Z (shop/web-1: 10 deleted, 10 shortened); changeControl is Allow."].assert_eq(&told.join("\n"));
    assert_eq!(sent(&cluster), WRITTEN);
}

#[test]
fn an_item_that_moves_to_a_shorter_policy_is_asked_for() {
    let mut cluster = backed_up();
    let mut short = cluster.policy.clone().unwrap();
    short.metadata.name = Some("short".to_owned());
    short.spec.retention.daily = Some(DailyRetention { keep: 10 });
    short.status = None;
    cluster.policy = Some(short);
    cluster.edit_item(|item| item.spec.policy_ref.name = Some("short".to_owned()));
    cluster.converge(&ALL);
    let status = cluster.item.clone().unwrap().status.unwrap();
    let approval = status.approval.unwrap();
    assert_eq!((approval.deleted, approval.shortened), (10, 10));
    assert_eq!(
        sent(&cluster),
        "write the policy short into the vault shop-weu"
    );

    cluster.edit_item(|item| item.spec.approved_loss = Some(approval.digest.clone()));
    cluster.converge(&ALL);
    let status = cluster.item.clone().unwrap().status.unwrap();
    assert_eq!(
        (status.policy.as_deref(), status.approval),
        (Some("short"), None)
    );

    // Back to the longer one costs nothing.
    let mut long = Cluster::applied().policy.unwrap();
    long.status = cluster.policy.unwrap().status;
    cluster.policy = Some(long);
    cluster.edit_item(|item| item.spec.policy_ref.name = Some("daily".to_owned()));
    cluster.converge(&ALL);
    let status = cluster.item.clone().unwrap().status.unwrap();
    assert_eq!(status.policy.as_deref(), Some("daily"));
}

#[test]
fn less_soft_delete_waits_for_approval_and_the_rest_does_not() {
    let mut cluster = backed_up();
    cluster.edit_vault(|vault| {
        vault.spec.soft_delete = SoftDelete {
            state: SoftDeleteState::Disabled,
            retention_days: 14,
        };
    });
    cluster.azure.vaults.values_mut().next().unwrap().tags = None;
    cluster.converge(&ALL);
    assert_eq!(sent(&cluster), "change the vault shop-rg/shop-weu: tags");
    let status = cluster.vault.clone().unwrap().status.unwrap();
    let approval = status.approval.unwrap();
    assert_eq!((approval.deleted, approval.shortened), (0, 20));
    assert_eq!(status.conditions[1].type_, ConditionType::ApprovalRequired);
    expect![[r#"Not carried out: soft delete Disabled instead of Enabled, 14 days, once they are deleted, would keep 20 recovery points for a shorter time, the oldest of 2026-12-01 21:30Z, the newest of 2026-12-20 21:30Z (machine shop-rg/web-1: 20 shortened). If that is meant, add to spec: `approvedLoss: "DIGEST"`; if not, take the edit back."#]].assert_eq(&status.conditions[1].message.replace(&approval.digest, "DIGEST"));

    cluster.edit_vault(|vault| vault.spec.approved_loss = Some(approval.digest.clone()));
    cluster.converge(&ALL);
    assert!(
        sent(&cluster).ends_with("soft delete"),
        "{}",
        sent(&cluster)
    );
    let status = cluster.vault.clone().unwrap().status.unwrap();
    assert_eq!(status.approval, None);
    assert!(
        status
            .conditions
            .iter()
            .all(|condition| condition.type_ != ConditionType::ApprovalRequired)
    );
}

/// More of it, and less of it while there is nothing to lose, are as any edit.
#[test]
fn soft_delete_of_what_is_not_there_is_not_asked_for() {
    let mut cluster = Cluster::converged();
    cluster.azure.calls.clear();
    for days in [30, 20] {
        cluster.edit_vault(|vault| vault.spec.soft_delete.retention_days = days);
        cluster.converge(&ALL);
    }
    assert_eq!(cluster.azure.calls.len(), 2, "{}", cluster.log);
}

/// Sent again and again, an edit that the service takes and does not make would use up the vault's edits.
#[test]
fn an_edit_that_the_service_takes_and_does_not_make_is_sent_once() {
    for edits in [Edits::Ignored, Edits::IgnoredInTime] {
        let mut cluster = backed_up();
        cluster.azure.edits = edits;
        keep(&mut cluster, 40);
        for _ in 0..10 {
            cluster.azure.now += SignedDuration::from_mins(20);
            cluster.converge(&ALL);
        }
        assert_eq!(sent(&cluster), WRITTEN);
        let status = cluster.policy.as_ref().unwrap().status.as_ref().unwrap();
        expect!["ChangeNotTaken The service accepted a change of the policy and did not make it."]
            .assert_eq(&format!(
                "{} {}",
                status.conditions[0].reason, status.conditions[0].message
            ));

        // Another wish is another edit, and so is the same one a day later.
        keep(&mut cluster, 41);
        assert_eq!(cluster.azure.calls, [WRITTEN; 2]);
        cluster.azure.edits = Edits::Made;
        cluster.converge(&ALL);
        assert_eq!(cluster.azure.calls, [WRITTEN; 2]);
        cluster.azure.now += DAY;
        cluster.converge(&ALL);
        assert_eq!(cluster.azure.calls, [WRITTEN; 3]);

        // What somebody else changes afterwards is put right at once.
        let theirs = cluster.azure.policies.clone();
        keep(&mut cluster, 42);
        cluster.azure.policies = theirs;
        cluster.converge(&ALL);
        assert_eq!(cluster.azure.calls, [WRITTEN; 5]);
    }
}

#[test]
fn an_edit_that_follows_the_clocks_is_another_one() {
    let mut cluster = backed_up();
    cluster.azure.edits = Edits::Ignored;
    cluster.azure.now = "2027-03-27T12:00:00Z".parse().unwrap();
    cluster.edit_policy(|policy| {
        policy.spec.schedule.daylight_saving = DaylightSaving::Follow;
        policy.spec.retention.daily = Some(DailyRetention { keep: 40 });
    });
    cluster.converge(&ALL);
    assert_eq!(cluster.azure.calls, [WRITTEN; 1]);
    cluster.azure.now = "2027-03-28T02:00:00Z".parse().unwrap();
    cluster.converge(&ALL);
    assert_eq!(cluster.azure.calls, [WRITTEN; 2]);
}

/// Law 2: what a loss was counted from is looked at again right before the edit is sent.
#[test]
fn a_backup_in_between_makes_the_plan_stale() {
    let mut cluster = backed_up();
    cluster.edit_policy(|policy| {
        policy.spec.change_control = ChangeControl::Allow;
        policy.spec.retention.daily = Some(DailyRetention { keep: 10 });
    });
    let plan = cluster.plan(Kind::BackupPolicy).unwrap();
    assert!(holds(&cluster, &plan));
    cluster.azure.now += DAY;
    cluster.azure.run_schedule(&item_id());
    assert!(!holds(&cluster, &plan));

    let mut cluster = backed_up();
    cluster.edit_policy(|policy| {
        policy.spec.change_control = ChangeControl::Allow;
        policy.spec.retention.daily = Some(DailyRetention { keep: 10 });
    });
    let plan = cluster.plan(Kind::BackupPolicy).unwrap();
    let other = key(&item_id()).replace("web-1", "far-1");
    let item = cluster.azure.items[&key(&item_id())].clone();
    cluster.azure.items.insert(other, item);
    assert!(!holds(&cluster, &plan));
}

/// Whether the first step that writes to Azure would still be taken.
fn holds(cluster: &Cluster, plan: &Plan) -> bool {
    let mut steps = plan.steps.iter();
    let step = steps.find(|step| !step.guard.observed.is_empty()).unwrap();
    let mut observed = step.guard.observed.iter();
    observed.all(|(want, seen)| Fingerprint::of(&cluster.azure.read(want)) == *seen)
}
