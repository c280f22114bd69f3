//! What is wrong with a machine's backups is told where people look, by the service's own word, and no longer than it is so.

use expect_test::expect;
use kluis_api::{
    Condition, ConditionStatus, ConditionType, ItemDeletionPolicy, ProtectedVMStatus, RetentionTier,
};
use kluis_arm::item::{HealthDetail, KpiHealth};
use kluis_plan::{CaBundleFact, Kind, VaultHealthFact, VaultProblem};

use crate::azure::{item_id, key};
use crate::cluster::{ALL, Cluster, parse};

fn status(cluster: &Cluster) -> &ProtectedVMStatus {
    cluster.item.as_ref().unwrap().status.as_ref().unwrap()
}

fn condition(cluster: &Cluster, type_: ConditionType) -> Option<&Condition> {
    let mut conditions = status(cluster).conditions.iter();
    conditions.find(|condition| condition.type_ == type_)
}

/// `False BackupFailed The backup …`.
fn said(cluster: &Cluster, type_: ConditionType) -> String {
    let found = condition(cluster, type_).unwrap();
    format!("{} {} {}", found.status, found.reason, found.message)
}

/// The events that looking at the machine tells, until there are no more of them.
fn told(cluster: &mut Cluster) -> Vec<String> {
    let mut told = Vec::new();
    for _ in 0..4 {
        let plan = cluster.reconcile(Kind::ProtectedVM).unwrap().plan;
        told.extend(plan.report.events.into_iter().map(|event| event.reason));
    }
    told
}

/// A machine with one point, and the next night before it.
fn next_night() -> Cluster {
    let mut cluster = Cluster::converged();
    night(&mut cluster, 22);
    cluster.azure.run_schedule(&item_id());
    cluster.converge(&ALL);
    night(&mut cluster, 23);
    cluster
}

fn night(cluster: &mut Cluster, day: u8) {
    cluster.azure.now = format!("2026-11-{day:02}T21:30:00Z").parse().unwrap();
}

#[test]
fn a_new_machine_has_no_health_before_it_is_protected_and_is_well_then() {
    let cluster = Cluster::applied();
    assert!(cluster.item.as_ref().unwrap().status.is_none());
    let cluster = Cluster::converged();
    assert_eq!(said(&cluster, ConditionType::Healthy), "True NothingWrong ");
}

#[test]
fn a_night_that_failed_is_told_until_one_succeeds() {
    for is_told in [false, true] {
        let mut cluster = next_night();
        cluster.azure.fail_schedule(
            &item_id(),
            "UserErrorDiskUnreadable",
            "The disk cannot be read.",
            is_told,
        );
        let events = told(&mut cluster);
        let healthy = said(&cluster, ConditionType::Healthy);
        let expected = match is_told {
            false => {
                "False BackupFailed The backup of 2026-11-23 21:30Z failed: The disk cannot be read."
            }
            true => "False UserErrorDiskUnreadable The disk cannot be read. Bring it back.",
        };
        assert_eq!(healthy, expected);
        // As declared it is all the same, and the column says what is the matter.
        let ready = condition(&cluster, ConditionType::Ready).unwrap();
        assert_eq!(ready.status, ConditionStatus::True);
        assert!(
            ready.message.starts_with("Protected by daily. "),
            "{}",
            ready.message
        );
        assert!(
            ready.message.contains("The disk cannot be read."),
            "{}",
            ready.message
        );
        let turned = condition(&cluster, ConditionType::Healthy)
            .unwrap()
            .reason
            .clone();
        assert_eq!(
            events.iter().filter(|event| **event == turned).count(),
            1,
            "{events:?}"
        );

        night(&mut cluster, 24);
        let item = cluster.azure.items.get_mut(&key(&item_id())).unwrap();
        item.health_status = Some("Passed".to_owned());
        item.protection_status = Some("Healthy".to_owned());
        item.last_backup_status = Some("Completed".to_owned());
        cluster.azure.run_schedule(&item_id());
        let events = told(&mut cluster);
        assert_eq!(said(&cluster, ConditionType::Healthy), "True NothingWrong ");
        assert!(events.contains(&"NothingWrong".to_owned()), "{events:?}");
        assert_eq!(
            said(&cluster, ConditionType::Ready),
            "True Protected Protected by daily."
        );
    }
}

