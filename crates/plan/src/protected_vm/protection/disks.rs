//! Which of a machine's disks are backed up, on the wire.

use kluis_api::DiskChoice;
use kluis_arm::item::DiskExclusion;

/// The choice as it is sent. No choice is none: every disk.
pub(super) fn on_wire(choice: &DiskChoice) -> DiskExclusion {
    match choice {
        DiskChoice {
            exclude: Some(luns),
            ..
        } => exclusion(luns.clone(), false),
        DiskChoice {
            include: Some(luns),
            ..
        } => exclusion(luns.clone(), true),
        DiskChoice {
            exclude: None,
            include: None,
            os_disk_only: _,
        } => exclusion(Vec::new(), true),
    }
}

pub(super) fn exclusion(luns: Vec<u32>, is_inclusion_list: bool) -> DiskExclusion {
    DiskExclusion {
        disk_lun_list: Some(
            luns.into_iter()
                .filter_map(|lun| i32::try_from(lun).ok())
                .collect(),
        ),
        is_inclusion_list: Some(is_inclusion_list),
        ..DiskExclusion::default()
    }
}

/// Whether two choices come to the same, however their lists are ordered.
pub(super) fn is_same_choice(
    present: Option<&DiskExclusion>,
    wanted: Option<&DiskExclusion>,
) -> bool {
    let plain = |choice: Option<&DiskExclusion>| {
        choice.map(|choice| {
            let mut luns = choice.disk_lun_list.clone().unwrap_or_default();
            luns.sort_unstable();
            luns.dedup();
            (luns, choice.is_inclusion_list.unwrap_or_default())
        })
    };
    plain(present) == plain(wanted)
}

/// A choice, in words.
pub(super) fn in_words(choice: Option<&DiskExclusion>) -> String {
    let Some(choice) = choice else {
        return "all".to_owned();
    };
    let luns = choice
        .disk_lun_list
        .iter()
        .flatten()
        .map(ToString::to_string);
    let luns = luns.collect::<Vec<_>>().join(", ");
    match (choice.is_inclusion_list, luns.is_empty()) {
        (Some(true), true) => "the OS disk alone".to_owned(),
        (Some(true), false) => format!("LUN {luns} alone"),
        (_, true) => "all".to_owned(),
        (_, false) => format!("all but LUN {luns}"),
    }
}
