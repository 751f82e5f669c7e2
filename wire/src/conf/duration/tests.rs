use serde_json::json;

use super::*;

#[test]
fn duration_is_seconds_or_numbers_with_units() {
    for (value, expected) in [
        (json!(0), Some(0)),
        (json!(130), Some(130)),
        (json!("90s"), Some(90)),
        (json!("10m"), Some(600)),
        (json!("72h"), Some(259_200)),
        (json!("3d"), Some(259_200)),
        (json!("1d12h30m5s"), Some(131_405)),
        (json!("1h5s"), Some(3_605)),
        (json!("007s"), Some(7)),
        (json!(""), None),
        (json!("72"), None),
        (json!("h"), None),
        (json!("+1h"), None),
        (json!("-1h"), None),
        (json!("1.5h"), None),
        (json!("5s1h"), None),
        (json!("1h1h"), None),
        (json!("1 h"), None),
        (json!("1w"), None),
        (json!("1h "), None),
        (json!("99999999999999999999s"), None),
        (json!("999999999999999999d"), None),
        (json!(1.5), None),
        (json!(-1), None),
        (json!(null), None),
        (json!([1]), None),
    ] {
        assert_eq!(read(&value), expected.map(Duration::from_secs), "{value}");
    }
}
