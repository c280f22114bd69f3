//! Plans in words: the same text for `kluis plan`, for logs, and for the tests that hold whole convergences.

use std::fmt;

use kluis_api::{Condition, ConditionStatus, OperationKind};
use kluis_arm::id::{ItemName, VmId};
use kluis_arm::item::ProtectedItem;
use kluis_arm::restore::{RecoveryType, RestoreRequest};

use crate::plan::Plan;
use crate::report::{Event, EventKind, Report};
use crate::step::{Action, Step};

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "step  {step}")?;
        }
        write!(f, "{}", self.report)?;
        writeln!(f, "next  {}", self.next)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.status {
            None => writeln!(f, "say   nothing: the object is going")?,
            Some(status) => {
                for condition in status.conditions() {
                    writeln!(f, "say   {}", Said(condition))?;
                }
            }
        }
        for event in &self.events {
            writeln!(f, "event {event}")?;
        }
        Ok(())
    }
}

/// A condition in a line.
struct Said<'a>(&'a Condition);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Condition {
            type_,
            status,
            reason,
            message,
            ..
        } = self.0;
        let status = match status {
            ConditionStatus::True => "yes",
            ConditionStatus::False => "no",
            ConditionStatus::Unknown => "?",
        };
        write!(f, "{type_} {status} ({reason})")?;
        if message.is_empty() {
            Ok(())
        } else {
            write!(f, " {message}")
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            EventKind::Normal => "",
            EventKind::Warning => "! ",
        };
        write!(f, "{kind}{} {}", self.reason, self.note)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.action)?;
        let observed = self.guard.observed.iter();
        let wants: Vec<String> = observed.map(|(want, _)| want.to_string()).collect();
        match wants.as_slice() {
            [] => Ok(()),
            [want] => write!(f, " (while {want} is as it was read)"),
            wants => write!(f, " (while {} are as they were read)", wants.join(" and ")),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HoldFinalizer => f.write_str("hold the object by our finalizer"),
            Self::ReleaseFinalizer => f.write_str("let the object go"),
            Self::DeleteObject => f.write_str("delete the object: its time is over"),
            Self::CreateVault { id, body } => {
                write!(
                    f,
                    "make the vault {}/{} in {}",
                    id.resource_group,
                    id.name,
                    body.location.as_deref().unwrap_or("?")
                )
            }
            Self::UpdateVault { id, body } => {
                let properties = body.properties.as_ref();
                let what = [
                    body.tags.as_ref().map(|_| "tags"),
                    properties
                        .and_then(|p| p.redundancy_settings.as_ref())
                        .map(|_| "redundancy"),
                    properties
                        .and_then(|p| p.security_settings.as_ref()?.soft_delete_settings.as_ref())
                        .map(|_| "soft delete"),
                    properties
                        .and_then(|p| p.security_settings.as_ref()?.immutability_settings.as_ref())
                        .map(|_| "immutability"),
                ];
                let what: Vec<&str> = what.into_iter().flatten().collect();
                write!(
                    f,
                    "change the vault {}/{}: {}",
                    id.resource_group,
                    id.name,
                    what.join(", ")
                )
            }
            Self::DeleteVault { id } => {
                write!(f, "delete the vault {}/{}", id.resource_group, id.name)
            }
            Self::UndeleteVault { id, .. } => write!(
                f,
                "bring back the vault {}/{}, with all that was in it",
                id.resource_group, id.name
            ),
            Self::PutPolicy { id, .. } => write!(
                f,
                "write the policy {} into the vault {}",
                id.name, id.vault.name
            ),
            Self::DeletePolicy { id } => write!(
                f,
                "take the policy {} out of the vault {}",
                id.name, id.vault.name
            ),
            Self::DiscoverContainers { vault } => {
                write!(f, "discover what the vault {} can protect", vault.name)
            }
            Self::PutItem { id, kind, body } => {
                let (machine, vault) = (machine(&id.name), &id.vault().name);
                match (kind, policy(&body.properties)) {
                    (OperationKind::StopProtection, _) => write!(
                        f,
                        "stop protecting {machine} in {vault}, keeping its recovery points"
                    ),
                    (OperationKind::SuspendProtection, _) => {
                        write!(f, "suspend the protection of {machine} in {vault}")
                    }
                    (OperationKind::Undelete, _) => write!(f, "bring back {machine} in {vault}"),
                    (_, Some(policy)) => write!(f, "protect {machine} in {vault} by {policy}"),
                    (_, None) => write!(f, "protect {machine} in {vault}"),
                }
            }
            Self::DeleteItem { id } => {
                write!(
                    f,
                    "delete {} from {}, with its recovery points",
                    machine(&id.name),
                    id.vault().name
                )
            }
            Self::StartBackup { item, .. } => write!(
                f,
                "back up {} into {}",
                machine(&item.name),
                item.vault().name
            ),
            Self::StartRestore { point, body, .. } => {
                write!(
                    f,
                    "restore {} of {} from {}{}",
                    point.name,
                    machine(&point.item.name),
                    point.item.vault().name,
                    as_what(&body.properties)
                )
            }
            Self::StartFilesRestore { point, body, .. } => {
                write!(
                    f,
                    "restore {} out of {} of {} from {}",
                    body.properties
                        .paths
                        .as_deref()
                        .unwrap_or_default()
                        .join(", "),
                    point.name,
                    machine(&point.item.name),
                    point.item.vault().name
                )
            }
            Self::CancelJob { job } => {
                write!(
                    f,
                    "cancel the job {} of the vault {}",
                    job.name, job.vault.name
                )
            }
        }
    }
}

/// What a restore makes, where that is not disks.
fn as_what(request: &RestoreRequest) -> String {
    let RestoreRequest::VirtualMachine(request) = request else {
        return String::new();
    };
    let target = request
        .target_virtual_machine_id
        .as_deref()
        .and_then(|id| id.parse::<VmId>().ok());
    match (&request.recovery_type, target) {
        (Some(RecoveryType::AlternateLocation), Some(vm)) => {
            format!(" as {}/{}", vm.resource_group, vm.name)
        }
        (Some(RecoveryType::OriginalLocation), _) => " in place".to_owned(),
        _ => String::new(),
    }
}

fn machine(name: &ItemName) -> String {
    name.vm()
        .map_or_else(|| name.to_string(), |(group, vm)| format!("{group}/{vm}"))
}

/// The last part of the id of the policy that a body names.
fn policy(item: &ProtectedItem) -> Option<&str> {
    let ProtectedItem::VirtualMachine(item) = item else {
        return None;
    };
    item.policy_id
        .as_deref()?
        .rsplit('/')
        .next()
        .filter(|name| !name.is_empty())
}
