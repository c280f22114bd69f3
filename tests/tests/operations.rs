//! The table of operations against Azure's own list of them, and the page that people read against the table.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use kluis_service::offer::{Operation, State, operations};
use kluis_tests::azure;
use kluis_tests::place::workspace;

/// The lists of Microsoft's operations, and how each begins.
const LISTS: [&str; 3] = [
    "ops-recoveryservices.tsv",
    "ops-recoveryservicesbackup.tsv",
    "ops-dataprotection.tsv",
];

#[test]
fn every_operation_of_microsofts_clients_is_in_the_table() {
    let Some(azure) = azure::folder() else { return };
    let ours: BTreeSet<(String, String)> = operations()
        .map(|known| {
            (
                known.name.to_owned(),
                called(known.method, &known.full_path()),
            )
        })
        .collect();
    let mut missing = Vec::new();
    let mut count = 0;
    for list in LISTS {
        let text = fs::read_to_string(azure.join(list)).unwrap();
        for line in text.lines().filter(|line| !line.is_empty()) {
            let cells: Vec<&str> = line.split('\t').collect();
            let path = cells
                .iter()
                .find(|cell| cell.starts_with(['/', '…']))
                .unwrap();
            let group =
                "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers";
            let name = format!("{}.{}", cells[0], cells[1]);
            let theirs = (name, called(cells[2], &path.replace('…', group)));
            count += 1;
            if !ours.contains(&theirs) {
                missing.push(format!("{theirs:?}"));
            }
        }
    }
    assert!(count > 160, "the lists hold {count} operations");
    assert!(
        missing.is_empty(),
        "not in offer.tsv:\n{}",
        missing.join("\n")
    );
}

/// A method and a path without the names of its braces, which say nothing.
fn called(method: &str, path: &str) -> String {
    let plain: Vec<&str> = path
        .split('/')
        .map(|segment| {
            if segment.starts_with('{') {
                "{}"
            } else {
                segment
            }
        })
        .collect();
    format!("{method} {}", plain.join("/"))
}

/// `UPDATE=1` writes the page anew.
#[test]
fn the_page_of_operations_is_the_table() {
    holds("docs/operations.md", |_| page());
}

/// `UPDATE=1` writes the part of it anew.
#[test]
fn the_readme_sums_the_table_up() {
    holds("README.md", |found| {
        let (before, rest) = found.split_once(BEGIN).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        format!("{before}{BEGIN}\n{}{END}{after}", summary())
    });
}

const BEGIN: &str = "<!-- operations: written by a test from crates/service/src/offer.tsv -->";
const END: &str = "<!-- /operations -->";

/// Holds a file against what it should be, made of what it is; or writes it.
fn holds(file: &str, should: impl FnOnce(&str) -> String) {
    let path = workspace().join(file);
    let found = fs::read_to_string(&path).unwrap_or_default();
    let should = should(&found);
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &should).unwrap();
        return;
    }
    assert!(
        found == should,
        "{} is not what crates/service/src/offer.tsv says; UPDATE=1 cargo test --test suite operations writes it",
        path.display()
    );
}

/// A row a state, a column a provider, an operation a word: a class of operations by its name where all of them are alike.
fn summary() -> String {
    let (backup_vaults, vaults): (Vec<Operation>, Vec<Operation>) =
        operations().partition(is_of_data_protection);
    let rows = [
        ("served", "served"),
        (
            "an empty list, 204 or 404: there is nothing of the kind",
            "nothing",
        ),
        ("refused with a code and what there is instead", "refused"),
    ];
    let mut table =
        "| state | Microsoft.RecoveryServices | Microsoft.DataProtection |\n|---|---|---|\n"
            .to_owned();
    for (title, state) in rows {
        let (left, right) = (names(&vaults, state), names(&backup_vaults, state));
        writeln!(table, "| {title} | {left} | {right} |").unwrap();
    }
    table
}

fn is_of_data_protection(known: &Operation) -> bool {
    known.base().unwrap().is_of_data_protection()
}

/// The operations of a state, as few words as tell them.
fn names(all: &[Operation], state: &str) -> String {
    let class = |known: &Operation| known.name.split('.').next().unwrap_or_default();
    let mut names = Vec::new();
    for known in all.iter().filter(|known| word(known.state) == state) {
        let alike = all
            .iter()
            .filter(|other| class(other) == class(known))
            .all(|other| word(other.state) == state);
        let name = if alike { class(known) } else { known.name };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(", ")
}

fn word(state: State) -> &'static str {
    match state {
        State::Served => "served",
        State::Empty | State::Nothing | State::Absent(_) => "nothing",
        State::Refused(_) => "refused",
    }
}

fn page() -> String {
    let all: Vec<Operation> = operations().collect();
    let count =
        |wanted: fn(&State) -> bool| all.iter().filter(|known| wanted(&known.state)).count();
    let mut page = format!(
        "# Azure's operations, one by one

What `kluis service` makes of each operation of Microsoft.RecoveryServices and Microsoft.DataProtection: those that Microsoft's
newest clients know (azure-mgmt-recoveryservices 4.3.0, azure-mgmt-recoveryservicesbackup 11.2.0, azure-mgmt-dataprotection
2.2.0), and a few that only older ones use.
Of {} operations {} are served, {} answer a list that is always empty, {} delete what is never there, {} read what never
exists, and {} are refused.

This page is written from the table by which the service itself answers; a test holds the two together, and the table against
Microsoft's clients. `S` is `/subscriptions/{{subscriptionId}}/providers/Microsoft.RecoveryServices`, `G` is
`/subscriptions/{{subscriptionId}}/resourceGroups/{{resourceGroupName}}/providers/Microsoft.RecoveryServices`, and `V` is
`G/vaults/{{vaultName}}`. `DS`, `DG` and `D` are the same of Microsoft.DataProtection and its `backupVaults`, `DT` is
`/providers/Microsoft.DataProtection`, and `DR` the provider below the resource that is asked about. Paths are read without regard to case, percent-encoded or not; another method at one of them is 405
`MethodNotAllowed`. The api-versions 2021-11-15 to 2026-11-01 are taken, all with one shape.

",
        all.len(),
        count(|state| *state == State::Served),
        count(|state| *state == State::Empty),
        count(|state| *state == State::Nothing),
        count(|state| matches!(state, State::Absent(_))),
        count(|state| matches!(state, State::Refused(_))),
    );
    page.push_str("| operation | request | state | |\n|---|---|---|---|\n");
    for known in all {
        let state = match known.state {
            State::Served => "served".to_owned(),
            State::Empty => "empty list".to_owned(),
            State::Nothing => "204".to_owned(),
            State::Absent(code) => format!("404 `{code}`"),
            State::Refused(code) => format!("refused: 400 `{code}`"),
        };
        writeln!(
            page,
            "| {} | `{} {}` | {state} | {} |",
            known.name, known.method, known.path, known.says
        )
        .unwrap();
    }
    page
}
