//! ADD: one address per pod CIDR.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use ipnet::IpNet;
use ipnetwork::IpNetwork;
use wire::cni::{Attachment, Call, Environment, Error, IpConfig, Success, code};
use wire::conf::IpamConfig;

use crate::allocation::Allocation;
use crate::ledger::{Ledger, Request};
use crate::plugin::{Plugin, report, since_boot};
use crate::pool::Choice;
use crate::subnets::Subnets;

pub(crate) fn run(plugin: &Plugin, call: &Call) -> Result<Success, Error> {
    let config = IpamConfig::parse(&call.config)?;
    let attachment = call.environment.attachment()?;
    let netns = call.environment.netns()?;
    let subnets = Subnets::new(plugin, &config)?;
    subnets.claim_missing()?;
    let ledger = Ledger::create(plugin.disk(&config.network))?;
    let choices = hold(&ledger, &subnets, attachment, &call.environment, netns);
    report(&ledger);
    choices?
        .iter()
        .map(ip_config)
        .collect::<Result<_, _>>()
        .map(|ips| Success {
            ips,
            ..Success::default()
        })
}

fn hold(
    ledger: &Ledger,
    subnets: &Subnets<'_>,
    attachment: &Attachment,
    environment: &Environment,
    netns: &Path,
) -> Result<Vec<Choice>, Error> {
    let describe = |subnet| describe(attachment, environment, netns, subnet);
    let session = ledger.lock()?;
    // Read while the ledger is locked: a subnet that is given back is taken off the list under
    // the same lock, so that no address of it is handed out afterwards.
    let pools = subnets.owned()?;
    let request = Request {
        pools: &pools,
        cool_down: subnets.config.cool_down,
        now: since_boot()?,
    };
    Ok(session.hold(attachment, &request, describe)?)
}

fn describe(
    attachment: &Attachment,
    environment: &Environment,
    netns: &Path,
    subnet: IpNet,
) -> Allocation {
    let arg = |key| environment.args.get(key).map(str::to_owned);
    Allocation {
        container_id: attachment.container_id().to_owned(),
        interface: attachment.interface().to_owned(),
        subnet,
        since: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs(),
        pod_namespace: arg("K8S_POD_NAMESPACE"),
        pod_name: arg("K8S_POD_NAME"),
        netns: netns.to_str().map(str::to_owned),
        netns_inode: fs::metadata(netns).ok().map(|metadata| metadata.ino()),
    }
}

fn ip_config(choice: &Choice) -> Result<IpConfig, Error> {
    let (address, subnet) = (choice.address(), choice.subnet());
    let address = IpNetwork::new(address, subnet.prefix_len())
        .map_err(|error| Error::new(code::IO, format!("{address} in {subnet}: {error}")))?;
    Ok(IpConfig {
        address,
        gateway: None,
        interface: None,
    })
}
