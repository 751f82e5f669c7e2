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
mod tests;
