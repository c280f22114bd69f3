//! What e2fsck finds nothing wrong with is restored without a word of damage; what is damaged is told as that, and nothing
//! beside it is lost.

use std::{
    fs::{self, File},
    os::unix::fs::{FileExt, MetadataExt, symlink},
    path::Path,
};

use kluis_vault::Event;

use crate::{
    files_images::{ext, run},
    files_trees::{by_job, receive},
    support::{MIB, Place, allocated, noise, notes},
};

/// A tree with what the features of a file system make a difference to.
fn tree(root: &Path) {
    fs::create_dir_all(root.join("d/large")).unwrap();
    fs::create_dir_all(root.join("small")).unwrap();
    fs::write(root.join("small/in the inode"), "short").unwrap();
    fs::write(root.join("d/some"), noise(3, 140)).unwrap();
    fs::write(root.join("d/more"), noise(4, 3_000_001)).unwrap();
    fs::write(root.join("d/line\nbreak"), "x").unwrap();
    fs::write(root.join("d/empty"), "").unwrap();
    for number in 0..1_200 {
        fs::write(root.join(format!("d/large/{number:0100}")), "").unwrap();
    }
    symlink("s".repeat(59), root.join("d/59")).unwrap();
    symlink("s".repeat(60), root.join("d/60")).unwrap();
    symlink("s".repeat(150), root.join("d/150")).unwrap();
    let holey = File::create(root.join("d/holey")).unwrap();
    holey.set_len(5 << 30).unwrap();
    for at in [
        0,
        11 * 1024,
        12 * 1024,
        267 * 1024,
        268 * 1024,
        70 * MIB,
        (5 << 30) - 3,
    ] {
        holey.write_all_at(b"end", at).unwrap();
    }
}

fn is_clean(image: &Path) {
    run("e2fsck", &["-fn", image.to_str().unwrap()], "");
}

fn assert_same(content: &Path, restored: &Path) {
    run(
        "diff",
        &[
            "-r",
            "--no-dereference",
            "--exclude=holey",
            "--exclude=lost+found",
            content.to_str().unwrap(),
            restored.to_str().unwrap(),
        ],
        "",
    );
    let holey = restored.join("d/holey");
    assert_eq!(fs::metadata(&holey).unwrap().len(), 5 << 30);
    assert!(allocated(&holey) < MIB);
    let file = File::open(&holey).unwrap();
    for at in [
        0,
        11 * 1024,
        12 * 1024,
        267 * 1024,
        268 * 1024,
        70 * MIB,
        (5 << 30) - 3,
    ] {
        let mut bytes = [0; 3];
        file.read_exact_at(&mut bytes, at).unwrap();
        assert_eq!(&bytes, b"end", "{at}");
    }
}

#[test]
fn every_form_of_ext_that_is_well_comes_back_without_a_word_of_damage() {
    let place = Place::new();
    let content = place.path("content");
    tree(&content);
    let forms = [
        "-t ext2 -b 1024",
        "-t ext3 -b 1024",
        "-t ext2 -b 4096 -I 128",
        "-t ext4 -b 1024",
        "-t ext4 -b 65536",
        "-t ext4 -O inline_data",
        "-t ext4 -O bigalloc",
        "-t ext4 -O casefold",
        "-t ext4 -O large_dir,metadata_csum_seed,orphan_file",
        "-t ext4 -O ea_inode,verity,encrypt,fast_commit",
        "-t ext4 -O sparse_super2",
        "-t ext4 -b 1024 -O meta_bg,^resize_inode",
        "-t ext4 -O ^metadata_csum,^64bit",
        "-t ext4 -O ^extents,^64bit,^metadata_csum",
        "-t ext4 -O ^filetype,^metadata_csum,^dir_index",
    ];
    for (number, form) in forms.iter().enumerate() {
        let image = place.path("image");
        let _ = fs::remove_file(&image);
        File::create(&image).unwrap().set_len(256 * MIB).unwrap();
        let mut arguments: Vec<&str> = vec!["-q", "-F"];
        arguments.extend(form.split(' '));
        arguments.extend(["-d", content.to_str().unwrap(), image.to_str().unwrap()]);
        run("mke2fs", &arguments, "");
        is_clean(&image);
        let to = place.path(&format!("to-{number}"));
        let events = by_job(&place, &image, &["/"], &to);
        assert_eq!(events.last(), Some(&Event::Finished), "{form}: {events:?}");
        assert_eq!(notes(&events), Vec::<&str>::new(), "{form}");
        assert_same(&content, &to);
        fs::remove_dir_all(&to).unwrap();
    }
}

