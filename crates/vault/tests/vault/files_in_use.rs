//! File systems of running machines: what is newest in them is in their journal, and not at its place.
//!
//! The journals are written by debugfs, as those who make ext test their own recovery. What stands in them is the difference
//! of two file systems, before and after some files were written.

use std::{
    fmt::Write as _,
    fs::{self, File},
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use kluis_vault::{VaultError, files::Explorer};

use crate::{
    files_images::run,
    support::{MIB, Place, noise},
};

/// A file system as mke2fs makes it, and how debugfs opens its journal.
struct Made {
    name: &'static str,
    options: &'static [&'static str],
    open: &'static str,
}

const PLAIN: Made = Made {
    name: "ext4 without sums",
    options: &["-t", "ext4", "-O", "^metadata_csum,^64bit"],
    open: "jo",
};

const SUMMED: Made = Made {
    name: "ext4 with sums (v3)",
    options: &["-t", "ext4", "-O", "metadata_csum,64bit"],
    open: "jo -c",
};

/// One sum over a whole transaction.
const WHOLE: &str = "ext3 with journal_checksum";

const EVERY: [Made; 8] = [
    Made {
        name: "ext3",
        options: &["-t", "ext3", "-b", "1024"],
        open: "jo",
    },
    Made {
        name: "ext3 in blocks of 4 KiB",
        options: &["-t", "ext3", "-b", "4096"],
        open: "jo",
    },
    Made {
        name: WHOLE,
        options: &["-t", "ext3", "-b", "1024"],
        open: "jo -c",
    },
    PLAIN,
    Made {
        name: "ext4 without sums, 64 bits",
        options: &["-t", "ext4", "-O", "^metadata_csum,64bit"],
        open: "jo",
    },
    Made {
        name: "ext4 with sums (v2), 32 bits",
        options: &["-t", "ext4", "-O", "metadata_csum,^64bit"],
        open: "jo -c -v 2",
    },
    Made {
        name: "ext4 with sums (v2), 64 bits",
        options: &["-t", "ext4", "-O", "metadata_csum,64bit"],
        open: "jo -c -v 2",
    },
    SUMMED,
];

/// A file system that was in use: `old` was overwritten, `new` is new, and all of both is in the journal only.
struct InUse {
    place: Place,
    image: PathBuf,
    block: usize,
    /// The file system's blocks that changed.
    changed: Vec<u64>,
    new: Vec<u8>,
    open: &'static str,
}

impl InUse {
    /// The file systems before and after; nothing is in the journal yet.
    fn new(made: &Made) -> Self {
        let place = Place::new();
        let (image, after) = (place.path("disk"), place.path("after"));
        let (content, data) = (place.path("content"), place.path("new"));
        fs::create_dir(&content).unwrap();
        fs::write(content.join("old"), "what it was").unwrap();
        // With a block in it that a journal has to escape.
        let mut new = noise(3, 300_000);
        new[..4].copy_from_slice(&[0xc0, 0x3b, 0x39, 0x98]);
        fs::write(&data, &new).unwrap();
        File::create(&image).unwrap().set_len(16 * MIB).unwrap();
        let mut arguments = vec!["-q", "-F", "-d", content.to_str().unwrap()];
        arguments.extend(made.options);
        arguments.push(image.to_str().unwrap());
        run("mke2fs", &arguments, "");
        fs::copy(&image, &after).unwrap();
        let work = format!("rm old\nwrite {} new\nmkdir directory\n", data.display());
        run(
            "debugfs",
            &["-w", "-f", "-", after.to_str().unwrap()],
            &work,
        );
        let (before, after) = (fs::read(&image).unwrap(), fs::read(&after).unwrap());
        let block = 1024 << before[1024 + 0x18];
        let pairs = before.chunks(block).zip(after.chunks(block));
        let differ = pairs
            .zip(0..)
            .filter(|((before, after), _)| before != after);
        let changed: Vec<u64> = differ.map(|(_, number)| number).collect();
        assert!(changed.len() > 4);
        fs::remove_file(&data).unwrap();
        Self {
            place,
            image,
            block,
            changed,
            new,
            open: made.open,
        }
    }

    /// A transaction with what these blocks are afterwards, given to debugfs as `options` say.
    fn write(&self, blocks: &[u64], options: &str) -> String {
        let after = fs::read(self.place.path("after")).unwrap();
        let content: Vec<u8> = blocks
            .iter()
            .flat_map(|number| &after[*number as usize * self.block..][..self.block])
            .copied()
            .collect();
        self.write_content(blocks, &content, options)
    }

    fn write_content(&self, blocks: &[u64], content: &[u8], options: &str) -> String {
        let name = format!(
            "content-{}",
            fs::read_dir(self.place.path("")).unwrap().count()
        );
        let path = self.place.path(&name);
        fs::write(&path, content).unwrap();
        format!("jw -b {} {options} {}\n", list(blocks), path.display())
    }

    /// Puts transactions into the journal.
    fn journal(&self, transactions: &str) {
        let script = format!("{}\n{transactions}jc\n", self.open);
        let image = self.image.to_str().unwrap();
        run("debugfs", &["-w", "-f", "-", image], &script);
        assert!(self.needs_recovery());
    }

