//! Recovery points, as they are read.

use jiff::Timestamp;
use kluis_arm::error::code;
use kluis_arm::recovery_point::{
    BEFORE_REPLACING, Consistency, DiskConfiguration, DiskInformation, MoveReadiness,
    RecoveryPointDetail, RecoveryPointProperties, Tier as Place, TierDetail, TierStatus,
    VmRecoveryPoint,
};
use kluis_arm::resource::Resource;
use kluis_arm::time::WireTime;
use kluis_policy::{Reason, Tier};
use serde_json::{Value, json};

use super::items::Named;
use super::job_words::value;
use super::keeping::{self, Fate, Why};
use super::refusals;
use super::rows::{self, Instant, Item, Origin, Point, PointDisk};
use super::stale;
use crate::core::{
    Answer, Context, PageKey, Refusal, Request, Response, VaultPath, page_newest_first,
};
use crate::inventory::{self, Encryption, Keys};
use crate::store::{Row as _, Tx};

const TYPE: &str = "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/recoveryPoints";

/// `GET item/recoveryPoints[?$filter=startDate eq '…' and endDate eq '…']`, the newest first.
pub(super) fn list(
    request: &Request,
    named: &Named,
    at: &VaultPath,
    ctx: &Context<'_>,
    tx: &Tx<'_>,
) -> Answer {
    let filter = refusals::filter(
        request,
        &[
            "startDate",
            "endDate",
            "restorePointQueryType",
            "extendedInfo",
        ],
    )?;
    let moment = |field: &str| -> Result<Option<Timestamp>, Refusal> {
        let text = filter.get(field).filter(|text| !text.is_empty());
        text.map(kluis_arm::time::from_filter)
            .transpose()
            .map_err(|error| refusals::invalid_input(error.to_string()))
    };
    let (from, to) = (moment("startDate")?, moment("endDate")?);
    let item = named.item(at, tx)?;
    let mut points = keeping::judged(ctx, tx, &item)?;
    points.retain(|(point, _)| {
        from.is_none_or(|from| point.time >= from) && to.is_none_or(|to| point.time <= to)
    });
    // A point's name is a number, which tells points of the same time apart.
    let place = |point: &Point| PageKey(point.time, point.name.parse().unwrap_or_default());
    points.sort_by_key(|(point, _)| std::cmp::Reverse(place(point)));
    let entries = points.iter().map(|(point, fate)| {
        let entry = value(&render(point, *fate, &item, at, ctx));
        (place(point), entry)
    });
    Ok((page_newest_first(request, entries)?, Vec::new()))
}

/// `GET item/recoveryPoints/{point}`.
pub(super) fn get(
    named: &Named,
    name: &str,
    at: &VaultPath,
    ctx: &Context<'_>,
    tx: &Tx<'_>,
) -> Answer {
    let item = named.item(at, tx)?;
    let point = find(&item, name, tx)?;
    let mut judged = keeping::judged(ctx, tx, &item)?.into_iter();
    let Some((_, fate)) = judged.find(|(known, _)| known.name == point.name) else {
        return Err(not_found(&item, name));
    };
    let body = value(&render(&point, fate, &item, at, ctx));
    Ok((Response::ok(body), Vec::new()))
}

/// An item's point by its name, or 404.
pub(super) fn find(item: &Item, name: &str, tx: &Tx<'_>) -> Result<Point, Refusal> {
    tx.get::<Point>(&Point::key_of(&item.key(), name))?
        .ok_or_else(|| not_found(item, name))
}

fn not_found(item: &Item, name: &str) -> Refusal {
    Refusal::not_found(
        code::ITEM_NOT_FOUND,
        format!("'{}' has no recovery point '{name}'.", item.vm),
    )
}

