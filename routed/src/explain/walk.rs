//! What the facts mean.

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use super::{Answer, End, Facts, Here, Hop, Place, Step, There};
use crate::doctor::Verdict;

/// Every link of the way from the first pod to the second and back, as far as it is this node's.
pub(crate) fn walk(facts: &Facts) -> Vec<Step> {
    let [from, to] = &facts.ends;
    let mut steps = end(from, facts);
    steps.extend(this_node(facts));
    steps.extend(end(to, facts));
    steps
}

struct Walker<'a> {
    of: &'a str,
    steps: Vec<Step>,
}

impl Walker<'_> {
    fn say(&mut self, link: &'static str, verdict: Verdict, text: impl Into<String>) -> &mut Step {
        self.steps.push(Step {
            of: self.of.to_owned(),
            link,
            verdict,
            evidence: text.into(),
            fix: None,
        });
        let last = self.steps.len() - 1;
        &mut self.steps[last]
    }

    fn ok(&mut self, link: &'static str, text: impl Into<String>) {
        self.say(link, Verdict::Ok, text);
    }

    fn broken(&mut self, link: &'static str, text: impl Into<String>, fix: impl Into<String>) {
        self.say(link, Verdict::Broken, text).fix = Some(fix.into());
    }

    fn unknown(&mut self, link: &'static str, text: impl Into<String>, fix: impl Into<String>) {
        self.say(link, Verdict::Unknown, text).fix = Some(fix.into());
    }
}

fn end(end: &End, facts: &Facts) -> Vec<Step> {
    let mut walker = Walker {
        of: &end.name,
        steps: Vec::new(),
    };
    match &end.place {
        Place::Here(here) => {
            attachment(&mut walker, end, here);
            own_claim(&mut walker, end, here, facts);
            host_route(&mut walker, end, here);
        }
        Place::There(there) => {
            peers_claim(&mut walker, end, there);
            peers_route(&mut walker, end, there);
            if let Some(hop) = &there.hop {
                next_hop(&mut walker, hop, there);
            }
            let others = facts.ends.iter().find(|other| other.name != end.name);
            let back = others.map_or("", |other| other.name.as_str());
            let command = format!("routed explain {} {back}", end.name);
            let text = format!("how it goes on there only node {} can see", there.node);
            walker.unknown("the peer's side", text, format!("run there: {command}"));
        }
        Place::Nowhere => {
            let text = match &end.claim {
                Ok(_) => format!("no node owns a subnet with {}", end.address),
                Err(why) => format!("whose {} is cannot be told: {why}", end.address),
            };
            let fix = "is it a pod's address? routed subnets shows what the nodes own; a pod whose \
                       node was forgotten has to be made anew";
            match &end.claim {
                Ok(_) => walker.broken("claim", text, fix),
                Err(_) => walker.unknown("claim", text, fix),
            }
        }
    }
    walker.steps
}

fn attachment(walker: &mut Walker<'_>, end: &End, here: &Here) {
    let Some(holder) = &here.holder else {
        walker.broken(
            "address",
            format!("nobody holds {} on this node", end.address),
            "the pod is gone, or was never added: routed addresses shows who holds what; delete the \
             pod to get a new one",
        );
        return;
    };
    let held = format!("{} is held by {}", end.address, holder.who);
    walker.ok("address", held);
    let name = &holder.interface;
    match holder.state {
        None => walker.broken(
            "interface",
            format!("its host end {name} is gone"),
            "the pod's namespace is gone, or somebody deleted it: delete the pod to get a new one",
        ),
        Some((false, _)) => walker.broken(
            "interface",
            format!("its host end {name} is down"),
            format!("ip link set {name} up"),
        ),
        Some((true, false)) => walker.broken(
            "interface",
            format!("its host end {name} has no carrier: the pod's own end is down"),
            "in the pod: ip link set eth0 up; or delete the pod to get a new one",
        ),
        Some((true, true)) => walker.ok("interface", format!("its host end {name} is up")),
    }
}

