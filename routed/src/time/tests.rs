use super::*;

#[test]
fn age_has_the_two_largest_units() {
    for (seconds, expected) in [
        (0, "0s"),
        (59, "59s"),
        (60, "1m0s"),
        (11_520, "3h12m"),
        (4 * DAY + 7 * 3600 + 59, "4d7h"),
    ] {
        assert_eq!(age(seconds), expected);
    }
}

#[test]
fn date_follows_the_calendar() {
    for (seconds, expected) in [
        (0, "1970-01-01 00:00:00 UTC"),
        (951_782_399, "2000-02-28 23:59:59 UTC"),
        (951_782_400, "2000-02-29 00:00:00 UTC"),
        (1_767_225_599, "2025-12-31 23:59:59 UTC"),
        (1_795_239_498, "2026-11-21 05:38:18 UTC"),
        (u64::MAX, "9999-12-31 23:59:59 UTC"),
    ] {
        assert_eq!(date(seconds), expected);
    }
}
