//! A Kubernetes API server of our own: etcd, kube-apiserver and the three
//! controllers that the tests lean on, on free loopback ports, without root.
//!
//! [`Cluster::shared`] is the one server of a test run, in which a test takes a
//! namespace. A test that runs an operator takes [`Cluster::start`] instead:
//! an operator sees all namespaces, and one that is killed on purpose must not
//! be the one that another test waits for.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow};
use serde_json::json;

use crate::controlplane;
use crate::https::Https;
use crate::kubectl::Kubectl;
use crate::pki::Pki;
use crate::place::{self, Scratch, scratch};
use crate::process::{Daemon, Life, free_port, patience};
use crate::until::Look;

/// A running API server with Kluis' CRDs.
#[derive(Debug)]
pub struct Cluster {
    kubeconfig: PathBuf,
    kubectl: Kubectl,
    api: Https,
    daemons: Vec<Daemon>,
    /// Last, so that the processes end before their directory goes.
    _dir: Option<Scratch>,
}

impl Cluster {
    /// The one server of this process, started by whoever asks first. It ends
    /// with the process: a static is never dropped, the kernel sees to it.
    pub fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<Result<Cluster, String>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| Self::start().map_err(|why| format!("{why:#}")));
        shared.as_ref().map_err(|why| anyhow!("{why}"))
    }

    /// A server of one's own, gone with this value.
    pub fn start() -> Result<Self> {
        let dir = scratch("cluster")?;
        let path = dir.path().to_path_buf();
        Ok(Self {
            _dir: Some(dir),
            ..Self::start_in(&path, Life::WithUs)?
        })
    }

    /// A server whose files are in `dir`, with the CRDs applied and established.
    pub fn start_in(dir: &Path, life: Life) -> Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
        let binary = controlplane::binary()?;
        let (ca, token) = identities(dir)?;
        let (client, peer, secure) = (free_port()?, free_port()?, free_port()?);
        let log = |name: &str| dir.join(format!("{name}.log"));

        let etcd = Daemon::start("etcd", etcd(&binary, dir, client, peer), &log("etcd"), life)?;
        let server = kube_apiserver(&binary, dir, client, secure);
        let mut server = Daemon::start("kube-apiserver", server, &log("kube-apiserver"), life)?;

        let api = Https::new(&format!("https://127.0.0.1:{secure}"), &ca, Some(&token))?;
        server.ready(patience(), || {
            Ok(match api.get("/readyz") {
                Ok(answer) if answer.status == 200 => Look::Done(()),
                Ok(answer) => Look::NotYet(answer.text),
                Err(why) => Look::NotYet(format!("{why:#}")),
            })
        })?;

        let kubeconfig = kubeconfig(dir, secure, &token)?;
        let controllers = controller_manager(&binary, &kubeconfig, dir);
        let controllers = Daemon::start(
            "kube-controller-manager",
            controllers,
            &log("kube-controller-manager"),
            life,
        )?;
        let kubectl = Kubectl::new(&binary, &kubeconfig);
        let cluster = Self {
            kubeconfig,
            kubectl,
            api,
            daemons: vec![controllers, server, etcd],
            _dir: None,
        };
        apply_crds(&cluster.kubectl).context("applying the CRDs")?;
        Ok(cluster)
    }

    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    pub fn kubectl(&self) -> &Kubectl {
        &self.kubectl
    }

    /// The API server itself, for what kubectl would hide.
    pub fn api(&self) -> &Https {
        &self.api
    }

    /// The process ids in the order of their start, for whoever leaves them running.
    pub fn ids(&self) -> Vec<u32> {
        self.daemons.iter().rev().map(Daemon::id).collect()
    }

    /// Makes a namespace nobody else has: `prefix` and a few random letters.
    pub fn namespace(&self, prefix: &str) -> Result<String> {
        let random = uuid::Uuid::new_v4().simple().to_string();
        let name = format!("{prefix}-{}", &random[..8]);
        self.kubectl.run(["create", "namespace", &name])?;
        Ok(name)
    }
}

