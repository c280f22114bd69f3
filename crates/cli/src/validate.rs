//! `kluis validate`: manifests checked without a cluster, with file and line, in the API server's words.
//!
//! What it asks is what the definitions say, which are the API server's, too: shape, ranges, and the rules beside them; and what
//! the objects of the same files come to together. What depends on the service or on what was there before is not its business:
//! `kluis plan` and the objects' own conditions tell that. Documents of other groups are passed over and counted.

mod document;
mod format;
mod manifest;
pub(crate) mod objects;
mod outlook;
mod rules;
mod structure;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::output::{self, Format};
use document::{documents, dotted};
use manifest::Definitions;
use outlook::Outlook;

/// A manifest file is text that people write: one beyond this is something else.
const LARGEST: u64 = 16 << 20;

/// Something wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Finding {
    pub(crate) file: String,
    pub(crate) line: u64,
    pub(crate) column: u64,
    pub(crate) severity: Severity,
    /// `ProtectedVM shop/web-1`; empty for a file that cannot be read as YAML.
    pub(crate) object: String,
    /// `spec.retention.daily.keep`; empty for the object as a whole.
    pub(crate) field: String,
    pub(crate) message: String,
}

/// How much is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Severity {
    /// It is refused, or cannot work.
    Error,
    /// It is taken, and will not do what it says.
    Warning,
}

/// What a validation saw.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    pub(crate) files: usize,
    /// Objects of our kinds.
    pub(crate) objects: usize,
    /// Objects of other kinds, which were not looked at.
    pub(crate) others: usize,
    pub(crate) findings: Vec<Finding>,
}

/// Checks files and folders and prints what is wrong; `Ok(false)` when something is. A warning is printed, and is nothing wrong.
///
/// # Errors
/// A path that cannot be read.
pub(crate) fn run(paths: &[PathBuf], format: Format, out: &mut impl Write) -> Result<bool> {
    let definitions = Definitions::ours();
    let mut report = Report::default();
    let mut outlook = Outlook::default();
    for path in paths {
        for (name, text) in files(path)? {
            report.files += 1;
            check(&name, &text, &definitions, &mut report, &mut outlook);
        }
    }
    report
        .findings
        .extend(outlook.findings(jiff::Timestamp::now()));
    report.findings.sort();
    match format {
        Format::Table => print(&report, out)?,
        Format::Json | Format::Yaml => output::value(&report, format, out)?,
    }
    Ok(report.count(Severity::Error) == 0)
}

impl Report {
    fn count(&self, severity: Severity) -> usize {
        let findings = self.findings.iter();
        findings
            .filter(|finding| finding.severity == severity)
            .count()
    }
}

fn check(
    file: &str,
    text: &str,
    definitions: &Definitions,
    report: &mut Report,
    outlook: &mut Outlook,
) {
    let mut find = |at: document::Place, object: &str, field: String, message: String| {
        report.findings.push(Finding {
            file: file.to_owned(),
            line: at.line,
            column: at.column,
            severity: Severity::Error,
            object: object.to_owned(),
            field,
            message,
        });
    };
    let documents = match documents(text) {
        Ok(documents) => documents,
        Err(unreadable) => {
            find(unreadable.at, "", String::new(), unreadable.problem);
            return;
        }
    };
    let (mut ours, mut others) = (0, 0);
    for document in manifest::objects(documents) {
        match definitions.check(&document) {
            None => others += 1,
            Some((name, mut faults)) => {
                ours += 1;
                if faults.is_empty() {
                    faults = definitions.check_new(&document);
                }
                if faults.is_empty() {
                    outlook.see(file, &name, &document, &definitions.understood(&document));
                }
                for fault in faults {
                    let at = document.place(&fault.path);
                    find(at, &name, dotted(&fault.path), fault.message);
                }
            }
        }
    }
    report.objects += ours;
    report.others += others;
}

