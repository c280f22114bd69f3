//! What takes long stands in nobody's way: measured by what comes before what.

use std::sync::mpsc::channel;

use kluis_service::Movers;
use kluis_service::shell::Scripted;
use serde_json::{Value, json};

use crate::movers::Site;

#[test]
fn a_cancel_does_not_wait_for_the_vaults_that_are_being_made() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::write(dir.join("web-2-os.raw"), vec![7; 1 << 20]).unwrap();
    let (started, is_started) = channel();
    // It does nothing until it is ended.
    let mover = Scripted::new(move |_| {
        started.send(()).unwrap();
        Vec::new()
    });
    let mut site = Site::start(dir, Movers::Own(Box::new(mover)));
    site.protect();
    let job = site.begin_backup();
    is_started.recv().unwrap();
    let own = site.vault.clone();
    for number in 0..30 {
        site.vault = own.replace("vaults/v1", &format!("vaults/made-{number}"));
        let made = site.call("PUT", "", &json!({ "location": "westeurope" }));
        assert_eq!(made.status, 201, "{}", made.body);
    }
    let last = site.vault.clone();
    site.vault = own;
    let cancelled = site.call("POST", &format!("/backupJobs/{job}/cancel"), &Value::Null);
    assert_eq!(cancelled.status, 202, "{}", cancelled.body);
    assert_eq!(site.end_of(&job)["status"], "Cancelled");
    site.vault = last;
    assert_eq!(
        site.get("")["properties"]["provisioningState"],
        "Provisioning",
        "the cancel came before the last vault"
    );
    site.running.shutdown().unwrap();
}
