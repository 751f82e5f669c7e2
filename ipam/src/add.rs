//! ADD: allocates one address per pod CIDR, and claims a subnet if none is left.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use ipnet::IpNet;
use ipnetwork::IpNetwork;
use wire::clock::unix_seconds;
use wire::cni::{Attachment, Call, CniVersion, Environment, Error, IpConfig, Success};
use wire::conf::IpamConfig;

use crate::claim::{AddClaims, ClaimClient};
use crate::ledger::Ledger;
use crate::ledger::allocation::Allocation;
use crate::ledger::allocator::Choice;
use crate::ledger::kernel_pods::{self, KernelPods};
use crate::ledger::request::AddressRequest;
use crate::requested_ips;
use crate::runtime::{ledger_disk, log_warnings, since_boot};
use crate::subnets::Subnets;

pub(crate) fn run(client: &dyn ClaimClient, call: &Call) -> Result<Success, Error> {
    let config = IpamConfig::parse(&call.config)?;
    let attachment = call.environment.attachment()?;
    let netns = call.environment.netns()?;
    let fixed = requested_ips::addresses(call, &config.pod_cidrs)?;
    let subnets = Subnets::new(&config)?;
    let claims = AddClaims::new(call, client, &subnets);
    let ledger = ensure_subnets(&subnets, &claims)?;
    let describe = describe(attachment, &call.environment, netns);
    let mut max_cooling = Some(config.max_cooling_percent);
    // Why there is no further subnet.
    let mut shortage = None;
    let choices = loop {
        match allocate(
            &ledger,
            &subnets,
            &fixed,
            attachment,
            max_cooling,
            &describe,
        ) {
            Err(AllocateError::Exhausted(error)) => {
                // Where a claim failed a moment ago, cooling addresses go first: the pod must not
                // wait for etcd again.
                if max_cooling.is_some() && has_known_shortage(&subnets, &error) {
                    max_cooling = None;
                } else if let Some(why) = shortage {
                    return Err(exhausted_because(&ledger, error, why));
                } else {
                    shortage = claim_further(&subnets, &claims, &error).err();
                    max_cooling = max_cooling.filter(|_| shortage.is_none());
                }
            }
            Err(AllocateError::Other(error)) => break Err(error),
            Ok(choices) => break Ok(choices),
        }
    };
    log_warnings(&ledger);
    let ips = choices?
        .iter()
        .map(|choice| ip_config(choice, call))
        .collect();
    Ok(Success {
        ips,
        ..Success::default()
    })
}

/// Makes sure that the node owns a subnet of each pod CIDR, and that its subnets are confirmed.
fn ensure_subnets(subnets: &Subnets<'_>, claims: &AddClaims<'_>) -> Result<Ledger, Error> {
    let has_claimed = claims.claim_missing()?;
    let ledger = Ledger::create(ledger_disk(&subnets.config.network))?;
    if !ledger.is_confirmed()? {
        let is_settled = has_claimed || claims.confirm()?;
        if !has_claimed {
            claims.claim_missing()?;
        }
        if is_settled {
            ledger.confirm();
        }
    }
    Ok(ledger)
}

/// Why no addresses were allocated.
enum AllocateError {
    /// No address is free; a further subnet may help.
    Exhausted(crate::Error),
    Other(Error),
}

impl From<crate::Error> for AllocateError {
    fn from(error: crate::Error) -> Self {
        match error {
            crate::Error::Exhausted { .. } => Self::Exhausted(error),
            other => Self::Other(other.into()),
        }
    }
}

