//! STATUS: would an ADD get an address now? Answered from what is on this node, without etcd.

use wire::cni::{Call, Error, code};
use wire::conf::IpamConfig;

use crate::ledger::Ledger;
use crate::plugin::{Plugin, report, since_boot};
use crate::request::Request;
use crate::subnets::Subnets;

pub(crate) fn run(plugin: &Plugin, call: &Call) -> Result<(), Error> {
    could_add(plugin, call).map_err(|error| {
        let advice = [error.msg.as_str(), error.details.as_str()];
        let details = advice
            .into_iter()
            .filter(|it| !it.is_empty())
            .collect::<Vec<_>>();
        Error::new(code::UNAVAILABLE, "ADD would fail").advise(details.join("; "))
    })
}

fn could_add(plugin: &Plugin, call: &Call) -> Result<(), Error> {
    let config = IpamConfig::parse(&call.config)?;
    let subnets = Subnets::new(plugin, &config)?;
    if subnets.are_missing()? {
        // ADD would claim one first. Only etcd could tell whether it would get one.
        return subnets.refuse_overlap();
    }
    let Some(ledger) = Ledger::existing(plugin.disk(&config.network))? else {
        return Ok(());
    };
    let pools = subnets.owned()?;
    let result = ledger.lock().and_then(|session| {
        let request = Request {
            pools: &pools,
            exclude: &config.exclude,
            fixed: &[],
            cool_down: config.cool_down,
            now: since_boot()?,
        };
        session.could_hold(&request)
    });
    report(&ledger);
    Ok(result?)
}
