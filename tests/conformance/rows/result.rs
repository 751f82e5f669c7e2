//! Section 5, "ADD Success": does the result match the kernel's state?

use std::collections::BTreeSet;

use serde_json::Value;

use super::{CALLED, EVERY, INTERFACE, Row};
use crate::conformance::ipam_wrapper::{IpamWrapper, RecordedCall};
use crate::conformance::kernel::ListedLink;
use crate::conformance::spec::Spec;
use crate::conformance::testbed::Testbed;
use crate::conformance::verdict::{Judged, ensure, fail, skip};

const SUCCESS: &str = "5 ADD Success";
const OLDER: &str = "Result (0.3.0 to 0.4.0)";

pub(super) const ROWS: &[Row] = &[
    Row::must(
        "result-version",
        SUCCESS,
        EVERY,
        "answers in the cniVersion of the input",
        version,
    ),
    Row::must(
        "result-interface",
        SUCCESS,
        INTERFACE,
        "lists the interface that it made in the container",
        interface,
    ),
    Row::should(
        "result-sandbox",
        SUCCESS,
        INTERFACE,
        "sets its sandbox to CNI_NETNS, and to none on the host",
        sandbox,
    ),
    Row::must(
        "result-all-interfaces",
        SUCCESS,
        INTERFACE,
        "lists every interface that it made, in container and host",
        all_interfaces,
    ),
    Row::must(
        "result-mac",
        SUCCESS,
        INTERFACE,
        "lists the hardware addresses that the kernel has",
        macs,
    ),
    Row::must(
        "result-mtu",
        SUCCESS,
        INTERFACE,
        "lists the MTUs that the kernel has",
        mtus,
    )
    .since(Spec::V1_1_0),
    Row::must(
        "result-ips",
        SUCCESS,
        INTERFACE,
        "lists the addresses that the kernel has, and no other",
        ips,
    ),
    Row::must(
        "result-ip-interface",
        SUCCESS,
        CALLED,
        "names the interface of each address",
        ip_interface,
    ),
    Row::must(
        "result-routes",
        SUCCESS,
        INTERFACE,
        "lists routes that the kernel has",
        routes,
    ),
    Row::should(
        "result-of-ipam",
        OLDER,
        CALLED,
        "passes on ips and dns of the IPAM plugin, except interface",
        of_ipam,
    ),
];

fn interfaces(result: &Value) -> impl Iterator<Item = &Value> {
    result["interfaces"].as_array().into_iter().flatten()
}

/// The sandbox of an interface: empty on the host.
fn sandbox_of(interface: &Value) -> &str {
    interface["sandbox"].as_str().unwrap_or_default()
}

fn version(testbed: &Testbed<'_>) -> Judged {
    for version in &testbed.versions {
        let answer = testbed.add()?.with_version(*version).run()?;
        let result = answer.result()?;
        ensure(result["cniVersion"] == version.to_string(), || {
            answer.with_evidence("the cniVersion of the result differs from the input's")
        })?;
    }
    Ok(())
}

fn interface(testbed: &Testbed<'_>) -> Judged {
    for version in &testbed.versions {
        let pod = testbed.pod()?;
        let answer = pod.call("ADD").with_version(*version).run()?;
        let result = answer.result()?;
        let mut all = interfaces(&result);
        let found = all.any(|interface| {
            interface["name"] == pod.interface && !sandbox_of(interface).is_empty()
        });
        ensure(found, || {
            answer.with_evidence("the interface in the container is not listed")
        })?;
    }
    Ok(())
}

fn sandbox(testbed: &Testbed<'_>) -> Judged {
    let pod = testbed.pod()?;
    let answer = pod.add()?;
    let result = answer.result()?;
    let (inside, host) = (names(&pod.links()?), names(&testbed.links()?));
    for interface in interfaces(&result) {
        let name = interface["name"].as_str().unwrap_or_default();
        let there = match sandbox_of(interface) {
            "" => &host,
            netns if netns == pod.netns() => &inside,
            other => return Err(answer.failure(&format!("{name} is listed in {other}"))),
        };
        ensure(there.contains(name), || {
            answer.with_evidence(&format!("{name} is not where the result lists it"))
        })?;
    }
    Ok(())
}

fn names(links: &[ListedLink]) -> BTreeSet<String> {
    links.iter().map(|link| link.name.clone()).collect()
}

fn all_interfaces(testbed: &Testbed<'_>) -> Judged {
    let pod = testbed.pod()?;
    let (inside, host) = (names(&pod.links()?), names(&testbed.links()?));
    let answer = pod.add()?;
    let result = answer.result()?;
    let listed = |on_host: bool| -> BTreeSet<String> {
        let there = interfaces(&result).filter(|it| sandbox_of(it).is_empty() == on_host);
        there
            .filter_map(|it| it["name"].as_str().map(str::to_owned))
            .collect()
    };
    for (before, after, on_host) in [
        (inside, pod.links()?, false),
        (host, testbed.links()?, true),
    ] {
        let after = names(&after);
        let mut made = after.difference(&before);
        let listed = listed(on_host);
        if let Some(missing) = made.find(|name| !listed.contains(*name)) {
            return Err(answer.failure(&format!("{missing} was made and is not listed")));
        }
    }
    Ok(())
}

