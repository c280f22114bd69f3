//! The control plane's binary: etcd, kube-apiserver, kube-controller-manager
//! and kubectl in one, built once from the Go module beside this crate and kept
//! in the cache under the hash of what it was built from.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use sha2::{Digest, Sha256};

use crate::place;
use crate::process::run;

/// What the binary says that it is. Without it, Kubernetes calls itself v0.0.0
/// and every chart with a `kubeVersion` refuses it.
const KUBERNETES: (&str, &str, &str) = ("v1.36.3", "1", "36");

/// How often a build that takes minutes says that it is still at it.
const PULSE: Duration = Duration::from_secs(20);

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
    compile(&source, &unfinished)?;
    fs::rename(&unfinished, &binary)?;
    say(&format!("the control plane is in {}", binary.display()));
    Ok(binary)
}

/// The hash of all that decides what the binary will be.
fn key(source: &Path) -> Result<String> {
    let go = run(Command::new("go").arg("version"))
        .context("the control plane is built with Go 1.26 or later: install it")?;
    let mut hash = Sha256::new();
    for name in ["go.sum", "go.mod", "main.go"] {
        let path = source.join(name);
        hash.update(fs::read(&path).with_context(|| format!("reading {}", path.display()))?);
    }
    hash.update(go.as_bytes());
    Ok(hex::encode(hash.finalize()))
}

fn compile(source: &Path, out: &Path) -> Result<()> {
    let (version, major, minor) = KUBERNETES;
    let package = "k8s.io/component-base/version";
    let flags = format!(
        "-s -w -X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor} -X {package}.gitTreeState=clean"
    );
    let begun = Instant::now();
    let mut child = Command::new("go")
        .current_dir(source)
        .env("CGO_ENABLED", "0")
        .args(["build", "-trimpath", &format!("-ldflags={flags}"), "-o"])
        .arg(out)
        .arg(".")
        .spawn()
        .context("starting go build")?;
    let mut said = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            if status.success() {
                return Ok(());
            }
            bail!("go build in {} ended with {status}", source.display());
        }
        if said.elapsed() >= PULSE {
            said = Instant::now();
            say(&format!(
                "still building the control plane, {} s",
                begun.elapsed().as_secs()
            ));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Straight to standard error: a test's captured output would hide minutes of work.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
