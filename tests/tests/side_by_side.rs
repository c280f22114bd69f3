//! `docs/azure.md`, *Kluis and Azure, side by side*: its tables of numbers and fields are the table of limits.

use std::fmt::Write as _;
use std::fs;

use kluis_policy::Workload;
use kluis_policy::limits::{CHOICES, Case, FIELDS, LIMITS, Limit, POINTS, RULES};
use kluis_tests::place::workspace;

/// `UPDATE=1` writes the tables anew.
#[test]
fn the_tables_of_the_page_are_those_of_limits() {
    let path = workspace().join("docs/azure.md");
    let found = fs::read_to_string(&path).unwrap();
    let with_limits = between(&found, "limits", &limits());
    let should = between(&with_limits, "fields", &fields());
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &should).unwrap();
        return;
    }
    assert!(
        found == should,
        "{} is not what crates/policy/src/limits says; UPDATE=1 cargo test --test suite side_by_side writes it",
        path.display()
    );
}

/// Rules of policies are on the one page, those of machines, vaults and restores on the other; the documents' rules are numbered 1 to 44.
#[test]
fn every_rule_by_its_number_has_one_row_on_one_of_two_pages() {
    let read = |page: &str| fs::read_to_string(workspace().join("docs").join(page)).unwrap();
    let (policies, machines) = (read("azure.md"), read("virtual-machines.md"));
    let rows = |page: &str| -> Vec<u8> {
        let (_, table) = page
            .split_once("| # | rule | source | held by |\n|---|---|---|---|\n")
            .unwrap();
        let rows = table.lines().take_while(|line| line.starts_with("| "));
        rows.map(|row| row.split('|').nth(1).unwrap().trim().parse().unwrap())
            .collect()
    };
    let on_both = [rows(&policies), rows(&machines)].concat();
    let mut numbers = on_both.clone();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=44).collect::<Vec<u8>>());
    // What the tables of limits and rules are about is a policy's.
    let of_policies = rows(&policies);
    let held = LIMITS
        .iter()
        .map(|limit| limit.rule)
        .chain(CHOICES.iter().map(|choice| choice.rule))
        .chain(FIELDS.iter().map(|known| known.rule))
        .chain(RULES.iter().map(|rule| rule.rule));
    for number in held {
        assert!(of_policies.contains(&number), "rule {number} is a policy's");
    }
}

fn between(page: &str, name: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let (before, rest) = page.split_once(&begin).unwrap();
    let (_, after) = rest.split_once(&end).unwrap();
    format!("{before}{begin}\n{table}{end}{after}")
}

fn limits() -> String {
    let mut table =
        "| workload | field | least | most | | rule | source |\n|---|---|---|---|---|---|---|\n"
            .to_owned();
    for workload in Workload::ALL {
        for limit in LIMITS.iter().filter(|limit| limit.workload == workload) {
            let least = if limit.field == POINTS {
                String::new()
            } else {
                limit.least.to_string()
            };
            writeln!(
                table,
                "| {} | {} | {least} | {} | {} | {} | {} |",
                workload.name(),
                named(limit),
                limit.most,
                limit.unit.in_words(),
                limit.rule,
                limit.source
            )
            .unwrap();
        }
        for choice in CHOICES.iter().filter(|choice| choice.workload == workload) {
            let among: Vec<String> = choice.among.iter().map(ToString::to_string).collect();
            writeln!(
                table,
                "| {} | `{}` | one of | {} | {} | {} | {} |",
                workload.name(),
                choice.field,
                among.join(", "),
                choice.unit.in_words(),
                choice.rule,
                choice.source
            )
            .unwrap();
        }
    }
    table
}

fn named(limit: &Limit) -> String {
    let case = match limit.case {
        Case::Always => "",
        Case::StandardDaily => ", Standard, daily",
        Case::StandardWeekly => ", Standard, weekly",
        Case::Enhanced => ", Enhanced",
        Case::InVault => ", `instantRestore`",
    };
    if limit.field == POINTS {
        return format!("{POINTS} of an item{case}");
    }
    format!("`{}`{case}", limit.field)
}

fn fields() -> String {
    let names: Vec<&str> = Workload::ALL
        .iter()
        .map(|workload| workload.name())
        .collect();
    let mut table = format!("| field | {} | rule |\n|---|", names.join(" | "));
    table.push_str(&"---|".repeat(names.len() + 1));
    table.push('\n');
    for known in FIELDS {
        let cells: Vec<&str> = Workload::ALL
            .iter()
            .map(|workload| {
                if known.workloads.contains(workload) {
                    "yes"
                } else {
                    ""
                }
            })
            .collect();
        writeln!(
            table,
            "| `{}` | {} | {} |",
            known.field,
            cells.join(" | "),
            known.rule
        )
        .unwrap();
    }
    table
}
