//! What Azure answered when Microsoft's own command line was recorded, and what this service answers to the same
//! requests: the same status, the same headers, and every key of the recorded body with a value of the same JSON type.
//!
//! Names are those of the recording (the inventory is made to fit); the ids that a service makes up are learnt on the
//! way. Where we differ, [`DIFFERENCES`] and [`NOT_REPLAYED`] say so, each with its reason.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use kluis_tests::azure;
use kluis_tests::https::Answer;
use kluis_tests::place::scratch;
use kluis_tests::service::{Service, Setup};
use kluis_tests::until::{Look, seconds, until};
use serde::Deserialize;
use serde_json::{Value, json};

const SUBSCRIPTION: &str = "11111111-2222-3333-4444-555555555555";
const VAULT: &str = "resourceGroups/clitest.rg000001/providers/Microsoft.RecoveryServices/vaults/clitest-vault000002";

/// A part of a path, a key below the body, and why it is not as recorded.
const DIFFERENCES: [(&str, &str, &str); 4] = [
    (
        "/backupJobs/",
        "properties.extendedInfo.internalPropertyBag: absent",
        "Azure's own bookkeeping of snapshots for instant restore, which this service does not make",
    ),
    (
        "/backupJobs/",
        "properties.extendedInfo.propertyBag.Target VM Name",
        "a restore of disks makes no machine; Azure names a placeholder",
    ),
    (
        "/backupJobs/",
        "properties.extendedInfo.progressPercentage",
        "said once the size of what is restored is known, and not before",
    ),
    (
        "/backupJobs/",
        "properties.extendedInfo.dynamicErrorMessage",
        "absent where nothing failed; Azure says the empty text",
    ),
];

/// A trace, the exchange of it (counted from 0) that is left out, and why.
const NOT_REPLAYED: [(&str, usize, &str); 1] = [(
    "backup_scenario",
    46,
    "Azure forgets a vault's operations with the vault; ours can still be asked how they ended",
)];

/// Requests that are not in a recording although what follows from them is: a trace, the exchange before which it was sent,
/// its method, whether it names a policy, and the operation that began with it.
const MISSING: [(&str, usize, &str, bool, &str); 2] = [
    (
        "backup_scenario",
        36,
        "PUT",
        true,
        "00000000-0000-0000-0000-000000000013",
    ),
    (
        "backup_softdelete",
        32,
        "DELETE",
        false,
        "00000000-0000-0000-0000-000000000011",
    ),
];

#[derive(Debug, Deserialize)]
struct Exchange {
    method: String,
    uri: String,
    #[serde(default)]
    request: Option<Value>,
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    response: Option<Value>,
}

impl Exchange {
    fn body(&self) -> &Value {
        self.response.as_ref().unwrap_or(&Value::Null)
    }

    /// A request about the one item that was not recorded.
    fn not_recorded(method: &str, policy: bool, operation: &str) -> Self {
        let theirs = "/subscriptions/00000000-0000-0000-0000-000000000000";
        let (group, vm) = ("clitest.rg000001", "clitest-vm000003");
        let short = format!("iaasvmcontainerv2%3B{group}%3B{vm}");
        let vault = format!("{theirs}/{VAULT}");
        let request = policy.then(|| {
            json!({ "properties": {
                "protectedItemType": "Microsoft.Compute/virtualMachines",
                "sourceResourceId": format!(
                    "{theirs}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{vm}"
                ),
                "policyId": format!("{vault}/backupPolicies/DefaultPolicy"),
            } })
        });
        let followed = format!("{vault}/backupOperations/{operation}?api-version=2024-04-01");
        Self {
            method: method.to_owned(),
            uri: format!(
                "{vault}/backupFabrics/Azure/protectionContainers/IaasVMContainer%3B{short}/protectedItems/VM%3B{short}\
                 ?api-version=2024-04-01"
            ),
            request,
            status: 202,
            headers: [("azure-asyncoperation".to_owned(), followed)].into(),
            response: None,
        }
    }

    fn is_unfinished(&self) -> bool {
        self.method == "GET" && is_unfinished(self.status, self.body())
    }
}

/// An answer that says to ask again. How often a client had to is not what is compared.
fn is_unfinished(status: u16, body: &Value) -> bool {
    status == 202 || state(body) == Some("InProgress")
}

/// The state in the body of an operation or a job.
fn state(body: &Value) -> Option<&str> {
    body["status"]
        .as_str()
        .or_else(|| body["properties"]["status"].as_str())
}

#[test]
fn a_backup_and_a_restore_are_answered_as_azure_answers() {
    replay("backup_scenario", "eastus2euap");
}

#[test]
fn protecting_and_stopping_are_answered_as_azure_answers() {
    replay("backup_protection", "centraluseuap");
}

