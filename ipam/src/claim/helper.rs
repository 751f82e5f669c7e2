//! `flatland-claim`: carries out a claim request of `flatland-ipam` in the registry.

use std::io;
use std::time::{Duration, Instant};

use registry::owned::{NodeClaims, Owned};
use registry::{Policy, Registry};
use tokio::runtime;
use tokio::time::timeout;
use wire::cni::{Call, CniCommand, Error, HelperOutcome, Program, Success, code};
use wire::conf::IpamConfig;
use wire::node::MachineId;

use crate::claim::ClaimClient;
use crate::claim::request::ClaimRequest;
use crate::ledger::lock;
use crate::subnets::Subnets;
use crate::timeouts::ETCD_TIMEOUT_MARGIN;

/// Claims in this process.
#[derive(Debug)]
pub struct DirectClient;

impl ClaimClient for DirectClient {
    fn claim(&self, call: &Call, request: &ClaimRequest, within: Duration) -> HelperOutcome {
        let config = match IpamConfig::parse(&call.config) {
            Ok(config) => config,
            Err(error) => return HelperOutcome::NoAnswer(error),
        };
        let subnets = match Subnets::new(&config) {
            Ok(subnets) => subnets,
            Err(error) => return HelperOutcome::NoAnswer(error),
        };
        let claim = ClaimCall {
            subnets: &subnets,
            within,
            until: Instant::now() + within,
        };
        let log = tracing_subscriber::fmt()
            .with_writer(io::stderr)
            .with_ansi(false)
            .finish();
        // The log of the registry crate goes to standard error, which the runtime keeps.
        tracing::subscriber::with_default(log, || claim.run(request)).into()
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
        let (request, within) = ClaimRequest::parse(&self.arguments)?;
        DirectClient.claim(call, &request, within).into_result()?;
        Ok(Success::default())
    }

    fn del(&self, _: &Call) -> Result<(), Error> {
        Err(self.unsupported(CniCommand::Del))
    }

    fn unsupported(&self, _: CniCommand) -> Error {
        let msg = "flatland-claim claims subnets for an ADD and does nothing else";
        Error::new(code::INVALID_ENVIRONMENT, msg).advise("call flatland-ipam instead")
    }
}

/// One claim request.
struct ClaimCall<'a> {
    subnets: &'a Subnets<'a>,
    within: Duration,
    until: Instant,
}

/// Why a claim failed.
enum ClaimError {
    /// The registry's error.
    Registry(registry::Error),
    /// The registry was not reached, or did not answer in time.
    NoAnswer(Error),
}

impl From<Error> for ClaimError {
    fn from(error: Error) -> Self {
        Self::NoAnswer(error)
    }
}

impl From<ClaimError> for Error {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::Registry(error) => error.into(),
            ClaimError::NoAnswer(error) => error,
        }
    }
}

impl ClaimCall<'_> {
    fn run(&self, request: &ClaimRequest) -> Result<(), Error> {
        let config = self.subnets.config;
        match request {
            ClaimRequest::Confirmation => return self.confirm(),
            ClaimRequest::Missing => {
                self.subnets.refuse_overlap()?;
                self.claim(async |claims| claims.ensure(config).await)?;
            }
            ClaimRequest::Further { pod_cidr, seen } => {
                self.subnets.refuse_overlap()?;
                self.claim(async |claims| claims.further(pod_cidr, seen).await)?;
            }
        }
        Ok(())
    }

    fn confirm(&self) -> Result<(), Error> {
        use registry::Error::{CorruptFile, Exhausted, Io, NodeTaken};
        let ledger = wire::paths::run_dir(&self.subnets.config.network);
        let under_lock = |change: &dyn Fn() -> Result<(), registry::Error>| {
            let _lock = lock::folder(&ledger).map_err(|error| Io {
                path: self.subnets.folder.clone(),
                action: "change the subnets in",
                source: io::Error::other(error.to_string()),
            })?;
            change()
        };
        // Without an answer, ADD goes on with the node's file.
        let no_answer = |msg| Err(Error::new(code::TRY_AGAIN, msg));
        match self.claim(async |claims| claims.renew_under_lock(&under_lock).await) {
            // If none are left, the file says so. A further claim will report the error.
            Ok(_) | Err(ClaimError::Registry(Exhausted { .. } | NodeTaken { .. })) => Ok(()),
            Err(ClaimError::Registry(error @ (Io { .. } | CorruptFile { .. }))) => {
                Err(error.into())
            }
            Err(ClaimError::Registry(error)) => no_answer(error.message()),
            Err(ClaimError::NoAnswer(error)) => no_answer(error.msg),
        }
    }

    /// Runs `claim` on the claims of this node, within the time that is left.
    fn claim(
        &self,
        claim: impl AsyncFnOnce(NodeClaims<'_>) -> Result<Owned, registry::Error>,
    ) -> Result<Owned, ClaimError> {
        let left = self.until.saturating_duration_since(Instant::now());
        let policy = Policy {
            operation_timeout: left.saturating_sub(ETCD_TIMEOUT_MARGIN),
            ..Policy::default()
        };
        let Subnets {
            config,
            node,
            folder,
        } = self.subnets;
        let machine = MachineId::read()?;
        let registry = Registry::open_on_node(config, folder, policy).map_err(Error::from)?;
        let claims = NodeClaims {
            registry: &registry,
            folder,
            node,
            machine: machine.as_str(),
        };
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::new(code::IO, format!("cannot start a runtime: {error}")))?;
        let result = runtime.block_on(async { timeout(left, claim(claims)).await });
        // A thread may still be resolving a host name; do not wait for it.
        runtime.shutdown_background();
        match result {
            Ok(owned) => owned.map_err(ClaimError::Registry),
            Err(_) => Err(self.subnets.timed_out(self.within).into()),
        }
    }
}
