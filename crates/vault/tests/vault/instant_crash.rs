//! Snapshots whose mover is killed: nothing stays, or the next run makes it whole.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    process::Command,
};

use kluis_vault::{Event, ScriptOutcome, Scripts, SnapshotSource, SnapshotTask, Task, mover};

use crate::{
    crash::{kind, start, until},
    instant::{of, script, task},
    qcow2::{bitmaps, image, write},
    support::{MIB, Place, assert_same, backup, disk, failure, files, saved, source},
};

#[test]
fn a_snapshot_that_is_killed_at_any_event_is_made_by_the_next_run_or_cleaned_up() {
    for at in ["started", "disk", "script", "snapshotted", "finished"] {
        let place = Place::new();
        let (os, data) = (place.path("os.qcow2"), place.path("data.raw"));
        image(&os, "128M", "");
        write(&os, &["write -P 7 1M 40M"]);
        disk(&data, 64 * MIB, &[(0, 2, 24 * MIB as usize)]);
        let tracked = SnapshotSource {
            track: Some("kluis-p1".to_owned()),
            ..of(&place, "os", &os)
        };
        let log = place.path("log");
        let scripts = Scripts {
            pre: Some(script(
                &place,
                "pre",
                &format!("echo pre >> {}", log.display()),
            )),
            post: Some(script(
                &place,
                "post",
                &format!("echo post >> {}", log.display()),
            )),
            timeout_seconds: 20,
        };
        let snapshot = SnapshotTask {
            scripts: Some(scripts),
            ..task(vec![tracked, of(&place, "data", &data)])
        };
        let job = place.job("s1", Task::Snapshot(snapshot));

        let events = until(&mut start(&place, &job), |event| kind(event) == at);
        assert_eq!(kind(events.last().unwrap()), at);
        mover::clean_up(&job, &mut |_| {}).unwrap();
        assert_eq!(
            files(&place.path("snapshots")),
            Vec::<std::path::PathBuf>::new(),
            "killed at {at}"
        );
        assert_eq!(bitmaps(&os), Vec::<String>::new(), "killed at {at}");
        let said = fs::read_to_string(&log).unwrap_or_default();
        assert!(
            said.is_empty() || said.ends_with("post\n"),
            "killed at {at}, the machine is held up: {said}"
        );

        // Without a cleanup in between, the next run does it itself.
        until(&mut start(&place, &job), |event| kind(event) == at);
        let events = until(&mut start(&place, &job), |_| false);
        assert_eq!(
            events.last(),
            Some(&Event::Finished),
            "killed at {at}: {events:?}"
        );
        assert_same(&data, &place.path("snapshots/data"));
        assert_eq!(bitmaps(&place.path("snapshots/os")), ["kluis-p1"]);
        assert_eq!(files(&place.path("snapshots")).len(), 2, "killed at {at}");
    }
}

#[test]
fn a_script_ends_with_its_mover_and_the_machine_goes_on() {
    let place = Place::new();
    let os = place.path("os.raw");
    disk(&os, 8 * MIB, &[(0, 1, 1000)]);
    let held = place.path("held");
    Command::new("mkfifo").arg(&held).status().unwrap();
    let hang = format!(
        "exec 5>{}\necho begun >&5\nsleep 1000 &\nsleep 1000",
        held.display()
    );
    let log = place.path("log");
    let snapshot = SnapshotTask {
        scripts: Some(Scripts {
            pre: Some(script(&place, "pre", &hang)),
            post: Some(script(
                &place,
                "post",
                &format!("echo post >> {}", log.display()),
            )),
            timeout_seconds: 1000,
        }),
        ..task(vec![of(&place, "os", &os)])
    };
    let job = place.job("s1", Task::Snapshot(snapshot));
    let mut child = start(&place, &job);
    let mut pipe = BufReader::new(File::open(&held).unwrap());
    let mut line = String::new();
    pipe.read_line(&mut line).unwrap();
    assert_eq!(line, "begun\n");
    child.kill().unwrap();
    child.wait().unwrap();
    // Comes to its end when the script and its child are gone.
    assert_eq!(pipe.read_to_end(&mut Vec::new()).unwrap(), 0);
    mover::clean_up(&job, &mut |_| {}).unwrap();
    assert_eq!(fs::read_to_string(&log).unwrap(), "post\n");
    assert_eq!(
        files(&place.path("snapshots")),
        Vec::<std::path::PathBuf>::new()
    );
    mover::clean_up(&job, &mut |_| {}).unwrap();
    assert_eq!(fs::read_to_string(&log).unwrap(), "post\n", "once");
}

#[test]
fn a_script_that_cannot_put_right_a_killed_snapshot_is_told_of_and_tried_again() {
    let place = Place::new();
    let os = place.path("os.raw");
    disk(&os, 8 * MIB, &[(0, 1, 1000)]);
    let (held, log, mended) = (place.path("held"), place.path("log"), place.path("mended"));
    Command::new("mkfifo").arg(&held).status().unwrap();
    let hang = format!("echo begun > {}\nsleep 1000", held.display());
    let fail = format!(
        "echo post >> {}\necho no database\ntest -e {} || exit 3",
        log.display(),
        mended.display()
    );
    let snapshot = SnapshotTask {
        scripts: Some(Scripts {
            pre: Some(script(&place, "pre", &hang)),
            post: Some(script(&place, "post", &fail)),
            timeout_seconds: 1000,
        }),
        ..task(vec![of(&place, "os", &os)])
    };
    let job = place.job("s1", Task::Snapshot(snapshot));
    let mut child = start(&place, &job);
    let mut line = String::new();
    BufReader::new(File::open(&held).unwrap())
        .read_line(&mut line)
        .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let clean_up = || {
        let mut told = Vec::new();
        mover::clean_up(&job, &mut |event| told.push(event)).unwrap();
        told
    };
    let released = |outcome| Event::Released {
        outcome,
        output: "no database".to_owned(),
    };
    let failed = released(ScriptOutcome::Failed { code: Some(3) });
    assert_eq!(clean_up(), std::slice::from_ref(&failed));
    assert_eq!(clean_up(), [failed], "the mark was kept");
    fs::write(&mended, "").unwrap();
    assert_eq!(clean_up(), [released(ScriptOutcome::Succeeded)]);
    assert_eq!(clean_up(), []);
    assert_eq!(fs::read_to_string(&log).unwrap(), "post\npost\npost\n");
    assert_eq!(
        files(&place.path("snapshots")),
        Vec::<std::path::PathBuf>::new()
    );
}

