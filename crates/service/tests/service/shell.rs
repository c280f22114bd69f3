//! The whole service in this process: TLS, files, sign-in, restart.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use kluis_service::shell::Scripted;
use kluis_service::{
    Audit, ClockBelief, ClockMode, Config, InstantRestore, Limits, Movers, OnDemand, Running,
    Scrub, ServiceError, start,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};

use crate::world::INVENTORY;

pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }
}

pub(crate) fn config(dir: &Path) -> Config {
    let inventory = dir.join("inventory.yaml");
    std::fs::write(&inventory, INVENTORY).unwrap();
    Config {
        data_dir: dir.join("data"),
        inventory,
        listen: "127.0.0.1:0".parse().unwrap(),
        listen_http: Some("127.0.0.1:0".parse().unwrap()),
        metrics_listen: None,
        clock: ClockMode::Virtual,
        clock_belief: ClockBelief::default(),
        max_jobs: 1,
        on_demand: OnDemand::default(),
        compared_within: std::num::NonZeroU16::new(30).unwrap(),
        instant_restore: InstantRestore::default(),
        stalled_after: std::time::Duration::from_secs(1800),
        scrub: Scrub::OFF,
        passphrase_file: None,
        job_reads_per_hour: None,
        audit: Audit::default(),
        limits: Limits::default(),
        movers: Movers::Own(Box::new(Scripted::new(|_| Vec::new()))),
    }
}

fn service(dir: &Path) -> Running {
    start(config(dir)).unwrap()
}

/// One request over TLS, trusting the service's own authority and nothing else.
pub(crate) fn call(
    service: &Running,
    dir: &Path,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let (stream, address) = connect(service, dir);
    exchange(stream, &address, method, target, headers, body)
}

/// The same at one of the service's addresses, over TLS or not.
pub(crate) fn call_at(
    service: &Running,
    dir: &Path,
    at: &str,
    (method, target): (&str, &str),
    headers: &[(&str, &str)],
) -> Answer {
    match at.strip_prefix("http://") {
        None => call(service, dir, method, target, headers, ""),
        Some(host) => {
            let stream = TcpStream::connect(host).unwrap();
            exchange(stream, host, method, target, headers, "")
        }
    }
}

/// The head and the bytes of an answer that is no JSON.
pub(crate) fn bytes_of(
    service: &Running,
    dir: &Path,
    target: &str,
    token: &str,
    range: Option<&str>,
) -> (String, Vec<u8>) {
    let range = range.map_or_else(String::new, |range| format!("Range: {range}\r\n"));
    bytes_by(
        service,
        dir,
        ("GET", target),
        &format!("Authorization: {token}\r\n{range}"),
        "",
    )
}

