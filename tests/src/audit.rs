//! The API server's audit log: who did what, as the server saw it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

/// One kind of request: what a rule of RBAC can allow.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Act {
    pub group: String,
    /// With its subresource: `vaults/status`.
    pub resource: String,
    pub verb: String,
}

impl std::fmt::Display for Act {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let group = if self.group.is_empty() {
            "core"
        } else {
            &self.group
        };
        write!(f, "{} {group}/{}", self.verb, self.resource)
    }
}

/// One request.
#[derive(Debug, Clone)]
pub struct Request {
    pub act: Act,
    /// Empty for what has none, and for a list over all of them.
    pub namespace: String,
    pub name: String,
    /// The pod it came from.
    pub pod: String,
    /// When it came in, in RFC 3339 with microseconds: text that sorts as time does.
    pub at: String,
    pub code: u64,
    /// RBAC refused it. (What admission refuses has the same code, and is no matter of rights.)
    pub forbidden: bool,
    /// What was sent, where the audit policy keeps that.
    pub body: Value,
}

impl Request {
    /// Whether it changes anything.
    pub fn writes(&self) -> bool {
        !["get", "list", "watch"].contains(&self.act.verb.as_str())
    }

    /// What it was about, for a message.
    pub fn told(&self) -> String {
        format!(
            "{} {} {} {}/{} by {}: {}",
            self.at,
            self.act.verb,
            self.act.resource,
            self.namespace,
            self.name,
            self.pod,
            self.code
        )
    }
}

/// Every request of one service account, in the order in which they came in.
/// (A watch has two entries; both are given.)
pub fn requests(log: &Path, account: &str) -> Result<Vec<Request>> {
    let text = fs::read_to_string(log).with_context(|| format!("reading {}", log.display()))?;
    let mut found = Vec::new();
    // The server may be writing the last line at this moment.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    for line in whole.lines() {
        let event: Value = serde_json::from_str(line).context("reading a line of the audit log")?;
        if event["user"]["username"] != account {
            continue;
        }
        let part = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let about = &event["objectRef"];
        let resource = match about["subresource"].as_str() {
            Some(sub) => format!("{}/{sub}", part(&about["resource"])),
            None => part(&about["resource"]),
        };
        found.push(Request {
            act: Act {
                group: part(&about["apiGroup"]),
                resource,
                verb: part(&event["verb"]),
            },
            namespace: part(&about["namespace"]),
            name: part(&about["name"]),
            pod: part(&event["user"]["extra"]["authentication.kubernetes.io/pod-name"][0]),
            at: part(&event["requestReceivedTimestamp"]),
            code: event["responseStatus"]["code"].as_u64().unwrap_or(0),
            forbidden: event["annotations"]["authorization.k8s.io/decision"] == "forbid",
            body: event["requestObject"].clone(),
        });
    }
    found.sort_by(|one, other| one.at.cmp(&other.at));
    Ok(found)
}

/// What a role's rules allow.
pub fn allowed(rules: &Value) -> BTreeSet<Act> {
    let texts = |value: &Value| -> Vec<String> {
        let texts = value.as_array().into_iter().flatten();
        texts
            .filter_map(|text| text.as_str().map(str::to_owned))
            .collect()
    };
    let mut acts = BTreeSet::new();
    for rule in rules.as_array().into_iter().flatten() {
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                for verb in texts(&rule["verbs"]) {
                    acts.insert(Act {
                        group: group.clone(),
                        resource: resource.clone(),
                        verb,
                    });
                }
            }
        }
    }
    acts
}
