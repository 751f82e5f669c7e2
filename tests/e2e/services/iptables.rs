//! Rules in the shape of kube-proxy's iptables mode: chains `KUBE-SVC` of Services, `KUBE-EXT` of
//! their node ports, `KUBE-SVL` of their local backends, `KUBE-SEP` of backends.

use std::fmt::Write as _;

use lab::{Machine, Result};

use crate::service::{
    AFFINITY_SECONDS, IpVersion, MASQUERADE_MARK, POD_CIDRS, PROTOCOLS, SERVICE_PORT, Service,
};

/// Installs the rules for these Services on a node, with Debian's iptables (nftables backend).
pub(crate) fn install(node: &Machine, services: &[Service]) -> Result {
    for version in IpVersion::BOTH {
        let restore = version.of(["iptables-nft-restore", "ip6tables-nft-restore"]);
        let text = nat(node, services, version) + FILTER;
        let output = node.run_with(&[restore, "--noflush"], text.as_bytes())?;
        output.success()?;
    }
    // For node ports on 127.0.0.1, as kube-proxy does.
    let setting = "net.ipv4.conf.all.route_localnet=1";
    node.run(&["sysctl", "-qw", setting]).map(drop)
}

/// The rules of kube-proxy and kubelet in the table `filter`.
const FILTER: &str = "\
*filter
:KUBE-FORWARD - [0:0]
:KUBE-FIREWALL - [0:0]
-A INPUT -j KUBE-FIREWALL
-A OUTPUT -j KUBE-FIREWALL
-A FORWARD -j KUBE-FORWARD
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
";

fn nat(node: &Machine, services: &[Service], version: IpVersion) -> String {
    let mark = format!("{MASQUERADE_MARK}/{MASQUERADE_MARK}");
    let mut chains = String::new();
    let mut rules = format!(
        "-A PREROUTING -j KUBE-SERVICES\n\
         -A OUTPUT -j KUBE-SERVICES\n\
         -A POSTROUTING -j KUBE-POSTROUTING\n\
         -A KUBE-POSTROUTING -m mark ! --mark {mark} -j RETURN\n\
         -A KUBE-POSTROUTING -j MARK --xor-mark {MASQUERADE_MARK}\n\
         -A KUBE-POSTROUTING -j MASQUERADE --random-fully\n\
         -A KUBE-MARK-MASQ -j MARK --or-mark {MASQUERADE_MARK}\n"
    );
    for chain in [
        "KUBE-SERVICES",
        "KUBE-NODEPORTS",
        "KUBE-POSTROUTING",
        "KUBE-MARK-MASQ",
    ] {
        let _ = writeln!(chains, ":{chain} - [0:0]");
    }
    for service in services {
        for protocol in PROTOCOLS {
            let port = IptablesPort {
                service,
                protocol,
                version,
                node: node.name(),
            };
            port.write(&mut chains, &mut rules);
        }
    }
    // After all Services, so that their own addresses come first.
    rules += "-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS\n";
    format!("*nat\n{chains}{rules}COMMIT\n")
}

/// One port of a Service, as rules on `node`.
struct IptablesPort<'a> {
    service: &'a Service,
    protocol: &'static str,
    version: IpVersion,
    node: &'a str,
}

impl IptablesPort<'_> {
    /// The name of one of its chains; names of iptables have at most 28 characters.
    fn chain(&self, kind: &str) -> String {
        format!("KUBE-{kind}-{}-{}", self.service.name, self.protocol)
    }

    fn endpoint(&self, index: usize) -> String {
        format!("{}-{index}", self.chain("SEP"))
    }

    fn write(&self, chains: &mut String, rules: &mut String) {
        let Self {
            service,
            protocol,
            version,
            ..
        } = self;
        let [svc, ext, svl] = ["SVC", "EXT", "SVL"].map(|kind| self.chain(kind));
        let all: Vec<usize> = (0..service.endpoints.len()).collect();
        for chain in [&svc, &ext, &svl] {
            let _ = writeln!(chains, ":{chain} - [0:0]");
        }
        let (address, pods) = (service.address(*version), version.of(POD_CIDRS));
        let to_service = format!("-d {address} -p {protocol} --dport {SERVICE_PORT}");
        let _ = write!(
            rules,
            "-A KUBE-SERVICES {to_service} -j {svc}\n\
             -A {svc} ! -s {pods} {to_service} -j KUBE-MARK-MASQ\n\
             -A KUBE-NODEPORTS -p {protocol} --dport {} -j {ext}\n",
            service.node_port()
        );
        self.spread(rules, &svc, &all);
        if service.local {
            let _ = write!(
                rules,
                "-A {ext} -s {pods} -j {svc}\n\
                 -A {ext} -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ\n\
                 -A {ext} -m addrtype --src-type LOCAL -j {svc}\n\
                 -A {ext} -j {svl}\n"
            );
            self.spread(rules, &svl, &service.endpoints_on(self.node));
        } else {
            let _ = write!(rules, "-A {ext} -j KUBE-MARK-MASQ\n-A {ext} -j {svc}\n");
        }
        for index in all {
            self.write_endpoint(chains, rules, index);
        }
    }

    /// Rules that spread packets from `chain` over these backends.
    fn spread(&self, rules: &mut String, chain: &str, endpoints: &[usize]) {
        if self.service.sticky {
            for index in endpoints {
                let endpoint = self.endpoint(*index);
                let _ = writeln!(
                    rules,
                    "-A {chain} -m recent --name {endpoint} --rcheck --seconds \
                     {AFFINITY_SECONDS} --reap -j {endpoint}"
                );
            }
        }
        for (left, index) in (1..=endpoints.len()).rev().zip(endpoints) {
            let chance = match left {
                1 => String::new(),
                _ => format!("-m statistic --mode random --probability 0.{}", 100 / left),
            };
            let _ = writeln!(rules, "-A {chain} {chance} -j {}", self.endpoint(*index));
        }
    }

    fn write_endpoint(&self, chains: &mut String, rules: &mut String, index: usize) {
        let (chain, endpoint) = (self.endpoint(index), &self.service.endpoints[index]);
        let _ = writeln!(chains, ":{chain} - [0:0]");
        let remember = if self.service.sticky {
            format!("-m recent --name {chain} --set")
        } else {
            String::new()
        };
        let _ = write!(
            rules,
            "-A {chain} -s {} -j KUBE-MARK-MASQ\n\
             -A {chain} -p {} {remember} -j DNAT --to-destination {}\n",
            endpoint.address(self.version),
            self.protocol,
            endpoint.socket(self.version)
        );
    }
}