/// A new object for it is `Stalled`; so is an old one, and its points stay.
#[test]
fn a_machine_that_is_gone_is_told_alike_old_or_new() {
    let mut cluster = next_night();
    cluster.azure.vms.retain(|vm| vm.id.name != *"web-1");
    cluster.azure.fail_schedule(
        &item_id(),
        "UserErrorVmNotFoundV2",
        "The machine does not exist.",
        true,
    );
    cluster.azure.calls.clear();
    cluster.converge(&ALL);
    for type_ in [ConditionType::Ready, ConditionType::Healthy] {
        let found = condition(&cluster, type_).unwrap();
        assert_eq!(
            (found.status, found.reason.as_str()),
            (ConditionStatus::False, "VmNotFound")
        );
        assert!(found.message.contains("shop-rg/web-1"), "{}", found.message);
    }
    let stalled = condition(&cluster, ConditionType::Stalled).unwrap();
    assert_eq!(stalled.status, ConditionStatus::True);
    assert_eq!(
        cluster.azure.calls.join("\n"),
        "",
        "nothing is done about it"
    );
    assert_eq!(status(&cluster).recovery_points.as_ref().unwrap().total, 1);

    let mut new = Cluster::applied();
    new.azure.vms.clear();
    new.converge(&ALL);
    let ready = condition(&new, ConditionType::Ready).unwrap();
    assert_eq!(
        (ready.status, ready.reason.as_str()),
        (ConditionStatus::False, "VmNotFound")
    );

    // Meant to be gone.
    cluster.edit_item(|item| item.spec.suspend = true);
    cluster.converge(&ALL);
    let ready = condition(&cluster, ConditionType::Ready).unwrap();
    assert_eq!(
        (ready.status, ready.reason.as_str()),
        (ConditionStatus::True, "Suspended")
    );
}

#[test]
fn an_object_of_a_machine_that_is_gone_can_go() {
    let mut cluster = next_night();
    cluster.azure.vms.clear();
    cluster
        .azure
        .fail_schedule(&item_id(), "UserErrorVmNotFoundV2", "Gone.", true);
    cluster.converge(&ALL);
    cluster.edit_item(|item| item.spec.deletion_policy = ItemDeletionPolicy::RetainData);
    cluster.delete(Kind::ProtectedVM);
    cluster.converge(&ALL);
    assert!(cluster.item.is_none());
}

/// A machine that is backed up costs no read more than before.
#[test]
fn the_machine_is_read_only_where_there_is_a_reason_to_doubt_it() {
    let mut cluster = next_night();
    cluster.converge(&ALL);
    let calm = cluster.reads(Kind::ProtectedVM);
    cluster
        .azure
        .fail_schedule(&item_id(), "Any", "Any.", false);
    cluster.converge(&ALL);
    assert_eq!(cluster.reads(Kind::ProtectedVM), calm + 1);
}

