use std::time::Duration;

use super::*;

#[test]
fn contested_setting_is_put_right_three_times_in_ten_minutes() {
    let (mut repairs, start) = (Repairs::default(), Instant::now());
    for (minutes, setting, expected) in [
        (0, "a", true),
        (0, "a", true),
        (2, "a", true),
        (3, "a", false),
        (3, "b", true),
        (9, "a", false),
        (10, "a", true),
        (11, "a", true),
        (11, "a", false),
        (12, "a", true),
    ] {
        let now = start + Duration::from_secs(minutes * 60);
        assert_eq!(repairs.may_repair(setting, now), expected, "{minutes}");
    }
}
