//! A machine with a real Debian on its disk (raw) and a second disk (qcow2): backed up, changed, backed up, and restored in
//! each way that there is, by manifests; every byte compared by another program.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use kluis_tests::binary::kluis;
use kluis_tests::cluster::Cluster;
use kluis_tests::debian::{self, Root};
use kluis_tests::files::{self, Found};
use kluis_tests::place::{Scratch, scratch};
use kluis_tests::process::run;
use kluis_tests::service::{self, Service};
use kluis_tests::until::seconds;
use kluis_tests::world::{Estate, NAMESPACE, VAULT, VM, World};
use kluis_tests::{disk, qemu};
use serde_json::{Value, json};

const LIMIT: Duration = seconds(180);
const GROUP: &str = "shop-rg";

/// The machine, and copies of its disks as they were at each backup.
struct Story {
    world: World,
    root: Root,
    dir: Scratch,
    _cluster: Cluster,
}

/// The disks of one recovery point, raw.
struct Kept {
    point: String,
    os: PathBuf,
    data: PathBuf,
}

fn inventory(machine: &str) -> String {
    format!(
        "subscriptionId: 11111111-2222-3333-4444-555555555555\nresourceGroups:\n  {GROUP}:\n    location: westeurope\n{machine}    storageAccounts: {{ stagingweu: {{}} }}\n    virtualNetworks: {{ shop-net: {{ subnets: [default] }} }}\n  shop-restored: {{ location: westeurope }}\n  one-disk: {{ location: westeurope }}\n  os-alone: {{ location: westeurope }}\n  new-home: {{ location: westeurope }}\nrestored: restored/\n"
    )
}

const MACHINE: &str = "    virtualMachines:\n      web-1:\n        os: Linux\n        disks:\n          - path: disks/web-1-os.raw\n          - { path: disks/web-1-data.qcow2, lun: 0 }\n";

impl Story {
    fn begin() -> Self {
        let dir = scratch("every-restore").unwrap();
        let disks = dir.path().join("disks");
        fs::create_dir_all(&disks).unwrap();
        let os = disks.join("web-1-os.raw");
        let root = debian::disk(&os).unwrap();
        let plain = dir.path().join("data.raw");
        disk::make(&plain, 64, 24 << 20).unwrap();
        let data = disks.join("web-1-data.qcow2");
        qemu::qcow2_of(&plain, &data).unwrap();
        let inventory_path = dir.path().join("inventory.yaml");
        fs::write(&inventory_path, inventory(MACHINE)).unwrap();
        let estate = Estate {
            inventory: inventory_path,
            disks: vec![os, data],
            files: 0,
        };
        let service = Service::start(service::Setup::new(dir.path(), &estate.inventory)).unwrap();
        let cluster = Cluster::start().unwrap();
        let mut world = World::new(dir.path(), cluster.kubectl(), service, estate).unwrap();
        world.start_operator(None).unwrap();
        world.apply_service().unwrap();
        let consent = r#"{"spec":{"namespaces":[{"name":"shop","resourceGroups":["*"]}]}}"#;
        let patch = [
            "patch",
            "backupservice",
            "backup",
            "--type=merge",
            "--patch",
            consent,
        ];
        world.kubectl.run(patch).unwrap();
        world.apply_examples().unwrap();
        world.until_protected(LIMIT).unwrap();
        Self {
            world,
            root,
            dir,
            _cluster: cluster,
        }
    }

    /// Backs up, and keeps what the disks held.
    fn back_up(&mut self, name: &str) -> Kept {
        let job = self.world.back_up(LIMIT).unwrap();
        let os = self.dir.path().join(format!("{name}-os.raw"));
        let data = self.dir.path().join(format!("{name}-data.raw"));
        disk::copy(&self.world.estate.disks[0], &os).unwrap();
        qemu::raw_of(&self.world.estate.disks[1], &data).unwrap();
        Kept {
            point: job["status"]["recoveryPoint"].as_str().unwrap().to_owned(),
            os,
            data,
        }
    }

    fn change(&self) {
        disk::change(&self.world.estate.disks[0], 6 << 20).unwrap();
        qemu::write(&self.world.estate.disks[1], 8 << 20, 3 << 20, 0x5a).unwrap();
        qemu::write(&self.world.estate.disks[1], 40 << 20, 64 << 10, 0xa5).unwrap();
    }

    /// A Restore from a point to a target, to its end; its status.
    fn restore(&mut self, name: &str, point: &str, to: &Value) -> Value {
        self.create(name, point, to);
        let ended = self.world.until_succeeded("restore", name, LIMIT).unwrap();
        ended["status"].clone()
    }

