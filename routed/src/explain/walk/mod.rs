//! Judges each link of the path between two pods: a pure function of the facts.

#[cfg(test)]
mod tests;

mod remote_pod;
mod walker;

pub(crate) use self::walker::PathStep;
use self::walker::Walker;
use super::facts::{LinkState, LocalPod, PathFacts, PodFacts, PodLocation};
use crate::doctor::Severity;
use crate::packet_paths::Examined;

/// The links of the path between the pods, in both directions, as far as this node can see.
pub(super) fn walk(facts: &PathFacts) -> Vec<PathStep> {
    let [from, to] = &facts.ends;
    let mut steps = endpoint(from, facts);
    steps.extend(this_node(facts));
    steps.extend(endpoint(to, facts));
    steps
}

fn endpoint(end: &PodFacts, facts: &PathFacts) -> Vec<PathStep> {
    let mut walker = Walker {
        of: &end.name,
        steps: Vec::new(),
    };
    match &end.location {
        PodLocation::Local(pod) => {
            attachment(&mut walker, end, pod);
            local_claim(&mut walker, end, pod, facts);
            host_route(&mut walker, end, pod);
        }
        PodLocation::Remote(pod) => {
            remote_pod::walk(&mut walker, end, pod, facts);
            // By address: the name of a pod is known only on its node.
            let [from, to] = facts.ends.each_ref().map(|end| end.address);
            let back = if from == end.address { to } else { from };
            let command = format!("routed explain {} {back}", end.address);
            let text = format!("only node {} can see the rest of the path", pod.node);
            walker.unknown("the peer's side", text, format!("run there: {command}"));
        }
        PodLocation::Unknown => {
            let text = match &end.claim {
                Ok(_) => format!("no node owns a subnet with {}", end.address),
                Err(error) => format!("the owner of {} is not known: {error}", end.address),
            };
            let fix = "is it a pod's address? routed subnets shows which node owns what; a pod whose \
                       node was forgotten has to be recreated";
            match &end.claim {
                Ok(_) => walker.broken("claim", text, fix),
                Err(_) => walker.unknown("claim", text, fix),
            }
        }
    }
    walker.steps
}

fn attachment(walker: &mut Walker<'_>, end: &PodFacts, pod: &LocalPod) {
    let Some(holder) = &pod.holder else {
        walker.broken(
            "address",
            format!("no pod on this node holds {}", end.address),
            "the pod is gone, or was never added: see routed addresses; delete the pod to have it \
             recreated",
        );
        return;
    };
    let held = format!("{} is held by {}", end.address, holder.name);
    walker.ok("address", held);
    let name = &holder.interface;
    match holder.state {
        LinkState::Missing => walker.broken(
            "interface",
            format!("its host end {name} is gone"),
            "the pod's namespace is gone, or the interface was deleted: delete the pod to have it \
             recreated",
        ),
        LinkState::Down => walker.broken(
            "interface",
            format!("its host end {name} is down"),
            format!("ip link set {name} up"),
        ),
        LinkState::NoCarrier => walker.broken(
            "interface",
            format!("its host end {name} has no carrier: the pod's own end is down"),
            "in the pod: ip link set eth0 up; or delete the pod to have it recreated",
        ),
        LinkState::Up => walker.ok("interface", format!("its host end {name} is up")),
    }
}

fn local_claim(walker: &mut Walker<'_>, end: &PodFacts, pod: &LocalPod, facts: &PathFacts) {
    let owned_subnet = pod.owned.iter().find(|own| own.contains(&end.address));
    match (&end.claim, owned_subnet) {
        (Ok(Some((subnet, owner))), _) if Some(owner) != facts.node.as_ref() => walker.broken(
            "claim",
            format!("{subnet} belongs to node {owner}: peers send this pod's packets there"),
            "delete the pod to get an address of this node",
        ),
        (Ok(Some((subnet, _))), Some(_)) => {
            walker.ok("claim", format!("this node owns {subnet}"));
        }
        (Ok(_), Some(subnet)) => walker.broken(
            "claim",
            format!("the registry does not show that this node owns {subnet}: peers have no route"),
            "routed claims it again by itself: see routed status",
        ),
        (Err(error), Some(subnet)) => walker.unknown(
            "claim",
            format!("subnets.json has {subnet}, but the registry cannot be read: {error}"),
            "see routed doctor",
        ),
        (_, None) => walker.broken(
            "claim",
            format!("this node owns no subnet with {}", end.address),
            "delete the pod to get an address of this node",
        ),
    }
}

fn host_route(walker: &mut Walker<'_>, end: &PodFacts, pod: &LocalPod) {
    let link = "host route";
    let Some(holder) = &pod.holder else {
        return;
    };
    let length = if end.address.is_ipv4() { 32 } else { 128 };
    let fix = format!(
        "ip route replace {}/{length} dev {} proto 70; or delete the pod to have it recreated",
        end.address, holder.interface
    );
    match &pod.route {
        Some(route) if route.dev.as_ref() == Some(&holder.interface) => {
            walker.ok(link, route.text.clone());
        }
        Some(route) => walker.broken(link, format!("it leads elsewhere: {}", route.text), fix),
        None => walker.broken(link, format!("there is none to {}", end.address), fix),
    }
}

fn this_node(facts: &PathFacts) -> Vec<PathStep> {
    let mut walker = Walker {
        of: "this node",
        steps: Vec::new(),
    };
    let (name, value) = (facts.forwarding.dotted(), &facts.forwarding.value);
    match value {
        Ok(value) if value == "1" => walker.ok("forwarding", format!("{name} = 1")),
        Ok(value) => walker.broken(
            "forwarding",
            format!("{name} = {value}: this node forwards nothing"),
            format!("sysctl -w {name}=1; routed does that within a minute"),
        ),
        Err(error) => walker.unknown("forwarding", error, "see routed doctor"),
    }
    match &facts.firewall {
        Ok(survey) => {
            for found in survey.blocking_chains.iter().filter(|it| !it.passes) {
                let text = format!("chain {} drops packets to and from pods", found.chain);
                walker.broken("firewall", text, &found.fix);
            }
            if survey.blocking_chains.iter().all(|it| it.passes) {
                walker.ok("firewall", "no chain drops packets to and from pods");
            }
        }
        Err(error) => walker.unknown("firewall", error, "run as root"),
    }
    packets(&mut walker, facts);
    walker.steps
}

/// What the kernel would do with the packets, whatever each route says.
fn packets(walker: &mut Walker<'_>, facts: &PathFacts) {
    let step = "packets";
    match &facts.packets {
        Ok(Examined {
            faults,
            remarks,
            queries,
            ..
        }) => {
            for fault in faults {
                walker.broken(step, &fault.text, &fault.fix);
            }
            for remark in remarks {
                let (text, fix) = (remark.text.clone(), remark.fix.clone());
                walker.push(step, Severity::Warning, text, Some(fix));
            }
            if faults.is_empty() && remarks.is_empty() && *queries > 0 {
                walker.ok(step, "the kernel would send them as the routes say");
            }
        }
        Err(error) => walker.unknown(step, error, "see routed doctor"),
    }
}
