//! Until when the certificates hold that an endpoint is trusted by.

use jiff::Timestamp;
use x509_parser::pem::Pem;

/// When the last of the certificates ends; none where none can be read. A bundle that is being exchanged has the old one beside the new one.
#[must_use]
pub fn ca_bundle_ends(pem: &str) -> Option<Timestamp> {
    let ends = Pem::iter_from_buffer(pem.as_bytes()).filter_map(|block| {
        let block = block.ok()?;
        let certificate = block.parse_x509().ok()?;
        Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
    });
    ends.max()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn until(year: i32) -> String {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 3, 1);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().pem()
    }

    #[test]
    fn the_last_certificate_counts_and_what_is_none_does_not() {
        let ends = |pem: &str| ca_bundle_ends(pem).map(|end| end.to_string());
        let (old, new) = (until(2027), until(2036));
        assert_eq!(ends(&old), Some("2027-03-01T00:00:00Z".to_owned()));
        let both = format!("# old\n{old}\n# new\n{new}");
        assert_eq!(ends(&both), Some("2036-03-01T00:00:00Z".to_owned()));
        let torn = old.replace("MII", "MI!");
        for none in ["", "not a certificate", torn.as_str()] {
            assert_eq!(ends(none), None, "{none}");
        }
    }
}