    fn needs_recovery(&self) -> bool {
        let mut byte = [0];
        let image = File::open(&self.image).unwrap();
        image.read_exact_at(&mut byte, 1024 + 0x60).unwrap();
        byte[0] & 4 != 0
    }

    /// Where the journal is on the image, in blocks: its superblock, and the one behind its last. It is in one piece.
    fn journal_blocks(&self) -> Range<u64> {
        let inode = 8;
        let superblock = self.block_of(&self.image, inode, 0);
        let length = u64::from(self.journal_word(0x10));
        let last = self.block_of(&self.image, inode, length - 1);
        assert_eq!(last, superblock + length - 1, "the journal is in pieces");
        superblock..superblock + length
    }

    /// Which block of the image is a file's block of this number.
    fn block_of(&self, image: &Path, inode: u32, number: u64) -> u64 {
        let request = format!("bmap <{inode}> {number}");
        let said = run("debugfs", &["-R", &request, image.to_str().unwrap()], "");
        said.trim().parse().unwrap()
    }

    fn journal_word(&self, at: u64) -> u32 {
        let mut word = [0; 4];
        let superblock = self.block_of(&self.image, 8, 0) * self.block as u64;
        let image = File::open(&self.image).unwrap();
        image.read_exact_at(&mut word, superblock + at).unwrap();
        u32::from_be_bytes(word)
    }

    /// Where the first descriptor of a transaction is on the image, in bytes.
    fn descriptor(&self, transaction: u32) -> u64 {
        let header: Vec<u8> = [0xc03b_3998, 1, transaction]
            .into_iter()
            .flat_map(u32::to_be_bytes)
            .collect();
        let image = fs::read(&self.image).unwrap();
        let begins = |block: &&[u8]| block.starts_with(&header);
        let number = image
            .chunks(self.block)
            .position(|block| begins(&block))
            .unwrap();
        (number * self.block) as u64
    }

    fn put(&self, at: u64, bytes: &[u8]) {
        let image = File::options().write(true).open(&self.image).unwrap();
        image.write_all_at(bytes, at).unwrap();
    }

    fn flip(&self, at: u64) {
        let mut byte = [0];
        let image = File::open(&self.image).unwrap();
        image.read_exact_at(&mut byte, at).unwrap();
        self.put(at, &[byte[0] ^ 0xff]);
    }

    fn explorer(&self) -> Explorer {
        Explorer::of_images(&[("disk".to_owned(), self.image.clone())]).unwrap()
    }

    fn names(&self) -> Result<Vec<String>, VaultError> {
        let page = self.explorer().list(None, "/", None, 1000)?;
        let names = page.entries.into_iter().map(|entry| entry.name);
        Ok(names.filter(|name| name != "lost+found").collect())
    }

    fn file(&self, path: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let explorer = self.explorer();
        explorer.read(None, path, 0, u64::MAX, &mut bytes).unwrap();
        bytes
    }

    fn assert_new(&self, name: &str) {
        assert_eq!(self.names().unwrap(), ["directory", "new"], "{name}");
        assert!(self.file("/new") == self.new, "{name}: other bytes");
    }

    fn assert_old(&self, name: &str) {
        assert_eq!(self.names().unwrap(), ["old"], "{name}");
        assert_eq!(self.file("/old"), b"what it was", "{name}");
    }
}

fn list(blocks: &[u64]) -> String {
    blocks.iter().fold(String::new(), |mut list, block| {
        let comma = if list.is_empty() { "" } else { "," };
        let _ = write!(list, "{comma}{block}");
        list
    })
}

#[test]
fn a_journal_of_every_kind_is_read_instead_of_what_it_would_replace() {
    for made in EVERY {
        let disk = InUse::new(&made);
        disk.assert_old(made.name);
        // Two transactions, so that what is between them is understood as well.
        let (first, second) = disk.changed.split_at(disk.changed.len() / 2);
        disk.journal(&(disk.write(first, "") + &disk.write(second, "")));
        disk.assert_new(made.name);
    }
}

#[test]
fn a_journal_goes_on_at_the_ring_s_beginning() {
    let disk = InUse::new(&PLAIN);
    disk.journal(&disk.write(&disk.changed, ""));
    let blocks = disk.journal_blocks();
    let image = fs::read(&disk.image).unwrap();
    let (ring, block) = (blocks.start + 1..blocks.end, disk.block as u64);
    let length = ring.end - ring.start;
    // It begins two blocks before the ring's end.
    for number in 0..length {
        let from = ((ring.start + number) * block) as usize;
        let to = ring.start + (number + length - 2) % length;
        disk.put(to * block, &image[from..][..disk.block]);
    }
    let start = u32::try_from(length - 1).unwrap();
    disk.put(blocks.start * block + 0x1c, &start.to_be_bytes());
    disk.assert_new("around the ring");
}

