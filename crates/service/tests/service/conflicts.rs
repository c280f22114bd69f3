//! What is answered with 409: whoever is told to come back has to be able to succeed then, and a person is told of the rest.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use kluis_arm::error::{Class, classify};

/// What is over by itself after a while: a vault that is being made or removed, a job that holds an item or a vault, a point
/// on its way to the vault, another call that advances the clock. (Of the clock's own calls no operator makes any.)
const PASSES: [&str; 5] = [
    "BMSUserErrorObjectLocked",
    "ClockIsMoving",
    "RecoveryPointNotInVault",
    "ResourceNotReady",
    "ClockIsNotVirtual",
];

/// The codes of all conflicts in the sources below a folder, as constants or as words.
fn conflicts(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            conflicts(&path, found);
        } else {
            let text = fs::read_to_string(&path).unwrap();
            for after in text.split("Refusal::conflict(").skip(1) {
                let code = after.trim_start().split(',').next().unwrap();
                found.insert(code.trim_matches('"').to_owned());
            }
        }
    }
}

#[test]
fn a_conflict_that_does_not_pass_by_itself_is_not_tried_again_for_ever() {
    use kluis_arm::error::code;
    let constants = [
        ("code::OBJECT_LOCKED", code::OBJECT_LOCKED),
        ("code::SCOPE_LOCKED", code::SCOPE_LOCKED),
        ("code::ALREADY_EXISTS", code::ALREADY_EXISTS),
        ("code::OTHER_LOCATION", code::OTHER_LOCATION),
        ("code::POINT_GOES", code::POINT_GOES),
        ("code::POINT_DAMAGED", code::POINT_DAMAGED),
        ("code::POINT_LOST", code::POINT_LOST),
        ("code::TARGET_DISK_EXISTS", code::TARGET_DISK_EXISTS),
        ("code::TARGET_MACHINE_EXISTS", code::TARGET_MACHINE_EXISTS),
        ("code::TARGET_FOLDER_EXISTS", code::TARGET_FOLDER_EXISTS),
    ];
    let mut found = BTreeSet::new();
    conflicts(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut found,
    );
    assert!(found.len() > 8, "{found:?}");
    for code in found {
        let known = constants.iter().find(|(name, _)| *name == code);
        let word = known.map_or(code.as_str(), |(_, word)| word);
        let again = classify(word, 409) == Class::RetryAfter;
        assert_eq!(
            again,
            PASSES.contains(&word),
            "{word}: does it pass by itself? Its class (crates/arm/src/error/code.rs) says otherwise"
        );
    }
}
