//! The service as a process with few open files, behind a thousand connections that say nothing.

use std::net::TcpStream;
use std::sync::Arc;

use kluis_tests::https::Https;
use kluis_tests::place::scratch;
use kluis_tests::portal::Portal;
use kluis_tests::service::Service;
use kluis_tests::world::Sizes;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};

/// As was tried against it.
const CROWD: usize = 1_007;
/// What a process commonly may have open, and hardly more than `--max-connections`.
const OPEN_FILES: u64 = 640;

type Tls = rustls::StreamOwned<rustls::ClientConnection, TcpStream>;

/// A connection whose handshake is over, as far as the service lets it, and that says nothing.
fn silent(address: &str, config: &Arc<rustls::ClientConfig>) -> Tls {
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connection = rustls::ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut stream = rustls::StreamOwned::new(connection, TcpStream::connect(address).unwrap());
    while stream.conn.is_handshaking() {
        if stream.conn.complete_io(&mut stream.sock).is_err() {
            break;
        }
    }
    stream
}

fn trusting(service: &Service) -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(service.ca().as_bytes()).unwrap();
    roots.add(ca).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

#[test]
fn a_thousand_silent_connections_keep_nobody_out_and_no_backup_back() {
    // Our own ends of them are files, too.
    let own = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: own.maximum,
        ..own
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    let dir = scratch("crowd").unwrap();
    let portal = Portal::open(dir.path(), Sizes::SMALL).unwrap();
    portal.protect().unwrap();
    let id = Pid::from_raw(portal.service.id().try_into().unwrap());
    let few = Rlimit {
        current: Some(OPEN_FILES),
        maximum: Some(OPEN_FILES),
    };
    prlimit(id, Resource::Nofile, few).unwrap();

    let config = trusting(&portal.service);
    let address = portal.service.setup().listen.clone();
    let crowd: Vec<Tls> = (0..CROWD).map(|_| silent(&address, &config)).collect();
    // Somebody new, with a token, over a connection of his own.
    let credentials = portal.service.credentials();
    let new = Https::new(&credentials.endpoint, portal.service.ca(), None).unwrap();
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&scope=x",
        credentials.client_id, credentials.client_secret
    );
    let target = format!("/{}/oauth2/v2.0/token", credentials.tenant_id);
    let kind = "application/x-www-form-urlencoded";
    let granted = new.raw("POST", &target, Some((kind, form))).unwrap();
    let token = granted.body["access_token"].as_str().map(str::to_owned);
    assert!(token.is_some(), "{}", granted.text);
    let vault = new
        .with_token(token.as_deref())
        .get(&portal.path(""))
        .unwrap();
    assert_eq!(vault.status, 200, "{}", vault.text);
    // And what has to be done is done.
    portal.back_up().unwrap();
    portal.restore_and_compare().unwrap();
    drop(crowd);
}
