//! Signing in: client credentials over TLS, a secret or another issuer's token, and the managed identity endpoint on the
//! loopback.

use std::sync::Arc;

use serde_json::{Value, json};

use super::clock::Clock;
use super::identity::Identities;
use super::token::{LIFETIME, Tokens};
use crate::core::{Principal, Query};

/// Everything that signing in takes.
pub(super) struct SignIn {
    pub(super) identities: Identities,
    pub(super) tokens: Tokens,
    pub(super) tenant: String,
    /// Tokens are given and taken by its time of the real world.
    pub(super) clock: Arc<Clock>,
}

/// A status and a body.
pub(super) type Told = (u16, Value);

impl SignIn {
    /// `POST /{tenant}/oauth2/v2.0/token` with a form as its body.
    pub(super) fn token(&self, tenant: &str, form: &str, origin: &str) -> Told {
        let form = Query::parse(form);
        let given = |name| form.get(name).filter(|value| !value.is_empty());
        if !tenant.eq_ignore_ascii_case(&self.tenant) {
            let message = format!(
                "AADSTS90002: Tenant '{tenant}' not found; this service has '{}'.",
                self.tenant
            );
            return refused(400, "invalid_request", &message);
        }
        if given("grant_type") != Some("client_credentials") {
            return refused(
                400,
                "unsupported_grant_type",
                "AADSTS70003: This service knows the grant 'client_credentials' alone.",
            );
        }
        if let (Some(client), Some(assertion)) = (given("client_id"), given("client_assertion")) {
            return match self.identities.federated(client, assertion) {
                Ok(principal) => self.granted(&principal, origin),
                Err((number, why)) => {
                    refused(401, "invalid_client", &format!("AADSTS{number}: {why}"))
                }
            };
        }
        let (Some(client), Some(secret)) = (given("client_id"), given("client_secret")) else {
            return refused(
                401,
                "invalid_client",
                "AADSTS7000218: The body needs 'client_id', and 'client_secret' or 'client_assertion'.",
            );
        };
        match self.identities.sign_in(client, secret) {
            Some(principal) => self.granted(&principal, origin),
            None => refused(
                401,
                "invalid_client",
                "AADSTS7000215: The client id or its secret is wrong; they are in the service's credentials.json, or in the \
                 inventory's identities.",
            ),
        }
    }

    /// `GET /msi/token`, as App Service serves it.
    pub(super) fn managed(&self, header: Option<&str>, query: &Query, origin: &str) -> Told {
        let Some(principal) = header.and_then(|header| self.identities.managed(header)) else {
            let message =
                "X-IDENTITY-HEADER is missing or is not the one in the service's credentials.json.";
            return (401, json!({ "statusCode": 401, "message": message }));
        };
        let resource = query.get("resource").unwrap_or(origin);
        match self
            .tokens
            .give(&principal, &self.issuer(origin), self.clock.real())
        {
            Some((token, expires)) => (
                200,
                json!({
                    "access_token": token, "expires_on": expires.to_string(), "resource": resource, "token_type": "Bearer",
                    "client_id": principal.client_id,
                }),
            ),
            None => (
                500,
                json!({ "statusCode": 500, "message": "No token could be made; is this machine's clock right?" }),
            ),
        }
    }

    fn granted(&self, principal: &Principal, origin: &str) -> Told {
        match self
            .tokens
            .give(principal, &self.issuer(origin), self.clock.real())
        {
            Some((token, _)) => (
                200,
                json!({
                    "token_type": "Bearer", "expires_in": LIFETIME, "ext_expires_in": LIFETIME, "access_token": token,
                }),
            ),
            None => refused(
                500,
                "server_error",
                "No token could be made; is this machine's clock right?",
            ),
        }
    }

    fn issuer(&self, origin: &str) -> String {
        format!("{origin}/{}/v2.0", self.tenant)
    }

    /// Who sent this `Authorization` header.
    ///
    /// # Errors
    /// ARM's code and a sentence.
    pub(super) fn caller(
        &self,
        authorization: Option<&str>,
    ) -> Result<Principal, (&'static str, String)> {
        let (scheme, token) = authorization
            .and_then(|text| text.split_once(' '))
            .unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("bearer") {
            let message = "Authentication failed. The 'Authorization' header is missing or is no bearer token.";
            return Err((
                kluis_arm::error::code::AUTHENTICATION_FAILED,
                message.to_owned(),
            ));
        }
        let client = self.tokens.read(token.trim(), self.clock.real())?;
        self.identities.principal(&client).ok_or_else(|| {
            (
                "InvalidAuthenticationToken",
                format!("The identity '{client}' is no longer one of this service's."),
            )
        })
    }
}

fn refused(status: u16, error: &str, description: &str) -> Told {
    // Clients print the number apart from the sentence that it stands in front of.
    let digits = description
        .trim_start_matches("AADSTS")
        .split(':')
        .next()
        .unwrap_or_default();
    let codes: Vec<u32> = digits.parse().into_iter().collect();
    (
        status,
        json!({ "error": error, "error_description": description, "error_codes": codes }),
    )
}
