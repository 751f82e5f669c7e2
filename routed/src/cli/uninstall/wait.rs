//! `routed uninstall --wait`: tries again until the node is clean, as the containers of
//! `conf/kubernetes/uninstall.yaml` do.

use std::io::{self, Write};

use daemonkit::OnChange;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use crate::cli::{CommandError, block_on};
use crate::timeouts::UNINSTALL_RETRY_INTERVAL;

/// Attempts until a signal comes, and prints the outcome when it changes.
pub(super) fn run(
    mut attempt: impl FnMut() -> Result<String, CommandError>,
) -> Result<String, CommandError> {
    let failed =
        |error: io::Error| CommandError::new(1, format!("cannot wait for signals: {error}"));
    block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut outcome = OnChange::default();
        loop {
            let text = attempt().unwrap_or_else(|error| error.text);
            if outcome.changed(&text) {
                // The log is all that it is for: without a reader, the work goes on.
                let _ = writeln!(io::stdout(), "{text}");
            }
            tokio::select! {
                _ = terminate.recv() => return Ok(String::new()),
                _ = interrupt.recv() => return Ok(String::new()),
                () = sleep(UNINSTALL_RETRY_INTERVAL) => {}
            }
        }
    })
}
