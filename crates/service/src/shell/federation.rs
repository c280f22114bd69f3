//! Signing in by the word of another issuer: a token that it signed for a workload, a Kubernetes service account for example.

use std::path::Path;

use jiff::Timestamp;
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey};

use super::assertion::{Claims, Unverified};
use super::private;
use crate::inventory::Federated;

/// More bytes than any issuer's public keys have.
const LARGEST: u64 = 256 << 10;

/// How far the issuer's clock and this one's may be apart, in seconds.
const LEEWAY: f64 = 60.0;

/// Entra's number for what is wrong, and a sentence.
type Refused = (u32, String);

/// Whether an assertion was signed by the issuer, for this subject and audience, and holds now.
///
/// # Errors
/// Why not.
pub(super) fn check(by: &Federated, assertion: &str, now: Timestamp) -> Result<(), Refused> {
    let malformed = |why| (50_027, format!("The client assertion {why}."));
    let token = Unverified::read(assertion).map_err(malformed)?;
    let keys = keys(&by.keys_file).map_err(|why| {
        tracing::error!(file = %by.keys_file.display(), %why, "an issuer's keys can't be read");
        unsigned("the issuer's keys can't be read; the service's log says why")
    })?;
    let key = DecodingKey::from_jwk(key_of(&token, &keys)?)
        .map_err(|error| unsigned(&error.to_string()))?;
    let claims = token
        .claims(&key)
        .map_err(malformed)?
        .ok_or_else(|| unsigned("the issuer's key did not sign it"))?;
    holds(&claims, by, now).map_err(malformed)?
}

/// Whether what the token says is what is asked for: the outer error is a claim of a wrong form.
fn holds(claims: &Claims, by: &Federated, now: Timestamp) -> Result<Result<(), Refused>, String> {
    let wrong = |number, what: &str, right: &str| {
        let message = format!("The client assertion's {what} is not '{right}'.");
        Ok(Err((number, message)))
    };
    if claims.text("iss")? != by.issuer {
        return wrong(700_211, "issuer", &by.issuer);
    }
    if !claims.has("aud", &by.audience)? {
        return wrong(700_212, "audience", &by.audience);
    }
    if claims.text("sub")? != by.subject {
        return wrong(700_213, "subject", &by.subject);
    }
    let now = now.as_second() as f64;
    let ends = claims.moment("exp")?.ok_or("has no claim 'exp'")?;
    let begins = [claims.moment("nbf")?, claims.moment("iat")?];
    let begun = |from: f64| from <= now + LEEWAY && from < ends;
    if ends + LEEWAY <= now || !begins.into_iter().flatten().all(begun) {
        let message = "The client assertion is not within its valid time range.";
        return Ok(Err((700_024, message.to_owned())));
    }
    Ok(Ok(()))
}

fn unsigned(why: &str) -> Refused {
    let message = format!("The client assertion failed signature validation: {why}.");
    (700_027, message)
}

/// The issuer's one key that may have signed this.
fn key_of<'k>(token: &Unverified<'_>, keys: &'k JwkSet) -> Result<&'k Jwk, Refused> {
    let named = |key: &&Jwk| token.key_id.is_none() || key.common.key_id == token.key_id;
    let mut fitting = keys.keys.iter().filter(named);
    let name = token.key_id.as_deref().unwrap_or_default();
    match (fitting.next(), fitting.next()) {
        (Some(key), None) if signs(key, token.algorithm) => Ok(key),
        (Some(_), None) => Err(unsigned(&format!(
            "the issuer's key '{name}' is not for signing by {:?}",
            token.algorithm
        ))),
        (Some(_), Some(_)) => Err(unsigned(&format!(
            "the issuer's key set has more than one key '{name}'"
        ))),
        (None, _) => Err(unsigned(&format!(
            "the issuer's key set has no key '{name}'"
        ))),
    }
}

