//! Restores to each target: how they go, what stands in the way, and that a crash makes none of them twice.

use expect_test::{Expect, expect};
use kluis_api::{ConditionStatus, ConditionType, Restore, RestoreStatus, RestoreTo};
use kluis_arm::recovery_point::{DiskConfiguration, DiskInformation};
use kluis_plan::Kind;

use crate::azure::item_id;
use crate::cluster::{ALL, Cluster, RESTORE, parse};

pub(crate) const NEW_VM: &str = "newVM: { resourceGroup: shop-restored, name: web-2, virtualNetwork: shop-net, networkResourceGroup: shop-rg, subnet: default }";
pub(crate) const IN_PLACE: &str = "inPlace: {}";
const ONE_DISK_IN_PLACE: &str = "inPlace: { disks: [0] }";
pub(crate) const FILES: &str = "files: { paths: [/etc, /home], resourceGroup: shop-restored }";
pub(crate) const ONE_DISK: &str = "disks: { resourceGroup: shop-restored, luns: [0] }";

/// A machine with one recovery point, and a restore of it to there, in a vault that allows restores in place.
pub(crate) fn restoring(to: &str) -> Cluster {
    let mut cluster = Cluster::converged();
    cluster.azure.run_schedule(&item_id());
    cluster.edit_vault(|vault| vault.spec.allow_in_place_restore = true);
    cluster.converge(&ALL);
    cluster.log.clear();
    cluster.azure.calls.clear();
    cluster.restore = Some(with(parse(RESTORE), to));
    cluster
}

fn with(mut restore: Restore, to: &str) -> Restore {
    restore.spec.to = parse::<RestoreTo>(to);
    restore
}

pub(crate) fn status(cluster: &Cluster) -> &RestoreStatus {
    &cluster.restore.as_slice()[0].status.as_slice()[0]
}

/// What stands in its way.
fn said(cluster: &Cluster) -> String {
    let conditions = &status(cluster).conditions;
    let stalled = conditions
        .iter()
        .any(|one| one.type_ == ConditionType::Stalled && one.status == ConditionStatus::True);
    let stance = if stalled { "stalled" } else { "goes on" };
    format!(
        "{stance}: {}: {}",
        conditions[0].reason, conditions[0].message
    )
}

fn succeeded(status: &RestoreStatus) -> ConditionStatus {
    status.conditions[0].status
}

