//! A signed token of another issuer, taken apart strictly (RFC 7515 and 7519): each header and claim has the type that it must
//! have, or the token is no token. What is not known to be harmless is refused, because its issuer meant something by it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde_json::{Map, Value};

use super::distinct;

/// More bytes than an issuer's tokens have, even with groups in them.
const LARGEST: usize = 12 << 10;

/// The end of the year 9999: no moment is later, in seconds since 1970.
const LAST: f64 = 253_402_300_799.0;

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

/// A token whose signature nobody has looked at yet: nothing that it says is known to be so.
#[derive(Debug)]
pub(super) struct Unverified<'a> {
    pub(super) algorithm: Algorithm,
    /// Which of the issuer's keys signed it.
    pub(super) key_id: Option<String>,
    signed: &'a str,
    claims: &'a str,
    signature: &'a str,
}

impl<'a> Unverified<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// What is wrong with its form or its header, to go behind "the client assertion".
    pub(super) fn read(token: &'a str) -> Result<Self, String> {
        if token.len() > LARGEST {
            return Err(format!("has more than {LARGEST} bytes"));
        }
        let (signed, signature) = token.rsplit_once('.').ok_or("is no signed token")?;
        let (header, claims) = signed.split_once('.').ok_or("is no signed token")?;
        if claims.contains('.') {
            return Err("has more than three parts".to_owned());
        }
        let header = part("header", header)?;
        // RFC 7515, 4.1.11: who does not know an extension that the issuer calls critical must refuse the token. None is known.
        for name in ["crit", "b64", "zip", "enc"] {
            if header.contains_key(name) {
                return Err(format!("has the header '{name}', which is not taken"));
            }
        }
        let word = |name: &str| match header.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(format!("has a header '{name}' that is no text")),
        };
        // RFC 8725, 3.11: a token of another type is meant for something else. Most issuers name none.
        if let Some(kind) = word("typ")?
            && !["jwt", "application/jwt", "at+jwt"].contains(&kind.to_lowercase().as_str())
        {
            return Err(format!("is of the type '{kind}', not JWT"));
        }
        if word("cty")?.is_some() {
            return Err("holds another token".to_owned());
        }
        let named = word("alg")?.ok_or("has no header 'alg'")?;
        let algorithm = named
            .parse::<Algorithm>()
            .ok()
            .filter(|algorithm| TAKEN.contains(algorithm))
            .ok_or_else(|| format!("is signed by the algorithm '{named}', which is not taken"))?;
        Ok(Self {
            algorithm,
            key_id: word("kid")?,
            signed,
            claims,
            signature,
        })
    }

    /// What the token says, when this key signed it.
    ///
    /// # Errors
    /// What is wrong with its claims; `None` inside when the key did not sign it.
    pub(super) fn claims(&self, key: &DecodingKey) -> Result<Option<Claims>, String> {
        let signed = crypto::verify(self.signature, self.signed.as_bytes(), key, self.algorithm);
        if !signed.unwrap_or(false) {
            return Ok(None);
        }
        part("payload", self.claims).map(|claims| Some(Claims(claims)))
    }
}

fn part(name: &str, text: &str) -> Result<Map<String, Value>, String> {
    let bytes = URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| format!("has a {name} that is no base64url"))?;
    distinct::object(&bytes).map_err(|error| format!("has a {name} that can't be read: {error}"))
}

/// What a token says.
#[derive(Debug)]
pub(super) struct Claims(Map<String, Value>);

impl Claims {
    /// The text of a claim.
    ///
    /// # Errors
    /// When it is absent or anything but a text.
    pub(super) fn text(&self, name: &str) -> Result<&str, String> {
        match self.0.get(name) {
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(format!("has a claim '{name}' that is no text")),
            None => Err(format!("has no claim '{name}'")),
        }
    }

    /// Whether a claim is this text, or a list of texts with this one among them: what RFC 7519 allows an audience alone.
    ///
    /// # Errors
    /// When it is absent or anything else.
    pub(super) fn has(&self, name: &str, text: &str) -> Result<bool, String> {
        let Some(Value::Array(all)) = self.0.get(name) else {
            return self.text(name).map(|only| only == text);
        };
        if !all.iter().all(Value::is_string) {
            return Err(format!("has a claim '{name}' that is no list of texts"));
        }
        Ok(all.iter().any(|one| one == text))
    }

    /// A moment in seconds since 1970, if it is told.
    ///
    /// # Errors
    /// When it is anything but a number between 1970 and the year 9999.
    pub(super) fn moment(&self, name: &str) -> Result<Option<f64>, String> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Number(number)) => {
                let seconds = number.as_f64().filter(|at| (0.0..=LAST).contains(at));
                seconds
                    .map(Some)
                    .ok_or_else(|| format!("has a claim '{name}' that is no moment"))
            }
            Some(_) => Err(format!("has a claim '{name}' that is no number")),
        }
    }
}
