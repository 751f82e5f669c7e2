//! The CNI verbs of `flatland-ipam`.

use std::fmt;

use wire::cni::{Call, Error, Program, Success};

use crate::claim::ClaimClient;
use crate::{add, check, del, gc, status};

/// What `flatland-ipam --help` prints.
pub const ABOUT: &str = "\
CNI IPAM plugin of the Flatland pod network: hands out addresses of the subnets that this node owns.
An interface plugin such as flatland runs it, with the CNI_* variables and the network configuration
that it got from the container runtime.
Exit status: 0, or 1 with an error as JSON on standard output. See also flatland-ipam(8).";

/// `flatland-ipam`.
#[derive(Debug)]
pub struct Plugin<A> {
    /// How it claims subnets.
    pub claim_client: A,
}

impl<A: ClaimClient + fmt::Debug> Program for Plugin<A> {
    fn add(&self, call: &Call) -> Result<Success, Error> {
        add::run(&self.claim_client, call)
    }

    fn del(&self, call: &Call) -> Result<(), Error> {
        del::run(call)
    }

    fn check(&self, call: &Call) -> Result<(), Error> {
        check::run(call)
    }

    fn gc(&self, call: &Call) -> Result<(), Error> {
        gc::run(call)
    }

    fn status(&self, call: &Call) -> Result<(), Error> {
        status::run(&self.claim_client, call)
    }
}
