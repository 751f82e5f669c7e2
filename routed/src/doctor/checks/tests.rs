use std::path::Path;

use wire::conf::PROGRAMS;

use super::*;
use crate::doctor::{EtcdFacts, NetworkManager, Networkd, Program};
use crate::firewall::{BlockingChain, Survey};

fn setting(name: &str, value: &str) -> Setting {
    Setting {
        name: name.to_owned(),
        value: Ok(value.to_owned()),
    }
}

fn sound() -> HostFacts {
    let program = |name: &str| Program {
        path: Path::new("/opt/cni/bin").join(name),
        version: Some(wire::VERSION.to_owned()),
        is_there: true,
    };
    HostFacts {
        programs: PROGRAMS.map(program).to_vec(),
        pod_cidrs: Ok(vec!["10.244.0.0/16".parse().unwrap()]),
        service_cidrs: vec!["10.96.0.0/12".parse().unwrap()],
        forwarding: vec![setting("net/ipv4/ip_forward", "1")],
        firewall: Ok(Survey::default()),
        rp_filter: vec![
            setting("net/ipv4/conf/all/rp_filter", "0"),
            setting("net/ipv4/conf/eth0/rp_filter", "1"),
        ],
        networkd: None,
        network_manager: None,
        networks: Ok(vec![("eth0".into(), "192.168.1.11/24".parse().unwrap())]),
        routes: Ok(vec![("0.0.0.0/0".parse().unwrap(), "default".into())]),
        mtu: 0,
        uplink: Ok(("eth0".into(), 1500)),
        etcd: Some(EtcdFacts {
            endpoints: vec!["https://192.168.1.2:2379".into()],
            answer: Ok(42),
            ahead: Ok(0),
            certificate: Some(Ok(())),
        }),
    }
}

/// What is not well after `change`, which is one thing at most.
pub(super) fn after(change: impl FnOnce(&mut HostFacts)) -> Option<Finding> {
    let mut facts = sound();
    change(&mut facts);
    let mut findings = examine(&facts).into_iter();
    let found = findings.find(|finding| finding.verdict != Severity::Ok);
    let another = findings.find(|finding| finding.verdict != Severity::Ok);
    assert_eq!(another, None);
    found
}

pub(super) fn says(
    found: Option<Finding>,
    check: &str,
    verdict: Severity,
    evidence: &str,
    fix: &str,
) {
    let found = found.expect("a finding");
    assert_eq!((found.check, found.verdict), (check, verdict), "{found:?}");
    assert!(found.evidence.contains(evidence), "{found:?}");
    let has = found.fix.as_deref().unwrap_or_default();
    assert!(
        has.contains(fix) && has.is_empty() == fix.is_empty(),
        "{found:?}"
    );
}

#[test]
fn a_sound_host_has_nothing_to_mend() {
    assert_eq!(after(|_| {}), None);
    let findings = examine(&sound());
    assert!(findings.iter().all(|finding| finding.fix.is_none()));
    let checks: Vec<_> = findings.iter().map(|finding| finding.check).collect();
    assert_eq!(
        checks,
        [
            "conflist",
            "programs",
            "forwarding",
            "FORWARD policy",
            "rp_filter",
            "systemd-networkd",
            "NetworkManager",
            "overlapping CIDRs",
            "foreign routes",
            "MTU",
            "etcd",
            "client certificate",
            "clock",
        ]
    );
}

#[test]
fn forwarding_that_is_off_is_broken() {
    let found = after(|facts| facts.forwarding[0].value = Ok("0".into()));
    let fix = "sysctl -w net.ipv4.ip_forward=1";
    says(found, "forwarding", Severity::Broken, "ip_forward = 0", fix);
    let found = after(|facts| facts.forwarding[0].value = Err("no such setting".into()));
    says(
        found,
        "forwarding",
        Severity::Broken,
        "no such setting",
        fix,
    );
}

#[test]
fn a_chain_that_drops_is_broken_unless_pods_pass() {
    let wall = |passes| Survey {
        blocking_chains: vec![BlockingChain {
            chain: "FORWARD of table ip filter".into(),
            passes,
            fix: "iptables -A".into(),
        }],
        ..Survey::default()
    };
    let found = after(|facts| facts.firewall = Ok(wall(false)));
    says(
        found,
        "FORWARD policy",
        Severity::Broken,
        "FORWARD of table ip filter drops",
        "iptables -A",
    );
    assert_eq!(after(|facts| facts.firewall = Ok(wall(true))), None);
    let hidden = Survey {
        hidden: vec!["only iptables-legacy can show".into()],
        ..Survey::default()
    };
    let found = after(|facts| facts.firewall = Ok(hidden));
    says(
        found,
        "FORWARD policy",
        Severity::Unknown,
        "only iptables-legacy",
        "",
    );
    let found = after(|facts| facts.firewall = Err("not permitted".into()));
    says(
        found,
        "FORWARD policy",
        Severity::Unknown,
        "not permitted",
        "root",
    );
}

