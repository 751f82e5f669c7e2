//! Formats ages and dates for display.

const DAY: u64 = 24 * 60 * 60;

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
    let (date, time) = date_and_time(seconds);
    format!("{date} {time} UTC")
}

/// `2026-11-21T05:38:18Z` (RFC 3339), from seconds since 1970.
pub(crate) fn rfc3339(seconds: u64) -> String {
    let (date, time) = date_and_time(seconds);
    format!("{date}T{time}Z")
}

fn date_and_time(seconds: u64) -> (String, String) {
    let (mut days, time) = (seconds / DAY, seconds % DAY);
    let mut year = 1970;
    while days >= days_of(year) {
        days -= days_of(year);
        year += 1;
    }
    let february = days_of(year) - 337;
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in months {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    let day = days + 1;
    let date = format!("{year}-{month:02}-{day:02}");
    (date, format!("{hour:02}:{minute:02}:{second:02}"))
}

fn days_of(year: u64) -> u64 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    if is_leap { 366 } else { 365 }
}

#[cfg(test)]
mod tests;
