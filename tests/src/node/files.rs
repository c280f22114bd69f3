//! What the node's daemons are told: their arguments, and the files that these
//! name, all in the node's own folder.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;

use super::parts::{PAUSE_IMAGE, Parts};
use super::{NODE, VOLUMES, cgroups};

/// Where pods find the API server: the first address of the services' range.
pub(super) const API_SERVICE: &str = "10.98.0.1";
const SERVICES: &str = "10.98.0.0/16";
const PODS: &str = "10.246.0.0/24";

/// Who signs in by a token, and as what; the first is the administrator.
const USERS: [(&str, &str, &str); 5] = [
    ("admin", "admin", "system:masters"),
    ("kubelet", "system:node:node1", "system:nodes"),
    ("kcm", "system:kube-controller-manager", ""),
    ("scheduler", "system:kube-scheduler", ""),
    ("proxy", "system:kube-proxy", ""),
];

/// Writes all files into `dir` and returns the administrator's token.
pub(super) fn write(dir: &Path, parts: &Parts) -> Result<String> {
    let put = |name: &str, text: String| {
        fs::write(dir.join(name), text).with_context(|| format!("writing {name} of the node"))
    };
    let mut table = String::new();
    let mut admin = String::new();
    for (name, user, group) in USERS {
        let token = uuid::Uuid::new_v4().simple().to_string();
        table += &format!("{token},{user},{name},\"{group}\"\n");
        put(&format!("{name}.kubeconfig"), kubeconfig(dir, &token))?;
        if name == "admin" {
            admin = token;
        }
    }
    put("tokens.csv", table)?;
    put("containerd.toml", containerd(dir, parts))?;
    put("kubelet.yaml", kubelet_configuration(dir))?;
    put("kube-proxy.yaml", kube_proxy(dir))?;
    put("Corefile", corefile(dir))?;
    put("audit.yaml", AUDIT.to_owned())?;
    put("storage.yaml", storage(dir))?;
    fs::create_dir_all(dir.join("network"))?;
    put("network/10-bridge.conflist", network())?;
    // What is asked of names outside the cluster is asked of nobody.
    put("no-resolver.conf", String::new())?;
    Ok(admin)
}

pub(super) fn etcd() -> Vec<String> {
    let (client, peer) = ("http://127.0.0.1:2379", "http://127.0.0.1:2380");
    vec![
        "etcd".to_owned(),
        "--data-dir=etcd".to_owned(),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        // The data lives as long as the test: nothing is lost with a power cut.
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
    ]
}

pub(super) fn kube_apiserver() -> Vec<String> {
    let fixed = [
        "kube-apiserver",
        "--etcd-servers=http://127.0.0.1:2379",
        "--secure-port=6443",
        "--bind-address=0.0.0.0",
        "--tls-cert-file=api.crt",
        "--tls-private-key-file=api.key",
        "--client-ca-file=ca.crt",
        "--token-auth-file=tokens.csv",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--service-account-key-file=accounts.pub",
        "--service-account-signing-key-file=accounts.key",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--kubelet-client-certificate=kubelet-client.crt",
        "--kubelet-client-key=kubelet-client.key",
        "--kubelet-preferred-address-types=InternalIP",
        "--audit-policy-file=audit.yaml",
        "--audit-log-path=audit.log",
        "--profiling=false",
    ];
    let mut arguments: Vec<String> = fixed.map(str::to_owned).to_vec();
    arguments.push(format!("--advertise-address={NODE}"));
    arguments.push(format!("--service-cluster-ip-range={SERVICES}"));
    arguments
}

pub(super) fn controller_manager() -> Vec<String> {
    let fixed = [
        "kube-controller-manager",
        "--kubeconfig=kcm.kubeconfig",
        "--use-service-account-credentials=true",
        "--service-account-private-key-file=accounts.key",
        "--root-ca-file=ca.crt",
        "--allocate-node-cidrs=true",
        "--node-cidr-mask-size=24",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
    ];
    let mut arguments: Vec<String> = fixed.map(str::to_owned).to_vec();
    arguments.push(format!("--cluster-cidr={PODS}"));
    arguments
}

pub(super) fn scheduler() -> Vec<String> {
    [
        "kube-scheduler",
        "--kubeconfig=scheduler.kubeconfig",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
    ]
    .map(str::to_owned)
    .to_vec()
}

pub(super) fn kubelet() -> Vec<String> {
    vec![
        "kubelet".to_owned(),
        "--config=kubelet.yaml".to_owned(),
        "--kubeconfig=kubelet.kubeconfig".to_owned(),
        "--hostname-override=node1".to_owned(),
        format!("--node-ip={NODE}"),
        "--cert-dir=kubelet-certificates".to_owned(),
    ]
}

