//! A locked resource group: the machine is as well protected as before, and yet a person is told, once.

use kluis_api::{Condition, ConditionStatus};
use kluis_plan::{Cause, EventKind, Kind, LockFact, Next};

use crate::cluster::{ALL, Cluster};

fn lock(group: Option<&str>, level: &str) -> LockFact {
    LockFact {
        resource_group: group.map(|name| name.parse().unwrap()),
        level: level.to_owned(),
    }
}

fn ready(cluster: &Cluster) -> &Condition {
    &cluster
        .item
        .as_ref()
        .unwrap()
        .status
        .as_ref()
        .unwrap()
        .conditions[0]
}

#[test]
fn a_lock_on_the_machines_group_is_told_once_and_stays_in_the_message() {
    let mut cluster = Cluster::converged();
    let free = ready(&cluster).message.clone();
    cluster.azure.locks = vec![lock(Some("SHOP-rg"), "CanNotDelete")];
    let plan = cluster.reconcile(Kind::ProtectedVM).unwrap().plan;
    let events = &plan.report.events;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(
        (events[0].kind, events[0].reason.as_str()),
        (EventKind::Warning, "ResourceGroupLocked")
    );
    assert_eq!(ready(&cluster).status, ConditionStatus::True);
    let said = &ready(&cluster).message;
    assert!(
        said.starts_with(&free) && said.contains("(CanNotDelete)") && said.contains("18"),
        "{said}"
    );
    let again = cluster.reconcile(Kind::ProtectedVM).unwrap();
    assert!(!again.changed && again.plan.report.events.is_empty());

    cluster.azure.locks.clear();
    cluster.converge(&ALL);
    assert_eq!(ready(&cluster).message, free);
}

#[test]
fn the_subscriptions_lock_counts_and_another_groups_does_not() {
    let mut cluster = Cluster::converged();
    let free = ready(&cluster).message.clone();
    cluster.azure.locks = vec![lock(Some("elsewhere"), "ReadOnly")];
    cluster.converge(&ALL);
    assert_eq!(ready(&cluster).message, free);
    cluster.azure.locks.push(lock(None, "ReadOnly"));
    cluster.converge(&ALL);
    let said = &ready(&cluster).message;
    assert!(
        said.contains("The subscription is locked (ReadOnly)"),
        "{said}"
    );
}

/// A name that is taken does not become free by waiting: a person is told, and the restore goes on once it is.
#[test]
fn a_restore_whose_disk_is_there_already_stalls_and_says_so() {
    for (code, is_over) in [
        ("UserErrorTargetDiskAlreadyExists", false),
        ("UserErrorRecoveryPointBeingDeleted", true),
    ] {
        let mut cluster = Cluster::converged();
        cluster.azure.run_schedule(&crate::azure::item_id());
        cluster.converge(&ALL);
        cluster.restore = Some(crate::cluster::parse(crate::cluster::RESTORE));
        cluster.reconcile(Kind::Restore);
        cluster.azure.refuse = Some(Cause::Refused {
            status: 409,
            code: code.to_owned(),
            message: "It is in the way.".to_owned(),
        });
        let refused = cluster.reconcile(Kind::Restore).unwrap();
        // What is wrong for ever is believed once no job of ours is there.
        if is_over {
            cluster.reconcile(Kind::Restore);
        }
        let status = cluster.restore.as_ref().unwrap().status.as_ref().unwrap();
        let stalled = status.conditions.last().unwrap();
        assert_eq!(stalled.status, ConditionStatus::True, "{}", cluster.log);
        assert!(
            stalled.message.contains("It is in the way."),
            "{}",
            stalled.message
        );
        assert_eq!(status.completion_time.is_some(), is_over, "{code}");
        if !is_over {
            assert!(matches!(refused.next, Next::After(_)), "{:?}", refused.next);
            cluster.converge(&[Kind::Restore]);
            let status = cluster.restore.as_ref().unwrap().status.as_ref().unwrap();
            assert_eq!(status.conditions[0].status, ConditionStatus::True);
        }
    }
}
