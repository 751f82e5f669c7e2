use super::*;

use std::time::Duration;

fn report(missing: &[&str]) -> NodeReport {
    NodeReport {
        has_node: true,
        missing: missing.iter().map(|&text| text.to_owned()).collect(),
        troubles: Vec::new(),
    }
}

#[test]
fn node_that_is_not_ready_for_a_moment_stays_ready() {
    let ready = "pods of this node have a network";
    let (short, long) = (NOT_READY_DELAY / 3, NOT_READY_DELAY);
    let steps: &[(Duration, &[&str], Option<&str>)] = &[
        (Duration::ZERO, &["no conflist"], None),
        (short, &["no conflist"], None),
        (long, &["no conflist"], Some("no conflist")),
        (short, &[], Some(ready)),
        (short, &["no address"], Some(ready)),
        (short, &[], Some(ready)),
        (short, &["no address"], Some(ready)),
        (short, &["no conflist"], Some(ready)),
        (long, &["no conflist"], Some("no conflist")),
        (short, &["1 route"], Some("no conflist")),
        (short, &["2 routes"], Some("no conflist")),
        (long, &["2 routes"], Some("2 routes")),
    ];
    let (mut damper, mut now) = (Damper::default(), Instant::now());
    for (number, (after, missing, expected)) in steps.iter().enumerate() {
        now += *after;
        let shown = damper.settle(&report(missing), now);
        let message = shown.as_ref().map(|it| it.message.as_str());
        assert_eq!(message, *expected, "step {number}");
    }
}

#[test]
fn patch_keeps_the_time_of_the_transition() {
    let condition = ReadyCondition::of(&report(&["no conflist"]));
    let before = |is_ready| {
        let condition = ReadyCondition {
            is_ready,
            message: String::new(),
        };
        (condition, "2026-01-01T00:00:00Z".to_owned())
    };
    for (before, since) in [
        (None, "1970-01-01T00:01:40Z"),
        (Some(before(true)), "1970-01-01T00:01:40Z"),
        (Some(before(false)), "2026-01-01T00:00:00Z"),
    ] {
        let patch = condition.patch(before.as_ref(), 100);
        let shown = &patch["status"]["conditions"][0];
        assert_eq!(shown["lastTransitionTime"], since);
        let node = json!({ "status": { "conditions": [{ "type": "Ready" }, shown] } });
        assert_eq!(ReadyCondition::find(&node).unwrap().0, condition);
    }
}
