//! Formats ages and dates for display.

use std::time::{Duration, UNIX_EPOCH};

const DAY: u64 = 24 * 60 * 60;

/// 9999-12-31T23:59:59Z.
const LAST_SECOND: u64 = 253_402_300_799;

/// `3h12m`, from seconds: the two largest units.
pub(crate) fn age(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / DAY);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{}s", seconds % 60),
        (0, _, _) => format!("{hours}h{}m", minutes % 60),
        _ => format!("{days}d{}h", hours % 24),
    }
}

/// `2026-11-21 05:38:18 UTC`, from seconds since 1970.
pub(crate) fn date(seconds: u64) -> String {
    rfc3339(seconds).replace('T', " ").replace('Z', " UTC")
}

/// `2026-11-21T05:38:18Z` (RFC 3339), from seconds since 1970.
pub(crate) fn rfc3339(seconds: u64) -> String {
    // The year 9999 is the last that the format has.
    let time = UNIX_EPOCH + Duration::from_secs(seconds.min(LAST_SECOND));
    humantime::format_rfc3339_seconds(time).to_string()
}

#[cfg(test)]
mod tests;
