//! Rules in the shape of kube-proxy's nftables mode: a table `kube-proxy` for each version of IP,
//! verdict maps from addresses and ports to chains of Services, one chain for each backend.

use std::fmt::Write as _;

use lab::probe::PORT;
use lab::{Machine, Result};

use crate::service::{
    AFFINITY_SECONDS, IpVersion, MASQUERADE_MARK, POD_CIDRS, PROTOCOLS, SERVICE_CIDRS,
    SERVICE_PORT, Service,
};

/// Installs the rules for these Services on a node.
pub(crate) fn install(node: &Machine, services: &[Service]) -> Result {
    for version in IpVersion::BOTH {
        let text = table(node, services, version);
        let output = node.run_with(&["nft", "-f", "-"], text.as_bytes())?;
        output.success()?;
    }
    Ok(())
}

fn table(node: &Machine, services: &[Service], version: IpVersion) -> String {
    let mut parts = Parts::default();
    for service in services {
        for protocol in PROTOCOLS {
            let port = NftablesPort {
                service,
                protocol,
                version,
                node: node.name(),
            };
            port.write(&mut parts);
        }
    }
    let (family, kind) = version.of([("ip", "ipv4_addr"), ("ip6", "ipv6_addr")]);
    let addresses = node.addresses().iter().map(ToString::to_string);
    let own: Vec<String> = addresses
        .filter(|address| address.contains('.') == (version == IpVersion::V4))
        .collect();
    let cluster: Vec<String> = services
        .iter()
        .map(|service| service.address(version).to_string())
        .collect();
    let Parts {
        services,
        ports,
        chains,
    } = parts;
    format!(
        "table {family} kube-proxy {{\n\
         set cluster-ips {{ type {kind}; elements = {{ {} }}; }}\n\
         set nodeport-ips {{ type {kind}; elements = {{ {} }}; }}\n\
         {chains}\
         map service-ips {{ type {kind} . inet_proto . inet_service : verdict; elements = {{ {services} }}; }}\n\
         map service-nodeports {{ type inet_proto . inet_service : verdict; elements = {{ {ports} }}; }}\n\
         {}}}\n",
        cluster.join(", "),
        own.join(", "),
        base(family, version.of(SERVICE_CIDRS))
    )
}

/// The base chains, and the chains that they share.
fn base(family: &str, service_cidr: &str) -> String {
    format!(
        "chain cluster-ips-check {{\n\
         {family} daddr @cluster-ips reject\n\
         {family} daddr {service_cidr} drop\n\
         }}\n\
         chain services {{\n\
         {family} daddr . meta l4proto . th dport vmap @service-ips\n\
         {family} daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports\n\
         }}\n\
         chain masquerading {{\n\
         meta mark & {MASQUERADE_MARK} == 0 return\n\
         meta mark set meta mark ^ {MASQUERADE_MARK}\n\
         masquerade fully-random\n\
         }}\n\
         chain filter-forward {{ type filter hook forward priority -110;\n\
         ct state new jump cluster-ips-check\n\
         }}\n\
         chain filter-output-post-dnat {{ type filter hook output priority -90;\n\
         ct state new jump cluster-ips-check\n\
         }}\n\
         chain nat-prerouting {{ type nat hook prerouting priority -100;\n\
         jump services\n\
         }}\n\
         chain nat-output {{ type nat hook output priority -100;\n\
         jump services\n\
         }}\n\
         chain nat-postrouting {{ type nat hook postrouting priority 100;\n\
         jump masquerading\n\
         }}\n"
    )
}

#[derive(Default)]
struct Parts {
    /// Elements of the map of addresses.
    services: String,
    /// Elements of the map of node ports.
    ports: String,
    chains: String,
}

/// One port of a Service, as rules on `node`.
struct NftablesPort<'a> {
    service: &'a Service,
    protocol: &'static str,
    version: IpVersion,
    node: &'a str,
}

