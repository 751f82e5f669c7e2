//! Waiting for a condition with a timeout.

use std::fmt::Display;
use std::thread;
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// The timeout for anything that should be quick, on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// How often a condition is checked.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Waits until `probe` returns a value, and returns it; `what` names it in the error.
pub fn wait_for<T>(
    what: impl Display,
    deadline: Duration,
    mut probe: impl FnMut() -> Option<T>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = probe() {
            return Ok(found);
        }
        if start.elapsed() > deadline {
            return Err(Error::new(format!("still no {what} after {deadline:?}")));
        }
        thread::sleep(POLL_INTERVAL);
    }
}

/// Waits until `condition` holds.
pub fn wait_until(
    what: impl Display,
    deadline: Duration,
    mut condition: impl FnMut() -> bool,
) -> Result {
    wait_for(what, deadline, || condition().then_some(()))
}
