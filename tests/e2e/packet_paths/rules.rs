//! Policy rules.

use lab::Result;

use crate::support::{NOTHING, address, each_names, each_names_on_node, said, start};

#[test]
fn policy_rule_before_main_is_named_by_all_commands() -> Result {
    let lab = start()?;
    let (one, two) = (lab.node(1), lab.node(2));
    let (a, b) = (one.add_pod("a")?, two.add_pod("b")?);
    let pods = [true, false].map(|v4| [address(&a, v4), address(&b, v4)]);
    let [v4, v6] = pods.each_ref().map(|[a, b]| [a.as_str(), b.as_str()]);

    // As Tailscale does.
    each_names(
        one,
        v4,
        [
            "ip route add 10.244.0.0/16 via 192.168.1.254 table 52 && ip rule add priority 5270 lookup 52",
            "ip rule del priority 5270",
        ],
        &[
            "should go via 192.168.1.12 dev eth0, but the policy rule \"5270: from all lookup 52\" \
             sends them to table 52",
            "10.244.0.0/16 via 192.168.1.254 dev eth0",
            "ip rule add priority 5269 to 10.244.0.0/16 lookup main",
        ],
    )?;
    each_names(
        one,
        v6,
        [
            "ip -6 route add unreachable fd00:10:244::/56 table 52 && \
             ip -6 rule add priority 5270 from fd00:10:244::/56 lookup 52",
            "ip -6 rule del priority 5270",
        ],
        &[
            "but the policy rule \"5270: from fd00:10:244::/56 lookup 52\" sends them to table 52",
            "ip -6 rule add priority 5269 to fd00:10:244::/56 lookup main",
        ],
    )?;
    for action in ["unreachable", "blackhole", "prohibit"] {
        each_names(
            one,
            v4,
            [
                &format!("ip rule add priority 100 to {} {action}", v4[1]),
                "ip rule del priority 100",
            ],
            &[
                &format!("to {} {action}\" refuses them", v4[1]),
                "ip rule del priority 100",
            ],
        )?;
    }
    // As wg-quick does, but with a length that passes over our routes, too.
    each_names(
        one,
        v4,
        [
            "ip rule add priority 32764 lookup main suppress_prefixlength 24 && \
             ip route add default via 192.168.1.254 table 51820 && \
             ip rule add priority 32765 not fwmark 0xca6c lookup 51820",
            "ip rule del priority 32764 && ip rule del priority 32765",
        ],
        &[
            "the policy rule \"32765: not from all fwmark 0xca6c lookup 51820\" sends them to table 51820",
            "\"32764: from all lookup main suppress_prefixlength 24\" passes over our route",
        ],
    )?;
    Ok(())
}

#[test]
fn policy_rule_for_some_packets_is_judged_by_what_it_takes() -> Result {
    let lab = start()?;
    let (one, two) = (lab.node(1), lab.node(2));
    let (a, b) = (one.add_pod("a")?, two.add_pod("b")?);
    let v4 = [&a, &b].map(|pod| address(pod, true));
    let v4 = [&*v4[0], &*v4[1]];
    // A rule for packets that kube-proxy marks is met by packets to services.
    each_names_on_node(
        one,
        [
            "ip rule add priority 90 fwmark 0x4000/0x4000 unreachable",
            "ip rule del priority 90",
        ],
        &[
            "with kube-proxy's mark 0x4000",
            "fwmark 0x4000/0x4000 unreachable",
        ],
    )?;

    // With the cure that is given the packets pass.
    let elsewhere = "ip route add 10.244.0.0/16 via 192.168.1.254 table 52";
    one.run(&["sh", "-c", elsewhere])?;
    one.run(&["ip", "rule", "add", "priority", "5270", "lookup", "52"])?;
    one.run(&[
        "sh",
        "-c",
        "ip rule add priority 5269 to 10.244.0.0/16 lookup main",
    ])?;
    assert_eq!(said(one, v4[0], v4[1])?, NOTHING);
    // A rule for a mark that pods' packets do not have harms none of them.
    one.run(&[
        "sh",
        "-c",
        "ip rule del priority 5269 && ip rule del priority 5270",
    ])?;
    one.run(&[
        "sh",
        "-c",
        "ip rule add priority 5270 fwmark 0x10 lookup 52",
    ])?;
    assert_eq!(said(one, v4[0], v4[1])?, NOTHING);
    let doctor = one.routed_command(&["doctor"])?.stdout;
    assert!(doctor.contains("with mark 0x10 to "), "{doctor}");
    // One for some ports takes some packets, of which the kernel is not asked.
    one.run(&[
        "sh",
        "-c",
        "ip rule add priority 5271 ipproto tcp dport 443 lookup 52",
    ])?;
    assert_eq!(said(one, v4[0], v4[1])?, NOTHING);
    for command in [&["doctor"][..], &["status"], &["explain", v4[0], v4[1]]] {
        let said = one.routed_command(command)?.stdout;
        assert!(
            said.contains("lookup 52\" takes some packets to pods elsewhere"),
            "{said}"
        );
    }
    Ok(())
}
