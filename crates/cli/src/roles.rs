//! What each command does: its arguments become a library's configuration, and the library does the rest.

use std::future::Future;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use kluis_operator::OperatorConfig;
use kluis_service::{
    Audit, ClockBelief, ClockMode, Config, InstantRestore, Movers, OnDemand, Scrub,
};

use crate::answer::Answer;
use crate::args::{ClockKind, Command, InstantFrom, OperatorArgs, ServiceArgs};
use crate::{connection, definitions, manual, person, plan, simulate, validate};

/// Does what the command says. The code is not 0 where what was asked for is not so, which has been told then.
pub(crate) fn run(command: Command) -> Result<ExitCode> {
    let out = &mut Answer::begin();
    let code = carry_out(command, out)?;
    // What does not fit on a full disk is known only now.
    out.flush().context("writing to standard output")?;
    Ok(code)
}

fn carry_out(command: Command, out: &mut Answer) -> Result<ExitCode> {
    let done = |()| ExitCode::SUCCESS;
    let so = |is: bool| {
        if is {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    };
    match command {
        Command::Operator(args) => operator(args).map(done),
        Command::Service(args) => service(args).map(done),
        Command::Crds(args) if args.apply => waited(definitions::apply(out)).map(done),
        Command::Crds(_) => definitions::print(out).map(done),
        Command::Connection(args) => connection::print(&args, out).map(done),
        Command::Validate(args) => validate::run(&args.filename, args.output, out).map(so),
        Command::Simulate(args) => simulate::run(&args, out).map(done),
        Command::Plan(args) => waited(plan::run(&args, out)),
        Command::Points(args) => waited(person::points(&args, out)).map(done),
        Command::Jobs(args) => waited(person::jobs(&args, out)).map(so),
        Command::Backup(args) => waited(person::backup(&args, out)).map(so),
        Command::Restore(args) => waited(person::restore(&args, out)),
        Command::Approve(args) => waited(person::approve(&args, out)).map(done),
        Command::Ls(args) => waited(person::ls(&args, out)).map(done),
        Command::Completions { shell } => manual::completions(shell, out).map(done),
        Command::Man => manual::page(out).map(done),
        Command::Mover { .. } => bail!("a mover is started before anything else is set up"),
    }
}

/// A person's command: one thread is enough to ask and to wait.
fn waited<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tls_provider()?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the asynchronous runtime")?
        .block_on(work)
}

fn operator(args: OperatorArgs) -> Result<()> {
    let config = OperatorConfig {
        namespace: args.namespace,
        leader_election: args.leader_election,
        listen: args.metrics_listen,
    };
    tls_provider()?;
    tokio::runtime::Runtime::new()
        .context("starting the asynchronous runtime")?
        .block_on(kluis_operator::run(config))
        .context("running the operator")
}

fn service(args: ServiceArgs) -> Result<()> {
    let config = Config {
        data_dir: args.data_dir,
        inventory: args.inventory,
        listen: args.listen,
        listen_http: args.listen_http,
        metrics_listen: args.metrics_listen,
        clock: match args.clock {
            ClockKind::System => ClockMode::System,
            ClockKind::Virtual => ClockMode::Virtual,
        },
        clock_belief: ClockBelief {
            longest_pause_days: args.longest_pause_days,
            confirmed: args.confirm_clock,
        },
        max_jobs: args
            .max_jobs
            .map_or_else(cores, |jobs| usize::from(jobs.get())),
        on_demand: OnDemand {
            advised: usize::from(args.on_demand_advised),
            most: usize::from(args.on_demand_per_day.get()),
        },
        compared_within: args.compared_within,
        stalled_after: Duration::from_secs(60 * u64::from(args.stalled_after.get())),
        instant_restore: match args.instant_restore {
            InstantFrom::Vault => InstantRestore::Vault,
            InstantFrom::Copy => InstantRestore::Copy,
        },
        scrub: Scrub {
            period: args.scrub_period.0,
            bytes_per_second: Some(u64::from(args.scrub_rate.get()) << 20),
        },
        passphrase_file: args.passphrase_file,
        job_reads_per_hour: args.job_reads_per_hour,
        audit: Audit {
            file: args.audit_log,
            required: args.audit_required,
            reads: args.audit_reads,
        },
        limits: args.limits.into(),
        movers: Movers::ThisProgram,
    };
    tls_provider()?;
    // The service builds a runtime of its own: its core is synchronous and must not run on one of ours.
    kluis_service::run(config).context("running the backup service")
}

/// One mover a core keeps the cores busy without holding more snapshots open than they can read.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The TLS provider that all of this process's connections use.
fn tls_provider() -> Result<()> {
    if rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err()
    {
        bail!("a TLS provider is already installed: this process was set up twice");
    }
    Ok(())
}
