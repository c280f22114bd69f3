//! The certificate that the service serves with: made anew at each start, and while the service runs before it ends; its key
//! never touches the disk. It holds by the service's time and by the machine's clock: where they differ, a certificate by the one
//! that is wrong would be none for everybody else.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, SanType};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use time::{Duration, OffsetDateTime};

use super::ServiceError;
use super::authority::{self, named};

/// How long a served certificate holds. Clients of some platforms take none that holds for longer.
const HOLDS: Duration = Duration::days(397);
/// How long before its end a served certificate is made anew.
const RENEWED: Duration = Duration::days(60);
/// How far a client's clock may be behind.
const SKEW: Duration = Duration::DAY;

/// The earliest and the latest that it may be now.
pub(super) type Dates = (OffsetDateTime, OffsetDateTime);

/// The same of the service's clock.
pub(super) fn dates((earliest, latest): (Timestamp, Timestamp)) -> Dates {
    let date = |time: Timestamp| OffsetDateTime::from_unix_timestamp(time.as_second());
    let date = |time| date(time).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    (date(earliest), date(latest))
}

/// From when on a certificate holds that is made now. Not from before 1970: rustls takes none that does, and a clock may stand there.
pub(super) fn begins((earliest, _): Dates) -> OffsetDateTime {
    earliest
        .saturating_sub(SKEW)
        .max(OffsetDateTime::UNIX_EPOCH)
}

/// Until when the certificates hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) authority: OffsetDateTime,
    pub(super) served: OffsetDateTime,
    /// From when on the served one holds.
    from: OffsetDateTime,
}

impl Ends {
    /// Whether it is time for new ones; also when the clock was set back, and the served one does not hold yet.
    pub(super) fn are_near(&self, (earliest, latest): Dates) -> bool {
        earliest < self.from
            || latest.saturating_add(RENEWED) > self.served
            || latest.saturating_add(authority::RENEWED) > self.authority
    }
}

/// A certificate that was made to be served.
pub(super) struct Issued {
    /// It, and the authority that signed it.
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    pub(super) ends: Ends,
}

/// Makes a certificate for this address, by the authority in the data folder.
pub(super) fn issue(dir: &Path, listen: SocketAddr, now: Dates) -> Result<Issued, ServiceError> {
    let authority = authority::load(dir, now)?;
    let key = KeyPair::generate().map_err(failed("make the server's key"))?;
    let from = begins(now);
    let ends = Ends {
        authority: authority.ends,
        served: now.1.saturating_sub(SKEW).saturating_add(HOLDS),
        from,
    };
    let leaf = described(listen, &ends)
        .and_then(|leaf| leaf.signed_by(&key, &authority.issuer))
        .map_err(failed("sign the server's certificate"))?;
    Ok(Issued {
        chain: vec![leaf.der().clone(), authority.certificate],
        key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        ends,
    })
}

/// What the server needs to speak TLS with it.
pub(super) fn server(issued: Issued) -> Result<Arc<ServerConfig>, ServiceError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(issued.chain, issued.key)
        })
        .map_err(failed("set up TLS"))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Names what was being done with a certificate.
pub(super) fn failed<E: std::fmt::Display>(doing: &'static str) -> impl FnOnce(E) -> ServiceError {
    move |error| ServiceError::Certificates {
        doing,
        message: error.to_string(),
    }
}

/// The certificate for this machine, for the address listened on, and for the names in `KLUIS_TLS_NAMES` (between commas): those
/// by which clients on other machines know this one, such as a Kubernetes service's.
fn described(listen: SocketAddr, ends: &Ends) -> Result<CertificateParams, rcgen::Error> {
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
    (params.not_before, params.not_after) = (ends.from, ends.served);
    Ok(params)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{ServerName, UnixTime};

    fn day(days: i64) -> Dates {
        let day = OffsetDateTime::UNIX_EPOCH + Duration::days(20_000 + days);
        (day, day)
    }

    /// What is served from a day on, and the `ca.pem` of that day.
    fn issued(dir: &Path, days: i64) -> (Issued, String) {
        let issued = issue(dir, ([127, 0, 0, 1], 8443).into(), day(days)).unwrap();
        let pem = std::fs::read_to_string(dir.join("ca.pem")).unwrap();
        (issued, pem)
    }

    /// Whether who trusts this `ca.pem` takes what is served, at a day.
    fn takes(pem: &str, served: &Issued, days: i64) -> bool {
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        let seconds = u64::try_from(day(days).0.unix_timestamp()).unwrap();
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let (leaf, others) = served.chain.split_first().unwrap();
        let verifier = verifier.build().unwrap();
        let verified = verifier.verify_server_cert(leaf, others, &name, &[], now);
        verified.is_ok()
    }

    #[test]
    fn what_is_served_is_made_anew_before_it_ends() {
        let dir = tempfile::tempdir().unwrap();
        let (first, pem) = issued(dir.path(), 0);
        assert!(takes(&pem, &first, 0) && takes(&pem, &first, 390) && !takes(&pem, &first, 397));
        assert!(!first.ends.are_near(day(330)) && first.ends.are_near(day(340)));
        assert!(first.ends.are_near(day(-10)), "a clock that was set back");
        let (second, same) = issued(dir.path(), 340);
        assert_eq!(same, pem, "clients trust what they trusted");
        assert!(takes(&pem, &second, 700) && !second.ends.are_near(day(341)));
    }

    #[test]
    fn an_authority_at_its_end_is_issued_anew_and_who_trusts_the_old_one_takes_what_it_signs() {
        let dir = tempfile::tempdir().unwrap();
        let (_, old) = issued(dir.path(), 0);
        for days in [3650 - 300, 3650 + 10] {
            let (served, new) = issued(dir.path(), days);
            assert!(!served.ends.are_near(day(days + 1)), "not for ever");
            assert!(new != old && takes(&new, &served, days) && takes(&old, &served, days));
        }
    }

    #[test]
    fn a_first_start_in_1970_is_mended_once_the_clock_is_right() {
        let dir = tempfile::tempdir().unwrap();
        let (first, old) = issued(dir.path(), -20_000);
        assert!(first.ends.are_near(day(0)) && !takes(&old, &first, 0));
        let (second, new) = issued(dir.path(), 0);
        assert!(takes(&new, &second, 0) && takes(&old, &second, 0));
        let (third, last) = issued(dir.path(), -20_000);
        assert!(
            last == new && takes(&old, &third, -20_000),
            "and back again"
        );
    }

    #[test]
    fn the_end_of_time_is_no_panic() {
        let dir = tempfile::tempdir().unwrap();
        let last = OffsetDateTime::UNIX_EPOCH + Duration::seconds(253_402_300_799);
        issue(dir.path(), ([127, 0, 0, 1], 1).into(), (last, last)).unwrap();
    }
}
