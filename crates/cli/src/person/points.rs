//! `kluis points`: the recovery points of an item, straight from its vault. They are not objects: there may be 9,999.

use std::io::Write;

use anyhow::{Context, Result, anyhow};
use jiff::Timestamp;
use kluis_arm::api_version::SENT;
use kluis_arm::id::{ItemId, RecoveryPointId};
use kluis_arm::recovery_point::{
    RecoveryPoint, RecoveryPointDetail, Tier, TierDetail, TierStatus, VmRecoveryPoint,
};
use kluis_arm::time::WireTime;
use kluis_client::{Arm, ArmRequest, list};
use serde::Serialize;

use super::connection::reach;
use super::named::{PointName, Which};
use crate::args::{ConnectionArgs, PointsArgs};
use crate::output::{self, Format};

/// A recovery point as it is printed.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) time: Option<Timestamp>,
    consistency: String,
    /// Where it can be restored from: `snapshot`, `vault`, `archive`.
    tiers: Vec<&'static str>,
    /// Until when it is kept, as the service says; absent where it says no day.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_until: Option<String>,
    /// By what it is kept, in the service's word: a tier of the policy, `OnDemand`, `Newest`, `Stopped`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_by: Option<String>,
    /// Whether a restore in place made it of what it replaced: it comes back by its name alone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    before_replacing: bool,
}

/// What is said of a point that a restore in place made.
const BEFORE: &str = "before a restore in place";

/// Prints the recovery points, the newest first.
pub(crate) async fn points(args: &PointsArgs, out: &mut impl Write) -> Result<()> {
    let reached = reach(&args.item, &args.connection).await?;
    let points = of(&reached.arm, &reached.item).await?;
    if args.output != Format::Table {
        return output::value(&points, args.output, out);
    }
    let rows: Vec<Vec<String>> = points
        .iter()
        .map(|point| {
            vec![
                point.name.clone(),
                point.time.map_or_else(String::new, |time| time.to_string()),
                point.tiers.join(", "),
                point.consistency.clone(),
                point.until(),
                point.why(),
            ]
        })
        .collect();
    output::table(
        &["NAME", "TIME", "WHERE", "CONSISTENCY", "KEPT UNTIL", "WHY"],
        &rows,
        out,
    )
}

impl Listed {
    /// For people: by what it is kept, and whether it is none of the ordinary ones.
    fn why(&self) -> String {
        let kept = self.kept_by.as_deref().unwrap_or_default();
        match (self.before_replacing, kept) {
            (false, kept) => kept.to_owned(),
            (true, "") => BEFORE.to_owned(),
            (true, kept) => format!("{kept}, {BEFORE}"),
        }
    }

    /// For people: a rule without a day keeps it for as long as nothing changes; without either nothing is known.
    fn until(&self) -> String {
        match (&self.kept_until, &self.kept_by) {
            (Some(until), _) => until.clone(),
            (None, Some(_)) => "for ever".to_owned(),
            (None, None) => "?".to_owned(),
        }
    }
}

/// The item's recovery points, the newest first.
pub(super) async fn of(arm: &dyn Arm, item: &ItemId) -> Result<Vec<Listed>> {
    let request = ArmRequest::get(format!("{item}/recoveryPoints"), SENT);
    let found = list(arm, request)
        .await
        .context("listing the recovery points")?;
    let mut points = Vec::new();
    for value in found {
        let point: RecoveryPoint =
            serde_json::from_value(value).context("reading a recovery point")?;
        points.extend(listed(point));
    }
    points.sort_by(|one, other| (other.time, &other.name).cmp(&(one.time, &one.name)));
    Ok(points)
}

