//! Microsoft's own Python SDK against the service, over HTTPS and with a real credential: what it does and checks are the
//! scenarios of `tests/python/sdk.py`.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use kluis_arm::error::code;
use kluis_arm::{dataprotection, policy};
use kluis_policy::Workload;
use kluis_tests::place::{Scratch, scratch, workspace};
use kluis_tests::process::{free_port, run};
use kluis_tests::service::{Service, Setup};
use kluis_tests::venv;
use serde_json::{Value, json};

use crate::boundaries::{Boundary, boundaries};

const INVENTORY: &str = "
resourceGroups:
  shop-rg:
    location: westeurope
    virtualMachines:
      web-1:
        os: Linux
        disks:
          - path: disks/web-1/os.raw
          - { path: disks/web-1/data.raw, lun: 0 }
      big-1:
        os: Linux
        disks:
          - path: disks/big-1/os.raw
    storageAccounts: { stagingweu: {} }
    virtualNetworks: { shop-net: { subnets: [default] } }
  restored-rg: { location: westeurope }
  one-lun-rg: { location: westeurope }
  os-only-rg: { location: westeurope }
  machines-rg: { location: westeurope }
restored: restored/
";

/// An Owner with a secret, and a Reader who signs in by a service account's word.
const IDENTITIES: &str = "
identities:
  - { clientId: 11111111-aaaa-bbbb-cccc-555555555555, secretFile: owner.secret, role: Owner }
  - clientId: 22222222-3333-4444-5555-666666666666
    role: Reader
    federated:
      issuer: https://kubernetes.default.svc.cluster.local
      subject: system:serviceaccount:kluis-system:kluis
      keysFile: issuer.json
";

#[test]
fn microsofts_sdk_runs_a_machines_whole_life() {
    // The big machine is long enough at work for the job behind it to be cancelled in the queue.
    let folder = folder("", 512);
    let service = plays("life", &folder, |setup| setup.max_jobs = Some(1));
    assert!(
        !service.vault_dir("shop-rg", "shop-weu").exists(),
        "a deleted vault leaves no repository"
    );
}

#[test]
fn microsofts_sdk_restores_and_stops_in_every_way() {
    let folder = folder("", 2);
    let service = plays("ends", &folder, |_| {});
    let vaults = service.setup().data.join("vaults");
    let left: Vec<_> = fs::read_dir(&vaults)
        .unwrap()
        .flat_map(|group| fs::read_dir(group.unwrap().path()).unwrap())
        .map(|vault| vault.unwrap().path())
        .collect();
    assert!(
        left.is_empty(),
        "neither a vault nor a deleted one is left: {left:?}"
    );
}

#[test]
fn microsofts_sdk_asks_every_question() {
    plays("questions", &folder("", 2), |_| {});
}

#[test]
fn microsofts_sdk_puts_reads_changes_and_deletes_policies_of_every_kind() {
    let folder = folder("", 2);
    let cases: Vec<Value> = boundaries().iter().filter_map(on_the_wire).collect();
    let text = serde_json::to_string(&cases).unwrap();
    fs::write(folder.path().join("boundaries.json"), text).unwrap();
    plays("policies", &folder, |_| {});
}

/// A policy at the edge of a limit as a client writes it, and the code of its refusal; none where the wire has no way to say it.
fn on_the_wire(boundary: &Boundary) -> Option<Value> {
    // A disk's window is nowhere on the wire, and every 24 hours is there once a day.
    let unsaid = boundary.field == "schedule.hourly.for"
        || boundary.spec["schedule"]["hourly"]["every"] == "24h";
    if boundary.workload == Workload::Disk && unsaid {
        return None;
    }
    let spec = serde_json::from_value(boundary.spec.clone()).ok()?;
    let terms = kluis_plan::policy_terms(&spec).ok()?;
    let backup_vault = matches!(boundary.workload, Workload::Disk | Workload::PostgreSql);
    let properties = if backup_vault {
        serde_json::to_value(dataprotection::render(&terms).ok()?)
    } else {
        serde_json::to_value(policy::render(&terms).ok()?)
    };
    let code = match boundary.field {
        _ if boundary.inside => None,
        _ if backup_vault => Some(code::INVALID_RULES),
        field if field.starts_with("retention.") => Some(code::INVALID_RETENTION),
        field if field.ends_with(".keep") => Some(code::INVALID_RETENTION),
        _ => Some(code::INVALID_POLICY),
    };
    Some(json!({
        "name": boundary.name(), "backupVault": backup_vault, "properties": properties.unwrap(), "code": code,
    }))
}

#[test]
fn microsofts_sdk_signs_in_without_a_secret() {
    let folder = folder(IDENTITIES, 2);
    let secret = folder.path().join("owner.secret");
    fs::write(secret, "no more than a test's secret").unwrap();
    plays("identities", &folder, |setup| {
        setup.listen_http = Some(free_port().unwrap());
    });
}

#[test]
fn microsofts_sdk_is_told_when_it_reads_jobs_too_often() {
    plays("throttled", &folder("", 2), |setup| {
        setup.job_reads_per_hour = Some(3);
    });
}

/// An inventory with its disks.
fn folder(identities: &str, big: u64) -> Scratch {
    let scratch = scratch("python").unwrap();
    let folder = scratch.path();
    disk(&folder.join("disks/web-1/os.raw"), 24, 3);
    disk(&folder.join("disks/web-1/data.raw"), 8, 2);
    disk(&folder.join("disks/big-1/os.raw"), big, 1);
    fs::write(
        folder.join("inventory.yaml"),
        format!("{INVENTORY}{identities}"),
    )
    .unwrap();
    scratch
}

/// Runs a scenario to its end on a service of its own.
fn plays(scenario: &str, folder: &Scratch, otherwise: impl FnOnce(&mut Setup)) -> Service {
    let folder = folder.path();
    let mut setup = Setup::new(folder, &folder.join("inventory.yaml"));
    otherwise(&mut setup);
    let mut service = Service::start(setup).unwrap();
    let suite = workspace().join("tests/python");
    let python = venv::python(&suite.join("requirements.txt")).unwrap();
    let setup = service.setup();
    let mut command = Command::new(python);
    command
        .arg(suite.join("sdk.py"))
        .arg(scenario)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("KLUIS_CREDENTIALS", setup.data.join("credentials.json"))
        .env("KLUIS_INVENTORY_DIR", folder)
        .env("REQUESTS_CA_BUNDLE", setup.data.join("ca.pem"));
    if let Some(port) = setup.listen_http {
        let endpoint = format!("http://127.0.0.1:{port}/msi/token");
        command.env("KLUIS_IDENTITY_ENDPOINT", endpoint);
    }
    match run(&mut command) {
        Ok(said) => assert!(said.ends_with("the end\n"), "it ran to its end:\n{said}"),
        Err(why) => panic!("{why:#}\n{}", service.daemon().tail()),
    }
    service
}

/// A raw disk of `mib` MiB in which one of every `nth` holds bytes that do not compress and the others are holes.
fn disk(path: &Path, mib: u64, nth: u64) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let disk = File::create(path).unwrap();
    disk.set_len(mib << 20).unwrap();
    let mut state = mib;
    let mut block = vec![0; 1 << 20];
    for at in (0..mib).step_by(usize::try_from(nth).unwrap()) {
        for word in block.chunks_exact_mut(8) {
            // xorshift64: quick, and no two blocks alike.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
        std::os::unix::fs::FileExt::write_all_at(&disk, &block, at << 20).unwrap();
    }
    (&disk).flush().unwrap();
}
