//! The control plane's binary: etcd, kube-apiserver, kube-controller-manager
//! and kubectl in one, built once from the Go module beside this crate and kept
//! in the cache under the hash of what it was built from.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow};

use crate::go::{self, go, say};
use crate::place;

/// What the binary says that it is. Without it, Kubernetes calls itself v0.0.0
/// and every chart with a `kubeVersion` refuses it.
const KUBERNETES: (&str, &str, &str) = ("v1.36.3", "1", "36");

/// The path of the binary, built now if it has not been yet.
///
/// # Errors
/// Go is missing or too old, the module proxy is out of reach, or the build failed.
pub fn binary() -> Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| build().map_err(|why| format!("{why:#}")));
    built.clone().map_err(|why| anyhow!("{why}"))
}

fn build() -> Result<PathBuf> {
    let source = place::workspace().join("tests/controlplane");
    let dir = place::cache()?.join("controlplane").join(key(&source)?);
    let binary = dir.join("controlplane");
    if binary.exists() {
        return Ok(binary);
    }
    fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
    // Two runs that start together: the second waits here and finds it built.
    let lock = File::create(dir.join("lock"))?;
    lock.lock()
        .context("waiting for another build of the control plane")?;
    if binary.exists() {
        return Ok(binary);
    }
    say("building the Kubernetes control plane (once; 6 to 10 minutes on two cores)");
    let unfinished = dir.join("controlplane.part");
    compile("the control plane", &source, &unfinished)?;
    fs::rename(&unfinished, &binary)?;
    say(&format!("the control plane is in {}", binary.display()));
    Ok(binary)
}

/// The hash of all that decides what the binary of a module here will be.
fn key(source: &Path) -> Result<String> {
    let files = ["go.sum", "go.mod", "main.go"].map(|name| source.join(name));
    go::key(&files, &[])
}

/// Builds a module of Kubernetes' parts, which then says of what version it is.
///
/// # Errors
/// As [`go::build`].
pub fn compile(what: &str, source: &Path, out: &Path) -> Result<()> {
    let (version, major, minor) = KUBERNETES;
    let package = "k8s.io/component-base/version";
    let flags = format!(
        "-s -w -X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor} -X {package}.gitTreeState=clean"
    );
    let mut command = go(source);
    command
        .args(["build", &format!("-ldflags={flags}"), "-o"])
        .arg(out)
        .arg(".");
    go::build(what, command)
}
