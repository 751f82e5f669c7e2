//! What an ADD does about subnets that it lacks: the one part of it that needs the registry. It does
//! when no address is left, and once after each start of the machine.

pub(crate) mod helper;
pub(crate) mod request;

use std::time::{Duration, Instant};

use ipnet::IpNet;
use wire::cni::{Call, Delegate, Error, HelperOutcome, code};
use wire::conf::CLAIM_PROGRAM;

use crate::claim::request::ClaimRequest;
use crate::runtime::warn;
use crate::subnets::Subnets;

/// Somebody who asks the registry on behalf of an ADD.
pub trait ClaimClient {
    /// Asks for what is wanted, in the network of `call`, for `within` at most, and writes down what
    /// came of it.
    fn request(&self, call: &Call, want: &ClaimRequest, within: Duration) -> HelperOutcome;

    /// An error if nobody could ask.
    fn check_available(&self, call: &Call) -> Result<(), Error>;
}

/// Asks by a program of its own, `flatland-claim`. What talks to etcd is twice as much code as all the
/// rest of this plugin, and an ADD that finds a free address is quicker if that is in another file
/// (bench/README.md).
#[derive(Debug)]
pub struct HelperClient;

impl ClaimClient for HelperClient {
    fn request(&self, call: &Call, want: &ClaimRequest, within: Duration) -> HelperOutcome {
        match Delegate::find_helper(call, CLAIM_PROGRAM) {
            Ok(program) => program.run_helper(call, &want.arguments(within)),
            Err(error) => HelperOutcome::NoAnswer(error),
        }
    }

    fn check_available(&self, call: &Call) -> Result<(), Error> {
        Delegate::find_helper(call, CLAIM_PROGRAM).map(drop)
    }
}

/// How long an ADD waits for subnets in all: for etcd, and for others who wait for etcd on behalf
/// of this node.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the first ADD after a start of the machine waits to hear whether the subnets are still
/// the node's.
const CONFIRMATION: Duration = Duration::from_secs(2);

/// The claims of one ADD.
pub(crate) struct AddClaims<'a> {
    call: &'a Call,
    asker: &'a dyn ClaimClient,
    subnets: &'a Subnets<'a>,
    until: Instant,
}

impl<'a> AddClaims<'a> {
    /// From now on its time is running.
    pub(crate) fn new(
        call: &'a Call,
        asker: &'a dyn ClaimClient,
        subnets: &'a Subnets<'a>,
    ) -> Self {
        Self {
            call,
            asker,
            subnets,
            until: Instant::now() + PATIENCE,
        }
    }

    /// Claims a subnet of each pod CIDR of which the node owns none; whether there were such.
    pub(crate) fn claim_missing(&self) -> Result<bool, Error> {
        let are_missing = self.subnets.are_missing()?;
        if are_missing {
            self.claim(&ClaimRequest::Missing)?;
        }
        Ok(are_missing)
    }

    /// Claims another subnet of `pod_cidr`, as those in `seen` are used up.
    pub(crate) fn claim_further(&self, pod_cidr: IpNet, seen: Vec<IpNet>) -> Result<(), Error> {
        self.claim(&ClaimRequest::Further { pod_cidr, seen })
    }

