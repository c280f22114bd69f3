//! A real one-node Kubernetes that runs pods: containerd, the kubelet, services,
//! names, volumes and Pod Security, as root, in namespaces of its own. Nothing of
//! it is left when it ends, however it ends.
//!
//! It has addresses of its own, so there is one at a time on a machine.

mod able;
mod cgroups;
mod files;
mod namespaces;
mod parts;

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};

pub use able::missing;
pub use parts::Parts;

use crate::helm::Helm;
use crate::https::Https;
use crate::kubectl::Kubectl;
use crate::pki::Pki;
use crate::place::{self, Scratch, scratch};
use crate::process::{Daemon, Life, patience, run};
use crate::until::{Look, until};
use cgroups::Groups;
use namespaces::within;

/// The node's address.
const NODE: &str = "10.213.77.2";

/// How many volumes there are to claim.
const VOLUMES: usize = 4;

/// A running node.
#[derive(Debug)]
pub struct Node {
    kubectl: Kubectl,
    parts: Parts,
    dir: PathBuf,
    init: u32,
    /// The last one started first, and the namespaces' own process last.
    daemons: Vec<Daemon>,
    _groups: Groups,
    _dir: Scratch,
    _lock: File,
}

impl Node {
    /// Starts it and waits until it takes pods.
    ///
    /// # Errors
    /// A part does not build or does not start; see [`missing`] for what a machine must have.
    pub fn start() -> Result<Self> {
        let parts = Parts::build()?;
        let lock = File::create(place::cache()?.join("node/running"))?;
        lock.lock().context("waiting for another node to end")?;
        let scratch = scratch("node")?;
        let dir = scratch.path().to_path_buf();
        let ca = keys(&dir)?;
        let admin = files::write(&dir, &parts)?;
        for number in 1..=VOLUMES {
            fs::create_dir_all(dir.join("volumes").join(number.to_string()))?;
        }
        let groups = Groups::make()?;
        let (namespaces, init) = namespaces::make(&dir, &parts)?;
        let mut node = Self {
            kubectl: Kubectl::new(&parts.controlplane, &dir.join("admin.kubeconfig")),
            parts,
            dir,
            init,
            daemons: vec![namespaces],
            _groups: groups,
            _dir: scratch,
            _lock: lock,
        };
        node.daemons(&Https::new(
            &format!("https://{NODE}:6443"),
            &ca,
            Some(&admin),
        )?)?;
        Ok(node)
    }

    pub fn kubectl(&self) -> &Kubectl {
        &self.kubectl
    }

    /// helm, against this node.
    pub fn helm(&self) -> Helm {
        Helm::new(
            &self.parts.bin().join("helm"),
            self.kubectl.kubeconfig(),
            &self.dir.join("helm"),
        )
    }

    /// Puts the images of an OCI archive where pods find them.
    pub fn import(&self, archive: &Path) -> Result<()> {
        self.ctr(&[
            "images",
            "import",
            "--local",
            &archive.display().to_string(),
        ])
    }

    /// Gives an image one more name.
    pub fn tag(&self, name: &str, other: &str) -> Result<()> {
        self.ctr(&["images", "tag", "--force", name, other])
    }

    /// Where a PersistentVolume lies on this machine.
    pub fn volume(&self, name: &str) -> PathBuf {
        self.dir
            .join("volumes")
            .join(name.trim_start_matches("local-"))
    }

    /// What the API server was asked by the pods of Kluis, one JSON object a line.
    pub fn audit(&self) -> PathBuf {
        self.dir.join("audit.log")
    }

    /// A folder for what goes away with the node.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The ends of all logs, for an error message.
    pub fn tails(&self) -> String {
        let tails: Vec<String> = self.daemons.iter().map(Daemon::tail).collect();
        tails.join("\n\n")
    }

    fn ctr(&self, arguments: &[&str]) -> Result<()> {
        let ctr = self.parts.bin().join("ctr");
        let mut command = within(self.init, &self.dir, &ctr);
        run(command.args(["--namespace", "k8s.io"]).args(arguments))?;
        Ok(())
    }

