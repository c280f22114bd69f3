//! `kluis restore --files` and `kluis ls` by the real binary, on trees as file systems allow them.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use kluis_tests::binary::kluis;
use kluis_tests::disk::{START, of_folder, same, tool};
use kluis_tests::files::tree;
use kluis_tests::place::{Scratch, scratch};
use kluis_tests::portal::Portal;
use kluis_tests::process::{run, signal};
use kluis_tests::world::{RESOURCE_GROUP, Sizes, VAULT, VM};
use rustix::process::Signal;
use serde_json::Value;

const MIB: u64 = 1 << 20;

/// 2020-01-01.
fn then() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_577_836_800)
}

/// A machine whose system disk holds the tree in `source`, backed up once.
struct Site {
    dir: Scratch,
    portal: Portal,
    source: PathBuf,
}

impl Site {
    fn new() -> Self {
        let dir = scratch("brought").unwrap();
        let source = dir.path().join("source");
        lay_out(&source);
        let portal = Portal::open(dir.path(), Sizes::SMALL).unwrap();
        let disk = &portal.estate.disks[0];
        of_folder(disk, 96, &source).unwrap();
        // A file that the system encrypted is well, and not read.
        run(Command::new(tool("debugfs"))
            .args(["-w", "-R", "set_inode_field /secret flags 0x80800"])
            .arg(format!("{}?offset={START}", disk.display())))
        .unwrap();
        portal.protect().unwrap();
        portal.back_up().unwrap();
        Self {
            dir,
            portal,
            source,
        }
    }

    /// `kluis COMMAND ITEM …`, of the newest point.
    fn kluis(&self, command: &str, more: &[&OsStr]) -> Output {
        let data = &self.portal.service.setup().data;
        Command::new(kluis().unwrap())
            .arg(command)
            .arg("--credentials")
            .arg(data.join("credentials.json"))
            .arg(format!("{RESOURCE_GROUP}/{VAULT}/{RESOURCE_GROUP}/{VM}"))
            .args(more)
            .env_remove("KUBECONFIG")
            .output()
            .unwrap()
    }

    /// Brings the paths into a new folder: the exit code, what is said, and the folder.
    fn bring(&self, into: &str, paths: &[&[u8]], more: &[&str]) -> (Option<i32>, Output, PathBuf) {
        let folder = self.dir.path().join(into);
        fs::create_dir_all(&folder).unwrap();
        let mut words: Vec<OsString> =
            ["--into".into(), folder.clone().into(), "--files".into()].into();
        words.extend(paths.iter().map(|path| OsStr::from_bytes(path).to_owned()));
        words.extend(more.iter().map(OsString::from));
        let words: Vec<&OsStr> = words.iter().map(OsString::as_os_str).collect();
        let output = self.kluis("restore", &words);
        (output.status.code(), output, folder)
    }
}

