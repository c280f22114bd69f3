//! Every published example of an operation that is served reads and writes back the same. A file that is in neither
//! table fails the test until it is placed in one.

mod backup_vaults;
mod backups;
mod vaults;

use kluis_arm::backup::TriggerBackup;
use kluis_arm::config::{
    EncryptionConfigResource, ResourceGuardProxyResource, StorageConfigResource,
    VaultConfigResource, VaultExtendedInfoResource,
};
use kluis_arm::container::Container;
use kluis_arm::dataprotection;
use kluis_arm::item::Item;
use kluis_arm::job::Job;
use kluis_arm::operation::OperationStatus;
use kluis_arm::policy::Policy;
use kluis_arm::protectable::Protectable;
use kluis_arm::recovery_point::RecoveryPoint;
use kluis_arm::resource::Page;
use kluis_arm::restore::TriggerRestore;
use kluis_arm::usage::Usage;
use kluis_arm::vault::Vault;
use serde_json::Value;

use backup_vaults::{BACKUP_VAULT_EXAMPLES, BACKUP_VAULT_EXAMPLES_NOT_SERVED, RULES_EXAMPLES};
use backups::{BACKUP_EXAMPLES, BACKUP_EXAMPLES_NOT_SERVED};
use vaults::{VAULT_EXAMPLES, VAULT_EXAMPLES_NOT_SERVED};

use crate::published::{Shape, files, folder, read, shape, without_nulls};

/// No body.
const NONE: Option<Shape> = None;
const VAULT: Option<Shape> = Some(shape::<Vault>);
const VAULTS: Option<Shape> = Some(shape::<Page<Vault>>);
const USAGES: Option<Shape> = Some(shape::<Page<Usage>>);
const OPERATION: Option<Shape> = Some(shape::<OperationStatus>);
const EXTENDED: Option<Shape> = Some(shape::<VaultExtendedInfoResource>);
const POLICY: Option<Shape> = Some(shape::<Policy>);
const POLICIES: Option<Shape> = Some(shape::<Page<Policy>>);
const RULES: Option<Shape> = Some(shape::<dataprotection::Policy>);
const RULES_PAGE: Option<Shape> = Some(shape::<Page<dataprotection::Policy>>);
const BACKUP_VAULT: Option<Shape> = Some(shape::<dataprotection::vault::Vault>);
const BACKUP_VAULTS: Option<Shape> = Some(shape::<Page<dataprotection::vault::Vault>>);
const ITEM: Option<Shape> = Some(shape::<Item>);
const ITEMS: Option<Shape> = Some(shape::<Page<Item>>);
const CONTAINER: Option<Shape> = Some(shape::<Container>);
const CONTAINERS: Option<Shape> = Some(shape::<Page<Container>>);
const PROTECTABLES: Option<Shape> = Some(shape::<Page<Protectable>>);
const POINT: Option<Shape> = Some(shape::<RecoveryPoint>);
const POINTS: Option<Shape> = Some(shape::<Page<RecoveryPoint>>);
const BACKUP: Option<Shape> = Some(shape::<TriggerBackup>);
const RESTORE: Option<Shape> = Some(shape::<TriggerRestore>);
const JOB: Option<Shape> = Some(shape::<Job>);
const JOBS: Option<Shape> = Some(shape::<Page<Job>>);
const STORAGE_CONFIG: Option<Shape> = Some(shape::<StorageConfigResource>);
const VAULT_CONFIG: Option<Shape> = Some(shape::<VaultConfigResource>);
const ENCRYPTION: Option<Shape> = Some(shape::<EncryptionConfigResource>);
const GUARD: Option<Shape> = Some(shape::<ResourceGuardProxyResource>);
const GUARDS: Option<Shape> = Some(shape::<Page<ResourceGuardProxyResource>>);

/// Of examples of other workloads and of classic VMs: what is not known is kept, and nothing more is asked.
const KEPT: bool = false;
/// Of virtual machines' examples: every kind of thing in it is known.
const KNOWN: bool = true;

/// The request and the answer of some files, and whether the kinds in them have to be known.
type Served = (Option<Shape>, Option<Shape>, bool, &'static [&'static str]);

#[test]
fn vaults_examples_read_and_write_back_the_same() {
    check(
        "recoveryservices",
        VAULT_EXAMPLES,
        VAULT_EXAMPLES_NOT_SERVED,
    );
}

#[test]
fn backups_examples_read_and_write_back_the_same() {
    check(
        "recoveryservicesbackup",
        BACKUP_EXAMPLES,
        BACKUP_EXAMPLES_NOT_SERVED,
    );
}

#[test]
fn backup_vaults_examples_of_vaults_and_policies_read_and_write_back_the_same() {
    check_in(
        "dataprotection/resource-manager/Microsoft.DataProtection",
        "VaultCRUD",
        BACKUP_VAULT_EXAMPLES,
        BACKUP_VAULT_EXAMPLES_NOT_SERVED,
    );
    check_in(
        "dataprotection/resource-manager/Microsoft.DataProtection",
        "PolicyCRUD",
        RULES_EXAMPLES,
        &[],
    );
}

fn check(part: &str, served: &[Served], not_served: &[&str]) {
    let part = format!("{part}/resource-manager/Microsoft.RecoveryServices");
    check_in(&part, "", served, not_served);
}

fn check_in(part: &str, below: &str, served: &[Served], not_served: &[&str]) {
    let Some(folder) = folder() else { return };
    let folder = folder
        .join("specs/specification")
        .join(part)
        .join("stable/2024-04-01/examples")
        .join(below);
    let present = files(&folder, ".json");
    let files = served.iter().flat_map(|(request, answer, known, files)| {
        files
            .iter()
            .map(move |file| (*file, *request, *answer, *known))
    });
    let placed = files.clone().map(|(file, ..)| file);
    let mut placed: Vec<&str> = placed.chain(not_served.iter().copied()).collect();
    placed.sort_unstable();
    assert_eq!(
        present, placed,
        "every published example is placed in one table, and only those are"
    );

    let mut wrong = Vec::new();
    let mut bodies = 0;
    for (file, request, answer, must_be_known) in files {
        let example = read(&folder.join(file));
        let parameters = example["parameters"].as_object().unwrap().values();
        let requests = parameters
            .filter(|value| value.is_object())
            .map(|body| ("request", body, request));
        let answers = example["responses"].as_object().unwrap().values();
        let answers = answers.map(|response| ("answer", &response["body"], answer));
        for (side, body, shape) in requests
            .chain(answers)
            .filter(|(_, body, _)| !body.is_null())
        {
            bodies += 1;
            if let Err(reason) = same(body, shape, must_be_known) {
                wrong.push(format!("{file}, {side}: {reason}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        bodies >= placed.len() / 2,
        "only {bodies} bodies were found in {} examples",
        placed.len()
    );
}

/// Whether a body reads and writes back the same, all of its kinds known where they have to be.
pub(crate) fn same(body: &Value, shape: Option<Shape>, must_be_known: bool) -> Result<(), String> {
    let Some(shape) = shape else {
        return Err(format!(
            "a body, where the table says there is none: {body}"
        ));
    };
    let reread = shape(body)?;
    if without_nulls(&reread.body) != without_nulls(body) {
        return Err(format!(
            "changed\n  from {}\n  to   {}",
            without_nulls(body),
            without_nulls(&reread.body)
        ));
    }
    if must_be_known && !reread.known {
        return Err("a kind in it is not known".to_owned());
    }
    Ok(())
}
