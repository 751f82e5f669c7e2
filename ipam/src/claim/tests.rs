use std::cell::RefCell;

use serde_json::json;
use wire::cni::Environment;
use wire::conf::IpamConfig;

use super::*;

/// The outcome of a claim, with the code of its error.
#[derive(Debug, Clone, Copy)]
enum FakeAnswer {
    Done,
    Refused(u32),
    NoAnswer(u32),
}

/// A client with a fixed outcome, which records its requests.
struct FakeClient {
    answer: FakeAnswer,
    requests: RefCell<Vec<ClaimRequest>>,
}

impl ClaimClient for FakeClient {
    fn claim(&self, _: &Call, request: &ClaimRequest, _: Duration) -> HelperOutcome {
        self.requests.borrow_mut().push(request.clone());
        let error = |code| Error::new(code, "why");
        match self.answer {
            FakeAnswer::Done => HelperOutcome::Done,
            FakeAnswer::Refused(code) => HelperOutcome::Refused(error(code)),
            FakeAnswer::NoAnswer(code) => HelperOutcome::NoAnswer(error(code)),
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
fn only_a_wrong_file_makes_confirm_fail_after_boot() {
    let call = call();
    let config = IpamConfig::parse(&call.config).unwrap();
    let subnets = Subnets::new(&config).unwrap();
    for (answer, settled) in [
        (FakeAnswer::Done, Some(true)),
        (FakeAnswer::Refused(code::TRY_AGAIN), Some(true)),
        (FakeAnswer::Refused(code::INVALID_CONFIG), Some(true)),
        (FakeAnswer::Refused(code::IO), None),
        (FakeAnswer::Refused(code::DECODING), None),
        (FakeAnswer::NoAnswer(code::INVALID_CONFIG), Some(false)),
        (FakeAnswer::NoAnswer(code::IO), Some(false)),
        (FakeAnswer::NoAnswer(code::DECODING), Some(false)),
    ] {
        let client = FakeClient {
            answer,
            requests: RefCell::default(),
        };
        let outcome = AddClaims::new(&call, &client, &subnets).confirm();
        assert_eq!(outcome.ok(), settled, "{answer:?}");
        assert_eq!(*client.requests.borrow(), [ClaimRequest::Confirmation]);
    }
}

#[test]
fn claim_after_the_time_out_makes_no_request() {
    let call = call();
    let config = IpamConfig::parse(&call.config).unwrap();
    let subnets = Subnets::new(&config).unwrap();
    let client = FakeClient {
        answer: FakeAnswer::Done,
        requests: RefCell::default(),
    };
    let claims = AddClaims {
        until: Instant::now(),
        ..AddClaims::new(&call, &client, &subnets)
    };
    let error = claims
        .claim_further(config.pod_cidrs[0], Vec::new())
        .unwrap_err();
    assert_eq!(error.code, code::TRY_AGAIN);
    assert!(error.msg.contains("within 5 s"), "{error}");
    assert_eq!(*client.requests.borrow(), []);
}
