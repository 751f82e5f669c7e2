//! Section 5, "ADD Success": does the result say what is there?

use std::collections::BTreeSet;

use serde_json::Value;

use super::{CALLED, EVERY, INTERFACE, Row};
use crate::conformance::kernel::Link;
use crate::conformance::spec::Spec;
use crate::conformance::spy::{Sighting, Spy};
use crate::conformance::stage::Stage;
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
        "gives it CNI_NETNS as its sandbox, and the host's none",
        sandbox,
    ),
    Row::must(
        "result-all-interfaces",
        SUCCESS,
        INTERFACE,
        "lists every interface that it made, here and there",
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
        "says of each address which interface has it",
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
        "gives ips and dns as the IPAM plugin did, but for interface",
        of_ipam,
    ),
];

fn interfaces(result: &Value) -> impl Iterator<Item = &Value> {
    result["interfaces"].as_array().into_iter().flatten()
}

/// Where an interface is: empty on the host.
fn sandbox_of(interface: &Value) -> &str {
    interface["sandbox"].as_str().unwrap_or_default()
}

fn version(stage: &Stage<'_>) -> Judged {
    for version in &stage.versions {
        let answer = stage.add()?.speaking(*version).run()?;
        let result = answer.result()?;
        ensure(result["cniVersion"] == version.to_string(), || {
            answer.tell("the result has another cniVersion")
        })?;
    }
    Ok(())
}

fn interface(stage: &Stage<'_>) -> Judged {
    for version in &stage.versions {
        let pod = stage.pod()?;
        let answer = pod.call("ADD").speaking(*version).run()?;
        let result = answer.result()?;
        let mut all = interfaces(&result);
        let found = all.any(|interface| {
            interface["name"] == pod.interface && !sandbox_of(interface).is_empty()
        });
        ensure(found, || {
            answer.tell("the interface in the container is not listed")
        })?;
    }
    Ok(())
}

fn sandbox(stage: &Stage<'_>) -> Judged {
    let pod = stage.pod()?;
    let answer = pod.add()?;
    let result = answer.result()?;
    let (inside, host) = (names(&pod.links()?), names(&stage.links()?));
    for interface in interfaces(&result) {
        let name = interface["name"].as_str().unwrap_or_default();
        let there = match sandbox_of(interface) {
            "" => &host,
            netns if netns == pod.netns() => &inside,
            other => return Err(answer.fault(&format!("{name} is said to be in {other}"))),
        };
        ensure(there.contains(name), || {
            answer.tell(&format!("{name} is not where it is said to be"))
        })?;
    }
    Ok(())
}

fn names(links: &[Link]) -> BTreeSet<String> {
    links.iter().map(|link| link.name.clone()).collect()
}

fn all_interfaces(stage: &Stage<'_>) -> Judged {
    let pod = stage.pod()?;
    let (inside, host) = (names(&pod.links()?), names(&stage.links()?));
    let answer = pod.add()?;
    let result = answer.result()?;
    let listed = |on_host: bool| -> BTreeSet<String> {
        let there = interfaces(&result).filter(|it| sandbox_of(it).is_empty() == on_host);
        there
            .filter_map(|it| it["name"].as_str().map(str::to_owned))
            .collect()
    };
    for (before, after, on_host) in [(inside, pod.links()?, false), (host, stage.links()?, true)] {
        let after = names(&after);
        let mut made = after.difference(&before);
        let listed = listed(on_host);
        if let Some(missing) = made.find(|name| !listed.contains(*name)) {
            return Err(answer.fault(&format!("{missing} was made and is not listed")));
        }
    }
    Ok(())
}

/// Compares one property of every listed interface with what the kernel says.
fn compare(stage: &Stage<'_>, key: &str, of: impl Fn(&Link) -> Value) -> Judged {
    let pod = stage.pod()?;
    let answer = pod.add()?;
    let result = answer.result()?;
    let (inside, host) = (pod.links()?, stage.links()?);
    for interface in interfaces(&result) {
        let links = if sandbox_of(interface).is_empty() {
            &host
        } else {
            &inside
        };
        let Some(link) = links.iter().find(|link| interface["name"] == link.name) else {
            return Err(answer.fault(&format!("there is no {}", interface["name"])));
        };
        let there = of(link);
        ensure(interface[key] == there, || {
            answer.tell(&format!("{key} of {} is {there}", link.name))
        })?;
    }
    Ok(())
}

