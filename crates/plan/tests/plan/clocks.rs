//! One clock alone removes nothing: a finished job whose time is over by the service's `Date` stays until the operator's own clock says so too.

use jiff::SignedDuration;
use kluis_plan::Kind;

use crate::cluster::{ALL, Cluster, JOB, parse};

#[test]
fn a_finished_job_goes_when_both_clocks_say_that_its_time_is_over() {
    let mut cluster = Cluster::converged();
    cluster.job = Some(parse(JOB));
    cluster.converge(&ALL);
    cluster.azure.now += SignedDuration::from_hours(24 * 3650);
    cluster.clocks_agree = false;
    for _ in 0..3 {
        cluster.reconcile(Kind::BackupJob);
    }
    assert!(cluster.job.is_some(), "by one clock alone it stays");
    cluster.clocks_agree = true;
    cluster.reconcile(Kind::BackupJob);
    assert!(cluster.job.is_none());
}
