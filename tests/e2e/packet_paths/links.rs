//! Settings of links.

use lab::{DEADLINE, Families, Lab, Result, wait_until};

use crate::support::{NOTHING, address, each_names, host_end, report, said, start};

#[test]
fn link_that_does_not_forward_is_named_by_all_commands() -> Result {
    let lab = start()?;
    let (one, two) = (lab.node(1), lab.node(2));
    let (a, b) = (one.add_pod("a")?, two.add_pod("b")?);
    let [a4, b4] = [&a, &b].map(|pod| address(pod, true));
    for link in ["eth0".to_owned(), host_end(one, &a4)?] {
        let setting = format!("net.ipv4.conf.{link}.forwarding");
        each_names(
            one,
            [&a4, &b4],
            [
                &format!("sysctl -qw {setting}=0"),
                &format!("sysctl -qw {setting}=1"),
            ],
            &[
                &format!("but {link} forwards nothing: {setting} = 0"),
                &format!("sysctl -w {setting}=1"),
            ],
        )?;
    }

    // IPv6 forwards all the same: a remark.
    one.run(&["sysctl", "-qw", "net.ipv6.conf.eth0.forwarding=0"])?;
    let target = address(&b, false);
    a.run(&["ping", "-c1", "-W5", &target])?;
    let doctor = one.routed_command(&["doctor"])?.stdout;
    let explain = one
        .routed_command(&["explain", &address(&a, false), &target])?
        .stdout;
    let status = report(one, &["status"])?["remarks"].to_string();
    for said in [doctor, explain, status] {
        assert!(said.contains("net.ipv6.conf.eth0.forwarding = 0"), "{said}");
    }
    Ok(())
}

#[test]
fn strict_rp_filter_on_another_common_link_is_a_remark() -> Result {
    let lab = Lab::builder().nodes(2).families(Families::V4).start()?;
    lab.run(&["ip", "link", "add", "second", "up", "type", "bridge"])?;
    for (node, address) in lab.nodes().iter().zip(["172.16.0.11/24", "172.16.0.12/24"]) {
        let cable = format!("{}b", node.name());
        let add = format!(
            "ip link add eth1 type veth peer name {cable} netns 1 && ip address add {address} dev eth1 \
             && ip link set eth1 up"
        );
        node.run(&["sh", "-c", &add])?;
        lab.run(&["ip", "link", "set", &cable, "master", "second", "up"])?;
    }
    lab.start_routed()?;
    lab.wait_routes()?;
    let (one, two) = (lab.node(1), lab.node(2));
    let (a, b) = (one.add_pod("a")?, two.add_pod("b")?);
    let [a4, b4] = [&a, &b].map(|pod| address(pod, true));
    let reports = || -> Result<[String; 3]> {
        let explain = ["explain", &a4, &b4];
        let said = |command: &[&str]| Ok(one.routed_command(command)?.stdout);
        Ok([said(&["doctor"])?, said(&["status"])?, said(&explain)?])
    };
    let part = "rp_filter drops what comes in by eth";
    assert!(reports()?.iter().all(|said| !said.contains(part)));

    one.run(&["sysctl", "-qw", "net.ipv4.conf.all.rp_filter=1"])?;
    let mut last = None;
    wait_until("remarks about the other link", DEADLINE, || {
        last = reports().ok();
        let has_all = |said: &String| {
            [
                part,
                "if their node sends them",
                "the way back is by eth",
                ".rp_filter=2",
            ]
            .iter()
            .all(|part| said.contains(part))
        };
        last.iter().any(|all| all.iter().all(has_all))
    })
    .map_err(|error| error.doing(format!("{last:#?}")))?;
    // It is no trouble: packets pass as long as both nodes take the same link.
    assert_eq!(said(one, &a4, &b4)?, NOTHING);

    one.run(&["sysctl", "-qw", "net.ipv4.conf.eth0.rp_filter=2"])?;
    one.run(&["sysctl", "-qw", "net.ipv4.conf.eth1.rp_filter=2"])?;
    assert!(reports()?.iter().all(|said| !said.contains(part)));
    Ok(())
}
