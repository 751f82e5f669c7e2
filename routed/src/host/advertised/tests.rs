use std::time::Duration;

use super::*;

#[test]
fn missing_family_is_advertised_for_a_minute_or_if_it_is_all() {
    let start = Instant::now();
    let ips = |texts: &[&str]| -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    };
    let (both, v6) = (ips(&["192.168.1.1", "fd00:1::1"]), ips(&["fd00:1::1"]));
    let kept = ips(&["fd00:1::1", "192.168.1.1"]);
    let mut advertised = Advertised::default();
    for (second, found, expected, is_whole) in [
        (0, Ok(both.clone()), &both, true),
        // No check for a long time.
        (500, Ok(v6.clone()), &kept, false),
        (559, Ok(v6.clone()), &kept, false),
        (560, Ok(v6.clone()), &v6, false),
        (561, Ok(v6.clone()), &v6, true),
        (570, Err("no uplink".to_owned()), &v6, false),
        (999, Err("no uplink".to_owned()), &v6, false),
    ] {
        let now = start + Duration::from_secs(second);
        let result = advertised.update(found, now);
        assert_eq!(
            (advertised.addresses(), result),
            (&**expected, is_whole),
            "{second}"
        );
    }
    assert_eq!(advertised.trouble(), Some("no uplink"));
    assert!(advertised.update(Ok(both), start) && advertised.trouble().is_none());
}
