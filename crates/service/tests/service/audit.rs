//! The audit trail: who did what, on what, from where, with what answer; and never a secret.

use std::path::{Path, PathBuf};

use kluis_service::shell::Threads;
use kluis_service::{Audit, Config, Movers, Running, start};
use serde_json::Value;

use crate::movers::Site;
use crate::shell::{bearer, call, config, vault};
use crate::world::INVENTORY;

const READER: &str =
    "grant_type=client_credentials&client_id=reader&client_secret=the+secret+of+the+reader";

struct Trailed {
    service: Running,
    dir: tempfile::TempDir,
    file: PathBuf,
}

impl Trailed {
    fn new(required: bool, reads: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(dir.path());
        for name in ["owner", "reader"] {
            std::fs::write(dir.path().join(name), format!("the secret of the {name}")).unwrap();
        }
        let identities = "identities:\n- { clientId: owner, role: Owner, secretFile: owner }\n- { clientId: reader, role: Reader, secretFile: reader }\n";
        let inventory = format!("{identities}{INVENTORY}");
        std::fs::write(dir.path().join("inventory.yaml"), inventory).unwrap();
        std::fs::create_dir(dir.path().join("trail")).unwrap();
        let file = dir.path().join("trail/audit.log");
        config.audit = Audit {
            file: Some(file.clone()),
            required,
            reads,
        };
        let service = start(config).unwrap();
        Self { service, dir, file }
    }

    fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn token(&self, form: &str) -> (u16, String) {
        let target = format!("/{}/oauth2/v2.0/token", self.service.credentials.tenant_id);
        let answer = call(&self.service, self.dir(), "POST", &target, &[], form);
        let token = answer.body["access_token"].as_str().unwrap_or_default();
        (answer.status, format!("Bearer {token}"))
    }

    fn asks(&self, method: &str, token: &str, more: &str) -> (u16, Value) {
        let target = format!("{}?api-version=2024-04-01{more}", vault(&self.service));
        let headers = [("Authorization", token), ("x-ms-client-request-id", "mine")];
        let body = if method == "PUT" {
            r#"{"location":"westeurope","tags":{"a":"in the body"}}"#
        } else {
            ""
        };
        let answer = call(&self.service, self.dir(), method, &target, &headers, body);
        (answer.status, answer.body)
    }

    /// The lines there are, each as its event, identity, role, operation, status and code.
    fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.file).unwrap();
        let words = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            let word = |name: &str| match &line[name] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            ["event", "identity", "role", "operation", "status", "code"]
                .map(word)
                .join(" ")
        };
        text.lines().map(words).collect()
    }
}

#[test]
fn the_trail_tells_of_sign_ins_and_changes_and_of_no_secret() {
    let trailed = Trailed::new(false, false);
    assert_eq!(
        trailed
            .token("grant_type=client_credentials&client_id=reader&client_secret=guess-of-a-secret")
            .0,
        401
    );
    assert_eq!(
        trailed
            .token("grant_type=client_credentials&client_id=a-secret-for-an-id&client_secret=y")
            .0,
        401
    );
    let (_, reader) = trailed.token(READER);
    let owner = bearer(&trailed.service, trailed.dir());
    assert_eq!(trailed.asks("PUT", &reader, "").0, 403);
    assert_eq!(trailed.asks("PUT", &owner, "&sig=secret-of-a-query").0, 201);
    assert_eq!(trailed.asks("GET", &owner, "").0, 200);
    assert_eq!(trailed.asks("GET", "Bearer made-up-token", "").0, 401);
    let vaults = "Microsoft.RecoveryServices/vaults";
    let lines = trailed.lines();
    let told: Vec<&str> = lines.iter().map(String::as_str).collect();
    let signs = "oauth2/token/action";
    let expected = [
        format!("SignIn reader Reader {signs} 401 AADSTS7000215"),
        format!("SignIn null null {signs} 401 AADSTS7000215"),
        format!("SignIn reader Reader {signs} 200 null"),
        format!("SignIn owner Owner {signs} 200 null"),
        format!("Request reader Reader {vaults}/write 403 AuthorizationFailed"),
        format!("Request owner Owner {vaults}/write 201 null"),
        format!("Request null null {vaults}/read 401 InvalidAuthenticationToken"),
    ];
    assert_eq!(told, expected);
    let text = std::fs::read_to_string(&trailed.file).unwrap();
    for secret in [
        "guess",
        "secret",
        "made-up",
        "in the body",
        owner.trim_start_matches("Bearer "),
    ] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let line: Value = serde_json::from_str(text.lines().nth(5).unwrap()).unwrap();
    assert_eq!(
        (line["address"].as_str(), line["clientRequestId"].as_str()),
        (Some("127.0.0.1"), Some("mine"))
    );
    assert_eq!(line["path"], vault(&trailed.service));
    assert_eq!(line["requestId"].as_str().unwrap().len(), 36);
    for time in ["time", "serviceTime"] {
        line[time]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .unwrap();
    }
    trailed.service.shutdown().unwrap();
}

