//! The container image, packed without a daemon: the binary, the shared
//! libraries that it is linked to, the public certificate authorities, and an
//! inventory of all that (an SBOM) beside it. The same inputs give the same
//! bytes.

mod archive;
mod debian;
mod layer;
mod sbom;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use serde_json::{Value, json};

pub use archive::{Archive, digest};
pub use debian::Package;
pub use layer::{Layer, Tree};

use crate::place::workspace;

/// Who the processes are: the number that "nonroot" has in other images, so that
/// volumes change hands easily.
const USER: u32 = 65532;

/// What was packed.
#[derive(Debug)]
pub struct Packed {
    /// The OCI archive.
    pub archive: PathBuf,
    /// CycloneDX, as JSON.
    pub sbom: PathBuf,
    /// The manifest's digest: what a registry would call the image.
    pub digest: String,
    /// The name under which an import makes it known.
    pub name: String,
    /// The archive's size in bytes.
    pub size: u64,
}

/// Packs `binary` into `out/kluis.tar`, and what it is made of into `out/kluis.cdx.json`.
///
/// # Errors
/// The binary is linked to a library that no Debian package owns, a package's
/// files are not those it came with, or a file cannot be read or written.
pub fn pack(binary: &Path, out: &Path) -> Result<Packed> {
    let name = default_name()?;
    let packages = debian::needed_by(binary)?;
    let archive = Archive {
        name: name.clone(),
        layers: vec![debian_layer(&packages)?, kluis_layer(binary)?],
        config: config(),
    };
    fs::create_dir_all(out).with_context(|| format!("making {}", out.display()))?;
    let path = out.join("kluis.tar");
    let digest = archive.write(&path)?;
    let sbom = out.join("kluis.cdx.json");
    let told = serde_json::to_string_pretty(&sbom::of(&packages)?)?;
    fs::write(&sbom, told + "\n").with_context(|| format!("writing {}", sbom.display()))?;
    let size = fs::metadata(&path)?.len();
    Ok(Packed {
        archive: path,
        sbom,
        digest,
        name,
        size,
    })
}

/// The image that the chart runs when nothing else is set.
pub fn default_name() -> Result<String> {
    let read = |file: &str| -> Result<Value> {
        let path = workspace().join("charts/kluis").join(file);
        let text =
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        serde_yaml::from_str(&text).map_err(|why| anyhow!("{}: {why}", path.display()))
    };
    let (chart, values) = (read("Chart.yaml")?, read("values.yaml")?);
    let repository = values["image"]["repository"].as_str();
    let version = chart["appVersion"].as_str();
    let both = repository.zip(version);
    let (repository, version) =
        both.context("the chart names no image.repository or no appVersion")?;
    Ok(format!("{repository}:{version}"))
}

/// Changes when Debian does.
fn debian_layer(packages: &[Package]) -> Result<Layer> {
    let mut tree = Tree::default();
    for package in packages {
        for (path, content) in &package.files {
            let mode = if path.contains(".so") { 0o755 } else { 0o644 };
            tree.file(path, mode, content.clone());
        }
        // Where scanners look for what is in an image without a package manager.
        let status = format!("var/lib/dpkg/status.d/{}", package.name);
        tree.file(&status, 0o644, package.status.clone().into_bytes());
        if let Some(copyright) = &package.copyright {
            let path = format!("usr/share/doc/{}/copyright", package.name);
            tree.file(&path, 0o644, copyright.clone());
        }
    }
    tree.file("etc/os-release", 0o644, debian::os_release()?);
    // /etc/hosts, which the kubelet writes, before DNS.
    tree.file(
        "etc/nsswitch.conf",
        0o644,
        b"hosts: files dns\n".as_slice().into(),
    );
    let account = format!("kluis:x:{USER}:{USER}:kluis:/:/sbin/nologin\n");
    let accounts = format!("root:x:0:0:root:/:/sbin/nologin\n{account}");
    tree.file("etc/passwd", 0o644, accounts.into_bytes());
    let groups = format!("root:x:0:\nkluis:x:{USER}:\n");
    tree.file("etc/group", 0o644, groups.into_bytes());
    tree.directory("tmp", 0o1777, 0);
    for empty in ["proc", "sys", "dev"] {
        tree.directory(empty, 0o755, 0);
    }
    tree.layer()
}

/// Changes with every commit.
fn kluis_layer(binary: &Path) -> Result<Layer> {
    let read = |path: &Path| {
        fs::read(path)
            .with_context(|| format!("reading {}: build it with `make image`", path.display()))
    };
    let mut tree = Tree::default();
    tree.file("usr/bin/kluis", 0o755, read(binary)?);
    tree.file(
        "usr/share/doc/kluis/LICENSE",
        0o644,
        read(&workspace().join("LICENSE"))?,
    );
    tree.directory("var/lib/kluis", 0o700, USER);
    tree.layer()
}

fn config() -> Value {
    json!({
        "Entrypoint": ["/usr/bin/kluis"],
        "Env": ["PATH=/usr/bin"],
        "User": format!("{USER}:{USER}"),
        "WorkingDir": "/",
        "Labels": {
            "org.opencontainers.image.title": "kluis",
            "org.opencontainers.image.description": "Backup as code: the operator and the backup service",
            "org.opencontainers.image.licenses": "Apache-2.0",
            "org.opencontainers.image.version": env!("CARGO_PKG_VERSION"),
        },
    })
}
