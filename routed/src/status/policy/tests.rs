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
    assert_eq!(status(Some(true), true).trouble(), None);
}

#[test]
fn absent_program_is_a_trouble_that_says_what_pods_have() {
    for (running, ready, parts) in [
        (
            Some(false),
            true,
            ["running pods keep their rules", "new pods are closed"],
        ),
        (
            Some(false),
            false,
            ["since the boot", "no pod can be added"],
        ),
        (Some(true), false, ["its log says", "no pod can be added"]),
        (None, true, ["cannot tell", "denied"]),
    ] {
        let trouble = status(running, ready).trouble().unwrap();
        assert!(parts.iter().all(|part| trouble.contains(part)), "{trouble}");
    }
}
