//! All that the operator asks of Kubernetes, in one place: what a role for it has to allow, and no more.
//!
//! Every request is counted by its verb and resource on its way out (see [`crate::metrics`]), and one that is not in
//! this list is logged as the mistake it is. So the list is held against what is done, by a test and in every cluster.

use crate::metrics::Metrics;

/// Where a rule holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// In all namespaces, and for what has none.
    Cluster,
    /// In the operator's own namespace alone.
    Own,
}

/// What may be done to a kind of resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    pub scope: Scope,
    /// The API group; empty for the core's.
    pub group: &'static str,
    pub resource: &'static str,
    pub verbs: &'static [&'static str],
}

const READ: &[&str] = &["get", "list", "watch"];
/// Finalizers are written by a patch of the object itself.
const READ_AND_HOLD: &[&str] = &["get", "list", "watch", "patch"];
/// A backup on demand is removed when its time to live is over.
const READ_HOLD_AND_REMOVE: &[&str] = &["get", "list", "watch", "patch", "delete"];
const REPORT: &[&str] = &["patch"];
/// A person hears what happened; what happens again is counted in the same event.
const TELL: &[&str] = &["create", "patch"];
const TAKE_TURNS: &[&str] = &["get", "create", "update"];

/// The whole of it. The Lease is asked for only where replicas take turns.
pub const ACCESS: &[Rule] = &[
    cluster("kluis.dev", "backupservices", READ_AND_HOLD),
    cluster("kluis.dev", "vaults", READ_AND_HOLD),
    cluster("kluis.dev", "backuppolicies", READ_AND_HOLD),
    cluster("kluis.dev", "protectedvms", READ_AND_HOLD),
    cluster("kluis.dev", "backupjobs", READ_HOLD_AND_REMOVE),
    cluster("kluis.dev", "restores", READ_AND_HOLD),
    cluster("kluis.dev", "backupservices/status", REPORT),
    cluster("kluis.dev", "vaults/status", REPORT),
    cluster("kluis.dev", "backuppolicies/status", REPORT),
    cluster("kluis.dev", "protectedvms/status", REPORT),
    cluster("kluis.dev", "backupjobs/status", REPORT),
    cluster("kluis.dev", "restores/status", REPORT),
    // Their labels say which services their objects may use.
    cluster("", "namespaces", READ),
    cluster("events.k8s.io", "events", TELL),
    // Credentials, from here and nowhere else.
    own("", "secrets", READ),
    own("coordination.k8s.io", "leases", TAKE_TURNS),
];

const fn cluster(
    group: &'static str,
    resource: &'static str,
    verbs: &'static [&'static str],
) -> Rule {
    Rule {
        scope: Scope::Cluster,
        group,
        resource,
        verbs,
    }
}

const fn own(group: &'static str, resource: &'static str, verbs: &'static [&'static str]) -> Rule {
    Rule {
        scope: Scope::Own,
        group,
        resource,
        verbs,
    }
}

/// One request, as a role names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Asked {
    pub(crate) verb: &'static str,
    pub(crate) group: String,
    /// With the subresource: `vaults/status`.
    pub(crate) resource: String,
}

impl Asked {
    /// What a request asks for; none for what is about no resource (`/version`).
    pub(crate) fn of(method: &str, path: &str, query: &str) -> Option<Self> {
        let mut segments = path.trim_matches('/').split('/');
        let group = match segments.next()? {
            "api" => "",
            "apis" => segments.next()?,
            _ => return None,
        };
        let _version = segments.next()?;
        let mut rest: Vec<&str> = segments.collect();
        // A namespace on the way to something is no resource; one at the end is.
        if rest.first() == Some(&"namespaces") && rest.len() > 2 {
            rest.drain(..2);
        }
        let (resource, name, below) = (rest.first()?, rest.get(1), rest.get(2));
        let watches = query
            .split('&')
            .any(|part| matches!(part, "watch=true" | "watch=1"));
        let verb = match (method, name.is_some()) {
            ("GET", _) if watches => "watch",
            ("GET", true) => "get",
            ("GET", false) => "list",
            ("POST", _) => "create",
            ("PUT", _) => "update",
            ("PATCH", _) => "patch",
            ("DELETE", true) => "delete",
            ("DELETE", false) => "deletecollection",
            _ => return None,
        };
        let resource = match below {
            Some(below) => format!("{resource}/{below}"),
            None => (*resource).to_owned(),
        };
        Some(Self {
            verb,
            group: group.to_owned(),
            resource,
        })
    }

    fn is_listed(&self) -> bool {
        ACCESS.iter().any(|rule| {
            rule.group == self.group
                && rule.resource == self.resource
                && rule.verbs.contains(&self.verb)
        })
    }
}

/// Counts a request on its way out.
pub(crate) fn count(metrics: &Metrics, method: &str, path: &str, query: &str) {
    let Some(asked) = Asked::of(method, path, query) else {
        return;
    };
    if !asked.is_listed() {
        tracing::error!(?asked, "a request that no role allows for");
    }
    metrics.asked_kubernetes(asked);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, path: &str, query: &str) -> String {
        let asked = Asked::of(method, path, query);
        asked.map_or_else(String::new, |asked| {
            format!("{} {} {}", asked.verb, asked.group, asked.resource)
        })
    }

    #[test]
    fn a_request_is_named_as_a_role_names_it() {
        let kluis = "/apis/kluis.dev/v1alpha1";
        let one = format!("{kluis}/namespaces/shop/vaults/v");
        assert_eq!(asked("GET", &one, ""), "get kluis.dev vaults");
        assert_eq!(
            asked("PATCH", &format!("{one}/status"), "force=true"),
            "patch kluis.dev vaults/status"
        );
        let all = format!("{kluis}/vaults");
        assert_eq!(asked("GET", &all, "limit=250"), "list kluis.dev vaults");
        assert_eq!(
            asked("GET", &all, "a=b&watch=true"),
            "watch kluis.dev vaults"
        );
        assert_eq!(asked("GET", "/api/v1/namespaces", ""), "list  namespaces");
        assert_eq!(
            asked("GET", "/api/v1/namespaces/shop", ""),
            "get  namespaces"
        );
        assert_eq!(
            asked("GET", "/api/v1/namespaces/kluis-system/secrets/s", ""),
            "get  secrets"
        );
        assert_eq!(asked("GET", "/version", ""), "");
    }

    #[test]
    fn of_secrets_nothing_may_be_done_but_to_read_them_at_home() {
        for rule in ACCESS.iter().filter(|rule| rule.resource == "secrets") {
            assert_eq!((rule.scope, rule.verbs), (Scope::Own, READ));
        }
        let verbs = ACCESS.iter().flat_map(|rule| rule.verbs);
        assert!(!verbs.copied().any(|verb| verb.contains('*')));
    }
}
