//! What a person types. The words and defaults of the commands are used from
//! outside and stay as they are.

use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

pub(crate) use crate::definitions::CrdsArgs;
pub(crate) use limits::LimitArgs;
pub(crate) use person::{
    ApproveArgs, BackupArgs, ConnectionArgs, JobsArgs, LsArgs, PointsArgs, RestoreArgs,
    ValidateArgs,
};
pub(crate) use plan::PlanArgs;
pub(crate) use scrub::ScrubPeriod;
pub(crate) use simulate::{Look, Share, SimulateArgs};

mod limits;
mod person;
mod plan;
mod scrub;
mod simulate;

/// Backup as code: keeps Azure Backup the way Git says it should be.
#[derive(Debug, Parser)]
#[command(name = "kluis", version, max_term_width = 100)]
pub(crate) struct Args {
    /// How log lines are written to standard error.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, env = "KLUIS_LOG_FORMAT")]
    pub(crate) log_format: LogFormat,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the reconcilers against the current kubeconfig, or in-cluster configuration.
    Operator(OperatorArgs),
    /// Run the backup service that speaks Azure Backup's REST protocol.
    Service(ServiceArgs),
    /// Print the custom resource definitions, or apply them.
    Crds(CrdsArgs),
    /// Print the Secret and the BackupService that lead an operator to this service.
    Connection(crate::connection::ConnectionArgs),
    /// Check manifests without a cluster, with file and line; exit 1 on any error.
    Validate(ValidateArgs),
    /// Show which recovery points a policy will have made and kept by some day, when each goes and why.
    Simulate(SimulateArgs),
    /// Show what applying manifests would change, and which recovery points an edit would delete; exit 2 when something would.
    Plan(PlanArgs),
    /// List the recovery points of an item, the newest first.
    Points(PointsArgs),
    /// List the jobs of an item's vault, the newest first.
    Jobs(JobsArgs),
    /// Back an item up now, and wait for its recovery point.
    Backup(BackupArgs),
    /// Restore an item: disks, a new machine, in place, or files and folders.
    Restore(Box<RestoreArgs>),
    /// Show which recovery points an edit would cost, and approve that.
    Approve(ApproveArgs),
    /// List a folder of a recovery point, straight out of the vault.
    Ls(LsArgs),
    /// Print a shell's completions.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page (roff).
    Man,
    /// Move the bytes of one job. Started by the service, not by people.
    #[command(hide = true)]
    Mover {
        /// The job file that the service wrote.
        job_file: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct OperatorArgs {
    /// The operator's own namespace: credentials are read from Secrets there, and only there.
    #[arg(long, default_value = "kluis-system", env = "KLUIS_NAMESPACE")]
    pub(crate) namespace: String,
    /// Take turns with other replicas by a Lease in the operator's namespace.
    #[arg(long, env = "KLUIS_LEADER_ELECTION")]
    pub(crate) leader_election: bool,
    /// Where /healthz and /metrics are served, over plain HTTP; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8080", env = "KLUIS_METRICS_LISTEN")]
    pub(crate) metrics_listen: SocketAddr,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ServiceArgs {
    /// Where vaults, keys and state live.
    #[arg(long)]
    pub(crate) data_dir: PathBuf,
    /// The YAML file that names what exists to be protected.
    #[arg(long)]
    pub(crate) inventory: PathBuf,
    /// The address of the HTTPS endpoint; port 0 takes a free one and prints it.
    #[arg(long, default_value = "127.0.0.1:8443")]
    pub(crate) listen: SocketAddr,
    /// A loopback address for the managed-identity token endpoint, over plain HTTP.
    #[arg(long)]
    pub(crate) listen_http: Option<SocketAddr>,
    /// Where /healthz and /metrics are served, over plain HTTP; port 0 takes a free one. Default: nowhere.
    #[arg(long, env = "KLUIS_METRICS_LISTEN")]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// The clock that schedules and recovery points follow.
    #[arg(long, value_enum, default_value_t = ClockKind::System)]
    pub(crate) clock: ClockKind,
    /// How many days the service or its machine may have been off before its clock has to be confirmed by a person.
    #[arg(long, value_name = "DAYS", default_value_t = 31)]
    pub(crate) longest_pause_days: u16,
    /// Say that the machine's clock is right, whatever the service knows of the time (docs/clock.md).
    #[arg(long)]
    pub(crate) confirm_clock: bool,
    /// How many jobs run at once; the rest queue. Default: the number of cores.
    #[arg(long)]
    pub(crate) max_jobs: Option<NonZeroU16>,
    /// How many backups on demand a machine may have within 24 hours; more are refused, as in Azure.
    #[arg(long, value_name = "N", default_value = "9")]
    pub(crate) on_demand_per_day: NonZeroU16,
    /// Beyond how many of them a job warns.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) on_demand_advised: u16,
    /// Within how many backups in a row all that dirty bitmaps call unchanged is read and compared all the same.
    #[arg(long, value_name = "BACKUPS", default_value = "30")]
    pub(crate) compared_within: NonZeroU16,
    /// After how many minutes in which no byte of it moved a job is ended, and has failed.
    #[arg(long, value_name = "MINUTES", default_value = "30")]
    pub(crate) stalled_after: NonZeroU16,
    /// Within which time every byte of a vault is read again and compared with what was written, as 30d or 12h; off for never.
    #[arg(long, value_name = "TIME", default_value = "30d")]
    pub(crate) scrub_period: ScrubPeriod,
    /// How many MiB of it are read in a second at the most.
    #[arg(long, value_name = "MIB", default_value = "64")]
    pub(crate) scrub_rate: NonZeroU32,
    /// What instant restores come from where the file system can't share the blocks of disks: the vault, which is then filled at once, or copies.
    #[arg(long, value_name = "WHERE", default_value = "vault")]
    pub(crate) instant_restore: InstantFrom,
    /// The file that holds the vaults' passphrase. Default: DIR/passphrase, made at first start.
    #[arg(long)]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Answers 429 to more reads of jobs in an hour, as Azure does to more than 150. Default: no limit.
    #[arg(long)]
    pub(crate) job_reads_per_hour: Option<NonZeroU16>,
    /// The file that the audit trail is appended to, a JSON object a line. Default: the log alone has it.
    #[arg(long, value_name = "FILE", env = "KLUIS_AUDIT_LOG")]
    pub(crate) audit_log: Option<PathBuf>,
    /// Change nothing that the audit trail's file would not tell of.
    #[arg(long, requires = "audit_log")]
    pub(crate) audit_required: bool,
    /// Have all reads in the audit trail, not only those of files in recovery points.
    #[arg(long)]
    pub(crate) audit_reads: bool,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
}

/// What instant restores come from where the file system can't share blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InstantFrom {
    Vault,
    Copy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClockKind {
    /// The machine's clock.
    System,
    /// A clock that stands still until it is told to advance: for tests and demonstrations.
    Virtual,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_limit_of_the_service_is_zero() {
        let service = ["kluis", "service", "--data-dir", "d", "--inventory", "i"];
        let limits = [
            "--max-jobs",
            "--on-demand-per-day",
            "--compared-within",
            "--stalled-after",
            "--scrub-rate",
            "--job-reads-per-hour",
        ];
        for limit in limits {
            let given = |number: &'static str| service.into_iter().chain([limit, number]);
            assert!(Args::try_parse_from(given("1")).is_ok(), "{limit}");
            let refused = Args::try_parse_from(given("0")).unwrap_err().to_string();
            let (named, why) = (refused.contains(limit), "number would be zero");
            assert!(named && refused.contains(why), "{refused}");
        }
    }
}
