//! Microsoft's own Python SDK runs a virtual machine's whole life against the service, over HTTPS and with a real
//! credential: what it does and checks is `tests/python/sdk.py`.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use kluis_tests::place::{scratch, workspace};
use kluis_tests::process::run;
use kluis_tests::service::{Service, Setup};
use kluis_tests::venv;

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
  restored-rg:
    location: westeurope
restored: restored/
";

#[test]
fn microsofts_sdk_runs_a_machines_whole_life() {
    let scratch = scratch("python").unwrap();
    let folder = scratch.path();
    disk(&folder.join("disks/web-1/os.raw"), 24, 3);
    disk(&folder.join("disks/web-1/data.raw"), 8, 2);
    // Long enough at work for the job behind it to be cancelled in the queue.
    disk(&folder.join("disks/big-1/os.raw"), 512, 1);
    fs::write(folder.join("inventory.yaml"), INVENTORY).unwrap();

    let setup = Setup {
        max_jobs: Some(1),
        ..Setup::new(folder, &folder.join("inventory.yaml"))
    };
    let mut service = Service::start(setup).unwrap();
    let suite = workspace().join("tests/python");
    let python = venv::python(&suite.join("requirements.txt")).unwrap();
    let data = &service.setup().data;
    let ran = run(Command::new(python)
        .arg(suite.join("sdk.py"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("KLUIS_CREDENTIALS", data.join("credentials.json"))
        .env("KLUIS_INVENTORY_DIR", folder)
        .env("REQUESTS_CA_BUNDLE", data.join("ca.pem")));
    match ran {
        Ok(said) => assert!(
            said.contains("ok delete_vault"),
            "it ran to its end:\n{said}"
        ),
        Err(why) => panic!("{why:#}\n{}", service.daemon().tail()),
    }
    assert!(
        !service.vault_dir("shop-rg", "shop-weu").exists(),
        "a deleted vault leaves no repository"
    );
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
