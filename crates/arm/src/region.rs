//! What Azure's regions have. Their names are lower-case words without blanks on the wire; people write them otherwise too.

/// Azure's regions without availability zones, by Microsoft's list of regions (2025).
const WITHOUT_ZONES: [&str; 20] = [
    "australiacentral",
    "australiacentral2",
    "australiasoutheast",
    "brazilsoutheast",
    "canadaeast",
    "francesouth",
    "germanynorth",
    "jioindiacentral",
    "jioindiawest",
    "koreasouth",
    "northcentralus",
    "norwaywest",
    "southafricawest",
    "southindia",
    "switzerlandwest",
    "uaecentral",
    "ukwest",
    "westcentralus",
    "westindia",
    "westus",
];

/// Whether the region has availability zones: 1, 2 and 3. A region that is not known here is taken to have them.
pub fn has_zones(region: &str) -> bool {
    let name = region.to_lowercase().replace(' ', "");
    !WITHOUT_ZONES.contains(&name.as_str())
}
