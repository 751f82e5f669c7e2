//! Claiming subnets: the one part of ADD that asks the registry. It does when no address is left,
//! and once after each start of the machine.

use std::time::{Duration, Instant};

use ipnet::IpNet;
use wire::cni::{Call, Delegate, Error, code};
use wire::conf::CLAIM_PROGRAM;

use crate::plugin::tell;
use crate::subnets::Subnets;
use crate::want::Want;

/// How long an ADD waits for subnets in all: for etcd, and for others who wait for etcd on behalf
/// of this node.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the first ADD after a start of the machine waits to hear whether the subnets are still
/// the node's.
const CONFIRMATION: Duration = Duration::from_secs(2);

/// Who asks the registry on behalf of an ADD.
pub trait Claim {
    /// Does what is wanted, in the network of `call`, within so much time.
    fn claim(&self, call: &Call, want: &Want, within: Duration) -> Result<(), Error>;

    /// Whether it could be asked.
    fn is_there(&self, call: &Call) -> Result<(), Error>;
}

/// A program of its own, `flatland-claim`, found where a runtime finds plugins. What talks to etcd is
/// twice as much code as all the rest of this plugin, and an ADD that finds a free address is quicker
/// if that is in another file (bench/README.md).
#[derive(Debug)]
pub struct ClaimProgram;

impl Claim for ClaimProgram {
    fn claim(&self, call: &Call, want: &Want, within: Duration) -> Result<(), Error> {
        let program = Delegate::part(call, CLAIM_PROGRAM)?;
        let arguments = want.arguments(within);
        let command = call.environment.command;
        program.start_with(call, command, &arguments)?.finish()?;
        Ok(())
    }

    fn is_there(&self, call: &Call) -> Result<(), Error> {
        Delegate::part(call, CLAIM_PROGRAM).map(drop)
    }
}

/// The claims of one ADD.
pub(crate) struct Claims<'a> {
    call: &'a Call,
    claimer: &'a dyn Claim,
    subnets: &'a Subnets<'a>,
    until: Instant,
}

impl<'a> Claims<'a> {
    /// From now on its time is running.
    pub(crate) fn new(call: &'a Call, claimer: &'a dyn Claim, subnets: &'a Subnets<'a>) -> Self {
        Self {
            call,
            claimer,
            subnets,
            until: Instant::now() + PATIENCE,
        }
    }

    /// Claims a subnet of each pod CIDR of which the node owns none; whether there were such.
    pub(crate) fn missing(&self) -> Result<bool, Error> {
        let are_missing = self.subnets.are_missing()?;
        if are_missing {
            self.claim(&Want::Missing)?;
        }
        Ok(are_missing)
    }

    /// Claims another subnet of `pod_cidr`, as those in `seen` are used up.
    pub(crate) fn further(&self, pod_cidr: IpNet, seen: Vec<IpNet>) -> Result<(), Error> {
        self.claim(&Want::Further { pod_cidr, seen })
    }

    fn claim(&self, want: &Want) -> Result<(), Error> {
        let left = self.until.saturating_duration_since(Instant::now());
        self.claimer.claim(self.call, want, left)
    }

    /// Takes subnets off the node's file that the registry has given to others, as it may have
    /// while this machine was off: the node was forgotten, or its name taken over. A registry that
    /// cannot be asked changes nothing, as long as ADD needs none.
    pub(crate) fn confirm(&self) -> Result<(), Error> {
        let Subnets {
            config,
            node,
            folder,
        } = self.subnets;
        if config.etcd.is_none() {
            return Ok(());
        }
        let asked = self
            .claimer
            .claim(self.call, &Want::Confirmation, CONFIRMATION);
        match asked {
            // What the file says may be wrong, and could not be put right.
            Err(error) if matches!(error.code, code::IO | code::DECODING) => Err(error),
            Err(error) => {
                tell(&format!(
                    "cannot ask whether the subnets in {} are still those of node {node}, and goes \
                     on with them: {}",
                    folder.display(),
                    error.msg
                ));
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }
}