#[test]
fn a_loose_rp_filter_wants_the_guard_and_a_strict_one_a_single_link() {
    let loose = |facts: &mut HostFacts| facts.rp_filter[0].value = Ok("2".into());
    says(
        after(loose),
        "rp_filter",
        Severity::Warning,
        "all.rp_filter = 2",
        "routed's packet filter",
    );
    let guarded = Survey {
        is_guarded: true,
        ..Survey::default()
    };
    let found = after(|facts| {
        loose(facts);
        facts.firewall = Ok(guarded);
    });
    assert_eq!(found, None);
    let found = after(|facts| {
        facts
            .rp_filter
            .push(setting("net/ipv4/conf/eth1/rp_filter", "1"));
    });
    says(
        found,
        "rp_filter",
        Severity::Warning,
        "strict on eth0, eth1",
        "loose",
    );
}

#[test]
fn networkd_that_takes_routes_away_is_broken() {
    let networkd = |manages_foreign_routes| {
        Some(Networkd {
            manages_foreign_routes,
            said_in: None,
        })
    };
    let found = after(|facts| facts.networkd = networkd(true));
    let evidence = "ManageForeignRoutes=yes (the default)";
    says(
        found,
        "systemd-networkd",
        Severity::Broken,
        evidence,
        "ManageForeignRoutes=no",
    );
    assert_eq!(after(|facts| facts.networkd = networkd(false)), None);
}

#[test]
fn network_manager_should_be_told_to_spare_pods() {
    let manager = |said_in: Option<&str>| {
        Some(NetworkManager {
            said_in: said_in.map(Into::into),
        })
    };
    let found = after(|facts| facts.network_manager = manager(None));
    says(
        found,
        "NetworkManager",
        Severity::Warning,
        "flat*",
        "unmanaged-devices",
    );
    assert_eq!(
        after(|facts| facts.network_manager = manager(Some("/etc/x"))),
        None
    );
}

#[test]
fn overlaps_of_pods_services_and_nodes_are_broken() {
    let check = "overlapping CIDRs";
    let pods = |cidr: &'static str| {
        move |facts: &mut HostFacts| facts.pod_cidrs = Ok(vec![cidr.parse().unwrap()])
    };
    let found = after(pods("192.168.0.0/16"));
    says(
        found,
        check,
        Severity::Broken,
        "192.168.1.11/24, a network of link eth0",
        "choose",
    );
    let found = after(pods("10.100.0.0/16"));
    says(
        found,
        check,
        Severity::Broken,
        "and service CIDR 10.96.0.0/12",
        "choose",
    );
    let found = after(|facts| facts.service_cidrs = vec!["192.168.1.0/28".parse().unwrap()]);
    says(
        found,
        check,
        Severity::Broken,
        "service CIDR 192.168.1.0/28 and",
        "choose",
    );
}

#[test]
fn a_foreign_route_into_a_pod_cidr_is_broken_and_one_around_it_is_not() {
    let route = |dst: &str| Ok(vec![(dst.parse().unwrap(), format!("{dst} proto static"))]);
    let found = after(|facts| facts.routes = route("10.244.9.0/24"));
    says(
        found,
        "foreign routes",
        Severity::Broken,
        "10.244.9.0/24 proto static",
        "ip route del",
    );
    assert_eq!(after(|facts| facts.routes = route("10.0.0.0/8")), None);
}

#[test]
fn an_mtu_that_the_uplink_does_not_carry_is_broken() {
    let found = after(|facts| facts.mtu = 9000);
    says(
        found,
        "MTU",
        Severity::Broken,
        "says 9000, and eth0 carries 1500",
        "1500 or less",
    );
    assert_eq!(after(|facts| facts.mtu = 1400), None);
    let found = after(|facts| facts.uplink = Err("no uplink".into()));
    says(
        found,
        "MTU",
        Severity::Broken,
        "no uplink",
        "--node-address",
    );
}

#[test]
fn etcd_s_answer_certificates_and_clock_are_told_apart() {
    fn etcd(facts: &mut HostFacts) -> &mut EtcdFacts {
        facts.etcd.as_mut().expect("etcd")
    }
    for (why, fix) in [
        ("no connection in time", "check that etcd runs"),
        ("invalid peer certificate: UnknownIssuer", "caFile is not"),
        (
            "invalid peer certificate: certificate expired: ...",
            "renew etcd's",
        ),
        (
            "invalid peer certificate: certificate not valid for name",
            "does not name",
        ),
    ] {
        let found = after(|facts| {
            etcd(facts).answer = Err((why.into(), "check that etcd runs".into()));
        });
        says(found, "etcd", Severity::Broken, why, fix);
    }
    let found = after(|facts| etcd(facts).certificate = Some(Err("client.pem: expired".into())));
    says(
        found,
        "client certificate",
        Severity::Broken,
        "client.pem: expired",
        "renew it",
    );
    for (ahead, expected) in [
        (5, None),
        (-6, Some((Severity::Warning, "6 s ahead of etcd's"))),
        (300, Some((Severity::Warning, "300 s behind etcd's"))),
        (301, Some((Severity::Broken, "301 s behind etcd's"))),
    ] {
        let found = after(|facts| etcd(facts).ahead = Ok(ahead));
        match expected {
            None => assert_eq!(found, None),
            Some((verdict, text)) => says(found, "clock", verdict, text, "time service"),
        }
    }
    assert_eq!(after(|facts| facts.etcd = None), None);
}

#[test]
fn without_a_conflist_the_host_is_examined_all_the_same() {
    let found = after(|facts| {
        facts.pod_cidrs = Err("no conflist".into());
        facts.etcd = None;
    });
    says(
        found,
        "conflist",
        Severity::Unknown,
        "no conflist",
        "--conflist",
    );
}
