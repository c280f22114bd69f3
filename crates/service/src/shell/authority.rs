//! The service's own certificate authority, which clients trust by `DIR/ca.pem`.
//!
//! It is made once and kept. When it comes to its end it is issued anew with the same name and the same key: what it signs is
//! taken by those who trust the old `ca.pem` for as long as that holds, and they have [`RENEWED`] to take the new one. It is
//! never exchanged for another: where its key is gone, the service says so and does not start.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData,
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use time::{Duration, OffsetDateTime};

use super::certificates::{Dates, begins, failed};
use super::{ServiceError, private};

/// How long an authority holds.
const HOLDS: Duration = Duration::days(3650);
/// How long before its end it is issued anew.
pub(super) const RENEWED: Duration = Duration::days(365);

/// The authority, able to sign.
pub(super) struct Authority {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) ends: OffsetDateTime,
    pub(super) issuer: Issuer<'static, KeyPair>,
}

/// The kept authority; made when there is none, and issued anew when its end is near or its time has not come yet.
///
/// # Errors
/// When its files can't be read or written, or don't belong together.
pub(super) fn load(dir: &Path, now: Dates) -> Result<Authority, ServiceError> {
    let (pem_path, key_path) = (dir.join("ca.pem"), dir.join("ca.key"));
    let io = |path: &Path| ServiceError::io("read or write", path);
    let pem = private::read(&pem_path).map_err(io(&pem_path))?;
    let key = match private::read(&key_path).map_err(io(&key_path))? {
        Some(key) => KeyPair::from_pem(&key).map_err(failed(
            "read the authority's key in ca.key; put it back, or remove ca.pem and ca.key to have new ones made, which clients \
             then have to be given",
        ))?,
        None if pem.is_some() => {
            return Err(ServiceError::Unusable {
                path: key_path,
                message: "it is missing, and nothing else can sign for the authority in ca.pem, which clients trust; put it \
                          back, or remove ca.pem to have a new authority made, which clients then have to be given (kluis \
                          connection)"
                    .to_owned(),
            });
        }
        None => {
            let key = KeyPair::generate().map_err(failed("make the authority's key"))?;
            private::write(&key_path, key.serialize_pem().as_bytes()).map_err(io(&key_path))?;
            key
        }
    };
    let kept = pem.as_deref().map(Kept::read).transpose()?;
    if let (Some(pem), Some(kept)) = (&pem, &kept) {
        if kept.key != key.subject_public_key_info() {
            return Err(ServiceError::Unusable {
                path: key_path,
                message: "it is not the key of the authority in ca.pem, which clients trust; put the right one back, or remove \
                          both to have new ones made, which clients then have to be given (kluis connection)"
                    .to_owned(),
            });
        }
        if kept.from <= now.0 && now.1.saturating_add(RENEWED) <= kept.to {
            return authority(pem, kept.to, key);
        }
    }
    // Never for less time than before: the clock may be what is wrong.
    let (mut from, mut to) = (begins(now), now.1.saturating_add(HOLDS));
    if let Some(kept) = &kept {
        (from, to) = (from.min(kept.from), to.max(kept.to));
    }
    let fresh = described(from, to)
        .and_then(|params| params.self_signed(&key))
        .map_err(failed("make the authority"))?
        .pem();
    private::write(&pem_path, fresh.as_bytes()).map_err(io(&pem_path))?;
    if let Some(kept) = kept {
        tracing::warn!(
            now = %now.1, from = %kept.from, to = %kept.to, new_end = %to, file = %pem_path.display(),
            "the authority that clients trust comes to its end, or did, by this machine's time: it is issued anew, with the \
             same key. Give clients the new ca.pem (kluis connection prints it); those that look at the old one's dates refuse \
             it once it has expired"
        );
    }
    authority(&fresh, to, key)
}

fn authority(pem: &str, ends: OffsetDateTime, key: KeyPair) -> Result<Authority, ServiceError> {
    let params = described(ends, ends).map_err(failed("describe the authority"))?;
    Ok(Authority {
        certificate: der(pem)?,
        ends,
        issuer: Issuer::new(params, key),
    })
}

/// What a kept authority says of itself.
struct Kept {
    from: OffsetDateTime,
    to: OffsetDateTime,
    key: Vec<u8>,
}

impl Kept {
    fn read(pem: &str) -> Result<Self, ServiceError> {
        let der = der(pem)?;
        let (_, parsed) = x509_parser::parse_x509_certificate(&der).map_err(failed(BROKEN))?;
        let validity = parsed.validity();
        Ok(Self {
            from: validity.not_before.to_datetime(),
            to: validity.not_after.to_datetime(),
            key: parsed.public_key().raw.to_vec(),
        })
    }
}

const BROKEN: &str = "read the authority in ca.pem; put it back, or remove it to have it issued anew with the key in ca.key";

fn der(pem: &str) -> Result<CertificateDer<'static>, ServiceError> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(failed(BROKEN))
}

/// The authority's description: always the same but for its dates, so that the kept key signs as the kept certificate says.
fn described(from: OffsetDateTime, to: OffsetDateTime) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = named("Kluis service CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    (params.not_before, params.not_after) = (from, to);
    Ok(params)
}

pub(super) fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(days: i64) -> Dates {
        let day = OffsetDateTime::UNIX_EPOCH + Duration::days(20_000 + days);
        (day, day)
    }

    fn refused(dir: &Path) -> String {
        load(dir, day(0)).map(drop).unwrap_err().to_string()
    }

    #[test]
    fn an_authority_is_never_exchanged_for_another() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        load(dir, day(0)).unwrap();
        let (pem, key) = (dir.join("ca.pem"), dir.join("ca.key"));
        let kept = std::fs::read(&pem).unwrap();
        let right = std::fs::read(&key).unwrap();
        std::fs::remove_file(&key).unwrap();
        assert!(refused(dir).contains("ca.key can't be used: it is missing"));
        let other = KeyPair::generate().unwrap().serialize_pem();
        std::fs::write(&key, other).unwrap();
        assert!(refused(dir).contains("not the key of the authority"));
        std::fs::write(&key, right).unwrap();
        std::fs::write(&pem, "").unwrap();
        assert!(refused(dir).contains("read the authority in ca.pem"));
        std::fs::write(&pem, &kept).unwrap();
        let found = load(dir, day(1)).unwrap();
        assert_eq!(std::fs::read(&pem).unwrap(), kept, "as it was");
        assert_eq!(found.ends, day(0).0 + HOLDS);
        std::fs::remove_file(&pem).unwrap();
        load(dir, day(2)).unwrap();
        let again = Kept::read(&std::fs::read_to_string(&pem).unwrap()).unwrap();
        let before = Kept::read(&String::from_utf8(kept).unwrap()).unwrap();
        assert_eq!(again.key, before.key, "made from the key that is kept");
    }
}