    /// Starts one after the other what each next one needs.
    fn daemons(&mut self, api: &Https) -> Result<()> {
        let bin = self.parts.bin();
        let control = self.parts.controlplane.clone();
        self.daemon(
            "containerd",
            &bin.join("containerd"),
            &["--config", "containerd.toml"],
        )?;
        self.daemon("etcd", &control, &files::etcd())?;
        let arguments = files::kube_apiserver();
        let server = self.daemon("kube-apiserver", &control, &arguments)?;
        server.ready(patience(), || {
            Ok(match api.get("/readyz") {
                Ok(answer) if answer.status == 200 => Look::Done(()),
                Ok(answer) => Look::NotYet(answer.text),
                Err(why) => Look::NotYet(format!("{why:#}")),
            })
        })?;
        self.kubectl
            .run(["apply", "-f", &self.path("storage.yaml")])?;
        let kubernetes = bin.join("kubernetes");
        self.daemon(
            "kube-controller-manager",
            &control,
            &files::controller_manager(),
        )?;
        self.daemon("kube-scheduler", &kubernetes, &files::scheduler())?;
        self.daemon(
            "kube-proxy",
            &kubernetes,
            &[
                "kube-proxy",
                "--config=kube-proxy.yaml",
                "--hostname-override=node1",
            ],
        )?;
        self.daemon(
            "coredns",
            &bin.join("coredns"),
            &["-conf", "Corefile", "-dns.port", "53"],
        )?;
        let pause = self.parts.pause_image();
        until("containerd to take images", patience(), || {
            Ok(match self.import(&pause) {
                Ok(()) => Look::Done(()),
                Err(why) => Look::NotYet(format!("{why:#}")),
            })
        })?;
        self.daemon("kubelet", &kubernetes, &files::kubelet())?;
        let kubectl = self.kubectl.clone();
        let ready = until("the node to be Ready", patience(), || {
            let told = kubectl.run([
                "get",
                "node",
                "node1",
                "--ignore-not-found",
                "--output=jsonpath={.status.conditions[?(@.type==\"Ready\")]}",
            ])?;
            // Pods are refused before their namespace has its account.
            let account = kubectl.get("serviceaccount", "default")?;
            Ok(
                if told.contains("\"status\":\"True\"") && account.is_some() {
                    Look::Done(())
                } else {
                    Look::NotYet(told)
                },
            )
        });
        ready.map_err(|why| why.context(self.tails()))
    }

    fn daemon<S: AsRef<str>>(
        &mut self,
        name: &str,
        program: &Path,
        arguments: &[S],
    ) -> Result<&mut Daemon> {
        let mut command = within(self.init, &self.dir, program);
        command
            .args(arguments.iter().map(AsRef::as_ref))
            .env("PATH", format!("{}:{}", self.parts.bin().display(), path()));
        let log = self.dir.join(format!("{name}.log"));
        let daemon = Daemon::start(name, command, &log, Life::WithUs)?;
        self.daemons.insert(0, daemon);
        self.daemons.first_mut().context("the daemon just started")
    }

    fn path(&self, file: &str) -> String {
        self.dir.join(file).display().to_string()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // The kernel ends all that is in the namespaces with their first process, and the link with them.
        if let Some(mut namespaces) = self.daemons.pop() {
            let _ = namespaces.kill();
        }
        namespaces::unlink();
        for place in ["/var/lib/cni", "/var/lib/kubelet"] {
            // Made for us to mount on. One that holds something is somebody's.
            let _ = fs::remove_dir(place);
        }
    }
}

/// Makes the node's keys, and returns the authority's certificate.
fn keys(dir: &Path) -> Result<String> {
    let pki = Pki::make(dir)?;
    let names = [
        "127.0.0.1",
        NODE,
        files::API_SERVICE,
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ];
    pki.server("api", &names)?;
    pki.client("kubelet-client", "kube-apiserver", "system:masters")?;
    Ok(pki.ca)
}

/// Where Debian keeps what the node runs; a plain user's PATH lacks some of it.
fn path() -> String {
    let given = env::var("PATH").unwrap_or_default();
    format!("{given}:/usr/sbin:/usr/bin:/sbin:/bin")
}

/// The name of a volume that a claim is bound to.
///
/// # Errors
/// There is no such claim, or it is not bound.
pub fn bound(kubectl: &Kubectl, claim: &str) -> Result<String> {
    let found = kubectl.get("persistentvolumeclaim", claim)?;
    let found = found.ok_or_else(|| anyhow!("there is no claim {claim}"))?;
    if found["status"]["phase"] != "Bound" {
        return Err(anyhow!("the claim {claim} is {}", found["status"]["phase"]));
    }
    let name = found["spec"]["volumeName"].as_str();
    name.map(str::to_owned)
        .ok_or_else(|| anyhow!("the claim {claim} names no volume"))
}
