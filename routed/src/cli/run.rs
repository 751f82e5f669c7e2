//! `routed run`: starts the daemon and its log (`--log-format`, `RUST_LOG`).

use daemonkit::{log, termination};

use super::{CliOutput, CommandError};
use crate::config::{Config, RunArgs};
use crate::error::Error;

/// Runs the daemon until a signal ends it. An error is already in the log when this returns.
pub(crate) fn run(args: RunArgs) -> Result<CliOutput, CommandError> {
    log::start(args.log_format);
    match serve(args) {
        Ok(()) => Ok(CliOutput::from(String::new())),
        Err(error) => {
            tracing::error!(error = %error, "{error}");
            termination::write(&error.to_string());
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
