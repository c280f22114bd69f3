//! Operators that take turns: one acts, and when it dies or is cut off another takes over, soon, and does nothing twice.

use std::time::{Duration, Instant};

use kluis_tests::bench::Fleet;
use kluis_tests::operator::{self, Operator};
use kluis_tests::process::{free_port, patience, signal};
use kluis_tests::scrape::Scrape;
use kluis_tests::until::{Look, seconds, until};
use rustix::process::Signal;

use super::{Harbour, LIMIT};

/// What a takeover may take here, where every other suite is at work on the same cores. The 20 seconds that are promised are
/// held on a node of its own (`make test-node`).
const TAKEOVER: Duration = seconds(45);

struct Replica {
    operator: Operator,
    port: u16,
}

impl Replica {
    fn start(harbour: &Harbour, name: &str) -> Self {
        let port = free_port().unwrap();
        let setup = operator::Setup {
            metrics_port: port,
            takes_turns: true,
            ..harbour.operator(name)
        };
        let mut operator = Operator::start(&setup).unwrap();
        let up = operator.daemon().ready(patience(), || {
            Ok(match Scrape::of(port) {
                Ok(_) => Look::Done(()),
                Err(why) => Look::NotYet(format!("{why:#}")),
            })
        });
        up.unwrap();
        Self { operator, port }
    }

    fn leads(&self) -> bool {
        Scrape::of(self.port).is_ok_and(|scrape| scrape.sum("kluis_leader", &[]) == 1.0)
    }

    /// Waits until it acts, and says for how long.
    fn until_leads(&self, limit: Duration) -> Duration {
        let begun = Instant::now();
        until("a replica to act", limit, || {
            Ok(match self.leads() {
                true => Look::Done(()),
                false => Look::NotYet("it waits".to_owned()),
            })
        })
        .unwrap();
        begun.elapsed()
    }
}

#[test]
fn a_leader_that_dies_or_is_cut_off_is_replaced_and_nothing_is_done_twice() {
    let fleet = Fleet {
        machines: 20,
        vaults: 2,
    };
    let harbour = Harbour::open("replicas", fleet, None);
    let mut first = Replica::start(&harbour, "first");
    first.until_leads(patience());
    let second = Replica::start(&harbour, "second");

    harbour.declare(22);
    until("the work to be begun", LIMIT, || {
        let begun = harbour.jobs("ConfigureBackup").len();
        Ok(match begun {
            0 => Look::NotYet("nothing yet".to_owned()),
            _ => Look::Done(()),
        })
    })
    .unwrap();
    assert!(!second.leads(), "two act at once");
    first.operator.daemon().kill().unwrap();
    let took = second.until_leads(LIMIT);
    assert!(took <= TAKEOVER, "the takeover took {took:?}");
    harbour.until_ready();
    let done = harbour.jobs("ConfigureBackup");
    assert_eq!(done.len(), fleet.machines);
    assert!(done.values().all(|times| *times == 1), "{done:?}");

    // Cut off in the middle of everything, as by a machine that stands still, it must not go on where it was.
    let third = Replica::start(&harbour, "third");
    signal(second.operator.id(), Signal::STOP).unwrap();
    let took = third.until_leads(LIMIT);
    assert!(took <= TAKEOVER, "the takeover took {took:?}");
    signal(second.operator.id(), Signal::CONT).unwrap();
    let mut second = second;
    let ended = second.operator.wait(LIMIT).unwrap();
    assert!(
        !ended.success(),
        "it lost its turn, and says so by how it ends"
    );
    assert!(third.leads());
}
