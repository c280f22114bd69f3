//! The operator's client against a service that runs: TLS, sign-in, the first calls, and what goes wrong on the way.

use std::path::Path;

use kluis_client::{
    Arm, ArmClient, ArmRequest, Class, Credential, Endpoint, Failure, Method, Secret, list,
    operation,
};
use kluis_service::shell::Scripted;
use kluis_service::{
    Audit, ClockBelief, ClockMode, Config, Limits, Movers, OnDemand, Running, Scrub, start,
};
use kluis_tests::place::scratch;
use serde_json::json;

const INVENTORY: &str = "resourceGroups: { shop-rg: { location: westeurope } }";
const BACKUP: &str = "2024-04-01";

fn service(dir: &Path) -> Running {
    let inventory = dir.join("inventory.yaml");
    std::fs::write(&inventory, INVENTORY).unwrap();
    start(Config {
        data_dir: dir.join("data"),
        inventory,
        listen: "127.0.0.1:0".parse().unwrap(),
        listen_http: None,
        metrics_listen: None,
        clock: ClockMode::Virtual,
        clock_belief: ClockBelief::default(),
        max_jobs: 1,
        on_demand: OnDemand::default(),
        compared_within: std::num::NonZeroU16::new(30).unwrap(),
        instant_restore: kluis_service::InstantRestore::default(),
        stalled_after: std::time::Duration::from_secs(1800),
        scrub: Scrub::default(),
        passphrase_file: None,
        job_reads_per_hour: None,
        audit: Audit::default(),
        limits: Limits::default(),
        movers: Movers::Own(Box::new(Scripted::new(|_| Vec::new()))),
    })
    .unwrap()
}

/// How the operator is told about the service.
fn endpoint(service: &Running, dir: &Path) -> Endpoint {
    let given = &service.credentials;
    Endpoint {
        url: given.endpoint.clone(),
        ca_bundle: Some(std::fs::read_to_string(dir.join("data/ca.pem")).unwrap()),
        tenant_id: Some(given.tenant_id.clone()),
        credential: Credential::ClientSecret {
            client_id: given.client_id.clone(),
            secret: Secret::new(given.client_secret.clone()),
        },
    }
}

/// Why a first call fails.
async fn refused(endpoint: &Endpoint, service: &Running) -> Failure {
    let subscription = format!("/subscriptions/{}", service.credentials.subscription_id);
    match ArmClient::connect(endpoint).await {
        Err(failure) => failure,
        Ok(client) => {
            let request = ArmRequest::get(subscription, "2022-12-01");
            client.call(&request).await.unwrap_err()
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_signs_in_and_makes_a_vault() {
    let dir = scratch("sign-in").unwrap();
    let service = service(dir.path());
    let client = ArmClient::connect(&endpoint(&service, dir.path()))
        .await
        .unwrap();
    let group = format!(
        "/subscriptions/{}/resourceGroups/shop-rg",
        service.credentials.subscription_id
    );
    let vault = format!("{group}/providers/Microsoft.RecoveryServices/vaults/shop-weu");

    let absent = client
        .call(&ArmRequest::get(&vault, BACKUP))
        .await
        .unwrap_err();
    assert!(
        absent.is_absent() && absent.code() == "ResourceNotFound",
        "{absent}"
    );

    let body = json!({"location": "westeurope", "sku": {"name": "Standard"}, "properties": {}});
    let put = ArmRequest::new(Method::Put, &vault, BACKUP).with_body(body);
    let made = client.call(&put).await.unwrap();
    assert_eq!(made.status, 201);
    assert!(made.date.is_some(), "the service's time is in every answer");
    let url = made.async_operation.unwrap();
    let state = loop {
        let reading = operation(&client, &url).await.unwrap();
        let state = reading.document.status.unwrap();
        if state.is_final() {
            break state;
        }
        assert!(
            reading.retry_after.is_some(),
            "an operation under way says when to ask again"
        );
        tokio::task::yield_now().await;
    };
    assert_eq!(state.to_string(), "Succeeded");

    let policies = list(
        &client,
        ArmRequest::get(format!("{vault}/backupPolicies"), BACKUP),
    );
    assert_eq!(
        policies.await.unwrap().len(),
        3,
        "a vault begins with three policies"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_a_client_out_is_told_apart() {
    let dir = scratch("sign-in").unwrap();
    let service = service(dir.path());
    let right = endpoint(&service, dir.path());

    let mut wrong = right.clone();
    wrong.credential = Credential::ClientSecret {
        client_id: service.credentials.client_id.clone(),
        secret: Secret::new("hunter2"),
    };
    let failure = refused(&wrong, &service).await;
    assert_eq!(
        (failure.code(), failure.class()),
        ("CredentialRefused", Class::Blocked)
    );
    assert!(failure.to_string().contains(&service.endpoint), "{failure}");
    assert!(!format!("{failure:?}").contains("hunter2"), "{failure:?}");

    let mut wrong = right.clone();
    wrong.ca_bundle = None;
    let failure = refused(&wrong, &service).await;
    assert_eq!(
        (failure.code(), failure.class()),
        ("EndpointNotTrusted", Class::Blocked),
        "{failure:?}"
    );
    assert!(failure.to_string().contains("spec.caBundle"), "{failure}");

    let mut wrong = right;
    wrong.url = wrong.url.replace("127.0.0.1", "localhost.invalid");
    let failure = refused(&wrong, &service).await;
    assert_eq!(
        (failure.code(), failure.class()),
        ("EndpointNotResolved", Class::RetryAfter),
        "{failure:?}"
    );
}
