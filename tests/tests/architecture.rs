//! The crates and the arrows between them, as ARCHITECTURE.md draws them. Read
//! from cargo and from the sources, so that what is drawn stays what is built.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use kluis_tests::place::workspace;
use kluis_tests::process::run;
use serde_json::Value;

/// Every crate, and the crates of ours that it may depend on.
const ARROWS: [(&str, &[&str]); 8] = [
    ("kluis-policy", &[]),
    ("kluis-api", &[]),
    ("kluis-arm", &["kluis-policy"]),
    ("kluis-plan", &["kluis-api", "kluis-arm", "kluis-policy"]),
    ("kluis-client", &["kluis-arm"]),
    (
        "kluis-operator",
        &[
            "kluis-api",
            "kluis-arm",
            "kluis-plan",
            "kluis-policy",
            "kluis-client",
        ],
    ),
    ("kluis-vault", &[]),
    (
        "kluis-service",
        &["kluis-arm", "kluis-policy", "kluis-vault"],
    ),
];

/// What may depend on all of them: the binary and these tests.
const TOPS: [&str; 2] = ["kluis", "kluis-tests"];

/// The crates that decide and do no IO.
const PURE: [&str; 4] = ["kluis-policy", "kluis-api", "kluis-arm", "kluis-plan"];

/// What a crate would need to reach a socket, a file, a process, a clock of its
/// own or a source of randomness.
const SHELL: [&str; 24] = [
    "async-std",
    "axum",
    "azure_core",
    "azure_identity",
    "chrono",
    "fastrand",
    "getrandom",
    "hyper",
    "kube-client",
    "kube-runtime",
    "mio",
    "rand",
    "rand_core",
    "reqwest",
    "rusqlite",
    "rustic_core",
    "rustix",
    "rustls",
    "smol",
    "socket2",
    "tempfile",
    "time",
    "tokio",
    "uuid",
];

/// A file of more lines than this holds more than one idea.
const LONGEST: usize = 800;

#[test]
fn crates_depend_on_each_other_as_drawn() {
    let arrows: BTreeMap<_, _> = ARROWS.into_iter().collect();
    let known: BTreeSet<&str> = arrows.keys().copied().chain(TOPS).collect();
    let mut seen = BTreeSet::new();
    for package in packages() {
        let name = package["name"].as_str().unwrap().to_owned();
        let ours = package["dependencies"].as_array().unwrap().iter();
        let ours = ours.filter(|dependency| dependency["path"].is_string());
        for dependency in ours.map(|dependency| dependency["name"].as_str().unwrap()) {
            let allowed = TOPS.contains(&name.as_str())
                || arrows
                    .get(name.as_str())
                    .is_some_and(|to| to.contains(&dependency));
            assert!(
                allowed,
                "{name} must not depend on {dependency}: no such arrow is drawn"
            );
        }
        seen.insert(name);
    }
    let seen: BTreeSet<&str> = seen.iter().map(String::as_str).collect();
    assert_eq!(
        seen, known,
        "a crate came or went: draw it here and in ARCHITECTURE.md"
    );
}

#[test]
fn the_crates_that_decide_cannot_reach_io() {
    for name in PURE {
        let tree = cargo(&[
            "tree",
            "--package",
            name,
            "--edges",
            "normal,no-proc-macro",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ]);
        let reached: BTreeSet<&str> = tree
            .lines()
            .filter_map(|line| line.split(' ').next())
            .collect();
        let shell: Vec<_> = SHELL
            .iter()
            .filter(|shell| reached.contains(*shell))
            .collect();
        assert!(
            shell.is_empty(),
            "{name} decides and does no IO, but it reaches {shell:?}: see `cargo tree -p {name} -i`"
        );
    }
}

#[test]
fn the_operator_and_the_service_meet_over_http_alone() {
    let reached = |name| {
        let tree = cargo(&[
            "tree",
            "--package",
            name,
            "--edges",
            "normal,build",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ]);
        tree.lines()
            .filter_map(|line| line.split(' ').next().map(str::to_owned))
            .collect::<BTreeSet<_>>()
    };
    let operator = reached("kluis-operator");
    for other in ["kluis-service", "kluis-vault", "rustic_core", "rusqlite"] {
        assert!(
            !operator.contains(other),
            "the operator must not see {other}"
        );
    }
    let service = reached("kluis-service");
    for other in [
        "kluis-operator",
        "kluis-api",
        "kube",
        "kube-client",
        "k8s-openapi",
    ] {
        assert!(!service.contains(other), "the service must not see {other}");
    }
}

#[test]
fn every_crate_takes_the_workspace_lints_and_the_pure_ones_their_own() {
    for package in packages() {
        let manifest = PathBuf::from(package["manifest_path"].as_str().unwrap());
        let text = fs::read_to_string(&manifest).unwrap();
        assert!(
            text.contains("[lints]\nworkspace = true"),
            "{} lacks `[lints] workspace = true`",
            manifest.display()
        );
        if PURE.contains(&package["name"].as_str().unwrap()) {
            let rules =
                fs::read_to_string(manifest.with_file_name("clippy.toml")).unwrap_or_default();
            for what in [
                "std::fs",
                "std::net",
                "std::env",
                "std::process",
                "std::time",
                "::now",
            ] {
                assert!(
                    rules.contains(what),
                    "{} does not forbid {what} by its clippy.toml",
                    manifest.display()
                );
            }
        }
    }
}

#[test]
fn no_file_holds_too_much_and_none_is_unfinished() {
    // Written in halves so that this file does not find itself.
    let unfinished = [
        ["TO", "DO"],
        ["FIX", "ME"],
        ["XX", "X:"],
        ["todo", "!("],
        ["unimplemented", "!("],
        ["#[ign", "ore"],
    ]
    .map(|halves| halves.concat());
    let vague = [
        "utils.rs",
        "util.rs",
        "common.rs",
        "helper.rs",
        "helpers.rs",
        "manager.rs",
        "misc.rs",
    ];
    let mut files = Vec::new();
    for top in ["crates", "tests", "benches", "charts", "examples", "crds"] {
        collect(&workspace().join(top), &mut files);
    }
    assert!(
        files.len() > 20,
        "found only {} files: is this the work tree?",
        files.len()
    );
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap();
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        if path.extension().is_some_and(|extension| extension == "rs") {
            assert!(
                text.lines().count() <= LONGEST,
                "{} has more than {LONGEST} lines: it holds more than one idea",
                path.display()
            );
            assert!(
                !vague.contains(&name),
                "{}: a file's name says which idea it holds",
                path.display()
            );
        }
        for word in &unfinished {
            assert!(
                !text.contains(word.as_str()),
                "{} holds {word:?}: finish it or say in the documentation what is missing",
                path.display()
            );
        }
    }
}

fn packages() -> Vec<Value> {
    let metadata: Value =
        serde_json::from_str(&cargo(&["metadata", "--format-version", "1", "--no-deps"])).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    run(Command::new(cargo)
        .current_dir(workspace())
        .args(arguments)
        .arg("--offline"))
    .unwrap()
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if !["target", "__pycache__", ".venv"].contains(&name) {
                collect(&path, files);
            }
        } else if ["rs", "go", "py", "toml", "yaml", "sh", "sql"].contains(
            &path
                .extension()
                .and_then(|end| end.to_str())
                .unwrap_or_default(),
        ) {
            files.push(path);
        }
    }
}
