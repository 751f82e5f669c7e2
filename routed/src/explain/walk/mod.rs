//! What the facts mean.

#[cfg(test)]
mod tests;

mod remote_pod;

use crate::doctor::Severity;
use crate::explain::{Endpoint, LocalPod, PathFacts, PathStep, PodLocation};

/// Every link of the way from the first pod to the second and back, as far as it is this node's.
pub(crate) fn walk(facts: &PathFacts) -> Vec<PathStep> {
    let [from, to] = &facts.ends;
    let mut steps = end(from, facts);
    steps.extend(this_node(facts));
    steps.extend(end(to, facts));
    steps
}

struct Walker<'a> {
    of: &'a str,
    steps: Vec<PathStep>,
}

impl Walker<'_> {
    fn push_step(
        &mut self,
        link: &'static str,
        verdict: Severity,
        text: impl Into<String>,
    ) -> &mut PathStep {
        self.steps.push(PathStep {
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
        self.push_step(link, Severity::Ok, text);
    }

    fn broken(&mut self, link: &'static str, text: impl Into<String>, fix: impl Into<String>) {
        self.push_step(link, Severity::Broken, text).fix = Some(fix.into());
    }

    fn unknown(&mut self, link: &'static str, text: impl Into<String>, fix: impl Into<String>) {
        self.push_step(link, Severity::Unknown, text).fix = Some(fix.into());
    }
}

fn end(end: &Endpoint, facts: &PathFacts) -> Vec<PathStep> {
    let mut walker = Walker {
        of: &end.name,
        steps: Vec::new(),
    };
    match &end.place {
        PodLocation::Here(here) => {
            attachment(&mut walker, end, here);
            own_claim(&mut walker, end, here, facts);
            host_route(&mut walker, end, here);
        }
        PodLocation::There(there) => {
            remote_pod::walk(&mut walker, end, there);
            // By address: a pod's name is known only on its node.
            let [one, other] = facts.ends.each_ref().map(|end| end.address);
            let back = if one == end.address { other } else { one };
            let command = format!("routed explain {} {back}", end.address);
            let text = format!("only node {} can see the rest of the way", there.node);
            walker.unknown("the peer's side", text, format!("run there: {command}"));
        }
        PodLocation::Nowhere => {
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

fn attachment(walker: &mut Walker<'_>, end: &Endpoint, here: &LocalPod) {
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

fn own_claim(walker: &mut Walker<'_>, end: &Endpoint, here: &LocalPod, facts: &PathFacts) {
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

fn host_route(walker: &mut Walker<'_>, end: &Endpoint, here: &LocalPod) {
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

fn this_node(facts: &PathFacts) -> Vec<PathStep> {
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
            let blocking = survey.blocking_chains.iter().filter(|wall| !wall.passes);
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