    fn create(&self, name: &str, point: &str, to: &Value) {
        let object = json!({ "apiVersion": "kluis.dev/v1alpha1", "kind": "Restore",
            "metadata": { "name": name, "namespace": NAMESPACE },
            "spec": { "item": { "kind": "ProtectedVM", "name": VM }, "from": { "recoveryPoint": point }, "to": to } });
        self.world.kubectl.apply(&object.to_string()).unwrap();
    }

    /// The file of a restored disk, by its resource id.
    fn file_of(&self, disk_id: &str) -> PathBuf {
        let parts: Vec<&str> = disk_id.split('/').collect();
        let (group, name) = (parts[4], parts[8]);
        let folder = self.dir.path().join("restored").join(group);
        let candidates = ["raw", "qcow2"].map(|end| folder.join(format!("{name}.{end}")));
        let found = candidates.iter().find(|path| path.exists());
        found
            .unwrap_or_else(|| panic!("no file of {disk_id} in {}", folder.display()))
            .clone()
    }

    /// The machine's disks as ARM tells them: the OS disk's id first, then by LUN.
    fn disks_of(&self, group: &str, vm: &str) -> Vec<String> {
        let path =
            format!("resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{vm}");
        let machine = self.world.service.read(&path).unwrap();
        let profile = &machine["properties"]["storageProfile"];
        let id = |disk: &Value| disk["managedDisk"]["id"].as_str().unwrap().to_owned();
        std::iter::once(id(&profile["osDisk"]))
            .chain(profile["dataDisks"].as_array().unwrap().iter().map(id))
            .collect()
    }

    fn kluis(&self, args: &[&str]) -> String {
        run(Command::new(kluis().unwrap())
            .args(args)
            .args(["--namespace", NAMESPACE])
            .env("KUBECONFIG", self.world.kubectl.kubeconfig()))
        .unwrap()
    }
}

#[test]
fn a_debian_machine_comes_back_in_each_way() {
    let mut story = Story::begin();
    let first = story.back_up("first");
    story.change();
    let second = story.back_up("second");
    assert_ne!(
        disk::digest(&first.os).unwrap(),
        disk::digest(&second.os).unwrap()
    );

    // Disks, of the older point.
    let status = story.restore(
        "disks",
        &first.point,
        &json!({ "disks": { "resourceGroup": "shop-restored" } }),
    );
    same_disks(&story, &status["disks"], &[&first.os, &first.data]);

    // One disk.
    let one = json!({ "disks": { "resourceGroup": "one-disk", "luns": [0] } });
    let status = story.restore("one", &second.point, &one);
    // A data disk never comes without its OS disk.
    same_disks(&story, &status["disks"], &[&second.os, &second.data]);
    let alone = json!({ "disks": { "resourceGroup": "os-alone", "osDiskOnly": true } });
    let status = story.restore("alone", &second.point, &alone);
    same_disks(&story, &status["disks"], &[&second.os]);

    // A new machine.
    let vm = json!({ "newVM": { "resourceGroup": "new-home", "name": "web-2", "virtualNetwork": "shop-net",
        "networkResourceGroup": GROUP, "subnet": "default" } });
    story.restore("new-vm", &first.point, &vm);
    let disks = story.disks_of("new-home", "web-2");
    qemu::same(&story.file_of(&disks[0]), &first.os).unwrap();
    qemu::same(&story.file_of(&disks[1]), &first.data).unwrap();

    files_come_back(&mut story, &first, "files");
    in_place(&mut story, &first, &second);
    after_the_machine_is_gone(story, &first, &second);
}

/// Files by a Restore object and by a person's command, against what debugfs reads from the disk as it was.
fn files_come_back(story: &mut Story, kept: &Kept, name: &str) {
    let (file, folder) = story.root.file_and_folder();
    let status = story.restore(
        name,
        &kept.point,
        &json!({ "files": { "paths": [file, folder], "resourceGroup": "shop-restored" } }),
    );
    let at = PathBuf::from(status["files"]["path"].as_str().unwrap());
    let there = files::tree(&at).unwrap();
    let below = folder.trim_start_matches('/');
    let from_disk = files::of_image(&kept.os, folder).unwrap();
    let prefix = Path::new(below).parent().unwrap();
    let wanted: BTreeMap<PathBuf, Found> = from_disk
        .iter()
        .map(|(path, found)| (prefix.join(path), found.clone()))
        .collect();
    assert!(wanted.len() > 1, "{wanted:?}");
    for (path, found) in &wanted {
        assert_eq!(there.get(path), Some(found), "{}", path.display());
    }

    let into = story.dir.path().join(format!("{name}-here"));
    fs::create_dir(&into).unwrap();
    let which = format!("{VM}@{}", kept.point);
    story.kluis(&[
        "restore",
        &which,
        "--files",
        folder,
        "--into",
        into.to_str().unwrap(),
    ]);
    assert_eq!(files::tree(&into).unwrap(), from_disk);
    let listed = story.kluis(&["ls", &which, folder]);
    assert!(listed.lines().count() > 1, "{listed}");
}

