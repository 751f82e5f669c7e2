//! Pods that send under addresses that are not theirs.

use lab::{Families, Pod, Result};
use serde_json::json;

use crate::support::{raise, reaches, run};

/// How many packets the guard dropped for that reason.
fn dropped(pod: &Pod<'_>, reason: &str) -> Result<u64> {
    let listed = run(pod.machine(), "nft list chain inet flatland spoof-guard")?;
    let rule = listed.lines().find(|line| line.contains(reason));
    let count = rule.and_then(|rule| {
        let mut words = rule.split_whitespace();
        words.find(|word| *word == "packets")?;
        words.next()?.parse().ok()
    });
    Ok(count.unwrap_or_default())
}

const FOREIGN: &str = "not the pod's own address";

#[test]
fn what_a_pod_sends_under_another_address_goes_nowhere() -> Result {
    let lab = raise(2, Families::Dual, &json!({}))?;
    let [one, two] = [lab.node(1), lab.node(2)];
    // The setting that some distributions have, which makes that of the host ends a loose one.
    run(one, "sysctl -qw net.ipv4.conf.all.rp_filter=2")?;
    let (a, b, other) = (one.add_pod("a")?, two.add_pod("b")?, one.add_pod("c")?);
    let (a_own, b_own) = (a.addresses(), b.addresses());

    for (number, (foreign, target)) in [
        ("10.244.250.1".to_owned(), b_own[0]),
        ("fd00:10:244:ff::1".to_owned(), b_own[1]),
        (other.addresses()[0].to_string(), b_own[0]),
        (other.addresses()[1].to_string(), b_own[1]),
        ("192.168.1.77".to_owned(), one.addresses()[0]),
        ("2001:db8::1".to_owned(), one.addresses()[1]),
        (two.addresses()[1].to_string(), one.addresses()[1]),
    ]
    .into_iter()
    .enumerate()
    {
        let before = dropped(&a, FOREIGN)?;
        let ip = |verb: &str| -> Result<String> {
            let nodad: &[&str] = if target.is_ipv6() { &["nodad"] } else { &[] };
            let words = [&["ip", "address", verb, &foreign, "dev", "eth0"], nodad].concat();
            a.run(&words)
        };
        ip("add")?;
        let target = target.to_string();
        let ping = a.run_any(&["ping", "-c1", "-W1", "-I", &foreign, &target])?;
        ip("del")?;

        assert!(!ping.status.success(), "{number}: {ping:?}");
        let after = dropped(&a, FOREIGN)?;
        assert!(after > before, "{number}: {foreign} to {target} passed");
    }
    let quiet = dropped(&a, FOREIGN)?;
    assert!(reaches(&a, &b) && reaches(&b, &a) && reaches(&a, &other));
    assert_eq!(dropped(&a, FOREIGN)?, quiet, "own addresses: {a_own:?}");
    Ok(())
}
