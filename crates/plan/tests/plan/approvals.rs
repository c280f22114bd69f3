//! Edits that cost recovery points: what is asked for, what approves them, what makes an approval lapse, and what is looked at again right
//! before such an edit is sent.

use expect_test::expect;
use jiff::SignedDuration;
use kluis_api::{
    Approval, ChangeControl, ConditionStatus, ConditionType, DailyRetention, Weekday,
    WeeklyRetention, WeeklySchedule,
};
use kluis_plan::{Approved, Fingerprint, Kind, Plan};

use crate::azure::{item_id, key};
use crate::cluster::{ALL, Cluster, parse};

const DAY: SignedDuration = SignedDuration::from_hours(24);

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
    let approval = cluster.asked();
    let status = cluster.policy.as_ref()?.status.as_ref()?;
    let condition = status
        .conditions
        .iter()
        .find(|condition| condition.type_ == ConditionType::ApprovalRequired)?;
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

const WRITTEN: &str = "write the policy daily into the vault shop-weu";

#[test]
fn an_edit_waits_for_the_line_that_approves_it() {
    let mut cluster = Cluster::backed_up();
    keep(&mut cluster, 10);
    let approval = asked(&cluster).unwrap();
    assert_eq!((approval.deleted, approval.shortened), (10, 10));
    assert_eq!((approval.items.len(), approval.items_total), (1, 1));
    assert_eq!(approval.items[0].item, "shop/web-1");
    assert_eq!(
        approval.oldest.unwrap().0.to_string(),
        "2026-12-01T21:30:00Z"
    );
    assert_eq!(cluster.sent(), "");

    // Another digest, and half of one, approve nothing.
    for other in ["0".repeat(32), approval.digest[..31].to_owned()] {
        approve(&mut cluster, &other);
        assert_eq!(cluster.sent(), "");
    }
    approve(
        &mut cluster,
        &format!("{}, {}", "f".repeat(32), approval.digest),
    );
    assert_eq!(cluster.sent(), WRITTEN);
    assert_eq!(asked(&cluster), None);
}

#[test]
fn an_approval_still_holds_when_it_is_merged_the_next_day() {
    let mut cluster = Cluster::backed_up();
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
    assert_eq!(cluster.sent(), WRITTEN);
}

#[test]
fn an_approval_lapses_with_either_policy_and_with_the_items() {
    let mut cluster = Cluster::backed_up();
    keep(&mut cluster, 10);
    let digest = asked(&cluster).unwrap().digest;
    // Another wish.
    cluster.edit_policy(|policy| policy.spec.retention.daily = Some(DailyRetention { keep: 9 }));
    approve(&mut cluster, &digest);
    assert_ne!(asked(&cluster).unwrap().digest, digest);
    assert_eq!(cluster.sent(), "");

    // Another policy in force: somebody changed it past us.
    let mut cluster = Cluster::backed_up();
    keep(&mut cluster, 10);
    let policy = cluster.azure.policies.values_mut().next().unwrap();
    let mut wire = serde_json::to_value(&policy.properties).unwrap();
    wire["retentionPolicy"]["dailySchedule"]["retentionDuration"]["count"] = 25.into();
    policy.properties = serde_json::from_value(wire).unwrap();
    approve(&mut cluster, &digest);
    assert_eq!(cluster.sent(), "");

    // Another item.
    let mut cluster = Cluster::backed_up();
    keep(&mut cluster, 10);
    let other = key(&item_id()).replace("web-1", "far-1");
    let item = cluster.azure.items[&key(&item_id())].clone();
    cluster.azure.items.insert(other, item);
    approve(&mut cluster, &digest);
    assert_ne!(asked(&cluster).unwrap().digest, digest);
    assert_eq!(cluster.sent(), "");
}

#[test]
fn an_edit_that_is_taken_back_leaves_no_trace() {
    let mut cluster = Cluster::backed_up();
    let before = cluster.policy.clone().unwrap().status.unwrap();
    keep(&mut cluster, 10);
    assert!(asked(&cluster).is_some());
    keep(&mut cluster, 30);
    assert_eq!(asked(&cluster), None);
    assert_eq!(cluster.sent(), "");
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
    let mut cluster = Cluster::backed_up();
    weekly(&mut cluster);
    assert_eq!(cluster.sent(), "");
    assert!(asked(&cluster).unwrap().deleted >= 17, "{}", cluster.log);
}