/// Names at the limits, names that are no text, holes, old folders, a pipe.
fn lay_out(source: &Path) {
    let write = |path: &[u8], text: &str| {
        let path = source.join(OsStr::from_bytes(path));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(b"d/aaa", "a");
    write(format!("d/{}", "x".repeat(255)).as_bytes(), "long");
    write(b"d/zzz", "z");
    write(b"one", "the upper one");
    write(b"d/one", "the lower one");
    write(b"n/\xed\xa6\xf1bad", "no text");
    write(b"n/esc\x1b[31mred", "red");
    write(b"secret", "encrypted");
    symlink(OsStr::from_bytes(b"../\xed\xa6\xf1"), source.join("n/link")).unwrap();
    File::open(source.join("n"))
        .unwrap()
        .set_modified(then())
        .unwrap();
    let sparse = File::create(source.join("sparse")).unwrap();
    sparse.set_len(48 * MIB).unwrap();
    sparse.write_all_at(b"begins", 0).unwrap();
    sparse.write_all_at(b"ends", 40 * MIB + 17).unwrap();
    run(Command::new("mkfifo").arg(source.join("pipe"))).unwrap();
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn files_come_as_they_were_and_what_does_not_is_told_by_the_exit_code() {
    let site = Site::new();

    // Whole, whatever the names are.
    let (code, output, into) = site.bring("whole", &[b"/d", b"/n", b"/sparse"], &[]);
    assert_eq!(code, Some(0), "{}", said(&output));
    for name in ["d", "n"] {
        let (had, came) = (tree(&site.source.join(name)), tree(&into.join(name)));
        assert_eq!(came.unwrap(), had.unwrap(), "{name}");
    }
    let came = fs::metadata(into.join("n")).unwrap();
    assert_eq!(came.modified().unwrap(), then(), "a folder has its time");
    let sparse = into.join("sparse");
    assert_eq!(
        same(&site.source.join("sparse"), &sparse).unwrap(),
        48 * MIB
    );
    let stored = fs::metadata(&sparse).unwrap().blocks() * 512;
    assert!(
        stored < 4 * MIB,
        "{stored} bytes are stored of a file of holes"
    );

    // By a path that is no text.
    let (code, output, into) = site.bring("bytes", &[b"/n/\xed\xa6\xf1bad"], &[]);
    assert_eq!(code, Some(0), "{}", said(&output));
    let name = OsStr::from_bytes(b"\xed\xa6\xf1bad");
    assert_eq!(fs::read(into.join(name)).unwrap(), b"no text");

    // Two of one name need their paths.
    let both: [&[u8]; 2] = [b"/one", b"/d/one"];
    let (code, output, into) = site.bring("clash", &both, &[]);
    assert_eq!(code, Some(1), "{}", said(&output));
    assert!(
        said(&output).contains("by their paths"),
        "{}",
        said(&output)
    );
    assert_eq!(tree(&into).unwrap().len(), 0, "nothing came of it");
    let (code, output, into) = site.bring("clash", &both, &["--keep-paths"]);
    assert_eq!(code, Some(0), "{}", said(&output));
    let text = |path: &str| fs::read_to_string(into.join(path)).unwrap();
    assert_eq!(
        (text("one"), text("d/one")),
        ("the upper one".to_owned(), "the lower one".to_owned())
    );

    // Nothing that is here is overwritten.
    fs::write(into.join("one"), "mine").unwrap();
    let (code, output, _) = site.bring("clash", &[b"/one"], &[]);
    assert_ne!(code, Some(0), "{}", said(&output));
    assert_eq!(text("one"), "mine");

    // The rest comes, and the code says that it is not all.
    let (code, output, into) = site.bring("partly", &[b"/d/aaa", b"/secret"], &["-o", "json"]);
    assert_eq!(code, Some(3), "{}", said(&output));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&told["files"], &told["leftOut"], &told["unsupported"]),
        (&1.into(), &1.into(), &1.into()),
        "{told}"
    );
    assert_eq!(fs::read(into.join("aaa")).unwrap(), b"a");
    assert!(!into.join("secret").exists());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("/secret"), "{told}");
    // A pipe holds nothing: it is told of, and nothing is missing.
    let (code, output, _) = site.bring("pipe", &[b"/pipe"], &["-o", "json"]);
    assert_eq!(code, Some(0), "{}", said(&output));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["special"], 1, "{told}");

    nothing_reaches_the_terminal(&site);
    who_ends_it_finds_the_folder_as_it_was(&site);
}

/// Ended by a signal in the middle, with the service standing still, nothing is left in the folder.
fn who_ends_it_finds_the_folder_as_it_was(site: &Site) {
    let service = site.portal.service.id();
    let data = &site.portal.service.setup().data;
    for (name, by) in [("INT", Signal::INT), ("TERM", Signal::TERM)] {
        // Once in a while all has come before the service stands still.
        let interrupted = (0..20).any(|round| {
            let into = site.dir.path().join(format!("ended-{name}-{round}"));
            fs::create_dir(&into).unwrap();
            let mut bringing = Command::new(kluis().unwrap())
                .args(["restore", "--credentials"])
                .arg(data.join("credentials.json"))
                .arg(format!("{RESOURCE_GROUP}/{VAULT}/{RESOURCE_GROUP}/{VM}"))
                .arg("--into")
                .arg(&into)
                .args(["--files", "/d", "/n", "/sparse"])
                .env_remove("KUBECONFIG")
                .stderr(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            let has_begun = || fs::read_dir(&into).unwrap().next().is_some();
            while !has_begun() && bringing.try_wait().unwrap().is_none() {
                std::thread::yield_now();
            }
            signal(service, Signal::STOP).unwrap();
            // It may have ended by itself.
            let _ = signal(bringing.id(), by);
            let ended = bringing.wait_with_output().unwrap();
            signal(service, Signal::CONT).unwrap();
            if ended.status.success() {
                return false;
            }
            let told = String::from_utf8_lossy(&ended.stderr).into_owned();
            assert!(told.contains("nothing was restored"), "{told}");
            assert_eq!(fs::read_dir(&into).unwrap().count(), 0, "{name}");
            true
        });
        assert!(interrupted, "{name}");
    }
}

/// No output of a list has a byte that a terminal obeys, and each says the same.
fn nothing_reaches_the_terminal(site: &Site) {
    let list = |format: &str| {
        let words = ["/n", "-o", format].map(OsStr::new);
        let output = site.kluis("ls", &words);
        assert!(output.status.success(), "{}", said(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        let obeyed = text.chars().any(|c| c.is_control() && c != '\n');
        assert!(!obeyed, "{format}: {text:?}");
        text
    };
    assert!(list("table").contains("esc\\u{1b}[31mred"));
    let json: Value = serde_json::from_str(&list("json")).unwrap();
    let yaml: Value = serde_yaml::from_str(&list("yaml")).unwrap();
    assert_eq!(json, yaml);
    let mut names = json
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["name"].as_str().unwrap());
    assert!(names.any(|name| name == "esc\u{1b}[31mred"), "{json}");
}