impl NftablesPort<'_> {
    fn name(&self, kind: &str) -> String {
        format!("{kind}-{}/{}", self.service.name, self.protocol)
    }

    fn endpoint(&self, index: usize) -> String {
        format!("{}/{index}", self.name("endpoint"))
    }

    fn affinity(&self, index: usize) -> String {
        format!("{}-{}-{index}", self.service.name, self.protocol)
    }

    fn family(&self) -> &'static str {
        self.version.of(["ip", "ip6"])
    }

    fn write(&self, to: &mut Parts) {
        let Self {
            service, protocol, ..
        } = self;
        let (family, pods) = (self.family(), self.version.of(POD_CIDRS));
        let [inside, outside] = ["service", "external"].map(|kind| self.name(kind));
        let address = service.address(self.version);
        let all: Vec<usize> = (0..service.endpoints.len()).collect();
        for index in &all {
            self.write_endpoint(&mut to.chains, *index);
        }
        let mark = format!("meta mark set meta mark | {MASQUERADE_MARK}");
        let _ = write!(
            to.chains,
            "chain {inside} {{\n\
             {family} daddr {address} {protocol} dport {SERVICE_PORT} {family} saddr != {pods} {mark}\n\
             {}}}\n\
             chain {outside} {{\n",
            self.spread(&all)
        );
        if service.local {
            let _ = write!(
                to.chains,
                "{family} saddr {pods} goto {inside}\n\
                 fib saddr type local {mark}\n\
                 fib saddr type local goto {inside}\n\
                 {}",
                self.spread(&service.endpoints_on(self.node))
            );
        } else {
            let _ = write!(to.chains, "{mark}\ngoto {inside}\n");
        }
        to.chains += "}\n";
        let _ = write!(
            to.services,
            "{address} . {protocol} . {SERVICE_PORT} : goto {inside}, "
        );
        let port = service.node_port();
        let _ = write!(to.ports, "{protocol} . {port} : goto {outside}, ");
    }

    /// Spreads packets over these backends; without backends, they are dropped.
    fn spread(&self, endpoints: &[usize]) -> String {
        let mut rules = String::new();
        if self.service.sticky {
            for index in endpoints {
                let (family, affinity) = (self.family(), self.affinity(*index));
                let endpoint = self.endpoint(*index);
                let _ = writeln!(rules, "{family} saddr @{affinity} goto {endpoint}");
            }
        }
        if endpoints.is_empty() {
            return rules + "drop\n";
        }
        let ways = endpoints.iter().enumerate();
        let ways: Vec<String> = ways
            .map(|(number, index)| format!("{number} : goto {}", self.endpoint(*index)))
            .collect();
        let count = endpoints.len();
        let _ = writeln!(
            rules,
            "numgen random mod {count} vmap {{ {} }}",
            ways.join(", ")
        );
        rules
    }

    fn write_endpoint(&self, chains: &mut String, index: usize) {
        let (family, endpoint) = (self.family(), &self.service.endpoints[index]);
        let mut remember = String::new();
        if self.service.sticky {
            let (affinity, kind) = (
                self.affinity(index),
                self.version.of(["ipv4_addr", "ipv6_addr"]),
            );
            let _ = writeln!(
                chains,
                "set {affinity} {{ type {kind}; flags dynamic,timeout; timeout {AFFINITY_SECONDS}s; }}"
            );
            remember = format!("update @{affinity} {{ {family} saddr }}\n");
        }
        let address = endpoint.address(self.version);
        let to = self
            .version
            .of([format!("{address}:{PORT}"), format!("[{address}]:{PORT}")]);
        let _ = write!(
            chains,
            "chain {} {{\n\
             {family} saddr {address} meta mark set meta mark | {MASQUERADE_MARK}\n\
             {remember}\
             meta l4proto {} dnat to {to}\n\
             }}\n",
            self.endpoint(index),
            self.protocol
        );
    }
}
