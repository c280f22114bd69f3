//! What manifests come to together: what no object tells alone, and no API server asks.
//!
//! A policy is read in the terms that reckon (`kluis-policy`), so that its zone is one, its runs stay on their days when it follows the
//! clock, and the points that it keeps can be counted. A machine that names a policy of the same files is held against it. What is not in
//! the files is taken to be right.

use std::collections::BTreeMap;

use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use kluis_api::{BackupPolicySpec, ProtectedVMSpec, Workload};
use kluis_arm::id::is_policy_name;
use kluis_policy::{
    DaylightSaving, Frequency, Objective, Strategy, follow, limits, simulate, wall_clock,
};
use serde_json::Value;

use super::document::{Node, Step, dotted};
use super::{Finding, Severity};

/// A year and a month: as long as a schedule has to be watched to have seen its longest gap.
const WATCHED: SignedDuration = SignedDuration::from_hours(24 * 396);

/// The objects that were seen, as far as they are of use here.
#[derive(Debug, Default)]
pub(super) struct Outlook {
    /// Several of a name are of overlays, of which a cluster has one.
    policies: BTreeMap<Key, Vec<Policy>>,
    machines: Vec<Machine>,
}

/// Namespace and name.
type Key = (String, String);

#[derive(Debug)]
struct Policy {
    seen: Seen,
    spec: BackupPolicySpec,
}

#[derive(Debug)]
struct Machine {
    seen: Seen,
    namespace: String,
    spec: ProtectedVMSpec,
}

/// An object in its file.
#[derive(Debug)]
struct Seen {
    file: String,
    title: String,
    node: Node,
}

impl Outlook {
    /// Takes an object that the definitions have nothing against.
    pub(super) fn see(&mut self, file: &str, title: &str, node: &Node, understood: &Value) {
        let text = |field: &str| {
            node.get("metadata")
                .and_then(|metadata| metadata.get(field))
                .and_then(Node::text)
                .unwrap_or_default()
                .to_owned()
        };
        let spec = understood["spec"].clone();
        let seen = Seen {
            file: file.to_owned(),
            title: title.to_owned(),
            node: node.clone(),
        };
        match node.get("kind").and_then(Node::text) {
            Some("BackupPolicy") => {
                if let Ok(spec) = serde_json::from_value(spec) {
                    let key = (text("namespace"), text("name"));
                    self.policies
                        .entry(key)
                        .or_default()
                        .push(Policy { seen, spec });
                }
            }
            Some("ProtectedVM") => {
                if let Ok(spec) = serde_json::from_value(spec) {
                    self.machines.push(Machine {
                        seen,
                        namespace: text("namespace"),
                        spec,
                    });
                }
            }
            _ => {}
        }
    }

    /// What is to be said of them, with runs from `now` on.
    pub(super) fn findings(&self, now: Timestamp) -> Vec<Finding> {
        let of_policies = self
            .policies
            .values()
            .flatten()
            .flat_map(|policy| of_policy(policy, now));
        let of_machines = self
            .machines
            .iter()
            .flat_map(|machine| self.of_machine(machine, now));
        of_policies.chain(of_machines).collect()
    }

    fn of_machine(&self, machine: &Machine, now: Timestamp) -> Vec<Finding> {
        let Some(name) = &machine.spec.policy_ref.name else {
            return Vec::new();
        };
        if let Some(wrong) = called(machine, name) {
            return vec![wrong];
        }
        let named = self
            .policies
            .get(&(machine.namespace.clone(), name.clone()));
        // Which of several is the machine's, its files don't say.
        let Some([policy]) = named.map(Vec::as_slice) else {
            return Vec::new();
        };
        if policy.spec.workload != Workload::VirtualMachine {
            let message = format!(
                "the policy is for {:?} ({}): a machine needs one for VirtualMachine",
                policy.spec.workload, policy.seen.file
            );
            return vec![machine.seen.finding(
                Severity::Error,
                &["spec", "policyRef", "name"],
                message,
            )];
        }
        let objectives = machine.spec.objectives.as_ref();
        let Some(rpo) = objectives.and_then(|objectives| objectives.rpo.as_ref()) else {
            return Vec::new();
        };
        let Ok(length) = rpo.parse::<SignedDuration>() else {
            let message = format!(
                "{rpo} is no length of time: say hours, minutes and seconds in this order, each once"
            );
            return vec![machine.seen.finding(
                Severity::Error,
                &["spec", "objectives", "rpo"],
                message,
            )];
        };
        let strategy = kluis_plan::strategy(&policy.spec).ok();
        let Some(gap) =
            strategy.and_then(|strategy| Objective { rpo: length }.out_of_reach(&strategy, now))
        else {
            return Vec::new();
        };
        let message = format!(
            "the policy {name} leaves up to {} between two backups, so that an objective of {rpo} is broken although every backup \
             succeeds: ask for more than that, or back up more often",
            in_words(gap)
        );
        vec![
            machine
                .seen
                .finding(Severity::Warning, &["spec", "objectives", "rpo"], message),
        ]
    }
}

