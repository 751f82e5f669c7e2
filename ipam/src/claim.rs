//! Claiming subnets: the one part of ADD that asks the registry. It does when no address is left,
//! and once after each start of the machine.

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

use crate::ledger::Ledger;
use crate::lock;
use crate::plugin::tell;
use crate::subnets::Subnets;

/// How long an ADD waits for subnets in all: for etcd, and for others who wait for etcd on behalf
/// of this node.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the first ADD after a start of the machine waits to hear whether the subnets are still
/// the node's.
const CONFIRMATION: Duration = Duration::from_secs(2);

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

    /// Claims a subnet of each pod CIDR of which the node owns none; whether there were such.
    pub(crate) fn missing(&self) -> Result<bool, Error> {
        if !self.subnets.are_missing()? {
            return Ok(false);
        }
        let Subnets {
            config,
            node,
            folder,
            ..
        } = self.subnets;
        self.ask(async |registry, machine| {
            owned::ensure(registry, folder, node, machine, config).await
        })?;
        Ok(true)
    }

    /// Takes subnets off the node's file that the registry has given to others, as it may have
    /// while this machine was off: the node was forgotten, or its name taken over. A registry that
    /// cannot be asked changes nothing, as long as ADD needs none.
    pub(crate) fn confirm(&self, ledger: &Ledger) -> Result<(), Error> {
        let Subnets {
            config,
            node,
            folder,
            ..
        } = self.subnets;
        if config.etcd.is_none() {
            return Ok(());
        }
        let root = ledger.disk().root().to_owned();
        let alone = |change: &dyn Fn() -> Result<(), registry::Error>| {
            let _lock = lock::folder(&root).map_err(|error| registry::Error::Io {
                path: folder.clone(),
                action: "change the subnets in",
                source: io::Error::other(error.to_string()),
            })?;
            change()
        };
        let short = Self {
            subnets: self.subnets,
            until: Instant::now() + CONFIRMATION,
        };
        let asked = logged(|| {
            short.ask_in_time(async |registry, machine| {
                owned::renew_in_peace(registry, folder, node, machine, &alone).await
            })
        });
        match asked {
            Ok(Ok(_)) => Ok(()),
            // The file says what is left, and whoever needs more hears of it.
            Ok(Err(registry::Error::Exhausted { .. } | registry::Error::NodeTaken { .. })) => {
                Ok(())
            }
            // What it says may be wrong, and could not be put right.
            Ok(Err(error @ (registry::Error::Io { .. } | registry::Error::CorruptFile { .. }))) => {
                Err(error.into())
            }
            Ok(Err(error)) => {
                self.go_on(&error.message());
                Ok(())
            }
            Err(error) => {
                self.go_on(&error.msg);
                Ok(())
            }
        }
    }

    fn go_on(&self, why: &str) {
        tell(&format!(
            "cannot ask whether the subnets in {} are still those of node {}, and goes on with \
             them: {why}",
            self.subnets.folder.display(),
            self.subnets.node
        ));
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
        let result = logged(|| self.ask_in_time(claim))?;
        result.map(drop).map_err(Error::from)
    }

    /// The error inside is the registry's, the one outside that it was not even asked.
    fn ask_in_time(
        &self,
        claim: impl AsyncFnOnce(&Registry, &str) -> Result<Owned, registry::Error>,
    ) -> Result<Result<Owned, registry::Error>, Error> {
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
        result.map_err(|_| self.late())
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

/// Sends what the registry logs to where the runtime keeps it.
fn logged<T>(work: impl FnOnce() -> T) -> T {
    let log = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(false)
        .finish();
    tracing::subscriber::with_default(log, work)
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
