//! A subscription full of vaults, at rest: what it costs an hour, and what a restart costs.

use jiff::SignedDuration;
use kluis_operator::Kind;

use crate::simulation::Subscription;

/// As many as a subscription may have.
const VAULTS: usize = 100;
/// Ten in each.
const MACHINES: usize = 1_000;
/// What the operator may read of so many in an hour, of the 12,000 reads that Azure allows: each vault, its items and its
/// policies four times, and a few lists of the subscription.
const READS_AN_HOUR: u64 = 1_300;

#[tokio::test]
async fn vaults_at_rest_stay_inside_the_budget_and_a_restart_sends_nothing_again() {
    let mut subscription = Subscription::declared(VAULTS);
    subscription.live(SignedDuration::from_mins(10)).await;
    assert_eq!(subscription.ready(Kind::Vault), VAULTS);
    assert_eq!(subscription.ready(Kind::ProtectedVM), MACHINES);
    // The last of what was under way is over, and the lists are of one age.
    subscription.live(SignedDuration::from_mins(20)).await;

    let (before, versions) = (subscription.calls(), subscription.versions());
    subscription.live(SignedDuration::from_hours(1)).await;
    let after = subscription.calls();
    let reads = after.reads - before.reads;
    assert!(reads <= READS_AN_HOUR, "{reads} reads an hour");
    assert_eq!(after.writes, before.writes);
    assert_eq!(subscription.versions(), versions);

    subscription.restart();
    subscription.live(SignedDuration::from_mins(5)).await;
    let begun = subscription.calls();
    assert_eq!(begun.writes, 0);
    // Each vault, its items and its policies, and the service: everything is read once.
    let once = u64::try_from(3 * VAULTS).unwrap() + 10;
    assert!(begun.reads <= once, "{} reads", begun.reads);
    assert_eq!(subscription.versions(), versions);
}
