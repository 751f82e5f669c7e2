use super::*;

fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn text(config: &FirewallConfig, owned: &[&str], nodes: &[&str]) -> String {
    let nodes: Vec<IpAddr> = nodes.iter().map(|text| text.parse().unwrap()).collect();
    ruleset(config, &nets(owned), &nodes).to_string()
}

const GUARD: &str = r#"	chain spoof-guard {
		type filter hook prerouting priority raw; policy accept;
		iifname != "flat*" accept
		ip daddr != 127.0.0.0/8 fib saddr . iif oif exists accept
		icmpv6 type nd-router-advert counter drop comment "pods are no routers"
		icmpv6 type nd-redirect counter drop comment "pods are no routers"
		ip6 saddr fe80::/10 icmpv6 type nd-neighbor-solicit limit rate 50/second burst 100 packets accept
		ip6 saddr fe80::/10 icmpv6 type nd-neighbor-advert accept
		ip6 saddr fe80::/10 counter drop comment "only neighbour discovery, in measure"
		ip6 saddr :: icmpv6 type nd-neighbor-solicit accept
		ip6 saddr :: icmpv6 type mld-listener-report accept
		ip6 saddr :: icmpv6 type mld-listener-done accept
		ip6 saddr :: icmpv6 type mld2-listener-report accept
		ip6 saddr :: counter drop comment "only duplicate address detection and MLD"
		fib saddr . iif oif missing counter drop comment "not the pod's own address"
		ip daddr 127.0.0.0/8 counter drop comment "the node's own loopback"
	}
"#;

#[test]
fn pods_of_both_families_are_masqueraded() {
    let config = FirewallConfig {
        masquerade: true,
        pod_cidrs: nets(&["10.244.0.0/16", "fd00:10:244::/56"]),
        direct: nets(&["10.96.0.0/12", "10.0.0.0/8", "192.0.2.0/24"]),
    };
    let expected = [
        r"table inet flatland {
	set own4 {
		type ipv4_addr
		flags interval
		elements = { 10.244.7.0/24, 10.244.9.0/24 }
	}

	set direct4 {
		type ipv4_addr
		flags interval
		elements = { 10.0.0.0/8, 169.254.0.0/16, 192.0.2.0/24, 224.0.0.0/4 }
	}

	set nodes4 {
		type ipv4_addr
		elements = { 192.168.1.1, 192.168.1.2 }
	}

	set own6 {
		type ipv6_addr
		flags interval
		elements = { fd00:10:244:7::/80 }
	}

	set direct6 {
		type ipv6_addr
		flags interval
		elements = { fd00:10:244::/56, fe80::/10, ff00::/8 }
	}

	set nodes6 {
		type ipv6_addr
		elements = { fd00:1::1 }
	}

",
        GUARD,
        r#"
	chain to-outside {
		type nat hook postrouting priority srcnat; policy accept;
		oifname "flat*" accept
		ip saddr @own4 ip daddr != @direct4 ip daddr != @nodes4 masquerade fully-random
		ip6 saddr @own6 ip6 daddr != @direct6 ip6 daddr != @nodes6 masquerade fully-random
	}
}
"#,
    ];
    assert_eq!(
        text(
            &config,
            &["10.244.9.0/24", "10.244.7.0/24", "fd00:10:244:7::/80"],
            &["192.168.1.2", "fd00:1::1", "192.168.1.1"],
        ),
        expected.concat()
    );
}

#[test]
fn family_without_pod_cidr_has_no_rules() {
    let config = FirewallConfig {
        masquerade: true,
        pod_cidrs: nets(&["fd00:10:244::/56"]),
        direct: nets(&["10.96.0.0/12"]),
    };
    let text = text(&config, &["fd00:10:244:7::/80"], &["192.168.1.2"]);
    assert!(
        !text.contains("ip saddr") && !text.contains("own4"),
        "{text}"
    );
    assert!(text.contains("ip6 saddr @own6"), "{text}");
}

#[test]
fn ruleset_without_masquerading_has_only_spoof_guard() {
    let config = FirewallConfig {
        masquerade: false,
        pod_cidrs: nets(&["10.244.0.0/16"]),
        direct: vec![],
    };
    let expected = ["table inet flatland {\n", GUARD, "}\n"].concat();
    assert_eq!(
        text(&config, &["10.244.7.0/24"], &["192.168.1.2"]),
        expected
    );
}
