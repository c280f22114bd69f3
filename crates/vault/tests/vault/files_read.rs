//! Files read straight out of a vault, compared with those that the file systems were made of.

use std::{
    fs::{self, File},
    os::unix::{
        ffi::OsStrExt,
        fs::{FileExt, MetadataExt, PermissionsExt, symlink},
    },
    path::Path,
};

use kluis_vault::{
    VaultError,
    files::{Explorer, Kind},
};

use crate::{
    files_images::{back_up, ext, fat, partitioned},
    support::{MIB, Place, noise},
};

/// A system's root in small.
fn tree(root: &Path) {
    for directory in ["etc/nginx", "usr/bin", "var/log", "empty", "deep/a/b/c"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    fs::write(root.join("etc/hostname"), "web-1\n").unwrap();
    fs::write(root.join("etc/nginx/nginx.conf"), "worker_processes 1;\n").unwrap();
    fs::write(root.join("usr/bin/big"), noise(7, 5 * MIB as usize + 123)).unwrap();
    fs::write(root.join("etc/zero"), "").unwrap();
    fs::set_permissions(root.join("usr/bin/big"), fs::Permissions::from_mode(0o751)).unwrap();
    symlink("usr/bin", root.join("bin")).unwrap();
    symlink("/etc/hostname", root.join("absolute")).unwrap();
    symlink("../../../../etc", root.join("deep/up")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    symlink("x".repeat(200), root.join("long-target")).unwrap();
    fs::write(root.join("n".repeat(255)), "long").unwrap();
    fs::write(root.join("Grüße €.txt"), "utf-8").unwrap();
    fs::write(
        root.join(std::ffi::OsStr::from_bytes(b"caf\xe9")),
        "latin-1",
    )
    .unwrap();
    let sparse = File::create(root.join("var/log/lastlog")).unwrap();
    sparse.set_len(40 * MIB).unwrap();
    sparse.write_all_at(b"here", 20 * MIB + 17).unwrap();
}

fn read(explorer: &Explorer, volume: Option<&str>, path: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    explorer
        .read(volume, path, 0, u64::MAX, &mut bytes)
        .unwrap();
    bytes
}

fn names(explorer: &Explorer, volume: Option<&str>, path: &str) -> Vec<String> {
    let page = explorer.list(volume, path, None, 1000).unwrap();
    assert_eq!(page.next, None);
    page.entries.into_iter().map(|entry| entry.name).collect()
}

#[test]
fn files_of_ext_systems_are_read_as_they_were_written() {
    let place = Place::new();
    let root = place.path("root");
    tree(&root);
    for kind in ["ext2", "ext3", "ext4"] {
        let image = place.path(kind);
        ext(kind, &image, 96 * MIB, &root);
        let disk = format!("web-{kind}-os");
        let snapshot = {
            let disks = vec![crate::support::source(&disk, &image)];
            crate::support::saved(&place.back_up(kind, crate::support::backup(disks))).0
        };
        let explorer = Explorer::open(&place.vault, &place.key, &snapshot, "web-1").unwrap();
        let [volume] = explorer.volumes() else {
            panic!("{:?}", explorer.volumes());
        };
        assert_eq!((&*volume.name, &*volume.file_system), (&*disk, kind));
        assert_eq!(volume.label.as_deref(), Some("system"));
        assert_eq!((volume.readable, volume.size), (true, 96 * MIB));

        assert_eq!(read(&explorer, None, "/etc/hostname"), b"web-1\n");
        assert_eq!(read(&explorer, None, "etc/zero"), b"");
        let big = fs::read(root.join("usr/bin/big")).unwrap();
        assert_eq!(read(&explorer, None, "/bin/big"), big);
        assert_eq!(read(&explorer, None, "/absolute"), b"web-1\n");
        assert_eq!(read(&explorer, None, "/deep/up/hostname"), b"web-1\n");
        assert_eq!(
            read(&explorer, None, "/../../etc/../etc/./hostname"),
            b"web-1\n"
        );
        assert_eq!(read(&explorer, None, "/Grüße €.txt"), b"utf-8");
        assert_eq!(
            read(&explorer, None, "/var/log/lastlog"),
            fs::read(root.join("var/log/lastlog")).unwrap()
        );
        let mut part = Vec::new();
        let count = explorer
            .read(None, "/usr/bin/big", 3 * MIB - 5, 100_000, &mut part)
            .unwrap();
        assert_eq!(count, 100_000);
        assert_eq!(part, big[3 * MIB as usize - 5..][..100_000]);

        let big = explorer.look(None, "/bin/big").unwrap();
        let original = fs::metadata(root.join("usr/bin/big")).unwrap();
        assert_eq!((big.path.as_str(), big.kind), ("/usr/bin/big", Kind::File));
        assert_eq!(
            (big.size, big.mode, big.modified.unwrap().as_second()),
            (original.len(), Some(0o751), original.mtime())
        );
        let latin = names(&explorer, None, "/")
            .into_iter()
            .find(|name| name.starts_with("caf"))
            .unwrap();
        assert_eq!(read(&explorer, None, &latin), b"latin-1");
        let listed = explorer.list(None, "/", None, 1000).unwrap().entries;
        let link = listed
            .iter()
            .find(|entry| entry.name == "long-target")
            .unwrap();
        assert_eq!(link.kind, Kind::Symlink);
        assert_eq!(link.target.as_deref(), Some(&*"x".repeat(200)));

        let refused = |path: &str| explorer.look(None, path).unwrap_err();
        for path in [
            "/nothing",
            "/loop",
            "/etc/hostname/x",
            "/long-target",
            &"y/".repeat(9000),
        ] {
            assert!(matches!(refused(path), VaultError::PathNotFound { .. }));
        }
        assert!(matches!(
            explorer.list(None, "/etc/hostname", None, 9).unwrap_err(),
            VaultError::PathOfWrongKind { .. }
        ));
        assert!(matches!(
            explorer
                .read(None, "/etc", 0, 1, &mut Vec::new())
                .unwrap_err(),
            VaultError::PathOfWrongKind { .. }
        ));
    }
}

#[test]
fn a_directory_of_thousands_is_told_page_by_page() {
    let place = Place::new();
    let root = place.path("root");
    fs::create_dir_all(root.join("etc")).unwrap();
    fs::create_dir_all(root.join("usr")).unwrap();
    fs::create_dir_all(root.join("spool")).unwrap();
    for number in 0..4_000 {
        fs::write(root.join(format!("spool/message-{number:06}")), "").unwrap();
    }
    let image = place.path("image");
    ext("ext4", &image, 64 * MIB, &root);
    let snapshot = back_up(&place, &[("web-1-os", &image)]);
    let explorer = Explorer::open(&place.vault, &place.key, &snapshot, "web-1").unwrap();
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = explorer
            .list(None, "/spool", after.as_deref(), 700)
            .unwrap();
        assert!(page.entries.len() <= 700);
        found.extend(page.entries.into_iter().map(|entry| entry.name));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let expected: Vec<_> = (0..4_000)
        .map(|number| format!("message-{number:06}"))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn volumes_of_a_gpt_are_told_by_name_and_the_systems_one_is_the_default() {
    let place = Place::new();
    let (root, efi) = (place.path("root"), place.path("efi"));
    tree(&root);
    fs::create_dir_all(efi.join("EFI/BOOT/a directory with a long name")).unwrap();
    fs::write(efi.join("EFI/BOOT/BOOTX64.EFI"), noise(3, 300_000)).unwrap();
    fs::write(
        efi.join("EFI/BOOT/Überlanger Name für eine Datei.conf"),
        "long",
    )
    .unwrap();
    fs::write(efi.join("EFI/BOOT/a directory with a long name/x"), "x").unwrap();
    let (system, boot, xfs) = (place.path("system"), place.path("boot"), place.path("xfs"));
    ext("ext4", &system, 96 * MIB, &root);
    fat("32", &boot, 64 * MIB, &efi);
    fs::write(&xfs, [b"XFSB".as_slice(), &[0; 4096]].concat()).unwrap();
    let (os, data) = (place.path("os"), place.path("data"));
    partitioned(
        &os,
        256 * MIB,
        "label: gpt\nstart=2048,size=131072,type=U\nstart=133120,size=196608\nstart=329728,size=40960\nstart=370688,size=2048",
        &[(MIB, &boot), (65 * MIB, &system), (161 * MIB, &xfs)],
    );
    partitioned(
        &data,
        160 * MIB,
        "label: dos\nstart=2048,size=2048,type=82\nstart=8192,size=300000,type=5\nstart=10240,size=200704",
        &[(5 * MIB, &system)],
    );
    let snapshot = back_up(&place, &[("web-1-data", &data), ("web-1-os", &os)]);
    let explorer = Explorer::open(&place.vault, &place.key, &snapshot, "web-1").unwrap();
    let told: Vec<_> = explorer
        .volumes()
        .iter()
        .map(|volume| {
            (
                &*volume.name,
                &*volume.file_system,
                volume.readable,
                volume.size,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("web-1-os/1", "FAT32", true, 64 * MIB),
            ("web-1-os/2", "ext4", true, 96 * MIB),
            ("web-1-os/3", "XFS", false, 20 * MIB),
            ("web-1-os/4", "empty", false, MIB),
            ("web-1-data/1", "empty", false, MIB),
            ("web-1-data/5", "ext4", true, 98 * MIB),
        ]
    );
    assert_eq!(explorer.volumes()[0].label.as_deref(), Some("EFI"));
    assert_eq!(explorer.default_volume().unwrap().name, "web-1-os/2");
    assert_eq!(read(&explorer, None, "/etc/hostname"), b"web-1\n");
    assert_eq!(
        read(&explorer, Some("web-1-data/5"), "/etc/hostname"),
        b"web-1\n"
    );
    let boot = Some("web-1-os/1");
    assert_eq!(
        names(&explorer, boot, "/EFI/BOOT"),
        [
            "BOOTX64.EFI",
            "a directory with a long name",
            "Überlanger Name für eine Datei.conf"
        ]
    );
    assert_eq!(
        read(&explorer, boot, "/efi/boot/bootx64.efi"),
        noise(3, 300_000)
    );
    assert_eq!(
        read(&explorer, boot, "/EFI/BOOT/a directory with a long name/x"),
        b"x"
    );
    let mut part = Vec::new();
    explorer
        .read(boot, "/EFI/BOOT/BOOTX64.EFI", 100_001, 77, &mut part)
        .unwrap();
    assert_eq!(part, noise(3, 300_000)[100_001..100_078]);
    let refused = explorer.list(Some("web-1-os/3"), "/", None, 9).unwrap_err();
    assert!(refused.to_string().contains("XFS"), "{refused}");
    assert!(matches!(
        explorer.list(Some("web-1-os/9"), "/", None, 9).unwrap_err(),
        VaultError::VolumeNotFound(_)
    ));

    // The first copy of the table is lost: the one at the end does.
    File::options()
        .write(true)
        .open(&os)
        .unwrap()
        .write_all_at(&[0xff; 100], 512)
        .unwrap();
    let snapshot = back_up(&place, &[("web-1-os", &os)]);
    let explorer = Explorer::open(&place.vault, &place.key, &snapshot, "web-1").unwrap();
    assert_eq!(explorer.volumes().len(), 4);
    assert_eq!(read(&explorer, None, "/etc/hostname"), b"web-1\n");
}

#[test]
fn small_fats_are_read_and_so_are_snapshot_files() {
    let place = Place::new();
    let content = place.path("content");
    fs::create_dir_all(content.join("sub")).unwrap();
    fs::write(content.join("sub/file.bin"), noise(5, 777_777)).unwrap();
    for number in 0..300 {
        fs::write(
            content.join(format!("sub/a rather long name {number:03}")),
            "",
        )
        .unwrap();
    }
    for (width, size) in [("12", 4 * MIB), ("16", 32 * MIB)] {
        let image = place.path(width);
        fat(width, &image, size, &content);
        let explorer = Explorer::of_images(&[("floppy".to_owned(), image)]).unwrap();
        assert_eq!(explorer.volumes()[0].file_system, format!("FAT{width}"));
        assert_eq!(read(&explorer, None, "/sub/file.bin"), noise(5, 777_777));
        assert_eq!(names(&explorer, None, "/sub").len(), 301);
    }
}

#[test]
fn a_snapshot_that_was_forgotten_is_gone_and_others_are_still_read() {
    let place = Place::new();
    let root = place.path("root");
    tree(&root);
    let (old, new) = (place.path("old"), place.path("new"));
    ext("ext4", &old, 96 * MIB, &root);
    fs::write(root.join("etc/hostname"), "web-2\n").unwrap();
    ext("ext4", &new, 96 * MIB, &root);
    let first = back_up(&place, &[("web-1-os", &old)]);
    let second = {
        let disks = vec![crate::support::source("web-1-os", &new)];
        crate::support::saved(&place.back_up("second", crate::support::backup(disks))).0
    };
    let [forgotten, kept] = [&first, &second]
        .map(|snapshot| Explorer::open(&place.vault, &place.key, snapshot, "web-1").unwrap());
    assert_eq!(read(&forgotten, None, "/etc/hostname"), b"web-1\n");
    place.forget("forget", &[&first]);
    assert!(matches!(
        forgotten.look(None, "/etc/hostname").unwrap_err(),
        VaultError::SnapshotNotFound(_)
    ));
    assert_eq!(read(&kept, None, "/etc/hostname"), b"web-2\n");
    assert_eq!(
        read(&kept, None, "/usr/bin/big"),
        fs::read(root.join("usr/bin/big")).unwrap()
    );
}