/// The same for a request with a body.
pub(crate) fn bytes_by(
    service: &Running,
    dir: &Path,
    (method, target): (&str, &str),
    headers: &str,
    body: &str,
) -> (String, Vec<u8>) {
    let (mut stream, address) = connect(service, dir);
    let length = body.len();
    let text = format!(
        "{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    let end = answer
        .windows(4)
        .position(|bytes| bytes == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    (head, answer[end + 4..].to_vec())
}

pub(crate) fn connect(
    service: &Running,
    dir: &Path,
) -> (
    rustls::StreamOwned<rustls::ClientConnection, TcpStream>,
    String,
) {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(dir.join("data/ca.pem")).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let address = service.endpoint.trim_start_matches("https://");
    let name = ServerName::try_from(address.split(':').next().unwrap().to_owned()).unwrap();
    let connection = rustls::ClientConnection::new(Arc::new(tls), name).unwrap();
    let stream = rustls::StreamOwned::new(connection, TcpStream::connect(address).unwrap());
    (stream, address.to_owned())
}

fn exchange(
    mut stream: impl Read + Write,
    host: &str,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut text = format!(
        "{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    stream
        .write_all(format!("{text}\r\n{body}").as_bytes())
        .unwrap();
    let mut answer = Vec::new();
    // A server that closes without TLS's farewell has still answered.
    drop(stream.read_to_end(&mut answer));
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer {
        status,
        head: head.to_owned(),
        body: serde_json::from_str(body).unwrap_or(Value::Null),
    }
}

pub(crate) fn bearer(service: &Running, dir: &Path) -> String {
    let known = &service.credentials;
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&scope=https%3A%2F%2Fkluis%2F.default",
        known.client_id, known.client_secret
    );
    let answer = call(
        service,
        dir,
        "POST",
        &format!("/{}/oauth2/v2.0/token", known.tenant_id),
        &[],
        &form,
    );
    assert_eq!(answer.status, 200, "{}", answer.body);
    format!("Bearer {}", answer.body["access_token"].as_str().unwrap())
}

pub(crate) fn vault(service: &Running) -> String {
    let subscription = &service.credentials.subscription_id;
    format!(
        "/subscriptions/{subscription}/resourceGroups/shop-rg/providers/Microsoft.RecoveryServices/vaults/v1"
    )
}

/// Follows an operation to its end.
pub(crate) fn follow(service: &Running, dir: &Path, token: &str, answer: &Answer) -> Value {
    let url = answer.header("azure-asyncoperation").unwrap();
    let target = url.strip_prefix(&service.endpoint).unwrap();
    loop {
        let status = call(service, dir, "GET", target, &[("Authorization", token)], "");
        assert_eq!(status.status, 200, "{}", status.body);
        if status.body["status"] != "InProgress" {
            return status.body;
        }
        assert_eq!(status.header("retry-after"), Some("1"));
        std::thread::yield_now();
    }
}

#[test]
fn a_vault_is_made_over_tls_and_is_still_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let first = service(dir);
    let (token, path) = (
        bearer(&first, dir),
        format!("{}?api-version=2026-11-01", vault(&first)),
    );
    let headers = [
        ("Authorization", token.as_str()),
        ("x-ms-client-request-id", "mine"),
    ];
    let made = call(
        &first,
        dir,
        "PUT",
        &path,
        &headers,
        r#"{"location":"westeurope"}"#,
    );
    assert_eq!(
        (made.status, made.header("x-ms-client-request-id")),
        (201, Some("mine")),
        "{}",
        made.body
    );
    assert!(made.header("x-ms-request-id").is_some());
    let done = follow(&first, dir, &token, &made);
    assert_eq!(done["status"], "Succeeded", "{done}");
    assert!(dir.join("data/vaults/shop-rg/v1/config").exists());
    let asked = made
        .header("azure-asyncoperation")
        .unwrap()
        .strip_prefix(&first.endpoint)
        .unwrap()
        .to_owned();
    let before = first.credentials.clone();
    first.shutdown().unwrap();

    let second = service(dir);
    assert_eq!(second.credentials.client_secret, before.client_secret);
    let again = call(&second, dir, "GET", &asked, &headers, "");
    assert_eq!(
        (again.status, &again.body["status"]),
        (200, &json!("Succeeded")),
        "the operation outlives the service"
    );
    let found = call(&second, dir, "GET", &path, &headers, "");
    assert_eq!(found.body["properties"]["provisioningState"], "Succeeded");
    let gone = call(&second, dir, "DELETE", &path, &headers, "");
    assert_eq!(gone.status, 202, "{}", gone.body);
    assert_eq!(follow(&second, dir, &token, &gone)["status"], "Succeeded");
    assert!(!dir.join("data/vaults/shop-rg").exists());
    second.shutdown().unwrap();
}

#[test]
fn secrets_are_readable_by_their_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let running = service(dir.path());
    let token = bearer(&running, dir.path());
    let path = format!("{}?api-version=2024-04-01", vault(&running));
    let headers = [("Authorization", token.as_str())];
    let made = call(
        &running,
        dir.path(),
        "PUT",
        &path,
        &headers,
        r#"{"location":"westeurope"}"#,
    );
    follow(&running, dir.path(), &token, &made);
    let (mut left, mut seen) = (vec![dir.path().join("data")], Vec::new());
    while let Some(path) = left.pop() {
        let about = std::fs::symlink_metadata(&path).unwrap();
        let mode = about.permissions().mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", path.display());
        if about.is_dir() {
            left.extend(
                std::fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
        seen.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    for file in [
        "ca.key",
        "ca.pem",
        "credentials.json",
        "passphrase",
        "token.key",
        "state.db",
        "lock",
        "config",
    ] {
        assert!(seen.iter().any(|name| name == file), "{file}");
    }
    let text = std::fs::read_to_string(dir.path().join("data/credentials.json")).unwrap();
    let keys: Vec<String> = serde_json::from_str::<serde_json::Map<String, Value>>(&text)
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_eq!(
        keys,
        [
            "endpoint",
            "tenantId",
            "subscriptionId",
            "clientId",
            "clientSecret",
            "identityHeader"
        ]
    );
    running.shutdown().unwrap();
}

/// How an assertion is called by RFC 7523.
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

#[test]
fn who_is_not_known_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let running = service(dir.path());
    let known = running.credentials.clone();
    let ask = |form: &str| {
        call(
            &running,
            dir.path(),
            "POST",
            &format!("/{}/oauth2/v2.0/token", known.tenant_id),
            &[],
            form,
        )
    };
    let id = &known.client_id;
    let wrong = ask(&format!(
        "grant_type=client_credentials&client_id={id}&client_secret=guessed"
    ));
    assert_eq!(
        (wrong.status, &wrong.body["error"]),
        (401, &json!("invalid_client"))
    );
    let assertion = ask(&format!(
        "grant_type=client_credentials&client_id={id}&client_assertion=e30.e30.x&client_assertion_type={TYPE}"
    ));
    assert!(
        assertion.body["error_description"]
            .as_str()
            .unwrap()
            .contains("client_secret"),
        "{}",
        assertion.body
    );
    let path = format!("{}?api-version=2024-04-01", vault(&running));
    for token in ["", "Bearer", "Bearer e30.e30.e30", "Basic abc"] {
        let refused = call(
            &running,
            dir.path(),
            "GET",
            &path,
            &[("Authorization", token)],
            "",
        );
        assert_eq!(refused.status, 401, "{token}");
        assert!(
            refused
                .header("www-authenticate")
                .unwrap()
                .starts_with("Bearer authorization_uri="),
            "{token}"
        );
        assert!(refused.body["error"]["code"].is_string());
    }
    running.shutdown().unwrap();
}

#[test]
fn a_body_that_is_too_large_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let running = service(dir.path());
    let token = bearer(&running, dir.path());
    let path = format!("{}?api-version=2024-04-01", vault(&running));
    let body = " ".repeat((1 << 20) + 1);
    let refused = call(
        &running,
        dir.path(),
        "PUT",
        &path,
        &[("Authorization", &token)],
        &body,
    );
    assert_eq!(
        (refused.status, &refused.body["error"]["code"]),
        (413, &json!("RequestEntityTooLarge"))
    );
    running.shutdown().unwrap();
}

#[test]
fn a_managed_identity_signs_in_on_the_loopback() {
    let dir = tempfile::tempdir().unwrap();
    let running = service(dir.path());
    let plain = running.http_endpoint.clone().unwrap();
    let host = plain.trim_start_matches("http://");
    let ask = |header: &str| {
        let target = "/msi/token?resource=https%3A%2F%2Fkluis&api-version=2019-08-01";
        exchange(
            TcpStream::connect(host).unwrap(),
            host,
            "GET",
            target,
            &[("X-IDENTITY-HEADER", header)],
            "",
        )
    };
    assert_eq!(ask("guessed").status, 401);
    let granted = ask(&running.credentials.identity_header);
    assert!(granted.body["expires_on"].is_string(), "{}", granted.body);
    let token = format!("Bearer {}", granted.body["access_token"].as_str().unwrap());
    let list = call(
        &running,
        dir.path(),
        "GET",
        "/subscriptions?api-version=2022-12-01",
        &[("Authorization", &token)],
        "",
    );
    assert_eq!(
        list.body["value"][0]["subscriptionId"],
        running.credentials.subscription_id.as_str()
    );
    running.shutdown().unwrap();
}

#[test]
fn the_date_is_the_virtual_clocks_and_an_owner_moves_it() {
    let dir = tempfile::tempdir().unwrap();
    let running = service(dir.path());
    let token = bearer(&running, dir.path());
    let headers = [("Authorization", token.as_str())];
    let before = call(&running, dir.path(), "GET", "/_kluis/clock", &headers, "");
    let then: jiff::Timestamp = before.body["now"].as_str().unwrap().parse().unwrap();
    let moved = call(
        &running,
        dir.path(),
        "POST",
        "/_kluis/clock",
        &headers,
        r#"{"advance":"P400D"}"#,
    );
    assert_eq!(moved.status, 200, "{}", moved.body);
    let now: jiff::Timestamp = moved.body["now"].as_str().unwrap().parse().unwrap();
    assert_eq!(
        now.duration_since(then),
        jiff::SignedDuration::from_hours(400 * 24)
    );
    assert_eq!(
        (&moved.body["ran"], &moved.body["failed"]),
        (&json!(0), &json!(0))
    );
    let health = call(&running, dir.path(), "GET", "/healthz", &[], "");
    let date = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(health.header("date").unwrap())
        .unwrap();
    assert_eq!(date, now);
    for body in [
        "",
        "{}",
        r#"{"advance":"-PT1H"}"#,
        r#"{"advance":"P1M"}"#,
        r#"{"advance":"P9999Y"}"#,
        r#"{"advance":"x"}"#,
    ] {
        let refused = call(
            &running,
            dir.path(),
            "POST",
            "/_kluis/clock",
            &headers,
            body,
        );
        assert_eq!(refused.status, 400, "{body}: {}", refused.body);
    }
    running.shutdown().unwrap();
    let again = service(dir.path());
    let after = call(&again, dir.path(), "GET", "/_kluis/clock", &headers, "");
    assert_eq!(
        after.body["now"], moved.body["now"],
        "time does not run back at a restart"
    );
    again.shutdown().unwrap();
}

#[test]
fn a_start_that_can_not_go_well_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let running = service(dir.path());
    assert!(
        matches!(start(config(dir.path())), Err(ServiceError::InUse(_))),
        "two services never share a folder"
    );
    let token = bearer(&running, dir.path());
    let path = format!("{}?api-version=2024-04-01", vault(&running));
    let made = call(
        &running,
        dir.path(),
        "PUT",
        &path,
        &[("Authorization", &token)],
        r#"{"location":"westeurope"}"#,
    );
    follow(&running, dir.path(), &token, &made);
    running.shutdown().unwrap();

    let passphrase = dir.path().join("data/passphrase");
    let right = std::fs::read(&passphrase).unwrap();
    std::fs::write(&passphrase, "another").unwrap();
    let error = start(config(dir.path())).unwrap_err();
    assert!(
        matches!(error, ServiceError::WrongPassphrase { .. }),
        "{error}"
    );
    assert!(
        error.to_string().contains("passphrase") && error.to_string().contains("--passphrase-file"),
        "{error}"
    );
    std::fs::remove_file(&passphrase).unwrap();
    std::fs::remove_file(dir.path().join("data/copies/passphrase")).unwrap();
    assert!(matches!(
        start(config(dir.path())),
        Err(ServiceError::NoPassphrase { .. })
    ));
    assert!(
        !passphrase.exists(),
        "no new passphrase is made where it would open nothing"
    );
    std::fs::write(&passphrase, right).unwrap();
    service(dir.path()).shutdown().unwrap();

    let open = Config {
        listen_http: Some("0.0.0.0:0".parse().unwrap()),
        ..config(dir.path())
    };
    assert!(matches!(start(open), Err(ServiceError::NotLoopback(_))));
}
