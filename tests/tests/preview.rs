//! `kluis plan` on a real API server and service: what it says an edit would delete is counted here from the service's own
//! recovery points, and it is asked by an account that may only read, of a service that tells which requests it had.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use expect_test::expect;
use jiff::{SignedDuration, Timestamp};
use kluis_tests::binary::kluis;
use kluis_tests::cluster::Cluster;
use kluis_tests::kubectl::Kubectl;
use kluis_tests::place::{Scratch, scratch, workspace};
use kluis_tests::service::{Service, Setup};
use kluis_tests::until::seconds;
use kluis_tests::world::{Estate, NAMESPACE, Sizes, World};
use serde_json::{Value, json};

const LIMIT: std::time::Duration = seconds(120);

/// What a reviewer needs: to look at what the operator looks at.
const READER: &str = r#"
apiVersion: v1
kind: ServiceAccount
metadata: { namespace: shop, name: reviewer }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: reviewer }
rules:
  - { apiGroups: [kluis.dev], resources: ["*"], verbs: [get, list] }
  - { apiGroups: [""], resources: [namespaces], verbs: [get] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: reviewer }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reviewer }
subjects: [{ kind: ServiceAccount, namespace: shop, name: reviewer }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { namespace: kluis-system, name: reviewer }
rules: [{ apiGroups: [""], resources: [secrets], verbs: [get] }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { namespace: kluis-system, name: reviewer }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: reviewer }
subjects: [{ kind: ServiceAccount, namespace: shop, name: reviewer }]
"#;

/// A world whose machine has been backed up on twelve days, and whose operator is gone: what changes now, the plan did.
struct Reviewed {
    world: World,
    dir: Scratch,
    kubeconfig: PathBuf,
    _cluster: Cluster,
}

impl Reviewed {
    fn after_twelve_days() -> Self {
        let dir = scratch("preview").unwrap();
        let estate = Estate::lay_out(dir.path(), Sizes::SMALL).unwrap();
        let mut setup = Setup::new(dir.path(), &estate.inventory);
        setup.env = vec![("RUST_LOG".to_owned(), "info,kluis_service=debug".to_owned())];
        let service = Service::start(setup).unwrap();
        let cluster = Cluster::start().unwrap();
        let mut world = World::new(dir.path(), cluster.kubectl(), service, estate).unwrap();
        world.start_operator(None).unwrap();
        world.apply_service().unwrap();
        world.apply_examples().unwrap();
        world.until_protected(LIMIT).unwrap();
        let answer = world.service.advance("P12D").unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text);
        world.operator = None;
        let kubeconfig = reader(cluster.kubectl(), dir.path());
        Self {
            world,
            dir,
            kubeconfig,
            _cluster: cluster,
        }
    }

    fn plan(&self, manifests: &[&Path], more: &[&str]) -> Output {
        Command::new(kluis().unwrap())
            .args(["plan", "-f"])
            .args(manifests)
            .args(more)
            .env("KUBECONFIG", &self.kubeconfig)
            .output()
            .unwrap()
    }

    fn document(&self, manifest: &Path, code: i32) -> Value {
        self.document_of(&[manifest], code)
    }

    fn document_of(&self, manifests: &[&Path], code: i32) -> Value {
        let output = self.plan(manifests, &["-o", "json"]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{told}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// One of the examples' manifests, changed.
    fn edited(&self, file: &str, change: impl FnOnce(&mut Value)) -> PathBuf {
        let text = fs::read_to_string(example(file)).unwrap();
        let mut object: Value = serde_yaml::from_str(&text).unwrap();
        change(&mut object);
        let path = self.dir.path().join(format!("edited-{file}"));
        fs::write(&path, serde_yaml::to_string(&object).unwrap()).unwrap();
        path
    }

    /// Everything that a write would leave a trace in.
    fn traces(&self) -> Vec<String> {
        let kinds = ["backupservices", "vaults", "backuppolicies", "protectedvms"];
        let objects = kinds.iter().flat_map(|kind| {
            let found = self.world.kubectl.list(kind).unwrap();
            found.into_iter().map(move |object| {
                let of = |field: &str| object["metadata"][field].as_str().unwrap().to_owned();
                format!("{kind}/{} {}", of("name"), of("resourceVersion"))
            })
        });
        objects.chain(self.written_to_service()).collect()
    }

    /// The requests that were no reads, as the service logged them.
    fn written_to_service(&self) -> Vec<String> {
        let log = self.world.service.setup().data.with_extension("log");
        let log = fs::read_to_string(log).unwrap();
        assert!(log.contains("method=GET"), "the service logs no requests");
        log.lines()
            .filter(|line| line.contains("answered") && !line.contains("method=GET"))
            .filter(|line| !line.contains("/oauth2/v2.0/token"))
            .map(str::to_owned)
            .collect()
    }

    /// When the machine's points were made, and what time it is, by the service.
    fn points(&self) -> (Vec<Timestamp>, Timestamp) {
        let points = self.world.points().unwrap();
        let mut times: Vec<Timestamp> = points
            .iter()
            .map(|point| point["properties"]["recoveryPointTime"].as_str().unwrap())
            .map(|time| time.parse().unwrap())
            .collect();
        times.sort_unstable();
        let answer = self.world.service.advance("PT0S").unwrap();
        let now = answer.body["now"].as_str().unwrap().parse().unwrap();
        (times, now)
    }
}

fn example(file: &str) -> PathBuf {
    workspace().join("examples/protect-a-vm").join(file)
}

/// A kubeconfig of an account that may only look.
fn reader(kubectl: &Kubectl, dir: &Path) -> PathBuf {
    kubectl.apply(READER).unwrap();
    let token = kubectl
        .run(["create", "token", "reviewer", "--namespace", NAMESPACE])
        .unwrap();
    let text = fs::read_to_string(kubectl.kubeconfig()).unwrap();
    let mut config: Value = serde_yaml::from_str(&text).unwrap();
    config["users"][0]["user"] = json!({ "token": token.trim() });
    config["contexts"][0]["context"]["namespace"] = json!(NAMESPACE);
    let path = dir.join("reviewer.kubeconfig");
    fs::write(&path, config.to_string()).unwrap();
    path
}

/// The table with what differs from run to run taken out.
fn told(output: &Output, dir: &Path) -> String {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let text = text.replace(&dir.display().to_string(), "DIR");
    let words = text.split(' ').map(|word| {
        let bare = word.trim_end_matches(['.', ',', ':', '\n']);
        let first = bare.lines().next().unwrap_or_default();
        let first = first.trim_matches('"');
        if first.len() == 32 && first.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            word.replacen(first, "DIGEST", 1)
        } else if first
            .trim_end_matches([',', '.'])
            .parse::<Timestamp>()
            .is_ok()
        {
            word.replacen(first.trim_end_matches([',', '.']), "TIME", 1)
        } else {
            word.to_owned()
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn what_an_edit_would_delete_is_told_before_it_happens_and_nothing_is_written() {
    let mut reviewed = Reviewed::after_twelve_days();
    let (points, now) = reviewed.points();
    let before = reviewed.traces();

    // As it is.
    let output = reviewed.plan(&[&workspace().join("examples/protect-a-vm")], &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    expect![[r#"
        BackupPolicy shop/daily: unchanged (WORKSPACE/examples/protect-a-vm/policy.yaml:2)
        Vault shop/shop-weu: unchanged (WORKSPACE/examples/protect-a-vm/vault.yaml:3)
        ProtectedVM shop/web-1: unchanged (WORKSPACE/examples/protect-a-vm/vm.yaml:3)
        0 to create, 0 to change, 3 unchanged, 1 of other kinds passed over.
    "#]]
    .assert_eq(
        &String::from_utf8(output.stdout)
            .unwrap()
            .replace(&workspace().display().to_string(), "WORKSPACE"),
    );

    // Shorter retention: what would go is what the service has that is older than a week.
    let shorter = reviewed.edited("policy.yaml", |policy| {
        policy["spec"]["retention"]["daily"]["keep"] = json!(7);
    });
    let document = reviewed.document(&shorter, 2);
    assert_eq!(points.len(), 12);
    let a_week_ago = now - SignedDuration::from_hours(7 * 24);
    let gone = points.iter().filter(|time| **time <= a_week_ago).count();
    assert!(gone > 0);
    assert_eq!(document["schema"], "kluis.dev/plan/v1");
    assert_eq!(document["deleted"], json!(gone));
    assert_eq!(document["shortened"], json!(points.len() - gone));
    let policy = &document["objects"][0];
    assert_eq!(policy["change"], "Changed");
    assert_eq!(policy["steps"], json!([]));
    assert_eq!(policy["waits"]["reason"], "ApprovalRequired");
    let loss = &policy["losses"][0];
    assert_eq!(loss["approval"], "Needed");
    assert_eq!(loss["items"][0]["item"], "shop/web-1");
    let moment = |value: &Value| value.as_str().unwrap().parse::<Timestamp>().unwrap();
    assert_eq!(moment(&loss["oldest"]), points[0]);
    assert_eq!(moment(&loss["newest"]), points[points.len() - 1]);
    let digest = policy["approvedLoss"].as_str().unwrap().to_owned();
    assert_eq!(digest, loss["digest"]);
    let output = reviewed.plan(&[&shorter], &[]);
    expect![[r#"
        BackupPolicy shop/daily: would be changed (DIR/edited-policy.yaml:1)
          spec.retention.daily.keep: 30 → 7
          in the vault shop/shop-weu, for shop/web-1:
            retention.daily: 30 days → 7 days
            the longest-kept point lives for 30 days → 7 days (worse)
            daily points are kept for 30 days → 7 days (worse)
          WOULD DELETE 5 recovery points in shop/shop-weu and keep 7 for a shorter time, the oldest of TIME, the newest of TIME
            shop/web-1: 5 deleted, 7 shortened, the oldest of TIME, the newest of TIME
          Not sent until somebody approves it, in this object's spec:
            approvedLoss: "DIGEST"
        0 to create, 1 to change, 0 unchanged; 5 recovery points deleted and 7 kept for a shorter time; an approval is needed.
    "#]].assert_eq(&told(&output, reviewed.dir.path()));

    // The same with its approval: it would be sent, and the loss is told all the same.
    let approved = reviewed.edited("policy.yaml", |policy| {
        policy["spec"]["retention"]["daily"]["keep"] = json!(7);
        policy["spec"]["approvedLoss"] = json!(digest);
    });
    let document = reviewed.document(&approved, 2);
    let policy = &document["objects"][0];
    assert_eq!(policy["losses"][0]["approval"], "Given");
    assert_eq!(policy["losses"][0]["deleted"], json!(gone));
    assert_eq!(policy["approvedLoss"], Value::Null);
    assert_eq!(policy["steps"][0]["method"], "PUT");

    // Once a week: daily points are lost but the newest, which never goes by age; and a week lies between two backups.
    let weekly = reviewed.edited("policy.yaml", |policy| {
        policy["spec"]["schedule"] = json!({ "weekly": { "on": ["Sunday"], "at": "22:30" } });
        policy["spec"]["retention"] = json!({ "weekly": { "keep": 52, "on": ["Sunday"] } });
        policy["spec"]["instantRestore"] = json!({ "keepDays": 5 });
    });
    let document = reviewed.document(&weekly, 2);
    assert_eq!(document["deleted"], json!(points.len() - 1));
    expect![[r#"
        BackupPolicy shop/daily: would be changed (DIR/edited-policy.yaml:1)
          spec.schedule.weekly.days: none → ["Sunday"]
          spec.schedule.weekly.at: none → 22:30
          spec.schedule.daily.at: 22:30 → none
          spec.retention.weekly.keep: none → 52
          spec.retention.weekly.days: none → ["Sunday"]
          spec.retention.daily.keep: 30 → none
          spec.instantRestore.keepDays: 2 → 5
          in the vault shop/shop-weu, for shop/web-1:
            schedule: daily at 22:30:00 → weekly on Sunday at 22:30:00
            instantRestore: 2 days → 5 days
            retention.daily: 30 days → none
            retention.weekly: none → 52 weeks, Sunday
            the longest time between two backups is 24h → 168h (worse)
            the longest-kept point lives for 30 days → 52 weeks
            daily points are kept for 30 days → none (worse)
            weekly points are kept for 52 weeks
          WOULD DELETE 11 recovery points in shop/shop-weu and keep 1 for a shorter time, the oldest of TIME, the newest of TIME
            shop/web-1: 11 deleted, 1 shortened, the oldest of TIME, the newest of TIME
          Not sent until somebody approves it, in this object's spec:
            approvedLoss: "DIGEST"
        0 to create, 1 to change, 0 unchanged; 11 recovery points deleted and 1 kept for a shorter time; an approval is needed.
    "#]].assert_eq(&told(
        &reviewed.plan(&[&weekly], &[]),
        reviewed.dir.path(),
    ));

    // A machine that is new, and one that may not change.
    let new = reviewed.edited("vm.yaml", |vm| {
        vm["metadata"]["name"] = json!("idle-1");
        vm["spec"]["vm"]["name"] = json!("idle-1");
    });
    let document = reviewed.document(&new, 2);
    assert_eq!(document["created"], json!(1));

    // In one commit with the policy, as most are: what that costs is told all the same.
    let shorter = reviewed.edited("policy.yaml", |policy| {
        policy["spec"]["retention"]["daily"]["keep"] = json!(7);
    });
    let document = reviewed.document_of(&[&shorter, &new], 2);
    assert_eq!(document["deleted"], json!(gone));
    assert_eq!(document["approvalNeeded"], json!(true));
    let changed = reviewed.edited("vm.yaml", |vm| {
        vm["spec"]["objectives"] = json!({ "rpo": "48h" });
    });
    let document = reviewed.document_of(&[&shorter, &changed], 2);
    assert_eq!(document["deleted"], json!(gone));
    assert_eq!(document["objects"][0]["approvedLoss"], json!(digest));
    let moved = reviewed.edited("vm.yaml", |vm| {
        vm["spec"]["vm"]["name"] = json!("idle-1");
    });
    let output = reviewed.plan(&[&moved], &[]);
    assert_eq!(output.status.code(), Some(1));
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(why.contains("vm is the item's identity"), "{why}");

    assert_eq!(reviewed.traces(), before);
    let output = reviewed.plan(&[&shorter], &["--no-such-flag"]);
    assert_eq!(output.status.code(), Some(1), "2 is for changes alone");

    // Without the service nothing is known of what it would cost: no number says otherwise, and the code is that of an error.
    reviewed.world.service.kill().unwrap();
    let document = reviewed.document(&shorter, 1);
    for unknown in ["deleted", "shortened", "approvalNeeded"] {
        let told = document.as_object().unwrap();
        assert_eq!(told[unknown], Value::Null, "{unknown}");
    }
    assert_eq!(document["wouldChange"], json!(true));
    let unread = document["objects"][0]["unread"].as_str().unwrap();
    assert!(unread.contains("shop-weu"), "{unread}");
    let as_it_is = reviewed.document(&example("policy.yaml"), 1);
    assert_eq!(as_it_is["wouldChange"], Value::Null);
    let output = reviewed.plan(&[&shorter], &[]);
    assert_eq!(output.status.code(), Some(1));
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("COULD NOT BE READ"), "{table}");
    assert!(!table.contains("0 recovery points"), "{table}");
}
