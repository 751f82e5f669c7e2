//! Which subnets this node owns, and claiming those that it lacks.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use registry::owned::{self, Owned};
use registry::{Network, Policy, Registry};
use tokio::runtime;
use tokio::time::timeout;
use wire::cni::{Error, code};
use wire::conf::IpamConfig;
use wire::netlink::Socket;
use wire::node::{NodeName, node_name};
use wire::overlap::Overlap;

use crate::plugin::{Plugin, tell};

/// How long ADD waits for a subnet when the node owns none yet: for etcd, and for others who wait
/// for etcd on behalf of this node.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long it waits for etcd alone; shorter, so that the error can say what was wrong with etcd.
const ETCD_PATIENCE: Duration = Duration::from_millis(4500);

/// The subnets of this node in one network.
pub(crate) struct Subnets<'a> {
    pub(crate) config: &'a IpamConfig,
    plugin: &'a Plugin,
    node: NodeName,
    folder: PathBuf,
}

impl<'a> Subnets<'a> {
    pub(crate) fn new(plugin: &'a Plugin, config: &'a IpamConfig) -> Result<Self, Error> {
        let node = node_name(config.node_name.as_deref())?;
        let folder = plugin.state_dir(&config.network);
        Ok(Self {
            config,
            plugin,
            node,
            folder,
        })
    }

    /// For each pod CIDR the subnets that the node owns, in order; none if it has never claimed
    /// any, or has done so under another name.
    pub(crate) fn owned(&self) -> Result<Vec<Vec<IpNet>>, Error> {
        let owned = Owned::load(&self.folder)?.filter(|owned| owned.node == self.node);
        let subnets = owned.map_or_else(Vec::new, |owned| owned.subnets);
        let network = Network::from(self.config);
        let of = |pod_cidr: &IpNet| {
            let is_of = |subnet: &IpNet| network.pod_cidr_of(subnet) == Some(*pod_cidr);
            subnets.iter().copied().filter(is_of).collect()
        };
        Ok(network.pod_cidrs.iter().map(of).collect())
    }

    /// Whether the node has yet to claim a subnet of some pod CIDR. A file that cannot be read for
    /// what it holds is as good as none: the registry knows better.
    pub(crate) fn are_missing(&self) -> Result<bool, Error> {
        match Owned::load(&self.folder) {
            Ok(owned) => Ok(!owned.is_some_and(|owned| owned.is_enough(&self.node, self.config))),
            Err(error @ registry::Error::CorruptFile { .. }) => {
                tell(&error.to_string());
                Ok(true)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Claims a subnet of each pod CIDR of which the node owns none. Only then is etcd asked.
    pub(crate) fn claim_missing(&self) -> Result<(), Error> {
        if !self.are_missing()? {
            return Ok(());
        }
        let log = tracing_subscriber::fmt()
            .with_writer(io::stderr)
            .with_ansi(false)
            .finish();
        tracing::subscriber::with_default(log, || self.claim())
    }

    /// Refuses to claim what packets could not find, because this node's own network is there too.
    pub(crate) fn refuse_overlap(&self) -> Result<(), Error> {
        let kernel = |error| {
            Error::new(
                code::IO,
                format!("cannot list this node's addresses: {error}"),
            )
        };
        let mut socket = Socket::open().map_err(kernel)?;
        match Overlap::look(&mut socket, &self.config.pod_cidrs).map_err(kernel)? {
            None => Ok(()),
            Some(overlap) => Err(overlap.into()),
        }
    }

    fn claim(&self) -> Result<(), Error> {
        self.refuse_overlap()?;
        let machine = self.plugin.machine_id()?;
        let policy = Policy {
            patience: ETCD_PATIENCE,
            ..Policy::default()
        };
        let registry = Registry::open_with(self.config, &self.folder, policy)?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::new(code::IO, format!("cannot start a runtime: {error}")))?;
        let ensure = owned::ensure(
            &registry,
            &self.folder,
            &self.node,
            machine.as_str(),
            self.config,
        );
        let result = runtime.block_on(async { timeout(PATIENCE, ensure).await });
        // One of its threads may still wait for the lock of another process; we do not.
        runtime.shutdown_background();
        match result {
            Ok(result) => result.map(drop).map_err(Error::from),
            Err(_) => Err(self.late()),
        }
    }

    fn late(&self) -> Error {
        let (node, seconds) = (&self.node, PATIENCE.as_secs());
        let msg = format!("node {node} owns no subnet and could not claim one within {seconds} s");
        Error::new(code::TRY_AGAIN, msg).advise(match &self.config.etcd {
            Some(etcd) => format!("check that etcd answers at {}", etcd.endpoints.join(", ")),
            None => format!("find out who holds the lock in {}", self.folder.display()),
        })
    }
}