fn render(
    point: &Point,
    fate: Fate,
    item: &Item,
    at: &VaultPath,
    ctx: &Context<'_>,
) -> Resource<RecoveryPointDetail> {
    let shape = point.shape.clone().unwrap_or_default();
    let premium = |disk: &PointDisk| disk.sku.to_lowercase().starts_with("premium");
    // Azure says so of every machine with a premium disk that was recorded, also where all its disks are.
    let storage = match point.disks.iter().any(premium) {
        true => "PremiumVMOnPartialPremiumStorage",
        false => "NormalStorage",
    };
    let mut detail = VmRecoveryPoint {
        recovery_point_type: Some(match point.consistency {
            rows::Consistency::Application => Consistency::AppConsistent,
            rows::Consistency::FileSystem => Consistency::FileSystemConsistent,
            rows::Consistency::Crash => Consistency::CrashConsistent,
        }),
        recovery_point_time: Some(point.time.into()),
        recovery_point_additional_info: Some(remarks(point)),
        source_vm_storage_type: Some(storage.to_owned()),
        is_source_vm_encrypted: Some(shape.encryption != Encryption::None),
        key_and_secret: shape.keys.as_ref().map(|keys| key_and_secret(keys, ctx)),
        is_instant_ilr_session_active: Some(false),
        recovery_point_tier_details: Some(tiers(point)),
        is_managed_virtual_machine: Some(shape.managed),
        zones: shape.zone.clone().map(|zone| vec![zone]),
        virtual_machine_size: Some(point.vm_size.clone()),
        original_storage_account_option: Some(false),
        os_type: Some(if point.windows { "Windows" } else { "Linux" }.to_owned()),
        recovery_point_disk_configuration: Some(DiskConfiguration {
            number_of_disks_included_in_backup: i32::try_from(point.disks.len()).ok(),
            number_of_disks_attached_to_vm: i32::try_from(point.disks.len() + point.excluded.len())
                .ok(),
            included_disk_list: Some(point.disks.iter().map(disk).collect()),
            excluded_disk_list: Some(point.excluded.iter().map(disk).collect()),
            ..DiskConfiguration::default()
        }),
        recovery_point_move_readiness_info: Some(
            [(
                "ArchivedRP".to_owned(),
                MoveReadiness {
                    is_ready_for_move: Some(false),
                    additional_info: Some(
                        "The archive tier is not offered by this service.".to_owned(),
                    ),
                    ..MoveReadiness::default()
                },
            )]
            .into(),
        ),
        security_type: Some("None".to_owned()),
        recovery_point_properties: Some(properties(point, fate, item)),
        is_private_access_enabled_on_any_disk: Some(false),
        ..VmRecoveryPoint::default()
    };
    detail.extra.insert(
        "createdWithPolicyType".to_owned(),
        json!(if point.enhanced { "V2" } else { "V1" }),
    );
    detail.extra.insert("threatStatus".to_owned(), json!(0));
    let id = format!(
        "{}/backupFabrics/Azure/protectionContainers/{}/protectedItems/{}/recoveryPoints/{}",
        at.id,
        item.container_name(),
        item.item_name(),
        point.name
    );
    Resource::new(&id, point.name.clone(), TYPE, detail.into())
}

/// What is said of the point beside its fields: the mark of one that a restore in place made comes first.
fn remarks(point: &Point) -> String {
    let mark = point
        .is_before_replacing()
        .then(|| BEFORE_REPLACING.to_owned());
    let said: Vec<String> = mark
        .into_iter()
        .chain([stale::remark(point)])
        .filter(|remark| !remark.is_empty())
        .collect();
    said.join("; ")
}

/// Where the keys of an encrypted machine are. Azure keeps copies of them besides; this service has none to give.
pub(super) fn key_and_secret(keys: &Keys, ctx: &Context<'_>) -> Value {
    let (vault, secret, key) = inventory::in_vault(keys, ctx);
    let mut found = json!({ "bekDetails": { "secretUrl": secret, "secretVaultId": vault } });
    if let Some(key) = key {
        found["kekDetails"] = json!({ "keyUrl": key, "keyVaultId": vault });
    }
    found
}

/// Where the point is, as a job tells it.
pub(super) fn tier_words(point: &Point) -> String {
    let places: Vec<_> = tiers(point)
        .into_iter()
        .filter_map(|tier| tier.tier)
        .map(|place| place.as_str().to_owned())
        .collect();
    places.join(", ")
}

