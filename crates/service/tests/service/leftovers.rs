//! Files of a vault that was deleted: they stay while it can come back, over a restart, and go with it.

use std::path::Path;
use std::time::{Duration, Instant};

use kluis_service::Movers;
use kluis_service::shell::Threads;
use serde_json::Value;

use crate::movers::Site;
use crate::shell::{call, follow};

/// Files of deleted vaults go a moment after the store has let go of them.
const LIMIT: Duration = Duration::from_secs(60);

fn entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

fn site(dir: &Path) -> Site<'_> {
    Site::start(dir, Movers::Own(Box::new(Threads)))
}

fn advance(site: &Site<'_>, dir: &Path, by: &str) {
    let headers = [("Authorization", site.token.as_str())];
    let body = format!(r#"{{"advance":"{by}"}}"#);
    let moved = call(&site.running, dir, "POST", "/_kluis/clock", &headers, &body);
    assert_eq!(moved.status, 200, "{}", moved.body);
}

#[test]
fn the_snapshots_of_a_deleted_vault_outlive_a_restart_and_go_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::write(dir.join("web-2-os.raw"), vec![7; 1 << 20]).unwrap();
    let snapshots = dir.join("data/snapshots");
    let (own, away) = (
        snapshots.join("shop-rg/v1"),
        dir.join("data/vaults/.deleted"),
    );
    let first = site(dir);
    first.protect();
    for _ in 0..2 {
        let job = first.back_up();
        assert_eq!(job["status"], "Completed", "{job}");
    }
    assert_eq!(entries(&own), 2, "a folder a point");

    assert_eq!(
        first.call("DELETE", &first.item(), &Value::Null).status,
        202
    );
    // Of this api-version, the vault is put away.
    let target = format!("{}?api-version=2026-07-01", first.vault);
    let headers = [("Authorization", first.token.as_str())];
    let deleted = call(&first.running, dir, "DELETE", &target, &headers, "");
    assert_eq!(deleted.status, 202, "{}", deleted.body);
    follow(&first.running, dir, &first.token, &deleted);
    assert_eq!(entries(&away), 1);
    first.running.shutdown().unwrap();

    let second = site(dir);
    assert_eq!(
        entries(&own),
        2,
        "a start removes what no point has, and these have theirs"
    );
    advance(&second, dir, "P13D");
    assert_eq!(entries(&own), 2, "it can still come back");
    advance(&second, dir, "P2D");
    let deadline = Instant::now() + LIMIT;
    while snapshots.join("shop-rg").exists() {
        assert!(
            Instant::now() < deadline,
            "they are still there: {}",
            entries(&own)
        );
        std::thread::yield_now();
    }
    assert_eq!(entries(&away), 0);
    second.running.shutdown().unwrap();
}
