//! What callers see: pages, operations, and failures that name the endpoint and the way out. Sign-in and TLS are
//! tested against a service that runs, in the workspace's own suite.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use expect_test::expect;
use jiff::SignedDuration;
use kluis_client::{
    Arm, ArmClient, ArmRequest, ArmResponse, Class, Credential, Endpoint, Failure, MAX_EMPTY_PAGES,
    MAX_PAGES, Method, Secret, list, operation,
};
use serde_json::{Value, json};

/// Answers by path and query, and never by another host.
struct Pages(HashMap<String, ArmResponse>);

impl Pages {
    fn of<const N: usize>(answers: [(&str, u16, Value); N]) -> Self {
        Self(
            answers
                .into_iter()
                .map(|(link, status, body)| {
                    let mut answer = ArmResponse::of_status(status);
                    answer.body = Some(body).filter(|body| !body.is_null());
                    answer.retry_after = Some(SignedDuration::from_secs(60));
                    (link.to_owned(), answer)
                })
                .collect(),
        )
    }
}

#[async_trait]
impl Arm for Pages {
    async fn call(&self, request: &ArmRequest) -> Result<ArmResponse, Failure> {
        let skip = request.query.iter().find(|(name, _)| name == "$skipToken");
        let link = match skip {
            Some((_, token)) => format!("{}?{token}", request.path),
            None => request.path.clone(),
        };
        self.0.get(&link).cloned().ok_or(Failure::Unreadable {
            operation: request.to_string(),
            problem: "no such page in this test".to_owned(),
        })
    }

    fn follow(&self, link: &str) -> Result<ArmRequest, Failure> {
        let path = link
            .strip_prefix("https://arm.test")
            .ok_or(Failure::StrayLink {
                endpoint: "https://arm.test/".to_owned(),
                link: link.to_owned(),
            })?;
        let (path, token) = path.split_once("?$skipToken=").unwrap_or((path, ""));
        let request = ArmRequest::get(path, "v");
        Ok(match token {
            "" => request,
            token => request.with_query("$skipToken", token),
        })
    }
}

#[tokio::test]
async fn a_list_is_all_of_its_pages() {
    let arm = Pages::of([
        (
            "/jobs",
            200,
            json!({"value": [1, 2], "nextLink": "https://arm.test/jobs?$skipToken=b"}),
        ),
        ("/jobs?b", 200, json!({"value": [3], "nextLink": ""})),
    ]);
    let jobs = list(&arm, ArmRequest::get("/jobs", "v")).await.unwrap();
    assert_eq!(jobs, [1, 2, 3]);
}

#[tokio::test]
async fn half_a_list_is_no_list() {
    let arm = Pages::of([
        (
            "/jobs",
            200,
            json!({"value": [1], "nextLink": "https://arm.test/jobs?$skipToken=gone"}),
        ),
        ("/odd", 200, json!({"items": []})),
        (
            "/stray",
            200,
            json!({"value": [1], "nextLink": "https://evil.test/jobs"}),
        ),
        (
            "/round",
            200,
            json!({"value": [1], "nextLink": "https://arm.test/round"}),
        ),
    ]);
    for path in ["/jobs", "/odd", "/stray", "/round"] {
        let answer = list(&arm, ArmRequest::get(path, "v")).await;
        assert!(answer.is_err(), "{path}: {answer:?}");
    }
}

/// Leads from page to page, and counts how often it is asked.
struct Maze {
    /// The page that a page leads to.
    next: fn(usize) -> usize,
    /// What each page holds.
    page: Value,
    asked: AtomicUsize,
}

#[async_trait]
impl Arm for Maze {
    async fn call(&self, request: &ArmRequest) -> Result<ArmResponse, Failure> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let here: usize = request
            .path
            .trim_start_matches('/')
            .parse()
            .unwrap_or_default();
        let mut answer = ArmResponse::of_status(200);
        let next = format!("/{}", (self.next)(here));
        answer.body = Some(json!({"value": self.page, "nextLink": next}));
        Ok(answer)
    }

    fn follow(&self, link: &str) -> Result<ArmRequest, Failure> {
        Ok(ArmRequest::get(link, "v"))
    }
}

