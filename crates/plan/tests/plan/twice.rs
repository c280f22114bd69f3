//! What lies between us and the service may send a call twice. The second is refused because of the first, and the refusal is what we are
//! told: what was taken is found all the same, and is begun once.

use kluis_api::{ConditionStatus, ItemDeletionPolicy, VaultDeletionPolicy};
use kluis_plan::{Cause, Kind};

use crate::azure::item_id;
use crate::cluster::{ALL, Cluster, JOB, RESTORE, parse};

/// What a second call may be told: it is there, it is wrong, it is gone.
fn refusals() -> [Cause; 3] {
    [
        (409, "UserErrorSomethingIsThere"),
        (400, "SomethingUnknown"),
        (404, "ResourceNotFound"),
    ]
    .map(|(status, code)| Cause::Refused {
        status,
        code: code.to_owned(),
        message: "It was there already.".to_owned(),
    })
}

/// A story, from its beginning to its rest.
type Story = fn(&mut Cluster);

fn arrival(cluster: &mut Cluster) {
    cluster.converge(&ALL);
}

fn backup(cluster: &mut Cluster) {
    cluster.converge(&ALL);
    cluster.job = Some(parse(JOB));
    cluster.converge(&ALL);
}

fn restore(cluster: &mut Cluster) {
    cluster.converge(&ALL);
    cluster.azure.run_schedule(&item_id());
    cluster.converge(&ALL);
    cluster.restore = Some(parse(RESTORE));
    cluster.converge(&ALL);
}

fn request(cluster: &mut Cluster) {
    cluster.converge(&ALL);
    cluster.edit_item(|item| item.spec.backup_request = Some("once".to_owned()));
    cluster.converge(&ALL);
}

fn departure(cluster: &mut Cluster) {
    cluster.converge(&ALL);
    cluster.edit_item(|item| item.spec.deletion_policy = ItemDeletionPolicy::DeleteData);
    cluster.edit_vault(|vault| vault.spec.deletion_policy = VaultDeletionPolicy::Delete);
    cluster.converge(&ALL);
    for kind in [Kind::ProtectedVM, Kind::BackupPolicy, Kind::Vault] {
        cluster.delete(kind);
    }
    cluster.converge(&ALL);
}

fn suspension(cluster: &mut Cluster) {
    cluster.converge(&ALL);
    cluster.edit_item(|item| item.spec.suspend = true);
    cluster.converge(&ALL);
    cluster.edit_item(|item| item.spec.suspend = false);
    cluster.converge(&ALL);
}

/// What is left at the end: what each object says, and what was begun.
fn end(cluster: &Cluster) -> String {
    let begun = cluster.azure.jobs.len();
    let summary = |conditions: Option<&Vec<kluis_api::Condition>>| {
        conditions
            .and_then(|conditions| conditions.first())
            .map(|first| (first.status == ConditionStatus::True, first.reason.clone()))
    };
    let item = cluster.item.as_ref().and_then(|one| one.status.as_ref());
    let job = cluster.job.as_ref().and_then(|one| one.status.as_ref());
    let restore = cluster.restore.as_ref().and_then(|one| one.status.as_ref());
    let policy = cluster.policy.as_ref().and_then(|one| one.status.as_ref());
    let vault = cluster.vault.as_ref().and_then(|one| one.status.as_ref());
    format!(
        "{begun} jobs, item {:?}, job {:?}, restore {:?}, policy {:?}, vault {:?}, {} items, {} policies, {} vaults, {} disks",
        summary(item.map(|status| &status.conditions)),
        summary(job.map(|status| &status.conditions)),
        summary(restore.map(|status| &status.conditions)),
        summary(policy.map(|status| &status.conditions)),
        summary(vault.map(|status| &status.conditions)),
        cluster.azure.items.len(),
        cluster.azure.policies.len(),
        cluster.azure.vaults.len(),
        cluster.azure.disks.len(),
    )
}

#[test]
fn a_refusal_because_of_our_own_call_changes_nothing_in_the_end() {
    let stories: [(&str, Story); 6] = [
        ("arrival", arrival),
        ("backup", backup),
        ("restore", restore),
        ("request", request),
        ("departure", departure),
        ("suspension", suspension),
    ];
    for (name, story) in stories {
        let mut plain = Cluster::applied();
        story(&mut plain);
        let wanted = end(&plain);
        for nth in 0..plain.azure.calls.len() {
            for cause in refusals() {
                let mut cluster = Cluster::applied();
                cluster.azure.instead = Some((nth, cause.clone()));
                story(&mut cluster);
                let what = &plain.azure.calls[nth];
                assert_eq!(
                    end(&cluster),
                    wanted,
                    "{name}: {what}: {cause:?}\n{}",
                    cluster.log
                );
            }
        }
    }
}

/// What nobody took is told as it was before: the search finds nothing.
#[test]
fn a_refusal_that_stands_alone_is_the_end_of_a_restore() {
    let mut cluster = Cluster::converged();
    cluster.azure.run_schedule(&item_id());
    cluster.converge(&ALL);
    cluster.restore = Some(parse(RESTORE));
    cluster.reconcile(Kind::Restore);
    cluster.azure.refuse = Some(refusals()[1].clone());
    cluster.converge(&ALL);
    let restore = cluster.restore.unwrap().status.unwrap();
    assert_eq!(restore.conditions[0].reason, "RequestRefused");
    assert_eq!(restore.conditions[0].status, ConditionStatus::False);
    assert!(
        restore.conditions[0]
            .message
            .contains("It was there already.")
    );
    assert!(restore.completion_time.is_some());
}
