//! Section 5, "Delegated plugins (IPAM)", and section 4.

use super::{IPAM, Row};
use crate::conformance::stage::Stage;
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

fn address(stage: &Stage<'_>) -> Judged {
    let answer = stage.pod()?.add()?;
    let result = answer.result()?;
    ensure(result["ips"][0]["address"].is_string(), || {
        answer.tell("there is no address")
    })
}

fn no_interfaces(stage: &Stage<'_>) -> Judged {
    for version in &stage.versions {
        let answer = stage.add()?.speaking(*version).run()?;
        let result = answer.result()?;
        ensure(result.get("interfaces").is_none(), || {
            answer.tell("there are interfaces")
        })?;
    }
    Ok(())
}

fn no_index(stage: &Stage<'_>) -> Judged {
    for version in &stage.versions {
        let answer = stage.add()?.speaking(*version).run()?;
        let result = answer.result()?;
        let mut ips = result["ips"].as_array().into_iter().flatten();
        ensure(ips.all(|ip| ip.get("interface").is_none()), || {
            answer.tell("an address has an interface")
        })?;
    }
    Ok(())
}
