//! Movers that are killed: at each kind of event, in the middle of writing, by their reader's end. The next run finishes
//! the work, once.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
};

use kluis_vault::{Event, JobFile, Task, mover, repository};

use crate::support::{MIB, Place, assert_same, backup, disk, edit, files, restore, saved, source};

const JOB: &str = "KLUIS_TEST_MOVER_JOB";

/// Not a test: what this binary does when it is started as a mover by the others.
#[test]
fn be_a_mover() {
    if let Ok(job) = std::env::var(JOB) {
        let done = mover::main(Path::new(&job));
        std::process::exit(i32::from(done != ExitCode::SUCCESS));
    }
}

pub(crate) fn start(place: &Place, job: &JobFile) -> Child {
    start_with(place, job, &[])
}

/// A mover in a process of its own, with more in its environment.
pub(crate) fn start_with(place: &Place, job: &JobFile, environment: &[(&str, &str)]) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    spawn(&mut command, place, job, environment)
}

/// A mover in a process of its own that is started by `command`, this binary.
pub(crate) fn start_by(mut command: Command, place: &Place, job: &JobFile) -> Child {
    spawn(&mut command, place, job, &[])
}

fn spawn(
    command: &mut Command,
    place: &Place,
    job: &JobFile,
    environment: &[(&str, &str)],
) -> Child {
    let path = place.path(&format!("{}.json", job.job));
    fs::write(&path, serde_json::to_vec(job).unwrap()).unwrap();
    let mut child = command
        .args([
            "--exact",
            "crash::be_a_mover",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(JOB, &path)
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let key = place.key.to_json().unwrap();
    let handed = child.stdin.take().unwrap().write_all(key.as_bytes());
    // A job that needs no key may have ended before it was offered one.
    if let Err(why) = handed {
        assert_eq!(why.kind(), std::io::ErrorKind::BrokenPipe);
    }
    child
}

/// The events of a mover until one that `last` wants, which is its end.
pub(crate) fn until(child: &mut Child, last: impl Fn(&Event) -> bool) -> Vec<Event> {
    let mut events = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        // The test harness of the child talks, too.
        let Some(json) = line.find('{').map(|start| &line[start..]) else {
            continue;
        };
        let Ok(event) = serde_json::from_str::<Event>(json) else {
            continue;
        };
        let enough = last(&event);
        events.push(event);
        if enough {
            child.kill().unwrap();
            break;
        }
    }
    child.wait().unwrap();
    events
}

pub(crate) fn kind(event: &Event) -> String {
    serde_json::to_value(event).unwrap()["event"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_backup_that_is_killed_at_any_event_is_finished_once_by_the_next_run() {
    for (number, at) in ["started", "disk", "progress", "saved", "finished"]
        .into_iter()
        .enumerate()
    {
        let place = Place::new();
        let path = place.path("os.img");
        disk(&path, 96 * MIB, &[(0, 1, 4 * MIB as usize)]);
        let (before, ..) = saved(&place.back_up("before", backup(vec![source("os", &path)])));
        edit(&path, &[(0, 10 + number as u64, 60 * MIB as usize)]);
        let job = place.job("j1", Task::Backup(backup(vec![source("os", &path)])));

        let events = until(&mut start(&place, &job), |event| kind(event) == at);
        assert_eq!(kind(events.last().unwrap()), at);
        place.assert_clean();
        let events = until(&mut start(&place, &job), |_| false);
        assert_eq!(
            events.last(),
            Some(&Event::Finished),
            "killed at {at}: {events:?}"
        );

        let points = repository::snapshots(&place.vault, &place.key).unwrap();
        let mut ids: Vec<_> = points
            .iter()
            .map(|point| point.saved.snapshot.clone())
            .collect();
        ids.retain(|id| *id != before);
        assert_eq!(ids, [saved(&events).0], "killed at {at}");
        place.assert_clean();
        let (restored, _) = place.restore("r", &ids[0], &["os"]);
        assert_same(&path, &restored.join("os.raw"));
        place.forget("f", &[]);
        assert_eq!(
            files(&place.vault.join("tmp")),
            Vec::<std::path::PathBuf>::new()
        );
        place.assert_clean();
    }
}

#[test]
fn a_restore_that_is_killed_at_any_event_is_finished_by_the_next_run() {
    let place = Place::new();
    let (os, data) = (place.path("os.img"), place.path("data.img"));
    disk(&os, 64 * MIB, &[(0, 1, 48 * MIB as usize)]);
    disk(&data, 32 * MIB, &[(0, 2, 24 * MIB as usize)]);
    let (snapshot, ..) =
        saved(&place.back_up("j1", backup(vec![source("os", &os), source("data", &data)])));
    for at in ["started", "disk", "progress", "restored", "finished"] {
        let directory = place.path(&format!("killed-at-{at}"));
        let job = place.job(
            &format!("r-{at}"),
            Task::Restore(restore(&snapshot, &directory, &["os", "data"])),
        );
        let events = until(&mut start(&place, &job), |event| kind(event) == at);
        assert_eq!(kind(events.last().unwrap()), at);

        let events = until(&mut start(&place, &job), |_| false);
        assert_eq!(
            events.last(),
            Some(&Event::Finished),
            "killed at {at}: {events:?}"
        );
        assert_eq!(
            events
                .iter()
                .filter(|event| kind(event) == "restored")
                .count(),
            2
        );
        assert_same(&os, &directory.join("os.raw"));
        assert_same(&data, &directory.join("data.raw"));
        assert_eq!(files(&directory).len(), 2, "killed at {at}");
    }
}

#[test]
fn a_restore_that_is_cancelled_leaves_nothing() {
    let place = Place::new();
    let os = place.path("os.img");
    disk(&os, 64 * MIB, &[(0, 1, 48 * MIB as usize)]);
    let (snapshot, ..) = saved(&place.back_up("j1", backup(vec![source("os", &os)])));
    let directory = place.path("cancelled");
    let job = place.job("r1", Task::Restore(restore(&snapshot, &directory, &["os"])));
    until(&mut start(&place, &job), |event| kind(event) == "progress");
    mover::clean_up(&job, &mut |_| {}).unwrap();
    assert_eq!(files(&directory), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_cleanup_that_is_killed_leaves_a_clean_vault() {
    let place = Place::new();
    let path = place.path("os.img");
    disk(&path, 64 * MIB, &[(0, 1, 40 * MIB as usize)]);
    let (first, ..) = saved(&place.back_up("j1", backup(vec![source("os", &path)])));
    edit(&path, &[(0, 2, 20 * MIB as usize)]);
    let (second, ..) = saved(&place.back_up("j2", backup(vec![source("os", &path)])));
    let task = Task::Forget(kluis_vault::ForgetTask {
        snapshots: vec![first],
        prune: true,
    });
    for at in ["started", "forgotten"] {
        until(
            &mut start(&place, &place.job("f1", task.clone())),
            |event| kind(event) == at,
        );
        place.assert_clean();
        let (restored, _) = place.restore(&format!("r-{at}"), &second, &["os"]);
        assert_same(&path, &restored.join("os.raw"));
    }
    let events = until(&mut start(&place, &place.job("f1", task)), |_| false);
    assert_eq!(events.last(), Some(&Event::Finished), "{events:?}");
    place.assert_clean();
}

#[test]
fn a_mover_whose_reader_is_gone_ends_and_saves_nothing() {
    let place = Place::new();
    let path = place.path("os.img");
    disk(&path, 256 * MIB, &[(0, 1, 200 * MIB as usize)]);
    let job = place.job("j1", Task::Backup(backup(vec![source("os", &path)])));
    let mut child = start(&place, &job);
    drop(child.stdout.take());
    assert!(!child.wait().unwrap().success());
    assert_eq!(
        repository::find_by_job(&place.vault, &place.key, "j1").unwrap(),
        None
    );
    place.assert_clean();
}

#[test]
fn a_job_file_or_a_key_that_is_none_is_a_failure_and_not_a_crash() {
    let place = Place::new();
    let job = place.job("j1", Task::Check);
    let path = place.path("j1.json");
    let run = |job: &[u8], key: &[u8]| {
        fs::write(&path, job).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::be_a_mover", "--nocapture"])
            .env(JOB, &path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(key).unwrap();
        let events = until(&mut child, |_| false);
        crate::support::failure(&events)
    };
    let job = serde_json::to_vec(&job).unwrap();
    assert_eq!(run(b"{}", b"{}"), kluis_vault::FailureCode::InvalidJob);
    assert_eq!(run(&job, b""), kluis_vault::FailureCode::WrongPassphrase);
    assert_eq!(run(&job, &[0xff; 10_000]), kluis_vault::FailureCode::Io);
}
