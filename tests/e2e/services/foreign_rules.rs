//! Flatland does not change the rules of other programs.

use lab::{DEADLINE, Machine, Result, wait_until};
use nix::sys::signal::Signal;

use crate::cluster::{Client, Mode, backend, proxy, raise};
use crate::service::Service;

/// All rules of a node except those of table inet flatland, with their handles: rules that were
/// replaced have new ones.
fn foreign_rules(node: &Machine) -> Result<String> {
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

/// Whatever `routed` does, kube-proxy's rules are neither changed nor replaced, and work.
fn rules_stay(mode: Mode) -> Result {
    let lab = raise()?;
    let one = lab.node(1);
    let far = backend(&lab, 2, "far")?;
    let here = one.add_pod("here")?;
    let services = [Service::new("far", 1, &[&far.endpoint])];
    proxy(&lab, mode, &services)?;
    let before = foreign_rules(one)?;
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

    assert_eq!(foreign_rules(one)?, before);
    for pod in [&here, &late] {
        let seen = Client::Pod(pod).seen_through(&services[0])?;
        assert_eq!(seen, pod.addresses());
    }
    Ok(())
}

#[test]
fn kube_proxy_iptables_rules_are_not_changed() -> Result {
    rules_stay(Mode::Iptables)
}

#[test]
fn kube_proxy_nftables_rules_are_not_changed() -> Result {
    rules_stay(Mode::Nftables)
}

/// Docker and others set the policy of FORWARD to DROP; kube-proxy only accepts packets that it
/// marked and established connections.
#[test]
fn services_behind_a_forward_policy_of_drop_work() -> Result {
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