/// Compares one property of every listed interface with the kernel's.
fn compare(testbed: &Testbed<'_>, key: &str, of: impl Fn(&ListedLink) -> Value) -> Judged {
    let pod = testbed.pod()?;
    let answer = pod.add()?;
    let result = answer.result()?;
    let (inside, host) = (pod.links()?, testbed.links()?);
    for interface in interfaces(&result) {
        let links = if sandbox_of(interface).is_empty() {
            &host
        } else {
            &inside
        };
        let Some(link) = links.iter().find(|link| interface["name"] == link.name) else {
            return Err(answer.failure(&format!("there is no {}", interface["name"])));
        };
        let there = of(link);
        ensure(interface[key] == there, || {
            answer.with_evidence(&format!("{key} of {} is {there}", link.name))
        })?;
    }
    Ok(())
}

fn macs(testbed: &Testbed<'_>) -> Judged {
    compare(testbed, "mac", |link| link.mac.as_str().into())
}

fn mtus(testbed: &Testbed<'_>) -> Judged {
    compare(testbed, "mtu", |link| link.mtu.into())
}

/// The addresses of a result, in order.
fn addresses(result: &Value) -> BTreeSet<String> {
    let ips = result["ips"].as_array().into_iter().flatten();
    ips.filter_map(|ip| ip["address"].as_str().map(str::to_owned))
        .collect()
}

fn ips(testbed: &Testbed<'_>) -> Judged {
    let pod = testbed.pod()?;
    let answer = pod.add()?;
    let listed = addresses(&answer.result()?);
    let link = pod.link()?;
    let there: BTreeSet<String> = link.iter().flat_map(ListedLink::addresses).collect();
    ensure(!listed.is_empty() && listed == there, || {
        answer.with_evidence(&format!("the interface has {there:?}"))
    })
}

fn ip_interface(testbed: &Testbed<'_>) -> Judged {
    let pod = testbed.pod()?;
    let answer = pod.add()?;
    let result = answer.result()?;
    for ip in result["ips"].as_array().into_iter().flatten() {
        let index = ip["interface"]
            .as_u64()
            .and_then(|index| usize::try_from(index).ok());
        let name = index.map(|index| &result["interfaces"][index]["name"]);
        ensure(name.is_some_and(|name| *name == pod.interface), || {
            answer.with_evidence(&format!(
                "{} is not listed on {}",
                ip["address"], pod.interface
            ))
        })?;
    }
    Ok(())
}

fn routes(testbed: &Testbed<'_>) -> Judged {
    let pod = testbed.pod()?;
    let answer = pod.add()?;
    let result = answer.result()?;
    let there = pod.destinations()?;
    let listed = result["routes"].as_array().into_iter().flatten();
    let mut listed = listed.filter_map(|route| route["dst"].as_str()).peekable();
    if listed.peek().is_none() {
        return skip("its result has no route");
    }
    match listed.find(|dst| !there.contains(&(*dst).to_owned())) {
        Some(dst) => Err(answer.failure(&format!("there is no route to {dst}, only to {there:?}"))),
        None => Ok(()),
    }
}

/// The IPAM plugin may return no dns; the wrapper adds one.
const WITH_DNS: &str = r#"
    s/"dns": *{}/"none": {}/
    s/"ips"/"dns": {"nameservers": ["10.1.0.3"]}, "ips"/
"#;

fn of_ipam(testbed: &Testbed<'_>) -> Judged {
    let older = testbed.versions.iter();
    let older: Vec<_> = older.filter(|version| **version < Spec::V1_0_0).collect();
    if older.is_empty() {
        return skip("it supports none of these versions");
    }
    let wrapper = IpamWrapper::install(testbed)?;
    wrapper.edit(WITH_DNS)?;
    for version in older {
        let pod = testbed.pod()?;
        let answer = wrapper.wrap(pod.call("ADD").with_version(*version)).run()?;
        let result = answer.result()?;
        let Some(seen) = wrapper.recorded_calls()?.pop() else {
            return fail(answer.with_evidence("the IPAM plugin was not called"));
        };
        let given = RecordedCall::json(&seen.stdout)?;
        for (key, listed, given) in [
            ("ips", ips_of(&result), ips_of(&given)),
            ("dns", result["dns"].clone(), given["dns"].clone()),
        ] {
            ensure(listed == given, || {
                answer.with_evidence(&format!("the IPAM plugin gave {key} {given}"))
            })?;
        }
    }
    Ok(())
}

/// The `ips` of a result without `interface`, which IPAM plugins do not set.
fn ips_of(result: &Value) -> Value {
    let mut ips = result["ips"].clone();
    for ip in ips.as_array_mut().into_iter().flatten() {
        if let Some(ip) = ip.as_object_mut() {
            ip.remove("interface");
        }
    }
    ips
}
