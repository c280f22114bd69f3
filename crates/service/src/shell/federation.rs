//! Signing in by the word of another issuer: a token that it signed for a workload, a Kubernetes service account for example.

use std::path::Path;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

use crate::inventory::Federated;

/// More bytes than any issuer's public keys have.
const LARGEST: u64 = 256 << 10;

/// The algorithms that are taken: those whose checking needs a public key alone.
const TAKEN: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

#[derive(Deserialize)]
struct Claims {
    sub: String,
}

/// Whether an assertion was signed by the issuer, for this subject and audience, and holds now.
///
/// # Errors
/// Entra's number for what is wrong, and a sentence.
pub(super) fn check(by: &Federated, assertion: &str) -> Result<(), (u32, String)> {
    let unsigned = |why: String| {
        (
            700_027,
            format!("The client assertion failed signature validation: {why}."),
        )
    };
    let header = jsonwebtoken::decode_header(assertion).map_err(|error| {
        (
            50_027,
            format!("The client assertion is no signed token: {error}."),
        )
    })?;
    if !TAKEN.contains(&header.alg) {
        return Err(unsigned(format!(
            "the algorithm {:?} is not taken",
            header.alg
        )));
    }
    let keys = keys(&by.keys_file).map_err(|why| {
        tracing::error!(file = %by.keys_file.display(), %why, "an issuer's keys can't be read");
        unsigned("the issuer's keys can't be read; the service's log says why".to_owned())
    })?;
    let key = match &header.kid {
        Some(kid) => keys.find(kid),
        None => keys.keys.first().filter(|_| keys.keys.len() == 1),
    };
    let key = key.ok_or_else(|| {
        let kid = header.kid.as_deref().unwrap_or_default();
        unsigned(format!("the issuer's key set has no key '{kid}'"))
    })?;
    let key = DecodingKey::from_jwk(key).map_err(|error| unsigned(error.to_string()))?;
    let mut validation = Validation::new(header.alg);
    validation.set_audience(&[&by.audience]);
    validation.set_issuer(&[&by.issuer]);
    validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
    validation.validate_nbf = true;
    let token =
        jsonwebtoken::decode::<Claims>(assertion, &key, &validation).map_err(
            |error| match error.kind() {
                ErrorKind::ExpiredSignature | ErrorKind::ImmatureSignature => (
                    700_024,
                    "The client assertion is not within its valid time range.".to_owned(),
                ),
                ErrorKind::InvalidIssuer => (
                    700_211,
                    format!("The client assertion's issuer is not '{}'.", by.issuer),
                ),
                ErrorKind::InvalidAudience => (
                    700_212,
                    format!("The client assertion's audience is not '{}'.", by.audience),
                ),
                _ => unsigned(error.to_string()),
            },
        )?;
    if token.claims.sub != by.subject {
        return Err((
            700_213,
            format!("The client assertion's subject is not '{}'.", by.subject),
        ));
    }
    Ok(())
}

fn keys(path: &Path) -> Result<JwkSet, String> {
    let size = std::fs::metadata(path)
        .map_err(|error| error.to_string())?
        .len();
    if size > LARGEST {
        return Err(format!(
            "it has {size} bytes; a key set has at most {LARGEST}"
        ));
    }
    let text = std::fs::read(path).map_err(|error| error.to_string())?;
    serde_json::from_slice(&text).map_err(|error| error.to_string())
}
