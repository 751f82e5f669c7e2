//! Whose rules are whose.

use lab::{DEADLINE, Machine, Result, wait_until};
use nix::sys::signal::Signal;

use crate::cluster::{Client, Mode, backend, proxy, raise};
use crate::service::Service;

/// All rules of a node but those of our own table, with their handles: what was made anew has
/// others.
fn theirs(node: &Machine) -> Result<String> {
    let text = node.run(&["nft", "--handle", "--stateless", "list", "ruleset"])?;
    let mut ours = false;
    let mut lines = String::new();
    for line in text.lines() {
        if line.starts_with("table ") {
            ours = line.starts_with("table inet flatland ");
        }
        if !ours {
            lines += line;
            lines.push('\n');
        }
    }
    Ok(lines)
}

/// Whatever `routed` does, kube-proxy's rules stay the very same, and work.
fn stays(mode: Mode) -> Result {
    let lab = raise()?;
    let one = lab.node(1);
    let far = backend(&lab, 2, "far")?;
    let here = one.add_pod("here")?;
    let services = [Service::new("far", 1, &[&far.endpoint])];
    proxy(&lab, mode, &services)?;
    let before = theirs(one)?;
    assert!(before.contains("far"), "{before}");

    one.run(&["nft", "delete", "table", "inet", "flatland"])?;
    let table = ["nft", "list", "table", "inet", "flatland"];
    wait_until("our table to be back", DEADLINE, || one.run(&table).is_ok())?;
    one.end_routed(Signal::SIGKILL)?;
    one.spawn_routed(&[])?;
    wait_until("a second start", DEADLINE, || {
        one.routed_log().matches("table inet flatland").count() >= 3
    })
    .map_err(|error| error.doing(one.routed_log()))?;
    let late = one.add_pod("late")?;

    assert_eq!(theirs(one)?, before);
    for pod in [&here, &late] {
        let seen = Client::Pod(pod).seen_through(&services[0])?;
        assert_eq!(seen, pod.addresses());
    }
    Ok(())
}

#[test]
fn what_kube_proxy_wrote_by_iptables_stays_as_it_is() -> Result {
    stays(Mode::Iptables)
}

#[test]
fn what_kube_proxy_wrote_by_nftables_stays_as_it_is() -> Result {
    stays(Mode::Nftables)
}

/// Docker and others set the policy of FORWARD to DROP; kube-proxy lets pass what it marked and
/// what is established, and nothing else.
#[test]
fn services_pass_where_a_forward_policy_drops() -> Result {
    let lab = raise()?;
    let (near, far) = (backend(&lab, 1, "near")?, backend(&lab, 2, "far")?);
    let here = lab.node(1).add_pod("here")?;
    let services = [
        Service::new("near", 1, &[&near.endpoint]),
        Service::new("far", 2, &[&far.endpoint]),
    ];
    proxy(&lab, Mode::Iptables, &services)?;
    for node in lab.nodes() {
        for program in ["iptables-nft", "ip6tables-nft"] {
            node.run(&[program, "-P", "FORWARD", "DROP"])?;
        }
    }
    for node in lab.nodes() {
        for program in ["iptables-nft", "ip6tables-nft"] {
            wait_until("rules for pods", DEADLINE, || {
                let rules = node.run(&[program, "-S", "FORWARD"]);
                rules.is_ok_and(|rules| rules.matches("flatland: pods").count() == 2)
            })
            .map_err(|error| error.doing(node.routed_log()))?;
        }
    }

    for service in &services {
        let seen = Client::Pod(&here).seen_through(service)?;
        assert_eq!(seen, here.addresses(), "{}", service.name);
        let node = lab.node(1);
        let seen = Client::Machine(node).seen_through(service)?;
        assert_eq!(seen, node.addresses(), "{}", service.name);
    }
    Ok(())
}
