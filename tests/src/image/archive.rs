//! An OCI image layout in one tar (image-spec 1.1, image-layout.md): what
//! `ctr images import`, `podman load`, `docker load` and `skopeo` take.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, Header};

use super::layer::Layer;

const MEDIA: &str = "application/vnd.oci.image";

/// An image, ready to be written.
#[derive(Debug)]
pub struct Archive {
    /// `registry/path:tag`.
    pub name: String,
    /// The lowest first.
    pub layers: Vec<Layer>,
    /// How a container of it is run: the image configuration's `config`.
    pub config: Value,
}

impl Archive {
    /// Writes it to `path`, and returns the manifest's digest.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result<String> {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        let diff_ids: Vec<&str> = self.layers.iter().map(|one| one.diff_id.as_str()).collect();
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "config": self.config,
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        })
        .to_string()
        .into_bytes();
        let described = |media: &str, blob: &[u8]| json!({ "mediaType": format!("{MEDIA}.{media}"), "digest": digest(blob), "size": blob.len() });
        let layers: Vec<Value> = self
            .layers
            .iter()
            .map(|one| described("layer.v1.tar+gzip", &one.blob))
            .collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": format!("{MEDIA}.manifest.v1+json"),
            "config": described("config.v1+json", &config),
            "layers": layers,
        })
        .to_string()
        .into_bytes();
        let mut listed = described("manifest.v1+json", &manifest);
        listed["platform"] = json!({ "architecture": architecture, "os": "linux" });
        // The first is containerd's, the second everybody's.
        listed["annotations"] = json!({
            "io.containerd.image.name": self.name,
            "org.opencontainers.image.ref.name": self.name,
        });
        let index = json!({
            "schemaVersion": 2,
            "mediaType": format!("{MEDIA}.index.v1+json"),
            "manifests": [listed],
        });

        let mut tar = Builder::new(Vec::new());
        add(&mut tar, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        add(&mut tar, "index.json", index.to_string().as_bytes())?;
        let blobs = self.layers.iter().map(|one| one.blob.as_slice());
        for blob in [config.as_slice(), manifest.as_slice()]
            .into_iter()
            .chain(blobs)
        {
            let name = format!("blobs/{}", digest(blob).replace(':', "/"));
            add(&mut tar, &name, blob)?;
        }
        fs::write(path, tar.into_inner()?)
            .with_context(|| format!("writing {}", path.display()))?;
        Ok(digest(&manifest))
    }
}

/// A blob's name: `sha256:` and 64 hexadecimal digits.
pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

fn add(tar: &mut Builder<Vec<u8>>, name: &str, content: &[u8]) -> Result<()> {
    let mut header = Header::new_gnu();
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(content.len() as u64);
    tar.append_data(&mut header, name, content)
        .with_context(|| format!("packing {name}"))
}
