//! `kluis approve` on a real API server: it shows what is at stake, writes the line only when told to, and only into the object that it
//! showed.

use std::process::{Command, Output};

use kluis_tests::binary::kluis;
use kluis_tests::cluster::{Cluster, apply_crds};
use kluis_tests::kubectl::Kubectl;
use serde_json::{Value, json};

const DIGEST: &str = "0123456789abcdef0123456789abcdef";
const EARLIER: &str = "ffffffffffffffffffffffffffffffff";

const POLICY: &str = r#"
apiVersion: kluis.dev/v1alpha1
kind: BackupPolicy
metadata: { name: daily }
spec:
  workload: VirtualMachine
  schedule: { daily: { at: "22:30" } }
  retention: { daily: { keep: 10 } }
  approvedLoss: "ffffffffffffffffffffffffffffffff"
"#;

fn approve(kubectl: &Kubectl, namespace: &str, args: &[&str]) -> Output {
    Command::new(kluis().unwrap())
        .arg("approve")
        .args(args)
        .args(["--namespace", namespace])
        .env("KUBECONFIG", kubectl.kubeconfig())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", complaint(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn approved(kubectl: &Kubectl) -> Value {
    let policy = kubectl.get("backuppolicy", "daily").unwrap().unwrap();
    policy["spec"]["approvedLoss"].clone()
}

#[test]
fn a_loss_is_shown_and_approved() {
    let cluster = Cluster::shared().unwrap();
    apply_crds(cluster.kubectl()).unwrap();
    let namespace = cluster.namespace("approve").unwrap();
    let kubectl = cluster.kubectl().within(&namespace);
    kubectl.apply(POLICY).unwrap();

    let nothing = approve(&kubectl, &namespace, &["daily"]);
    assert!(!nothing.status.success());
    assert!(
        complaint(&nothing).contains("nothing to be approved"),
        "{}",
        complaint(&nothing)
    );
    let nobody = approve(&kubectl, &namespace, &["vault/daily"]);
    assert!(
        complaint(&nobody).contains("has no Vault daily"),
        "{}",
        complaint(&nobody)
    );

    let approval = json!({
        "digest": DIGEST, "countedAt": "2026-11-22T10:00:00Z", "deleted": 23, "shortened": 4,
        "oldest": "2026-10-23T21:30:00Z", "newest": "2026-11-14T21:30:00Z", "itemsTotal": 3,
        "items": [{ "item": "shop/web-1", "deleted": 23, "shortened": 4 }],
    });
    let vault =
        json!({ "name": "shop/shop-weu", "azureName": "daily", "items": 3, "approval": approval });
    let status = json!({ "status": { "observedGeneration": 1, "vaults": [vault] } }).to_string();
    let patch = [
        "patch",
        "backuppolicy",
        "daily",
        "--subresource=status",
        "--type=merge",
        "-p",
        &status,
    ];
    kubectl.run(patch).unwrap();

    let shown = said(&approve(&kubectl, &namespace, &["policy/daily"]));
    for part in [
        "in the vault shop/shop-weu",
        "23 recovery points would be deleted, 4 kept for a shorter time",
        "the oldest of 2026-10-23 21:30Z, the newest of 2026-11-14 21:30Z",
        "shop/web-1: 23 deleted, 4 shortened",
        "and 2 more items",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let line = format!("approvedLoss: \"{EARLIER},{DIGEST}\"");
    assert!(shown.contains(&line), "{shown}");
    assert_eq!(approved(&kubectl), EARLIER);

    let shown: Value = serde_json::from_str(&said(&approve(
        &kubectl,
        &namespace,
        &["daily", "-o", "json"],
    )))
    .unwrap();
    assert_eq!(shown["losses"][0]["deleted"], 23);

    said(&approve(&kubectl, &namespace, &["daily", "--yes"]));
    assert_eq!(approved(&kubectl), format!("{EARLIER},{DIGEST}"));
    let path = format!("/apis/kluis.dev/v1alpha1/namespaces/{namespace}/backuppolicies/daily");
    let policy = cluster.api().get(&path).unwrap().body;
    let fields = policy["metadata"]["managedFields"].as_array().unwrap();
    let owner = fields
        .iter()
        .find(|entry| !entry["fieldsV1"]["f:spec"]["f:approvedLoss"].is_null())
        .map(|entry| &entry["manager"]);
    assert_eq!(owner, Some(&json!("kluis-approve")), "{fields:#?}");
}
