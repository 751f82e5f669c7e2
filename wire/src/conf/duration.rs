//! Durations in the configuration: seconds, or a text such as `"72h"`.

use std::time::Duration;

use serde_json::Value;

/// The units and their lengths in seconds, in descending order.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Reads a number of seconds, or a text such as `"72h"` or `"1d12h"`: whole numbers with the units
/// d, h, m and s, each at most once and in this order.
pub(super) fn read(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Number(seconds) => seconds.as_u64()?,
        Value::String(text) => parse(text)?,
        _ => return None,
    };
    Some(Duration::from_secs(seconds))
}

fn parse(text: &str) -> Option<u64> {
    let (mut rest, mut seconds) = (text, 0_u64);
    for (unit, length) in UNITS {
        let Some((number, after)) = rest.split_once(unit) else {
            continue;
        };
        // The parser of u64 would accept a sign.
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let part = number.parse::<u64>().ok()?.checked_mul(length)?;
        seconds = seconds.checked_add(part)?;
        rest = after;
    }
    (rest.is_empty() && !text.is_empty()).then_some(seconds)
}

#[cfg(test)]
mod tests {
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
}