#[test]
fn a_backup_of_a_qcow2_disk_that_is_killed_is_finished_by_the_next_run() {
    for at in ["disk", "progress", "saved"] {
        let place = Place::new();
        let os = image(&place.path("os.qcow2"), "512M", "");
        write(&os, &["write -P 1 0 200M", "write -P 2 300M 100M"]);
        let job = place.job("j1", Task::Backup(backup(vec![source("os", &os)])));
        until(&mut start(&place, &job), |event| kind(event) == at);
        place.assert_clean();
        let events = until(&mut start(&place, &job), |_| false);
        assert_eq!(
            events.last(),
            Some(&Event::Finished),
            "killed at {at}: {events:?}"
        );
        let (restored, _) = place.restore("r", &saved(&events).0, &["os"]);
        assert_same(
            &crate::qcow2::raw(&place, &os, "expected"),
            &restored.join("os.raw"),
        );
        // Nothing of qemu-nbd holds the image any more.
        write(&os, &["write -P 3 0 1M"]);
    }
}

#[test]
fn without_qemus_tools_a_qcow2_disk_is_a_failure_that_names_their_package() {
    let place = Place::new();
    let os = image(&place.path("os.qcow2"), "8M", "");
    let tracked = SnapshotSource {
        track: Some("kluis-p1".to_owned()),
        ..of(&place, "os", &os)
    };
    for task in [
        Task::Backup(backup(vec![source("os", &os)])),
        Task::Snapshot(task(vec![tracked])),
    ] {
        let job = place.job("j1", task);
        let mut child = crate::crash::start_with(&place, &job, &[("PATH", "/nonexistent")]);
        let events = until(&mut child, |_| false);
        assert_eq!(failure(&events), kluis_vault::FailureCode::ToolMissing);
        assert!(format!("{events:?}").contains("qemu-utils"), "{events:?}");
    }
}

/// Its job file's folder is its service's, and beside that lies the lock that the next service waits for.
#[test]
fn a_mover_holds_its_services_lock_and_what_a_script_leaves_running_does_not() {
    let place = Place::new();
    let os = place.path("os.raw");
    disk(&os, 8 * MIB, &[(0, 1, 1000)]);
    let lock = place.directory.path().with_extension("lock");
    let held = File::create(&lock).unwrap();
    held.lock_shared().unwrap();
    let (begun, go, daemon) = (place.path("begun"), place.path("go"), place.path("daemon"));
    for pipe in [&begun, &go] {
        assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    }
    // A daemon takes itself out of the group that is killed with the script.
    let text = format!(
        "setsid sh -c 'echo $$ > {}; exec sleep 1000' </dev/null >/dev/null 2>&1 &\n\
         while [ ! -s {} ]; do sleep 0.01; done\necho begun > {}\nread -r _ < {}",
        daemon.display(),
        daemon.display(),
        begun.display(),
        go.display()
    );
    let snapshot = SnapshotTask {
        scripts: Some(Scripts {
            pre: Some(script(&place, "pre", &text)),
            post: None,
            timeout_seconds: 1000,
        }),
        ..task(vec![of(&place, "os", &os)])
    };
    let job = place.job("s1", Task::Snapshot(snapshot));
    let mut child = start(&place, &job);
    assert_eq!(fs::read_to_string(&begun).unwrap(), "begun\n");
    drop(held);
    let next = File::open(&lock).unwrap();
    assert!(
        matches!(next.try_lock(), Err(fs::TryLockError::WouldBlock)),
        "the mover lives"
    );
    fs::write(&go, "go\n").unwrap();
    child.wait().unwrap();
    next.try_lock().unwrap();
    let daemon = fs::read_to_string(&daemon).unwrap();
    let daemon = daemon.trim();
    let lives = fs::read_to_string(format!("/proc/{daemon}/comm")).unwrap();
    assert_eq!(lives, "sleep\n");
    assert!(Command::new("kill").arg(daemon).status().unwrap().success());
    fs::remove_file(lock).unwrap();
}

#[test]
fn a_mover_that_comes_after_its_service_has_ended_does_nothing() {
    let place = Place::new();
    let os = place.path("os.raw");
    disk(&os, 8 * MIB, &[(0, 1, 1000)]);
    let lock = place.directory.path().with_extension("lock");
    let next = File::create(&lock).unwrap();
    next.lock().unwrap();
    let job = place.job("s1", Task::Snapshot(task(vec![of(&place, "os", &os)])));
    let events = until(&mut start(&place, &job), |event| kind(event) == "failed");
    let begun = events.iter().any(|event| kind(event) == "started");
    assert!(!begun, "{events:?}");
    assert!(!place.path("snapshots").exists());
    fs::remove_file(lock).unwrap();
}
