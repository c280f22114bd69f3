//! Kluis on a node: where things are, and how to look at them.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::audit::{self, Request};
use crate::helm::Helm;
use crate::kubectl::Kubectl;
use crate::node::{self, Node};
use crate::place::workspace;
use crate::until::{Look, every, seconds};
use crate::world::{NAMESPACE, condition_of, told};

/// The release, and the namespace that it is in.
pub(super) const RELEASE: &str = "kluis";
pub(super) const SYSTEM: &str = "kluis-system";

/// How long one step of an object may take on a machine with other work to do.
pub(super) const STEP: Duration = seconds(180);

/// A node, and what helm puts on it.
pub(super) struct Installed {
    pub(super) node: Node,
    /// The image that was imported.
    pub(super) image: String,
    /// In the namespace of the examples.
    pub(super) shop: Kubectl,
    /// In the release's.
    pub(super) system: Kubectl,
    pub(super) helm: Helm,
}

impl Installed {
    pub(super) fn new(node: Node, image: String) -> Self {
        Self {
            shop: node.kubectl().within(NAMESPACE),
            system: node.kubectl().within(SYSTEM),
            helm: node.helm(),
            node,
            image,
        }
    }

    /// The folder that is the service's volume.
    pub(super) fn volume(&self) -> Result<PathBuf> {
        let name = node::bound(&self.system, "data-kluis-service-0")?;
        Ok(self.node.volume(&name))
    }

    /// Every request of the operator's pods to the API server so far.
    pub(super) fn requests(&self) -> Result<Vec<Request>> {
        let account = format!("system:serviceaccount:{SYSTEM}:kluis-operator");
        audit::requests(&self.node.audit(), &account)
    }

    /// Waits until a condition has a status for the object's present generation.
    pub(super) fn until_condition(
        &self,
        kubectl: &Kubectl,
        object: (&str, &str),
        condition: &str,
        status: &str,
    ) -> Result<Value> {
        let what = format!("{}/{} to be {condition}={status}", object.0, object.1);
        until_object(kubectl, &what, object, |object| {
            let current =
                object["status"]["observedGeneration"] == object["metadata"]["generation"];
            let found = condition_of(object, condition);
            Ok(current && found.is_some_and(|found| found["status"] == status))
        })
    }

    /// Waits for a bounded object to end well.
    pub(super) fn until_succeeded(&self, object: (&str, &str)) -> Result<Value> {
        let what = format!("{}/{} to succeed", object.0, object.1);
        until_object(&self.shop, &what, object, |found| {
            let is = |condition: &str, status: &str| {
                condition_of(found, condition).is_some_and(|found| found["status"] == status)
            };
            if is("Succeeded", "False") && is("Reconciling", "False") {
                bail!("{}/{} failed: {}", object.0, object.1, told(found));
            }
            Ok(is("Succeeded", "True"))
        })
    }

    /// `kubectl create` of an object; its name.
    pub(super) fn create(&self, object: &Value) -> Result<String> {
        let made = self
            .shop
            .feed(&["create", "-f", "-", "--output=name"], &object.to_string())?;
        made.trim()
            .rsplit_once('/')
            .map(|(_, name)| name.to_owned())
            .ok_or_else(|| anyhow!("kubectl create said {made:?}"))
    }

    /// What pods and operators had to say, for who looks for a cause.
    pub(super) fn story(&self) -> String {
        let mut story = String::new();
        for arguments in [
            vec!["get", "pods,pvc", "--all-namespaces", "-o", "wide"],
            vec!["get", "events", "-n", SYSTEM, "--sort-by=.lastTimestamp"],
            vec!["get", "kluis", "--all-namespaces"],
            vec![
                "logs",
                "-n",
                SYSTEM,
                "--prefix",
                "--tail=20",
                "-l",
                "app.kubernetes.io/name=kluis",
            ],
            vec![
                "logs",
                "-n",
                SYSTEM,
                "--prefix",
                "--previous",
                "--tail=20",
                "-l",
                "app.kubernetes.io/name=kluis",
            ],
        ] {
            let told = self.node.kubectl().run(&arguments);
            let told = told.unwrap_or_else(|why| format!("{why:#}"));
            story += &format!("$ kubectl {}\n{told}\n", arguments.join(" "));
        }
        story
    }
}

/// Waits until an object is as `so` says, and returns it.
pub(super) fn until_object(
    kubectl: &Kubectl,
    what: &str,
    (kind, name): (&str, &str),
    so: impl Fn(&Value) -> Result<bool>,
) -> Result<Value> {
    // kubectl costs a process each time.
    every(Duration::from_millis(300), what, STEP, || {
        let Some(object) = kubectl.get(kind, name)? else {
            return Ok(Look::NotYet(format!("there is no {kind}/{name}")));
        };
        Ok(if so(&object)? {
            Look::Done(object)
        } else {
            Look::NotYet(told(&object))
        })
    })
}

/// One of the examples, as an object.
pub(super) fn example(file: &str) -> Result<Value> {
    let path = workspace().join("examples").join(file);
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    serde_yaml::from_str(&text).map_err(|why| anyhow!("{}: {why}", path.display()))
}

/// A path below the work tree, as an argument.
pub(super) fn path(below: &str) -> String {
    workspace().join(below).display().to_string()
}
