//! What is known about a BackupService.

use jiff::Timestamp;
use kluis_api::BackupService;

use super::fact::SubscriptionFact;
use super::observed::Observed;
use crate::key::ObjectKey;

/// A BackupService and its surroundings.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceWorld {
    pub now: Timestamp,
    pub service: BackupService,
    pub secret: SecretFact,
    /// The Vaults that name it.
    pub users: Vec<ObjectKey>,
    /// What is known of the certificates in `spec.caBundle`; none where there are none that can be read.
    pub ca_bundle: Option<CaBundleFact>,
    /// From ARM: the subscription.
    pub subscription: Option<Observed<SubscriptionFact>>,
}

/// Until when the endpoint's certificates hold. By the machine's clock: those of a service with a clock of its own do, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaBundleFact {
    pub ends: Timestamp,
    /// Whole days until then, below 0 once it is over.
    pub days_left: i64,
}

/// Whether the credential's Secret is there, in the operator's namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretFact {
    /// The credential's type has no secret.
    NotNeeded,
    Found,
    /// There is no Secret of that name.
    SecretMissing,
    /// The Secret has no such key.
    KeyMissing,
}