/// Whether a key is of the kind that an algorithm needs, and its owner does not say that it is for something else.
fn signs(key: &Jwk, algorithm: Algorithm) -> bool {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    let common = &key.common;
    let used = common.public_key_use.as_ref();
    let operations = common.key_operations.as_ref();
    let named = common.key_algorithm;
    let fits = match &key.algorithm {
        AlgorithmParameters::RSA(_) => {
            matches!(algorithm, RS256 | RS384 | RS512 | PS256 | PS384 | PS512)
        }
        AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
            EllipticCurve::P256 => algorithm == ES256,
            EllipticCurve::P384 => algorithm == ES384,
            _ => false,
        },
        AlgorithmParameters::OctetKeyPair(pair) => {
            pair.curve == EllipticCurve::Ed25519 && algorithm == EdDSA
        }
        _ => false,
    };
    fits && used.is_none_or(|used| *used == PublicKeyUse::Signature)
        && operations.is_none_or(|all| all.contains(&KeyOperations::Verify))
        && named.is_none_or(|named| named == algorithm.into())
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
    let text = private::read_believed(path).map_err(|error| error.to_string())?;
    let text = text.ok_or_else(|| "there is no such file".to_owned())?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jsonwebtoken::{EncodingKey, crypto};
    use rcgen::KeyPair;
    use serde_json::{Value, json};

    /// The moment of these tests, in seconds since 1970.
    const NOW: i64 = 1_800_000_000;
    const HEADER: &str = r#"{"alg":"ES256","kid":"k1"}"#;

    /// An issuer with a key, and the identity that signs in by its word.
    struct Issuer {
        key: EncodingKey,
        by: Federated,
        dir: tempfile::TempDir,
    }

    impl Issuer {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let pair = KeyPair::generate().unwrap();
            let by = Federated {
                issuer: "https://issuer".to_owned(),
                subject: "system:serviceaccount:a:b".to_owned(),
                audience: "kluis".to_owned(),
                keys_file: dir.path().join("keys.json"),
            };
            let issuer = Self {
                key: EncodingKey::from_ec_der(&pair.serialize_der()),
                by,
                dir,
            };
            // An uncompressed point: 4, and both coordinates.
            let point = pair.public_key_raw();
            let (x, y) = (base64(&point[1..33]), base64(&point[33..]));
            issuer.publishes(&json!([{"kty": "EC", "crv": "P-256", "kid": "k1", "x": x, "y": y}]));
            issuer
        }

        fn published(&self) -> Value {
            let text = std::fs::read(self.dir.path().join("keys.json")).unwrap();
            serde_json::from_slice::<Value>(&text).unwrap()["keys"].take()
        }

        fn publishes(&self, keys: &Value) {
            std::fs::write(&self.by.keys_file, json!({ "keys": keys }).to_string()).unwrap();
        }

        /// What comes of a token with this header and payload, truly signed: 0 when it is taken.
        fn says(&self, header: &str, claims: &str) -> u32 {
            self.hears(&self.signs(header, claims))
        }

        fn signs(&self, header: &str, claims: &str) -> String {
            let text = format!(
                "{}.{}",
                base64(header.as_bytes()),
                base64(claims.as_bytes())
            );
            let signature = crypto::sign(text.as_bytes(), &self.key, Algorithm::ES256).unwrap();
            format!("{text}.{signature}")
        }

        fn hears(&self, token: &str) -> u32 {
            let now = Timestamp::from_second(NOW).unwrap();
            check(&self.by, token, now)
                .err()
                .map_or(0, |(number, _)| number)
        }
    }

    fn base64(bytes: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn claims() -> Value {
        json!({
            "iss": "https://issuer", "sub": "system:serviceaccount:a:b", "aud": ["kluis"],
            "iat": NOW - 10, "nbf": NOW - 10, "exp": NOW + 600,
        })
    }

    #[test]
    fn each_claim_has_its_type_and_its_value() {
        let issuer = Issuer::new();
        assert_eq!(issuer.says(HEADER, &claims().to_string()), 0);
        for (name, value, number) in [
            ("iss", json!(["https://issuer"]), 50_027),
            ("iss", json!({"https://issuer": true}), 50_027),
            ("iss", json!(null), 50_027),
            ("iss", json!("https://issuer/"), 700_211),
            ("iss", json!("HTTPS://issuer"), 700_211),
            ("aud", json!("kluis"), 0),
            ("aud", json!(["other", "kluis"]), 0),
            ("aud", json!([]), 700_212),
            ("aud", json!(["other"]), 700_212),
            ("aud", json!(["kluis", 1]), 50_027),
            ("aud", json!([["kluis"]]), 50_027),
            ("aud", json!({"kluis": "kluis"}), 50_027),
            ("sub", json!(["system:serviceaccount:a:b"]), 50_027),
            ("sub", json!(7), 50_027),
            ("sub", json!("system:serviceaccount:a:bb"), 700_213),
            ("exp", json!((NOW + 600).to_string()), 50_027),
            ("exp", json!(true), 50_027),
            ("exp", json!(null), 50_027),
            ("exp", json!([NOW + 600]), 50_027),
            ("exp", json!(-1), 50_027),
            ("exp", json!(1e300), 50_027),
            ("exp", json!(u64::MAX), 50_027),
            ("exp", json!(NOW as f64 + 600.5), 0),
            ("exp", json!(NOW - 61), 700_024),
            ("exp", json!(NOW - 30), 700_024),
            ("nbf", json!(NOW + 61), 700_024),
            ("nbf", json!(NOW + 30), 0),
            ("nbf", json!("0"), 50_027),
            ("nbf", json!(1e300), 50_027),
            ("nbf", json!(NOW + 600), 700_024),
            ("iat", json!(NOW + 61), 700_024),
            ("iat", json!(false), 50_027),
            ("iat", json!({}), 50_027),
        ] {
            let mut told = claims();
            told[name] = value;
            assert_eq!(issuer.says(HEADER, &told.to_string()), number, "{told}");
        }
        for (name, number) in [
            ("iss", 50_027),
            ("aud", 50_027),
            ("sub", 50_027),
            ("exp", 50_027),
            ("nbf", 0),
            ("iat", 0),
        ] {
            let mut told = claims();
            told.as_object_mut().unwrap().remove(name);
            assert_eq!(
                issuer.says(HEADER, &told.to_string()),
                number,
                "without {name}"
            );
        }
        for odd in ["", "null", "[]", "\"text\"", "{", "{\"exp\":1e400}"] {
            assert_eq!(issuer.says(HEADER, odd), 50_027, "{odd}");
        }
        let twice = claims().to_string().replacen('{', r#"{"sub":"x","#, 1);
        assert_eq!(issuer.says(HEADER, &twice), 50_027, "{twice}");
        let nested = claims()
            .to_string()
            .replacen('{', r#"{"a":{"b":1,"b":2},"#, 1);
        assert_eq!(issuer.says(HEADER, &nested), 50_027, "{nested}");
        let deep = claims().to_string().replacen(
            '{',
            &format!(r#"{{"a":{}{},"#, "[".repeat(200), "]".repeat(200)),
            1,
        );
        assert_eq!(issuer.says(HEADER, &deep), 50_027);
    }

    #[test]
    fn each_header_is_known_to_be_harmless() {
        let issuer = Issuer::new();
        let claims = claims().to_string();
        for (header, number) in [
            (r#"{"alg":"ES256"}"#, 0),
            (
                r#"{"alg":"ES256","typ":"JWT","x5t":"a","jku":"https://evil"}"#,
                0,
            ),
            (r#"{"alg":"ES256","typ":"at+jwt"}"#, 0),
            (r#"{"alg":"none"}"#, 50_027),
            (r#"{"alg":"None","kid":"k1"}"#, 50_027),
            (r#"{"alg":"es256"}"#, 50_027),
            (r#"{"alg":"HS256","kid":"k1"}"#, 50_027),
            (r#"{"alg":["ES256"]}"#, 50_027),
            (r#"{"alg":null}"#, 50_027),
            (r#"{"kid":"k1"}"#, 50_027),
            (r#"{"alg":"RS256","kid":"k1"}"#, 700_027),
            (r#"{"alg":"ES384","kid":"k1"}"#, 700_027),
            (r#"{"alg":"EdDSA","kid":"k1"}"#, 700_027),
            (r#"{"alg":"ES256","kid":"k2"}"#, 700_027),
            (r#"{"alg":"ES256","kid":""}"#, 700_027),
            (r#"{"alg":"ES256","kid":["k1"]}"#, 50_027),
            (r#"{"alg":"ES256","kid":1}"#, 50_027),
            (r#"{"alg":"ES256","kid":null}"#, 50_027),
            (r#"{"alg":"ES256","crit":["x"],"x":1}"#, 50_027),
            (r#"{"alg":"ES256","crit":["exp"]}"#, 50_027),
            (r#"{"alg":"ES256","crit":[]}"#, 50_027),
            (r#"{"alg":"ES256","b64":false,"crit":["b64"]}"#, 50_027),
            (r#"{"alg":"ES256","b64":false}"#, 50_027),
            (r#"{"alg":"ES256","zip":"DEF"}"#, 50_027),
            (r#"{"alg":"ES256","enc":"A128GCM"}"#, 50_027),
            (r#"{"alg":"ES256","typ":"logout+jwt"}"#, 50_027),
            (r#"{"alg":"ES256","typ":["JWT"]}"#, 50_027),
            (r#"{"alg":"ES256","cty":"JWT"}"#, 50_027),
            (r#"{"alg":"ES256","alg":"ES256"}"#, 50_027),
            (r#"{"alg":"none","alg":"ES256"}"#, 50_027),
            ("[]", 50_027),
            ("", 50_027),
        ] {
            assert_eq!(issuer.says(header, &claims), number, "{header}");
        }
    }

    #[test]
    fn a_token_has_three_parts_of_a_bounded_size_and_one_signature() {
        let issuer = Issuer::new();
        let token = issuer.signs(HEADER, &claims().to_string());
        assert_eq!(issuer.hears(&token), 0);
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let other = Issuer::new().signs(HEADER, &claims().to_string());
        for (odd, number) in [
            (String::new(), 50_027),
            ("..".to_owned(), 50_027),
            (signed.to_owned(), 50_027),
            (format!("{signed}."), 700_027),
            (format!("{signed}.{signature}="), 700_027),
            (format!("{token}.{signature}"), 50_027),
            (format!(" {token}"), 50_027),
            (token.replacen('.', "=.", 1), 50_027),
            (other, 700_027),
        ] {
            assert_eq!(issuer.hears(&odd), number, "{odd}");
        }
        let mut long = claims();
        long["groups"] = json!("x".repeat(16 << 10));
        assert_eq!(issuer.says(HEADER, &long.to_string()), 50_027);
    }

    #[test]
    fn a_key_is_one_and_for_signing() {
        let issuer = Issuer::new();
        let published = issuer.published();
        let with = |name: &str, value: Value| {
            let mut key = published[0].clone();
            key[name] = value;
            key
        };
        let claims = claims().to_string();
        let other = with("kid", json!("k2"));
        for (keys, header, number) in [
            (json!([published[0], other]), HEADER, 0),
            (json!([published[0], other]), r#"{"alg":"ES256"}"#, 700_027),
            (json!([published[0], published[0]]), HEADER, 700_027),
            (json!([with("use", json!("sig"))]), HEADER, 0),
            (json!([with("use", json!("enc"))]), HEADER, 700_027),
            (json!([with("alg", json!("ES256"))]), HEADER, 0),
            (json!([with("alg", json!("RS256"))]), HEADER, 700_027),
            (json!([with("key_ops", json!(["verify"]))]), HEADER, 0),
            (json!([with("key_ops", json!(["sign"]))]), HEADER, 700_027),
            (
                json!([{"kty": "oct", "kid": "k1", "k": "c2VjcmV0"}]),
                HEADER,
                700_027,
            ),
            (json!([]), HEADER, 700_027),
            (json!("keys"), HEADER, 700_027),
        ] {
            issuer.publishes(&keys);
            assert_eq!(issuer.says(header, &claims), number, "{keys}");
        }
        std::fs::remove_file(&issuer.by.keys_file).unwrap();
        assert_eq!(issuer.says(HEADER, &claims), 700_027);
    }
}
