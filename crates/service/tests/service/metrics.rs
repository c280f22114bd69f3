//! What the service tells Prometheus, over a socket.

use std::io::{Read, Write};
use std::net::TcpStream;

use kluis_service::start;

use crate::shell::{bearer, call, config, follow, vault};

/// One request without TLS: the status line and the body.
fn get(endpoint: &str, method: &str, path: &str) -> (String, String) {
    let address = endpoint.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let text = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

#[test]
fn metrics_are_served_where_asked_for_and_each_is_described() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut config = config(dir);
    config.metrics_listen = Some("127.0.0.1:0".parse().unwrap());
    let service = start(config).unwrap();
    let endpoint = service.metrics_endpoint.clone().unwrap();
    let token = bearer(&service, dir);
    let path = format!("{}?api-version=2024-04-01", vault(&service));
    let headers = [("Authorization", token.as_str())];
    let body = r#"{"location":"westeurope"}"#;
    let made = call(&service, dir, "PUT", &path, &headers, body);
    follow(&service, dir, &token, &made);
    let wrong = "grant_type=client_credentials&client_id=x&client_secret=y";
    let tenant = format!("/{}/oauth2/v2.0/token", service.credentials.tenant_id);
    assert_eq!(call(&service, dir, "POST", &tenant, &[], wrong).status, 401);

    let (status, text) = get(&endpoint, "GET", "/metrics");
    assert_eq!(status, "HTTP/1.1 200 OK");
    for line in [
        "kluis_service_state_readable 1",
        "kluis_service_vaults{state=\"Present\"} 1",
        "kluis_service_items{state=\"Protected\"} 0",
        "kluis_service_jobs{stage=\"Queued\"} 0",
        "kluis_service_sign_ins_total{result=\"granted\"} 1",
        "kluis_service_sign_ins_total{result=\"refused\"} 1",
    ] {
        assert!(
            text.lines()
                .any(|found| found.split(".0").next() == Some(line)),
            "{line} in {text}"
        );
    }
    let described = include_str!("../../../../docs/metrics.md");
    let mut families = text.lines().filter_map(|l| l.strip_prefix("# TYPE "));
    assert!(families.clone().count() > 8);
    let undescribed = families.find(|family| {
        let name = family.split(' ').next().unwrap();
        !described.contains(&format!("| `{name}` |"))
    });
    assert_eq!(undescribed, None);

    assert_eq!(get(&endpoint, "GET", "/healthz").1, "ok\n");
    assert!(get(&endpoint, "POST", "/metrics").0.contains(" 405 "));
    // Nothing else is there without TLS: no token, no vault.
    assert!(get(&endpoint, "GET", &path).0.contains(" 404 "));
    assert!(get(&endpoint, "POST", &tenant).0.contains(" 404 "));
    service.shutdown().unwrap();
}
