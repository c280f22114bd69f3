//! Trees of every name that a file system allows, restored by both ways and compared with what they were made of: by a job of
//! the service, and piece by piece as `kluis restore --files` does it.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::{self, File, FileTimes},
    os::unix::{
        ffi::OsStrExt,
        fs::{FileExt, FileTypeExt, MetadataExt, PermissionsExt, symlink},
    },
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use kluis_vault::{
    DiskImage, Event, RestoreFilesTask, Task, VaultError,
    files::Explorer,
    restore_files::{Received, Receiver, Wanted, send},
};
use proptest::prelude::*;

use crate::{
    files_images::{ext, run},
    support::{MIB, Place, allocated, noise, notes},
};

/// Something in a tree.
#[derive(Debug, Clone)]
enum Thing {
    File {
        size: u64,
        /// Where there are bytes, and how many.
        pieces: Vec<(u64, usize)>,
        mode: u32,
        time: i64,
    },
    Link(Vec<u8>),
    Directory {
        holds: BTreeMap<Vec<u8>, Thing>,
        mode: u32,
        time: i64,
    },
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let byte = any::<u8>().prop_filter("no name has it", |byte| !matches!(byte, 0 | b'/'));
    let length = prop_oneof![6 => 1..12_usize, 1 => 235..=255_usize];
    length
        .prop_flat_map(move |length| prop::collection::vec(byte.clone(), length))
        .prop_filter("it leads elsewhere", |name| {
            !matches!(name.as_slice(), b"." | b".." | b"lost+found")
        })
}

/// Seconds that 32 bits with a sign can tell: mke2fs writes no others.
fn time() -> impl Strategy<Value = i64> {
    prop_oneof![Just(-1), Just(0), i64::from(i32::MIN)..i64::from(i32::MAX)]
}

fn mode() -> impl Strategy<Value = u32> {
    prop::sample::select(vec![0o644, 0o600, 0o755, 0o400, 0o1777, 0o751])
}

fn tree() -> impl Strategy<Value = BTreeMap<Vec<u8>, Thing>> {
    let pieces = prop::collection::vec((0..20 * MIB, 1..9_000_usize), 0..4);
    let file = (pieces, 0..300_000_u64, mode(), time()).prop_map(|(pieces, behind, mode, time)| {
        let end = pieces.iter().map(|(at, length)| at + *length as u64).max();
        Thing::File {
            size: end.unwrap_or_default() + behind,
            pieces,
            mode,
            time,
        }
    });
    let target = prop_oneof![
        prop::collection::vec(1..=255_u8, 1..59),
        prop::collection::vec(1..=255_u8, 59..900)
    ];
    let leaf = prop_oneof![4 => file, 1 => target.prop_map(Thing::Link)];
    let thing = leaf.prop_recursive(4, 40, 8, |inner| {
        let holds = prop::collection::btree_map(name(), inner, 0..8);
        (holds, mode(), time()).prop_map(|(holds, mode, time)| Thing::Directory {
            holds,
            mode: mode | 0o500,
            time,
        })
    });
    prop::collection::btree_map(name(), thing, 1..8)
}

fn make(at: &Path, holds: &BTreeMap<Vec<u8>, Thing>) {
    for (name, thing) in holds {
        let path = at.join(OsStr::from_bytes(name));
        match thing {
            Thing::Link(target) => symlink(OsStr::from_bytes(target), &path).unwrap(),
            Thing::File {
                size,
                pieces,
                mode,
                time,
            } => {
                let file = File::create(&path).unwrap();
                file.set_len(*size).unwrap();
                for (at, length) in pieces {
                    file.write_all_at(&noise(*at + 1, *length), *at).unwrap();
                }
                finish(&path, *mode, *time);
            }
            Thing::Directory { holds, mode, time } => {
                fs::create_dir(&path).unwrap();
                make(&path, holds);
                finish(&path, *mode, *time);
            }
        }
    }
}