/// Azure's words, from each of the fields that have any.
#[test]
fn what_the_service_says_of_an_item_is_passed_on() {
    let detail = |title: &str, message: &str| HealthDetail {
        title: Some(title.to_owned()),
        message: Some(message.to_owned()),
        ..HealthDetail::default()
    };
    let cases: [(&str, Option<&str>, Vec<HealthDetail>, &str); 9] = [
        (
            "Passed",
            Some("Healthy"),
            vec![detail("IaasVmHealthGreenDefault", "All is well.")],
            "True NothingWrong ",
        ),
        ("Healthy", None, vec![], "True NothingWrong "),
        ("IRPending", None, vec![], "True NothingWrong "),
        ("Invalid", None, vec![], "True NothingWrong "),
        (
            "ActionRequired",
            None,
            vec![detail("PointsDamaged", "A point is damaged.")],
            "False PointsDamaged A point is damaged.",
        ),
        (
            "ActionSuggested",
            None,
            vec![detail("AgentOld", "The agent is old.")],
            "True AgentOld The agent is old.",
        ),
        (
            "ActionRequired",
            None,
            vec![detail("Some words", "Whatever.")],
            "False ActionRequired Whatever.",
        ),
        (
            "ActionRequired",
            None,
            vec![detail("IaasVmHealthGreenDefault", "All is well.")],
            "False ActionRequired The service says ActionRequired, and not why: look at the vault's jobs.",
        ),
        (
            "Passed",
            Some("PersistentUnhealthy"),
            vec![],
            "False KeyMissing The key is missing.",
        ),
    ];
    for (word, kpi, details, expected) in cases {
        let mut cluster = next_night();
        let item = cluster.azure.items.get_mut(&key(&item_id())).unwrap();
        item.health_status = Some(word.to_owned());
        item.health_details = Some(details);
        item.kpis_healths = kpi.map(|word| {
            let kpi = KpiHealth {
                resource_health_status: Some(word.to_owned()),
                resource_health_details: Some(vec![detail("KeyMissing", "The key is missing.")]),
                ..KpiHealth::default()
            };
            [("BackupHealth".to_owned(), kpi)].into()
        });
        cluster.converge(&ALL);
        assert_eq!(
            said(&cluster, ConditionType::Healthy),
            expected,
            "{word} {kpi:?}"
        );
    }
}

/// The first Sunday of the month is kept for a year, and its backup fails.
#[test]
fn a_month_without_a_recovery_point_is_told_until_there_is_one() {
    let mut cluster = Cluster::applied();
    cluster.edit_policy(|policy| {
        policy.spec.retention.monthly = Some(parse("{ keep: 12, weeks: [First], on: [Sunday] }"));
    });
    cluster.converge(&ALL);
    let at = |cluster: &mut Cluster, time: &str| cluster.azure.now = time.parse().unwrap();
    at(&mut cluster, "2026-12-05T21:30:00Z");
    cluster.azure.run_schedule(&item_id());
    cluster.converge(&ALL);
    at(&mut cluster, "2026-12-06T21:30:00Z");
    cluster
        .azure
        .fail_schedule(&item_id(), "Any", "Any.", false);
    cluster.converge(&ALL);
    let missed = &status(&cluster).missed_tiers;
    assert_eq!(missed.len(), 1);
    assert_eq!(missed[0].tier, RetentionTier::Monthly);
    assert_eq!(missed[0].due.0.to_string(), "2026-12-06T21:30:00Z");
    // The next night is well, and the month is without a point all the same.
    at(&mut cluster, "2026-12-07T21:30:00Z");
    cluster.azure.run_schedule(&item_id());
    cluster.converge(&ALL);
    let monthly = "There is no monthly recovery point of 2026-12-06: no backup of that day succeeded. A backup on demand with retainUntil can take its place.";
    assert_eq!(
        said(&cluster, ConditionType::Healthy),
        format!("True TierMissed {monthly}")
    );
    assert_eq!(
        said(&cluster, ConditionType::Ready),
        format!("True Protected Protected by daily. {monthly}")
    );
    at(&mut cluster, "2027-01-03T21:30:00Z");
    cluster.azure.run_schedule(&item_id());
    cluster.converge(&ALL);
    assert_eq!(said(&cluster, ConditionType::Healthy), "True NothingWrong ");
    assert!(status(&cluster).missed_tiers.is_empty());
}

