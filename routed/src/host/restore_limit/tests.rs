use std::time::Duration;

use super::*;

#[test]
fn pauses_double_and_end_after_a_quiet_time() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut limit = RestoreLimit::default();
    let mut now = 0;
    for (count, pause) in [1, 2, 4, 8, 16, 32, 60, 60].into_iter().enumerate() {
        assert!(limit.allows(at(now)));
        limit.restored(at(now));
        assert_eq!(limit.is_fight(), count > 0);
        assert!(!limit.allows(at(now + pause - 1)), "{count}");
        now += pause;
    }
    assert!(limit.is_fight());
    limit.forget(at(now + 600));
    assert!(!limit.is_fight() && limit.allows(at(now + 600)));
}