/// The newest of all points stays. Where that is one that somebody asked for just before the edit, the last of the schedule goes.
#[test]
fn a_newer_point_on_demand_leaves_none_of_the_schedule_as_the_newest() {
    let mut counts = Vec::new();
    for is_asked in [false, true] {
        let mut cluster = Cluster::backed_up();
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
            days: None,
            at: "22:30".to_owned(),
        });
        policy.spec.retention.daily = None;
        policy.spec.retention.weekly = Some(WeeklyRetention {
            keep: 52,
            on: sunday,
            on_unquoted: None,
            days: None,
        });
        policy.spec.instant_restore = None;
    });
    cluster.converge(&ALL);
}

/// The tag of a day that the policy does not choose any more stays on its points, and the vault tells until when: another edit asks.
#[test]
fn what_an_edit_of_the_days_left_tagged_is_not_lost_by_the_next_edit() {
    let tagged = |keep: u32, day: &str| {
        parse::<kluis_api::Retention>(&format!(
            "{{ daily: {{ keep: 30 }}, monthly: {{ keep: {keep}, days: [{day}] }} }}"
        ))
    };
    let mut cluster = Cluster::converged();
    cluster.edit_policy(|policy| policy.spec.retention = tagged(60, "2"));
    cluster.converge(&ALL);
    for day in 1..=20 {
        cluster.azure.now = format!("2026-12-{day:02}T21:30:00Z").parse().unwrap();
        cluster.azure.run_schedule(&item_id());
        let kept = cluster.azure.now + SignedDuration::from_hours(24 * 30);
        cluster
            .azure
            .told
            .insert(format!("rp-{day}"), kept.to_string());
    }
    let told = "2031-12-02T21:30:00Z".to_owned();
    cluster.azure.told.insert("rp-2".to_owned(), told);
    cluster.edit_policy(|policy| policy.spec.retention = tagged(60, "Last"));
    cluster.converge(&ALL);
    assert_eq!(asked(&cluster), None);
    cluster.azure.calls.clear();
    cluster.edit_policy(|policy| policy.spec.retention = tagged(1, "Last"));
    cluster.converge(&ALL);
    assert_eq!(cluster.sent(), "");
    let approval = asked(&cluster).unwrap();
    assert_eq!((approval.deleted, approval.shortened), (0, 1));
    assert_eq!(
        approval.oldest.unwrap().0.to_string(),
        "2026-12-02T21:30:00Z"
    );
}

#[test]
fn what_only_lengthens_is_not_asked_for() {
    let mut cluster = Cluster::backed_up();
    keep(&mut cluster, 60);
    assert_eq!(cluster.sent(), WRITTEN);
    assert_eq!(asked(&cluster), None);
}

#[test]
fn a_policy_may_do_without_approvals() {
    let mut cluster = Cluster::backed_up();
    cluster.edit_policy(|policy| policy.spec.change_control = ChangeControl::Allow);
    cluster.converge(&ALL);
    cluster.edit_policy(|policy| policy.spec.retention.daily = Some(DailyRetention { keep: 10 }));
    let plan = cluster.reconcile(Kind::BackupPolicy).unwrap().plan;
    assert_eq!(plan.stakes[0].approval, Approved::NotAsked);
    assert_eq!(plan.stakes[0].loss.items[0].cost.deleted, 10);
    let told: Vec<String> = plan.report.events.iter().map(ToString::to_string).collect();
    expect!["! LossAllowed In shop/shop-weu: this edit is to delete 10 recovery points and keep 10 more for a shorter time, the oldest of 2026-12-01 21:30Z, the newest of 2026-12-20 21:30Z (shop/web-1: 10 deleted, 10 shortened); changeControl is Allow."].assert_eq(&told.join("\n"));
    assert_eq!(cluster.sent(), WRITTEN);
}

#[test]
fn an_item_that_moves_to_a_shorter_policy_is_asked_for() {
    let mut cluster = Cluster::backed_up();
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
        cluster.sent(),
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

/// Law 2: what a loss was counted from is looked at again right before the edit is sent.
#[test]
fn a_backup_in_between_makes_the_plan_stale() {
    let mut cluster = Cluster::backed_up();
    cluster.edit_policy(|policy| {
        policy.spec.change_control = ChangeControl::Allow;
        policy.spec.retention.daily = Some(DailyRetention { keep: 10 });
    });
    let plan = cluster.plan(Kind::BackupPolicy).unwrap();
    assert!(holds(&cluster, &plan));
    cluster.azure.now += DAY;
    cluster.azure.run_schedule(&item_id());
    assert!(!holds(&cluster, &plan));

    let mut cluster = Cluster::backed_up();
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
