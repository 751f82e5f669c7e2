//! Who asks the registry.

use std::time::Duration;

use wire::cni::{Call, Delegate, Error};
use wire::conf::CLAIM_PROGRAM;

use crate::want::Want;

/// Somebody who asks the registry on behalf of an ADD.
pub trait Asker {
    /// Asks for what is wanted, in the network of `call`, for `within` at most, and writes down what
    /// came of it. The error outside is that nobody could ask, the one inside is the answer.
    fn ask(&self, call: &Call, want: &Want, within: Duration) -> Result<Result<(), Error>, Error>;

    /// An error if nobody could ask.
    fn is_there(&self, call: &Call) -> Result<(), Error>;
}

/// Asks by a program of its own, `flatland-claim`. What talks to etcd is twice as much code as all the
/// rest of this plugin, and an ADD that finds a free address is quicker if that is in another file
/// (bench/README.md).
#[derive(Debug)]
pub struct ByProgram;

impl Asker for ByProgram {
    fn ask(&self, call: &Call, want: &Want, within: Duration) -> Result<Result<(), Error>, Error> {
        Delegate::beside(call, CLAIM_PROGRAM)?.ask(call, &want.arguments(within))
    }

    fn is_there(&self, call: &Call) -> Result<(), Error> {
        Delegate::beside(call, CLAIM_PROGRAM).map(drop)
    }
}
