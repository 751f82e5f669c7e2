//! Check: does the kernel's reverse path filter (`rp_filter`) let pods forge addresses, or drop
//! packets of peers?

use crate::doctor::context::CheckContext;
use crate::doctor::finding::Finding;
use crate::doctor::setting::Setting;

const CHECK: &str = "rp_filter";

const LOOSE_FIX: &str = "routed's table in nftables keeps them from it while it exists (nft list \
                         table inet flatland); by hand: sysctl -w net.ipv4.conf.all.rp_filter=0";

const STRICT_FIX: &str = "packets of a peer that arrive on another link than the route back to it \
                          uses are dropped: where nodes have several links in common, set these to \
                          loose (2)";

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Finding> {
    let read = |name: &str| Setting::read(&format!("net/ipv4/conf/{name}/rp_filter"));
    let links = context.links.as_deref().unwrap_or_default().iter();
    let links = links.filter(|link| link.name != "lo");
    let links: Vec<_> = links.map(|link| read(&link.name)).collect();
    let firewall = context.firewall.as_ref();
    let is_guarded = firewall.is_ok_and(|survey| survey.is_guarded);
    vec![examine(&read("all"), &links, is_guarded)]
}

/// The kernel uses the larger value of `all` and the link (ip-sysctl.rst). `is_guarded`: whether
/// the spoof guard is installed.
fn examine(all: &Setting, links: &[Setting], is_guarded: bool) -> Finding {
    let value = |setting: &Setting| setting.value.as_ref().ok()?.parse::<u8>().ok();
    let Some(of_all) = value(all) else {
        return Finding::unknown(CHECK, all.render());
    };
    if of_all == 2 && !is_guarded {
        let all = all.render();
        let text = format!("{all}: it is loose on all links, and pods can forge addresses");
        return Finding::warning(CHECK, text).fix(LOOSE_FIX);
    }
    let strict: Vec<_> = links
        .iter()
        .filter(|link| of_all.max(value(link).unwrap_or_default()) == 1)
        .filter_map(|link| link.name.split('/').nth(3))
        .collect();
    match strict[..] {
        [] => Finding::ok(CHECK, all.render()),
        [link] => Finding::ok(CHECK, format!("{}; strict on {link}", all.render())),
        _ => {
            let text = format!("strict on {}", strict.join(", "));
            Finding::warning(CHECK, text).fix(STRICT_FIX)
        }
    }
}

#[cfg(test)]
mod tests;
