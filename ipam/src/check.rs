//! CHECK: the attachment holds exactly the addresses that ADD returned, from subnets of this node.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use wire::cni::{Attachment, Call, Error, code};
use wire::conf::IpamConfig;
use wire::text;

use crate::ledger::Ledger;
use crate::ledger::kernel_pods::{self, PodAddress};
use crate::runtime::{ledger_disk, log_warnings, with_session};
use crate::subnets::Subnets;

pub(crate) fn run(call: &Call) -> Result<(), Error> {
    let config = IpamConfig::parse(&call.config)?;
    let attachment = call.environment.attachment()?;
    let previous = call.add_result()?;
    let ours = |address: &IpAddr| config.pod_cidrs.iter().any(|cidr| cidr.contains(address));
    let expected = previous
        .ips
        .iter()
        .map(|ip| ip.address.ip())
        .filter(ours)
        .collect();
    let owned = Subnets::new(&config)?.owned()?.concat();
    let mut held = held(&config, attachment)?;
    if held != expected && restore(&config, attachment, &owned)? {
        held = self::held(&config, attachment)?;
    }
    compare(attachment, &expected, &held, &owned)
}

/// Restores the ledger if it has lost addresses of `attachment`. Returns whether it did.
fn restore(config: &IpamConfig, attachment: &Attachment, owned: &[IpNet]) -> Result<bool, Error> {
    let is_of = |(_, holder): &PodAddress| holder == attachment;
    if !kernel_pods::read(&config.network)?.iter().any(is_of) {
        return Ok(false);
    }
    let ledger = Ledger::create(ledger_disk(&config.network))?;
    let session = ledger.lock()?;
    let restored = session.restore(&kernel_pods::read(&config.network)?, owned);
    log_warnings(&ledger);
    Ok(!restored?.is_empty())
}

fn held(config: &IpamConfig, attachment: &Attachment) -> Result<BTreeSet<IpAddr>, Error> {
    let held = with_session(&config.network, |session| session.held(attachment))?;
    Ok(held.into_iter().flatten().collect())
}

fn compare(
    attachment: &Attachment,
    expected: &BTreeSet<IpAddr>,
    held: &BTreeSet<IpAddr>,
    owned: &[IpNet],
) -> Result<(), Error> {
    let advice = "delete the pod, so that its successor gets new addresses";
    let failed = |msg| Err(Error::new(code::CHECK_FAILED, msg).advise(advice));
    if held != expected {
        let (held, expected) = (list(held), list(expected));
        return failed(format!(
            "attachment {attachment} holds {held}, but ADD gave it {expected}"
        ));
    }
    let foreign = held
        .iter()
        .filter(|address| !owned.iter().any(|net| net.contains(*address)));
    match foreign.copied().collect::<BTreeSet<_>>() {
        foreign if foreign.is_empty() => Ok(()),
        foreign => failed(format!(
            "attachment {attachment} holds {}, which no subnet of this node contains",
            list(&foreign)
        )),
    }
}

fn list(addresses: &BTreeSet<IpAddr>) -> String {
    if addresses.is_empty() {
        return "no address".to_owned();
    }
    text::list(addresses)
}

#[cfg(test)]
mod tests;
