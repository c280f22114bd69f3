//! From what the operator would make of each object to the document of all.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use kluis_api::{ConditionStatus, ConditionType};
use kluis_operator::overlay::{Laid, Overlay};
use kluis_operator::preview::{Preview, Previewed};
use kluis_operator::{Key, Kind};
use kluis_plan::{Approved, DRIFT_REPAIRED, Plan, Stake};
use kluis_policy::DaylightSaving;
use serde_json::Value;

use super::document::{
    Approval, Call, Change, Document, Edit, ItemLoss, Loss, Object, Pair, Step, Waits,
};
use super::{fields, promises};
use crate::validate::objects::Manifest;

/// Asks for every manifest's object, and for the policies that these make to be written somewhere.
///
/// # Errors
/// When objects in the cluster cannot be read. What a service doesn't answer is told of the object.
pub(super) async fn document(
    laid: &[(&Manifest, Laid)],
    others: usize,
    overlay: &Overlay,
    preview: &Preview,
) -> Result<Document> {
    let mut objects = Vec::new();
    let mut beside = BTreeSet::new();
    for (manifest, laid) in laid {
        let object = of_manifest(manifest, laid, preview).await?;
        if object.change != Change::Unchanged && laid.key.kind == Kind::ProtectedVM {
            let named = overlay.around(&laid.key).into_iter();
            beside.extend(named.filter(|key| key.kind == Kind::BackupPolicy));
        }
        objects.push(object);
    }
    for (_, laid) in laid {
        beside.remove(&laid.key);
    }
    for key in beside {
        objects.extend(of_neighbour(&key, overlay, preview).await?);
    }
    Ok(summed(objects, others))
}

fn summed(objects: Vec<Object>, others: usize) -> Document {
    let count = |change: Change| {
        let with_manifest = objects.iter().filter(|object| object.file.is_some());
        with_manifest
            .filter(|object| object.change == change)
            .count()
    };
    let losses = || objects.iter().flat_map(|object| &object.losses);
    let is_change =
        |object: &Object| object.change != Change::Unchanged || !object.steps.is_empty();
    // Of what could not be read, none is not zero.
    let whole = objects.iter().all(|object| object.unread.is_none());
    let told = |is: bool| (is || whole).then_some(is);
    Document {
        schema: "kluis.dev/plan/v1",
        would_change: told(objects.iter().any(is_change)),
        created: count(Change::Created),
        changed: count(Change::Changed),
        unchanged: count(Change::Unchanged),
        others,
        deleted: whole.then(|| losses().map(|loss| loss.deleted).sum()),
        shortened: whole.then(|| losses().map(|loss| loss.shortened).sum()),
        approval_needed: told(losses().any(|loss| loss.approval == Approval::Needed)),
        objects,
    }
}

async fn of_manifest(manifest: &Manifest, laid: &Laid, preview: &Preview) -> Result<Object> {
    let mut fields = fields::differing(laid.before.as_ref(), &laid.after);
    let written = &manifest.value["metadata"];
    for part in ["labels", "annotations"] {
        let present = laid
            .present
            .as_ref()
            .map(|object| &object["metadata"][part]);
        for (name, value) in written[part].as_object().into_iter().flatten() {
            let from = present.map_or(Value::Null, |present| present[name].clone());
            if from != *value {
                fields.push(super::document::Field {
                    field: format!("metadata.{part}.{name}"),
                    from,
                    to: value.clone(),
                });
            }
        }
    }
    let change = match (&laid.present, fields.is_empty()) {
        (None, _) => Change::Created,
        (Some(_), false) => Change::Changed,
        (Some(_), true) => Change::Unchanged,
    };
    let previewed = ask(&laid.key, preview).await?;
    let mut object = of_plan(&laid.key, previewed, &laid.after)?;
    object.file = Some(manifest.file.clone());
    object.line = Some(manifest.line);
    object.change = change;
    // Of what is new every field is: the manifest says them better.
    object.fields = match change {
        Change::Created => Vec::new(),
        Change::Changed | Change::Unchanged => fields,
    };
    Ok(object)
}

/// A policy that no manifest here is about, where the operator would do something about it.
async fn of_neighbour(key: &Key, overlay: &Overlay, preview: &Preview) -> Result<Option<Object>> {
    use kluis_operator::objects::Objects;
    let Some(known) = overlay.known(key).await? else {
        return Ok(None);
    };
    let object = of_plan(key, ask(key, preview).await?, &known["spec"])?;
    let is_something =
        !object.steps.is_empty() || !object.losses.is_empty() || object.unread.is_some();
    Ok(is_something.then_some(object))
}