/// The machine's own disks go back to the first point; what they held until then is a recovery point, and the images stay.
fn in_place(story: &mut Story, first: &Kept, second: &Kept) {
    let to = json!({ "inPlace": {} });
    story.create("not-allowed", &first.point, &to);
    let refused = story
        .world
        .until_condition("restore", "not-allowed", "Stalled", "True", LIMIT)
        .unwrap();
    assert_ne!(refused["status"]["state"], "Completed");
    story
        .world
        .kubectl
        .run(["delete", "restore", "not-allowed"])
        .unwrap();
    story
        .world
        .kubectl
        .run([
            "patch",
            "vault",
            VAULT,
            "--type=merge",
            "--patch",
            r#"{"spec":{"allowInPlaceRestore":true}}"#,
        ])
        .unwrap();
    story
        .world
        .until_condition("vault", VAULT, "Ready", "True", LIMIT)
        .unwrap();
    story.world.tick().unwrap();

    let before = story.disks_of(GROUP, VM);
    let points = story.world.points().unwrap().len();
    let status = story.restore("in-place", &first.point, &to);
    let after = story.disks_of(GROUP, VM);
    assert!(
        before.iter().zip(&after).all(|(old, new)| old != new),
        "{before:?} {after:?}"
    );
    qemu::same(&story.file_of(&after[0]), &first.os).unwrap();
    qemu::same(&story.file_of(&after[1]), &first.data).unwrap();
    disk::same(&story.world.estate.disks[0], &second.os).unwrap();
    qemu::same(&story.world.estate.disks[1], &second.data).unwrap();

    // What was there until then can be had back.
    let named = status["recoveryPointBefore"].as_str().unwrap().to_owned();
    assert_eq!(story.world.points().unwrap().len(), points + 1);
    let to = json!({ "disks": { "resourceGroup": "new-home" } });
    let status = story.restore("before", &named, &to);
    same_disks(story, &status["disks"], &[&second.os, &second.data]);

    // And the machine goes on being backed up, from its new disks.
    let job = story.world.back_up(LIMIT).unwrap();
    assert_eq!(job["status"]["state"], "Completed", "{}", job["status"]);
}

/// The machine is in no inventory any more: what the vault holds of it can still be had.
fn after_the_machine_is_gone(mut story: Story, first: &Kept, second: &Kept) {
    fs::write(&story.world.estate.inventory, inventory("")).unwrap();
    story.world.service = story.world.service.restart().unwrap();
    let gone = format!("resourceGroups/{GROUP}/providers/Microsoft.Compute/virtualMachines/{VM}");
    assert!(story.world.service.read(&gone).is_err(), "it is there");
    let vm = json!({ "newVM": { "resourceGroup": "one-disk", "name": "web-3", "virtualNetwork": "shop-net",
        "networkResourceGroup": GROUP, "subnet": "default" } });
    story.restore("after", &first.point, &vm);
    let disks = story.disks_of("one-disk", "web-3");
    assert_eq!(disks.len(), 2, "{disks:?}");
    qemu::same(&story.file_of(&disks[0]), &first.os).unwrap();
    qemu::same(&story.file_of(&disks[1]), &first.data).unwrap();
    files_come_back(&mut story, second, "files-after");
    let restic = story.world.restic();
    restic.check().unwrap();
}

/// The restored disks, whatever their formats, hold what these do: each exactly one.
fn same_disks(story: &Story, made: &Value, wanted: &[&PathBuf]) {
    let made: Vec<PathBuf> = made
        .as_array()
        .unwrap()
        .iter()
        .map(|id| story.file_of(id.as_str().unwrap()))
        .collect();
    assert_eq!(made.len(), wanted.len(), "{made:?}");
    for disk in wanted {
        let twins = made
            .iter()
            .filter(|file| qemu::same(file, disk).is_ok())
            .count();
        assert_eq!(twins, 1, "{} among {made:?}", disk.display());
    }
}
