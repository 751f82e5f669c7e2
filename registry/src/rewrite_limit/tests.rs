use super::*;

#[test]
fn rewrites_slow_down_and_calm_ends_that() {
    let (mut limit, start) = (RewriteLimit::default(), Instant::now());
    for _ in 0..MAX_AT_ONCE {
        assert_eq!(limit.pause(start), Duration::ZERO);
    }
    let mut at = start;
    for most in [1, 2, 4, 8, 16, 32, 60, 60] {
        let pause = limit.pause(at);
        let most = Duration::from_secs(most);
        assert!(pause <= most && pause >= most / 2, "{pause:?} of {most:?}");
        at += pause;
    }
    assert_eq!(limit.rewrites, MAX_AT_ONCE + 8);
    assert_eq!(limit.pause(at + REWRITE_CALM_TIME), Duration::ZERO);
}
