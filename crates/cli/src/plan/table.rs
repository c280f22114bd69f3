//! A plan as lines for people.

use std::io::Write;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::Value;

use super::document::{Approval, Change, Document, Edit, Loss, Object, Promise};

/// More items or fields than this are counted; `-o json` has them all.
const MOST: usize = 20;

/// Prints what would happen to each object, and what all comes to.
pub(super) fn print(document: &Document, out: &mut impl Write) -> Result<()> {
    let mut lines = Vec::new();
    for object in &document.objects {
        of_object(object, &mut lines);
    }
    lines.push(sum(document));
    for line in lines {
        writeln!(out, "{line}").context("writing to standard output")?;
    }
    Ok(())
}

fn of_object(object: &Object, lines: &mut Vec<String>) {
    let name = match &object.namespace {
        Some(namespace) => format!("{} {namespace}/{}", object.kind, object.name),
        None => format!("{} {}", object.kind, object.name),
    };
    let change = match object.change {
        Change::Created => "would be created",
        Change::Changed => "would be changed",
        Change::Unchanged => "unchanged",
    };
    let place = match (&object.file, object.line) {
        (Some(file), Some(line)) => format!(" ({file}:{line})"),
        _ => String::new(),
    };
    lines.push(format!("{name}: {change}{place}"));
    for field in object.fields.iter().take(MOST) {
        let (from, to) = (short(&field.from), short(&field.to));
        lines.push(format!("  {}: {from} → {to}", field.field));
    }
    more(object.fields.len(), "fields", lines);
    if let Some(unread) = &object.unread {
        lines.push(format!("  COULD NOT BE READ: {unread}"));
    }
    for edit in &object.edits {
        of_edit(edit, lines);
    }
    for loss in &object.losses {
        of_loss(loss, lines);
    }
    if let Some(digests) = &object.approved_loss {
        lines.push("  Not sent until somebody approves it, in this object's spec:".to_owned());
        // Quoted: a digest may read as a number.
        lines.push(format!("    approvedLoss: \"{digests}\""));
    }
    lines.extend(object.drift.iter().map(|drift| format!("  drift: {drift}")));
    for step in &object.steps {
        lines.push(format!("  the operator would {}", step.does));
    }
    // What it waits for was told already where that is an approval.
    if let Some(waits) = object
        .waits
        .as_ref()
        .filter(|_| object.approved_loss.is_none())
    {
        let who = if waits.stalled { "stalled" } else { "waits" };
        lines.push(format!("  {who}: {}: {}", waits.reason, waits.message));
    }
}

fn of_edit(edit: &Edit, lines: &mut Vec<String>) {
    let items = match edit.items.as_slice() {
        [one] => one.clone(),
        several => format!("{} items", several.len()),
    };
    lines.push(format!("  in the vault {}, for {items}:", edit.vault));
    for pair in &edit.differences {
        lines.push(format!("    {}: {} → {}", pair.field, pair.from, pair.to));
    }
    for promise in &edit.promises {
        lines.push(format!("    {}", promised(promise)));
    }
}

/// `daily points are kept for 30 days → 7 days: less`.
fn promised(promise: &Promise) -> String {
    let what = match promise.promise.as_str() {
        "longestGap" => "the longest time between two backups is".to_owned(),
        "longestKept" => "the longest-kept point lives for".to_owned(),
        tier => format!("{tier} points are kept for"),
    };
    let none = || "none".to_owned();
    let before = promise.before.clone();
    let after = promise.after.clone().unwrap_or_else(none);
    let values = match before {
        Some(before) => format!("{before} → {after}"),
        None => after,
    };
    let judged = if promise.worse { " (worse)" } else { "" };
    format!("{what} {values}{judged}")
}

fn of_loss(loss: &Loss, lines: &mut Vec<String>) {
    let how = match loss.approval {
        Approval::Needed => "WOULD DELETE",
        Approval::Given => "DELETES, as approved,",
        Approval::NotAsked => "DELETES, as changeControl: Allow asks nobody,",
    };
    lines.push(format!(
        "  {how} {} recovery points in {} and keep {} for a shorter time{}",
        loss.deleted,
        loss.vault,
        loss.shortened,
        between(loss.oldest, loss.newest)
    ));
    for item in loss.items.iter().take(MOST) {
        lines.push(format!(
            "    {}: {} deleted, {} shortened{}",
            item.item,
            item.deleted,
            item.shortened,
            between(item.oldest, item.newest)
        ));
    }
    more(loss.items.len(), "items", lines);
    if loss.uncounted > 0 {
        lines.push(format!(
            "    and all of {} more items, whose recovery points cannot be counted",
            loss.uncounted
        ));
    }
}

fn between(oldest: Option<Timestamp>, newest: Option<Timestamp>) -> String {
    match (oldest, newest) {
        (Some(oldest), Some(newest)) => format!(", the oldest of {oldest}, the newest of {newest}"),
        _ => String::new(),
    }
}

fn more(all: usize, of: &str, lines: &mut Vec<String>) {
    if all > MOST {
        lines.push(format!(
            "    and {} more {of}: -o json has them",
            all - MOST
        ));
    }
}

fn sum(document: &Document) -> String {
    let mut text = format!(
        "{} to create, {} to change, {} unchanged",
        document.created, document.changed, document.unchanged
    );
    if document.others > 0 {
        text.push_str(&format!(", {} of other kinds passed over", document.others));
    }
    if let (Some(deleted), Some(shortened)) = (document.deleted, document.shortened)
        && (deleted > 0 || shortened > 0)
    {
        text.push_str(&format!(
            "; {deleted} recovery points deleted and {shortened} kept for a shorter time"
        ));
    }
    if document.approval_needed == Some(true) {
        text.push_str("; an approval is needed");
    }
    if !document.is_whole() {
        text.push_str("; not all could be read, so that what it would cost is not known");
    }
    text.push('.');
    text
}

/// A value in its own YAML-like shortest form; nothing is `none`.
fn short(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn what_could_not_be_read_is_told_and_a_digest_is_quoted() {
        let object = Object {
            kind: "BackupPolicy".to_owned(),
            namespace: Some("shop".to_owned()),
            name: "daily".to_owned(),
            file: Some("policy.yaml".to_owned()),
            line: Some(1),
            change: Change::Changed,
            fields: Vec::new(),
            unread: Some(
                "listing the items of shop-weu: no answer (connection refused)".to_owned(),
            ),
            steps: Vec::new(),
            drift: Vec::new(),
            waits: None,
            edits: Vec::new(),
            losses: Vec::new(),
            approved_loss: Some("12345678901234567890123456789012".to_owned()),
        };
        let document = Document {
            schema: "kluis.dev/plan/v1",
            would_change: Some(true),
            created: 0,
            changed: 1,
            unchanged: 0,
            others: 0,
            deleted: None,
            shortened: None,
            approval_needed: None,
            objects: vec![object],
        };
        let mut out = Vec::new();
        print(&document, &mut out).unwrap();
        expect![[r#"
            BackupPolicy shop/daily: would be changed (policy.yaml:1)
              COULD NOT BE READ: listing the items of shop-weu: no answer (connection refused)
              Not sent until somebody approves it, in this object's spec:
                approvedLoss: "12345678901234567890123456789012"
            0 to create, 1 to change, 0 unchanged; not all could be read, so that what it would cost is not known.
        "#]]
        .assert_eq(&String::from_utf8(out).unwrap());
        assert!(!document.is_whole());
    }
}
