//! What the image is made of, as CycloneDX 1.6: the crates that are linked into
//! the binary, with the checksums that Cargo.lock holds them to, and the Debian
//! packages beside it. It has neither a time nor a serial number, so that the
//! same image has the same list.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, anyhow};
use serde_json::{Value, json};

use super::debian::{Package, distribution};
use crate::place::workspace;
use crate::process::run;

/// The list, for the binary of this work tree.
pub(super) fn of(packages: &[Package]) -> Result<Value> {
    let mut components = crates()?;
    for package in packages {
        components.push(debian(package)?);
    }
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "component": {
            "type": "container",
            "name": "kluis",
            "version": env!("CARGO_PKG_VERSION"),
            "licenses": [{ "expression": "Apache-2.0" }],
        }},
        "components": components,
    }))
}

/// The crates that the binary links, ours included; not those that only build or test it.
fn crates() -> Result<Vec<Value>> {
    let host = run(Command::new("rustc").args(["--print", "host-tuple"]))?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let told = run(Command::new(cargo).current_dir(workspace()).args([
        "metadata",
        "--locked",
        "--offline",
        "--format-version=1",
        &format!("--filter-platform={}", host.trim()),
    ]))?;
    let metadata: Value = serde_json::from_str(&told).context("reading cargo metadata")?;
    let rows = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let nodes: BTreeMap<String, Value> = rows(&metadata["resolve"]["nodes"])
        .into_iter()
        .map(|node| (text(&node["id"]), node))
        .collect();
    let known = rows(&metadata["packages"]);
    let root = known
        .iter()
        .find(|package| package["name"] == "kluis")
        .map(|package| text(&package["id"]))
        .ok_or_else(|| anyhow!("the workspace has no package kluis"))?;
    let mut linked = BTreeSet::new();
    let mut next = vec![root];
    while let Some(id) = next.pop() {
        if let Some(node) = nodes.get(&id)
            && linked.insert(id)
        {
            let normal = |kinds: &Value| rows(kinds).iter().any(|kind| kind["kind"] == Value::Null);
            let deps = rows(&node["deps"]).into_iter();
            next.extend(
                deps.filter(|dep| normal(&dep["dep_kinds"]))
                    .map(|dep| text(&dep["pkg"])),
            );
        }
    }
    let checksums = checksums()?;
    let mut found: Vec<(String, Value)> = known
        .iter()
        .filter(|package| linked.contains(&text(&package["id"])))
        .map(|package| component(package, &checksums))
        .collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(found.into_iter().map(|(_, component)| component).collect())
}

fn component(package: &Value, checksums: &BTreeMap<String, String>) -> (String, Value) {
    let (name, version) = (text(&package["name"]), text(&package["version"]));
    let purl = format!("pkg:cargo/{name}@{version}");
    let mut component = json!({
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
    });
    if let Some(licence) = package["license"].as_str() {
        // Old manifests separate alternatives by a slash, which is no SPDX.
        component["licenses"] = json!([{ "expression": licence.replace('/', " OR ") }]);
    }
    if let Some(checksum) = checksums.get(&format!("{name} {version}")) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    (purl, component)
}

/// What Cargo.lock holds each crate of a registry to, by "name version".
fn checksums() -> Result<BTreeMap<String, String>> {
    let lock = fs::read_to_string(workspace().join("Cargo.lock")).context("reading Cargo.lock")?;
    let mut found = BTreeMap::new();
    for package in lock.split("[[package]]") {
        let field = |name: &str| {
            let line = package
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
            line.map(|value| value.trim_matches('"').to_owned())
        };
        if let (Some(name), Some(version), Some(checksum)) =
            (field("name"), field("version"), field("checksum"))
        {
            found.insert(format!("{name} {version}"), checksum);
        }
    }
    Ok(found)
}

fn debian(package: &Package) -> Result<Value> {
    let (id, release) = (distribution("ID")?, distribution("VERSION_ID")?);
    // A purl's version has its plus signs encoded.
    let version = package.version.replace('+', "%2B");
    let purl = format!(
        "pkg:deb/{id}/{}@{version}?arch={}&distro={id}-{release}",
        package.name, package.architecture
    );
    let files: Vec<Value> = package
        .files
        .iter()
        .map(|(path, content)| {
            let digest = super::digest(content).replace("sha256:", "");
            json!({ "type": "file", "name": format!("/{path}"), "hashes": [{ "alg": "SHA-256", "content": digest }] })
        })
        .collect();
    Ok(json!({
        "type": "library",
        "bom-ref": purl,
        "name": package.name,
        "version": package.version,
        "purl": purl,
        "components": files,
    }))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
