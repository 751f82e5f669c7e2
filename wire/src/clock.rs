//! The two clocks of this project: time since boot, and seconds since 1970.

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

/// The time since boot, including suspend (`CLOCK_BOOTTIME`). Unlike the wall clock it never jumps.
pub fn since_boot() -> io::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_BOOTTIME)?.into())
}

/// The wall clock in seconds since 1970; 0 if it is set to a time before that.
pub fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
