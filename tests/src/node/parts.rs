//! What the node is built of: Kubernetes' node daemons, containerd, the network
//! plugins, a DNS server and helm, from Go modules; kept in the cache under the
//! hash of all that decides what they are. (runc and nft are Debian's packages:
//! containers need a runc with seccomp, which is C.)

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::controlplane;
use crate::go::{self, go, say};
use crate::image::{Archive, Tree};
use crate::place;

/// Folder, and what is installed into it.
const INSTALLED: [(&str, &[&str]); 6] = [
    (
        "bin",
        &[
            "github.com/containerd/containerd/v2/cmd/containerd@v2.4.2",
            "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2@v2.4.2",
            "github.com/containerd/containerd/v2/cmd/ctr@v2.4.2",
        ],
    ),
    ("bin", &["github.com/coredns/coredns@v1.14.7"]),
    ("bin", &["helm.sh/helm/v4/cmd/helm@v4.3.1"]),
    (
        "cni",
        &[
            "github.com/containernetworking/plugins/plugins/main/bridge@v1.9.1",
            "github.com/containernetworking/plugins/plugins/main/loopback@v1.9.1",
        ],
    ),
    (
        "cni",
        &["github.com/containernetworking/plugins/plugins/ipam/host-local@v1.9.1"],
    ),
    (
        "cni",
        &["github.com/containernetworking/plugins/plugins/meta/portmap@v1.9.1"],
    ),
];

/// The image that holds a pod's namespaces open.
pub(super) const PAUSE_IMAGE: &str = "kluis.test/pause:1";

/// The built parts.
#[derive(Debug, Clone)]
pub struct Parts {
    dir: PathBuf,
    /// etcd, the API server, the controllers and kubectl, which the other tests use too.
    pub controlplane: PathBuf,
}

impl Parts {
    /// Takes them from the cache, or builds them now.
    ///
    /// # Errors
    /// Go is missing, the module proxy is out of reach, or a build failed.
    pub fn build() -> Result<Self> {
        let controlplane = controlplane::binary()?;
        let home = place::cache()?.join("node").join(key()?);
        let dir = home.join("parts");
        if !dir.exists() {
            fs::create_dir_all(&home).with_context(|| format!("making {}", home.display()))?;
            // Two runs that start together: the second waits here and finds them built.
            let lock = File::create(home.join("lock"))?;
            lock.lock()
                .context("waiting for another build of the node")?;
            if !dir.exists() {
                say("building the node's parts (once; 3 to 6 minutes on two cores)");
                let unfinished = home.join("unfinished");
                let _ = fs::remove_dir_all(&unfinished);
                build_into(&unfinished)?;
                fs::rename(&unfinished, &dir)?;
            }
        }
        Ok(Self { dir, controlplane })
    }

    /// Where the programs are.
    pub fn bin(&self) -> PathBuf {
        self.dir.join("bin")
    }

    /// Where the network plugins are.
    pub fn cni(&self) -> PathBuf {
        self.dir.join("cni")
    }

    /// The first process of every pod, and of the node itself.
    pub fn pause(&self) -> PathBuf {
        self.dir.join("bin/pause")
    }

    /// The same, as an image.
    pub fn pause_image(&self) -> PathBuf {
        self.dir.join("pause.tar")
    }
}

fn source(name: &str) -> PathBuf {
    place::workspace().join("tests/node").join(name)
}

fn key() -> Result<String> {
    let kubernetes = ["go.sum", "go.mod", "main.go"].map(|name| source("kubernetes").join(name));
    let pause = ["go.mod", "main.go"].map(|name| source("pause").join(name));
    let files: Vec<PathBuf> = kubernetes.into_iter().chain(pause).collect();
    let words: Vec<String> = INSTALLED
        .iter()
        .flat_map(|(_, packages)| packages.iter().map(|name| (*name).to_owned()))
        .collect();
    go::key(&files, &words)
}

fn build_into(dir: &Path) -> Result<()> {
    let bin = dir.join("bin");
    fs::create_dir_all(&bin)?;
    controlplane::compile(
        "the node's daemons",
        &source("kubernetes"),
        &bin.join("kubernetes"),
    )?;
    for (folder, packages) in INSTALLED {
        let mut command = go(dir);
        command
            .env("GOBIN", dir.join(folder))
            .args(["install", "-ldflags=-s -w"])
            .args(packages);
        go::build(packages[0], command)?;
    }
    let pause = bin.join("pause");
    let mut command = go(&source("pause"));
    command
        .args(["build", "-ldflags=-s -w", "-o"])
        .arg(&pause)
        .arg(".");
    go::build("pause", command)?;
    let mut tree = Tree::default();
    tree.file("pause", 0o755, fs::read(&pause)?);
    let image = Archive {
        name: PAUSE_IMAGE.to_owned(),
        layers: vec![tree.layer()?],
        config: serde_json::json!({ "Entrypoint": ["/pause"], "User": "65535:65535" }),
    };
    image.write(&dir.join("pause.tar"))?;
    Ok(())
}
