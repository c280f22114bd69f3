//! Log lines go to standard error, so that standard output carries a command's
//! own answer and nothing else. `RUST_LOG` chooses what is logged.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::args::LogFormat;

/// What is logged when `RUST_LOG` says nothing: our own decisions, and of the
/// libraries only what went wrong.
const DEFAULT_FILTER: &str = "warn,audit=info,kluis=info,kluis_operator=info,kluis_service=info,kluis_client=info,kluis_vault=info";

pub(crate) fn start(format: LogFormat) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && !is_plain())
        // It would be told on standard error, which is what could not be written to.
        .log_internal_errors(false);
    match format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
}

/// Whether no colours are wanted: <https://no-color.org>.
fn is_plain() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}
