//! A service whose `Date` is wrong for a while: nothing goes by it, here or there.

use crate::simulation::{Order, Simulation, manifest};
use futures::executor::block_on;
use jiff::SignedDuration;
use kluis_operator::Kind;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A machine with ten days of points and a finished backup on demand.
async fn backed_up() -> Simulation {
    let mut world = Simulation::new(Order::Plain, None);
    let kinds = [
        Kind::BackupService,
        Kind::Vault,
        Kind::BackupPolicy,
        Kind::ProtectedVM,
        Kind::BackupJob,
    ];
    for kind in kinds {
        world.objects.apply(kind, &manifest(kind));
    }
    world.settle().await;
    for _ in 0..3 {
        world.live(DAY).await;
    }
    world
}

#[test]
fn a_date_ten_years_ahead_or_back_for_an_hour_costs_nothing() {
    for years in [10, -10] {
        let mut world = block_on(backed_up());
        let (keys, points) = (world.objects.keys(), world.azure.points());
        assert!(points >= 3);
        world.azure.dates_are_off_by(DAY * 365 * years);
        for _ in 0..50 {
            block_on(world.live(SignedDuration::from_secs(60)));
        }
        assert_eq!(world.objects.keys(), keys, "{years}: no object went");
        world.azure.dates_are_off_by(SignedDuration::ZERO);
        block_on(world.settle());
        assert!(world.azure.points() >= points);
        assert_eq!(world.objects.keys(), keys);
        // And by both clocks the finished job goes in its time.
        for _ in 0..10 {
            block_on(world.live(DAY));
        }
        let left = world.objects.keys();
        assert!(
            !left.iter().any(|key| key.kind == Kind::BackupJob),
            "{left:?}"
        );
    }
}
