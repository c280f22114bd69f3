//! What every command has in common: a reader that goes is no error, words go to standard error, and an API server is told who asks.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::{fs, thread};

use kluis_tests::binary::kluis;
use kluis_tests::place::{scratch, workspace};
use kluis_tests::until::{Look, seconds, until};
use serde_json::json;

/// Every command that ends by itself and needs nobody, with the code that it ends with.
fn alone(folder: &Path) -> Vec<(Vec<String>, i32)> {
    let policy = workspace().join("examples/policies/virtual-machine.yaml");
    let wrong = folder.join("wrong.yaml");
    fs::write(&wrong, "apiVersion: kluis.dev/v1alpha1\nkind: Vault\nmetadata: { name: v }\nspec: { location: westeurope }\n").unwrap();
    let known = json!({
        "endpoint": "https://localhost:1", "tenantId": "t", "subscriptionId": "s", "clientId": "c", "clientSecret": "x",
        "identityHeader": "h",
    });
    fs::write(folder.join("credentials.json"), known.to_string()).unwrap();
    fs::write(folder.join("ca.pem"), "-----BEGIN CERTIFICATE-----\n").unwrap();
    let examples = workspace().join("examples");
    let (examples, wrong) = (examples.to_string_lossy(), wrong.to_string_lossy());
    let (policy, data) = (policy.to_string_lossy(), folder.to_string_lossy());
    let mut lines = vec![
        ("crds".to_owned(), 0),
        ("man".to_owned(), 0),
        ("--help".to_owned(), 0),
        ("--version".to_owned(), 0),
        ("no-such-command".to_owned(), 1),
        (
            format!("connection --data-dir {data} --allow shop=shop-rg"),
            0,
        ),
    ];
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        lines.push((format!("completions {shell}"), 0));
    }
    for format in ["table", "json", "yaml"] {
        lines.push((format!("validate -f {examples} -o {format}"), 0));
        lines.push((format!("validate -f {wrong} -o {format}"), 1));
    }
    for format in ["table", "json", "yaml", "svg", "html"] {
        lines.push((
            format!("simulate -f {policy} --from 2026-01-01 --years 2 -o {format}"),
            0,
        ));
    }
    for command in [
        "operator",
        "service",
        "crds",
        "connection",
        "validate",
        "simulate",
        "plan",
        "points",
        "jobs",
        "backup",
        "restore",
        "approve",
        "ls",
        "completions",
    ] {
        lines.push((format!("{command} --help"), 0));
    }
    let words = |line: String| line.split(' ').map(str::to_owned).collect();
    lines
        .into_iter()
        .map(|(line, code)| (words(line), code))
        .collect()
}

/// A pipe that nobody reads.
fn unread() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

fn run(args: &[String], out: Stdio, err: Stdio) -> Output {
    let child = Command::new(kluis().unwrap())
        .args(args)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .spawn()
        .unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_reader_that_goes_is_no_error_of_any_command() {
    let folder = scratch("unread").unwrap();
    for (args, code) in alone(folder.path()) {
        let read = run(&args, Stdio::piped(), Stdio::piped());
        assert_eq!(read.status.code(), Some(code), "{args:?}: {read:?}");
        let gone = run(&args, unread(), Stdio::piped());
        assert_eq!(gone.status.code(), Some(code), "{args:?}: {gone:?}");
        assert_eq!(gone.stderr, read.stderr, "{args:?}");
        let mute = run(&args, Stdio::piped(), unread());
        assert_eq!(mute.status.code(), Some(code), "{args:?}, unheard");
        assert_eq!(mute.stdout, read.stdout, "{args:?}, unheard");
    }
}

#[test]
fn an_answer_that_could_not_be_written_is_an_error() {
    for args in ["crds", "man", "completions bash"] {
        let args: Vec<String> = args.split(' ').map(str::to_owned).collect();
        let full = fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let output = run(&args, full.into(), Stdio::piped());
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.starts_with("kluis: "), "{args:?}: {said}");
    }
}

#[test]
fn what_programs_read_is_all_that_is_on_standard_output() {
    let folder = scratch("words").unwrap();
    for (args, _) in alone(folder.path()) {
        if args.last().is_some_and(|last| last == "json") {
            let output = run(&args, Stdio::piped(), Stdio::piped());
            let read: Result<serde_json::Value, _> = serde_json::from_slice(&output.stdout);
            assert!(read.is_ok(), "{args:?}");
        }
        // No terminal, no colours and no bars.
        let output = run(&args, Stdio::piped(), Stdio::piped());
        let both = [output.stdout, output.stderr].concat();
        assert!(!both.contains(&0x1b), "{args:?}");
    }
}