#[test]
fn deleting_softly_and_back_is_answered_as_azure_answers() {
    replay("backup_softdelete", "centraluseuap");
}

fn replay(trace: &str, location: &str) {
    let Some(azure) = azure::folder() else { return };
    let scratch = scratch("trace").unwrap();
    let service = service(scratch.path(), location);
    let text =
        fs::read_to_string(azure.join("traces").join(trace).with_extension("jsonl")).unwrap();
    let mut names = Names::default();
    let mut wrong = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if NOT_REPLAYED
            .iter()
            .any(|(of, left_out, _)| *of == trace && *left_out == number)
        {
            continue;
        }
        let missing = MISSING
            .iter()
            .find(|(of, before, ..)| *of == trace && *before == number);
        if let Some((_, _, method, policy, operation)) = missing {
            let sent = Exchange::not_recorded(method, *policy, operation);
            let answer = ask(&service, &sent, &names);
            wrong.extend(compare(&sent, &answer));
            names.learn(&sent, &answer);
        }
        let recorded: Exchange = serde_json::from_str(line).unwrap();
        let answer = ask(&service, &recorded, &names);
        wrong.extend(compare(&recorded, &answer).into_iter().map(|what| {
            format!(
                "{number} {} {}: {what}",
                recorded.method,
                short(&recorded.uri)
            )
        }));
        names.learn(&recorded, &answer);
        if recorded.is_unfinished() {
            // What the client waited for before it went on was cut from the recording.
            settle(&service, &recorded, &names);
        }
    }
    assert!(
        wrong.is_empty(),
        "{trace}: {} differences\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// A service that protects the one machine of the recordings.
fn service(folder: &Path, location: &str) -> Service {
    fs::create_dir_all(folder.join("disks")).unwrap();
    let disk = File::create(folder.join("disks/os.raw")).unwrap();
    disk.set_len(8 << 20).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&disk, b"a boot sector, nearly", 0).unwrap();
    let inventory = format!(
        "subscriptionId: {SUBSCRIPTION}
resourceGroups:
  clitest.rg000001:
    location: {location}
    virtualMachines:
      clitest-vm000003:
        os: Windows
        disks: [{{ path: disks/os.raw }}]
    storageAccounts: {{ clitest000004: {{}} }}
restored: restored/
"
    );
    let path = folder.join("inventory.yaml");
    fs::write(&path, inventory).unwrap();
    Service::start(Setup::new(folder, &path)).unwrap()
}

/// Sends what was recorded. Where the recording shows how something ended, asks until ours has ended too.
fn ask(service: &Service, recorded: &Exchange, names: &Names) -> Answer {
    if recorded.method == "GET" && !recorded.is_unfinished() {
        return settle(service, recorded, names);
    }
    let body = recorded
        .request
        .as_ref()
        .map(|body| names.ours(&body.to_string()));
    let body = body.map(|text| ("application/json", text));
    service
        .arm()
        .raw(&recorded.method, &names.path(recorded), body)
        .unwrap()
}

/// Asks until the operation or the job that a path names has ended, which most paths do not.
fn settle(service: &Service, recorded: &Exchange, names: &Names) -> Answer {
    let path = names.path(recorded);
    let ended = until(&format!("{path} to end"), seconds(180), || {
        let answer = service.arm().get(&path)?;
        Ok(match is_unfinished(answer.status, &answer.body) {
            true => Look::NotYet(answer.text),
            false => Look::Done(answer),
        })
    });
    ended.unwrap()
}

/// Every way in which an answer is not as recorded.
fn compare(recorded: &Exchange, answer: &Answer) -> Vec<String> {
    let ended = matches!(answer.status, 200 | 204) && !is_unfinished(answer.status, &answer.body);
    if recorded.is_unfinished() && ended {
        return Vec::new();
    }
    if answer.status != recorded.status {
        return vec![format!(
            "status {} for {}: {}",
            answer.status, recorded.status, answer.text
        )];
    }
    let absent = recorded
        .headers
        .keys()
        .filter(|name| answer.header(name).is_empty());
    let mut wrong: Vec<String> = absent.map(|name| format!("no header {name}")).collect();
    if let (Some(expected), Some(found)) = (state(recorded.body()), state(&answer.body))
        && expected != found
    {
        wrong.push(format!("it ended {found} for {expected}: {}", answer.text));
    }
    let mut keys = Vec::new();
    missing(recorded.body(), &answer.body, "", &mut keys);
    let known = |key: &String| {
        DIFFERENCES
            .iter()
            .any(|(path, at, _)| recorded.uri.contains(path) && key.starts_with(at))
    };
    // A backup can be cancelled until its snapshot is taken; ours may have taken it before it was asked.
    let snapshot = &answer.body["properties"]["extendedInfo"]["tasksList"][0];
    let too_late = |key: &String| {
        key.starts_with("properties.actionsInfo")
            && snapshot["taskId"] == "Take Snapshot"
            && snapshot["status"] == "Completed"
    };
    wrong.extend(keys.into_iter().filter(|key| !known(key) && !too_late(key)));
    wrong
}

