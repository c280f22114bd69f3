//! Who may call: the identities of the inventory, or the one Owner that is made at the first start, and the file that tells
//! clients how to sign in.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{ServiceError, federation, private};
use crate::core::{Principal, Role};
use crate::inventory::{Federated, Inventory};

/// `DIR/credentials.json`: where the service is and how to sign in to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// The HTTPS endpoint, without a trailing slash.
    pub endpoint: String,
    /// The tenant.
    pub tenant_id: String,
    /// The subscription.
    pub subscription_id: String,
    /// The first identity that has a secret: the Owner, unless the inventory has identities of its own.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// What a caller of the managed identity endpoint must send as `X-IDENTITY-HEADER`.
    pub identity_header: String,
}

struct Known {
    client_id: String,
    secret: Option<[u8; 32]>,
    federated: Option<Federated>,
    role: Role,
}

/// All identities, their secrets hashed.
pub(super) struct Identities {
    known: Vec<Known>,
    header: [u8; 32],
}

impl std::fmt::Debug for Identities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(
                self.known
                    .iter()
                    .map(|known| (&known.client_id, known.role)),
            )
            .finish()
    }
}

impl Identities {
    /// Reads the inventory's identities and brings `DIR/credentials.json` up to date; what was made once is kept.
    pub(super) fn load(
        dir: &Path,
        inventory: &Inventory,
        subscription: Option<String>,
        endpoint: &str,
    ) -> Result<(Self, Credentials), ServiceError> {
        let path = dir.join("credentials.json");
        let kept = private::read(&path).map_err(ServiceError::io("read", &path))?;
        let kept: Option<Credentials> = kept
            .map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|error| {
                let message = format!(
                    "{error}; put the file back, or remove it to have new credentials made"
                );
                ServiceError::Unusable {
                    path: path.clone(),
                    message,
                }
            })?;
        let guid = || uuid::Uuid::new_v4().to_string();
        let mut credentials = kept.unwrap_or_else(|| Credentials {
            endpoint: String::new(),
            tenant_id: guid(),
            subscription_id: guid(),
            client_id: guid(),
            client_secret: private::secret(),
            identity_header: private::secret(),
        });
        endpoint.clone_into(&mut credentials.endpoint);
        if let Some(subscription) = subscription {
            credentials.subscription_id = subscription;
        }
        let mut known = Vec::new();
        for identity in &inventory.identities {
            let secret = identity.secret_file.as_deref().map(secret_of).transpose()?;
            // The file tells of the first identity that a secret can be told of.
            if let Some(secret) = &secret
                && !known.iter().any(|known: &Known| known.secret.is_some())
            {
                credentials.client_id.clone_from(&identity.client_id);
                credentials.client_secret.clone_from(secret);
            }
            known.push(Known {
                client_id: identity.client_id.clone(),
                secret: secret.as_deref().map(hash),
                federated: identity.federated.clone(),
                role: identity.role,
            });
        }
        if known.is_empty() {
            let secret = hash(&credentials.client_secret);
            known.push(Known {
                client_id: credentials.client_id.clone(),
                secret: Some(secret),
                federated: None,
                role: Role::Owner,
            });
        }
        let header = hash(&credentials.identity_header);
        let text = serde_json::to_string_pretty(&credentials).unwrap_or_default();
        private::write(&path, text.as_bytes()).map_err(ServiceError::io("write", &path))?;
        Ok((Self { known, header }, credentials))
    }

    /// Who this is, when the secret is theirs. Takes as long for a wrong secret as for a right one.
    pub(super) fn sign_in(&self, client_id: &str, secret: &str) -> Option<Principal> {
        let given = hash(secret);
        let known = self
            .known
            .iter()
            .find(|known| known.client_id.eq_ignore_ascii_case(client_id))?;
        let right = known.secret.as_ref().map(|secret| secret.ct_eq(&given));
        right.is_some_and(bool::from).then(|| known.principal())
    }

    /// Who this is, when the assertion is one that this identity signs in with.
    ///
    /// # Errors
    /// Entra's number for it, and a sentence.
    pub(super) fn federated(
        &self,
        client_id: &str,
        assertion: &str,
        now: Timestamp,
    ) -> Result<Principal, (u32, String)> {
        let known = self
            .known
            .iter()
            .find(|known| known.client_id.eq_ignore_ascii_case(client_id));
        let federated = known.and_then(|known| Some((known, known.federated.as_ref()?)));
        let (known, federated) = federated.ok_or_else(|| {
            (
                700_211,
                format!(
                    "No federated identity is configured for '{client_id}'; sign in with client_secret, or say in the \
                     inventory's identities whose tokens are taken."
                ),
            )
        })?;
        federation::check(federated, assertion, now)?;
        Ok(known.principal())
    }

    /// Whether the header of the managed identity endpoint is ours; then the caller is the first identity.
    pub(super) fn managed(&self, header: &str) -> Option<Principal> {
        bool::from(self.header.ct_eq(&hash(header)))
            .then(|| self.known.first().map(Known::principal))
            .flatten()
    }

    /// The identity as it is now: a token outlives neither an identity's removal nor a change of its role.
    pub(super) fn principal(&self, client_id: &str) -> Option<Principal> {
        self.known
            .iter()
            .find(|known| known.client_id.eq_ignore_ascii_case(client_id))
            .map(Known::principal)
    }
}

impl Known {
    fn principal(&self) -> Principal {
        Principal {
            client_id: self.client_id.clone(),
            role: self.role,
        }
    }
}

fn secret_of(path: &Path) -> Result<String, ServiceError> {
    let doing = ServiceError::io("read the identity's secret in", path);
    let text = private::read(path).map_err(&doing)?;
    let text = text.ok_or_else(|| doing(std::io::ErrorKind::NotFound.into()))?;
    let secret = text.trim();
    if secret.len() < 16 {
        let message = "a secret has at least 16 characters".to_owned();
        return Err(ServiceError::Unusable {
            path: path.to_owned(),
            message,
        });
    }
    Ok(secret.to_owned())
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}
