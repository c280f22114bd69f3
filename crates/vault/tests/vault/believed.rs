//! A dirty bitmap is believed only where nothing but guests' writes can have changed the image; and what it calls unchanged is
//! compared with the source all the same, a share at a time.

use std::{fs, path::Path};

use kluis_vault::{Checkpoint, Event, Sample};

use crate::{
    qcow2::{assert_point, begin, image, raw, run, since, with_bitmap, write},
    support::{MIB, Place, assert_same, backup, notes, saved, source},
};

const BITMAP: &str = "kluis-20310501";

fn qemu_img(arguments: &[&str]) {
    run("qemu-img", arguments);
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn diverged(events: &[Event]) -> bool {
    events
        .iter()
        .any(|event| matches!(event, Event::Diverged { .. }))
}

/// Begins the bitmap with no mark within these chunks: one there would have the chunk read, and so nothing to be found in it.
fn begin_apart(place: &Place, os: &Path, chunks: &std::ops::Range<u64>) -> Checkpoint {
    loop {
        let begun = begin(place, os, "20310501");
        if begun
            .marks
            .iter()
            .all(|mark| !chunks.contains(&(mark / MIB)))
        {
            return begun;
        }
        qemu_img(&["bitmap", "--remove", text(os), BITMAP]);
    }
}

/// The snapshot restores to what the image is.
fn assert_restores(place: &Place, job: &str, snapshot: &str, image: &Path) {
    let (restored, _) = place.restore(job, snapshot, &["os"]);
    let expected = raw(place, image, &format!("expected-{job}"));
    assert_same(&expected, &restored.join("os.raw"));
}

/// What is done to an image, and whether a bitmap may be believed after it.
type Change = (&'static str, bool, fn(&Place, &Path));

const CHANGES: [Change; 16] = [
    ("nothing", true, |_, _| {}),
    ("shrunk and grown back", false, |_, os| {
        qemu_img(&["resize", "-q", "--shrink", text(os), "8M"]);
        qemu_img(&["resize", "-q", text(os), "16M"]);
    }),
    ("shrunk by a cluster and grown back", false, |_, os| {
        qemu_img(&["resize", "-q", "--shrink", text(os), "16711680"]);
        qemu_img(&["resize", "-q", text(os), "16M"]);
    }),
    // The mark of the disk's last bytes stays, and so they are read.
    ("shrunk by a sector and grown back", true, |_, os| {
        qemu_img(&["resize", "-q", "--shrink", text(os), "16776704"]);
        qemu_img(&["resize", "-q", text(os), "16M"]);
    }),
    ("only shrunk", false, |_, os| {
        qemu_img(&["resize", "-q", "--shrink", text(os), "9M"]);
    }),
    ("only grown", false, |_, os| {
        qemu_img(&["resize", "-q", text(os), "20M"]);
    }),
    ("bitmap cleared", false, |_, os| {
        write(os, &["write -P 9 9M 1M"]);
        qemu_img(&["bitmap", "--clear", text(os), BITMAP]);
    }),
    ("bitmap made anew", false, |_, os| {
        qemu_img(&["bitmap", "--remove", text(os), BITMAP]);
        write(os, &["write -P 9 9M 1M"]);
        qemu_img(&["bitmap", "--add", text(os), BITMAP]);
    }),
    ("bitmap disabled", false, |_, os| {
        qemu_img(&["bitmap", "--disable", text(os), BITMAP]);
        write(os, &["write -P 9 9M 1M"]);
    }),
    ("made zeros behind a disabled bitmap", false, |_, os| {
        qemu_img(&["bitmap", "--disable", text(os), BITMAP]);
        write(os, &["write -z 9M 1M"]);
        qemu_img(&["bitmap", "--enable", text(os), BITMAP]);
    }),
    ("bitmap removed", false, |_, os| {
        write(os, &["write -P 9 9M 1M"]);
        qemu_img(&["bitmap", "--remove", text(os), BITMAP]);
    }),
    ("internal snapshot taken", false, |_, os| {
        qemu_img(&["snapshot", "-c", "later", text(os)]);
    }),
    ("internal snapshot applied", false, |_, os| {
        qemu_img(&["bitmap", "--remove", text(os), BITMAP]);
        qemu_img(&["snapshot", "-a", "before", text(os)]);
        qemu_img(&["bitmap", "--add", text(os), BITMAP]);
    }),
    ("another file with the same bitmap", false, |place, os| {
        let other = image(&place.path("other.qcow2"), "16M", "");
        write(&other, &["write -P 5 0 16M"]);
        qemu_img(&[
            "bitmap",
            "--add",
            "--merge",
            BITMAP,
            "-b",
            text(os),
            "-F",
            "qcow2",
            text(&other),
            BITMAP,
        ]);
        fs::rename(other, os).unwrap();
    }),
    ("an overlay committed into it", true, |place, os| {
        let overlay = place.path("overlay.qcow2");
        qemu_img(&[
            "create",
            "-q",
            "-f",
            "qcow2",
            "-b",
            text(os),
            "-F",
            "qcow2",
            text(&overlay),
        ]);
        write(&overlay, &["write -P 6 10M 1M"]);
        qemu_img(&["commit", "-q", text(&overlay)]);
    }),
    ("another disk converted into it", true, |place, os| {
        let other = image(&place.path("source.qcow2"), "16M", "");
        write(&other, &["write -P 4 0 16M"]);
        qemu_img(&["convert", "-n", "-O", "qcow2", text(&other), text(os)]);
    }),
];

#[test]
fn what_changes_an_image_behind_its_bitmap_is_found() {
    for (number, (what, believed, change)) in CHANGES.iter().enumerate() {
        let place = Place::new();
        let os = image(&place.path("os.qcow2"), "16M", "");
        write(&os, &["write -P 1 0 12M"]);
        qemu_img(&["snapshot", "-c", "before", text(&os)]);
        write(&os, &["write -P 2 8M 8M"]);
        let begun = begin_apart(&place, &os, &(8..12));
        let (first, ..) = saved(&place.back_up("first", backup(vec![source("os", &os)])));

        change(&place, &os);
        write(&os, &["write -P 3 3M 64k"]);
        let mut disk = with_bitmap("os", &os, BITMAP, &begun);
        disk.image = Some(kluis_vault::FileId {
            inode: std::os::unix::fs::MetadataExt::ino(&fs::metadata(&os).unwrap()),
            ..begun.file
        });
        let events = place.back_up("second", since(&first, disk));
        let whole = diverged(&events)
            || notes(&events)
                .iter()
                .any(|note| note.contains("read whole"));
        assert_eq!(whole, !believed, "{what}: {events:?}");
        assert_restores(&place, &format!("r{number}"), &saved(&events).0, &os);
    }
}

#[test]
fn what_a_bitmap_calls_unchanged_is_compared_a_share_at_a_time_until_all_of_it_was() {
    const OF: u32 = 4;
    // Whichever of four neighbours lies: within four backups it is found, and that backup is right again.
    for lie in 0..OF {
        let place = Place::new();
        let os = image(&place.path("os.qcow2"), "64M", "");
        write(&os, &["write -P 1 0 48M"]);
        let begun = begin_apart(&place, &os, &(20..20 + u64::from(OF)));
        let (first, ..) = saved(&place.back_up("first", backup(vec![source("os", &os)])));
        qemu_img(&["bitmap", "--disable", text(&os), BITMAP]);
        write(&os, &[&format!("write -P 9 {}M 64k", 20 + lie)]);
        qemu_img(&["bitmap", "--enable", text(&os), BITMAP]);

        let mut found = None;
        let mut compared = 0;
        for turn in 0..OF {
            let mut task = since(&first, with_bitmap("os", &os, BITMAP, &begun));
            task.sample = Some(Sample { turn, of: OF });
            let events = place.back_up(&format!("turn-{turn}"), task);
            compared += events
                .iter()
                .map(|event| match event {
                    Event::Compared { bytes, of: OF, .. } => *bytes,
                    _ => 0,
                })
                .sum::<u64>();
            if diverged(&events) {
                found = Some((turn, saved(&events)));
                break;
            }
        }
        let (turn, (snapshot, _, read, _)) = found.expect("it was never found");
        assert!(turn == 0 || compared > 0);
        assert!(read >= 48 * MIB, "the whole disk is read then: {read}");
        assert_point(&place, &format!("r{lie}"), &snapshot, &os);
    }
}

#[test]
fn a_share_of_an_honest_bitmap_is_compared_and_nothing_is_said_against_it() {
    let place = Place::new();
    let os = image(&place.path("os.qcow2"), "64M", "");
    write(&os, &["write -P 1 0 40M"]);
    let begun = begin(&place, &os, "20310501");
    let (first, ..) = saved(&place.back_up("first", backup(vec![source("os", &os)])));
    write(&os, &["write -P 2 5M 1M", "write -z 6M 1M"]);
    let mut bytes = 0;
    for turn in 0..10 {
        let mut task = since(&first, with_bitmap("os", &os, BITMAP, &begun));
        task.sample = Some(Sample { turn, of: 10 });
        let events = place.back_up(&format!("turn-{turn}"), task);
        assert!(!diverged(&events), "{events:?}");
        assert_eq!(notes(&events), Vec::<&str>::new());
        bytes += events
            .iter()
            .map(|event| match event {
                Event::Compared { bytes, of: 10, .. } => *bytes,
                _ => 0,
            })
            .sum::<u64>();
        assert_restores(&place, &format!("r{turn}"), &saved(&events).0, &os);
    }
    // All of what has data and isn't called changed, each MiB once; the marks are changed as far as anybody is told.
    assert!((34..=38).contains(&(bytes / MIB)), "{bytes}");
}
