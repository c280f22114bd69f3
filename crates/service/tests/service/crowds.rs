//! Callers who take more than their share: they shut nobody else out, and what they hold is taken from them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use kluis_service::{Limits, Running, start};

use crate::shell::{Answer, bearer, call, config, connect, vault};
use crate::world::INVENTORY;

type Tls = rustls::StreamOwned<rustls::ClientConnection, TcpStream>;

fn service(dir: &Path, limits: Limits) -> Running {
    let mut config = config(dir);
    config.limits = limits;
    start(config).unwrap()
}

/// A connection whose handshake is over and that says nothing.
fn silent(service: &Running, dir: &Path) -> Tls {
    let (mut stream, _) = connect(service, dir);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).unwrap();
    }
    stream
}

/// A request of which the first byte of the body arrives, and no other.
fn slow(service: &Running, dir: &Path, method: &str, target: &str, token: &str) -> Tls {
    let (mut stream, address) = connect(service, dir);
    let text = format!(
        "{method} {target} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {token}\r\nContent-Length: 1000\r\n\r\n{{"
    );
    stream.write_all(text.as_bytes()).unwrap();
    stream
}

/// The status that is answered in the end, and how long that took; none when the connection is closed instead.
fn answered(mut stream: Tls) -> Option<u16> {
    let patience = Some(Duration::from_secs(60));
    stream.sock.set_read_timeout(patience).unwrap();
    let mut answer = Vec::new();
    // A server that closes without TLS's farewell has still answered, or not.
    if let Err(error) = stream.read_to_end(&mut answer) {
        assert_ne!(
            error.kind(),
            std::io::ErrorKind::WouldBlock,
            "nobody ended it"
        );
    }
    let text = String::from_utf8_lossy(&answer);
    text.split(' ').nth(1).map(|status| status.parse().unwrap())
}

fn owner_asks(service: &Running, dir: &Path, token: &str) -> Answer {
    let path = format!("{}?api-version=2024-04-01", vault(service));
    let headers = [("Authorization", token)];
    call(
        service,
        dir,
        "PUT",
        &path,
        &headers,
        r#"{"location":"westeurope"}"#,
    )
}

#[test]
fn a_thousand_silent_connections_shut_nobody_out() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let service = service(dir, Limits::default());
    let mut crowd: Vec<Tls> = (0..1007).map(|_| silent(&service, dir)).collect();
    let token = bearer(&service, dir);
    assert_eq!(owner_asks(&service, dir, &token).status, 201);
    let first = crowd.swap_remove(0);
    assert_eq!(
        answered(first),
        None,
        "the first was closed for a later one"
    );
    service.shutdown().unwrap();
}

#[test]
fn who_says_nothing_is_disconnected() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let second = Duration::from_secs(1);
    let limits = Limits {
        handshake: second,
        idle: second,
        ..Limits::default()
    };
    let service = service(dir, limits);
    assert_eq!(
        answered(silent(&service, dir)),
        None,
        "silent after its handshake"
    );
    let (stream, _) = connect(&service, dir);
    let mut bare = stream.sock;
    bare.set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    assert!(
        matches!(bare.read(&mut [0]), Ok(0) | Err(_)),
        "silent before it"
    );
    let (mut half, _) = connect(&service, dir);
    half.write_all(b"GET /healthz HTTP/1.1\r\nHost: ").unwrap();
    assert!(matches!(answered(half), None | Some(408)), "half a head");
    let mut used = silent(&service, dir);
    used.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    assert_eq!(answered(used), Some(200), "answered, and closed once idle");
    service.shutdown().unwrap();
}

#[test]
fn slow_bodies_of_one_identity_leave_the_others_theirs() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let limits = Limits {
        requests: 6,
        requests_per_identity: 3,
        bodies_per_caller: 8,
        ..Limits::default()
    };
    let mut config = config(dir);
    config.limits = limits;
    for name in ["owner", "reader"] {
        std::fs::write(dir.join(name), format!("the secret of the {name}")).unwrap();
    }
    let identities = "identities:\n- { clientId: owner, role: Owner, secretFile: owner }\n- { clientId: reader, role: Reader, secretFile: reader }\n";
    std::fs::write(
        dir.join("inventory.yaml"),
        format!("{identities}{INVENTORY}"),
    )
    .unwrap();
    let service = start(config).unwrap();
    let owner = bearer(&service, dir);
    let form = "grant_type=client_credentials&client_id=reader&client_secret=the%20secret%20of%20the%20reader";
    let tenant = format!("/{}/oauth2/v2.0/token", service.credentials.tenant_id);
    let granted = call(&service, dir, "POST", &tenant, &[], form);
    let reader = format!("Bearer {}", granted.body["access_token"].as_str().unwrap());
    let path = format!("{}?api-version=2024-04-01", vault(&service));
    let crowd: Vec<Tls> = (0..40)
        .map(|_| slow(&service, dir, "PUT", &path, &reader))
        .collect();
    assert_eq!(owner_asks(&service, dir, &owner).status, 201);
    let told: Vec<_> = crowd.into_iter().map(answered).collect();
    let count = |status| told.iter().filter(|told| **told == Some(status)).count();
    assert_eq!(count(429) + count(408), 40, "{told:?}");
    assert!(
        count(408) >= 8,
        "so many were listened to, and given up: {told:?}"
    );
    service.shutdown().unwrap();
}

#[test]
fn a_stranger_sends_little_and_not_for_long() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let service = service(dir, Limits::default());
    let tenant = format!("/{}/oauth2/v2.0/token", service.credentials.tenant_id);
    let large = "x".repeat((16 << 10) + 1);
    assert_eq!(
        call(&service, dir, "POST", &tenant, &[], &large).status,
        413
    );
    let crowd: Vec<Tls> = (0..150)
        .map(|_| slow(&service, dir, "POST", &tenant, ""))
        .collect();
    let told: Vec<_> = crowd.into_iter().map(answered).collect();
    let count = |status| told.iter().filter(|told| **told == Some(status)).count();
    assert_eq!(count(429) + count(408), 150, "{told:?}");
    assert!(count(408) >= 32, "{told:?}");
    bearer(&service, dir);
    service.shutdown().unwrap();
}