#[test]
fn what_was_set_aside_and_never_written_is_zeros_and_owners_have_32_bits() {
    let place = Place::new();
    let content = place.path("content");
    fs::create_dir(&content).unwrap();
    fs::write(content.join("file"), noise(1, 9_000)).unwrap();
    let image = place.path("image");
    ext("ext4", &image, 16 * MIB, &content);
    let path = image.to_str().unwrap();
    for command in [
        "fallocate /file 3 700",
        "sif /file size 2000000",
        "sif /file uid 70000",
        "sif /file gid 165537",
    ] {
        run("debugfs", &["-w", "-R", command, path], "");
    }
    is_clean(&image);
    let to = place.path("to");
    let events = by_job(&place, &image, &["/file"], &to);
    assert_eq!(notes(&events), Vec::<&str>::new());
    let found = fs::read(to.join("file")).unwrap();
    assert_eq!(found.len(), 2_000_000);
    assert_eq!(found[..9_000], noise(1, 9_000));
    assert!(found[9_000..].iter().all(|byte| *byte == 0));
    if fs::metadata(&content).unwrap().uid() == 0 {
        let found = fs::metadata(to.join("file")).unwrap();
        assert_eq!((found.uid(), found.gid()), (70_000, 165_537));
    }
}

#[test]
fn one_entry_that_cannot_be_is_left_out_and_all_others_come() {
    let place = Place::new();
    let content = place.path("content");
    fs::create_dir_all(content.join("d")).unwrap();
    for name in ["before", "d/aaa", "d/vic.tim", "d/zzz"] {
        fs::write(content.join(name), name).unwrap();
    }
    for kind in ["ext4", "ext3"] {
        let image = place.path(kind);
        ext(kind, &image, 16 * MIB, &content);
        let mut bytes = fs::read(&image).unwrap();
        let at = bytes
            .windows(7)
            .position(|window| window == b"vic.tim")
            .unwrap();
        bytes[at + 3] = b'/';
        fs::write(&image, bytes).unwrap();
        let to = place.path(&format!("to-{kind}"));
        let events = by_job(&place, &image, &["/"], &to);
        assert_eq!(events.last(), Some(&Event::Finished), "{events:?}");
        for name in ["before", "d/aaa", "d/zzz"] {
            assert_eq!(fs::read(to.join(name)).unwrap(), name.as_bytes());
        }
        let told = notes(&events);
        assert!(
            told.iter()
                .any(|note| note.contains("no file can have this name")),
            "{told:?}"
        );
    }
}

#[test]
fn damage_is_told_as_damage_and_what_is_not_read_as_that() {
    let place = Place::new();
    let content = place.path("content");
    fs::create_dir_all(content.join("secret")).unwrap();
    for name in ["good", "bad", "secret/file"] {
        fs::write(content.join(name), noise(5, 20_000)).unwrap();
    }
    let image = place.path("image");
    ext("ext4", &image, 16 * MIB, &content);
    let path = image.to_str().unwrap();
    // A directory that only its writer's key opens, and a tree of extents that leads nowhere.
    for command in ["sif /secret flags 0x80800", "sif /bad block[0] 0x1"] {
        run("debugfs", &["-w", "-R", command, path], "");
    }
    let into = place.path("into");
    fs::create_dir(&into).unwrap();
    let received = receive(&image, &["/"], false, 1 << 20, &into).unwrap();
    assert_eq!(
        (received.damaged, received.unsupported),
        (1, 1),
        "{received:?}"
    );
    assert_eq!(fs::read(into.join("good")).unwrap(), noise(5, 20_000));
    assert!(!into.join("bad").exists());
    let says = |path: &str, words: &str| {
        let mut remarks = received.remarks.iter();
        remarks.any(|remark| remark.starts_with(path) && remark.contains(words))
    };
    assert!(says("/bad", "extents is damaged"), "{received:?}");
    assert!(says("/secret", "not supported"), "{received:?}");
    let events = by_job(&place, &image, &["/"], &place.path("to"));
    assert!(
        events.iter().any(|event| matches!(
            event,
            Event::LeftOut {
                count: 2,
                unsupported: 1,
                ..
            }
        )),
        "{events:?}"
    );
}