/// What is wrong with the name that the policy would have in a vault of another namespace.
fn called(machine: &Machine, policy: &str) -> Option<Finding> {
    let home = machine.spec.vault_ref.namespace.as_deref()?;
    // Where no namespace is written, the one that it is applied to is not known.
    if home == machine.namespace || machine.namespace.is_empty() {
        return None;
    }
    let name = format!("{}--{policy}", machine.namespace);
    let message = format!(
        "in a vault of the namespace {home} the policy would be called {name}, and a policy's name in Azure is 3 to 150 letters, digits and \
         hyphens, a letter first and no hyphen last: name another policy, or use a Vault of this namespace"
    );
    (!is_policy_name(&name)).then(|| {
        machine
            .seen
            .finding(Severity::Error, &["spec", "policyRef", "name"], message)
    })
}

fn of_policy(policy: &Policy, now: Timestamp) -> Vec<Finding> {
    let terms = match kluis_plan::policy_terms(&policy.spec) {
        Ok(terms) => terms,
        Err(waiting) => {
            return vec![policy.seen.finding(
                Severity::Error,
                &["spec", "timeZone"],
                waiting.to_string(),
            )];
        }
    };
    if let Err(error) = kluis_arm::zone::to_azure(&terms.time_zone) {
        return vec![policy.seen.finding(
            Severity::Error,
            &["spec", "timeZone"],
            error.to_string(),
        )];
    }
    // What the operator could not write into a vault is no warning.
    if let Err(waiting) = kluis_plan::say(&terms) {
        return vec![
            policy
                .seen
                .finding(Severity::Error, &["spec"], waiting.to_string()),
        ];
    }
    let Ok(strategy) = kluis_plan::strategy(&policy.spec) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    if strategy.daylight_saving == DaylightSaving::Follow {
        findings.extend(strays(&strategy, now).map(|(field, at)| {
            let message = format!(
                "it cannot follow the clock of {}: at {at} a backup would fall on another day, which decides how long it is kept; \
                 set a later time, or daylightSaving: Ignore (rule 44)",
                policy.spec.time_zone
            );
            policy
                .seen
                .finding(Severity::Error, &["spec", field], message)
        }));
    }
    findings.extend(unkept(policy, &strategy, now));
    findings.extend(too_many(policy, &strategy, now));
    findings
}

/// The first field whose times would leave their day when the clock changes within a year, and the change.
fn strays(strategy: &Strategy, now: Timestamp) -> Option<(&'static str, String)> {
    let between = |between: &Option<kluis_policy::Between>| {
        between.as_ref().map(kluis_policy::Between::frequency)
    };
    let frequencies = [
        ("schedule", Some(strategy.full.clone())),
        ("differential", between(&strategy.differential)),
        ("incremental", between(&strategy.incremental)),
    ];
    let changes = clocks(&strategy.zone, now);
    frequencies.into_iter().find_map(|(field, frequency)| {
        let frequency: Frequency = frequency?;
        changes
            .iter()
            .find(|(at, _)| follow::shifted(&frequency, &strategy.zone, *at).is_none())
            .map(|(_, offset)| (field, offset.to_string()))
    })
}

/// The offset that is in force and those that follow within a year, each with a moment well after it began.
fn clocks(zone: &TimeZone, now: Timestamp) -> Vec<(Timestamp, Offset)> {
    let mut clocks = vec![(now, zone.to_offset(now))];
    let mut at = now;
    while let Some((change, offset)) = follow::next_change(zone, at) {
        if change.duration_since(now) > WATCHED || clocks.len() > 8 {
            break;
        }
        let settled = change
            .checked_add(SignedDuration::from_hours(24))
            .unwrap_or(change);
        clocks.push((settled, offset));
        at = change;
    }
    clocks
}

/// A warning where backups are made that nothing keeps, as of a weekday that weekly retention does not name.
fn unkept(policy: &Policy, strategy: &Strategy, now: Timestamp) -> Option<Finding> {
    let until = now.checked_add(WATCHED).ok()?;
    let lost = simulate::timeline(strategy, now, until).find(|made| made.until.is_none())?;
    let day = wall_clock::reading(&strategy.zone, lost.due).strftime("%A, %Y-%m-%d at %H:%M");
    let message = format!(
        "nothing keeps the backup of {day}: it goes at the next cleanup, unless it is the newest; keep the points of that day, or make \
         none (rule 15)"
    );
    Some(
        policy
            .seen
            .finding(Severity::Warning, &["spec", "retention"], message),
    )
}