    fn claim(&self, want: &ClaimRequest) -> Result<(), Error> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(self.subnets.timed_out(PATIENCE));
        }
        self.asker.request(self.call, want, left).into_result()
    }

    /// Takes subnets off the node's file that the registry has given to others, as it may have
    /// while this machine was off: the node was forgotten, or its name taken over. A registry that
    /// cannot be asked changes nothing, as long as ADD needs none.
    ///
    /// Whether that is settled: if nobody could even ask, the next ADD has to try again.
    pub(crate) fn confirm(&self) -> Result<bool, Error> {
        if self.subnets.config.etcd.is_none() {
            return Ok(true);
        }
        let asked = self
            .asker
            .request(self.call, &ClaimRequest::Confirmation, CONFIRMATION);
        let (error, is_settled) = match asked {
            HelperOutcome::Done => return Ok(true),
            // What the file says may be wrong, and could not be put right.
            HelperOutcome::Refused(error) if matches!(error.code, code::IO | code::DECODING) => {
                return Err(error);
            }
            HelperOutcome::Refused(error) => (error, true),
            HelperOutcome::NoAnswer(error) => (error, false),
        };
        warn(&format!(
            "cannot ask whether the subnets in {} are still those of node {}, and goes on with \
             them: {}",
            self.subnets.folder.display(),
            self.subnets.node,
            error.msg
        ));
        Ok(is_settled)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use serde_json::json;
    use wire::cni::Environment;
    use wire::conf::IpamConfig;

    use super::*;

    /// Who answers as it is told to, and remembers what was wanted.
    struct FakeClient {
        answer: Result<Result<(), u32>, u32>,
        wanted: RefCell<Vec<ClaimRequest>>,
    }

    impl ClaimClient for FakeClient {
        fn request(&self, _: &Call, want: &ClaimRequest, _: Duration) -> HelperOutcome {
            self.wanted.borrow_mut().push(want.clone());
            let error = |code| Error::new(code, "why");
            match self.answer {
                Ok(answer) => answer.map_err(error).into(),
                Err(code) => HelperOutcome::NoAnswer(error(code)),
            }
        }

        fn check_available(&self, _: &Call) -> Result<(), Error> {
            Ok(())
        }
    }

    fn call() -> Call {
        let variable = |name: &str| match name {
            "CNI_COMMAND" => Some("ADD".into()),
            "CNI_CONTAINERID" => Some("a".into()),
            "CNI_NETNS" => Some("/proc/self/ns/net".into()),
            "CNI_IFNAME" => Some("eth0".into()),
            _ => None,
        };
        let config = json!({
            "cniVersion": "1.1.0", "name": "n", "type": "flatland",
            "ipam": {
                "type": "flatland-ipam", "podCIDRs": ["10.244.0.0/16"], "nodeName": "n1",
                "etcd": { "endpoints": ["http://127.0.0.1:2379"] },
            },
        });
        let environment = Environment::read(variable).unwrap();
        Call::new(environment, config.to_string().into_bytes()).unwrap()
    }

    #[test]
    fn only_a_file_that_may_be_wrong_keeps_pods_waiting_after_a_start_of_the_machine() {
        let call = call();
        let config = IpamConfig::parse(&call.config).unwrap();
        let subnets = Subnets::new(&config).unwrap();
        for (answer, settled) in [
            (Ok(Ok(())), Some(true)),
            (Ok(Err(code::TRY_AGAIN)), Some(true)),
            (Ok(Err(code::INVALID_CONFIG)), Some(true)),
            (Ok(Err(code::IO)), None),
            (Ok(Err(code::DECODING)), None),
            (Err(code::INVALID_CONFIG), Some(false)),
            (Err(code::IO), Some(false)),
            (Err(code::DECODING), Some(false)),
        ] {
            let told = FakeClient {
                answer,
                wanted: RefCell::default(),
            };
            let outcome = AddClaims::new(&call, &told, &subnets).confirm();
            assert_eq!(outcome.ok(), settled, "{answer:?}");
            assert_eq!(*told.wanted.borrow(), [ClaimRequest::Confirmation]);
        }
    }

    #[test]
    fn when_its_time_is_over_nobody_asks() {
        let call = call();
        let config = IpamConfig::parse(&call.config).unwrap();
        let subnets = Subnets::new(&config).unwrap();
        let told = FakeClient {
            answer: Ok(Ok(())),
            wanted: RefCell::default(),
        };
        let claims = AddClaims {
            until: Instant::now(),
            ..AddClaims::new(&call, &told, &subnets)
        };
        let error = claims
            .claim_further(config.pod_cidrs[0], Vec::new())
            .unwrap_err();
        assert_eq!(error.code, code::TRY_AGAIN);
        assert!(error.msg.contains("within 5 s"), "{error}");
        assert_eq!(*told.wanted.borrow(), []);
    }
}