fn finish(path: &Path, mode: u32, time: i64) {
    let apart = Duration::from_secs(time.unsigned_abs());
    let time = if time < 0 {
        SystemTime::UNIX_EPOCH - apart
    } else {
        SystemTime::UNIX_EPOCH + apart
    };
    let opened = File::open(path).unwrap();
    opened
        .set_times(FileTimes::new().set_modified(time))
        .unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// What of a tree has to be the same: each path with its kind, mode, size, time, owner, content and target. Of files of one
/// inode the first of their paths.
fn described(root: &Path) -> Vec<String> {
    fn go(root: &Path, at: &Path, seen: &mut BTreeMap<u64, PathBuf>, told: &mut Vec<String>) {
        let mut names: Vec<_> = fs::read_dir(at)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        for name in names {
            let path = at.join(&name);
            let below = path.strip_prefix(root).unwrap().to_owned();
            if below == Path::new("lost+found") {
                continue;
            }
            let found = fs::symlink_metadata(&path).unwrap();
            let what = if found.is_symlink() {
                format!("link to {:?}", fs::read_link(&path).unwrap())
            } else if found.is_dir() {
                format!("directory {:o} {}", found.mode() & 0o1777, found.mtime())
            } else {
                let first = seen.entry(found.ino()).or_insert_with(|| below.clone());
                let content = File::open(&path).map(|mut file| {
                    let mut sum = Vec::new();
                    std::io::Read::read_to_end(&mut file, &mut sum).unwrap();
                    let grains = sum.chunks(4096).zip(0_u64..);
                    grains
                        .filter(|(grain, _)| **grain != [0; 4096][..grain.len()])
                        .fold(7_u64, |sum, (grain, number)| {
                            grain.iter().fold(sum ^ number, |sum, byte| {
                                sum.wrapping_mul(1_099_511_628_211) ^ u64::from(*byte)
                            })
                        })
                });
                format!(
                    "file {:o} {} {} {content:?} {first:?}",
                    found.mode() & 0o1777,
                    found.mtime(),
                    found.len()
                )
            };
            told.push(format!("{below:?} {}:{} {what}", found.uid(), found.gid()));
            if found.is_dir() {
                go(root, &path, seen, told);
            }
        }
    }
    let mut told = Vec::new();
    go(root, root, &mut BTreeMap::new(), &mut told);
    told
}

/// As `kluis restore --files` does it, in pieces of about `limit` bytes.
pub(crate) fn receive(
    image: &Path,
    paths: &[&str],
    keep_paths: bool,
    limit: usize,
    into: &Path,
) -> Result<Received, VaultError> {
    let explorer = Explorer::of_images(&[("web-1-os".to_owned(), image.to_owned())])?;
    let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
    let mut receiver = Receiver::new(into)?;
    let mut after: Option<String> = None;
    loop {
        let wanted = Wanted {
            volume: None,
            paths: &paths,
            keep_paths,
            after: after.as_deref(),
        };
        let piece = send(&explorer, &wanted, limit)?;
        after = receiver.take(&piece)?;
        if after.is_none() {
            return receiver.finish();
        }
    }
}

/// As the service does it.
pub(crate) fn by_job(place: &Place, image: &Path, paths: &[&str], to: &Path) -> Vec<Event> {
    let task = RestoreFilesTask {
        snapshot: String::new(),
        vm: "web-1".to_owned(),
        images: vec![DiskImage {
            name: "web-1-os".to_owned(),
            path: image.to_owned(),
        }],
        volume: None,
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        to: to.to_owned(),
    };
    place.run("files", Task::RestoreFiles(task))
}

/// Restores all of an image by both ways, and compares both with what it was made of.
fn assert_comes_back(place: &Place, image: &Path, content: &Path, limit: usize) {
    let (service, person) = (place.path("service"), place.path("person"));
    let events = by_job(place, image, &["/"], &service);
    assert_eq!(events.last(), Some(&Event::Finished), "{events:?}");
    assert_eq!(notes(&events), Vec::<&str>::new());
    fs::create_dir(&person).unwrap();
    let received = receive(image, &["/"], false, limit, &person).unwrap();
    assert_eq!(received.remarks, Vec::<String>::new());
    assert_eq!((received.damaged, received.unsupported), (0, 0));
    let expected = described(content);
    assert_eq!(described(&service), expected);
    assert_eq!(described(&person), expected);
    for (ours, theirs) in [(&service, content), (&person, content)] {
        assert!(used(ours) <= used(theirs) + MIB, "holes are filled");
    }
}

fn used(root: &Path) -> u64 {
    let mut bytes = 0;
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let found = fs::symlink_metadata(&path).unwrap();
        if found.is_dir() {
            bytes += used(&path);
        } else if found.is_file() {
            bytes += allocated(&path);
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 20, ..ProptestConfig::default() })]
    #[test]
    fn any_tree_comes_back_by_both_ways(
        holds in tree(),
        links in prop::collection::vec((any::<prop::sample::Index>(), name()), 0..4),
        kind in prop::sample::select(vec!["ext4", "ext3", "ext2"]),
        limit in prop::sample::select(vec![1, 3_000, 1 << 20]),
    ) {
        let place = Place::new();
        let content = place.path("content");
        fs::create_dir(&content).unwrap();
        make(&content, &holds);
        let files: Vec<_> = fs::read_dir(&content)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| fs::symlink_metadata(path).unwrap().is_file())
            .collect();
        if !files.is_empty() {
            for (file, name) in links {
                let _ = fs::hard_link(file.get(&files), content.join(OsStr::from_bytes(&name)));
            }
        }
        let image = place.path("image");
        ext(kind, &image, 96 * MIB, &content);
        assert_comes_back(&place, &image, &content, limit);
    }
}

