//! The audit trail: who did what, on what, from where, with what answer; and never a secret.

use std::path::{Path, PathBuf};

use kluis_service::shell::Threads;
use kluis_service::{Audit, Config, Movers, Running, start};
use serde_json::Value;

use crate::movers::Site;
use crate::shell::{bearer, call, call_at, config, vault};
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

/// Which requests tell the trail by themselves is a matter of who answers them, not of how their path ends.
#[test]
fn what_only_looks_like_a_sign_in_is_told_as_any_other() {
    let trailed = Trailed::new(false, false);
    let owner = bearer(&trailed.service, trailed.dir());
    let secure = trailed.service.endpoint.clone();
    let plain = trailed.service.http_endpoint.clone().unwrap();
    let tenant = trailed.service.credentials.tenant_id.clone();
    let sign_in = format!("/{tenant}/oauth2/v2.0/token");
    let below = format!("{}/oauth2/v2.0/token", vault(&trailed.service));
    let before = trailed.lines().len();
    let stranger = "Bearer made-up-token";
    let owner = owner.as_str();
    let asked = [
        (&secure, "GET", "/msi/token", stranger, 401),
        (&secure, "POST", "/msi/token", stranger, 401),
        (&secure, "GET", below.as_str(), stranger, 401),
        (&secure, "PUT", below.as_str(), stranger, 401),
        (&secure, "PUT", below.as_str(), owner, 404),
        (&secure, "PUT", sign_in.as_str(), stranger, 405),
        (&secure, "PUT", "/healthz", stranger, 405),
        (&secure, "POST", "/metadata/endpoints", stranger, 405),
        (&plain, "POST", "/msi/token", stranger, 405),
        (&plain, "DELETE", "/healthz", stranger, 405),
        (&plain, "POST", "/anywhere", stranger, 404),
    ];
    for (at, method, path, token, status) in asked {
        let target = format!("{path}?api-version=2024-04-01");
        let headers = [("Authorization", token), ("X-Identity-Header", "a guess")];
        let answer = call_at(
            &trailed.service,
            trailed.dir(),
            at,
            (method, &target),
            &headers,
        );
        assert_eq!(answer.status, status, "{method} {path}");
    }
    let text = std::fs::read_to_string(&trailed.file).unwrap();
    let told: Vec<(String, String, u64)> = text
        .lines()
        .skip(before)
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["event"], "Request", "{line}");
            let word = |name: &str| line[name].as_str().unwrap().to_owned();
            (
                word("method"),
                word("path"),
                line["status"].as_u64().unwrap(),
            )
        })
        .collect();
    let expected = asked.map(|(_, method, path, _, status)| {
        (method.to_owned(), path.to_owned(), u64::from(status))
    });
    assert_eq!(told, expected);
    // What asks whether the service is there is told nowhere, and a sign-in once.
    let before = trailed.lines().len();
    for (at, path, status) in [
        (&secure, "/healthz", 200),
        (&plain, "/healthz", 200),
        (&secure, "/metadata/endpoints", 200),
        (&plain, "/msi/token?resource=x", 401),
    ] {
        let headers = [("X-Identity-Header", "a guess")];
        let answer = call_at(&trailed.service, trailed.dir(), at, ("GET", path), &headers);
        assert_eq!(answer.status, status, "{path}");
    }
    let told = trailed.lines().split_off(before);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("SignIn null null oauth2/token/action 401"),
        "{told:?}"
    );
    trailed.service.shutdown().unwrap();
}

/// Who did what is not for others to write, nor for every user to read.
#[test]
fn a_file_of_the_trail_that_others_can_use_is_narrowed_and_anothers_is_refused() {
    use std::os::unix::fs::{PermissionsExt as _, chown};
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("audit.log");
    let with = |required: bool| Config {
        audit: Audit {
            file: Some(file.clone()),
            required,
            reads: false,
        },
        ..config(dir.path())
    };
    for (before, after) in [
        (0o666, 0o640),
        (0o640, 0o640),
        (0o644, 0o640),
        (0o600, 0o600),
    ] {
        std::fs::write(&file, "").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(before)).unwrap();
        start(with(false)).unwrap().shutdown().unwrap();
        let mode = std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, after, "{before:o}");
    }
    // Only root can give files away.
    if chown(&file, Some(12345), None).is_err() {
        return;
    }
    let error = kluis_service::store::chain(&start(with(true)).unwrap_err());
    assert!(
        error.contains("the user 12345") && error.contains("chown"),
        "{error}"
    );
    let service = start(with(false)).unwrap();
    bearer(&service, dir.path());
    service.shutdown().unwrap();
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        "",
        "nothing is told to it"
    );
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
