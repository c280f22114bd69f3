//! Every finalizer has a way out, and the object names it: whatever stands in the way of its end in Azure, no object is held for ever.

use jiff::SignedDuration;
use kluis_api::{ItemDeletionPolicy, PolicyDeletionPolicy, VaultDeletionPolicy};
use kluis_plan::{Cause, Kind};

use crate::cluster::{ALL, Cluster, JOB, parse};

/// Ways in which nobody can be asked: the Secret or the service is gone, the certificate is wrong, a role was taken away.
fn troubles() -> [Cause; 4] {
    let message = || "in the test".to_owned();
    [
        Cause::Unreachable { message: message() },
        Cause::WrongCredentials { message: message() },
        Cause::Malformed { message: message() },
        Cause::Refused {
            status: 403,
            code: "AuthorizationFailed".to_owned(),
            message: message(),
        },
    ]
}

/// What the object says, whichever its summary is.
fn says(cluster: &Cluster, kind: Kind) -> String {
    let conditions = match kind {
        Kind::Vault => {
            &cluster
                .vault
                .as_ref()
                .unwrap()
                .status
                .as_ref()
                .unwrap()
                .conditions
        }
        Kind::BackupPolicy => {
            &cluster
                .policy
                .as_ref()
                .unwrap()
                .status
                .as_ref()
                .unwrap()
                .conditions
        }
        Kind::ProtectedVM => {
            &cluster
                .item
                .as_ref()
                .unwrap()
                .status
                .as_ref()
                .unwrap()
                .conditions
        }
        _ => {
            &cluster
                .job
                .as_ref()
                .unwrap()
                .status
                .as_ref()
                .unwrap()
                .conditions
        }
    };
    conditions[0].message.clone()
}

#[test]
fn a_policy_that_cannot_be_taken_out_names_orphan_and_goes_by_it() {
    for cause in troubles() {
        let mut cluster = Cluster::converged();
        cluster.item = None;
        cluster.azure.items.clear();
        cluster.azure.silent = Some(cause.clone());
        cluster.delete(Kind::BackupPolicy);
        cluster.reconcile(Kind::BackupPolicy);
        let said = says(&cluster, Kind::BackupPolicy);
        assert!(
            said.ends_with("set spec.deletionPolicy: Orphan."),
            "{cause:?}: {said}"
        );
        cluster.edit_policy(|policy| policy.spec.deletion_policy = PolicyDeletionPolicy::Orphan);
        cluster.reconcile(Kind::BackupPolicy);
        assert!(cluster.policy.is_none(), "{cause:?}");
        assert!(cluster.log.contains("PolicyLeftAsItIs"), "{}", cluster.log);
        assert!(!cluster.azure.policies.is_empty());
    }
}

#[test]
fn a_vault_that_stays_is_held_by_no_policy_that_is_stuck() {
    let mut cluster = Cluster::converged();
    cluster.item = None;
    cluster.azure.items.clear();
    cluster.azure.silent = Some(troubles()[0].clone());
    cluster.delete(Kind::BackupPolicy);
    cluster.delete(Kind::Vault);
    // The policy was not looked at yet: it is waited for.
    cluster.reconcile(Kind::Vault);
    assert!(cluster.vault.is_some());
    cluster.reconcile(Kind::BackupPolicy);
    cluster.reconcile(Kind::Vault);
    assert!(cluster.vault.is_none(), "{}", cluster.log);
    // Without its Vault there is nobody to ask.
    cluster.reconcile(Kind::BackupPolicy);
    assert!(cluster.policy.is_none());
}

#[test]
fn a_policy_that_can_be_taken_out_is_before_its_vault_object_goes() {
    let mut cluster = Cluster::converged();
    cluster.item = None;
    cluster.azure.items.clear();
    cluster.delete(Kind::BackupPolicy);
    cluster.delete(Kind::Vault);
    for _ in 0..4 {
        cluster.reconcile(Kind::Vault);
        cluster.reconcile(Kind::BackupPolicy);
    }
    assert!(cluster.vault.is_none() && cluster.policy.is_none());
    assert!(cluster.azure.policies.is_empty(), "{}", cluster.log);
}

