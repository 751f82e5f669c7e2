//! The CNI verbs of `flatland-ipam`.

use wire::cni::{Call, Error, Program, Success};

use crate::claim::ClaimClient;
use crate::{add, check, del, gc, status};

/// `flatland-ipam`.
#[derive(Debug)]
pub struct Plugin<A> {
    /// How it claims subnets.
    pub claim_client: A,
}

impl<A: ClaimClient> Program for Plugin<A> {
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
