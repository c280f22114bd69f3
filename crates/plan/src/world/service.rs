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
    /// From ARM: the subscription.
    pub subscription: Option<Observed<SubscriptionFact>>,
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
