//! Certificates are renewed while the service runs: a service that runs for longer than they hold goes on being trusted.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::ServiceError;
use super::certificates::{self, Dates, Ends};
use super::engine::Engine;
use axum_server::tls_rustls::RustlsConfig;

/// How often it is looked whether they are to be renewed: a clock that was wrong at the start is mended at any time.
const EVERY: Duration = Duration::from_secs(60);

/// The served certificate, and what it takes to make another.
#[derive(Debug)]
pub(super) struct Renewal {
    pub(super) tls: RustlsConfig,
    dir: PathBuf,
    listen: SocketAddr,
    ends: Mutex<Ends>,
}

impl Renewal {
    /// Makes the certificate for a start.
    pub(super) fn begin(
        dir: PathBuf,
        listen: SocketAddr,
        now: Dates,
    ) -> Result<Arc<Self>, ServiceError> {
        let issued = certificates::issue(&dir, listen, now)?;
        let ends = issued.ends;
        tracing::info!(served = %ends.served, authority = %ends.authority, "certificates hold until");
        Ok(Arc::new(Self {
            tls: RustlsConfig::from_config(certificates::server(issued)?),
            dir,
            listen,
            ends: Mutex::new(ends),
        }))
    }

    /// Until when the certificates hold.
    pub(super) fn ends(&self) -> Ends {
        *self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Renews what comes to its end. Connections that are open stay as they are.
    pub(super) fn look(&self, now: Dates) {
        if !self.ends().are_near(now) {
            return;
        }
        let renewed = certificates::issue(&self.dir, self.listen, now)
            .and_then(|issued| Ok((issued.ends, certificates::server(issued)?)));
        match renewed {
            Ok((ends, config)) => {
                self.tls.reload_from_config(config);
                *self.ends.lock().unwrap_or_else(PoisonError::into_inner) = ends;
                tracing::info!(served = %ends.served, authority = %ends.authority, "certificates were renewed and hold until");
            }
            Err(error) => tracing::error!(
                error = %crate::store::chain(&error), ends = %self.ends().served,
                "the certificate could not be renewed; it is tried again every {} s", EVERY.as_secs()
            ),
        }
    }
}

/// Looks after the certificates until it is aborted.
pub(super) async fn watch(renewal: Arc<Renewal>, engine: Arc<Engine>) {
    loop {
        tokio::time::sleep(EVERY).await;
        let renewal = Arc::clone(&renewal);
        let now = certificates::dates(engine.clock.bounds());
        let looked = tokio::task::spawn_blocking(move || renewal.look(now));
        if let Err(error) = looked.await {
            tracing::error!(%error, "nobody looked after the certificates; they are looked at again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::authority;
    use time::{Duration as Days, OffsetDateTime};

    #[test]
    fn a_service_that_runs_for_years_is_served_by_what_holds() {
        let dir = tempfile::tempdir().unwrap();
        let start = OffsetDateTime::UNIX_EPOCH + Days::days(20_000);
        let listen = ([127, 0, 0, 1], 8443).into();
        let renewal = Renewal::begin(dir.path().to_owned(), listen, (start, start)).unwrap();
        let first = renewal.tls.get_inner();
        renewal.look((start + Days::days(300), start + Days::days(300)));
        assert!(Arc::ptr_eq(&first, &renewal.tls.get_inner()), "it holds");
        for day in (330..12 * 365).step_by(7) {
            let now = start + Days::days(day);
            renewal.look((now, now));
            let ends = renewal.ends();
            assert!(ends.served > now && ends.authority - now > authority::RENEWED - Days::days(7));
        }
        assert!(!Arc::ptr_eq(&first, &renewal.tls.get_inner()));
        // A folder that can't be read costs a line of the log, and no service.
        let kept = renewal.ends();
        std::fs::write(dir.path().join("ca.key"), "broken").unwrap();
        let far = start + Days::days(20 * 365);
        renewal.look((far, far));
        assert_eq!(renewal.ends(), kept);
    }
}
