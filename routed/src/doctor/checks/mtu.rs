//! Check: can the uplink carry packets of the pods' MTU?

use wire::netlink::Uplink;

use crate::doctor::context::CheckContext;
use crate::doctor::finding::Finding;
use crate::kernel::Netlink;

const CHECK: &str = "MTU";

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Finding> {
    let mtu = context.conflist.as_ref().map_or(0, |it| it.plugin().mtu);
    let uplink = Netlink::default().with(|socket| Uplink::find(socket, context.node_addresses));
    let uplink = uplink.map(|uplink| (uplink.name, uplink.mtu));
    vec![examine(mtu, uplink.map_err(|error| error.to_string()))]
}

/// `mtu`: that of the conflist, 0 for the uplink's. `uplink`: its name and MTU.
fn examine(mtu: u32, uplink: Result<(String, u32), String>) -> Finding {
    match (uplink, mtu) {
        (Err(error), 0) => Finding::broken(CHECK, error)
            .fix("give the node's address with --node-address, or an \"mtu\" in the conflist"),
        (Err(error), mtu) => Finding::unknown(CHECK, format!("mtu {mtu}, but {error}")),
        (Ok((link, uplink)), 0) => Finding::ok(CHECK, format!("{uplink}, that of {link}")),
        (Ok((link, uplink)), mtu) if mtu > uplink => {
            let text = format!("the conflist says {mtu}, and {link} carries {uplink}");
            Finding::broken(CHECK, text).fix(format!(
                "large packets to other nodes are lost: leave out \"mtu\", or make it {uplink} or \
                 less"
            ))
        }
        (Ok((link, uplink)), mtu) => {
            Finding::ok(CHECK, format!("{mtu} of the conflist, {uplink} of {link}"))
        }
    }
}

#[cfg(test)]
mod tests;