#[test]
fn five_thousand_entries_and_three_hundred_levels_come_back() {
    let place = Place::new();
    let content = place.path("content");
    fs::create_dir_all(content.join("many")).unwrap();
    for number in 0..5_000 {
        fs::write(content.join(format!("many/{number}")), number.to_string()).unwrap();
    }
    let deep = (0..300).fold(content.join("deep"), |path, _| path.join("level-ten"));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("bottom"), "reached").unwrap();
    let image = place.path("image");
    ext("ext4", &image, 64 * MIB, &content);
    assert_comes_back(&place, &image, &content, 100_000);
}

#[test]
fn what_lies_deeper_than_any_path_can_say_comes_back() {
    let place = Place::new();
    let content = place.path("content");
    fs::create_dir(&content).unwrap();
    let script = "cd \"$1\"; n=$(printf 'x%.0s' $(seq 60)); for i in $(seq 300); do mkdir $n && cd -P $n 2>/dev/null || exit 1; done; echo bottom > file";
    run("bash", &["-c", script, "-", content.to_str().unwrap()], "");
    let image = place.path("image");
    ext("ext4", &image, 32 * MIB, &content);
    let events = by_job(&place, &image, &["/"], &place.path("service"));
    assert_eq!(events.last(), Some(&Event::Finished), "{events:?}");
    let person = place.path("person");
    fs::create_dir(&person).unwrap();
    let received = receive(&image, &["/"], false, 500, &person).unwrap();
    assert_eq!(
        (received.files, received.directories),
        (1, 301),
        "with lost+found"
    );
}

#[test]
fn times_of_all_that_ext4_can_tell_come_back() {
    let place = Place::new();
    let content = place.path("content");
    fs::create_dir(&content).unwrap();
    let times = [
        (i64::from(i32::MIN), 0),
        (-1, 999_999_999),
        (1_i64 << 31, 1),
        (4_300_000_000, 0),
        ((3_i64 << 32) - 1, 5),
    ];
    for (number, _) in times.iter().enumerate() {
        fs::write(content.join(number.to_string()), "x").unwrap();
    }
    let image = place.path("image");
    ext("ext4", &image, 16 * MIB, &content);
    for (number, (second, nanosecond)) in times.iter().enumerate() {
        let low = *second as u32;
        let epoch = (second - i64::from(low.cast_signed())) >> 32;
        let extra = (epoch as u32 & 3) | nanosecond << 2;
        for field in [
            format!("mtime 0x{low:x}"),
            format!("mtime_extra 0x{extra:x}"),
        ] {
            let command = format!("sif /{number} {field}");
            run(
                "debugfs",
                &["-w", "-R", &command, image.to_str().unwrap()],
                "",
            );
        }
    }
    let to = place.path("to");
    let events = by_job(&place, &image, &["/"], &to);
    assert_eq!(notes(&events), Vec::<&str>::new());
    let person = place.path("person");
    fs::create_dir(&person).unwrap();
    receive(&image, &["/"], false, 1, &person).unwrap();
    for (number, (second, nanosecond)) in times.iter().enumerate() {
        for root in [&to, &person] {
            let found = fs::metadata(root.join(number.to_string())).unwrap();
            let time = (found.mtime(), found.mtime_nsec());
            assert_eq!(time, (*second, i64::from(*nanosecond)), "{number}");
        }
    }
}

