//! `flatland-claim`: carries out a claim request of `flatland-ipam` in the registry.

use std::io;
use std::time::{Duration, Instant};

use registry::owned::{self, Owned};
use registry::{Policy, Registry};
use tokio::runtime;
use tokio::time::timeout;
use wire::cni::{Call, Error, Program, Success, code};
use wire::conf::IpamConfig;
use wire::node::MachineId;

use crate::claim::ClaimClient;
use crate::claim::request::ClaimRequest;
use crate::ledger::lock;
use crate::subnets::Subnets;

/// How much sooner it gives up on etcd, so that the error can say what was wrong with etcd.
const HEADROOM: Duration = Duration::from_millis(500);

/// Claims in this process.
#[derive(Debug)]
pub struct DirectClient;

impl ClaimClient for DirectClient {
    fn request(
        &self,
        call: &Call,
        want: &ClaimRequest,
        within: Duration,
    ) -> Result<Result<(), Error>, Error> {
        let config = IpamConfig::parse(&call.config)?;
        let subnets = Subnets::new(&config)?;
        let asking = ClaimCall {
            subnets: &subnets,
            within,
            until: Instant::now() + within,
        };
        let log = tracing_subscriber::fmt()
            .with_writer(io::stderr)
            .with_ansi(false)
            .finish();
        // The log of the registry crate goes to standard error, which the runtime keeps.
        Ok(tracing::subscriber::with_default(log, || asking.run(want)))
    }

    fn check_available(&self, _: &Call) -> Result<(), Error> {
        Ok(())
    }
}

/// `flatland-claim`: called for ADD, with the claim request in its arguments.
#[derive(Debug)]
pub struct ClaimProgram {
    /// The arguments, without the program's name.
    pub arguments: Vec<String>,
}

impl Program for ClaimProgram {
    fn add(&self, call: &Call) -> Result<Success, Error> {
        let (want, within) = ClaimRequest::parse(&self.arguments)?;
        DirectClient.request(call, &want, within)??;
        Ok(Success::default())
    }

    fn del(&self, _: &Call) -> Result<(), Error> {
        Err(nothing_else())
    }

    fn check(&self, _: &Call) -> Result<(), Error> {
        Err(nothing_else())
    }

    fn gc(&self, _: &Call) -> Result<(), Error> {
        Err(nothing_else())
    }

    fn status(&self, _: &Call) -> Result<(), Error> {
        Err(nothing_else())
    }
}

fn nothing_else() -> Error {
    let msg = "flatland-claim claims subnets for an ADD and does nothing else";
    Error::new(code::INVALID_ENVIRONMENT, msg).advise("call flatland-ipam instead")
}

/// One claim request.
struct ClaimCall<'a> {
    subnets: &'a Subnets<'a>,
    within: Duration,
    until: Instant,
}

impl ClaimCall<'_> {
    fn run(&self, want: &ClaimRequest) -> Result<(), Error> {
        let Subnets {
            config,
            node,
            folder,
        } = self.subnets;
        let asked = match want {
            ClaimRequest::Confirmation => return self.confirm(),
            ClaimRequest::Missing => {
                self.subnets.refuse_overlap()?;
                self.ask(async |registry, machine| {
                    owned::ensure(registry, folder, node, machine, config).await
                })
            }
            ClaimRequest::Further { pod_cidr, seen } => {
                self.subnets.refuse_overlap()?;
                self.ask(async |registry, machine| {
                    owned::claim_further(registry, folder, node, machine, pod_cidr, seen).await
                })
            }
        };
        asked?.map(drop).map_err(Error::from)
    }

    fn confirm(&self) -> Result<(), Error> {
        let Subnets {
            config,
            node,
            folder,
        } = self.subnets;
        let ledger = wire::paths::run_dir(&config.network);
        let alone = |change: &dyn Fn() -> Result<(), registry::Error>| {
            let _lock = lock::folder(&ledger).map_err(|error| registry::Error::Io {
                path: folder.clone(),
                action: "change the subnets in",
                source: io::Error::other(error.to_string()),
            })?;
            change()
        };
        let asked = self.ask(async |registry, machine| {
            owned::renew_under_lock(registry, folder, node, machine, &alone).await
        });
        // Without an answer, ADD goes on with the node's file.
        let unasked = |msg| Err(Error::new(code::TRY_AGAIN, msg));
        match asked {
            Ok(Ok(_)) => Ok(()),
            // The file now has the subnets that are left. A further claim will report the error.
            Ok(Err(registry::Error::Exhausted { .. } | registry::Error::NodeTaken { .. })) => {
                Ok(())
            }
            Ok(Err(error @ (registry::Error::Io { .. } | registry::Error::CorruptFile { .. }))) => {
                Err(error.into())
            }
            Ok(Err(error)) => unasked(error.message()),
            Err(error) => unasked(error.msg),
        }
    }

    /// Runs `claim` with a registry, within the time that is left.
    fn ask(
        &self,
        claim: impl AsyncFnOnce(&Registry, &str) -> Result<Owned, registry::Error>,
    ) -> Result<Result<Owned, registry::Error>, Error> {
        let left = self.until.saturating_duration_since(Instant::now());
        let policy = Policy {
            patience: left.saturating_sub(HEADROOM),
            ..Policy::default()
        };
        let Subnets { config, folder, .. } = self.subnets;
        let machine = MachineId::read()?;
        let registry = Registry::open_with(config, folder, policy)?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::new(code::IO, format!("cannot start a runtime: {error}")))?;
        let claim = claim(&registry, machine.as_str());
        let result = runtime.block_on(async { timeout(left, claim).await });
        // A thread may still be resolving a host name; do not wait for it.
        runtime.shutdown_background();
        result.map_err(|_| self.subnets.timed_out(self.within))
    }
}