#[test]
fn reads_are_told_when_they_are_asked_for() {
    let trailed = Trailed::new(false, true);
    let owner = bearer(&trailed.service, trailed.dir());
    trailed.asks("GET", &owner, "");
    let last = trailed.lines().pop().unwrap();
    assert_eq!(
        last,
        "Request owner Owner Microsoft.RecoveryServices/vaults/read 404 ResourceNotFound"
    );
    trailed.service.shutdown().unwrap();
}

#[test]
fn a_trail_that_is_required_lets_nothing_happen_unseen() {
    let trailed = Trailed::new(true, false);
    let owner = bearer(&trailed.service, trailed.dir());
    let folder = trailed.file.parent().unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    let (status, body) = trailed.asks("PUT", &owner, "");
    assert_eq!(
        (status, body["error"]["code"].as_str()),
        (503, Some("AuditTrailUnavailable"))
    );
    assert_eq!(
        trailed.asks("GET", &owner, "").0,
        404,
        "nothing was done, and who only reads is answered"
    );
    std::fs::create_dir(folder).unwrap();
    assert_eq!(trailed.asks("PUT", &owner, "").0, 201);
    let events: Vec<String> = trailed
        .lines()
        .iter()
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(events, ["Lost", "Begun", "Request"]);
    trailed.service.shutdown().unwrap();
}

#[test]
fn a_trail_that_is_not_required_stops_nothing() {
    let trailed = Trailed::new(false, false);
    let owner = bearer(&trailed.service, trailed.dir());
    let folder = trailed.file.parent().unwrap();
    let problem = || {
        let target = format!("/kluis/v1{}/health", vault(&trailed.service));
        let headers = [("Authorization", owner.as_str())];
        let answer = call(
            &trailed.service,
            trailed.dir(),
            "GET",
            &target,
            &headers,
            "",
        );
        let problems = answer.body["problems"].as_array().unwrap().clone();
        let mut ours = problems.into_iter();
        ours.find(|problem| problem["title"] == "AuditTrailNotWritten")
    };
    std::fs::remove_dir_all(folder).unwrap();
    assert_eq!(trailed.asks("PUT", &owner, "").0, 201);
    let told = problem().expect("it is told");
    let message = told["message"].as_str().unwrap();
    assert!(
        message.contains("No such file") && message.contains("log alone"),
        "{message}"
    );
    assert!(told["since"].is_string(), "{told}");
    std::fs::create_dir(folder).unwrap();
    trailed.asks("PATCH", &owner, "");
    assert_eq!(problem(), None);
    trailed.service.shutdown().unwrap();
}

/// What makes recovery points end earlier is told with the request that did it, whoever keeps them.
#[test]
fn the_trail_tells_which_request_brought_the_ends_of_recovery_points_nearer() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("audit.log");
    let audit = Audit {
        file: Some(file.clone()),
        ..Audit::default()
    };
    std::fs::write(dir.path().join("web-2-os.raw"), vec![1; 1 << 20]).unwrap();
    let running = start(Config {
        movers: Movers::Own(Box::new(Threads)),
        audit,
        ..config(dir.path())
    });
    let site = Site::of(running.unwrap(), dir.path());
    site.protect();
    site.back_up();
    let told = |operation: &str| {
        let text = std::fs::read_to_string(&file).unwrap();
        let mut lines = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let of = |line: &Value| line["operation"].as_str().unwrap().ends_with(operation);
        let found = lines.rfind(of);
        found.unwrap()["endsNearer"].clone()
    };
    assert_eq!(told("protectedItems/write"), Value::Null);
    let point = site.get(&format!("{}/recoveryPoints", site.item()))["value"][0].clone();
    site.call("DELETE", &site.item(), &Value::Null);
    let nearer = told("protectedItems/delete");
    assert_eq!(nearer["points"], 1, "{nearer}");
    assert_eq!(nearer["made"], point["properties"]["recoveryPointTime"]);
    for end in ["before", "after"] {
        let end = nearer[end].as_str().unwrap();
        end.parse::<jiff::Timestamp>().unwrap();
    }
    site.running.shutdown().unwrap();
}