/// Where a page leads, what is on it, what is said, and how many pages are read.
type Endless = (fn(usize) -> usize, Value, &'static str, usize);

#[tokio::test]
async fn a_list_without_an_end_is_given_up_soon() {
    let cases: [Endless; 5] = [
        (|_| 0, json!([1]), "page 1 leads back", 1),
        (|here| (here + 1) % 3, json!([1]), "page 3 leads back", 3),
        (
            |here| if here < 8 { here + 1 } else { 5 },
            json!([1]),
            "page 9 leads back",
            9,
        ),
        (
            |here| here + 1,
            json!([]),
            "without an entry",
            MAX_EMPTY_PAGES + 1,
        ),
        (
            |here| here + 1,
            json!([1]),
            "more than 100 pages",
            MAX_PAGES,
        ),
    ];
    for (next, page, problem, most) in cases {
        let asked = AtomicUsize::new(0);
        let maze = Maze { next, page, asked };
        let failure = list(&maze, ArmRequest::get("/0", "v")).await.unwrap_err();
        assert!(failure.to_string().contains(problem), "{failure}");
        assert_eq!(maze.asked.into_inner(), most, "{failure}");
    }
}

#[tokio::test]
async fn an_operation_tells_its_state_by_its_document_or_by_its_code() {
    let arm = Pages::of([
        (
            "/status",
            200,
            json!({"id": "x", "name": "x", "status": "Failed", "error": {"code": "C", "message": "m"}}),
        ),
        ("/running", 202, Value::Null),
        ("/done", 204, Value::Null),
        (
            "/result",
            200,
            json!({"name": "container", "properties": {}}),
        ),
    ]);
    let mut said = Vec::new();
    for path in ["/status", "/running", "/done", "/result"] {
        let reading = operation(&arm, &format!("https://arm.test{path}"))
            .await
            .unwrap();
        let document = serde_json::to_value(&reading.document).unwrap();
        said.push(format!(
            "{path} {} {}",
            document["status"],
            reading.retry_after.unwrap()
        ));
    }
    expect![[r#"
        [
            "/status \"Failed\" PT1M",
            "/running \"InProgress\" PT1M",
            "/done \"Succeeded\" PT1M",
            "/result \"Succeeded\" PT1M",
        ]
    "#]]
    .assert_debug_eq(&said);
}

fn endpoint(url: &str) -> Endpoint {
    Endpoint {
        url: url.to_owned(),
        ca_bundle: None,
        tenant_id: Some("11111111-1111-1111-1111-111111111111".to_owned()),
        credential: Credential::ClientSecret {
            client_id: "22222222-2222-2222-2222-222222222222".to_owned(),
            secret: Secret::new("hunter2"),
        },
    }
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_used_says_why() {
    // A listener that is bound and dropped: nothing answers on its port.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut said = Vec::new();
    for url in [
        "https://kluis.invalid",
        &format!("https://{free}"),
        "http://127.0.0.1:8443",
        "https://127.0.0.1:8443/arm",
        "not a url",
    ] {
        let failure = ArmClient::connect(&endpoint(url)).await.unwrap_err();
        let text = failure
            .to_string()
            .replace(&free.port().to_string(), "PORT");
        said.push(format!("{} {:?}: {text}", failure.code(), failure.class()));
    }
    expect![[r#"
        EndpointNotResolved RetryAfter: the name of https://kluis.invalid/ does not resolve: check the endpoint's spelling and the cluster's DNS
        EndpointUnreachable RetryAfter: https://127.0.0.1:PORT/ cannot be reached: check the endpoint, and the network in between
        Misconfigured Blocked: spec.endpoint cannot be used: it must be https, because requests carry a token
        Misconfigured Blocked: spec.endpoint cannot be used: it must be a scheme, a host and a port, and nothing else
        Misconfigured Blocked: spec.endpoint cannot be used: relative URL without a base"#]].assert_eq(&said.join("\n"));
}

#[tokio::test]
async fn a_ca_bundle_must_hold_a_certificate() {
    let mut endpoint = endpoint("https://127.0.0.1:8443");
    endpoint.ca_bundle = Some("not a certificate".to_owned());
    let failure = ArmClient::connect(&endpoint).await.unwrap_err();
    assert_eq!(failure.class(), Class::Blocked);
    assert!(
        failure
            .to_string()
            .starts_with("spec.caBundle cannot be used"),
        "{failure}"
    );
}

#[test]
fn a_secret_shows_nowhere() {
    assert!(!format!("{:?}", endpoint("https://127.0.0.1")).contains("hunter2"));
}

#[test]
fn a_request_says_what_it_does() {
    let request =
        ArmRequest::new(Method::Post, "/vaults/v/backup", "2024-04-01").with_query("x", "y");
    assert_eq!(request.to_string(), "POST /vaults/v/backup");
}