fn print(report: &Report, out: &mut impl Write) -> Result<()> {
    for finding in &report.findings {
        let Finding {
            file,
            line,
            column,
            severity,
            object,
            field,
            message,
        } = finding;
        let subject: Vec<&str> = [object.as_str(), field.as_str()]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect();
        let separator = if subject.is_empty() { "" } else { ": " };
        let mark = match severity {
            Severity::Error => "",
            Severity::Warning => "warning: ",
        };
        writeln!(
            out,
            "{file}:{line}:{column}: {mark}{}{separator}{message}",
            subject.join(": ")
        )?;
    }
    let counted = |severity, one: &str| match report.count(severity) {
        0 => None,
        1 => Some(format!("1 {one}")),
        more => Some(format!("{more} {one}s")),
    };
    let verdict = match (
        counted(Severity::Error, "error"),
        counted(Severity::Warning, "warning"),
    ) {
        (None, None) => "nothing wrong".to_owned(),
        (Some(all), None) | (None, Some(all)) => all,
        (Some(errors), Some(warnings)) => format!("{errors}, {warnings}"),
    };
    let passed_over = match report.others {
        0 => String::new(),
        others => format!(", {others} of other kinds passed over"),
    };
    writeln!(
        out,
        "{} objects in {} files{passed_over}: {verdict}",
        report.objects, report.files
    )?;
    Ok(())
}

/// A file, the manifests below a folder, or standard input, which is `-`.
fn files(path: &Path) -> Result<Vec<(String, String)>> {
    if path == Path::new("-") {
        let text = bounded(std::io::stdin().lock()).context("reading standard input")?;
        return Ok(vec![("-".to_owned(), text)]);
    }
    let mut found = Vec::new();
    collect(path, true, &mut found)?;
    Ok(found)
}

fn collect(path: &Path, named: bool, found: &mut Vec<(String, String)>) -> Result<()> {
    let metadata =
        std::fs::metadata(path).with_context(|| format!("looking at {}", path.display()))?;
    if metadata.is_dir() {
        // A link to a folder may lead back to where we are.
        if !named && path.is_symlink() {
            return Ok(());
        }
        let entries = std::fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let entries = entries.with_context(|| format!("listing {}", path.display()))?;
        // A mounted ConfigMap has every file twice: by its name, and below `..data` and the folder that it points to.
        let mut paths: Vec<PathBuf> = entries
            .iter()
            .filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b".."))
            .map(std::fs::DirEntry::path)
            .collect();
        paths.sort();
        return paths
            .iter()
            .try_for_each(|path| collect(path, false, found));
    }
    let is_manifest = path
        .extension()
        .is_some_and(|end| end == "yaml" || end == "yml" || end == "json");
    if named || (is_manifest && metadata.is_file()) {
        let file =
            std::fs::File::open(path).with_context(|| format!("opening {}", path.display()))?;
        let text = bounded(file).with_context(|| format!("reading {}", path.display()))?;
        found.push((path.display().to_string(), text));
    }
    Ok(())
}

fn bounded(from: impl Read) -> Result<String> {
    let mut text = String::new();
    from.take(LARGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST {
        bail!(
            "it is larger than {} MiB: that is no manifest",
            LARGEST >> 20
        );
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn below_a_folder_no_file_is_read_twice() {
        let dir = std::env::temp_dir().join(format!("kluis-walk-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("..2026_01_01")).unwrap();
        std::fs::create_dir_all(dir.join("more")).unwrap();
        std::fs::write(dir.join("..2026_01_01/policy.yaml"), "a: 1").unwrap();
        std::fs::write(dir.join("more/vm.yaml"), "a: 2").unwrap();
        symlink("..2026_01_01", dir.join("..data")).unwrap();
        symlink("..data/policy.yaml", dir.join("policy.yaml")).unwrap();
        symlink(&dir, dir.join("more/again")).unwrap();
        let named = dir.join("more/again");
        let found = |path: &Path| {
            let mut found = Vec::new();
            for (name, text) in files(path).unwrap() {
                let name = name.replace(&path.display().to_string(), "DIR");
                found.push((name, text));
            }
            found
        };
        let each = [("DIR/more/vm.yaml", "a: 2"), ("DIR/policy.yaml", "a: 1")];
        let each = each.map(|(name, text)| (name.to_owned(), text.to_owned()));
        assert_eq!(found(&dir), each);
        // A link that was named is followed: whoever names it means what it leads to.
        assert_eq!(found(&named), each);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
