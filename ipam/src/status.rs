//! STATUS: would an ADD get an address now? Answered from local files, without etcd.

use ipnet::IpNet;
use wire::cni::{Call, Error, code};
use wire::conf::IpamConfig;

use crate::claim::ClaimClient;
use crate::ledger::Ledger;
use crate::ledger::kernel_pods::{self, KernelPods};
use crate::ledger::request::AddressRequest;
use crate::runtime::{ledger_disk, since_boot, with_session};
use crate::subnets::Subnets;

pub(crate) fn run(client: &dyn ClaimClient, call: &Call) -> Result<(), Error> {
    check_add(client, call).map_err(|error| {
        let advice = [error.msg.as_str(), error.details.as_str()];
        let details = advice
            .into_iter()
            .filter(|it| !it.is_empty())
            .collect::<Vec<_>>();
        Error::new(code::UNAVAILABLE, "ADD would fail").advise(details.join("; "))
    })
}

fn check_add(client: &dyn ClaimClient, call: &Call) -> Result<(), Error> {
    let config = IpamConfig::parse(&call.config)?;
    let subnets = Subnets::new(&config)?;
    if config.kubernetes.is_some() {
        return check_given_subnets(&config, &subnets);
    }
    let pools = if subnets.are_missing()? {
        client.check_available(call)?;
        subnets.refuse_overlap()?;
        // A damaged file is written again from the registry.
        subnets.owned().unwrap_or_default()
    } else {
        subnets.owned()?
    };
    for (at, pod_cidr) in config.pod_cidrs.iter().enumerate() {
        let pool = pools.get(at).map_or(&[][..], Vec::as_slice);
        let no_helper = || client.check_available(call).err().map(|error| error.msg);
        let Some(shortage) = subnets.shortage_of(pod_cidr).or_else(no_helper) else {
            // If no address is left, ADD claims a subnet. No recent failure suggests that this
            // would fail; only etcd knows for certain.
            continue;
        };
        check_pool(&config, pool).map_err(|error| {
            let msg = format!("{}, and there is no further subnet: {shortage}", error.msg);
            Error { msg, ..error }
        })?;
    }
    Ok(())
}

/// With Kubernetes there are no further subnets, and only `routed` knows which the node has.
fn check_given_subnets(config: &IpamConfig, subnets: &Subnets<'_>) -> Result<(), Error> {
    let is_confirmed = match Ledger::existing(ledger_disk(&config.network))? {
        Some(ledger) => ledger.is_confirmed()?,
        None => false,
    };
    if !is_confirmed || subnets.are_missing()? {
        return Err(subnets.unconfirmed());
    }
    let no_further = subnets.kubernetes_decides();
    for pool in subnets.owned()? {
        check_pool(config, &pool).map_err(|error| {
            let msg = format!("{}: {}", error.msg, no_further.msg);
            Error::new(error.code, msg).advise(&no_further.details)
        })?;
    }
    Ok(())
}

/// Whether an address is free in `pool`, the node's subnets of one pod CIDR.
fn check_pool(config: &IpamConfig, pool: &[IpNet]) -> Result<(), Error> {
    if pool.is_empty() {
        return Err(crate::Error::Exhausted {
            subnets: Vec::new(),
            damaged: Vec::new(),
        }
        .into());
    }
    with_session(&config.network, |session| {
        let read_pods = || kernel_pods::read(&config.network);
        session.has_free_address(&AddressRequest {
            pools: &[pool.to_vec()],
            exclude: &config.exclude,
            fixed: &[],
            cool_down: config.cool_down,
            max_cooling_percent: None,
            now: since_boot()?,
            kernel_pods: &KernelPods::new(&read_pods),
        })
    })?;
    Ok(())
}
