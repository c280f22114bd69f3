//! The table of operations against the routes: it says no more and no less than what is so.

use std::collections::BTreeSet;

use kluis_service::offer::{Operation, State, operations};

use crate::world::{SUBSCRIPTION, World, code};

/// A path of an operation in the world's vault; what it names besides need not exist.
fn path(operation: &Operation) -> String {
    let names = [
        ("{subscriptionId}", SUBSCRIPTION),
        ("{resourceGroupName}", "shop-rg"),
        ("{vaultName}", "v1"),
        (
            "{resourceId}",
            "subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.Compute/disks/d1",
        ),
        ("{fabricName}", "Azure"),
        ("{location}", "westeurope"),
        ("{azureRegion}", "westeurope"),
        (
            "{containerName}",
            "IaasVMContainer%3Biaasvmcontainerv2%3Bshop-rg%3Bweb-1",
        ),
        (
            "{protectedItemName}",
            "VM%3Biaasvmcontainerv2%3Bshop-rg%3Bweb-1",
        ),
    ];
    names
        .iter()
        .fold(operation.full_path(), |path, (brace, name)| {
            path.replace(brace, name)
        })
        .replace(['{', '}'], "")
}

#[test]
fn every_line_is_one_operation() {
    let lines = include_str!("../../src/offer.tsv").lines().count() - 1;
    assert_eq!(operations().count(), lines, "a line could not be read");
    let places: BTreeSet<_> = operations()
        .map(|known| (known.method, known.path.to_lowercase()))
        .collect();
    assert_eq!(places.len(), lines, "two lines are of one operation");
    for known in operations().filter(|known| known.state != State::Served) {
        assert!(!known.says.is_empty(), "{} says nothing", known.name);
    }
}

#[test]
fn what_is_served_has_a_route_and_what_is_not_answers_as_the_table_says() {
    for known in operations() {
        let mut world = World::with_vaults();
        let path = path(&known);
        let answer = world.call(known.method, &path, None);
        let found = (answer.status, code(&answer));
        let told = format!("{} {path}: {found:?} {:?}", known.name, answer.body);
        match known.state {
            State::Served => {
                assert_ne!(answer.status, 405, "{told}");
                assert!(
                    !["InvalidResourceType", "BMSUserErrorNotSupported"].contains(&found.1),
                    "{told}"
                );
            }
            State::Empty => {
                assert_eq!(answer.status, 200, "{told}");
                assert_eq!(answer.body.unwrap()["value"], serde_json::json!([]));
            }
            State::Nothing => assert_eq!(answer.status, 204, "{told}"),
            State::Absent(code) => assert_eq!(found, (404, code), "{told}"),
            State::Refused(code) => assert_eq!(found, (400, code), "{told}"),
        }
    }
}

#[test]
fn another_method_is_405_and_names_the_right_ones() {
    let mut world = World::with_vaults();
    for known in operations() {
        let answer = world.call("TRACE", &path(&known), None);
        assert_eq!(answer.status, 405, "{}", known.name);
        assert_eq!(code(&answer), "MethodNotAllowed", "{}", known.name);
    }
    let answer = world.call(
        "DELETE",
        &path(
            &operations()
                .find(|known| known.name == "BackupJobs.list")
                .unwrap(),
        ),
        None,
    );
    let message = answer.body.unwrap()["error"]["message"].to_string();
    assert!(
        message.contains("is served by GET, but not by DELETE"),
        "{message}"
    );
}

#[test]
fn nothing_is_answered_of_a_vault_that_is_not_there() {
    let mut world = World::new();
    let in_a_vault =
        |known: &Operation| known.path.starts_with("V/") || known.path.starts_with("D/");
    for known in operations().filter(in_a_vault) {
        let answer = world.call(known.method, &path(&known), None);
        assert_eq!(answer.status, 404, "{}: {:?}", known.name, answer.body);
        assert!(
            ["ResourceNotFound", "OperationNotFound"].contains(&code(&answer)),
            "{}",
            known.name
        );
    }
}
