//! The bearer tokens that the service gives and takes: JWTs signed with a key of its own. Whoever asks for
//! one or shows one brings the time: that of the real world, as far as it is known.

use std::path::Path;

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::{ServiceError, private};
use crate::core::Principal;

/// How long a token holds, in seconds.
pub(super) const LIFETIME: u64 = 3600;

/// How far a token may be off its time, in seconds.
const LEEWAY: u64 = 60;

/// For whom the tokens are; nobody else's tokens are taken, even if signed with the same key.
const AUDIENCE: &str = "https://management.kluis.dev";

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    aud: String,
    iss: String,
    tid: String,
    oid: String,
    appid: String,
    sub: String,
    idtyp: String,
    ver: String,
    iat: u64,
    nbf: u64,
    exp: u64,
}

/// Gives tokens and reads them.
pub(super) struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    tenant: String,
}

impl Tokens {
    /// With the key in `DIR/token.key`, made at the first start.
    pub(super) fn load(dir: &Path, tenant: &str) -> Result<Self, ServiceError> {
        let path = dir.join("token.key");
        let key = match private::read(&path).map_err(ServiceError::io("read", &path))? {
            Some(key) if key.trim().len() >= 64 => key.trim().to_owned(),
            Some(_) => {
                let message =
                    "it is too short to be a key; remove it to have a new one made".to_owned();
                return Err(ServiceError::Unusable { path, message });
            }
            None => {
                let key = private::secret();
                private::write(&path, key.as_bytes()).map_err(ServiceError::io("write", &path))?;
                key
            }
        };
        Ok(Self {
            encoding: EncodingKey::from_secret(key.as_bytes()),
            decoding: DecodingKey::from_secret(key.as_bytes()),
            tenant: tenant.to_owned(),
        })
    }

    /// A token for this identity, and when it expires (seconds since 1970).
    pub(super) fn give(
        &self,
        to: &Principal,
        issuer: &str,
        now: Timestamp,
    ) -> Option<(String, u64)> {
        let now = u64::try_from(now.as_second()).ok()?;
        let claims = Claims {
            aud: AUDIENCE.to_owned(),
            iss: issuer.to_owned(),
            tid: self.tenant.clone(),
            oid: to.client_id.clone(),
            appid: to.client_id.clone(),
            sub: to.client_id.clone(),
            idtyp: "app".to_owned(),
            ver: "2.0".to_owned(),
            iat: now,
            nbf: now.saturating_sub(60),
            exp: now + LIFETIME,
        };
        let token =
            jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding).ok()?;
        Some((token, claims.exp))
    }

    /// The client id that a token was given to.
    ///
    /// # Errors
    /// ARM's code and a sentence: the token is not ours, or its time is over.
    pub(super) fn read(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<String, (&'static str, String)> {
        use kluis_arm::error::code;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "aud"]);
        // The library would compare with the machine's clock, believed or not.
        validation.validate_exp = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decoding, &validation).map_err(
            |error| {
                (
                    "InvalidAuthenticationToken",
                    format!("The access token is not one of this service's: {error}."),
                )
            },
        )?;
        let now = u64::try_from(now.as_second()).unwrap_or_default();
        let (begins, ends) = (claims.claims.nbf, claims.claims.exp);
        if now > ends.saturating_add(LEEWAY) || now.saturating_add(LEEWAY) < begins {
            let message = "The access token expired; sign in again.".to_owned();
            return Err((code::EXPIRED_TOKEN, message));
        }
        if claims.claims.tid != self.tenant {
            let message = format!(
                "The access token is from the wrong tenant; this service has '{}'.",
                self.tenant
            );
            return Err(("InvalidAuthenticationTokenTenant", message));
        }
        Ok(claims.claims.appid)
    }
}
