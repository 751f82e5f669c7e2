//! Claiming subnets: the one part of ADD that asks the registry, and only when no address is left.

use std::io;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use registry::owned::{self, Owned};
use registry::{Policy, Registry};
use tokio::runtime;
use tokio::time::timeout;
use wire::cni::{Error, code};
use wire::netlink::Socket;
use wire::overlap::Overlap;

use crate::subnets::Subnets;

/// How long an ADD waits for subnets in all: for etcd, and for others who wait for etcd on behalf
/// of this node.
const PATIENCE: Duration = Duration::from_secs(5);

/// How much sooner it gives up on etcd, so that the error can say what was wrong with etcd.
const HEADROOM: Duration = Duration::from_millis(500);

/// The claims of one ADD.
pub(crate) struct Claims<'a> {
    subnets: &'a Subnets<'a>,
    until: Instant,
}

impl<'a> Claims<'a> {
    /// From now on its time is running.
    pub(crate) fn new(subnets: &'a Subnets<'a>) -> Self {
        Self {
            subnets,
            until: Instant::now() + PATIENCE,
        }
    }

    /// Claims a subnet of each pod CIDR of which the node owns none.
    pub(crate) fn missing(&self) -> Result<(), Error> {
        if !self.subnets.are_missing()? {
            return Ok(());
        }
        let Subnets {
            config,
            node,
            folder,
            ..
        } = self.subnets;
        self.ask(async |registry, machine| {
            owned::ensure(registry, folder, node, machine, config).await
        })
    }

    /// Claims another subnet of `pod_cidr`, as those in `seen` are used up.
    pub(crate) fn further(&self, pod_cidr: &IpNet, seen: &[IpNet]) -> Result<(), Error> {
        let Subnets { node, folder, .. } = self.subnets;
        self.ask(async |registry, machine| {
            owned::further(registry, folder, node, machine, pod_cidr, seen).await
        })
    }

    fn ask(
        &self,
        claim: impl AsyncFnOnce(&Registry, &str) -> Result<Owned, registry::Error>,
    ) -> Result<(), Error> {
        refuse_overlap(self.subnets)?;
        let log = tracing_subscriber::fmt()
            .with_writer(io::stderr)
            .with_ansi(false)
            .finish();
        tracing::subscriber::with_default(log, || self.ask_in_time(claim))
    }

    fn ask_in_time(
        &self,
        claim: impl AsyncFnOnce(&Registry, &str) -> Result<Owned, registry::Error>,
    ) -> Result<(), Error> {
        let left = self.until.saturating_duration_since(Instant::now());
        let policy = Policy {
            patience: left.saturating_sub(HEADROOM),
            ..Policy::default()
        };
        let Subnets { config, folder, .. } = self.subnets;
        let machine = self.subnets.machine_id()?;
        let registry = Registry::open_with(config, folder, policy)?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::new(code::IO, format!("cannot start a runtime: {error}")))?;
        let claim = claim(&registry, machine.as_str());
        let result = runtime.block_on(async { timeout(left, claim).await });
        // One of its threads may still wait for a name to be resolved; we do not.
        runtime.shutdown_background();
        match result {
            Ok(result) => result.map(drop).map_err(Error::from),
            Err(_) => Err(self.late()),
        }
    }

    fn late(&self) -> Error {
        let Subnets {
            config,
            node,
            folder,
            ..
        } = self.subnets;
        let seconds = PATIENCE.as_secs();
        let msg = format!("node {node} could not claim a subnet within {seconds} s");
        Error::new(code::TRY_AGAIN, msg).advise(match &config.etcd {
            Some(etcd) => format!("check that etcd answers at {}", etcd.endpoints.join(", ")),
            None => format!("find out who holds the lock in {}", folder.display()),
        })
    }
}

/// Refuses to claim what packets could not find, because this node's own network is there too.
pub(crate) fn refuse_overlap(subnets: &Subnets<'_>) -> Result<(), Error> {
    let kernel = |error| {
        let msg = format!("cannot list this node's addresses: {error}");
        Error::new(code::IO, msg)
    };
    let mut socket = Socket::open().map_err(kernel)?;
    match Overlap::look(&mut socket, &subnets.config.pod_cidrs).map_err(kernel)? {
        None => Ok(()),
        Some(overlap) => Err(overlap.into()),
    }
}
