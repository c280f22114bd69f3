//! Many at once: machines due at the same minute, a namespace that goes with all in it, operators that take turns, a
//! subscription full of vaults; and what the operator may do at all.

mod leaving;
mod replicas;
mod resting;
mod roles;
mod sixteen;

use std::path::PathBuf;
use std::time::Duration;

use kluis_tests::bench::Fleet;
use kluis_tests::cluster::Cluster;
use kluis_tests::kubectl::Kubectl;
use kluis_tests::operator;
use kluis_tests::place::{Scratch, scratch};
use kluis_tests::service::{Service, Setup};
use kluis_tests::until::{Look, every, seconds};
use kluis_tests::world::{condition_of, told};

const LIMIT: Duration = seconds(300);
/// How often kubectl is asked for a list.
const PACE: Duration = Duration::from_millis(500);

/// A fleet, the service that has it, and a cluster to declare it in. Its operators are the test's.
struct Harbour {
    fleet: Fleet,
    service: Service,
    cluster: Cluster,
    /// In the fleet's namespace.
    kubectl: Kubectl,
    dir: Scratch,
}

impl Harbour {
    fn open(name: &str, fleet: Fleet, max_jobs: Option<u32>) -> Self {
        let dir = scratch(name).unwrap();
        let inventory = fleet.lay_out(dir.path()).unwrap();
        let setup = Setup {
            max_jobs,
            ..Setup::new(dir.path(), &inventory)
        };
        let service = Service::start(setup).unwrap();
        let cluster = Cluster::start().unwrap();
        for namespace in [operator::NAMESPACE, Fleet::NAMESPACE] {
            let kubectl = cluster.kubectl();
            kubectl.run(["create", "namespace", namespace]).unwrap();
        }
        let kubectl = cluster.kubectl().within(Fleet::NAMESPACE);
        Self {
            fleet,
            service,
            cluster,
            kubectl,
            dir,
        }
    }

    fn operator(&self, name: &str) -> operator::Setup {
        let log: PathBuf = self.dir.path().join(format!("{name}.log"));
        operator::Setup {
            log,
            ..operator::Setup::new(self.cluster.kubeconfig(), self.dir.path())
        }
    }

    /// Declares all of it; the policy is due at this hour, in UTC.
    fn declare(&self, due_hour: i8) {
        let manifests = self.fleet.manifests(&self.service, due_hour).to_string();
        let apply = ["apply", "-f", "-"];
        self.cluster.kubectl().feed(&apply, &manifests).unwrap();
    }

    /// How many are Ready as they are declared.
    fn ready(&self) -> usize {
        let found = self.kubectl.list("protectedvms").unwrap();
        let is_ready = |object: &&serde_json::Value| {
            object["status"]["observedGeneration"] == object["metadata"]["generation"]
                && condition_of(object, "Ready").is_some_and(|ready| ready["status"] == "True")
        };
        found.iter().filter(is_ready).count()
    }

    fn until_ready(&self) {
        every(PACE, "the fleet to be Ready", LIMIT, || {
            let ready = self.ready();
            Ok(if ready == self.fleet.machines {
                Look::Done(())
            } else {
                let found = self.kubectl.list("protectedvms")?;
                let not = found
                    .iter()
                    .map(told)
                    .find(|told| !told.contains("Ready=True"));
                Look::NotYet(format!("{ready}; one says {not:?}"))
            })
        })
        .unwrap();
    }

    fn vault(&self, number: usize, below: &str) -> String {
        format!(
            "resourceGroups/{}/providers/Microsoft.RecoveryServices/vaults/vault-{number:02}/{below}",
            Fleet::RESOURCE_GROUP
        )
    }

    /// The jobs of one operation in all vaults: how many there were of each machine. A vault that isn't made yet has none.
    fn jobs(&self, operation: &str) -> std::collections::BTreeMap<String, usize> {
        let mut jobs = std::collections::BTreeMap::new();
        for vault in 0..self.fleet.vaults {
            let found = self.service.list(&self.vault(vault, "backupJobs"));
            let found = found.or_else(|why| match why.to_string().contains("answered 404") {
                true => Ok(Vec::new()),
                false => Err(why),
            });
            for job in found.unwrap() {
                let job = &job["properties"];
                if job["operation"] == operation {
                    let machine = job["entityFriendlyName"].as_str().unwrap_or_default();
                    *jobs.entry(machine.to_owned()).or_default() += 1;
                }
            }
        }
        jobs
    }
}