/// What was asked, and as whom: `GET /path`, the user agent.
type Asked = Arc<Mutex<Vec<(String, String)>>>;

/// An API server that has nothing and takes nothing, and notes who asks.
fn listener() -> (String, Asked) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", socket.local_addr().unwrap());
    let asked = Asked::default();
    let notes = Arc::clone(&asked);
    thread::spawn(move || {
        for stream in socket.incoming().flatten() {
            let notes = Arc::clone(&notes);
            thread::spawn(move || answer(stream, &notes));
        }
    });
    (address, asked)
}

fn answer(mut stream: TcpStream, asked: &Asked) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let (mut agent, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "user-agent" => agent = value.to_owned(),
            "content-length" => length = value.parse().ok()?,
            _ => {}
        }
    }
    reader.take(length).read_to_end(&mut Vec::new()).ok()?;
    let line = first.rsplit_once(' ')?.0.to_owned();
    // A patch of what is not there is refused by a server that looks first; this one tells that it came.
    let body = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"not here","reason":"NotFound","code":404}"#;
    asked.lock().ok()?.push((line, agent));
    write!(stream, "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).ok()
}

#[test]
fn an_api_server_is_told_who_asks_and_who_writes() {
    let folder = scratch("agents").unwrap();
    let (address, asked) = listener();
    let kubeconfig = folder.path().join("kubeconfig");
    fs::write(&kubeconfig, format!("apiVersion: v1\nkind: Config\nclusters: [{{ name: c, cluster: {{ server: \"{address}\" }} }}]\nusers: [{{ name: u, user: {{}} }}]\ncontexts: [{{ name: x, context: {{ cluster: c, user: u }} }}]\ncurrent-context: x\n")).unwrap();
    let policy = folder.path().join("policy.yaml");
    fs::write(&policy, "apiVersion: kluis.dev/v1alpha1\nkind: BackupPolicy\nmetadata: { name: daily }\nspec: { workload: VirtualMachine, schedule: { daily: { at: \"22:30\" } }, retention: { daily: { keep: 30 } } }\n").unwrap();
    let plan = format!("plan -f {}", policy.display());
    let cases = [
        ("approve policy/daily", "kluis-approve", None),
        (
            "backup web-1 --no-wait",
            "kluis-backup",
            Some("kluis-backup"),
        ),
        (
            "restore web-1 --to-disks shop-restored --no-wait",
            "kluis-restore",
            Some("kluis-restore"),
        ),
        ("crds --apply", "kluis-crds", Some("kluis-crds")),
        ("points web-1", "kluis", None),
        ("jobs web-1", "kluis", None),
        ("jobs", "kluis", None),
        ("ls web-1", "kluis", None),
        (&plan, "kluis-plan", None),
    ];
    for (line, agent, manager) in cases {
        asked.lock().unwrap().clear();
        let output = Command::new(kluis().unwrap())
            .args(line.split(' '))
            .env("KUBECONFIG", &kubeconfig)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{line}: {output:?}");
        told(&asked.lock().unwrap(), line, agent, manager);
    }

    // The operator asks for its lease first, and then makes it.
    asked.lock().unwrap().clear();
    let mut operator = Command::new(kluis().unwrap())
        .args([
            "operator",
            "--leader-election",
            "--metrics-listen",
            "127.0.0.1:0",
        ])
        .env("KUBECONFIG", &kubeconfig)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let wrote = until("the operator writes", seconds(60), || {
        let writes = |(line, _): &(String, String)| line.starts_with("POST");
        Ok(match asked.lock().unwrap().iter().any(writes) {
            true => Look::Done(()),
            false => Look::NotYet("not yet".to_owned()),
        })
    });
    operator.kill().unwrap();
    operator.wait().unwrap();
    wrote.unwrap();
    told(
        &asked.lock().unwrap(),
        "operator",
        "kluis-operator",
        Some("kluis-operator"),
    );
}

#[cfg(test)]
fn told(asked: &[(String, String)], line: &str, agent: &str, manager: Option<&str>) {
    assert!(!asked.is_empty(), "{line} asked for nothing");
    for (request, as_whom) in asked {
        assert!(
            as_whom.starts_with(&format!("{agent}/")),
            "{line}: {request} as {as_whom:?}"
        );
        if !request.starts_with("GET") {
            let manager = manager.unwrap_or("nobody");
            assert!(
                request.contains(&format!("fieldManager={manager}")),
                "{line}: {request}"
            );
        }
    }
}