/// Applies the CRDs of the work tree, and waits until each is served. (A suite
/// holds the folder equal to what `kluis crds` prints.)
pub fn apply_crds(kubectl: &Kubectl) -> Result<()> {
    let crds = place::workspace().join("crds");
    // Server-side: a CRD's schema does not fit the annotation of a client-side apply.
    kubectl.run([
        OsStr::new("apply"),
        OsStr::new("--server-side"),
        OsStr::new("--force-conflicts"),
        OsStr::new("-f"),
        crds.as_os_str(),
    ])?;
    kubectl.run([
        "wait",
        "--for=condition=Established",
        "--timeout=180s",
        "crd",
        "--all",
    ])?;
    Ok(())
}

/// Makes the cluster's keys and the one token that may do everything.
fn identities(dir: &Path) -> Result<(String, String)> {
    let pki = Pki::make(dir)?;
    pki.server("api", &["127.0.0.1", "localhost"])?;
    let token = uuid::Uuid::new_v4().simple().to_string();
    let tokens = format!("{token},admin,admin,\"system:masters\"\n");
    fs::write(dir.join("tokens.csv"), tokens).context("writing tokens.csv of the cluster")?;
    Ok((pki.ca, token))
}

fn etcd(binary: &Path, dir: &Path, client: u16, peer: u16) -> Command {
    let (client, peer) = (
        format!("http://127.0.0.1:{client}"),
        format!("http://127.0.0.1:{peer}"),
    );
    let mut command = Command::new(binary);
    command
        .arg("etcd")
        .arg("--data-dir")
        .arg(dir.join("etcd"))
        .args([
            &format!("--listen-client-urls={client}"),
            &format!("--advertise-client-urls={client}"),
            &format!("--listen-peer-urls={peer}"),
            &format!("--initial-advertise-peer-urls={peer}"),
            &format!("--initial-cluster=default={peer}"),
            // The data lives as long as the test run: nothing is lost with a power cut.
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]);
    command
}

fn kube_apiserver(binary: &Path, dir: &Path, etcd: u16, port: u16) -> Command {
    let file = |flag: &str, name: &str| format!("--{flag}={}", dir.join(name).display());
    let mut command = Command::new(binary);
    command.current_dir(dir).arg("kube-apiserver").args([
        format!("--etcd-servers=http://127.0.0.1:{etcd}"),
        format!("--secure-port={port}"),
        "--bind-address=127.0.0.1".to_owned(),
        // It insists on an address that is not loopback to tell others; nobody asks.
        "--advertise-address=192.0.2.1".to_owned(),
        "--endpoint-reconciler-type=none".to_owned(),
        "--authorization-mode=RBAC".to_owned(),
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        "--profiling=false".to_owned(),
        file("tls-cert-file", "api.crt"),
        file("tls-private-key-file", "api.key"),
        file("token-auth-file", "tokens.csv"),
        file("service-account-key-file", "accounts.pub"),
        file("service-account-signing-key-file", "accounts.key"),
        file("cert-dir", "cert"),
    ]);
    command
}

fn controller_manager(binary: &Path, kubeconfig: &Path, dir: &Path) -> Command {
    let mut command = Command::new(binary);
    command.arg("kube-controller-manager").args([
        format!("--kubeconfig={}", kubeconfig.display()),
        format!(
            "--service-account-private-key-file={}",
            dir.join("accounts.key").display()
        ),
        "--controllers=namespace-controller,garbage-collector-controller,serviceaccount-controller"
            .to_owned(),
        "--leader-elect=false".to_owned(),
        "--secure-port=0".to_owned(),
    ]);
    command
}

fn kubeconfig(dir: &Path, port: u16, token: &str) -> Result<PathBuf> {
    let path = dir.join("kubeconfig");
    let text = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "kluis", "cluster": {
            "server": format!("https://127.0.0.1:{port}"),
            "certificate-authority": dir.join("ca.crt"),
        }}],
        "users": [{ "name": "admin", "user": { "token": token } }],
        "contexts": [{ "name": "kluis", "context": { "cluster": "kluis", "user": "admin" } }],
        "current-context": "kluis",
    });
    fs::write(&path, text.to_string()).with_context(|| format!("writing {}", path.display()))?;
    Ok(path)
}
