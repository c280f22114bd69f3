//! An operator with a role that allows what its list says and nothing else: it is enough, and none of it is too much.

use std::collections::BTreeSet;
use std::fs;

use kluis_operator::access::{ACCESS, Rule, Scope};
use kluis_tests::operator::{self, Operator};
use kluis_tests::process::{free_port, patience};
use kluis_tests::scrape::Scrape;
use kluis_tests::until::{Look, seconds, until};
use kluis_tests::world::{Sizes, VM, World};
use serde_json::{Value, json};

const LIMIT: std::time::Duration = seconds(180);

#[test]
fn the_operator_needs_exactly_what_its_list_says() {
    let mut world = World::without_operator("roles", Sizes::SMALL).unwrap();
    let port = free_port().unwrap();
    let kubeconfig = as_the_operator(&world);
    let log = world.operator_setup().log.clone();
    let setup = operator::Setup {
        log,
        metrics_port: port,
        takes_turns: true,
        ..operator::Setup::new(&kubeconfig, kubeconfig.parent().unwrap())
    };
    world.operator = Some(Operator::start(&setup).unwrap());
    world.apply_service().unwrap();
    world.apply_examples().unwrap();
    world.until_protected(LIMIT).unwrap();
    world.back_up(LIMIT).unwrap();
    world.restore_and_compare(LIMIT).unwrap();
    // A job that has ended is removed when its time to live is over; what is deleted is let go of.
    world.service.advance("P8D").unwrap();
    until("the job that has ended to be removed", LIMIT, || {
        let left = world.kubectl.list("backupjobs")?.len();
        Ok(match left {
            0 => Look::Done(()),
            some => Look::NotYet(format!("{some} BackupJobs")),
        })
    })
    .unwrap();
    let delete = ["delete", "protectedvm", VM, "--timeout=120s"];
    world.kubectl.run(delete).unwrap();
    until("the metrics to be there", patience(), || {
        Ok(match Scrape::of(port) {
            Ok(_) => Look::Done(()),
            Err(why) => Look::NotYet(format!("{why:#}")),
        })
    })
    .unwrap();

    let scrape = Scrape::of(port).unwrap();
    assert_eq!(scrape.sum("kluis_kubernetes_refused_total", &[]), 0.0);
    let used: BTreeSet<String> = scrape
        .family("kluis_kubernetes_requests_total{")
        .into_iter()
        .map(|line| line.split('}').next().unwrap_or_default().to_owned())
        .collect();
    let allowed: BTreeSet<String> = ACCESS.iter().flat_map(labels).collect();
    let beyond: Vec<_> = used.difference(&allowed).collect();
    assert!(beyond.is_empty(), "done and not listed: {beyond:?}");
    // Who may read a thing may read it in three ways: that it is read at all is what a role is for. An event is only
    // counted up when the same happens again.
    let never: Vec<_> = allowed
        .difference(&used)
        .filter(|label| {
            !["\"get\"", "\"list\"", "\"watch\""]
                .iter()
                .any(|read| label.contains(read))
        })
        .filter(|label| !label.contains("events"))
        .collect();
    assert!(never.is_empty(), "listed and never done: {never:?}");
}

fn labels(rule: &Rule) -> Vec<String> {
    let label = |verb: &&str| {
        format!(
            "kluis_kubernetes_requests_total{{verb=\"{verb}\",group=\"{}\",resource=\"{}\"",
            rule.group, rule.resource
        )
    };
    rule.verbs.iter().map(label).collect()
}

/// A kubeconfig of a ServiceAccount with a role of exactly the list.
fn as_the_operator(world: &World) -> std::path::PathBuf {
    let name = "operator";
    let rules = |scope| -> Vec<Value> {
        let rules = ACCESS.iter().filter(|rule| rule.scope == scope);
        rules
            .map(|rule| json!({ "apiGroups": [rule.group], "resources": [rule.resource], "verbs": rule.verbs }))
            .collect()
    };
    let subject =
        json!([{ "kind": "ServiceAccount", "name": name, "namespace": operator::NAMESPACE }]);
    let rbac = "rbac.authorization.k8s.io";
    let home = json!({ "name": name, "namespace": operator::NAMESPACE });
    let object = |kind: &str, metadata: &Value, more: Value| {
        let mut object =
            json!({ "apiVersion": format!("{rbac}/v1"), "kind": kind, "metadata": metadata });
        for (field, value) in more.as_object().into_iter().flatten() {
            object[field] = value.clone();
        }
        object
    };
    let everywhere = json!({ "name": "kluis-operator" });
    let role = |kind: &str, name: &str| json!({ "apiGroup": rbac, "kind": kind, "name": name });
    let objects = json!({ "apiVersion": "v1", "kind": "List", "items": [
        { "apiVersion": "v1", "kind": "ServiceAccount", "metadata": home },
        object("ClusterRole", &everywhere, json!({ "rules": rules(Scope::Cluster) })),
        object("ClusterRoleBinding", &everywhere,
            json!({ "roleRef": role("ClusterRole", "kluis-operator"), "subjects": subject })),
        object("Role", &home, json!({ "rules": rules(Scope::Own) })),
        object("RoleBinding", &home, json!({ "roleRef": role("Role", name), "subjects": subject })),
    ]});
    let home = world.kubectl.within(operator::NAMESPACE);
    home.apply(&objects.to_string()).unwrap();
    let token = home.run(["create", "token", name]).unwrap();
    let own = world.kubectl.kubeconfig();
    let mut config: Value = serde_json::from_str(&fs::read_to_string(own).unwrap()).unwrap();
    config["users"][0]["user"] = json!({ "token": token.trim() });
    let path = own.with_file_name("operator.kubeconfig");
    fs::write(&path, config.to_string()).unwrap();
    path
}
