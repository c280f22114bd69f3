//! The policy to simulate: which one of the manifests, and what it says.

use anyhow::{Context, Result, anyhow, bail};
use jiff::tz::TimeZone;
use kluis_api::BackupPolicy;
use kluis_policy::Strategy;

use crate::args::SimulateArgs;
use crate::validate::Severity;
use crate::validate::objects::{self, Manifest, Manifests};

/// A policy by its name, and what it says in the field's own terms.
#[derive(Debug, Clone)]
pub(super) struct Named {
    /// `shop/daily-gfs`.
    pub(super) name: String,
    /// The zone as it was written.
    pub(super) time_zone: String,
    pub(super) strategy: Strategy,
}

/// Finds the policy.
///
/// # Errors
/// A file that cannot be read, a policy that `kluis validate` refuses, none, or several without a name to tell them
/// by.
pub(super) fn find(args: &SimulateArgs) -> Result<Named> {
    let found = objects::read(&args.filename)?;
    let manifest = chosen(&found, args.policy.as_deref())?;
    let name = manifest.name();
    let begin = args
        .from
        .to_zoned(TimeZone::UTC)
        .context("--from is beyond the years that are simulated")?;
    let outlook = found.outlook(begin.timestamp());
    let all = found
        .findings
        .iter()
        .chain(&manifest.when_new)
        .chain(&outlook);
    let wrong = all.into_iter().find(|finding| {
        finding.severity == Severity::Error
            && finding.file == manifest.file
            && finding.object == format!("BackupPolicy {name}")
    });
    if let Some(wrong) = wrong {
        bail!(
            "{}:{}:{}: {}: {} (`kluis validate` shows all that is wrong)",
            wrong.file,
            wrong.line,
            wrong.column,
            wrong.field,
            wrong.message
        );
    }
    let policy: BackupPolicy = serde_json::from_value(manifest.value.clone())
        .with_context(|| format!("reading BackupPolicy {name} in {}", manifest.file))?;
    let strategy = kluis_plan::strategy(&policy.spec)
        .map_err(|why| anyhow!("BackupPolicy {name} in {}: {why}", manifest.file))?;
    Ok(Named {
        name,
        time_zone: policy.spec.time_zone,
        strategy,
    })
}

fn chosen<'a>(found: &'a Manifests, wanted: Option<&str>) -> Result<&'a Manifest> {
    let is_wanted = |object: &&Manifest| {
        wanted.is_none_or(|wanted| {
            object.value["metadata"]["name"] == wanted || object.name() == wanted
        })
    };
    let policies: Vec<&Manifest> = found.of_kind("BackupPolicy").filter(is_wanted).collect();
    match (policies.as_slice(), wanted) {
        ([one], _) => Ok(one),
        ([], Some(wanted)) => bail!("there is no BackupPolicy {wanted} in what was named"),
        ([], None) => match found.findings.first() {
            Some(wrong) => bail!(
                "{}:{}:{}: {}",
                wrong.file,
                wrong.line,
                wrong.column,
                wrong.message
            ),
            None => bail!("there is no BackupPolicy in what was named"),
        },
        (several, _) => {
            let names: Vec<String> = several.iter().map(|policy| policy.name()).collect();
            bail!(
                "there are several BackupPolicies: choose one with --policy: {}",
                names.join(", ")
            )
        }
    }
}
