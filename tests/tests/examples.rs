//! Every manifest under `examples/` is one that the API server takes.

use std::fs;
use std::path::PathBuf;

use kluis_tests::cluster::Cluster;
use kluis_tests::place::workspace;

#[test]
fn every_example_is_accepted() {
    let cluster = Cluster::shared().unwrap();
    // The examples name these, and a dry run needs them to be there.
    for namespace in ["shop", "kluis-system"] {
        let _ = cluster.kubectl().run(["create", "namespace", namespace]);
    }
    let mut tried = 0;
    let mut folders = vec![workspace().join("examples")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if is_manifest(&path) {
                // `create`, not `apply`: some have a name that the server makes.
                let file = path.to_str().unwrap();
                cluster
                    .kubectl()
                    .run([
                        "create",
                        "--dry-run=server",
                        "--validate=strict",
                        "-f",
                        file,
                    ])
                    .or_else(|why| {
                        if why.to_string().contains("AlreadyExists")
                            || why.to_string().contains("already exists")
                        {
                            Ok(String::new())
                        } else {
                            Err(why)
                        }
                    })
                    .unwrap();
                tried += 1;
            }
        }
    }
    assert!(tried >= 7, "only {tried} manifests found");
}

/// An inventory is YAML too, but the service's.
fn is_manifest(path: &PathBuf) -> bool {
    path.extension().is_some_and(|end| end == "yaml")
        && fs::read_to_string(path).unwrap().contains("apiVersion:")
}
