use super::*;

#[test]
fn pauses_double_up_to_the_limit_and_keep_at_least_half() {
    let backoff = Backoff {
        first: Duration::from_millis(100),
        most: Duration::from_secs(2),
    };
    for (failures, full) in [
        (1, 100),
        (2, 200),
        (3, 400),
        (6, 2000),
        (4_000_000_000, 2000),
    ] {
        let full = Duration::from_millis(full);
        assert_eq!(backoff.pause_at(failures, 0), full / 2);
        let longest = backoff.pause_at(failures, 1023);
        assert!(
            longest <= full && longest > full * 9 / 10,
            "{failures}: {longest:?}"
        );
    }
}

#[test]
fn pauses_are_random() {
    let backoff = Backoff {
        first: Duration::from_secs(1),
        most: Duration::from_secs(1),
    };
    assert!((0..20).any(|_| backoff.pause(1) != backoff.pause(1)));
}