#[test]
fn a_transaction_without_an_end_never_happened() {
    for made in EVERY {
        let disk = InUse::new(&made);
        let nothing = vec![0; disk.changed.len() * disk.block];
        let whole = disk.write(&disk.changed, "");
        disk.journal(&(whole + &disk.write_content(&disk.changed, &nothing, "-c")));
        disk.assert_new(made.name);
    }
}

#[test]
fn what_a_journal_takes_back_is_read_at_its_place() {
    // Not with one sum for a transaction: debugfs itself does not accept those that it writes over what is taken back.
    for made in EVERY.iter().filter(|made| made.name != WHOLE) {
        let disk = InUse::new(made);
        let after = disk.place.path("after");
        let inode = run("debugfs", &["-R", "ls -p /", after.to_str().unwrap()], "");
        let line = inode.lines().find(|line| line.contains("/new/")).unwrap();
        let inode = line.split('/').nth(1).unwrap().parse().unwrap();
        // A block that was a directory's once, and is the new file's now: written at its place, past the journal.
        let reused = disk.block_of(&after, inode, 7);
        assert!(disk.changed.contains(&reused));
        let at = reused * disk.block as u64;
        let content = fs::read(&after).unwrap()[at as usize..][..disk.block].to_vec();
        disk.put(at, &content);
        let rest: Vec<u64> = disk
            .changed
            .iter()
            .copied()
            .filter(|block| *block != reused)
            .collect();
        let stale = disk.write_content(&[reused], &noise(9, disk.block), "");
        let taken_back = format!("jw -r {reused}\n");
        disk.journal(&(stale + &taken_back + &disk.write(&rest, "")));
        disk.assert_new(made.name);
    }
}

#[test]
fn what_was_taken_back_and_is_written_again_counts() {
    let disk = InUse::new(&SUMMED);
    let (first, rest) = disk.changed.split_first().unwrap();
    let stale = disk.write_content(&[*first], &noise(9, disk.block), "");
    let taken_back = format!("jw -r {first}\n");
    let (rest, again) = (disk.write(rest, ""), disk.write(&[*first], ""));
    disk.journal(&(stale + &taken_back + &rest + &again));
    disk.assert_new("written again");
}

#[test]
fn a_transaction_that_does_not_agree_with_its_sums_is_the_end_or_damage() {
    for made in [&EVERY[2], &EVERY[5], &EVERY[6], &SUMMED] {
        for (last, name) in [(true, "the last"), (false, "one before")] {
            let disk = InUse::new(made);
            let nothing = vec![0; disk.block];
            let target = disk.changed[..1].to_vec();
            disk.journal(
                &(disk.write(&disk.changed, "") + &disk.write_content(&target, &nothing, "")),
            );
            let descriptor = disk.descriptor(if last { 2 } else { 1 });
            disk.flip(descriptor + disk.block as u64 + 33);
            if last {
                disk.assert_new(made.name);
            } else {
                let error = disk.names().unwrap_err();
                assert!(
                    matches!(&error, VaultError::FileSystemUnreadable { why, .. } if why.contains("sums")),
                    "{}, {name}: {error}",
                    made.name
                );
            }
        }
    }
}

#[test]
fn a_journal_that_is_not_read_is_told_by_its_feature() {
    let disk = InUse::new(&PLAIN);
    disk.journal(&disk.write(&disk.changed, ""));
    let features = disk.journal_word(0x28) | 0x20;
    let superblock = disk.journal_blocks().start * disk.block as u64;
    disk.put(superblock + 0x28, &features.to_be_bytes());
    let error = disk.names().unwrap_err();
    assert!(error.to_string().contains("fast_commit"), "{error}");
}

#[test]
fn no_damage_to_a_journal_makes_reading_panic_or_go_on_for_ever() {
    for made in [&EVERY[0], &PLAIN, &SUMMED] {
        let disk = InUse::new(made);
        disk.journal(
            &(format!("jw -r {}\n", 16_000_000 / disk.block) + &disk.write(&disk.changed, "")),
        );
        let block = disk.block as u64;
        let inode = {
            // "located at block 135, offset 0x0300"
            let said = run(
                "debugfs",
                &["-R", "imap <8>", disk.image.to_str().unwrap()],
                "",
            );
            let (_, found) = said.trim().split_once("at block ").unwrap();
            let (number, offset) = found.split_once(", offset 0x").unwrap();
            let offset = u64::from_str_radix(offset, 16).unwrap();
            number.parse::<u64>().unwrap() * block + offset
        };
        let superblock = disk.block_of(&disk.image, 8, 0) * block;
        let log = disk.block_of(&disk.image, 8, 1) * block;
        let places = (1024 + 0x18..1024 + 0x68)
            .chain(inode..inode + 0x70)
            .chain(superblock..superblock + 0x60)
            .chain(log..log + 0x20)
            .chain(log + 2 * block..log + 2 * block + 0x60);
        for at in places {
            disk.flip(at);
            if let Ok(names) = disk.names() {
                let mut bytes = Vec::new();
                for name in names {
                    let _ = disk.explorer().read(None, &name, 0, MIB, &mut bytes);
                }
            }
            disk.flip(at);
        }
        disk.assert_new(made.name);
    }
}
