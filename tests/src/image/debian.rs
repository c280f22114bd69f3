//! What the image takes from Debian: the libraries that the binary is linked
//! to, as this machine's packages brought them, and the authorities that Debian
//! trusts. Taken from here rather than fetched: they are what it was linked and
//! tested with. A file that is not its package's own any more is refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};

use crate::process::run;

/// A package, and what the image takes of it.
#[derive(Debug, Clone)]
pub struct Package {
    pub name: String,
    pub version: String,
    pub architecture: String,
    /// What dpkg knows of it.
    pub status: String,
    pub copyright: Option<Vec<u8>>,
    /// Content by path in the image, without a slash in front.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// Where programs look for the authorities, on Debian and in Rust.
const AUTHORITIES: &str = "etc/ssl/certs/ca-certificates.crt";

/// The packages that a program needs to run and to speak TLS to the world.
///
/// # Errors
/// This is no Debian or Ubuntu, or it has changed its packages' files.
pub(super) fn needed_by(binary: &Path) -> Result<Vec<Package>> {
    let mut packages: BTreeMap<String, Package> = BTreeMap::new();
    for library in libraries(binary)? {
        let name = owner(&library)?;
        if !packages.contains_key(&name) {
            packages.insert(name.clone(), Package::installed(&name)?);
        }
        if let Some(package) = packages.get_mut(&name) {
            let content =
                fs::read(&library).with_context(|| format!("reading {}", library.display()))?;
            package.files.insert(inside(&library), content);
        }
    }
    let mut authorities = Package::installed("ca-certificates")?;
    let bundle = bundle()?;
    authorities.files.insert(AUTHORITIES.to_owned(), bundle);
    let mut all: Vec<Package> = packages.into_values().collect();
    all.push(authorities);
    Ok(all)
}

/// Which Debian it is, for who scans the image.
pub(super) fn os_release() -> Result<Vec<u8>> {
    fs::read("/etc/os-release").context("reading /etc/os-release")
}

/// What `/etc/os-release` says for a key.
pub(super) fn distribution(key: &str) -> Result<String> {
    let text = String::from_utf8(os_release()?)?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    line.map(|value| value.trim_matches('"').to_owned())
        .ok_or_else(|| anyhow!("/etc/os-release has no {key}"))
}

impl Package {
    fn installed(name: &str) -> Result<Self> {
        let query = |format: &str| {
            run(Command::new("dpkg-query").args(["--show", "--showformat", format, name]))
                .with_context(|| format!("asking dpkg for {name}, whose files go into the image: is it installed, and is this Debian or Ubuntu?"))
        };
        let changed = run(Command::new("dpkg").args(["--verify", name]))
            .with_context(|| format!("checking the files of {name}"))?;
        // A configuration file ("c") is there to be changed, and is not taken.
        let changed: Vec<&str> = changed
            .lines()
            .filter(|line| !line.contains(" c ") && !line.contains("/usr/share/doc/"))
            .collect();
        if !changed.is_empty() {
            bail!("{name} is not what its package brought: {changed:?}; reinstall it");
        }
        let bare = name.split(':').next().unwrap_or(name);
        let copyright = Path::new("/usr/share/doc").join(bare).join("copyright");
        Ok(Self {
            name: bare.to_owned(),
            version: query("${Version}")?,
            architecture: query("${Architecture}")?,
            status: run(Command::new("dpkg-query").args(["--status", name]))?,
            copyright: fs::read(copyright).ok(),
            files: BTreeMap::new(),
        })
    }
}

/// The shared libraries of a program and the loader, where this machine finds them.
fn libraries(binary: &Path) -> Result<Vec<PathBuf>> {
    let told = run(Command::new("ldd").arg(binary))?;
    let mut found = Vec::new();
    for line in told.lines().map(str::trim) {
        if line.contains("not found") {
            bail!("{} misses a library: {line}", binary.display());
        }
        // "libc.so.6 => /lib/… (0x…)", or "/lib64/ld-linux-x86-64.so.2 (0x…)"; the kernel's own has no path.
        let path = line.split(" => ").last().unwrap_or(line);
        let path = path.split(" (").next().unwrap_or(path);
        if path.starts_with('/') {
            found.push(PathBuf::from(path));
        }
    }
    Ok(found)
}

/// The package that a file came with, with its architecture where dpkg tells it.
fn owner(file: &Path) -> Result<String> {
    // Since /lib is a link to /usr/lib, dpkg may know a file by either name.
    let merged = Path::new("/usr").join(inside(file));
    let search = |path: &Path| run(Command::new("dpkg-query").arg("--search").arg(path));
    let told = search(file).or_else(|_| search(&merged));
    let told = told.with_context(|| format!("no package owns {}", file.display()))?;
    told.rsplit_once(": ")
        .map(|(name, _)| name.to_owned())
        .ok_or_else(|| anyhow!("dpkg-query --search said {told:?}"))
}

/// Every authority that the package ships, in one file. (The machine's own
/// bundle may have others in it, which are no business of the image's users.)
fn bundle() -> Result<Vec<u8>> {
    let listed = run(Command::new("dpkg-query").args(["--listfiles", "ca-certificates"]))?;
    let mut files: Vec<&str> = listed
        .lines()
        .filter(|path| path.ends_with(".crt"))
        .collect();
    files.sort_unstable();
    if files.is_empty() {
        bail!("ca-certificates holds no certificate");
    }
    let mut bundle = Vec::new();
    for file in files {
        bundle.extend(fs::read(file).with_context(|| format!("reading {file}"))?);
        if bundle.last() != Some(&b'\n') {
            bundle.push(b'\n');
        }
    }
    Ok(bundle)
}

fn inside(path: &Path) -> String {
    path.to_string_lossy().trim_start_matches('/').to_owned()
}
