//! Damaged file systems: whatever is on a disk, browsing it ends, with an answer or an error, and never in a panic.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::Path,
};

use kluis_vault::{
    Event, VaultError,
    files::{Explorer, Kind},
};

use crate::{
    files_images::{back_up, ext, fat, partitioned},
    files_trees::by_job,
    support::{MIB, Place, files, noise, notes},
};

/// Goes through all of a volume that can be reached, and counts what was read.
fn walk(explorer: &Explorer, volume: &str, path: &str, depth: usize, count: &mut usize) {
    let mut after = None;
    loop {
        let Ok(page) = explorer.list(Some(volume), path, after.as_deref(), 100) else {
            return;
        };
        for entry in page.entries {
            *count += 1;
            if *count > 2_000 {
                return;
            }
            match entry.kind {
                Kind::Directory if depth < 20 => {
                    walk(explorer, volume, &entry.path, depth + 1, count);
                }
                Kind::File => {
                    let _ = explorer.read(Some(volume), &entry.path, 0, MIB, &mut std::io::sink());
                }
                _ => {}
            }
        }
        after = page.next;
        if after.is_none() {
            return;
        }
    }
}

fn walk_all(image: &Path) -> Result<usize, VaultError> {
    let explorer = Explorer::of_images(&[("disk".to_owned(), image.to_owned())])?;
    let mut count = 0;
    for volume in explorer.volumes() {
        walk(&explorer, &volume.name, "/", 0, &mut count);
    }
    Ok(count)
}

#[test]
fn no_damage_makes_browsing_panic_or_go_on_for_ever() {
    let place = Place::new();
    let content = place.path("content");
    fs::create_dir_all(content.join("a/b/c")).unwrap();
    for number in 0..200 {
        fs::write(
            content.join(format!("a/b/a long name of a file {number}")),
            noise(number, 3_000),
        )
        .unwrap();
    }
    std::os::unix::fs::symlink("b".repeat(100), content.join("a/link")).unwrap();
    let (four, two, disk) = (place.path("ext4"), place.path("ext2"), place.path("disk"));
    ext("ext4", &four, 8 * MIB, &content);
    ext("ext2", &two, 8 * MIB, &content);
    fs::remove_file(content.join("a/link")).unwrap();
    let (sixteen, thirty_two) = (place.path("fat16"), place.path("fat32"));
    fat("16", &sixteen, 16 * MIB, &content);
    fat("32", &thirty_two, 64 * MIB, &content);
    partitioned(
        &disk,
        24 * MIB,
        "label: dos\nstart=2048,size=16384\nstart=20480,size=20000,type=5\nstart=22528,size=16384",
        &[(MIB, &four), (11 * MIB, &two)],
    );
    for image in [four, two, sixteen, thirty_two, disk] {
        assert!(walk_all(&image).unwrap() > 200, "{}", image.display());
        let whole = fs::read(&image).unwrap();
        // The places that something depends on: those that are not zeros, within the first megabytes.
        let places: Vec<usize> = (0..whole.len().min(12 << 20))
            .filter(|at| whole[*at] != 0 && at % 7 == 0)
            .collect();
        let damaged = place.path("damaged");
        fs::copy(&image, &damaged).unwrap();
        let file = File::options().write(true).open(&damaged).unwrap();
        for round in 0..60_u64 {
            let random = noise(round + 1, 8 * 24);
            let picks = random.chunks_exact(8).map(|bytes| {
                let number = u64::from_le_bytes(bytes.try_into().unwrap());
                (
                    places[number as usize % places.len().min(40_000)],
                    (number >> 56) as u8,
                )
            });
            let mut touched = Vec::new();
            for (at, value) in picks.take(1 + round as usize % 24) {
                let value = if round % 3 == 0 { 0xff } else { value };
                file.write_all_at(&[value], at as u64).unwrap();
                touched.push(at);
            }
            let _ = walk_all(&damaged);
            for at in touched {
                file.write_all_at(&whole[at..=at], at as u64).unwrap();
            }
        }
    }
}

#[test]
fn entries_of_one_name_are_told_of() {
    let place = Place::new();
    let content = place.path("content");
    fs::create_dir_all(content.join("d")).unwrap();
    // Hundreds before them: they are on no first page.
    for number in 0..400 {
        fs::write(content.join(format!("d/before-{number:03}")), "x").unwrap();
    }
    fs::write(content.join("d/twice-one"), "first").unwrap();
    fs::write(content.join("d/twice-two"), "second").unwrap();
    let image = place.path("image");
    ext("ext2", &image, 8 * MIB, &content);
    let bytes = fs::read(&image).unwrap();
    let name = b"twice-two";
    let at = bytes.windows(name.len()).position(|found| found == name);
    let file = File::options().write(true).open(&image).unwrap();
    file.write_all_at(b"twice-one", at.unwrap() as u64).unwrap();

    let events = by_job(&place, &image, &["/d"], &place.path("to"));
    assert_eq!(events.last(), Some(&Event::Finished), "{events:?}");
    let told = notes(&events);
    let of_names = |note: &&&str| note.contains("have the name of another one: 1 of them");
    assert_eq!(told.iter().filter(of_names).count(), 1, "{told:?}");
    let there = fs::read_to_string(place.path("to/d/twice-one")).unwrap();
    assert_eq!(there, "first");
}

#[test]
fn a_fat_whose_clusters_are_a_circle_ends() {
    let place = Place::new();
    let content = place.path("content");
    fs::create_dir_all(&content).unwrap();
    fs::write(content.join("file"), noise(1, 200_000)).unwrap();
    let image = place.path("image");
    fat("16", &image, 16 * MIB, &content);
    let whole = fs::read(&image).unwrap();
    let table = u64::from(u16::from_le_bytes([whole[14], whole[15]])) * 512;
    let file = File::options().write(true).open(&image).unwrap();
    // Each cluster of the file is followed by itself.
    for cluster in 2_u16..60 {
        file.write_all_at(&cluster.to_le_bytes(), table + u64::from(cluster) * 2)
            .unwrap();
    }
    let explorer = Explorer::of_images(&[("disk".to_owned(), image)]).unwrap();
    let mut bytes = Vec::new();
    let _ = explorer.read(None, "/file", 0, u64::MAX, &mut bytes);
    assert!(bytes.len() <= 200_000);
}

#[test]
fn a_damaged_vault_is_told_as_that_and_not_as_a_damaged_file_system() {
    let place = Place::new();
    let content = place.path("content");
    fs::create_dir_all(content.join("etc")).unwrap();
    fs::write(content.join("etc/file"), noise(1, 3 * MIB as usize)).unwrap();
    let image = place.path("image");
    ext("ext4", &image, 16 * MIB, &content);
    let snapshot = back_up(&place, &[("web-1-os", &image)]);
    let explorer = Explorer::open(&place.vault, &place.key, &snapshot, "web-1").unwrap();
    for pack in files(&place.vault.join("data")) {
        let file = File::options().read(true).write(true).open(&pack).unwrap();
        let length = file.metadata().unwrap().len();
        for at in (1000..length).step_by(50_000) {
            let mut byte = [0];
            file.read_exact_at(&mut byte, at).unwrap();
            file.write_all_at(&[!byte[0]], at).unwrap();
        }
    }
    let read = explorer.read(None, "/etc/file", 0, u64::MAX, &mut std::io::sink());
    assert!(matches!(read, Err(VaultError::Damaged(_))), "{read:?}");
}
