use super::*;

fn dst(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn refused(text: &str) -> ApplyError {
    ApplyError::Refused(text.to_owned())
}

#[test]
fn same_failure_is_new_only_once() {
    let (mut failures, now) = (Retries::default(), Instant::now());
    let a = dst("10.244.1.0/24");
    assert!(failures.add(a, refused("no route to host"), now));
    assert!(!failures.add(a, refused("no route to host"), now));
    assert!(failures.add(a, refused("invalid argument"), now));
}

#[test]
fn retained_failures_are_those_out_of_scope() {
    let (mut failures, now) = (Retries::default(), Instant::now());
    let (a, b) = (dst("10.244.1.0/24"), dst("10.244.2.0/24"));
    failures.add(a, refused("x"), now);
    failures.add(b, refused("x"), now);
    failures.retain_only(&BTreeSet::new(), &UpdateScope::Only([a].into()));
    assert!(failures.add(a, refused("x"), now));
    assert!(!failures.add(b, refused("x"), now));
    failures.retain_only(&BTreeSet::new(), &UpdateScope::All);
    assert_eq!(failures.retry_at(), None);
}

#[test]
fn repeated_failure_is_retried_ever_later() {
    let (mut failures, now) = (Retries::default(), Instant::now());
    let a = dst("10.244.1.0/24");
    failures.add(a, refused("x"), now);
    assert!(failures.retry_at().unwrap() <= now + ROUTE_RETRY_BACKOFF.first);
    for _ in 0..20 {
        failures.add(a, refused("x"), now);
    }
    let last = failures.retry_at().unwrap() - now;
    assert!(
        (ROUTE_RETRY_BACKOFF.most / 2..=ROUTE_RETRY_BACKOFF.most).contains(&last),
        "{last:?}"
    );
}
