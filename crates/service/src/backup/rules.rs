//! A policy's document as the values that the scheduler and the cleanup compute with.

use kluis_arm::policy::{Generation, ProtectionPolicy, parse};
use kluis_policy::{Retention, Schedule};

use super::rows::Policy;

/// What a policy for virtual machines says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rules {
    pub(super) schedule: Schedule,
    pub(super) retention: Retention,
    /// Whether it is an enhanced policy (V2).
    pub(super) enhanced: bool,
    /// Days that snapshots stay beside the machine.
    pub(super) instant_days: u32,
    /// Whether snapshots are to be crash consistent and no more.
    pub(super) crash_only: bool,
}

impl Rules {
    /// The rules of a stored policy; `None` when it is not one for virtual machines.
    pub(super) fn of(policy: &Policy) -> Option<Self> {
        let document: ProtectionPolicy = serde_json::from_value(policy.properties.clone()).ok()?;
        if !matches!(document, ProtectionPolicy::VirtualMachine(_)) {
            return None;
        }
        let terms = parse(&document).ok()?;
        Some(Self {
            schedule: terms.schedule().ok()?,
            enhanced: terms.generation == Generation::Enhanced,
            instant_days: terms.instant_restore_days?,
            crash_only: policy.properties["snapshotConsistencyType"]
                .as_str()
                .is_some_and(|wanted| wanted.eq_ignore_ascii_case("OnlyCrashConsistent")),
            retention: terms.retention,
        })
    }
}
