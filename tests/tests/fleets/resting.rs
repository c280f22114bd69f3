//! A subscription full of vaults, at rest: what it costs an hour, and what a restart costs.

use jiff::SignedDuration;
use kluis_operator::Kind;

use crate::simulation::{Size, Subscription};

/// As many vaults as a subscription may have. That what is read does not grow with the machines in them is another test's
/// ([`what_is_read_grows_with_the_vaults_and_not_with_their_machines`]): 5,000 of these cost the same reads and twice the time.
const FULL: Size = Size {
    vaults: 500,
    machines: 5,
};
/// What the operator may read of so many in an hour, of the 12,000 reads that Azure allows: each vault, its items and its
/// policies four times, and a few lists of the subscription.
const READS_AN_HOUR: u64 = 6_500;

/// One whose objects are all as declared, with nothing under way and lists of one age.
async fn at_rest(size: Size) -> Subscription {
    let mut subscription = Subscription::declared(size);
    subscription.live(SignedDuration::from_mins(10)).await;
    assert_eq!(subscription.ready(Kind::Vault), size.vaults);
    let machines = size.vaults * size.machines;
    assert_eq!(subscription.ready(Kind::ProtectedVM), machines);
    subscription.live(SignedDuration::from_mins(16)).await;
    subscription
}

/// The reads of an hour in which nothing is written, neither to ARM nor to an object.
async fn an_hour(subscription: &mut Subscription) -> u64 {
    let (before, versions) = (subscription.calls(), subscription.versions());
    subscription.live(SignedDuration::from_hours(1)).await;
    let after = subscription.calls();
    assert_eq!(after.writes, before.writes);
    assert_eq!(subscription.versions(), versions);
    after.reads - before.reads
}

#[tokio::test]
async fn vaults_at_rest_stay_inside_the_budget_and_a_restart_sends_nothing_again() {
    let mut subscription = at_rest(FULL).await;
    let reads = an_hour(&mut subscription).await;
    assert!(reads <= READS_AN_HOUR, "{reads} reads an hour");

    let versions = subscription.versions();
    subscription.restart();
    subscription.live(SignedDuration::from_mins(2)).await;
    let begun = subscription.calls();
    assert_eq!(begun.writes, 0);
    // Each vault, its items and its policies, and the service: everything is read once.
    let once = u64::try_from(3 * FULL.vaults).unwrap() + 10;
    assert!(begun.reads <= once, "{} reads", begun.reads);
    assert_eq!(subscription.versions(), versions);
}

#[tokio::test]
async fn what_is_read_grows_with_the_vaults_and_not_with_their_machines() {
    let mut reads = Vec::new();
    for (vaults, machines) in [(10, 2), (10, 20), (20, 2)] {
        let mut subscription = at_rest(Size { vaults, machines }).await;
        reads.push(an_hour(&mut subscription).await);
    }
    // What a vault costs in an hour, and what the subscription costs besides: its service, and the list of its locks.
    let (vault, besides) = (4 * 3 + 2, 20);
    assert_eq!(reads[0], reads[1], "ten times the machines");
    assert!(reads[0] <= 10 * vault + besides, "{reads:?}");
    assert!(reads[2] <= 2 * reads[0], "twice the vaults: {reads:?}");
}

#[tokio::test]
async fn a_machine_costs_one_read_and_few_writes_until_it_is_ready() {
    let mut costs = Vec::new();
    for machines in [5, 25] {
        let size = Size {
            vaults: 2,
            machines,
        };
        let mut subscription = Subscription::declared(size);
        subscription.live(SignedDuration::from_mins(10)).await;
        let ready = subscription.ready(Kind::ProtectedVM);
        assert_eq!(ready, size.vaults * machines);
        costs.push((subscription.calls(), subscription.last_version()));
    }
    let [(few, few_versions), (many, many_versions)] = costs[..] else {
        unreachable!("two were measured");
    };
    let more = 2 * 20;
    assert_eq!(many.writes - few.writes, more, "each is protected once");
    // Its item, once it was asked for. Whether it is there before that, and could be protected, its vault's lists say.
    let reads = many.reads - few.reads;
    assert!(reads <= more, "{reads} reads of {more} machines");
    // It is made by a person, gets a finalizer, waits for its vault, then for its policy, and is Ready.
    let versions = many_versions - few_versions;
    assert!(
        versions <= 5 * more,
        "{versions} versions of {more} machines"
    );
}
