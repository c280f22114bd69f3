//! A namespace deleted at once, with all that is in it.

use kluis_tests::bench::Fleet;
use kluis_tests::operator::Operator;
use kluis_tests::until::{Look, every};

use super::{Harbour, LIMIT, PACE};

#[test]
fn a_namespace_deleted_at_once_goes_clean_and_leaves_the_data() {
    let fleet = Fleet {
        machines: 50,
        vaults: 2,
    };
    let harbour = Harbour::open("leaving", fleet, None);
    let mut operator = Operator::start(&harbour.operator("operator")).unwrap();
    harbour.declare(22);
    harbour.until_ready();

    let kubectl = harbour.cluster.kubectl();
    let delete = ["delete", "namespace", Fleet::NAMESPACE, "--wait=false"];
    kubectl.run(delete).unwrap();
    let gone = every(PACE, "the namespace to be gone", LIMIT, || {
        operator.daemon().check()?;
        Ok(match kubectl.get("namespace", Fleet::NAMESPACE)? {
            None => Look::Done(()),
            Some(namespace) => Look::NotYet(namespace["status"].to_string()),
        })
    });
    gone.map_err(|why| why.context(operator.daemon().tail()))
        .unwrap();

    // By default a vault stays, and an item that is no longer declared keeps what it has.
    for vault in 0..fleet.vaults {
        let items = harbour
            .service
            .list(&harbour.vault(vault, "backupProtectedItems"))
            .unwrap();
        assert_eq!(items.len(), fleet.machines / fleet.vaults);
        for item in items {
            let state = &item["properties"]["protectionState"];
            assert_eq!(state, "ProtectionStopped", "{item}");
        }
    }
}
