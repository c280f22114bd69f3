//! What a service says of an item's health, in whichever of Azure's fields it does: passed on, and not understood.

use kluis_arm::item::{HealthDetail, VmItem};

use super::Trouble;

/// Azure's words for health, of items and of what an item's health is made up of. What is in neither list is well: `Passed`, `Healthy`,
/// `IRPending`, nothing at all, and `Invalid`, by which Azure means that it does not know.
const GRAVE: [&str; 5] = [
    "ActionRequired",
    "Unhealthy",
    "PersistentUnhealthy",
    "TransientUnhealthy",
    "Failed",
];
const WORTH_KNOWING: [&str; 3] = ["ActionSuggested", "PersistentDegraded", "TransientDegraded"];

/// What is wrong with the item, if anything is. How its last backup ended says nothing any more once none are made.
pub(super) fn of(item: &VmItem, makes_backups: bool) -> Option<Trouble> {
    let kpis = item.kpis_healths.iter().flat_map(|kpis| kpis.values());
    let last = [&item.protection_status, &item.last_backup_status];
    let words: Vec<&str> = last
        .into_iter()
        .filter(|_| makes_backups)
        .chain([&item.health_status])
        .filter_map(|word| word.as_deref())
        .chain(
            kpis.clone()
                .filter_map(|kpi| kpi.resource_health_status.as_deref()),
        )
        .collect();
    let any = |of: &[&str]| {
        words
            .iter()
            .copied()
            .find(|word| of.iter().any(|one| one.eq_ignore_ascii_case(word)))
    };
    let grave = any(&GRAVE);
    let worst = grave.or_else(|| any(&WORTH_KNOWING))?;
    let of_kpis = kpis.flat_map(|kpi| kpi.resource_health_details.iter().flatten());
    let details: Vec<&HealthDetail> = item
        .health_details
        .iter()
        .flatten()
        .chain(of_kpis)
        .filter(|detail| !is_all_well(detail))
        .collect();
    let mut sentences: Vec<String> = details
        .iter()
        .filter_map(|detail| sentence(detail))
        .collect();
    sentences.dedup();
    let message = match sentences.as_slice() {
        [] => format!("The service says {worst}, and not why: look at the vault's jobs."),
        sentences => sentences.join(" "),
    };
    Some(Trouble {
        reason: details
            .iter()
            .find_map(|detail| detail.title.as_deref().filter(|title| is_reason(title)))
            .unwrap_or(worst)
            .to_owned(),
        message,
        is_grave: grave.is_some(),
    })
}

/// Azure has a detail for health that is good: `IaasVmHealthGreenDefault`.
fn is_all_well(detail: &HealthDetail) -> bool {
    let title = detail.title.as_deref();
    title.is_some_and(|title| title.contains("HealthGreen"))
}

/// What is wrong and what to do about it.
fn sentence(detail: &HealthDetail) -> Option<String> {
    let said = detail.message.as_deref().or(detail.title.as_deref())?;
    let advice = detail.recommendations.iter().flatten().map(String::as_str);
    let all: Vec<&str> = std::iter::once(said)
        .chain(advice)
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    (!all.is_empty()).then(|| all.join(" "))
}

/// Whether a title is a condition's reason: one word of letters and digits, as codes are.
fn is_reason(title: &str) -> bool {
    title.len() <= 128
        && title.starts_with(|first: char| first.is_ascii_alphabetic())
        && title.chars().all(|char| char.is_ascii_alphanumeric())
}
