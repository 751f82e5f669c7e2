//! `routed forget`: releases the subnets of a node that is gone for good.

use std::fmt;
use std::str::FromStr;

use clap::Args;
use ipnet::IpNet;
use registry::{Forget, Presence, Registry};
use serde::Serialize;
use wire::node::NodeName;
use wire::paths::run_dir;

use super::{CommandError, IN_USE, NetworkArgs, OutputArgs, block_on};
use crate::daemon::state_file::StateFile;
use crate::rib::held::Owners;
use crate::text::list;
use crate::time;

/// The node name for releasing a subnet whose owner is not known any more.
const UNKNOWN_OWNER: &str = "forgotten";

/// The flags of `routed forget`.
#[derive(Debug, Args)]
pub(crate) struct ForgetArgs {
    /// The node's name, or a subnet without an owner.
    ///
    /// For a subnet, nodes remove the routes to it that they keep since the registry lost its claim.
    #[arg(value_name = "NODE|SUBNET")]
    target: ForgetTarget,

    /// Forgets the node although it is present.
    ///
    /// Its running pods become unreachable until it claims subnets again, which a node that is
    /// present does at once.
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    network: NetworkArgs,

    #[command(flatten)]
    output: OutputArgs,
}

/// What is printed, as text or as JSON.
#[derive(Debug, Serialize)]
struct ForgetOutput {
    /// The forgotten node, if a node was named.
    node: Option<NodeName>,
    /// The subnets that were released, or to which no route is held any more.
    subnets: Vec<IpNet>,
}

impl fmt::Display for ForgetOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.node, self.subnets.as_slice()) {
            (Some(node), []) => write!(f, "node {node} is forgotten; it owned no subnet"),
            (Some(node), all) => write!(f, "node {node} is forgotten; free again: {}", list(all)),
            (None, all) => write!(f, "routes to {} are not held any more", list(all)),
        }
    }
}

#[derive(Debug, Clone)]
enum ForgetTarget {
    Node(NodeName),
    Subnet(IpNet),
}

impl FromStr for ForgetTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.contains('/') {
            let node = NodeName::new(text).map_err(|error| error.to_string())?;
            return Ok(Self::Node(node));
        }
        let subnet: IpNet = text.parse().map_err(|_| "it is not a subnet".to_owned())?;
        if subnet.trunc() == subnet {
            Ok(Self::Subnet(subnet))
        } else {
            Err(format!("it has host bits; is {} meant?", subnet.trunc()))
        }
    }
}

/// Forgets the node or the subnet.
pub(crate) fn run(args: &ForgetArgs) -> Result<String, CommandError> {
    let conflist = args.network.read()?;
    let registry = Registry::open(conflist.ipam());
    if registry.is_local() {
        return Err(CommandError::usage(format!(
            "network {} has neither an etcd nor a kubernetes section: there are no other nodes",
            conflist.network()
        )));
    }
    let output = block_on(async {
        match &args.target {
            ForgetTarget::Subnet(subnet) => release_claims(&registry, subnet).await,
            ForgetTarget::Node(node) => {
                let state = StateFile::load(&run_dir(conflist.network()));
                forget(&registry, node, args.force, state.held()).await
            }
        }
    })?;
    args.output.text(&output, |_| output.to_string())
}

async fn forget(
    registry: &Registry,
    node: &NodeName,
    force: bool,
    held: &Owners,
) -> Result<ForgetOutput, CommandError> {
    let (mut subnets, is_known) = match registry.forget(node, force).await? {
        Forget::Present(presence) => return Err(refusal(node, presence.as_ref())),
        Forget::Done(gone) => (gone.subnets, true),
        Forget::Unknown => (Vec::new(), false),
    };
    let is_of = |(_, owner): &(_, &Option<NodeName>)| owner.as_ref() == Some(node);
    for (subnet, _) in held.iter().filter(is_of) {
        if !subnets.contains(subnet) && registry.disclaim(node, subnet).await? {
            subnets.push(*subnet);
        }
    }
    if subnets.is_empty() && !is_known {
        let known: Vec<_> = registry.snapshot().await?.nodes.into_keys().collect();
        return Err(unknown(node, &known));
    }
    Ok(ForgetOutput {
        node: Some(node.clone()),
        subnets,
    })
}

async fn release_claims(registry: &Registry, subnet: &IpNet) -> Result<ForgetOutput, CommandError> {
    if registry.network().pod_cidr_of(subnet).is_none() {
        return Err(CommandError::usage(format!(
            "{subnet} is not a subnet of the network ({})",
            registry.network()
        )));
    }
    let owner = NodeName::new(UNKNOWN_OWNER)?;
    if registry.disclaim(&owner, subnet).await? {
        return Ok(ForgetOutput {
            node: None,
            subnets: vec![*subnet],
        });
    }
    let snapshot = registry.snapshot().await?;
    Err(CommandError::usage(match snapshot.subnets.get(subnet) {
        Some(claim) => format!(
            "{subnet} belongs to node {0}; if that is gone for good: routed forget {0}",
            claim.node
        ),
        None => format!("{subnet} is taken by a record that cannot be read; delete it first"),
    }))
}

fn refusal(node: &NodeName, presence: Option<&Presence>) -> CommandError {
    let address = presence.and_then(|presence| presence.address);
    let since = presence.and_then(|presence| presence.since);
    let address = address.map(|address| format!(" at {address}"));
    let since = since.map(|since| format!(" since {}", time::date(since)));
    let text = format!(
        "node {node} is present: its routed runs{}{}; stop it there first. --force forgets the \
         node all the same: its running pods become unreachable until it claims anew",
        address.unwrap_or_default(),
        since.unwrap_or_default()
    );
    CommandError::new(IN_USE, text)
}

fn unknown(node: &NodeName, known: &[impl fmt::Display]) -> CommandError {
    let known = match known {
        [] => "it has no nodes".to_owned(),
        _ => format!("its nodes: {}", list(known)),
    };
    CommandError::new(1, format!("node {node} is not in the registry; {known}"))
}

#[cfg(test)]
mod tests;
