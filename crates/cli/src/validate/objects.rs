//! The objects of manifests, for the commands that go on with them: each with its place, and nothing that the API server
//! would refuse.

use std::path::PathBuf;

use anyhow::Result;
use jiff::Timestamp;
use kluis_api::GROUP;
use serde_json::Value;

use super::document::{Step, documents, dotted};
use super::manifest::{Definitions, objects};
use super::outlook::Outlook;
use super::structure::Fault;
use super::{Finding, Severity, files, rules};

/// An object as somebody wrote it.
#[derive(Debug, Clone)]
pub(crate) struct Manifest {
    pub(crate) file: String,
    /// Where it begins.
    pub(crate) line: u64,
    pub(crate) value: Value,
    /// What is wrong with it, if it is not there yet.
    pub(crate) when_new: Option<Finding>,
}

/// What files and folders hold.
#[derive(Debug)]
pub(crate) struct Manifests {
    /// Objects of our kinds, in their order.
    pub(crate) ours: Vec<Manifest>,
    /// How many there are of other kinds.
    pub(crate) others: usize,
    /// What is wrong, as `kluis validate` says it.
    pub(crate) findings: Vec<Finding>,
    definitions: Definitions,
    outlook: Outlook,
}

/// Reads files, folders, or standard input.
///
/// # Errors
/// A path that cannot be read. What is wrong inside a file is a finding.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Manifests> {
    let mut found = Manifests {
        ours: Vec::new(),
        others: 0,
        findings: Vec::new(),
        definitions: Definitions::ours(),
        outlook: Outlook::default(),
    };
    for path in paths {
        for (file, text) in files(path)? {
            found.take(&file, &text);
        }
    }
    Ok(found)
}

impl Manifests {
    /// What the API server would refuse about a change of a kind's spec: the field, and why.
    pub(crate) fn refused_change(
        &self,
        kind: &str,
        before: &Value,
        after: &Value,
    ) -> Option<(String, String)> {
        let spec = &self.definitions.schema(kind)?["properties"]["spec"];
        let mut path = vec![Step::Field("spec".to_owned())];
        let fault = rules::ask_change(before, after, spec, &mut path)?;
        Some((dotted(&fault.path), fault.message))
    }

    /// What else `kluis validate` says, of what the objects come to together, with runs from `now` on.
    pub(crate) fn outlook(&self, now: Timestamp) -> Vec<Finding> {
        self.outlook.findings(now)
    }

    fn take(&mut self, file: &str, text: &str) {
        let documents = match documents(text) {
            Ok(documents) => documents,
            Err(unreadable) => {
                self.findings.push(Finding {
                    file: file.to_owned(),
                    line: unreadable.at.line,
                    column: unreadable.at.column,
                    object: String::new(),
                    field: String::new(),
                    message: unreadable.problem,
                    severity: Severity::Error,
                });
                return;
            }
        };
        for document in objects(documents) {
            let value = self.definitions.understood(&document);
            let Some((name, faults)) = self.definitions.check(&document) else {
                self.others += 1;
                continue;
            };
            if faults.is_empty() {
                self.outlook.see(file, &name, &document, &value);
            }
            let finding = |fault: Fault| {
                let at = document.place(&fault.path);
                Finding {
                    file: file.to_owned(),
                    line: at.line,
                    column: at.column,
                    object: name.clone(),
                    field: dotted(&fault.path),
                    message: fault.message,
                    severity: Severity::Error,
                }
            };
            self.findings.extend(faults.into_iter().map(finding));
            let when_new = self.definitions.check_new(&document).into_iter();
            self.ours.push(Manifest {
                file: file.to_owned(),
                line: document.at.line,
                value,
                when_new: when_new.map(finding).next(),
            });
        }
    }

    /// The objects of a kind.
    pub(crate) fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Manifest> {
        self.ours.iter().filter(move |object| {
            object.value["kind"] == kind
                && object.value["apiVersion"]
                    .as_str()
                    .is_some_and(|version| version.starts_with(GROUP))
        })
    }
}

impl Manifest {
    /// `shop/daily-gfs`, or the name alone where no namespace is written.
    pub(crate) fn name(&self) -> String {
        let text = |field: &str| self.value["metadata"][field].as_str();
        let name = text("name").or(text("generateName")).unwrap_or("(no name)");
        match text("namespace") {
            Some(namespace) => format!("{namespace}/{name}"),
            None => name.to_owned(),
        }
    }
}
