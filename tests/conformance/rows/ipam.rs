//! Section 5, "Delegated plugins (IPAM)", and section 4.

use super::{IPAM, Row};
use crate::conformance::testbed::Testbed;
use crate::conformance::verdict::{Judged, ensure};

const SUCCESS: &str = "5 Delegated plugins (IPAM)";
const DELEGATION: &str = "4 Plugin Delegation";

pub(super) const ROWS: &[Row] = &[
    Row::must(
        "ipam-address",
        DELEGATION,
        IPAM,
        "determines an address and returns it",
        address,
    ),
    Row::must(
        "ipam-no-interfaces",
        SUCCESS,
        IPAM,
        "returns no interfaces",
        no_interfaces,
    ),
    Row::must(
        "ipam-no-index",
        SUCCESS,
        IPAM,
        "returns no interface in ips",
        no_index,
    ),
];

fn address(testbed: &Testbed<'_>) -> Judged {
    let answer = testbed.pod()?.add()?;
    let result = answer.result()?;
    ensure(result["ips"][0]["address"].is_string(), || {
        answer.with_evidence("there is no address")
    })
}

fn no_interfaces(testbed: &Testbed<'_>) -> Judged {
    for version in &testbed.versions {
        let answer = testbed.add()?.with_version(*version).run()?;
        let result = answer.result()?;
        ensure(result.get("interfaces").is_none(), || {
            answer.with_evidence("there are interfaces")
        })?;
    }
    Ok(())
}

fn no_index(testbed: &Testbed<'_>) -> Judged {
    for version in &testbed.versions {
        let answer = testbed.add()?.with_version(*version).run()?;
        let result = answer.result()?;
        let mut ips = result["ips"].as_array().into_iter().flatten();
        ensure(ips.all(|ip| ip.get("interface").is_none()), || {
            answer.with_evidence("an address has an interface")
        })?;
    }
    Ok(())
}
