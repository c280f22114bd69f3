//! The locks of a subscription, read once for all machines in it.

use std::sync::Arc;

use jiff::Timestamp;
use kluis_arm::id::ResourceGroupId;
use kluis_client::{ArmRequest, Failure, list};
use kluis_plan::{LockFact, Observed};
use serde_json::Value;

use super::line::Line;

const VERSION: &str = "2020-05-01";

/// What is remembered of them.
pub(super) type Known = tokio::sync::Mutex<Option<Read>>;

/// The locks of a subscription as they were read.
#[derive(Debug)]
pub(super) struct Read {
    subscription: String,
    at: Timestamp,
    locks: Observed<Arc<Vec<LockFact>>>,
}

impl Line {
    /// The locks on a subscription and on its resource groups, as old as what an object looks at that rests. Absent where the
    /// identity may not read them: what it does needs no right to.
    ///
    /// # Errors
    /// When they are not known and cannot be read.
    pub async fn locks(&self, subscription: &str) -> Result<Observed<Vec<LockFact>>, Failure> {
        // Who comes while they are read finds them read.
        let mut known = self.locks.lock().await;
        let now = self.clock.now();
        let is_young = |read: &&Read| {
            read.subscription == subscription && now.duration_since(read.at) < self.limits.rest_age
        };
        let locks = match known.as_ref().filter(is_young) {
            Some(read) => read.locks.clone(),
            None => {
                let locks = self.list_locks(subscription).await?;
                *known = Some(Read {
                    subscription: subscription.to_owned(),
                    at: now,
                    locks: locks.clone(),
                });
                locks
            }
        };
        Ok(locks.map(|locks| locks.to_vec()))
    }

    async fn list_locks(
        &self,
        subscription: &str,
    ) -> Result<Observed<Arc<Vec<LockFact>>>, Failure> {
        let path = format!("/subscriptions/{subscription}/providers/Microsoft.Authorization/locks");
        match list(self, ArmRequest::get(path, VERSION)).await {
            Ok(entries) => {
                let locks = entries.iter().filter_map(lock).collect();
                Ok(Observed::Found(Arc::new(locks)))
            }
            Err(failure) if matches!(failure.status(), Some(403 | 404)) => Ok(Observed::Absent),
            Err(failure) => Err(failure),
        }
    }
}

/// A lock on a resource group or on the subscription; one on a single resource keeps no snapshots.
fn lock(entry: &Value) -> Option<LockFact> {
    let (scope, _) = entry["id"]
        .as_str()?
        .rsplit_once("/providers/Microsoft.Authorization/")?;
    let level = entry["properties"]["level"].as_str()?.to_owned();
    let resource_group = match scope.parse::<ResourceGroupId>() {
        Ok(group) => Some(group.name),
        Err(_) if scope.split('/').count() == 3 => None,
        Err(_) => return None,
    };
    Some(LockFact {
        resource_group,
        level,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_lock_is_of_what_it_is_on() {
        let at = |scope: &str| {
            let id = format!("{scope}/providers/Microsoft.Authorization/locks/keep");
            lock(&json!({ "id": id, "properties": { "level": "ReadOnly" } }))
        };
        let group = at("/subscriptions/s/resourceGroups/Shop-RG").unwrap();
        assert_eq!(group.resource_group.unwrap(), *"shop-rg");
        assert_eq!(group.level, "ReadOnly");
        assert_eq!(at("/subscriptions/s").unwrap().resource_group, None);
        assert_eq!(
            at("/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/disks/d"),
            None
        );
        assert_eq!(lock(&json!({ "id": "nonsense" })), None);
    }
}