fn allocate(
    ledger: &Ledger,
    subnets: &Subnets<'_>,
    fixed: &[IpAddr],
    attachment: &Attachment,
    max_cooling_percent: Option<u8>,
    describe: impl Fn(IpNet) -> Allocation,
) -> Result<Vec<Choice>, AllocateError> {
    let session = ledger.lock()?;
    // Read under the ledger's lock: a subnet that is given back is removed from the list under the
    // same lock, so that none of its addresses is handed out afterwards.
    let pools = subnets.owned().map_err(AllocateError::Other)?;
    let read_pods = || kernel_pods::read(&subnets.config.network);
    let request = AddressRequest {
        pools: &pools,
        exclude: &subnets.config.exclude,
        fixed,
        cool_down: subnets.config.cool_down,
        max_cooling_percent,
        now: since_boot()?,
        kernel_pods: &KernelPods::new(&read_pods),
    };
    Ok(session.allocate(attachment, &request, describe)?)
}

/// Whether a claim of a further subnet failed a moment ago.
fn has_known_shortage(subnets: &Subnets<'_>, exhausted: &crate::Error) -> bool {
    pod_cidr_of(subnets, exhausted).is_some_and(|pod_cidr| subnets.shortage_of(&pod_cidr).is_some())
}

/// The pod CIDR of the subnets that are exhausted.
fn pod_cidr_of(subnets: &Subnets<'_>, exhausted: &crate::Error) -> Option<IpNet> {
    let crate::Error::Exhausted { subnets: seen, .. } = exhausted else {
        return None;
    };
    seen.first().and_then(|subnet| subnets.pod_cidr_of(subnet))
}

/// Claims a further subnet when the node's subnets are full.
fn claim_further(
    subnets: &Subnets<'_>,
    claims: &AddClaims<'_>,
    exhausted: &crate::Error,
) -> Result<(), Option<Error>> {
    let crate::Error::Exhausted { subnets: seen, .. } = exhausted else {
        return Err(None);
    };
    let pod_cidr = pod_cidr_of(subnets, exhausted).ok_or(None)?;
    claims.claim_further(pod_cidr, seen.clone()).map_err(Some)
}

/// The error that no address is free, and why there is no further subnet.
fn exhausted_because(ledger: &Ledger, exhausted: crate::Error, why: Option<Error>) -> Error {
    let exhausted = Error::from(ledger.with_context(exhausted));
    log_warnings(ledger);
    match why {
        None => exhausted,
        Some(why) => {
            let msg = format!(
                "{}, and there is no further subnet: {}",
                exhausted.msg, why.msg
            );
            Error::new(why.code, msg).advise(why.details)
        }
    }
}

/// The content of the file of an address, given its subnet.
fn describe(
    attachment: &Attachment,
    environment: &Environment,
    netns: &Path,
) -> impl Fn(IpNet) -> Allocation {
    let arg = |key| environment.args.get(key).map(str::to_owned);
    let since = unix_seconds();
    let [pod_namespace, pod_name, pod_uid] =
        ["K8S_POD_NAMESPACE", "K8S_POD_NAME", "K8S_POD_UID"].map(arg);
    let netns_inode = fs::metadata(netns).ok().map(|metadata| metadata.ino());
    move |subnet| Allocation {
        container_id: attachment.container_id().to_owned(),
        interface: attachment.interface().to_owned(),
        subnet,
        since,
        pod_namespace: pod_namespace.clone(),
        pod_name: pod_name.clone(),
        pod_uid: pod_uid.clone(),
        netns: netns.to_str().map(str::to_owned),
        netns_inode,
    }
}

/// Before CNI 1.0.0, the interface plugin passes our `ips` on as they are (SPEC.md 0.4.0,
/// "Result"). So for `flatland` they contain the gateway that it gives its pods. Chained plugins
/// need it: without it, `sbr` leaves a pod without a default route. Other interface plugins have
/// their own gateways.
fn ip_config(choice: &Choice, call: &Call) -> IpConfig {
    let is_passed_on = call.version < CniVersion::V1_0_0 && call.config["type"] == "flatland";
    let gateway = wire::gateway(choice.address().is_ipv4());
    let length = choice.subnet().prefix_len();
    let address = IpNetwork::new(choice.address(), length).expect("as long as a subnet's");
    IpConfig {
        address,
        gateway: is_passed_on.then_some(gateway),
        interface: None,
    }
}

#[cfg(test)]
mod tests;