/// What `recorded` has and `ours` has not, as `key: why`. A null in the recording asks for nothing; a row of a list is held
/// against ours of the same name, or against our first one.
fn missing(recorded: &Value, ours: &Value, at: &str, wrong: &mut Vec<String>) {
    match (recorded, ours) {
        (Value::Null, _)
        | (Value::Bool(_), Value::Bool(_))
        | (Value::Number(_), Value::Number(_))
        | (Value::String(_), Value::String(_)) => {}
        (Value::Object(recorded), Value::Object(ours)) => {
            for (key, value) in recorded.iter().filter(|(_, value)| !value.is_null()) {
                let at = if at.is_empty() {
                    key.clone()
                } else {
                    format!("{at}.{key}")
                };
                match ours.get(key) {
                    Some(ours) => missing(value, ours, &at, wrong),
                    None => wrong.push(format!("{at}: absent, recorded as {value}")),
                }
            }
        }
        (Value::Array(recorded), Value::Array(ours)) => {
            for row in recorded.iter().filter(|row| !is_cut(row)) {
                let same = ours
                    .iter()
                    .find(|other| name(row).is_some() && name(other) == name(row));
                match same.or(ours.first()) {
                    Some(ours) => missing(row, ours, &format!("{at}[]"), wrong),
                    None => wrong.push(format!("{at}: no row, recorded with {}", recorded.len())),
                }
            }
        }
        _ => wrong.push(format!("{at}: {ours}, recorded as {recorded}")),
    }
}

/// Long lists were cut after three rows when they were recorded; a text says how many there were.
fn is_cut(row: &Value) -> bool {
    row.as_str().is_some_and(|text| text.starts_with('…'))
}

/// What tells the rows of a list apart.
fn name(row: &Value) -> Option<String> {
    let keys = ["name", "taskId", "policyType"];
    keys.iter()
        .find_map(|key| row[key].as_str())
        .map(str::to_lowercase)
}

/// What a recording calls something, and what it is called here.
struct Names(Vec<(String, String)>);

impl Default for Names {
    fn default() -> Self {
        let fixed = [
            ("00000000-0000-0000-0000-000000000000", SUBSCRIPTION),
            // The point of the recorded backup was to expire in June 2024.
            ("2024-06-12T00:00:00.000Z", "2050-06-12T00:00:00.000Z"),
        ];
        Self(
            fixed
                .map(|(theirs, ours)| (theirs.to_owned(), ours.to_owned()))
                .into(),
        )
    }
}

impl Names {
    fn ours(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (theirs, ours)| {
            text.replace(theirs, ours)
        })
    }

    fn path(&self, recorded: &Exchange) -> String {
        self.ours(
            recorded
                .uri
                .trim_start_matches("https://management.azure.com"),
        )
    }

    /// Operations and jobs may share an id in Azure and need not here, so each is learnt with the segment before it.
    fn learn(&mut self, recorded: &Exchange, answer: &Answer) {
        for (name, theirs) in &recorded.headers {
            let (theirs, ours) = (last_segment(theirs), last_segment(answer.header(name)));
            for kind in [
                "backupOperations",
                "backupOperationResults",
                "operationStatus",
                "operationsStatus",
                "operationResults",
            ] {
                self.0
                    .push((format!("/{kind}/{theirs}"), format!("/{kind}/{ours}")));
            }
        }
        let Some(theirs) = &recorded.response else {
            return;
        };
        let pair = |pointer: &str| {
            Some((
                theirs.pointer(pointer)?.as_str()?,
                answer.body.pointer(pointer)?.as_str()?,
            ))
        };
        if let Some((theirs, ours)) = pair("/properties/jobId") {
            self.0.push((
                format!("/backupJobs/{theirs}"),
                format!("/backupJobs/{ours}"),
            ));
        }
        if recorded.uri.contains("/recoveryPoints?")
            && let Some((theirs, ours)) = pair("/value/0/name")
        {
            self.0.push((theirs.to_owned(), ours.to_owned()));
        }
    }
}

fn last_segment(url: &str) -> &str {
    let path = url.split('?').next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default()
}

/// A path as a person reads it.
fn short(uri: &str) -> String {
    let path = uri.split('?').next().unwrap_or_default();
    path.rsplit_once(VAULT)
        .map_or_else(|| path.to_owned(), |(_, below)| format!("V{below}"))
}
