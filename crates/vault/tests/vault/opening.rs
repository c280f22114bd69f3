//! What a path may lead to: whatever is neither a file nor a block device is refused at once, and nobody waits for it.

use std::{
    fs,
    os::unix::net::UnixListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use kluis_vault::{Event, FailureCode, InUse, SnapshotSource, Task};

use crate::{
    instant::{of, task},
    qcow2::{image, run, write},
    support::{MIB, Place, assert_same, backup, disk, failure, notes, source},
};

/// Long enough for a slow machine; what waits for a pipe waits for ever.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn what_is_no_disk_is_refused_and_not_waited_for() {
    let place = Place::new();
    let pipe = place.path("pipe");
    run("mkfifo", &[pipe.to_str().unwrap()]);
    let socket = place.path("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    let directory = place.path("directory");
    fs::create_dir(&directory).unwrap();
    let link = place.path("link");
    std::os::unix::fs::symlink(&pipe, &link).unwrap();
    let mut paths = vec![pipe, link, socket, directory];
    paths.extend(
        [
            "/dev/zero",
            "/dev/random",
            "/dev/ptmx",
            "/dev/tty",
            "/proc/kmsg",
            "/proc/self/mem",
        ]
        .map(PathBuf::from),
    );
    for (number, path) in paths.into_iter().enumerate() {
        for (kind, task) in [
            ("b", Task::Backup(backup(vec![source("os", &path)]))),
            ("s", Task::Snapshot(task(vec![of(&place, "os", &path)]))),
        ] {
            let job = place.job(&format!("{kind}{number}"), task);
            let key = place.key.clone();
            let (told, heard) = mpsc::channel();
            thread::spawn(move || {
                let mut events = Vec::new();
                let _ = kluis_vault::mover::run(&job, key, &mut |event| events.push(event));
                let _ = told.send(events);
            });
            let events = heard.recv_timeout(PATIENCE);
            let events = events.unwrap_or_else(|_| panic!("{} is waited for", path.display()));
            assert_eq!(failure(&events), FailureCode::SourceUnreadable, "{path:?}");
        }
    }
}

/// Somebody who has a file open for writing until it is dropped.
struct Writer(Child);

impl Writer {
    fn qemu(format: &str, path: &std::path::Path) -> Self {
        let child = Command::new("qemu-io")
            .args(["-f", format])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.as_ref().unwrap();
        std::io::Write::write_all(&mut input, b"length\n").unwrap();
        Self::when_it_says_something(child)
    }

    fn shell(path: &std::path::Path) -> Self {
        let child = Command::new("sh")
            .args(["-c", "exec 5<>\"$0\"; echo open; read -r _"])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self::when_it_says_something(child)
    }

    /// Who writes by memory that the file is mapped into, and has no file open.
    fn mapped(path: &std::path::Path) -> Self {
        const PROGRAM: &str = "import ctypes, os, sys
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
opened = os.open(sys.argv[1], os.O_RDWR)
assert libc.mmap(None, 4096, 3, 1, opened, 0) not in (None, ctypes.c_void_p(-1).value)
os.close(opened)
print('mapped', flush=True)
sys.stdin.read()";
        let child = Command::new("python3")
            .args(["-c", PROGRAM])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self::when_it_says_something(child)
    }

    /// Who has it open by another name.
    fn bound(path: &std::path::Path) -> Self {
        // Where nobody may mount, a link has to do.
        const SCRIPT: &str = r#"touch "$0.elsewhere"
mount --bind "$0" "$0.elsewhere" 2>/dev/null || ln -f "$0" "$0.elsewhere"
exec 5<>"$0.elsewhere"; umount -l "$0.elsewhere" 2>/dev/null; echo open; read -r _"#;
        let child = Command::new("sh")
            .args(["-c", SCRIPT])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self::when_it_says_something(child)
    }

    fn when_it_says_something(mut child: Child) -> Self {
        let mut said = [0];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut said).unwrap();
        Self(child)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Who holds an image, which one, and how it is opened.
type Held<'a> = (&'a str, &'a std::path::Path, fn(&std::path::Path) -> Writer);

#[test]
fn an_image_that_somebody_has_open_for_writing_is_refused_or_read_on_its_owners_word() {
    let place = Place::new();
    let raw = place.path("raw.img");
    disk(&raw, 8 * MIB, &[(0, 1, 3 * MIB as usize)]);
    let qcow2 = image(&place.path("image.qcow2"), "8M", "");
    write(&qcow2, &["write -P 7 1M 2M"]);
    let cases: [Held; 5] = [
        ("shell", &raw, Writer::shell),
        ("mapped", &raw, Writer::mapped),
        ("bound", &raw, Writer::bound),
        ("raw", &raw, |path| Writer::qemu("raw", path)),
        ("qcow2", &qcow2, |path| Writer::qemu("qcow2", path)),
    ];
    for (case, path, open) in cases {
        let writer = open(path);
        let snapshot = |in_use, to: &str| {
            let disk = SnapshotSource {
                in_use,
                to: place.path(&format!("snapshots/{case}-{to}")),
                track: Some("kluis-p1".to_owned()),
                ..of(&place, "os", path)
            };
            Task::Snapshot(task(vec![disk]))
        };
        let events = place.run(
            &format!("refused-{case}"),
            snapshot(InUse::Refuse, "refused"),
        );
        assert_eq!(
            failure(&events),
            FailureCode::SourceInUse,
            "{case}: {events:?}"
        );

        let events = place.run(&format!("read-{case}"), snapshot(InUse::Read, "read"));
        assert!(
            events
                .iter()
                .any(|event| matches!(event, Event::Snapshotted { in_use: true, .. })),
            "{case}: {events:?}"
        );
        assert!(
            notes(&events)
                .iter()
                .any(|note| note.contains("inUse: Read")),
            "{case}"
        );

        // Whoever only reads it stands in nobody's way.
        drop(writer);
        let _reader = fs::File::open(path).unwrap();
        let events = place.run(&format!("free-{case}"), snapshot(InUse::Refuse, "free"));
        assert_eq!(events.last(), Some(&Event::Finished), "{case}: {events:?}");
        if case == "raw" {
            assert_same(&raw, &place.path("snapshots/raw-free"));
        }
    }
}