#[test]
fn a_vault_that_cannot_be_deleted_names_retain_and_goes_by_it() {
    for cause in troubles() {
        let mut cluster = Cluster::converged();
        (cluster.item, cluster.policy) = (None, None);
        cluster.azure.items.clear();
        cluster.edit_vault(|vault| vault.spec.deletion_policy = VaultDeletionPolicy::Delete);
        cluster.converge(&ALL);
        cluster.azure.silent = Some(cause.clone());
        cluster.delete(Kind::Vault);
        cluster.reconcile(Kind::Vault);
        let said = says(&cluster, Kind::Vault);
        assert!(
            said.ends_with("set spec.deletionPolicy: Retain."),
            "{cause:?}: {said}"
        );
        cluster.edit_vault(|vault| vault.spec.deletion_policy = VaultDeletionPolicy::Retain);
        cluster.reconcile(Kind::Vault);
        assert!(cluster.vault.is_none(), "{cause:?}");
    }
}

#[test]
fn a_machine_whose_protection_cannot_end_names_orphan_and_goes_by_it() {
    for cause in troubles() {
        let mut cluster = Cluster::converged();
        cluster.azure.silent = Some(cause.clone());
        cluster.delete(Kind::ProtectedVM);
        cluster.reconcile(Kind::ProtectedVM);
        let said = says(&cluster, Kind::ProtectedVM);
        assert!(
            said.ends_with("set spec.deletionPolicy: Orphan."),
            "{cause:?}: {said}"
        );
        cluster.edit_item(|item| item.spec.deletion_policy = ItemDeletionPolicy::Orphan);
        cluster.reconcile(Kind::ProtectedVM);
        assert!(cluster.item.is_none(), "{cause:?}");
    }
}

/// A refusal of the end itself is told with the way out, too.
#[test]
fn an_end_that_is_refused_is_told_with_the_way_out() {
    let mut cluster = Cluster::converged();
    cluster.azure.refuse = Some(troubles()[3].clone());
    cluster.delete(Kind::ProtectedVM);
    cluster.reconcile(Kind::ProtectedVM);
    let said = says(&cluster, Kind::ProtectedVM);
    assert!(said.ends_with("set spec.deletionPolicy: Orphan."), "{said}");
}

#[test]
fn work_that_cannot_be_asked_about_or_cancelled_says_until_when_it_holds_its_object() {
    for cause in troubles() {
        for is_silent in [true, false] {
            let mut cluster = Cluster::converged();
            cluster.job = Some(parse(JOB));
            for _ in 0..3 {
                cluster.reconcile(Kind::BackupJob);
            }
            let job = &mut cluster.azure.jobs.last_mut().unwrap().1;
            job.actions_info = Some(vec![kluis_arm::job::JobAction::Cancellable]);
            cluster.azure.tick(SignedDuration::from_millis(100));
            cluster.azure.tick(SignedDuration::from_millis(100));
            cluster.delete(Kind::BackupJob);
            for minute in 0..=16 {
                match is_silent {
                    true => cluster.azure.silent = Some(cause.clone()),
                    false => cluster.azure.refuse = Some(cause.clone()),
                }
                cluster.reconcile(Kind::BackupJob);
                if cluster.job.is_some() {
                    let said = says(&cluster, Kind::BackupJob);
                    assert!(
                        said.contains("This object goes without it at"),
                        "{minute}: {cause:?}: {said}"
                    );
                }
                cluster.azure.now += SignedDuration::from_mins(1);
            }
            assert!(cluster.job.is_none(), "{cause:?}:\n{}", cluster.log);
        }
    }
}