/// Where the service has a call for it; Azure has none, and then nothing is said of it.
#[test]
fn a_vault_says_what_its_service_says_of_it() {
    let health = |cluster: &Cluster| {
        let status = cluster.vault.as_ref().unwrap().status.clone().unwrap();
        let mut conditions = status.conditions.into_iter();
        let found = conditions.find(|condition| condition.type_ == ConditionType::Healthy);
        let said =
            found.map(|found| format!("{} {} {}", found.status, found.reason, found.message));
        (said, status.health)
    };
    let mut cluster = Cluster::converged();
    assert_eq!(health(&cluster), (None, None));
    cluster.azure.vault_health = Some(VaultHealthFact {
        problems: vec![
            VaultProblem {
                title: "ExpiriesHeldBack".to_owned(),
                message: "Three points stay.".to_owned(),
                is_grave: false,
            },
            VaultProblem {
                title: "PointsDamaged".to_owned(),
                message: "Two points are damaged.".to_owned(),
                is_grave: true,
            },
        ],
        damaged_points: Some(2),
        held_back_expiries: Some(3),
        ..VaultHealthFact::default()
    });
    let plan = cluster.reconcile(Kind::Vault).unwrap().plan;
    assert!(
        plan.report
            .events
            .iter()
            .any(|event| event.reason == "PointsDamaged"),
        "{:?}",
        plan.report.events
    );
    let (said, counts) = health(&cluster);
    let both = "Three points stay. Two points are damaged.";
    assert_eq!(said, Some(format!("False PointsDamaged {both}")));
    let counts = counts.unwrap();
    assert_eq!(
        (
            counts.problems,
            counts.damaged_points,
            counts.held_back_expiries
        ),
        (2, Some(2), Some(3))
    );
    let vault = cluster.vault.as_ref().unwrap().status.as_ref().unwrap();
    assert_eq!(vault.conditions[0].status, ConditionStatus::True);
    assert!(
        vault.conditions[0].message.ends_with(both),
        "{}",
        vault.conditions[0].message
    );
    cluster.azure.vault_health = Some(VaultHealthFact::default());
    cluster.converge(&[Kind::Vault]);
    assert_eq!(health(&cluster).0.as_deref(), Some("True NothingWrong "));
}

#[test]
fn certificates_that_end_soon_are_told_before_they_do() {
    let mut cluster = Cluster::converged();
    let of_service = |cluster: &Cluster| {
        let status = cluster.service.as_ref().unwrap().status.clone().unwrap();
        let mut conditions = status.conditions.into_iter();
        conditions.find(|condition| condition.type_ == ConditionType::Healthy)
    };
    assert_eq!(
        of_service(&cluster),
        None,
        "the public ones are nobody's to exchange"
    );
    let mut look = |days_left: i64| {
        let ends = "2027-03-01T00:00:00Z".parse().unwrap();
        cluster.ca_bundle = Some(CaBundleFact { ends, days_left });
        let plan = cluster.reconcile(Kind::BackupService).unwrap().plan;
        let events: Vec<String> = plan
            .report
            .events
            .into_iter()
            .map(|event| event.reason)
            .collect();
        let status = cluster.service.as_ref().unwrap().status.clone().unwrap();
        assert_eq!(status.ca_bundle_expires.unwrap().0, ends);
        let ready = &status.conditions[0];
        assert_eq!(
            (ready.type_, ready.status),
            (ConditionType::Ready, ConditionStatus::True)
        );
        let healthy = of_service(&cluster).unwrap();
        let said = healthy.message.split(". ").next().unwrap().to_owned();
        format!("{} {} {said} {events:?}", healthy.status, healthy.reason)
    };
    let told = [3_000, 61, 60, 59, 14, 0, -1, 400]
        .map(&mut look)
        .join("\n");
    expect![[r#"
        True NothingWrong  []
        True NothingWrong  []
        True CaBundleExpires The certificates in spec.caBundle end on 2027-03-01T00:00:00Z, in 60 days ["CaBundleExpires"]
        True CaBundleExpires The certificates in spec.caBundle end on 2027-03-01T00:00:00Z, in 59 days []
        False CaBundleExpires The certificates in spec.caBundle end on 2027-03-01T00:00:00Z, in 14 days []
        False CaBundleExpires The certificates in spec.caBundle end on 2027-03-01T00:00:00Z, in 0 days []
        False CaBundleExpired The certificates in spec.caBundle ended on 2027-03-01T00:00:00Z, 1 day ago ["CaBundleExpired"]
        True NothingWrong  ["NothingWrong"]"#]]
    .assert_eq(&told);
}