/// A warning where the policy comes to more recovery points than an item may have.
fn too_many(policy: &Policy, strategy: &Strategy, now: Timestamp) -> Option<Finding> {
    let limit = limits::points(strategy.workload, strategy.instant_days)?;
    // What restores to a second, the logs, are no points of their own.
    let strategy = Strategy {
        log: None,
        ..strategy.clone()
    };
    let days = longest_days(&strategy);
    let at = now.checked_add(SignedDuration::from_hours(24 * (days + 31)));
    let Ok(at) = at else { return None };
    // At whichever moment there are most: their number differs with the lengths of months.
    let made = simulate::timeline(&strategy, now, at);
    let count = simulate::counted(made).map(|(_, count)| count).max()?;
    if count <= usize::try_from(limit.most).unwrap_or(usize::MAX) {
        return None;
    }
    let message = format!(
        "it comes to {count} recovery points of an item; Azure has {} at most, and backups fail from then on: keep fewer (rule {})",
        limit.most, limit.rule
    );
    Some(
        policy
            .seen
            .finding(Severity::Warning, &["spec", "retention"], message),
    )
}

/// For how many days, at most, the policy keeps a point.
fn longest_days(strategy: &Strategy) -> i64 {
    let retention = &strategy.retention;
    let tiers = [
        retention.daily.as_ref().map(|tier| i64::from(tier.keep)),
        retention
            .weekly
            .as_ref()
            .map(|tier| i64::from(tier.keep) * 7),
        retention
            .monthly
            .as_ref()
            .map(|tier| i64::from(tier.keep) * 31),
        retention
            .yearly
            .as_ref()
            .map(|tier| i64::from(tier.keep) * 366),
    ];
    tiers.into_iter().flatten().max().unwrap_or_default()
}

/// `24h`, `7h 30m`.
fn in_words(length: SignedDuration) -> String {
    let minutes = length.as_mins();
    match (minutes / 60, minutes % 60) {
        (hours, 0) => format!("{hours}h"),
        (hours, minutes) => format!("{hours}h {minutes}m"),
    }
}

impl Seen {
    fn finding(&self, severity: Severity, field: &[&str], message: String) -> Finding {
        let path: Vec<Step> = field
            .iter()
            .map(|name| Step::Field((*name).to_owned()))
            .collect();
        let at = self.node.place(&path);
        Finding {
            severity,
            file: self.file.clone(),
            line: at.line,
            column: at.column,
            object: self.title.clone(),
            field: dotted(&path),
            message,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::documents;
    use super::*;

    const POLICY: &str = r#"apiVersion: kluis.dev/v1alpha1
kind: BackupPolicy
metadata: { namespace: shop, name: daily }
spec:
  workload: VirtualMachine
  timeZone: UTC
  schedule: { daily: { at: "22:30" } }
  retention: { daily: { keep: 30 } }
"#;

    const MACHINE: &str = r#"apiVersion: kluis.dev/v1alpha1
kind: ProtectedVM
metadata: { namespace: shop, name: web-1 }
spec:
  vaultRef: { name: shop-weu }
  policyRef: { name: daily }
  vm: { resourceGroup: shop-rg, name: web-1 }
  objectives: { rpo: 24h }
"#;

    /// Which fields of which files something is said of.
    fn said(files: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut outlook = Outlook::default();
        for (file, text) in files {
            for node in documents(text).unwrap() {
                outlook.see(file, "an object", &node, &node.value());
            }
        }
        let findings = outlook.findings("2026-01-01T00:00:00Z".parse().unwrap());
        findings
            .into_iter()
            .map(|finding| (finding.file, finding.field))
            .collect()
    }

    #[test]
    fn every_policy_of_a_name_is_looked_at() {
        let broken = POLICY.replace("UTC", "Mars/Olympus");
        for files in [
            [("prod", broken.as_str()), ("staging", POLICY)],
            [("staging", POLICY), ("prod", broken.as_str())],
        ] {
            assert_eq!(
                said(&files),
                [("prod".to_owned(), "spec.timeZone".to_owned())]
            );
        }
    }

    #[test]
    fn a_machine_is_held_against_a_policy_that_is_the_only_one_of_its_name() {
        let rpo = ("vm".to_owned(), "spec.objectives.rpo".to_owned());
        assert_eq!(said(&[("prod", POLICY), ("vm", MACHINE)]), [rpo]);
        let two = [("prod", POLICY), ("staging", POLICY), ("vm", MACHINE)];
        assert!(said(&two).is_empty());
    }
}