fn own_claim(walker: &mut Walker<'_>, end: &End, here: &Here, facts: &Facts) {
    let subnet_here = here.owned.iter().find(|own| own.contains(&end.address));
    match (&end.claim, subnet_here) {
        (Ok(Some((subnet, owner))), _) if Some(owner) != facts.node.as_ref() => walker.broken(
            "claim",
            format!("{subnet} belongs to node {owner}: peers send what is for this pod there"),
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
        (Err(why), Some(subnet)) => walker.unknown(
            "claim",
            format!("this node says it owns {subnet}, and the registry cannot be asked: {why}"),
            "see routed doctor",
        ),
        (_, None) => walker.broken(
            "claim",
            format!("this node owns no subnet with {}", end.address),
            "delete the pod to get an address of this node",
        ),
    }
}

fn host_route(walker: &mut Walker<'_>, end: &End, here: &Here) {
    let link = "host route";
    let Some(holder) = &here.holder else {
        return;
    };
    let length = if end.address.is_ipv4() { 32 } else { 128 };
    let fix = format!(
        "ip route replace {}/{length} dev {} proto 70; or delete the pod to get a new one",
        end.address, holder.interface
    );
    match &here.route {
        Some(route) if route.dev.as_ref() == Some(&holder.interface) => {
            walker.ok(link, route.text.clone());
        }
        Some(route) => walker.broken(link, format!("it leads elsewhere: {}", route.text), fix),
        None => walker.broken(link, format!("there is none to {}", end.address), fix),
    }
}

fn this_node(facts: &Facts) -> Vec<Step> {
    let mut walker = Walker {
        of: "this node",
        steps: Vec::new(),
    };
    let (name, value) = &facts.forwarding;
    let dotted = name.replace('/', ".");
    match value {
        Ok(value) if value == "1" => walker.ok("forwarding", format!("{dotted} = 1")),
        Ok(value) => walker.broken(
            "forwarding",
            format!("{dotted} = {value}: this node forwards nothing"),
            format!("sysctl -w {dotted}=1; routed does it within a minute"),
        ),
        Err(why) => walker.unknown("forwarding", why.clone(), "see routed doctor"),
    }
    match &facts.firewall {
        Ok(survey) => {
            let blocking = survey.walls.iter().filter(|wall| !wall.passes);
            let before = walker.steps.len();
            for wall in blocking {
                let text = format!("chain {} drops what pods send and get", wall.chain);
                walker.broken("firewall", text, wall.fix.clone());
            }
            if walker.steps.len() == before {
                walker.ok("firewall", "no chain drops what is forwarded for pods");
            }
        }
        Err(why) => walker.unknown("firewall", why.clone(), "run as root"),
    }
    walker.steps
}

fn peers_claim(walker: &mut Walker<'_>, end: &End, there: &There) {
    let node = &there.node;
    match &end.claim {
        Ok(Some((subnet, owner))) => walker.ok("claim", format!("node {owner} owns {subnet}")),
        Ok(None) => walker.broken(
            "claim",
            format!(
                "the registry shows no claim to a subnet with {}",
                end.address
            ),
            format!(
                "its route is held until node {node} claims it again: is routed running there?"
            ),
        ),
        Err(why) => walker.unknown(
            "claim",
            format!("the registry cannot be asked: {why}"),
            "see routed doctor",
        ),
    }
    match there.present {
        Some(true) => walker.ok("peer", format!("routed of node {node} is alive")),
        Some(false) => walker.unknown(
            "peer",
            format!("routed of node {node} shows no sign of life"),
            "pods go on without it; but the node may be off",
        ),
        None => walker.unknown(
            "peer",
            format!("whether routed of node {node} is alive is not known"),
            "see routed nodes",
        ),
    }
}

fn peers_route(walker: &mut Walker<'_>, end: &End, there: &There) {
    let link = "route";
    let taken = match &there.taken {
        Ok(route) => route.text.clone(),
        Err(why) => why.clone(),
    };
    match (&there.wanted, &there.taken) {
        (Some((None, why)), _) => {
            let why = why
                .as_deref()
                .unwrap_or("routed does not know of its subnet");
            walker.broken(link, why.to_owned(), "see routed nodes and routed routes");
        }
        (Some((Some(way), why)), taken_way) => {
            let is_same = taken_way.as_ref().is_ok_and(|route| leads(route, way));
            if is_same {
                walker.ok(link, taken);
                return;
            }
            let why = why
                .as_ref()
                .map(|why| format!(" ({why})"))
                .unwrap_or_default();
            let text = format!(
                "packets to {} should go {way}, but: {taken}{why}",
                end.address
            );
            walker.broken(
                link,
                text,
                "see routed routes: what is in the way, and who put it there",
            );
        }
        (None, Ok(route)) if route.via.is_some_and(|via| there.addresses.contains(&via)) => {
            walker.ok(link, taken);
        }
        (None, _) => walker.broken(
            link,
            format!(
                "packets to {} do not go to node {}: {taken}",
                end.address, there.node
            ),
            "start routed: it makes the route",
        ),
    }
}

fn leads(route: &super::Route, way: &crate::status::Way) -> bool {
    match way {
        crate::status::Way::Via { gateway, dev } => {
            route.via == Some(*gateway) && route.dev.as_ref() == Some(dev)
        }
        crate::status::Way::Unreachable => false,
    }
}

fn next_hop(walker: &mut Walker<'_>, hop: &Hop, there: &There) {
    let Hop { address, link, .. } = hop;
    match hop.state {
        Some((true, true)) => {}
        Some((false, _)) => {
            walker.broken(
                "next hop",
                format!("{link} is down"),
                format!("ip link set {link} up"),
            );
            return;
        }
        Some((true, false)) => {
            let fix = "look at the cable, the switch, or the virtual machine's network";
            walker.broken("next hop", format!("{link} has no carrier"), fix);
            return;
        }
        None => {
            walker.broken(
                "next hop",
                format!("there is no link {link}"),
                "see ip link",
            );
            return;
        }
    }
    let node = &there.node;
    match hop.answer {
        Answer::Alive => walker.ok("next hop", format!("{address} answers on {link}")),
        Answer::Silent => walker.unknown(
            "next hop",
            format!("the hardware address of {address} is known on {link}, but nothing answered"),
            format!("a firewall of node {node} may keep the answer back: ping {address}"),
        ),
        Answer::Unresolved => walker.broken(
            "next hop",
            format!("nobody on {link} answers for {address}, {} of node {node}", asked(*address)),
            format!(
                "is node {node} on, and on the same layer 2 network? has it that address still? ping \
                 {address}"
            ),
        ),
    }
}

fn asked(address: IpAddr) -> &'static str {
    if address.is_ipv4() {
        "asked by ARP, the address"
    } else {
        "asked by neighbour discovery, the address"
    }
}
