use super::*;

fn status(running: Option<bool>, ready: bool) -> PolicyStatus {
    PolicyStatus {
        running,
        why: running.is_none().then(|| "denied".to_owned()),
        ready,
    }
}

#[test]
fn running_program_with_rules_in_the_kernel_is_no_trouble() {
    let well = status(Some(true), true);
    assert_eq!(well.trouble(), None);
    assert_eq!(well.summary(), "flatland-policy is running");
}

#[test]
fn absent_program_is_a_trouble_that_says_what_pods_have() {
    for (running, ready, summary, parts) in [
        (
            Some(false),
            true,
            "flatland-policy is not running",
            ["running pods keep their rules", "new pods are closed"],
        ),
        (
            Some(false),
            false,
            "flatland-policy is not running",
            ["since the boot", "no pod can be added"],
        ),
        (
            Some(true),
            false,
            "flatland-policy is starting",
            ["its log says", "no pod can be added"],
        ),
        (None, true, "unknown", ["cannot tell", "denied"]),
    ] {
        let status = status(running, ready);
        assert_eq!(status.summary(), summary);
        let trouble = status.trouble().unwrap();
        assert!(parts.iter().all(|part| trouble.contains(part)), "{trouble}");
    }
}
