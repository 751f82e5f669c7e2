use std::time::Duration;

use super::*;

fn denial(port: u16) -> Denial {
    Denial {
        source: "shop/web".to_owned(),
        destination: "bank/db".to_owned(),
        protocol: format!(":{port}/tcp"),
        cause: "by bank/deny".to_owned(),
        direction: TrafficDirection::Ingress,
    }
}

#[test]
fn denial_reads_as_a_sentence() {
    let expected = "denied shop/web -> bank/db:5432/tcp by bank/deny (ingress)";
    assert_eq!(denial(5432).to_string(), expected);
}

#[test]
fn denial_is_logged_again_only_after_a_while() {
    let mut log = DenialLog::default();
    let start = Instant::now();
    assert!(log.admit(&denial(1), start));
    assert!(!log.admit(&denial(1), start + Duration::from_secs(9)));
    assert!(log.admit(&denial(2), start + Duration::from_secs(9)));
    assert!(log.admit(&denial(1), start + DENIAL_INTERVAL));
    assert_eq!(log.left_out, 0);
}

#[test]
fn denials_beyond_the_limit_are_counted_and_not_kept() {
    let mut log = DenialLog::default();
    let now = Instant::now();
    let admitted = (0..2_000)
        .filter(|port| log.admit(&denial(*port), now))
        .count();
    assert_eq!((admitted, log.logged.len()), (MAX_DENIALS, MAX_DENIALS));
    assert_eq!(log.left_out, 1_900);
}
