//! The packed image, as whoever imports it reads it: every digest is of what it
//! names, the binary runs in nothing but the image's own files, and packing it
//! again gives the same bytes.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Command;

use flate2::read::GzDecoder;
use kluis_tests::binary::kluis;
use kluis_tests::image::{Packed, default_name, digest, pack};
use kluis_tests::place::scratch;
use serde_json::Value;
use tar::Archive;

type Files = BTreeMap<String, Vec<u8>>;

fn files(tar: &[u8]) -> Files {
    let mut archive = Archive::new(tar);
    let mut files = Files::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        assert_eq!(entry.header().mtime().unwrap(), 0);
        let path = entry.path().unwrap().display().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        assert!(
            files.insert(path.clone(), content).is_none(),
            "{path} twice"
        );
    }
    files
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// The blob that a descriptor names, which has its size and its digest.
fn blob<'a>(layout: &'a Files, descriptor: &Value) -> &'a [u8] {
    let name = descriptor["digest"].as_str().unwrap();
    let path = format!("blobs/{}", name.replace(':', "/"));
    let blob = &layout[&path];
    assert_eq!(digest(blob), name);
    assert_eq!(descriptor["size"], blob.len());
    blob
}

#[test]
fn the_archive_is_what_it_says() {
    let dir = scratch("image").unwrap();
    let packed = pack(&kluis().unwrap(), dir.path()).unwrap();
    let layout = files(&fs::read(&packed.archive).unwrap());
    assert_eq!(json(&layout["oci-layout"])["imageLayoutVersion"], "1.0.0");
    let index = json(&layout["index.json"]);
    let listed = &index["manifests"][0];
    assert_eq!(listed["digest"], *packed.digest);
    assert_eq!(
        listed["annotations"]["io.containerd.image.name"],
        *default_name().unwrap()
    );
    let manifest = json(blob(&layout, listed));
    let config = json(blob(&layout, &manifest["config"]));
    assert_eq!(config["config"]["User"], "65532:65532");
    let layers = manifest["layers"].as_array().unwrap();
    let diff_ids = config["rootfs"]["diff_ids"].as_array().unwrap();
    assert_eq!(layers.len(), diff_ids.len());
    let mut root = Files::new();
    for (layer, diff_id) in layers.iter().zip(diff_ids) {
        let mut tar = Vec::new();
        let mut unpacked = GzDecoder::new(blob(&layout, layer));
        unpacked.read_to_end(&mut tar).unwrap();
        assert_eq!(*diff_id, digest(&tar));
        root.extend(files(&tar));
    }
    // All that is named is there, and nothing is there that is not named.
    assert_eq!(layout.len(), 2 + 2 + layers.len());
    assert!(root.contains_key("usr/bin/kluis"));
    assert!(root.contains_key("etc/ssl/certs/ca-certificates.crt"));
    let shells: Vec<&String> = root
        .keys()
        .filter(|path| path.ends_with("/sh") || path.ends_with("/bash"))
        .collect();
    assert!(shells.is_empty(), "{shells:?}");
    runs(dir.path(), &root);

    listed_parts(&packed, &root);
}

/// Packed again, elsewhere, it has the same bytes. (Of a small program: a large one is packed no differently.)
#[test]
fn the_same_inputs_give_the_same_bytes() {
    let (one, other) = (scratch("image").unwrap(), scratch("image").unwrap());
    let small = Path::new("/bin/true");
    let (one, other) = (
        pack(small, one.path()).unwrap(),
        pack(small, other.path()).unwrap(),
    );
    let read = |path: &Path| fs::read(path).unwrap();
    assert_eq!(one.digest, other.digest);
    assert!(read(&one.archive) == read(&other.archive));
    assert!(read(&one.sbom) == read(&other.sbom));
}

/// The image's own loader and libraries start the binary, and no others.
fn runs(dir: &Path, root: &Files) {
    let root_dir = dir.join("root");
    for (path, content) in root {
        let at = root_dir.join(path);
        if path.ends_with('/') {
            fs::create_dir_all(at).unwrap();
        } else {
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            fs::write(at, content).unwrap();
        }
    }
    let loader = root.keys().find(|path| path.contains("/ld-linux")).unwrap();
    let mode = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    let loader = root_dir.join(loader);
    fs::set_permissions(&loader, mode).unwrap();
    let mut libraries: Vec<String> = root
        .keys()
        .filter(|path| path.contains(".so"))
        .map(|path| root_dir.join(path).parent().unwrap().display().to_string())
        .collect();
    libraries.dedup();
    let told = Command::new(loader)
        .args(["--inhibit-cache", "--library-path", &libraries.join(":")])
        .arg(root_dir.join("usr/bin/kluis"))
        .arg("--version")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&told.stdout);
    assert!(said.starts_with("kluis "), "{told:?}");
}

/// The list beside it names every crate that Cargo.lock holds to a checksum, and
/// every Debian file by its own.
fn listed_parts(packed: &Packed, root: &Files) {
    let list = json(&fs::read(&packed.sbom).unwrap());
    assert_eq!(list["bomFormat"], "CycloneDX");
    let components = list["components"].as_array().unwrap();
    let named = |name: &str| {
        components
            .iter()
            .find(|component| component["name"] == name)
            .unwrap_or_else(|| panic!("{name} is not on the list"))
    };
    for name in ["kluis", "kluis-operator", "kluis-service", "rustls", "kube"] {
        assert!(
            named(name)["purl"]
                .as_str()
                .unwrap()
                .starts_with("pkg:cargo/")
        );
    }
    assert_eq!(
        named("kube")["hashes"][0]["content"]
            .as_str()
            .unwrap()
            .len(),
        64
    );
    assert!(components.iter().all(|one| one["name"] != "expect-test"));
    for name in ["libc6", "libgcc-s1", "ca-certificates"] {
        for file in named(name)["components"].as_array().unwrap() {
            let path = file["name"].as_str().unwrap().trim_start_matches('/');
            let content = format!("sha256:{}", file["hashes"][0]["content"].as_str().unwrap());
            assert_eq!(digest(&root[path]), content, "{path}");
        }
    }
}