fn kubeconfig(dir: &Path, token: &str) -> String {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "node", "cluster": {
            "server": format!("https://{NODE}:6443"),
            "certificate-authority": dir.join("ca.crt"),
        }}],
        "users": [{ "name": "user", "user": { "token": token } }],
        "contexts": [{ "name": "node", "context": { "cluster": "node", "user": "user" } }],
        "current-context": "node",
    })
    .to_string()
}

/// `restrict_oom_score_adj`: where the capability to lower it is missing, no
/// sandbox starts without.
fn containerd(dir: &Path, parts: &Parts) -> String {
    format!(
        r#"version = 3
root = "{dir}/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.erofs", "io.containerd.snapshotter.v1.blockfile"]

[grpc]
address = "/run/containerd/containerd.sock"

[plugins."io.containerd.cri.v1.images"]
snapshotter = "overlayfs"

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "{PAUSE_IMAGE}"

[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = true

[plugins."io.containerd.cri.v1.runtime".containerd]
default_runtime_name = "runc"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
SystemdCgroup = false

[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["{plugins}"]
conf_dir = "{dir}/network"
"#,
        dir = dir.display(),
        plugins = parts.cni().display(),
    )
}

fn network() -> String {
    json!({
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [
            { "type": "bridge", "bridge": "pods0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
              "ipam": { "type": "host-local", "ranges": [[{ "subnet": PODS }]], "routes": [{ "dst": "0.0.0.0/0" }] } },
            { "type": "portmap", "backend": "nftables", "capabilities": { "portMappings": true } },
        ],
    })
    .to_string()
}

/// `failCgroupV1`: a machine may still have the first version.
fn kubelet_configuration(dir: &Path) -> String {
    let dir = dir.display();
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "failCgroupV1": false,
        "failSwapOn": false,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{}", cgroups::NAME),
        "address": NODE,
        "authentication": {
            "anonymous": { "enabled": false },
            "webhook": { "enabled": true },
            "x509": { "clientCAFile": format!("{dir}/ca.crt") },
        },
        "authorization": { "mode": "Webhook" },
        "clusterDNS": [NODE],
        "clusterDomain": "cluster.local",
        "resolvConf": format!("{dir}/no-resolver.conf"),
        "volumePluginDir": format!("{dir}/volume-plugins"),
        "readOnlyPort": 0,
        // The machine's disk may be as full as it is: only this test is on the node.
        "evictionHard": { "nodefs.available": "0%", "imagefs.available": "0%", "nodefs.inodesFree": "0%", "memory.available": "50Mi" },
        "imageGCHighThresholdPercent": 100,
        "nodeStatusUpdateFrequency": "5s",
        "serializeImagePulls": false,
    })
    .to_string()
}

/// The connection tracking settings are machine-wide, and are left alone.
fn kube_proxy(dir: &Path) -> String {
    json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "bindAddress": "0.0.0.0",
        "clusterCIDR": PODS,
        "clientConnection": { "kubeconfig": dir.join("proxy.kubeconfig") },
        "conntrack": { "maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s" },
        "nftables": { "minSyncPeriod": "200ms" },
    })
    .to_string()
}

fn corefile(dir: &Path) -> String {
    format!(
        ".:53 {{\n  bind {NODE}\n  errors\n  kubernetes cluster.local in-addr.arpa {{\n    kubeconfig {}/admin.kubeconfig\n    ttl 5\n  }}\n}}\n",
        dir.display()
    )
}

/// Who does what is known by the pods' own accounts; of a Lease also what it says.
const AUDIT: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Request
    userGroups: ['system:serviceaccounts:kluis-system']
    resources: [{ group: coordination.k8s.io }]
  - level: Metadata
    userGroups: ['system:serviceaccounts:kluis-system']
  - level: None
";

/// Volumes on this machine's disk. (Not hostPath: that ignores who a volume is for.)
fn storage(dir: &Path) -> String {
    let mut objects = vec![json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": { "name": "local", "annotations": { "storageclass.kubernetes.io/is-default-class": "true" } },
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    })];
    for number in 1..=VOLUMES {
        objects.push(json!({
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": { "name": format!("local-{number}") },
            "spec": {
                "capacity": { "storage": "100Gi" },
                "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": "local",
                "local": { "path": dir.join("volumes").join(number.to_string()) },
                "nodeAffinity": { "required": { "nodeSelectorTerms": [{ "matchExpressions": [
                    { "key": "kubernetes.io/hostname", "operator": "In", "values": ["node1"] },
                ]}]}},
            },
        }));
    }
    objects
        .iter()
        .map(|object| format!("---\n{object}\n"))
        .collect()
}
