//! Lists of a vault, remembered for a moment.
//!
//! Many objects live in one vault and look at the same lists. A list is remembered for as long as the service's limits
//! say, and forgotten at the first write to its vault or the end of an operation in it, whoever's it is.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use kluis_client::{ArmRequest, ArmResponse, Method};

/// Lists remembered at once, over all vaults.
const MOST: usize = 256;

#[derive(Debug)]
pub(super) struct Cache {
    lists: HashMap<String, (Timestamp, ArmResponse)>,
    fresh: SignedDuration,
}

impl Cache {
    pub(super) fn new(fresh: SignedDuration) -> Self {
        Self {
            lists: HashMap::new(),
            fresh,
        }
    }

    /// A list that is still fresh.
    pub(super) fn get(&self, request: &ArmRequest, now: Timestamp) -> Option<ArmResponse> {
        let (at, answer) = self.lists.get(&name(request)?)?;
        let age = now.duration_since(*at);
        (age >= SignedDuration::ZERO && age < self.fresh).then(|| answer.clone())
    }

    /// Remembers a list, or forgets what the call has changed.
    pub(super) fn learn(&mut self, request: &ArmRequest, answer: &ArmResponse, now: Timestamp) {
        if changes(request, answer) {
            let vault = vault(&request.path);
            self.lists.retain(|name, _| {
                vault
                    .as_ref()
                    .is_some_and(|vault| !name.starts_with(vault.as_str()))
            });
        } else if let Some(name) = name(request) {
            let fresh = self.fresh;
            if self.lists.len() >= MOST {
                self.lists
                    .retain(|_, (at, _)| now.duration_since(*at) < fresh);
            }
            if self.lists.len() < MOST {
                self.lists.insert(name, (now, answer.clone()));
            }
        }
    }
}

/// A write, or an operation that is over.
fn changes(request: &ArmRequest, answer: &ArmResponse) -> bool {
    if request.method != Method::Get {
        return true;
    }
    let operation = request.path.rsplit('/').nth(1).unwrap_or_default();
    if !operation.to_ascii_lowercase().contains("operation") {
        return false;
    }
    let state = answer
        .body
        .as_ref()
        .and_then(|body| body["status"].as_str());
    answer.status != 202 && state != Some("InProgress")
}

/// What a list is remembered by; nothing for what is not a list of a vault.
fn name(request: &ArmRequest) -> Option<String> {
    const LISTS: [&str; 5] = [
        "backuppolicies",
        "backupprotecteditems",
        "backupprotectableitems",
        "backupprotectioncontainers",
        "backupjobs",
    ];
    let path = request.path.to_ascii_lowercase();
    let list = path
        .rsplit('/')
        .next()
        .is_some_and(|last| LISTS.contains(&last));
    if request.method != Method::Get || !list || vault(&path).is_none() {
        return None;
    }
    let query: Vec<String> = request
        .query
        .iter()
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    Some(format!("{path}?{}", query.join("&")))
}

/// The path up to and with the vault's name, in lower case, ending in a slash.
fn vault(path: &str) -> Option<String> {
    let path = path.to_ascii_lowercase();
    let start = path.find("/vaults/")? + "/vaults/".len();
    let end = path[start..].find('/').map_or(path.len(), |at| start + at);
    Some(format!("{}/", &path[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const VAULT: &str =
        "/subscriptions/s/resourceGroups/rg/providers/Microsoft.RecoveryServices/vaults/";

    fn at(second: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
    }

    fn learnt(requests: &[(ArmRequest, serde_json::Value)]) -> Cache {
        let mut cache = Cache::new(SignedDuration::from_secs(5));
        for (request, body) in requests {
            let mut answer = ArmResponse::of_status(200);
            answer.body = Some(body.clone());
            cache.learn(request, &answer, at(0));
        }
        cache
    }

    #[test]
    fn a_list_is_fresh_for_a_moment_whatever_its_case() {
        let list = ArmRequest::get(format!("{VAULT}v/backupProtectedItems"), "x");
        let cache = learnt(&[(list.clone(), json!({"value": []}))]);
        assert!(cache.get(&list, at(4)).is_some());
        let upper = ArmRequest::get(list.path.to_uppercase(), "x");
        assert!(cache.get(&upper, at(4)).is_some());
        assert!(cache.get(&list, at(5)).is_none());
        assert!(
            cache
                .get(&list.clone().with_query("$filter", "y"), at(0))
                .is_none()
        );
    }

    #[test]
    fn what_a_call_changes_is_forgotten_in_its_vault_alone() {
        let (v1, v2) = (format!("{VAULT}v"), format!("{VAULT}v2"));
        let mine = ArmRequest::get(format!("{v1}/backupPolicies"), "x");
        let other = ArmRequest::get(format!("{v2}/backupPolicies"), "x");
        let lists = [(mine.clone(), json!({})), (other.clone(), json!({}))];
        let put = ArmRequest::new(Method::Put, format!("{v1}/backupPolicies/p"), "x");
        let over = ArmRequest::get(format!("{v1}/backupOperations/o"), "x");
        for (call, body) in [
            (put, json!({})),
            (over.clone(), json!({"status": "Failed"})),
        ] {
            let cache = learnt(&[&lists[..], &[(call, body)]].concat());
            assert!(cache.get(&mine, at(0)).is_none());
            assert!(cache.get(&other, at(0)).is_some());
        }
        let running = learnt(&[&lists[..], &[(over, json!({"status": "InProgress"}))]].concat());
        assert!(running.get(&mine, at(0)).is_some());
    }

    #[test]
    fn only_lists_are_remembered() {
        let item = ArmRequest::get(format!("{VAULT}v/backupPolicies/p"), "x");
        assert!(
            learnt(&[(item.clone(), json!({}))])
                .get(&item, at(0))
                .is_none()
        );
    }
}
