//! What may run between the fulls of a database.

use super::{Rule, Workload, days, of};
use Workload::{SAPHana, SQLServer};

pub(super) fn rules() -> Vec<Rule> {
    let mut rules =
        vec![of(
        &[SAPHana],
        "!has(self.differential) || !has(self.incremental)",
        "a policy for SAP HANA has differential or incremental, not both: remove one (rule 12)",
    )
    .about("incremental")];
    for (field, workloads) in [
        ("differential", &[SQLServer, SAPHana][..]),
        ("incremental", &[SAPHana][..]),
    ] {
        rules.extend(between(field, workloads));
    }
    for workload in [SQLServer, SAPHana] {
        let named = workload.in_words();
        rules.push(of(
            &[workload],
            "!has(self.log) || (duration(self.log.every) >= duration('15m') && duration(self.log.every) <= duration('1440m'))",
            format!("log.every is 15 to 1440 minutes for {named} (rule 11)"),
        )
        .about("log.every"));
        rules.push(
            of(
                &[workload],
                "!has(self.log) || (self.log.keep >= 7 && self.log.keep <= 35)",
                format!("log.keep is 7 to 35 days for {named} (rule 11)"),
            )
            .about("log.keep"),
        );
    }
    rules
}

/// The rules of a differential or an incremental.
fn between(field: &str, workloads: &[Workload]) -> Vec<Rule> {
    let mut rules: Vec<Rule> = workloads
        .iter()
        .map(|workload| {
            of(
                &[*workload],
                &format!(
                    "!has(self.{field}) || (self.{field}.keep >= 1 && self.{field}.keep <= 180)"
                ),
                format!(
                    "{field}.keep is 1 to 180 days for {} (rule 10)",
                    workload.in_words()
                ),
            )
            .about(format!("{field}.keep"))
        })
        .collect();
    rules.push(
        of(
            workloads,
            &format!("!has(self.{field}) || !has(self.schedule.daily)"),
            format!(
                "{field} has no day beside a daily full: remove it, or set schedule.weekly (rule 10)"
            ),
        )
        .about(field),
    );
    rules.push(
        of(
            workloads,
            &format!(
                "!has(self.{field}) || !has(self.schedule.weekly) || {}.all(d, !(d in {}))",
                days(field),
                days("schedule.weekly")
            ),
            format!("{field}.days names a day on which a full is made: name another (rule 10)"),
        )
        .about(format!("{field}.days")),
    );
    rules.push(of(
        workloads,
        &format!("!has(self.{field}) || !has(self.retention.weekly) || self.{field}.keep <= self.retention.weekly.keep * 7"),
        format!("{field}.keep is longer than the full that it builds on is kept: shorten it, or lengthen retention.weekly (rule 10)"),
    ).about(format!("{field}.keep")));
    rules
}