fn macs(stage: &Stage<'_>) -> Judged {
    compare(stage, "mac", |link| link.mac.as_str().into())
}

fn mtus(stage: &Stage<'_>) -> Judged {
    compare(stage, "mtu", |link| link.mtu.into())
}

/// The addresses of a result, in order.
fn addresses(result: &Value) -> BTreeSet<String> {
    let ips = result["ips"].as_array().into_iter().flatten();
    ips.filter_map(|ip| ip["address"].as_str().map(str::to_owned))
        .collect()
}

fn ips(stage: &Stage<'_>) -> Judged {
    let pod = stage.pod()?;
    let answer = pod.add()?;
    let listed = addresses(&answer.result()?);
    let link = pod.link()?;
    let there: BTreeSet<String> = link.iter().flat_map(Link::addresses).collect();
    ensure(!listed.is_empty() && listed == there, || {
        answer.tell(&format!("the interface has {there:?}"))
    })
}

fn ip_interface(stage: &Stage<'_>) -> Judged {
    let pod = stage.pod()?;
    let answer = pod.add()?;
    let result = answer.result()?;
    for ip in result["ips"].as_array().into_iter().flatten() {
        let index = ip["interface"]
            .as_u64()
            .and_then(|index| usize::try_from(index).ok());
        let name = index.map(|index| &result["interfaces"][index]["name"]);
        ensure(name.is_some_and(|name| *name == pod.interface), || {
            answer.tell(&format!(
                "{} is not said to be on {}",
                ip["address"], pod.interface
            ))
        })?;
    }
    Ok(())
}

fn routes(stage: &Stage<'_>) -> Judged {
    let pod = stage.pod()?;
    let answer = pod.add()?;
    let result = answer.result()?;
    let there = pod.destinations()?;
    let listed = result["routes"].as_array().into_iter().flatten();
    let mut listed = listed.filter_map(|route| route["dst"].as_str()).peekable();
    if listed.peek().is_none() {
        return skip("its result has no route");
    }
    match listed.find(|dst| !there.contains(&(*dst).to_owned())) {
        Some(dst) => Err(answer.fault(&format!("there is no route to {dst}, only to {there:?}"))),
        None => Ok(()),
    }
}

/// The IPAM plugin may have no opinion on name resolution: the spy gives it one.
const WITH_DNS: &str = r#"
    s/"dns": *{}/"none": {}/
    s/"ips"/"dns": {"nameservers": ["10.1.0.3"]}, "ips"/
"#;

fn of_ipam(stage: &Stage<'_>) -> Judged {
    let older = stage.versions.iter();
    let older: Vec<_> = older.filter(|version| **version < Spec::V1_0_0).collect();
    if older.is_empty() {
        return skip("it announces none of these versions");
    }
    let spy = Spy::install(stage)?;
    spy.edit(WITH_DNS)?;
    for version in older {
        let pod = stage.pod()?;
        let answer = spy.watch(pod.call("ADD").speaking(*version)).run()?;
        let result = answer.result()?;
        let Some(seen) = spy.sightings()?.pop() else {
            return fail(answer.tell("the IPAM plugin was not called"));
        };
        let given = Sighting::json(&seen.stdout)?;
        for (key, listed, given) in [
            ("ips", ips_of(&result), ips_of(&given)),
            ("dns", result["dns"].clone(), given["dns"].clone()),
        ] {
            ensure(listed == given, || {
                answer.tell(&format!("the IPAM plugin gave {key} {given}"))
            })?;
        }
    }
    Ok(())
}

/// The `ips` of a result without their `interface`, which IPAM plugins leave to others.
fn ips_of(result: &Value) -> Value {
    let mut ips = result["ips"].clone();
    for ip in ips.as_array_mut().into_iter().flatten() {
        if let Some(ip) = ip.as_object_mut() {
            ip.remove("interface");
        }
    }
    ips
}
