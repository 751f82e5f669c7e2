//! `routed run`: the daemon, and its log.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use super::{CommandError, Report};
use crate::config::{Config, LogFormat, RunArgs};
use crate::error::Error;

/// Runs the daemon until a signal ends it. Its log already says why it failed, if it did.
pub(crate) fn run(args: RunArgs) -> Result<Report, CommandError> {
    start_log(args.log_format);
    match serve(args) {
        Ok(()) => Ok(Report::from(String::new())),
        Err(error) => {
            tracing::error!("{error}");
            Err(CommandError::new(error.exit_status(), String::new()))
        }
    }
}

fn serve(args: RunArgs) -> Result<(), Error> {
    let config = Config::read(args)?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(crate::daemon::event_loop::run(config))
}

/// The log goes to standard error; `RUST_LOG` chooses what of it, `info` unless set.
fn start_log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}