#[test]
fn a_folder_that_holds_other_things_keeps_them_and_names_are_not_mixed_up() {
    let place = Place::new();
    let content = place.path("content");
    fs::create_dir_all(content.join("d")).unwrap();
    fs::write(content.join("one"), "first").unwrap();
    fs::write(content.join("d/one"), "second").unwrap();
    let image = place.path("image");
    ext("ext4", &image, 16 * MIB, &content);
    let into = place.path("into");
    fs::create_dir(&into).unwrap();
    fs::write(into.join("d"), "mine").unwrap();
    symlink("/etc", into.join("trap")).unwrap();
    let names = || {
        let mut names: Vec<_> = fs::read_dir(&into)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let taken = receive(&image, &["/d"], false, 1 << 20, &into).unwrap_err();
    assert!(matches!(taken, VaultError::TargetTaken(_)), "{taken:?}");
    let both = receive(&image, &["/one", "/d/one"], false, 1 << 20, &into).unwrap_err();
    assert!(matches!(both, VaultError::InvalidJob(_)), "{both:?}");
    assert_eq!(names(), ["d", "trap"]);
    fs::remove_file(into.join("d")).unwrap();
    receive(&image, &["/one", "/d/one"], true, 1, &into).unwrap();
    assert_eq!(names(), ["d", "one", "trap"]);
    assert_eq!(fs::read(into.join("one")).unwrap(), b"first");
    assert_eq!(fs::read(into.join("d/one")).unwrap(), b"second");
}

#[test]
fn nothing_that_the_other_side_says_leads_out_of_the_folder() {
    let place = Place::new();
    let into = place.path("into");
    fs::create_dir(&into).unwrap();
    symlink(place.path("outside"), into.join("planted")).unwrap();
    let file = r#""modified":null,"mode":null,"uid":null,"gid":null"#;
    let refused = [
        format!("{{\"frame\":\"enter\",\"name\":\"..\",{file}}}\n"),
        format!("{{\"frame\":\"file\",\"name\":\"a/b\",{file}}}\n"),
        format!("{{\"frame\":\"file\",\"name\":\"\",{file}}}\n"),
        format!("{{\"frame\":\"enter\",\"name\":\"planted\",{file}}}\n"),
        format!("{{\"frame\":\"hardLink\",\"name\":\"../x\",\"id\":3,{file}}}\n"),
        "{\"frame\":\"data\",\"offset\":0,\"length\":5}\nhello".to_owned(),
        "{\"frame\":\"leave\"}\n".to_owned(),
        "{\"frame\":\"data\",\"offset\":0,\"length\":50}\nhello".to_owned(),
        "not even JSON\n".to_owned(),
        String::new(),
    ];
    for piece in refused {
        let mut receiver = Receiver::new(&into).unwrap();
        assert!(receiver.take(piece.as_bytes()).is_err(), "{piece}");
        drop(receiver);
        assert_eq!(fs::read_dir(&into).unwrap().count(), 1, "{piece}");
    }
    // A link that comes is a link, and nothing is written through it.
    let through = format!(
        "{{\"frame\":\"symlink\",\"name\":\"l\",\"target\":\"/tmp\",{file}}}\n{{\"frame\":\"enter\",\"name\":\"l\",{file}}}\n{{\"frame\":\"file\",\"name\":\"x\",{file}}}\n{{\"frame\":\"done\"}}\n{{\"frame\":\"leave\"}}\n{{\"frame\":\"end\"}}\n"
    );
    let mut receiver = Receiver::new(&into).unwrap();
    assert_eq!(receiver.take(through.as_bytes()).unwrap(), None);
    let received = receiver.finish().unwrap();
    assert_eq!((received.files, received.damaged), (1, 1), "{received:?}");
    assert!(!Path::new("/tmp/x").exists());
}

#[test]
fn sockets_pipes_and_devices_are_told_and_left_out_by_both_ways() {
    let place = Place::new();
    let content = place.path("content");
    fs::create_dir(&content).unwrap();
    fs::write(content.join("file"), "x").unwrap();
    let made = Command::new("mkfifo")
        .arg(content.join("pipe"))
        .status()
        .unwrap();
    assert!(made.success());
    std::os::unix::net::UnixListener::bind(content.join("socket")).unwrap();
    assert!(
        fs::symlink_metadata(content.join("socket"))
            .unwrap()
            .file_type()
            .is_socket()
    );
    let image = place.path("image");
    ext("ext4", &image, 16 * MIB, &content);
    run(
        "debugfs",
        &["-w", "-R", "mknod disk b 8 0", image.to_str().unwrap()],
        "",
    );
    let to = place.path("to");
    let events = by_job(&place, &image, &["/"], &to);
    assert_eq!(events.last(), Some(&Event::Finished));
    assert_eq!(notes(&events).len(), 3);
    let person = place.path("person");
    fs::create_dir(&person).unwrap();
    let received = receive(&image, &["/"], false, 1, &person).unwrap();
    assert_eq!(
        (received.special, received.damaged, received.files),
        (3, 0, 1)
    );
    assert_eq!(received.remarks.len(), 3, "{received:?}");
}
