//! The arguments of `kluis plan`.

use std::path::PathBuf;

use clap::Args;

use crate::output::Format;

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// Files, folders, or - for standard input.
    #[arg(short, long = "filename", value_name = "PATH", required = true, num_args = 1..)]
    pub(crate) filename: Vec<PathBuf>,
    /// The namespace of objects that name none; the current context's when left out.
    #[arg(short, long)]
    pub(crate) namespace: Option<String>,
    /// The kubeconfig's context.
    #[arg(long)]
    pub(crate) context: Option<String>,
    /// Where the operator runs: a service's client secret is read from there.
    #[arg(long, default_value = "kluis-system", env = "KLUIS_NAMESPACE")]
    pub(crate) operator_namespace: String,
    /// What is printed.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Format,
}
