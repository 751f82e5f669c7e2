//! The claims of an ADD: the only part of it that needs the registry. Needed when no address is
//! left, and once after each boot.

pub(crate) mod helper;
pub(crate) mod request;

use std::time::{Duration, Instant};

use ipnet::IpNet;
use wire::cni::{Call, Delegate, Error, HelperOutcome, code};
use wire::conf::CLAIM_PROGRAM;

use crate::claim::request::ClaimRequest;
use crate::runtime::warn;
use crate::subnets::Subnets;
use crate::timeouts::{CLAIM_TIMEOUT, CONFIRMATION_TIMEOUT};

/// A way to claim subnets for an ADD.
pub trait ClaimClient {
    /// Carries out `request` in the network of `call`, within the given time, and stores the result
    /// in the node's file.
    fn claim(&self, call: &Call, request: &ClaimRequest, within: Duration) -> HelperOutcome;

    /// Returns an error if no request could be made.
    fn check_available(&self, call: &Call) -> Result<(), Error>;
}

/// Claims in a separate program, `flatland-claim`. The etcd client is twice as much code as the
/// rest of the plugin, and an ADD that finds a free address is faster if that code is in another
/// file (bench/README.md).
#[derive(Debug)]
pub struct HelperClient;

impl ClaimClient for HelperClient {
    fn claim(&self, call: &Call, request: &ClaimRequest, within: Duration) -> HelperOutcome {
        match Delegate::find_helper(call, CLAIM_PROGRAM) {
            Ok(program) => program.run_helper(call, &request.arguments(within)),
            Err(error) => HelperOutcome::NoAnswer(error),
        }
    }

    fn check_available(&self, call: &Call) -> Result<(), Error> {
        Delegate::find_helper(call, CLAIM_PROGRAM).map(drop)
    }
}

/// The claims of one ADD.
pub(crate) struct AddClaims<'a> {
    call: &'a Call,
    client: &'a dyn ClaimClient,
    subnets: &'a Subnets<'a>,
    until: Instant,
}

impl<'a> AddClaims<'a> {
    /// The time-out starts now.
    pub(crate) fn new(
        call: &'a Call,
        client: &'a dyn ClaimClient,
        subnets: &'a Subnets<'a>,
    ) -> Self {
        Self {
            call,
            client,
            subnets,
            until: Instant::now() + CLAIM_TIMEOUT,
        }
    }

    /// Claims a subnet of each pod CIDR of which the node owns none. Returns whether there were
    /// any.
    pub(crate) fn claim_missing(&self) -> Result<bool, Error> {
        let are_missing = self.subnets.are_missing()?;
        if are_missing {
            self.claim(&ClaimRequest::Missing)?;
        }
        Ok(are_missing)
    }

    /// Claims a further subnet of `pod_cidr`, because those in `seen` are full.
    pub(crate) fn claim_further(&self, pod_cidr: IpNet, seen: Vec<IpNet>) -> Result<(), Error> {
        self.claim(&ClaimRequest::Further { pod_cidr, seen })
    }

    fn claim(&self, request: &ClaimRequest) -> Result<(), Error> {
        if self.subnets.config.kubernetes.is_some() {
            return Err(match request {
                ClaimRequest::Further { .. } => self.subnets.kubernetes_decides(),
                ClaimRequest::Missing | ClaimRequest::Confirmation => self.subnets.unconfirmed(),
            });
        }
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(self.subnets.timed_out(CLAIM_TIMEOUT));
        }
        self.client.claim(self.call, request, left).into_result()
    }

    /// Removes subnets from the node's file that the registry has given to other nodes while this
    /// machine was off: the node was forgotten, or its name was taken over. If the registry does
    /// not answer, nothing changes, and ADD goes on with the file.
    ///
    /// Returns whether that is settled. If no request could even be made, the next ADD tries again.
    pub(crate) fn confirm(&self) -> Result<bool, Error> {
        if self.subnets.config.is_local() {
            return Ok(true);
        }
        if self.subnets.config.kubernetes.is_some() {
            // Only `routed` knows whose they are. After a reboot, the conflist is there before it.
            return Err(self.subnets.unconfirmed());
        }
        let request = ClaimRequest::Confirmation;
        let outcome = self.client.claim(self.call, &request, CONFIRMATION_TIMEOUT);
        let (error, is_settled) = match outcome {
            HelperOutcome::Done => return Ok(true),
            // The file may be wrong, and could not be corrected.
            HelperOutcome::Refused(error) if matches!(error.code, code::IO | code::DECODING) => {
                return Err(error);
            }
            HelperOutcome::Refused(error) => (error, true),
            HelperOutcome::NoAnswer(error) => (error, false),
        };
        warn(&format!(
            "cannot confirm that the subnets in {} still belong to node {}; using them anyway: {}",
            self.subnets.folder.display(),
            self.subnets.node,
            error.msg
        ));
        Ok(is_settled)
    }
}

#[cfg(test)]
mod tests;
