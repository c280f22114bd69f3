//! The service's own certificate authority and the certificate that it serves with.
//!
//! The authority is made once and kept, so that clients that trust `DIR/ca.pem` go on trusting; the served certificate is
//! made anew at each start and its key never touches the disk. All of this is valid by the service's time and by the machine's clock:
//! where they differ, a certificate by the one that is wrong would be none for everybody else.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};
use time::{Duration, OffsetDateTime};

use super::{ServiceError, private};

/// The earliest and the latest that it may be now.
type Dates = (OffsetDateTime, OffsetDateTime);

/// What the server needs to speak TLS on this address: the authority from the data folder and a new certificate.
pub(super) fn server(
    dir: &Path,
    listen: SocketAddr,
    times: (Timestamp, Timestamp),
) -> Result<Arc<rustls::ServerConfig>, ServiceError> {
    let failed = |doing: &'static str| {
        move |error: &dyn std::fmt::Display| ServiceError::Certificates {
            doing,
            message: error.to_string(),
        }
    };
    let (pem_path, key_path) = (dir.join("ca.pem"), dir.join("ca.key"));
    let io = |path: &Path| ServiceError::io("read or write", path);
    let kept = (
        private::read(&pem_path).map_err(io(&pem_path))?,
        private::read(&key_path).map_err(io(&key_path))?,
    );
    let date = |time: Timestamp| {
        OffsetDateTime::from_unix_timestamp(time.as_second())
            .map_err(|e| failed("date a certificate")(&e))
    };
    let dates = (date(times.0)?, date(times.1)?);
    let params = authority(dates).map_err(|e| failed("describe the authority")(&e))?;
    let (pem, key) = match kept {
        (Some(pem), Some(key)) => {
            let broken = failed(
                "read the authority's key in ca.key; remove ca.pem and ca.key to have new ones made",
            );
            (pem, KeyPair::from_pem(&key).map_err(|e| broken(&e))?)
        }
        _ => {
            let key = KeyPair::generate().map_err(|e| failed("make the authority's key")(&e))?;
            let pem = params
                .self_signed(&key)
                .map_err(|e| failed("make the authority")(&e))?
                .pem();
            private::write(&key_path, key.serialize_pem().as_bytes()).map_err(io(&key_path))?;
            private::write(&pem_path, pem.as_bytes()).map_err(io(&pem_path))?;
            (pem, key)
        }
    };
    let authority =
        CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|e| failed("read ca.pem")(&e))?;
    let leaf_key = KeyPair::generate().map_err(|e| failed("make the server's key")(&e))?;
    let issuer = Issuer::new(params, key);
    let leaf = leaf(listen, dates).and_then(|leaf| leaf.signed_by(&leaf_key, &issuer));
    let leaf = leaf.map_err(|e| failed("sign the server's certificate")(&e))?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(vec![leaf.der().clone(), authority], key)
        })
        .map_err(|e| failed("set up TLS")(&e))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The authority's description: always the same but for its dates, so that the kept key signs as the kept certificate says.
fn authority(dates: Dates) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = named("Kluis service CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    params.not_before = dates.0 - Duration::DAY;
    params.not_after = dates.1 + Duration::days(3650);
    Ok(params)
}

/// The certificate for this machine, for the address listened on, and for the names in `KLUIS_TLS_NAMES` (between commas): those
/// by which clients on other machines know this one, such as a Kubernetes service's.
fn leaf(listen: SocketAddr, dates: Dates) -> Result<CertificateParams, rcgen::Error> {
    let given = std::env::var("KLUIS_TLS_NAMES").unwrap_or_default();
    let given = given
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    let names: Vec<String> = std::iter::once("localhost")
        .chain(given)
        .map(str::to_owned)
        .collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = named("kluis service");
    let mut addresses = vec![
        IpAddr::from([127, 0, 0, 1]),
        IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
    ];
    if !listen.ip().is_unspecified() && !addresses.contains(&listen.ip()) {
        addresses.push(listen.ip());
    }
    params
        .subject_alt_names
        .extend(addresses.into_iter().map(SanType::IpAddress));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params.not_before = dates.0 - Duration::DAY;
    params.not_after = dates.1 + Duration::days(396);
    Ok(params)
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}