/// The recovery point that a person means.
pub(super) async fn chosen(
    arm: &dyn Arm,
    item: &ItemId,
    point: &PointName,
) -> Result<RecoveryPointId> {
    let points = of(arm, item).await?;
    let found = points.iter().find(|listed| match &point.which {
        Which::Latest => !listed.before_replacing,
        Which::Named(name) => listed.name.eq_ignore_ascii_case(name),
        Which::At(moment) => {
            !listed.before_replacing && listed.time.is_some_and(|time| time <= *moment)
        }
    });
    let found = found.ok_or_else(|| {
        anyhow!(
            "{} is not there: {} has {} recovery points; `kluis points {}` lists them",
            point.which,
            point.item,
            points.len(),
            point.item
        )
    })?;
    let name = found.name.parse().context("reading the point's name")?;
    Ok(item.recovery_point(name))
}

/// What `kluis restore` and `kluis ls` need before they know the point.
pub(super) async fn reach_point(
    point: &PointName,
    connection: &ConnectionArgs,
) -> Result<(kluis_client::ArmClient, RecoveryPointId)> {
    let reached = reach(&point.item, connection).await?;
    let id = chosen(&reached.arm, &reached.item, point).await?;
    Ok((reached.arm, id))
}

fn listed(point: RecoveryPoint) -> Option<Listed> {
    let name = point.name?;
    let RecoveryPointDetail::VirtualMachine(detail) = point.properties else {
        return None;
    };
    let time = detail
        .recovery_point_time
        .as_ref()
        .and_then(|time| time.moment().ok().flatten());
    let consistency = detail.recovery_point_type.as_ref().map(ToString::to_string);
    let kept = detail.recovery_point_properties.clone().unwrap_or_default();
    Some(Listed {
        name,
        time,
        consistency: consistency.unwrap_or_default(),
        tiers: tiers(&detail),
        before_replacing: detail.is_before_replacing(),
        kept_until: kept.expiry_time.map(zoned),
        kept_by: kept.rule_name,
    })
}

/// A moment with its zone, which Azure leaves out of a point's end. What cannot be read is printed as it is.
fn zoned(told: String) -> String {
    match WireTime::from(told.as_str()).moment() {
        Ok(Some(moment)) => moment.to_string(),
        Ok(None) | Err(_) => told,
    }
}

fn tiers(point: &VmRecoveryPoint) -> Vec<&'static str> {
    let usable = |detail: &&TierDetail| {
        matches!(
            detail.status,
            Some(TierStatus::Valid | TierStatus::Rehydrated)
        )
    };
    let details = point.recovery_point_tier_details.iter().flatten();
    details
        .filter(usable)
        .filter_map(|detail| match detail.tier {
            Some(Tier::InstantRp) => Some("snapshot"),
            Some(Tier::HardenedRp) => Some("vault"),
            Some(Tier::ArchivedRp) => Some("archive"),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn why_a_point_is_kept_and_for_ever_is_not_unknown() {
        let point = |name: &str, kept: serde_json::Value| {
            serde_json::from_value(json!({
                "name": name,
                "properties": {
                    "objectType": "IaasVMRecoveryPoint", "recoveryPointTime": "2026-11-22T21:30:00Z",
                    "recoveryPointType": "CrashConsistent", "recoveryPointProperties": kept,
                },
            }))
            .unwrap()
        };
        let points = [
            point(
                "daily",
                json!({ "expiryTime": "2026-12-22T21:30:00Z", "ruleName": "Daily" }),
            ),
            point(
                "unzoned",
                json!({ "expiryTime": "2026-12-22T21:30:00.0000000", "ruleName": "Daily" }),
            ),
            point("newest", json!({ "ruleName": "Newest" })),
            point("silent", json!(null)),
        ];
        let rows: Vec<String> = points
            .into_iter()
            .filter_map(listed)
            .map(|point| format!("{} {} {:?}", point.name, point.until(), point.kept_by))
            .collect();
        expect![[r#"
            daily 2026-12-22T21:30:00Z Some("Daily")
            unzoned 2026-12-22T21:30:00Z Some("Daily")
            newest for ever Some("Newest")
            silent ? None"#]]
        .assert_eq(&rows.join("\n"));
    }
}