#[test]
fn a_new_machine() {
    let mut cluster = restoring(NEW_VM);
    cluster.converge(&[Kind::Restore]);
    expect![[r#"
        ── 50 s, Restore shop/back
        step  hold the object by our finalizer
        say   Succeeded ? (Intended) About to begin.
        say   Reconciling yes (Intended) About to begin.
        say   Stalled no (Intended)
        next  at once

        ── 55 s, Restore shop/back
        step  restore rp-1 of shop-rg/web-1 from shop-weu as shop-restored/web-2 (while the item VM;iaasvmcontainerv2;shop-rg;web-1 of the vault shop-weu is as it was read)
        say   Succeeded ? (Beginning) About to begin.
        say   Reconciling yes (Beginning) About to begin.
        say   Stalled no (Beginning)
        next  at once

        ── 60 s, Restore shop/back
        say   Succeeded ? (InProgress) Under way.
        say   Reconciling yes (InProgress) Under way.
        say   Stalled no (InProgress)
        next  after 2s

        ── 70 s, Restore shop/back
        say   Succeeded yes (Completed) Made the machine shop-restored/web-2 with web-2-os, web-2-lun0.
        say   Reconciling no (Completed)
        say   Stalled no (Completed)
        event Completed Made the machine shop-restored/web-2 with web-2-os, web-2-lun0.
        next  at once

        ── 75 s, Restore shop/back
        step  let the object go
        say   Succeeded yes (Completed) Made the machine shop-restored/web-2 with web-2-os, web-2-lun0.
        say   Reconciling no (Completed)
        say   Stalled no (Completed)
        next  at once

        ── 80 s, Restore shop/back
        say   Succeeded yes (Completed) Made the machine shop-restored/web-2 with web-2-os, web-2-lun0.
        say   Reconciling no (Completed)
        say   Stalled no (Completed)
        next  await a change

    "#]].assert_eq(&cluster.log);
    let status = status(&cluster);
    assert!(
        status
            .vm
            .as_ref()
            .unwrap()
            .ends_with("/virtualMachines/web-2")
    );
    assert_eq!(status.disks.len(), 2);
    assert_eq!(
        status.target.as_deref(),
        Some("machine shop-restored/web-2")
    );
}

#[test]
fn in_place() {
    let mut cluster = restoring(IN_PLACE);
    cluster.converge(&[Kind::Restore]);
    expect![[r#"
        ── 50 s, Restore shop/back
        step  hold the object by our finalizer
        say   Succeeded ? (Intended) About to begin.
        say   Reconciling yes (Intended) About to begin.
        say   Stalled no (Intended)
        next  at once

        ── 55 s, Restore shop/back
        step  restore rp-1 of shop-rg/web-1 from shop-weu in place (while the item VM;iaasvmcontainerv2;shop-rg;web-1 of the vault shop-weu is as it was read)
        say   Succeeded ? (Beginning) About to begin.
        say   Reconciling yes (Beginning) About to begin.
        say   Stalled no (Beginning)
        next  at once

        ── 60 s, Restore shop/back
        say   Succeeded ? (InProgress) Under way.
        say   Reconciling yes (InProgress) Under way.
        say   Stalled no (InProgress)
        next  after 2s

        ── 70 s, Restore shop/back
        say   Succeeded yes (Completed) shop-rg/web-1 now has web-1-os-0, web-1-lun0-0; what was on its disks before is the recovery point rp-2.
        say   Reconciling no (Completed)
        say   Stalled no (Completed)
        event Completed shop-rg/web-1 now has web-1-os-0, web-1-lun0-0; what was on its disks before is the recovery point rp-2.
        next  at once

        ── 75 s, Restore shop/back
        step  let the object go
        say   Succeeded yes (Completed) shop-rg/web-1 now has web-1-os-0, web-1-lun0-0; what was on its disks before is the recovery point rp-2.
        say   Reconciling no (Completed)
        say   Stalled no (Completed)
        next  at once

        ── 80 s, Restore shop/back
        say   Succeeded yes (Completed) shop-rg/web-1 now has web-1-os-0, web-1-lun0-0; what was on its disks before is the recovery point rp-2.
        say   Reconciling no (Completed)
        say   Stalled no (Completed)
        next  await a change

    "#]].assert_eq(&cluster.log);
    let status = status(&cluster);
    assert_eq!(status.recovery_point_before.as_deref(), Some("rp-2"));
    assert_eq!(status.disks.len(), 2);
}

/// A restore in place that is over, and the same object again, as a copy brings it back: without its status.
fn come_back() -> Cluster {
    let mut cluster = restoring(IN_PLACE);
    cluster.converge(&[Kind::Restore]);
    assert_eq!(succeeded(status(&cluster)), ConditionStatus::True);
    cluster.azure.calls.clear();
    cluster.log.clear();
    cluster.restore = Some(with(parse(RESTORE), IN_PLACE));
    cluster
}

fn again(cluster: &mut Cluster, word: &str) {
    let annotation = (kluis_plan::RESTORE_AGAIN.to_owned(), word.to_owned());
    let restore = cluster.restore.as_mut().unwrap();
    restore.metadata.annotations = Some([annotation].into());
    cluster.converge(&[Kind::Restore]);
}

#[test]
fn a_restore_in_place_that_lost_its_status_is_not_done_again_unasked() {
    let mut cluster = come_back();
    cluster.converge(&[Kind::Restore]);
    let job = cluster.azure.jobs.last().unwrap().0.clone();
    assert_eq!(cluster.azure.calls, Vec::<String>::new());
    assert!(
        said(&cluster).contains("stalled: RestoredAlready"),
        "{}",
        said(&cluster)
    );
    // Not after the next night either, when there is a newer point.
    cluster.azure.run_schedule(&item_id());
    cluster.converge(&ALL);
    assert_eq!(cluster.azure.calls, Vec::<String>::new());
    assert!(
        said(&cluster).contains("stalled: RestoredAlready"),
        "{}",
        said(&cluster)
    );
    again(&mut cluster, "another");
    assert_eq!(cluster.azure.calls, Vec::<String>::new());
    again(&mut cluster, &job);
    assert_eq!(cluster.azure.calls.len(), 1, "{:?}", cluster.azure.calls);
    assert_eq!(succeeded(status(&cluster)), ConditionStatus::True);
    // The word is for that once.
    let annotations = cluster
        .restore
        .as_ref()
        .unwrap()
        .metadata
        .annotations
        .clone();
    cluster.restore = Some(with(parse(RESTORE), IN_PLACE));
    cluster.restore.as_mut().unwrap().metadata.annotations = annotations;
    cluster.azure.calls.clear();
    cluster.converge(&[Kind::Restore]);
    assert_eq!(cluster.azure.calls, Vec::<String>::new());
}

#[test]
fn another_restore_in_place_of_an_older_point_asks_first() {
    let mut cluster = come_back();
    // As an operator did that gave its requests no id, or another object.
    for (_, job) in &mut cluster.azure.jobs {
        job.activity_id = None;
    }
    cluster.converge(&[Kind::Restore]);
    assert_eq!(cluster.azure.calls, Vec::<String>::new());
    let says = said(&cluster);
    assert!(
        says.contains("stalled: RestoredSince") && says.contains("rp-1"),
        "{says}"
    );
    assert!(says.contains("kluis.dev/restore-again=rp-2"), "{says}");
    again(&mut cluster, "rp-2");
    assert_eq!(cluster.azure.calls.len(), 1);
    assert_eq!(
        status(&cluster).recovery_point.as_ref().unwrap().name,
        "rp-1"
    );
}

#[test]
fn the_latest_is_never_what_a_restore_in_place_replaced() {
    for from in ["latest: true", "pointInTime: 2100-01-01T00:00:00Z"] {
        let mut cluster = restoring(IN_PLACE);
        cluster.converge(&[Kind::Restore]);
        cluster.restore = Some(with(parse(RESTORE), ONE_DISK));
        cluster.restore.as_mut().unwrap().spec.from = parse(from);
        cluster.converge(&ALL);
        assert_eq!(
            status(&cluster).recovery_point.as_ref().unwrap().name,
            "rp-1"
        );
        let item = cluster.item.as_ref().unwrap().status.as_ref().unwrap();
        let points = item.recovery_points.as_ref().unwrap();
        assert_eq!(points.newest_name.as_deref(), Some("rp-1"));
        // By its name it comes back.
        let mut named = with(parse(RESTORE), ONE_DISK);
        named.spec.from = parse("recoveryPoint: rp-2");
        cluster.restore = Some(named);
        cluster.converge(&[Kind::Restore]);
        assert_eq!(
            status(&cluster).recovery_point.as_ref().unwrap().name,
            "rp-2"
        );
        assert_eq!(succeeded(status(&cluster)), ConditionStatus::True);
    }
}

#[test]
fn one_disk_in_place() {
    let mut cluster = restoring(ONE_DISK_IN_PLACE);
    cluster.converge(&[Kind::Restore]);
    let status = status(&cluster);
    assert_eq!(succeeded(status), ConditionStatus::True, "{}", cluster.log);
    assert!(status.disks[0].ends_with("/web-1-os"), "{:?}", status.disks);
    assert!(
        !status.disks[1].ends_with("/web-1-lun0"),
        "{:?}",
        status.disks
    );
}

#[test]
fn files() {
    let mut cluster = restoring(FILES);
    cluster.converge(&[Kind::Restore]);
    expect![[r#"
        ── 50 s, Restore shop/back
        step  hold the object by our finalizer
        say   Succeeded ? (Intended) About to begin.
        say   Reconciling yes (Intended) About to begin.
        say   Stalled no (Intended)
        next  at once

        ── 55 s, Restore shop/back
        step  restore /etc, /home out of rp-1 of shop-rg/web-1 from shop-weu (while the item VM;iaasvmcontainerv2;shop-rg;web-1 of the vault shop-weu is as it was read)
        say   Succeeded ? (Beginning) About to begin.
        say   Reconciling yes (Beginning) About to begin.
        say   Stalled no (Beginning)
        next  at once

        ── 60 s, Restore shop/back
        say   Succeeded ? (InProgress) Under way.
        say   Reconciling yes (InProgress) Under way.
        say   Stalled no (InProgress)
        next  after 2s

        ── 70 s, Restore shop/back
        say   Succeeded yes (Completed) Restored 2 files into restored/shop-restored/back.
        say   Reconciling no (Completed)
        say   Stalled no (Completed)
        event Completed Restored 2 files into restored/shop-restored/back.
        next  at once

        ── 75 s, Restore shop/back
        step  let the object go
        say   Succeeded yes (Completed) Restored 2 files into restored/shop-restored/back.
        say   Reconciling no (Completed)
        say   Stalled no (Completed)
        next  at once

        ── 80 s, Restore shop/back
        say   Succeeded yes (Completed) Restored 2 files into restored/shop-restored/back.
        say   Reconciling no (Completed)
        say   Stalled no (Completed)
        next  await a change

    "#]].assert_eq(&cluster.log);
    let files = status(&cluster).files.clone().unwrap();
    assert_eq!((files.count, files.bytes), (2, Some(4096)));
    assert_eq!(files.path.as_deref(), Some("restored/shop-restored/back"));
}

/// The body names the disks: the chosen data disks, or none beside the OS disk; and what is left out is not said.
#[test]
fn the_disks_that_are_asked_for() {
    for (to, luns) in [
        (ONE_DISK, Some(vec![0])),
        (
            "disks: { resourceGroup: shop-restored, osDiskOnly: true }",
            Some(vec![]),
        ),
        ("disks: { resourceGroup: shop-restored }", None),
        (IN_PLACE, None),
        (ONE_DISK_IN_PLACE, Some(vec![0])),
    ] {
        let mut cluster = restoring(to);
        cluster.reconcile(Kind::Restore);
        let plan = cluster.reconcile(Kind::Restore).unwrap().plan;
        let call = plan.steps[0].action.call().unwrap().unwrap();
        let body = call.body.unwrap();
        let sent = body["properties"].get("restoreDiskLunList").cloned();
        assert_eq!(sent, luns.map(serde_json::Value::from), "{to}: {body}");
    }
}

/// Law 4, for every target and wherever the process dies: the work is done once, and is seen.
#[test]
fn whatever_crashes_it_is_done_once() {
    for to in [NEW_VM, IN_PLACE, ONE_DISK_IN_PLACE, FILES, ONE_DISK] {
        for steps in 0..2 {
            let mut cluster = restoring(to);
            cluster.crash_after = Some(steps);
            cluster.converge(&ALL);
            cluster.crash_after = None;
            cluster.converge(&ALL);
            let jobs = cluster.azure.jobs.len();
            assert_eq!(
                jobs, 2,
                "{to}: one backup and one restore:\n{}",
                cluster.log
            );
            assert_eq!(
                succeeded(status(&cluster)),
                ConditionStatus::True,
                "{to}:\n{}",
                cluster.log
            );
        }
    }
}

/// A restore does not take another restore's job for its own, though that one began after it was meant.
#[test]
fn another_restores_job_is_not_adopted() {
    let all = [NEW_VM, IN_PLACE, FILES, ONE_DISK];
    for ours in all {
        for other in all.into_iter().filter(|other| *other != ours) {
            let mut cluster = restoring(ours);
            // It is meant; then somebody else's begins.
            cluster.reconcile(Kind::Restore);
            let meant = cluster.restore.clone();
            cluster.restore = Some(with(parse(RESTORE), other));
            cluster.reconcile(Kind::Restore);
            cluster.reconcile(Kind::Restore);
            assert_eq!(cluster.azure.jobs.len(), 2);
            cluster.restore = meant;
            cluster.converge(&ALL);
            assert_eq!(
                cluster.azure.jobs.len(),
                3,
                "{ours} took {other}:\n{}",
                cluster.log
            );
            assert_eq!(
                succeeded(status(&cluster)),
                ConditionStatus::True,
                "{}",
                cluster.log
            );
        }
    }
}

/// A job that says it is done and left nothing is no success.
#[test]
fn nothing_left_is_no_success() {
    for to in [NEW_VM, IN_PLACE, FILES] {
        let mut cluster = restoring(to);
        cluster.azure.leaves_nothing = true;
        for _ in 0..400 {
            cluster.reconcile(Kind::Restore);
            cluster.azure.tick(crate::cluster::PERIOD);
        }
        let status = status(&cluster);
        assert_eq!(succeeded(status), ConditionStatus::False, "{to}");
        assert_eq!(status.conditions[0].reason, "EvidenceMissing", "{to}");
        assert!(status.vm.is_none() && status.files.is_none() && status.disks.is_empty());
    }
}

/// What stands in the way of a restore: said beforehand, and nothing is called.
pub(crate) fn refused(mut cluster: Cluster, expected: &Expect) {
    cluster.azure.calls.clear();
    cluster.converge(&[Kind::Restore]);
    assert!(cluster.azure.calls.is_empty(), "{:?}", cluster.azure.calls);
    expected.assert_eq(&said(&cluster));
    let status = status(&cluster);
    assert!(status.operation.is_none(), "nothing is meant");
}

#[test]
fn in_place_where_the_vault_does_not_allow_it() {
    let mut cluster = restoring(IN_PLACE);
    cluster.edit_vault(|vault| vault.spec.allow_in_place_restore = false);
    refused(
        cluster,
        &expect![
            "stalled: InPlaceNotAllowed: The Vault shop/shop-weu does not let a restore replace the disks of the machine it came from: its owner sets spec.allowInPlaceRestore: true, or restore to new disks or to a new machine."
        ],
    );
}

#[test]
fn in_place_where_nothing_is_any_more() {
    let mut cluster = restoring(IN_PLACE);
    cluster.azure.vms.clear();
    refused(
        cluster,
        &expect![
            "stalled: NothingToReplace: There is no virtual machine shop-rg/web-1 any more whose disks could be replaced (rule 28): restore to a new machine with to.newVM."
        ],
    );
}

#[test]
fn in_place_on_encrypted_disks() {
    let mut cluster = restoring(IN_PLACE);
    cluster.azure.vms[0].is_encrypted = true;
    refused(
        cluster,
        &expect![
            "stalled: NotReplaceable: The disks of shop-rg/web-1 cannot be replaced: its disks are encrypted (rule 28). Restore to new disks, or to a new machine."
        ],
    );
}

#[test]
fn in_place_on_unmanaged_disks() {
    let mut cluster = restoring(IN_PLACE);
    cluster.azure.vms[0].disks[1].disk = None;
    refused(
        cluster,
        &expect![
            "stalled: NotReplaceable: The disks of shop-rg/web-1 cannot be replaced: its disks are not managed ones (rule 28). Restore to new disks, or to a new machine."
        ],
    );
}

#[test]
fn in_place_on_a_disk_that_is_not_there() {
    refused(
        restoring("inPlace: { disks: [7] }"),
        &expect![
            "stalled: NotReplaceable: The disks of shop-rg/web-1 cannot be replaced: it has no data disk with LUN 7. Restore to new disks, or to a new machine."
        ],
    );
}

#[test]
fn a_disk_that_the_point_does_not_hold() {
    let mut cluster = restoring("disks: { resourceGroup: shop-restored, luns: [0, 7] }");
    let held = |lun| DiskInformation {
        lun: Some(lun),
        ..DiskInformation::default()
    };
    cluster.azure.held = Some(DiskConfiguration {
        included_disk_list: Some(vec![held(-1), held(0)]),
        ..DiskConfiguration::default()
    });
    refused(
        cluster,
        &expect![
            "stalled: DiskNotInRecoveryPoint: The recovery point rp-1 holds no data disk with LUN 7; it holds LUN 0. Correct the list, or choose another point."
        ],
    );
}

#[test]
fn a_machine_whose_name_is_taken() {
    let to = NEW_VM.replace("shop-restored, name: web-2", "shop-rg, name: WEB-1");
    refused(
        restoring(&to),
        &expect![
            "stalled: NameTaken: There is a virtual machine shop-rg/WEB-1 already: choose another name in to.newVM, or restore in place."
        ],
    );
}

#[test]
fn a_network_that_does_not_exist() {
    refused(
        restoring(&NEW_VM.replace("shop-net", "no-net")),
        &expect![
            "stalled: NetworkNotFound: There is no virtual network shop-rg/no-net: correct to.newVM.virtualNetwork and networkResourceGroup, or create it."
        ],
    );
}

#[test]
fn a_subnet_that_does_not_exist() {
    refused(
        restoring(&NEW_VM.replace("default", "dmz")),
        &expect![
            "stalled: NetworkNotFound: The virtual network shop-rg/shop-net has no subnet dmz: correct to.newVM.subnet, or create it."
        ],
    );
}

#[test]
fn a_network_in_another_region() {
    let mut cluster = restoring(NEW_VM);
    cluster.azure.network.as_mut().unwrap().location = "northeurope".to_owned();
    refused(
        cluster,
        &expect![
            "stalled: NetworkElsewhere: The virtual network shop-rg/shop-net is in northeurope and the vault in westeurope; a new machine needs both in one region (rule 27)."
        ],
    );
}

#[test]
fn groups_without_consent() {
    let network = NEW_VM.replace(
        "networkResourceGroup: shop-rg",
        "networkResourceGroup: net-rg",
    );
    refused(
        restoring(&network),
        &expect![
            "stalled: NoConsent: The BackupService azure does not let the namespace shop use the resource group net-rg: whoever owns the service lists both under spec.namespaces."
        ],
    );
    for to in [
        "disks: { resourceGroup: bank-rg }",
        "disks: { resourceGroup: shop-restored, stagingAccount: { resourceGroup: bank-rg, name: staging } }",
        "files: { paths: [/etc], resourceGroup: bank-rg }",
    ] {
        let mut cluster = restoring(to);
        cluster.converge(&[Kind::Restore]);
        assert_eq!(status(&cluster).conditions[0].reason, "NoConsent", "{to}");
        assert!(cluster.azure.calls.is_empty());
    }
}

#[test]
fn files_from_a_service_that_has_no_call_for_them() {
    let mut cluster = restoring(FILES);
    cluster.azure.files = None;
    refused(
        cluster,
        &expect![
            "stalled: NotOfferedByService: A restore of files is not offered by https://azure: Azure Backup has no call for it, and only `kluis service` has one of its own. Restore the disks instead."
        ],
    );
}

#[test]
fn what_is_softly_deleted() {
    let mut cluster = restoring(NEW_VM);
    let item = cluster.azure.items.values_mut().next().unwrap();
    item.is_scheduled_for_deferred_delete = Some(true);
    refused(
        cluster,
        &expect![
            "stalled: ItemNotProtected: ProtectedVM shop/web-1 is not protected (it is SoftDeleted): see its conditions."
        ],
    );
}

/// The machine that was backed up may be gone.
#[test]
fn a_new_machine_for_one_that_is_gone() {
    let mut cluster = restoring(NEW_VM);
    cluster.azure.vms.clear();
    cluster.converge(&[Kind::Restore]);
    assert_eq!(
        succeeded(status(&cluster)),
        ConditionStatus::True,
        "{}",
        cluster.log
    );
}