fn disk(disk: &PointDisk) -> DiskInformation {
    DiskInformation {
        lun: Some(
            disk.lun
                .and_then(|lun| i32::try_from(lun).ok())
                .unwrap_or(-1),
        ),
        name: Some(disk.name.clone()),
        ..DiskInformation::default()
    }
}

/// Where the point is. One that is being removed can be used from nowhere, one that is damaged not whole from the vault.
fn tiers(point: &Point) -> Vec<TierDetail> {
    let places = [
        (Place::InstantRp, point.instant.is_some()),
        (Place::HardenedRp, point.hardened.is_some()),
    ];
    let beside = point
        .instant
        .as_ref()
        .is_some_and(Instant::is_beside_the_vault);
    let status = |place: &Place| match place {
        _ if point.removing => TierStatus::Disabled,
        Place::InstantRp if beside => TierStatus::Valid,
        _ if point.lost.is_some() => TierStatus::Deleted,
        _ if point.damaged.is_some() => TierStatus::Invalid,
        _ => TierStatus::Valid,
    };
    places
        .into_iter()
        .filter(|(_, there)| *there)
        .map(|(place, _)| TierDetail {
            status: Some(status(&place)),
            tier: Some(place),
            ..TierDetail::default()
        })
        .collect()
}

/// Until when the point is kept, and why. What is kept for as long as nothing changes has no time to tell.
///
/// A point that has an end of its own tells that of a stopped item, too. Nothing goes while protection is stopped, even past that
/// day; but once it is taken up again that day decides and not the policy, and who weighs what a resumption would cost has to
/// know it.
fn properties(point: &Point, fate: Fate, item: &Item) -> RecoveryPointProperties {
    let stopped = Why::Policy(Reason::Stopped);
    let (until, rule) = match fate {
        Fate::Kept { why, .. } if why == stopped => {
            own_end(point).map_or((None, rule(stopped)), |(until, rule)| (Some(until), rule))
        }
        Fate::Kept { until, why } => (until, rule(why)),
        Fate::Goes { since, .. } => (Some(since), "Expired"),
    };
    RecoveryPointProperties {
        expiry_time: until.map(|until| WireTime::unzoned(until).to_string()),
        rule_name: Some(rule.to_owned()),
        is_soft_deleted: Some(item.is_soft_deleted()),
        ..RecoveryPointProperties::default()
    }
}

/// The end of a point that no policy keeps: the day until which a person asked for it, or that of its snapshot where it is that alone.
fn own_end(point: &Point) -> Option<(Timestamp, &'static str)> {
    let asked = match point.origin {
        Origin::Demand { until } => Some((until, rule(Why::Policy(Reason::OnDemand)))),
        Origin::Schedule { .. } | Origin::BeforeReplacing { .. } => None,
    };
    let instant = point.instant.as_ref().filter(|_| point.hardened.is_none());
    let snapshot = instant.map(|instant| (instant.until, rule(Why::Snapshot)));
    [asked, snapshot].into_iter().flatten().min()
}

fn rule(why: Why) -> &'static str {
    match why {
        Why::Policy(Reason::Tier(Tier::Daily)) => "Daily",
        Why::Policy(Reason::Tier(Tier::Weekly)) => "Weekly",
        Why::Policy(Reason::Tier(Tier::Monthly)) => "Monthly",
        Why::Policy(Reason::Tier(Tier::Yearly)) => "Yearly",
        Why::Policy(Reason::OnDemand) => "OnDemand",
        Why::Policy(Reason::NewestOfLostSource) => "NewestOfLostSource",
        Why::Policy(Reason::Stopped) => "Stopped",
        Why::Policy(Reason::Days) => "Days",
        Why::Policy(Reason::ChainNeeds(_)) => "ChainNeeds",
        Why::Policy(Reason::NoTier) => "NoTier",
        Why::Newest | Why::Policy(Reason::Newest) => "Newest",
        Why::Snapshot => "Snapshot",
        Why::Lost => "Lost",
        Why::Held => "Held",
        Why::SoftDeleted => "SoftDeleted",
    }
}