async fn ask(key: &Key, preview: &Preview) -> Result<Previewed> {
    let previewed = preview.of(key).await?;
    previewed.with_context(|| format!("{key} was laid over and is not there"))
}

fn of_plan(key: &Key, previewed: Previewed, spec: &Value) -> Result<Object> {
    let Previewed {
        plan,
        edits,
        now,
        unread,
    } = previewed;
    let losses: Vec<Loss> = plan.stakes.iter().map(loss).collect();
    let clocks = match spec["schedule"]["daylightSaving"].as_str() {
        Some("Follow") => DaylightSaving::Follow,
        _ => DaylightSaving::Ignore,
    };
    let edits = edits.into_iter().map(|edit| Edit {
        promises: promises::changed(&edit.before, &edit.after, clocks, now),
        vault: edit.vault,
        items: edit.items,
        differences: edit
            .differences
            .into_iter()
            .map(|difference| Pair {
                field: difference.field.to_owned(),
                from: difference.have,
                to: difference.want,
            })
            .collect(),
    });
    Ok(Object {
        kind: key.kind.to_string(),
        namespace: key.namespace.clone(),
        name: key.name.clone(),
        file: None,
        line: None,
        change: Change::Unchanged,
        fields: Vec::new(),
        unread: unread.map(|failure| failure.to_string()),
        steps: steps(&plan)?,
        drift: drift(&plan),
        waits: waits(&plan),
        edits: edits.collect(),
        approved_loss: approved_loss(&losses, spec),
        losses,
    })
}

fn steps(plan: &Plan) -> Result<Vec<Step>> {
    let steps = plan.steps.iter().map(|step| {
        let call = step.action.call()?.map(|call| Call {
            method: call.method.to_string(),
            path: call.path,
            body: call.body,
        });
        Ok(Step {
            does: step.action.to_string(),
            call,
        })
    });
    steps.collect()
}

/// What the object's own conditions would say where it is not well.
/// What would be put back, as the operator would tell it.
fn drift(plan: &Plan) -> Vec<String> {
    let events = plan.report.events.iter();
    events
        .filter(|event| event.reason == DRIFT_REPAIRED)
        .map(|event| event.note.clone())
        .collect()
}

fn waits(plan: &Plan) -> Option<Waits> {
    let conditions = plan.report.status.as_ref()?.conditions();
    let of = |type_: ConditionType| conditions.iter().find(move |found| found.type_ == type_);
    let ready = of(ConditionType::Ready).or_else(|| of(ConditionType::Succeeded))?;
    if ready.status == ConditionStatus::True || !plan.steps.is_empty() {
        return None;
    }
    let stalled = of(ConditionType::Stalled);
    Some(Waits {
        reason: ready.reason.clone(),
        message: ready.message.clone(),
        stalled: stalled.is_some_and(|stalled| stalled.status == ConditionStatus::True),
    })
}

fn loss(stake: &Stake) -> Loss {
    let items: Vec<ItemLoss> = stake
        .loss
        .items
        .iter()
        .map(|item| ItemLoss {
            item: item.item.clone(),
            deleted: item.cost.deleted,
            shortened: item.cost.shortened,
            oldest: item.cost.oldest,
            newest: item.cost.newest,
        })
        .collect();
    let approval = match stake.approval {
        Approved::Needed => Approval::Needed,
        Approved::Given => Approval::Given,
        Approved::NotAsked => Approval::NotAsked,
    };
    let total = &stake.loss.total;
    Loss {
        vault: stake.vault.clone(),
        digest: stake.digest.clone(),
        approval,
        deleted: u64::from(total.deleted),
        shortened: u64::from(total.shortened),
        oldest: total.oldest,
        newest: total.newest,
        items,
        uncounted: stake.loss.uncounted,
    }
}

/// Everything that has to be approved, in one line: a digest for each vault.
fn approved_loss(losses: &[Loss], spec: &Value) -> Option<String> {
    if losses.iter().all(|loss| loss.approval != Approval::Needed) {
        return None;
    }
    let own: Vec<&str> = losses
        .iter()
        .filter(|loss| loss.approval != Approval::NotAsked)
        .map(|loss| loss.digest.as_str())
        .collect();
    let other = approved(spec).filter(|digest| !own.contains(digest));
    Some(
        own.iter()
            .copied()
            .chain(other)
            .collect::<Vec<_>>()
            .join(","),
    )
}

/// What the spec approves already.
fn approved(spec: &Value) -> impl Iterator<Item = &str> {
    let text = spec["approvedLoss"].as_str().unwrap_or_default();
    text.split(',')
        .map(str::trim)
        .filter(|digest| !digest.is_empty())
}
