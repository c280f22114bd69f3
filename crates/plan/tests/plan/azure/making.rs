//! What restores make in the model: disks, machines, other disks of a machine, files.

use kluis_arm::files::FilesRestoreRequest;
use kluis_arm::id::{DiskId, Name, RecoveryPointId, ResourceGroupId, VmId};
use kluis_arm::job::JobOperation;
use kluis_arm::restore::{RecoveryType, VmRestoreRequest};
use kluis_plan::{DiskFact, VmDisk, VmFact, VmTies};

use super::{Azure, SUBSCRIPTION, in_words, key};

/// What a job is to make.
#[derive(Clone)]
pub(super) enum Making {
    Disks(ResourceGroupId),
    Machine(VmId),
    OtherDisks(VmId, Option<Vec<i32>>),
    Files(String, usize),
}

impl Making {
    pub(super) fn of(request: &VmRestoreRequest) -> Self {
        let vm = |id: &Option<String>| id.as_deref().unwrap().parse::<VmId>().unwrap();
        match request.recovery_type.as_ref().unwrap() {
            RecoveryType::AlternateLocation => {
                Self::Machine(vm(&request.target_virtual_machine_id))
            }
            RecoveryType::OriginalLocation => Self::OtherDisks(
                vm(&request.source_resource_id),
                request.restore_disk_lun_list.clone(),
            ),
            _ => Self::Disks(
                request
                    .target_resource_group_id
                    .as_deref()
                    .unwrap()
                    .parse()
                    .unwrap(),
            ),
        }
    }

    pub(super) fn of_files(request: &FilesRestoreRequest) -> Self {
        let group = request.target_resource_group.as_deref().unwrap();
        let name = request.name.as_deref().unwrap();
        let files = request.paths.iter().flatten().count();
        Self::Files(format!("restored/{group}/{name}"), files)
    }
}

impl Azure {
    pub(super) fn begin_restore(&mut self, point: &RecoveryPointId, making: Making) -> String {
        let job = self.begin_job(&point.item, JobOperation::Restore, true);
        let number: usize = point
            .name
            .as_str()
            .trim_start_matches("rp-")
            .parse()
            .unwrap();
        let time = self.points[&key(&point.item)][number - 1];
        self.say("Recovery point time ", in_words(time));
        let (kind, group) = match &making {
            Making::Disks(group) => ("Recover disks", group.name.to_string()),
            Making::Machine(vm) => {
                self.say("Target VM Name", vm.name.to_string());
                ("Create virtual machine", vm.resource_group.to_string())
            }
            Making::OtherDisks(vm, _) => ("Replace disks", vm.resource_group.to_string()),
            Making::Files(path, _) => {
                self.say("Target Path", path.clone());
                let group = path.split('/').nth(1).unwrap_or_default().to_owned();
                ("Recover files", group)
            }
        };
        self.say("Job Type", kind.to_owned());
        self.say("Target resource group", group);
        self.making.insert(job.clone(), making);
        job
    }

    /// Makes what the job is to make.
    pub(super) fn make(&mut self, job: &str, item: &str) {
        match self.making[job].clone() {
            Making::Disks(group) => {
                let name = format!("web-1-os-{}", self.disks.len() + 1);
                self.add_disk(&group, &name);
            }
            Making::Machine(id) => {
                let disks = [(None, "os"), (Some(0), "lun0")].map(|(lun, what)| VmDisk {
                    lun,
                    disk: Some(self.add_disk(&id.group(), &format!("{}-{what}", id.name))),
                });
                self.vms.push(VmFact {
                    id,
                    location: "westeurope".to_owned(),
                    disks: disks.into(),
                    is_encrypted: false,
                    ties: VmTies::default(),
                });
            }
            Making::OtherDisks(id, luns) => {
                let began = self.now;
                self.points.get_mut(item).unwrap().push(began);
                let before = format!("rp-{}", self.points[item].len());
                self.before_replacing.push(before.clone());
                self.say_of(job, "Recovery Point Before", before);
                let number = self.disks.len();
                let index = self.vms.iter().position(|vm| vm.id == id).unwrap();
                let mut disks = self.vms[index].disks.clone();
                let held = self
                    .held
                    .as_ref()
                    .and_then(|held| held.included_disk_list.as_ref());
                let held = held.map(|held| held.iter().filter_map(|disk| disk.lun).collect());
                let replaced: Option<Vec<i32>> = luns.or(held);
                // Of none the OS disk alone, as az asks for it.
                let replaced = replaced.map(|luns| if luns.is_empty() { vec![-1] } else { luns });
                for disk in &mut disks {
                    let lun = disk.lun.map_or(-1, |lun| i32::try_from(lun).unwrap());
                    if replaced.as_ref().is_none_or(|luns| luns.contains(&lun)) {
                        let old = disk.disk.as_ref().unwrap().name.clone();
                        disk.disk = Some(self.add_disk(&id.group(), &format!("{old}-{number}")));
                    }
                }
                self.vms[index].disks = disks;
            }
            Making::Files(_, files) => {
                self.say_of(job, "Restored Files", files.to_string());
                self.say_of(job, "Restored Bytes", "4096".to_owned());
            }
        }
    }

    fn add_disk(&mut self, group: &ResourceGroupId, name: &str) -> DiskId {
        let id = DiskId {
            subscription: group.subscription.clone(),
            resource_group: group.name.clone(),
            name: Name::new(name).unwrap(),
        };
        self.disks.push(DiskFact {
            id: id.clone(),
            created: Some(self.now),
            size_bytes: None,
        });
        id
    }

    fn say_of(&mut self, job: &str, what: &str, value: String) {
        let index = self.jobs.iter().position(|(name, _)| name == job).unwrap();
        let entry = self.jobs.remove(index);
        self.jobs.push(entry);
        self.say(what, value);
        let entry = self.jobs.pop().unwrap();
        self.jobs.insert(index, entry);
    }
}

/// A disk of `web-1` and its like.
pub(super) fn managed(lun: Option<u32>, name: &str) -> VmDisk {
    let id = format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/shop-rg/providers/Microsoft.Compute/disks/{name}"
    );
    VmDisk {
        lun,
        disk: Some(id.parse().unwrap()),
    }
}
