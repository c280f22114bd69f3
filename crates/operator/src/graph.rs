//! Who uses whom: which reconciles a change calls for, and which service an object is about.
//!
//! It is kept up to date object by object, so that a change among thousands costs what it touches and no more.

use std::collections::{BTreeSet, HashMap};

use crate::key::{Key, Kind};

/// Objects and what they name, both ways.
#[derive(Debug, Default)]
pub struct Graph {
    uses: HashMap<Key, Vec<Key>>,
    users: HashMap<Key, BTreeSet<Key>>,
}

impl Graph {
    /// An object names these now, and nothing else any more.
    pub fn set(&mut self, key: &Key, uses: Vec<Key>) {
        if self.uses.get(key) == Some(&uses) {
            return;
        }
        self.remove(key);
        for used in &uses {
            let users = self.users.entry(used.clone()).or_default();
            users.insert(key.clone());
        }
        self.uses.insert(key.clone(), uses);
    }

    /// An object is gone. Who names it still does.
    pub fn remove(&mut self, key: &Key) {
        for used in self.uses.remove(key).unwrap_or_default() {
            if let Some(users) = self.users.get_mut(&used) {
                users.remove(key);
                if users.is_empty() {
                    self.users.remove(&used);
                }
            }
        }
    }

    /// What an object names.
    pub fn uses(&self, key: &Key) -> &[Key] {
        self.uses.get(key).map_or(&[], Vec::as_slice)
    }

    /// Who names an object, by kind and name.
    pub fn users(&self, used: &Key) -> impl Iterator<Item = &Key> {
        self.users.get(used).into_iter().flatten()
    }

    /// What a change of `changed` may matter to: all that uses it, directly or through others, and what its direct
    /// users use beside it (a policy goes into a vault because an item names both). Not `changed` itself.
    pub fn affected(&self, changed: &Key) -> BTreeSet<Key> {
        let mut found = BTreeSet::new();
        let mut front = vec![changed];
        // The graph is four deep: service, vault, item, job. The set ends the walk whatever the objects say.
        while let Some(used) = front.pop() {
            for user in self.users(used) {
                if used == changed {
                    let beside = self.uses(user).iter().filter(|key| *key != changed);
                    found.extend(beside.cloned());
                }
                if user != changed && found.insert(user.clone()) {
                    front.push(user);
                }
            }
        }
        found
    }

    /// The service that an object is about, by way of what it names; none for a policy, which is about any.
    pub fn service_of(&self, key: &Key) -> Option<Key> {
        let mut at = key;
        // Job, item, vault, service.
        for _ in 0..4 {
            match at.kind {
                Kind::BackupService => return Some(at.clone()),
                Kind::BackupPolicy => return None,
                Kind::Vault | Kind::ProtectedVM | Kind::BackupJob | Kind::Restore => {
                    let named = self.uses(at).iter();
                    at = named
                        .into_iter()
                        .find(|used| used.kind != Kind::BackupPolicy)?;
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str) -> Key {
        Key::new(Kind::ProtectedVM, "shop", name)
    }

    fn graph() -> Graph {
        let vault = |name: &str| Key::new(Kind::Vault, "ops", name);
        let policy = Key::new(Kind::BackupPolicy, "shop", "daily");
        let mut graph = Graph::default();
        graph.set(&item("web-1"), vec![vault("v"), policy.clone()]);
        graph.set(&item("web-2"), vec![vault("other")]);
        let job = Key::new(Kind::BackupJob, "shop", "now");
        graph.set(&job, vec![item("web-1")]);
        graph.set(&vault("v"), vec![Key::service("azure")]);
        graph.set(&policy, vec![vault("used-before")]);
        graph
    }

    fn wakes(changed: &Key) -> Vec<String> {
        let affected = graph().affected(changed);
        affected.iter().map(Key::to_string).collect()
    }

    #[test]
    fn a_service_wakes_all_that_is_built_on_it() {
        assert_eq!(
            wakes(&Key::service("azure")),
            [
                "Vault ops/v",
                "ProtectedVM shop/web-1",
                "BackupJob shop/now"
            ]
        );
    }

    #[test]
    fn a_vault_wakes_the_policies_that_go_into_it() {
        assert_eq!(
            wakes(&Key::new(Kind::Vault, "ops", "v")),
            [
                "BackupPolicy shop/daily",
                "ProtectedVM shop/web-1",
                "BackupJob shop/now"
            ]
        );
        let left = Key::new(Kind::Vault, "ops", "used-before");
        assert!(wakes(&left).contains(&"BackupPolicy shop/daily".to_owned()));
    }

    #[test]
    fn what_nobody_uses_wakes_nobody() {
        assert!(wakes(&Key::new(Kind::BackupJob, "shop", "now")).is_empty());
        assert!(wakes(&Key::new(Kind::Vault, "shop", "v")).is_empty());
    }

    #[test]
    fn an_object_that_changes_its_mind_or_goes_is_no_user_any_more() {
        let mut graph = graph();
        let (v, other) = (
            Key::new(Kind::Vault, "ops", "v"),
            Key::new(Kind::Vault, "ops", "other"),
        );
        graph.set(&item("web-1"), vec![other.clone()]);
        assert_eq!(graph.users(&v).count(), 0);
        assert_eq!(graph.users(&other).count(), 2);
        graph.remove(&item("web-1"));
        graph.remove(&item("web-2"));
        assert!(graph.affected(&other).is_empty());
    }

    #[test]
    fn an_object_is_about_the_service_of_its_vault() {
        let graph = graph();
        let azure = Some(Key::service("azure"));
        assert_eq!(graph.service_of(&item("web-1")), azure);
        let job = Key::new(Kind::BackupJob, "shop", "now");
        assert_eq!(graph.service_of(&job), azure);
        assert_eq!(graph.service_of(&item("web-2")), None);
        let policy = Key::new(Kind::BackupPolicy, "shop", "daily");
        assert_eq!(graph.service_of(&policy), None);
    }
}
