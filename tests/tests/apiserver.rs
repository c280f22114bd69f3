//! The harness itself: an API server that lives for the test run.

use kluis_tests::cluster::Cluster;

#[test]
fn a_namespace_has_its_service_account_and_goes_when_deleted() {
    let cluster = Cluster::shared().unwrap();
    let name = cluster.namespace("harness").unwrap();
    let kubectl = cluster.kubectl().within(&name);
    kubectl
        .run([
            "wait",
            "--for=create",
            "serviceaccount/default",
            "--timeout=60s",
        ])
        .unwrap();
    cluster
        .kubectl()
        .run(["delete", "namespace", &name, "--timeout=60s"])
        .unwrap();
    assert_eq!(cluster.kubectl().get("namespace", &name).unwrap(), None);
}
