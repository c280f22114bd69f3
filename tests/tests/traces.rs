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
use serde_json::Value;

const SUBSCRIPTION: &str = "11111111-2222-3333-4444-555555555555";
const VAULT: &str = "resourceGroups/clitest.rg000001/providers/Microsoft.RecoveryServices/vaults/clitest-vault000002";

/// A part of a path, a key below the body, and why it is not as recorded.
const DIFFERENCES: [(&str, &str, &str); 0] = [];

/// A trace, the exchanges of it (counted from 0) that are left out, and why.
const NOT_REPLAYED: [(&str, std::ops::RangeInclusive<usize>, &str); 3] = [
    ("backup_scenario", 36..=38, "the request that began this operation is not in the recording"),
    ("backup_scenario", 46..=46, "Azure forgets a vault's operations with the vault; ours can still be asked how they ended"),
    ("backup_softdelete", 31..=36, "the deletion that these follow is not in the recording"),
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
    /// An answer that says to ask again. How often a client had to is not what is compared.
    fn is_unfinished(&self) -> bool {
        self.method == "GET" && (self.status == 202 || state(self.response.as_ref()).is_some_and(|state| state == "InProgress"))
    }
}

/// The state in the body of an operation or a job.
fn state(body: Option<&Value>) -> Option<&str> {
    let body = body?;
    body["status"].as_str().or_else(|| body["properties"]["status"].as_str())
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
    let text = fs::read_to_string(azure.join("traces").join(trace).with_extension("jsonl")).unwrap();
    let mut names = Names::default();
    let mut wrong = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if NOT_REPLAYED.iter().any(|(of, numbers, _)| *of == trace && numbers.contains(&number)) {
            continue;
        }
        let recorded: Exchange = serde_json::from_str(line).unwrap();
        let answer = ask(&service, &recorded, &names);
        wrong.extend(compare(&recorded, &answer).into_iter().map(|what| format!("{number} {} {}: {what}", recorded.method, short(&recorded.uri))));
        names.learn(&recorded, &answer);
    }
    assert!(wrong.is_empty(), "{trace}: {} differences\n{}", wrong.len(), wrong.join("\n"));
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
    let uri = names.ours(&recorded.uri);
    let path = uri.strip_prefix("https://management.azure.com").unwrap_or(&uri);
    let body = recorded.request.as_ref().map(|body| serde_json::from_str::<Value>(&names.ours(&body.to_string())).unwrap());
    let send = || service.arm().send(&recorded.method, path, body.as_ref());
    if recorded.method != "GET" || recorded.is_unfinished() {
        return send().unwrap();
    }
    let wanted = state(recorded.response.as_ref());
    let ended = until(&format!("{path} to end"), seconds(60), || {
        let answer = send()?;
        let unfinished = answer.status == 202 || (wanted.is_some() && state(Some(&answer.body)) == Some("InProgress"));
        Ok(if unfinished { Look::NotYet(answer.text) } else { Look::Done(answer) })
    });
    ended.unwrap()
}

/// Every way in which an answer is not as recorded.
fn compare(recorded: &Exchange, answer: &Answer) -> Vec<String> {
    if recorded.is_unfinished() && answer.status != 202 && state(Some(&answer.body)) != Some("InProgress") {
        let ended = matches!(answer.status, 200 | 204);
        return if ended { Vec::new() } else { vec![format!("polling answered {}: {}", answer.status, answer.text)] };
    }
    if answer.status != recorded.status {
        return vec![format!("status {} for {}: {}", answer.status, recorded.status, answer.text)];
    }
    let mut wrong: Vec<String> =
        recorded.headers.keys().filter(|name| answer.header(name).is_empty()).map(|name| format!("no header {name}")).collect();
    if let (Some(expected), Some(found)) = (state(recorded.response.as_ref()), state(Some(&answer.body)))
        && expected != found
    {
        wrong.push(format!("it ended {found} for {expected}: {}", answer.text));
    }
    let mut keys = Vec::new();
    missing(recorded.response.as_ref().unwrap_or(&Value::Null), &answer.body, "", &mut keys);
    let known = |key: &String| DIFFERENCES.iter().any(|(path, at, _)| recorded.uri.contains(path) && key.starts_with(at));
    wrong.extend(keys.into_iter().filter(|key| !known(key)));
    wrong
}

/// What `recorded` has and `ours` has not, as `key: why`. A null in the recording asks for nothing; of a list the first
/// row stands for all.
fn missing(recorded: &Value, ours: &Value, at: &str, wrong: &mut Vec<String>) {
    match (recorded, ours) {
        (Value::Null, _) | (Value::Bool(_), Value::Bool(_)) | (Value::Number(_), Value::Number(_)) | (Value::String(_), Value::String(_)) => {}
        (Value::Object(recorded), Value::Object(ours)) => {
            for (key, value) in recorded.iter().filter(|(_, value)| !value.is_null()) {
                let at = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                match ours.get(key) {
                    Some(ours) => missing(value, ours, &at, wrong),
                    None => wrong.push(format!("{at}: absent, recorded as {value}")),
                }
            }
        }
        (Value::Array(recorded), Value::Array(ours)) => match (recorded.first(), ours.first()) {
            (Some(recorded), Some(ours)) => missing(recorded, ours, &format!("{at}[0]"), wrong),
            (Some(_), None) => wrong.push(format!("{at}: an empty list, recorded with {} rows", recorded.len())),
            (None, _) => {}
        },
        _ => wrong.push(format!("{at}: {ours}, recorded as {recorded}")),
    }
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
        Self(fixed.map(|(theirs, ours)| (theirs.to_owned(), ours.to_owned())).into())
    }
}

impl Names {
    fn ours(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (theirs, ours)| text.replace(theirs, ours))
    }

    /// Operations and jobs may share an id in Azure and need not here, so each is learnt with the segment before it.
    fn learn(&mut self, recorded: &Exchange, answer: &Answer) {
        for (name, theirs) in &recorded.headers {
            let (theirs, ours) = (last_segment(theirs), last_segment(answer.header(name)));
            for kind in ["backupOperations", "backupOperationResults", "operationStatus", "operationsStatus", "operationResults"] {
                self.0.push((format!("/{kind}/{theirs}"), format!("/{kind}/{ours}")));
            }
        }
        let Some(theirs) = &recorded.response else { return };
        let pair = |pointer: &str| Some((theirs.pointer(pointer)?.as_str()?, answer.body.pointer(pointer)?.as_str()?));
        if let Some((theirs, ours)) = pair("/properties/jobId") {
            self.0.push((format!("/backupJobs/{theirs}"), format!("/backupJobs/{ours}")));
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
    path.rsplit_once(VAULT).map_or_else(|| path.to_owned(), |(_, below)| format!("V{below}"))
}
