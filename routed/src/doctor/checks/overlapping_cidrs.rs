//! Check: do pod CIDRs, service CIDRs and the networks of this host overlap?

use ipnet::IpNet;
use ipnetwork::IpNetwork;

use crate::doctor::context::CheckContext;
use crate::doctor::finding::Finding;
use crate::rib::decide::overlap;
use crate::text::list;

const CHECK: &str = "overlapping CIDRs";

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Finding> {
    let finding = match &context.links {
        Ok(links) => {
            let addresses = links.iter().flat_map(|link| {
                let addresses = link.addresses.iter();
                addresses.map(|address| (link.name.as_str(), *address))
            });
            let addresses: Vec<_> = addresses.collect();
            examine(context.pod_cidrs(), &context.service_cidrs, &addresses)
        }
        Err(error) => Finding::unknown(CHECK, error),
    };
    vec![finding]
}

/// Whether the address belongs there: `routed` gives `lo` an address of the node's own subnet where
/// the node has no other IPv4 address, and kube-proxy (IPVS) and node-local DNS give links of theirs
/// the addresses of services.
fn is_expected(link: &str, address: IpNetwork) -> bool {
    let is_host = address.prefix() == if address.is_ipv4() { 32 } else { 128 };
    is_host && matches!(link, "lo" | "kube-ipvs0" | "nodelocaldns")
}

/// `addresses`: those of this host, each with its link and prefix length.
fn examine(pods: &[IpNet], services: &[IpNet], addresses: &[(&str, IpNetwork)]) -> Finding {
    let mut found = Vec::new();
    for pod in pods {
        let overlapping = services.iter().filter(|service| overlap(pod, service));
        found.extend(overlapping.map(|it| format!("pod CIDR {pod} and service CIDR {it}")));
    }
    let pod_cidrs = pods.iter().map(|cidr| ("pod CIDR", cidr));
    let service_cidrs = services.iter().map(|cidr| ("service CIDR", cidr));
    for (kind, cidr) in pod_cidrs.chain(service_cidrs) {
        for (link, address) in addresses {
            if is_expected(link, *address) {
                continue;
            }
            if overlap(
                cidr,
                &IpNet::new_assert(address.network(), address.prefix()),
            ) {
                found.push(format!(
                    "{kind} {cidr} and {address}, a network of link {link}"
                ));
            }
        }
    }
    if !found.is_empty() {
        return Finding::broken(CHECK, found.join("; ")).fix(
            "choose pod and service CIDRs that overlap neither each other nor a network of a node \
             or router",
        );
    }
    let note = if services.is_empty() {
        " (service CIDRs are not known here: give them with --service-cidr)"
    } else {
        ""
    };
    let compared = list([pods, services].concat());
    Finding::ok(CHECK, format!("none with {compared}{note}"))
}

#[cfg(test)]
mod tests;
