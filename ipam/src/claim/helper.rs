//! What `flatland-claim` does: asks the registry for an ADD of `flatland-ipam`.

use std::io;
use std::time::{Duration, Instant};

use registry::owned::{self, Owned};
use registry::{Policy, Registry};
use tokio::runtime;
use tokio::time::timeout;
use wire::cni::{Call, Error, HelperOutcome, Program, Success, code};
use wire::conf::IpamConfig;
use wire::node::MachineId;

use crate::claim::ClaimClient;
use crate::claim::request::ClaimRequest;
use crate::ledger::lock;
use crate::subnets::Subnets;

/// How much sooner it gives up on etcd, so that the error can say what was wrong with etcd.
const HEADROOM: Duration = Duration::from_millis(500);

/// Asks in this very process.
#[derive(Debug)]
pub struct DirectClient;

impl ClaimClient for DirectClient {
    fn request(&self, call: &Call, want: &ClaimRequest, within: Duration) -> HelperOutcome {
        let config = match IpamConfig::parse(&call.config) {
            Ok(config) => config,
            Err(error) => return HelperOutcome::NoAnswer(error),
        };
        let subnets = match Subnets::new(&config) {
            Ok(subnets) => subnets,
            Err(error) => return HelperOutcome::NoAnswer(error),
        };
        let asking = ClaimCall {
            subnets: &subnets,
            within,
            until: Instant::now() + within,
        };
        let log = tracing_subscriber::fmt()
            .with_writer(io::stderr)
            .with_ansi(false)
            .finish();
        // What the registry logs goes to where the runtime keeps it.
        tracing::subscriber::with_default(log, || asking.run(want)).into()
    }

    fn check_available(&self, _: &Call) -> Result<(), Error> {
        Ok(())
    }
}

/// `flatland-claim`: an ADD with what is wanted in its arguments.
#[derive(Debug)]
pub struct ClaimProgram {
    /// Its arguments, without its name.
    pub arguments: Vec<String>,
}

impl Program for ClaimProgram {
    fn add(&self, call: &Call) -> Result<Success, Error> {
        let (want, within) = ClaimRequest::parse(&self.arguments)?;
        DirectClient.request(call, &want, within).into_result()?;
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

/// One question.
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
        // Without an answer ADD goes on with what there is.
        let unasked = |msg| Err(Error::new(code::TRY_AGAIN, msg));
        match asked {
            Ok(Ok(_)) => Ok(()),
            // The file says what is left, and whoever needs more hears of it.
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

    /// The error inside is the registry's, the one outside that it was not even asked.
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
        // One of its threads may still wait for a name to be resolved; we do not.
        runtime.shutdown_background();
        result.map_err(|_| self.subnets.timed_out(self.within))
    }
}
